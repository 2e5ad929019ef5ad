"""botocore's service models, reduced to what the wire needs and cached by botocore's version.

The cache makes botocore itself unnecessary in a running server: reading it takes some 15 ms, importing botocore and
loading its four models 170 ms or more.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec

logger = logging.getLogger(__name__)

SERVICES = ("bedrock", "bedrock-runtime", "bedrock-agent", "bedrock-agent-runtime")
"""The services on the wire, by botocore's names."""

_FORMAT = 1
_DROPPED = frozenset({"documentation", "deprecated", "deprecatedMessage", "deprecatedSince", "exception", "fault"})

ServiceModel = dict[str, Any]


def load_models(cache: Path | None = None) -> dict[str, ServiceModel]:
    """The models of all services, from the cache when it fits the installed botocore.

    Args:
        cache: Folder of the cache file; None reads botocore each time.

    Returns:
        Service name to `{"operations": {...}, "shapes": {...}, "metadata": {...}}` in botocore's own form.
    """
    path = cache / f"wire-{_FORMAT}-{version('botocore')}.json" if cache else None
    if path is not None and path.is_file():
        try:
            cached: dict[str, ServiceModel] = msgspec.json.decode(path.read_bytes())
            return cached
        except msgspec.DecodeError:
            logger.warning("wire.cache_damaged", extra={"file": path.name})
    models = read_models(SERVICES)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(f".{os.getpid()}.tmp")
        temporary.write_bytes(msgspec.json.encode(models))
        temporary.replace(path)
    return models


def read_models(services: Sequence[str]) -> dict[str, ServiceModel]:
    """The models of services from botocore itself, without their prose."""
    # Imported here, and only when the cache is cold: this is what the cache saves.
    from botocore.loaders import Loader  # noqa: PLC0415

    loader = Loader()
    return {service: _reduced(loader.load_service_model(service, "service-2")) for service in services}


def _reduced(model: Any) -> Any:
    """The model without its prose; a member that happens to be called `documentation` stays."""
    shapes = {
        name: {
            key: (
                {member: _without(reference, _DROPPED) for member, reference in value.items()}
                if key == "members"
                else value
            )
            for key, value in shape.items()
            if key not in _DROPPED
        }
        for name, shape in model["shapes"].items()
    }
    operations = {name: _without(operation, _DROPPED) for name, operation in model["operations"].items()}
    for operation in operations.values():
        operation["errors"] = [error["shape"] for error in operation.get("errors", [])]
    return {"metadata": model["metadata"], "operations": operations, "shapes": shapes}


def _without(mapping: Any, keys: frozenset[str]) -> dict[str, Any]:
    return {key: value for key, value in mapping.items() if key not in keys}

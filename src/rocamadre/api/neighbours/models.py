"""botocore's models of STS, IAM, Lambda and Logs, reduced to the operations that are built here, and cached.

Every operation's name and route stays, so that what is missing can be refused by its name; shapes stay only where an
operation that is built reaches them.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Collection, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec

from rocamadre.api.wire.models import ServiceModel, read_models

logger = logging.getLogger(__name__)


def load_reduced(built: Mapping[str, Collection[str]], cache: Path | None = None) -> dict[str, ServiceModel]:
    """The models of services, from the cache when it fits the installed botocore and what is built.

    Args:
        built: Operations of each service whose shapes are needed.
        cache: Folder of the cache file; None reads botocore each time.

    Returns:
        As `api.wire.models.load_models`.
    """
    wanted = {service: sorted(operations) for service, operations in sorted(built.items())}
    path = cache / f"neighbours-{version('botocore')}.json" if cache else None
    if path is not None and path.is_file():
        try:
            cached = msgspec.json.decode(path.read_bytes())
            if cached["built"] == wanted:
                kept: dict[str, ServiceModel] = cached["models"]
                return kept
        except (msgspec.DecodeError, KeyError, TypeError):
            logger.warning("wire.cache_damaged", extra={"file": path.name})
    models = {name: _pruned(model, built[name]) for name, model in read_models(tuple(wanted)).items()}
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(f".{os.getpid()}.tmp")
        temporary.write_bytes(msgspec.json.encode({"built": wanted, "models": models}))
        temporary.replace(path)
    return models


def _pruned(model: ServiceModel, built: Collection[str]) -> ServiceModel:
    shapes, operations = model["shapes"], model["operations"]
    reached: set[str] = set()
    waiting = [
        name
        for operation in built
        for name in (
            *operations[operation]["errors"],
            *(operations[operation][side]["shape"] for side in ("input", "output") if side in operations[operation]),
        )
    ]
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting += _members(shapes[name])
    routes = {
        name: operation if name in built else {"name": name, "http": operation["http"], "errors": []}
        for name, operation in operations.items()
    }
    kept = {name: shape for name, shape in shapes.items() if name in reached}
    return {"metadata": model["metadata"], "operations": routes, "shapes": kept}


def _members(shape: dict[str, Any]) -> list[str]:
    references = [
        *shape.get("members", {}).values(),
        *(shape[key] for key in ("member", "key", "value") if key in shape),
    ]
    return [reference["shape"] for reference in references]

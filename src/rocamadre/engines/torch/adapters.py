"""Models that are a base and an adapter which only its own training method can put on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from rocamadre.core.errors import InvalidRequest
from rocamadre.core.registry import Registry

AdapterLoader: TypeAlias = Callable[[Path, str, Path], tuple[Any, int]]
"""From a base, a method's name and the adapter's folder to a causal model, and the places of its context that virtual
tokens take."""

ADAPTER_LOADERS: Registry[AdapterLoader] = Registry(
    "adapter loader", {"method": "rocamadre.training.serving:load_for_engine"}, extra={"method": "train"}
)


class AdapterOptions(NamedTuple):
    """Of a `LoadSpec`.

    Attributes:
        method: The training method that made the adapter.
        folder: Holds the adapter, and the tokenizer that goes with it.
    """

    method: str
    folder: Path


def adapter_options(options: Mapping[str, Any]) -> AdapterOptions | None:
    """The adapter that a model's options name; None for a model that is whole.

    Raises:
        InvalidRequest: one of the two options without the other.
    """
    if "adapter" not in options and "method" not in options:
        return None
    if not ("adapter" in options and "method" in options):
        raise InvalidRequest("a model of the torch engine with an adapter names both 'adapter' and 'method'")
    return AdapterOptions(str(options["method"]), Path(options["adapter"]))

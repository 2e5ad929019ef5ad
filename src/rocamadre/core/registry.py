"""Names to parts, without importing any part before it is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from importlib import import_module
from importlib.metadata import entry_points
from typing import Generic, TypeVar, cast

from rocamadre.core.errors import MissingDependency, Unknown

T = TypeVar("T")


class Registry(Generic[T]):
    """A table of interchangeable parts.

    Args:
        kind: What the parts are, in a word; plugins register under the entry point group `rocamadre.<kind>`.
        parts: Name to `"module:attribute"`.
        extra: The optional dependency group that a part needs, where it needs one.
    """

    def __init__(self, kind: str, parts: Mapping[str, str], *, extra: Mapping[str, str] | None = None) -> None:
        self.kind = kind
        self._parts = dict(parts)
        self._extra = dict(extra or {})

    @cached_property
    def _plugins(self) -> dict[str, str]:
        return {point.name: point.value for point in entry_points(group=f"rocamadre.{self.kind}")}

    def names(self) -> list[str]:
        """All names, plugins included; imports none of them."""
        return sorted({*self._parts, *self._plugins})

    def load(self, name: str) -> T:
        """Import one part.

        Raises:
            Unknown: no part has this name; the message lists those that exist.
            MissingDependency: the part needs a package that is not installed.
        """
        target = self._parts.get(name) or self._plugins.get(name)
        if target is None:
            raise Unknown(f"no {self.kind} is called {name!r}; there are: {', '.join(self.names())}")
        module, _, attribute = target.partition(":")
        try:
            return cast(T, getattr(import_module(module), attribute))
        except ModuleNotFoundError as error:
            if error.name is None or error.name.split(".")[0] == "rocamadre":
                raise
            hint = (
                f"pip install 'rocamadre[{self._extra[name]}]'" if name in self._extra else f"pip install {error.name}"
            )
            raise MissingDependency(f"{self.kind} {name!r} needs {error.name!r}: {hint}") from error

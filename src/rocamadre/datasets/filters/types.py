"""What a filter is."""

from __future__ import annotations

from typing import Any, Protocol

from rocamadre.datasets.types import Example


class Filter(Protocol):
    """Looks at examples one after another, in order, and says which go.

    A filter is made from its settings: `Length(least=3)`. They are the fields of a pydantic model, so that the command
    line can give them as text.
    """

    def drop(self, example: Example) -> str:
        """Why it goes, in a few words that are the same for the same reason; empty keeps it."""
        ...


class FilterType(Protocol):
    """A class of filters; its docstring's first line says what it does."""

    __name__: str
    model_fields: dict[str, Any]

    def __call__(self, **settings: Any) -> Filter:
        """Make one.

        Raises:
            pydantic.ValidationError: a setting is wrong.
        """
        ...

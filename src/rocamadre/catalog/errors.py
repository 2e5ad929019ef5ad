"""The catalog's own errors."""

from __future__ import annotations

from rocamadre.core.errors import NotFound


class UnknownModel(NotFound):
    """The provided model identifier is invalid."""

    codes = ("ValidationException", "ResourceNotFoundException")

"""The catalog's own errors."""

from __future__ import annotations

from rocamadre.core.errors import Conflict, NotFound


class UnknownModel(NotFound):
    """The provided model identifier is invalid."""

    codes = ("ValidationException", "ResourceNotFoundException")


class PullStopped(Conflict):
    """The pull was asked to stop; what came is kept."""

"""The errors of S3 Vectors, by its own codes."""

from __future__ import annotations

from rocamadre.core.errors import Conflict, InvalidRequest, NotFound


class VectorsInvalid(InvalidRequest):
    """A parameter is not valid."""

    codes = ("ValidationException",)


class VectorsNotFound(NotFound):
    """The vector bucket or index does not exist."""

    codes = ("NotFoundException",)


class VectorsConflict(Conflict):
    """The name is taken, or the bucket still has indexes."""

    codes = ("ConflictException",)

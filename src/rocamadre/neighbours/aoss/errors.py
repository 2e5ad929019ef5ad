"""The errors of OpenSearch Serverless: those of its control plane, and those of OpenSearch itself."""

from __future__ import annotations

from rocamadre.core.errors import CommonError, Conflict, InvalidRequest, NotFound


class CollectionInvalid(InvalidRequest):
    """A parameter is not valid."""

    codes = ("ValidationException",)


class CollectionNotFound(NotFound):
    """The collection or policy does not exist."""

    codes = ("ResourceNotFoundException", "ValidationException")


class CollectionConflict(Conflict):
    """The name is taken, or the state forbids it."""

    codes = ("ConflictException",)


def search_error(kind: str, status: int, reason: str) -> CommonError:
    """An error in OpenSearch's own words, such as `index_not_found_exception`."""
    return CommonError(kind, status, reason)


def no_index(name: str) -> CommonError:
    """What OpenSearch says of an index that is not there."""
    return search_error("index_not_found_exception", 404, f"no such index [{name}]")


def bad_query(reason: str) -> CommonError:
    """What OpenSearch says of a query that it cannot read."""
    return search_error("parsing_exception", 400, reason)

"""The errors of CloudWatch Logs, by its own codes."""

from __future__ import annotations

from rocamadre.core.errors import Conflict, InvalidRequest, NotFound


class LogsInvalid(InvalidRequest):
    """A parameter is not valid."""

    codes = ("InvalidParameterException", "ValidationException")


class LogsNotFound(NotFound):
    """The log group or stream does not exist."""

    codes = ("ResourceNotFoundException",)


class LogsExists(Conflict):
    """The log group or stream exists."""

    codes = ("ResourceAlreadyExistsException",)

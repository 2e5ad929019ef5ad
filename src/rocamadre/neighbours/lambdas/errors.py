"""Lambda's errors, by its own codes."""

from __future__ import annotations

from rocamadre.core.errors import Conflict, InvalidRequest, NotFound, QuotaExceeded, Throttled, Unavailable


class FunctionInvalid(InvalidRequest):
    """A parameter is not valid."""

    codes = ("InvalidParameterValueException", "InvalidRequestContentException", "ValidationException")


class ContentInvalid(InvalidRequest):
    """The event is no JSON."""

    codes = ("InvalidRequestContentException", "InvalidParameterValueException")


class ContentTooLarge(InvalidRequest):
    """The event is too large."""

    codes = ("RequestTooLargeException", "InvalidParameterValueException")


class FunctionNotFound(NotFound):
    """The function does not exist."""

    codes = ("ResourceNotFoundException",)


class FunctionExists(Conflict):
    """The function, or the statement, exists."""

    codes = ("ResourceConflictException",)


class PreconditionFailed(Conflict):
    """The function was changed meanwhile."""

    codes = ("PreconditionFailedException", "ResourceConflictException")


class CodeTooLarge(QuotaExceeded):
    """The code is larger than functions may be."""

    codes = ("CodeStorageExceededException", "InvalidParameterValueException")


class TooManyInvocations(Throttled):
    """As many functions run as may at a time."""

    codes = ("TooManyRequestsException",)


class CannotRun(Unavailable):
    """Functions cannot run on this machine as the settings are."""

    codes = ("ServiceException",)

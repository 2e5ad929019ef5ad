"""Every error that the platform raises on purpose.

```
RocamadreError
├── InvalidRequest          the request itself is wrong
├── NotFound                nothing has this name here
├── Conflict                the name is taken, or the state forbids it
├── QuotaExceeded           a limit on how many may exist
├── TooManyTags             that limit, for tags
├── AccessDenied            known, but not allowed
├── Throttled               too much at once; try again
├── Unavailable             not now; try again
├── NotBuilt                Rocamadre lacks this; refused, never faked
├── MissingDependency       an optional package is not installed
├── Unknown                 a registry has no part of this name
├── ModelFailure            the model's process failed
│   ├── ModelTimeout        it took too long
│   └── ModelNotReady       it is still being loaded
└── CommonError             errors every AWS service may answer (authentication and the like)
```

Each class lists wire codes, best first. The wire answers with the first code that the operation at hand declares and
with that shape's own HTTP status.
"""

from __future__ import annotations


class RocamadreError(Exception):
    """Something went wrong."""

    codes: tuple[str, ...] = ("InternalServerException", "InternalServerError")
    retry_after_s: float | None = None

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (type(self).__doc__ or "").strip().splitlines()[0])

    @property
    def message(self) -> str:
        """The sentence that the client reads."""
        return str(self.args[0])


class FieldError:
    """One failure at one member of a request.

    Attributes:
        name: Dotted path of the member, as the client spells it.
        message: What is wrong with it.
    """

    __slots__ = ("message", "name")

    def __init__(self, name: str, message: str) -> None:
        self.name = name
        self.message = message


class InvalidRequest(RocamadreError):
    """The request is not valid."""

    codes: tuple[str, ...] = ("ValidationException", "BadRequestException")

    def __init__(self, message: str | None = None, *, fields: tuple[FieldError, ...] = ()) -> None:
        super().__init__(message)
        self.fields = fields


class NotFound(RocamadreError):
    """Nothing has this name here."""

    codes: tuple[str, ...] = ("ResourceNotFoundException", "ValidationException")


class Conflict(RocamadreError):
    """The name is taken, or the state does not allow it now."""

    codes: tuple[str, ...] = ("ConflictException", "ResourceInUseException", "ValidationException")


class QuotaExceeded(RocamadreError):
    """A limit on how many may exist is reached."""

    codes: tuple[str, ...] = ("ServiceQuotaExceededException", "TooManyTagsException", "ValidationException")


class TooManyTags(RocamadreError):
    """A resource carries at most 50 tags."""

    codes: tuple[str, ...] = ("TooManyTagsException", "ServiceQuotaExceededException", "ValidationException")


class AccessDenied(RocamadreError):
    """You are known, but not allowed to do this."""

    codes: tuple[str, ...] = ("AccessDeniedException", "ValidationException")


class Throttled(RocamadreError):
    """Too many requests at once; try again in a moment."""

    codes: tuple[str, ...] = ("ThrottlingException", "ServiceUnavailableException", "ValidationException")

    def __init__(self, message: str | None = None, *, retry_after_s: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Unavailable(RocamadreError):
    """The service cannot do this at the moment; try again."""

    codes: tuple[str, ...] = ("ServiceUnavailableException", "InternalServerException", "DependencyFailedException")


class NotBuilt(RocamadreError):
    """Rocamadre does not have this yet; it is refused, never faked."""

    codes: tuple[str, ...] = ("ValidationException",)


class MissingDependency(RocamadreError):
    """An optional package is not installed."""

    codes: tuple[str, ...] = ("ValidationException", "InternalServerException")


class Unknown(RocamadreError):
    """No part of this name is registered."""

    codes: tuple[str, ...] = ("ValidationException",)


class ModelFailure(RocamadreError):
    """The model's process failed while it worked on this request."""

    codes: tuple[str, ...] = ("ModelErrorException", "ModelStreamErrorException", "InternalServerException")


class ModelTimeout(ModelFailure):
    """The model took longer than the deadline."""

    codes: tuple[str, ...] = ("ModelTimeoutException", "ModelErrorException", "InternalServerException")


class ModelNotReady(ModelFailure):
    """The model is still being loaded; try again in a moment."""

    codes: tuple[str, ...] = ("ModelNotReadyException", "ServiceUnavailableException", "InternalServerException")


class CommonError(RocamadreError):
    """An error that every AWS service may answer, declared by no operation.

    Args:
        code: The exception's name on the wire.
        status: HTTP status.
        message: The sentence that the client reads.
    """

    def __init__(self, code: str, status: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.status = status

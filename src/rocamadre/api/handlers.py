"""Handlers of Bedrock operations, found by service and name."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from rocamadre.core.context import Context

Handle: TypeAlias = Callable[[Context, dict[str, Any]], Awaitable[Mapping[str, Any]]]


@dataclass(frozen=True, slots=True)
class Handler:
    """One API operation.

    Attributes:
        service: botocore's name, for example `bedrock-runtime`.
        operation: For example `Converse`.
        handle: Takes the parsed, validated request by member name (blobs as bytes, timestamps as aware datetimes);
            returns the response by member name. An event stream member is an async iterator of one-key dicts.
        missing: What is accepted but not honoured, or refused: one sentence each, beginning with the member's name.
            Empty claims the operation in full.
    """

    service: str
    operation: str
    handle: Handle
    missing: tuple[str, ...]


HANDLERS: dict[tuple[str, str], Handler] = {}


def handles(service: str, operation: str, *, missing: tuple[str, ...] = ()) -> Callable[[Handle], Handle]:
    """Register a function as the handler of an operation.

    Args:
        service: botocore's service name.
        operation: The operation's name.
        missing: See `Handler.missing`.
    """

    def register(function: Handle) -> Handle:
        if (service, operation) in HANDLERS:
            raise ValueError(f"{service}:{operation} has two handlers")
        HANDLERS[service, operation] = Handler(service, operation, function, missing)
        return function

    return register

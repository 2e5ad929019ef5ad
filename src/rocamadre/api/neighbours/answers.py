"""Handlers of the neighbours whose wire is derived from botocore: STS, IAM, Lambda, Logs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any, TypeAlias

from rocamadre.core.context import Context

Answering: TypeAlias = Callable[[Context, dict[str, Any]], Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Answer:
    """One operation.

    Attributes:
        function: Takes the parsed, validated request by member name; returns the response by member name. It may
            block: it runs in a thread.
        missing: What is accepted but not honoured, or refused: one sentence each, beginning with the member's name.
        executor: Where it runs; None for the event loop's own threads.
    """

    function: Answering
    missing: tuple[str, ...]
    executor: Executor | None


ANSWERS: dict[str, dict[str, Answer]] = {}
"""By service, then by operation."""


def answers(
    service: str, operation: str, *, missing: tuple[str, ...] = (), executor: Executor | None = None
) -> Callable[[Answering], Answering]:
    """Register a function as what answers an operation of a neighbour."""

    def register(function: Answering) -> Answering:
        known = ANSWERS.setdefault(service, {})
        if operation in known:
            raise ValueError(f"{service}:{operation} has two handlers")
        known[operation] = Answer(function, missing, executor)
        return function

    return register

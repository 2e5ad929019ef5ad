"""What is kept of a response."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

Status: TypeAlias = Literal["queued", "in_progress", "completed", "incomplete", "failed", "cancelled"]

RUNNING: tuple[Status, ...] = ("queued", "in_progress")
"""States that end by themselves; the others last."""


@dataclass(frozen=True, slots=True)
class Response:
    """One response.

    Attributes:
        previous_id: The response that this one goes on from; empty for none.
        input: The client's items, each with an id.
        body: What the client reads, without `status`, which is kept beside it; its output included.
        request: The parameters as they came, kept while it is queued, so that another process can begin it.
        background: It runs whether or not somebody waits for it.
    """

    id: str
    status: Status
    created_at: int
    previous_id: str
    input: tuple[Mapping[str, Any], ...]
    body: Mapping[str, Any]
    request: Mapping[str, Any] | None = None
    background: bool = False

    @property
    def output(self) -> list[dict[str, Any]]:
        """What the model said, as items."""
        return list(self.body.get("output") or [])

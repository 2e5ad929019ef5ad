"""Batches as the OpenAI wire has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal, TypeAlias

Status: TypeAlias = Literal[
    "validating", "failed", "in_progress", "finalizing", "completed", "expired", "cancelling", "cancelled"
]
OVER: frozenset[str] = frozenset({"failed", "completed", "expired", "cancelled"})
ENDPOINTS = ("/v1/responses", "/v1/chat/completions", "/v1/completions", "/v1/embeddings")
WINDOW = "24h"
WINDOW_LENGTH = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class NewBatch:
    """A batch as it is asked for.

    Attributes:
        output_expires_s: Seconds that its output files live; 0 for ever.
    """

    endpoint: str
    input_file_id: str
    metadata: Mapping[str, str] = field(default_factory=dict)
    output_expires_s: int = 0


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch.

    Attributes:
        times: When it came to each status, by status, in seconds since the epoch.
        errors: Why its input was refused: `code`, `message`, `line` and `param` of each.
        total: Requests; 0 before the input was validated.
        good: Requests answered.
        bad: Requests refused, or given up.
        read: Tokens.
        written: Tokens.
    """

    id: str
    account: str
    region: str
    endpoint: str
    input_file_id: str
    metadata: Mapping[str, str]
    output_expires_s: int
    status: Status
    created_at: datetime
    times: Mapping[str, int]
    errors: list[dict[str, Any]]
    output_file_id: str = ""
    error_file_id: str = ""
    total: int = 0
    good: int = 0
    bad: int = 0
    read: int = 0
    written: int = 0

    @property
    def expires_at(self) -> datetime:
        """When it is given up."""
        return self.created_at + WINDOW_LENGTH

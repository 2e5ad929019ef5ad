"""Message batches as Anthropic has them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, NamedTuple, TypeAlias

Status: TypeAlias = Literal["in_progress", "canceling", "ended"]
End: TypeAlias = Literal["", "completed", "canceled", "expired", "failed"]
"""How a batch ended; empty while it has not. Requests without an answer are told to have ended in the same way."""
MOST_REQUESTS = 100_000
WINDOW = timedelta(hours=24)
KEPT = timedelta(days=29)
"""How long results are there, from the batch's creation."""


class NewRequest(NamedTuple):
    """One request of a batch.

    Attributes:
        custom_id: As the client calls it; in its batch the only one of this name.
        params: The body of POST /v1/messages, a JSON object.
    """

    custom_id: str
    params: bytes


@dataclass(frozen=True, slots=True)
class MessageBatch:
    """A batch.

    Attributes:
        total: Requests.
        succeeded: Requests that were answered; this and the three below stay 0 until the batch has ended.
        errored: Requests that were refused, or given up.
        canceled: Requests not come to when the batch was cancelled.
        expired: Requests not come to in time.
    """

    id: str
    account: str
    region: str
    status: Status
    end: End
    created_at: datetime
    total: int
    cancel_initiated_at: datetime | None = None
    ended_at: datetime | None = None
    succeeded: int = 0
    errored: int = 0
    canceled: int = 0
    expired: int = 0

    @property
    def expires_at(self) -> datetime:
        """When it is given up."""
        return self.created_at + WINDOW

    @property
    def archived_at(self) -> datetime:
        """When its results are gone."""
        return self.created_at + KEPT

    @property
    def processing(self) -> int:
        """Requests of which nothing is told yet."""
        return self.total - self.succeeded - self.errored - self.canceled - self.expired

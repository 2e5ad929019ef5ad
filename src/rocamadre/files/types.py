"""Files as the OpenAI wire has them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

PURPOSES = ("assistants", "batch", "evals", "fine-tune", "user_data", "vision")
"""What a client may keep a file for."""
BATCH_OUTPUT = "batch_output"


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file.

    Attributes:
        name: As the client called it; a name, never a path.
        expires_at: When it is gone; None for never.
    """

    id: str
    account: str
    region: str
    name: str
    purpose: str
    size_bytes: int
    created_at: datetime
    expires_at: datetime | None = None

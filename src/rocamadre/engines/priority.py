"""Who goes first: what a person waits for, before what a job does."""

from __future__ import annotations

from contextvars import ContextVar

BACKGROUND: ContextVar[bool] = ContextVar("background", default=False)
"""Set for requests that come from jobs. They wait in a line of their own, begin only when no other request waits, and
leave one slot of every copy free for those to come."""

"""Functions and what became of calling them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

LATEST = "$LATEST"


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """What can be set about a function.

    Attributes:
        scratch_mb: Size of `/tmp`, in MiB.
        echoed: Members that are remembered and shown, and mean nothing here, by their wire names.
    """

    runtime: str
    handler: str
    role: str
    description: str = ""
    timeout_s: int = 3
    memory_mb: int = 128
    scratch_mb: int = 512
    environment: dict[str, str] = {}
    echoed: dict[str, Any] = {}


@dataclass(frozen=True, slots=True)
class Function:
    """One version of a function.

    Attributes:
        arn: Without the version.
        version: `$LATEST` or a number.
        code_hash: SHA-256 of its zip, in hexadecimal.
        revision: Changes with every change.
    """

    account: str
    region: str
    name: str
    arn: str
    version: str
    config: Config
    code_hash: str
    code_bytes: int
    revision: str
    modified_at: datetime


@dataclass(frozen=True, slots=True)
class Invocation:
    """What came of calling a function.

    Attributes:
        payload: JSON: what the function returned, or Lambda's description of its error.
        function_error: `Unhandled` when the function failed; empty otherwise.
        version: Which version ran.
        log: All that was written to its log, with Lambda's own lines.
    """

    payload: bytes
    function_error: str = ""
    version: str = LATEST
    log: str = ""

    @property
    def failed(self) -> bool:
        """Whether the function failed."""
        return bool(self.function_error)

    def value(self) -> Any:
        """The payload as JSON holds it."""
        return msgspec.json.decode(self.payload)


@dataclass(frozen=True, slots=True)
class Ran:
    """How a child process that held a function ended.

    Attributes:
        payload: What it returned, as JSON; None if it did not return.
        error: Lambda's description of what went wrong; None if nothing did.
        lines: Output, each line with milliseconds since 1970.
        init_ms: What importing took.
    """

    payload: str | None
    error: dict[str, Any] | None
    lines: list[tuple[int, str]] = field(default_factory=list)
    duration_ms: float = 0.0
    init_ms: float = 0.0
    peak_mb: int = 0

"""What the pool asks of an engine besides answering: to start, to stop, and to say when it died."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Protocol

from rocamadre.core.errors import ModelFailure
from rocamadre.core.messages import Event, GenerationRequest
from rocamadre.core.settings import EngineSettings
from rocamadre.engines.protocol import Engine, LoadSpec


class NotDelivered(ModelFailure):
    """The model's process was gone before it could read the request; another copy may take it."""


class Runner(Engine, Protocol):
    """One running copy of a model.

    Attributes:
        slots: Requests that it works on at a time, at least 1.
        pid: Process id while it runs; None for engines without a process.
    """

    slots: int
    pid: int | None

    def converse(self, request: GenerationRequest) -> AsyncGenerator[Event, None]:
        """See `Engine.converse`.

        Raises:
            NotDelivered: the process was gone before it read anything; nothing has been yielded.
        """
        ...

    async def start(self) -> None:
        """Load the model; returns when it can answer.

        Raises:
            InvalidRequest: the file is missing, damaged or of a kind that this engine cannot run.
            ModelFailure: the process died while it loaded.
        """
        ...

    async def stop(self) -> None:
        """End it now and wait until it is gone. Safe to call twice, and at any time."""
        ...

    async def responds(self) -> bool:
        """Whether it still answers a trivial question within seconds."""
        ...

    async def exited(self) -> str:
        """Wait until it dies by itself; returns why, in a sentence. Never returns for engines that cannot die."""
        ...


class RunnerFactory(Protocol):
    """Makes runners of one kind; an engine's class is one."""

    def __call__(self, spec: LoadSpec, settings: EngineSettings, home: Path) -> Runner:
        """A runner that is not started yet."""
        ...

    def memory_bytes(self, spec: LoadSpec, settings: EngineSettings) -> int:
        """Resident memory that one copy is expected to need, in bytes; 0 when it runs elsewhere.

        Raises:
            InvalidRequest: the file is missing or not one that this engine can read.
        """
        ...

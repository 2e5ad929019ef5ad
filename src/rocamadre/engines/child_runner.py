"""What the engines over `channel.py` share: a child's start, end and signs of life."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rocamadre.core.errors import ModelFailure
from rocamadre.core.settings import EngineSettings
from rocamadre.engines.channel import Channel
from rocamadre.engines.process import ChildProcess, default_threads
from rocamadre.engines.protocol import LoadSpec

_PING_S = 5.0


class Child:
    """A model's process and the channel to it.

    Args:
        module: What `python -m` runs; its specification gets `fd`, `threads`, `path`, `context_length` and `options`.
        spec: The model.
        settings: Threads and time limits.
        home: The platform's folder.
    """

    def __init__(self, module: str, spec: LoadSpec, settings: EngineSettings, home: Path) -> None:
        self.channel = Channel(spec.model_id, reply_timeout_s=settings.reply_timeout_s)
        self._module = module
        self._spec = spec
        self._threads = default_threads(settings.threads)
        self._home = home
        self._process: ChildProcess | None = None

    @property
    def pid(self) -> int | None:
        """Process id, once started."""
        return self._process.pid if self._process is not None else None

    async def start(self, **more: Any) -> Mapping[str, Any]:
        """Launch and connect; returns what the child says of the model.

        Raises:
            InvalidRequest: the child refused the model.
            ModelFailure: it died while loading.
        """
        ours, theirs = socket.socketpair()
        try:
            self._process = await ChildProcess.launch(
                self._module,
                {
                    "fd": theirs.fileno(),
                    "threads": self._threads,
                    "path": str(self._spec.path.absolute()) if self._spec.path else None,
                    "context_length": self._spec.context_length,
                    "options": dict(self._spec.options),
                    **more,
                },
                home=self._home,
                name=self._spec.model_id,
                threads=self._threads,
                pass_fds=(theirs.fileno(),),
            )
            await self.channel.connect(ours)
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        facts: Mapping[str, Any] = self._process.ready
        return facts

    async def stop(self) -> None:
        """Kill the process and close the channel."""
        if self._process is not None:
            await self._process.stop()
        await self.channel.close()

    async def exited(self) -> str:
        """See `Runner.exited`."""
        assert self._process is not None
        return await self._process.exited()

    async def responds(self) -> bool:
        """See `Runner.responds`."""
        try:
            await self.channel.ask("ping", None, timeout_s=_PING_S)
        except ModelFailure:
            return False
        return True

"""The worker's process: started when there are jobs, started again when it dies, ended with the server."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import msgspec

from rocamadre.core.children import tell
from rocamadre.core.context import Platform
from rocamadre.engines.llama.sockets import new_socket_path, remove_socket
from rocamadre.jobs.queue import unfinished
from rocamadre.server.app import Application
from rocamadre.server.internal import InternalApplication, InternalServer, listen
from rocamadre.server.middleware.authenticate import DEFAULT_ACCOUNT

logger = logging.getLogger(__name__)

STEADY_S = 5.0
"""A worker that lived as long is started again at once; others after a pause that doubles."""
LONGEST_PAUSE_S = 30.0
_PATIENCE_S = 10.0


class WorkerKeeper:
    """Keeps the worker alive.

    Args:
        platform: The server's.
        socket: Where the worker reaches the server.
    """

    def __init__(self, platform: Platform, socket: Path) -> None:
        self._platform = platform
        self._socket = socket
        self._needed = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._process: Process | None = None

    def need(self) -> None:
        """There is, or soon will be, something to do; from any thread."""
        if not self._needed.is_set():
            self._loop.call_soon_threadsafe(self._needed.set)

    async def run(self) -> None:
        """Start the worker once there is work, and again whenever it dies; cancelling ends it."""
        if await asyncio.to_thread(unfinished, self._platform.sql):
            self._needed.set()
        quick = 0
        try:
            while True:
                await self._needed.wait()
                began = self._platform.clock.monotonic()
                self._process = await self._start()
                code = await self._process.wait()
                lived_s = self._platform.clock.monotonic() - began
                quick = 0 if lived_s >= STEADY_S else quick + 1
                pause_s = min(LONGEST_PAUSE_S, 0.1 * 2.0**quick) if quick else 0.0
                logger.warning("worker.died", extra={"status": code, "lived_s": lived_s, "pause_s": pause_s})
                await asyncio.sleep(pause_s)
        finally:
            await self._end()

    async def _start(self) -> Process:
        settings = self._platform.settings
        folder = settings.home / "logs" / "worker"
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        # DBOS would take settings of its own from the environment.
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("DBOS_", "ROCA_"))}
        with (folder / "stderr.log").open("wb") as stderr:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", "rocamadre.server.worker"),
                stdin=PIPE,
                stdout=DEVNULL,
                stderr=stderr,
                env=environment,
                start_new_session=True,
            )
        wish = {"settings": settings.model_dump(mode="json"), "socket": str(self._socket)}
        await tell(process, msgspec.json.encode(wish) + b"\n")
        logger.info("worker.started", extra={"pid": process.pid})
        return process

    async def _end(self) -> None:
        """Let it end its children; kill it if it takes too long."""
        process = self._process
        if process is None:
            return
        if process.stdin is not None:
            await tell(process, b"\n")  # The word to leave; without it the worker takes the server for dead.
            process.stdin.close()
        try:
            async with asyncio.timeout(_PATIENCE_S):
                await process.wait()
        except TimeoutError:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()


@asynccontextmanager
async def working(platform: Platform, application: Application) -> AsyncGenerator[None, None]:
    """While this lasts, jobs are done: the worker is kept alive, and reaches the application over a unix socket."""
    path = new_socket_path(platform.settings.home)
    listener = listen(path)
    region = platform.settings.server.region
    internal = InternalServer.of(InternalApplication(application, account=DEFAULT_ACCOUNT, region=region))
    serving = asyncio.create_task(internal.serve(sockets=[listener]), name="internal server")
    keeper = WorkerKeeper(platform, path)
    platform.jobs.wake = keeper.need  # type: ignore[attr-defined]  # the queue that build_platform made
    keeping = asyncio.create_task(keeper.run(), name="worker keeper")
    try:
        yield
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
        await internal.end(serving)
        remove_socket(path, platform.settings.home)

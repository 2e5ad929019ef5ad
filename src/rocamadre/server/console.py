"""The web console's process: started beside the server, started again when it dies, ended with the server.

The server listens for it and hands the socket over, so that its address is known at once, and a browser that comes
while the console starts waits instead of being turned away. The server never imports the console.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

import msgspec

from rocamadre.core.children import tell
from rocamadre.core.settings import Settings
from rocamadre.server.keeper import LONGEST_PAUSE_S, STEADY_S

logger = logging.getLogger(__name__)

_PRIVATE = ("ROCA_", "AWS_", "NICEGUI_", "OPENAI_", "ANTHROPIC_")
_BACKLOG = 64
_PATIENCE_S = 2.0


def listen(settings: Settings, server_port: int) -> socket.socket:
    """The console's listening socket.

    Args:
        settings: For `console.port`, and the server's host.
        server_port: The port that the server really has.

    Raises:
        OSError: the port is taken; the message names it and the setting.
    """
    host = settings.server.host
    port = settings.console.port
    if port is None:
        # A server on a port of chance, as in tests, gets a console on one.
        port = (server_port + 1) % 65536 if settings.server.port else 0
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise OSError(
            f"no console: port {port} on {host} cannot be used ({error.strerror}); choose another with "
            "ROCA_CONSOLE__PORT, or turn it off with ROCA_CONSOLE__ENABLED=false"
        ) from error
    return listener


def address_of(settings: Settings, listener: socket.socket) -> str:
    """Where a browser finds the console, for example `http://127.0.0.1:4600`."""
    host = settings.server.host
    return "{}://{}:{}".format(
        "https" if settings.server.tls_cert else "http",
        f"[{host}]" if ":" in host else host,
        listener.getsockname()[1],
    )


def console_environment() -> dict[str, str]:
    """Our environment without what would change what the console asks, or what its packages do."""
    return {name: value for name, value in os.environ.items() if not name.startswith(_PRIVATE)}


def console_command() -> list[str]:
    """The console's program; it is told the rest on its standard input, see `console_wish`."""
    return [sys.executable, "-P", "-m", "rocamadre.console"]


def console_wish(settings: Settings, address: str, listener: socket.socket) -> bytes:
    """The line that the console reads first.

    Args:
        settings: The server's.
        address: The server's.
        listener: The console's; its number must be passed on to the process.
    """
    return (
        msgspec.json.encode(
            {"settings": settings.model_dump(mode="json"), "address": address, "socket": listener.fileno()}
        )
        + b"\n"
    )


class ConsoleKeeper:
    """Keeps the console alive.

    Args:
        settings: The server's.
        address: The server's.
        listener: The console's.
    """

    def __init__(self, settings: Settings, address: str, listener: socket.socket) -> None:
        self._settings = settings
        self._address = address
        self._listener = listener
        self._process: Process | None = None

    async def run(self) -> None:
        """Start the console, and again whenever it dies; cancelling ends it."""
        loop = asyncio.get_running_loop()
        quick = 0
        try:
            while True:
                began = loop.time()
                self._process = await self._start()
                code = await self._process.wait()
                lived_s = loop.time() - began
                quick = 0 if lived_s >= STEADY_S else quick + 1
                pause_s = min(LONGEST_PAUSE_S, 0.1 * 2.0**quick) if quick else 0.0
                logger.warning("console.died", extra={"status": code, "lived_s": lived_s, "pause_s": pause_s})
                await asyncio.sleep(pause_s)
        finally:
            await self._end()

    async def _start(self) -> Process:
        folder = self._settings.home / "logs" / "console"
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (folder / "stderr.log").open("wb") as stderr:
            process = await asyncio.create_subprocess_exec(
                *console_command(),
                stdin=PIPE,
                stdout=DEVNULL,
                stderr=stderr,
                env=console_environment(),
                pass_fds=(self._listener.fileno(),),
                start_new_session=True,
            )
        await tell(process, console_wish(self._settings, self._address, self._listener))
        logger.info("console.started", extra={"pid": process.pid})
        return process

    async def _end(self) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        if process.stdin is not None:
            process.stdin.close()
        try:
            async with asyncio.timeout(_PATIENCE_S):
                await process.wait()
        except TimeoutError:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()


@asynccontextmanager
async def console_beside(
    settings: Settings, address: str, listener: socket.socket | None
) -> AsyncGenerator[None, None]:
    """While this lasts, the console runs; without a listener, nothing does.

    Args:
        settings: The server's.
        address: The server's.
        listener: The console's; closed at the end.
    """
    if listener is None:
        yield
        return
    keeping = asyncio.create_task(ConsoleKeeper(settings, address, listener).run(), name="console keeper")
    try:
        yield
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
        listener.close()

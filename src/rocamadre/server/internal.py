"""What the platform's own jobs ask: the same operations, on a socket in a folder that only this user may enter.

The socket is the credential. Whose job asks is said in two headers, which are read here and nowhere else.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import uvicorn

from rocamadre.core.context import Principal
from rocamadre.engines.priority import BACKGROUND
from rocamadre.jobs.api import ACCOUNT_HEADER, REGION_HEADER

INTERNAL = "rocamadre.internal"
"""Key of an ASGI scope: the `Asker`."""

Scope: TypeAlias = dict[str, Any]
Application: TypeAlias = Callable[[Scope, Any, Any], Awaitable[None]]


class Asker(NamedTuple):
    """In whose name a job asks."""

    principal: Principal
    region: str


class InternalApplication:
    """The application as jobs see it.

    Args:
        application: Answers.
        region: Of jobs that name none.
        account: The same.
    """

    def __init__(self, application: Application, *, account: str, region: str) -> None:
        self._application = application
        self._account = account
        self._region = region

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """Answer one request, after those that people wait for."""
        if scope["type"] == "http":
            headers = dict(scope["headers"])
            account = headers.get(ACCOUNT_HEADER.encode(), self._account.encode()).decode("latin-1")
            region = headers.get(REGION_HEADER.encode(), self._region.encode()).decode("latin-1")
            scope[INTERNAL] = Asker(Principal(f"jobs-{account}", account), region)
            BACKGROUND.set(True)
        await self._application(scope, receive, send)


class InternalServer(uvicorn.Server):
    """A server beside the public one: signals are that one's."""

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Leave them alone."""
        yield

    @classmethod
    def of(cls, application: InternalApplication) -> InternalServer:
        """A server without TLS, for a unix socket."""
        return cls(
            uvicorn.Config(
                application,
                log_config=None,
                access_log=False,
                server_header=False,
                lifespan="off",
                proxy_headers=False,
                timeout_graceful_shutdown=1,
            )
        )

    async def end(self, task: asyncio.Task[None]) -> None:
        """Stop serving."""
        self.should_exit = True
        with suppress(asyncio.CancelledError):
            await task


def listen(path: Path) -> socket.socket:
    """A listening unix socket, for this user only."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    path.chmod(0o600)
    listener.listen(256)
    listener.set_inheritable(False)
    return listener

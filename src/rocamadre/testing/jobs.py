"""Jobs of an in-process server, done in the same process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from rocamadre.jobs.api import ACCOUNT_HEADER, REGION_HEADER, ApiAnswer, ApiSession
from rocamadre.jobs.inline import InlineJobs
from rocamadre.jobs.runner import JobPlatform
from rocamadre.server.internal import InternalApplication
from rocamadre.server.kinds import JOB_KINDS
from rocamadre.server.middleware.authenticate import DEFAULT_ACCOUNT
from rocamadre.testing.inprocess import InProcessServer


class InProcessApi:
    """See `PlatformApi`.

    Args:
        server: Answers, on its own event loop.
    """

    def __init__(self, server: InProcessServer) -> None:
        self._server = server
        self._application = InternalApplication(server.application, account=DEFAULT_ACCOUNT, region="us-east-1")

    @asynccontextmanager
    async def session(self) -> AsyncGenerator[ApiSession, None]:
        """See `PlatformApi.session`."""
        yield self

    async def post(self, path: str, body: bytes, *, account: str, region: str) -> ApiAnswer:
        """See `ApiSession.post`."""
        asked = self._ask(path.encode(), body, account.encode(), region.encode())
        return await asyncio.wrap_future(self._server.submit(asked))

    async def _ask(self, path: bytes, body: bytes, account: bytes, region: bytes) -> ApiAnswer:
        messages: list[dict[str, Any]] = [{"type": "http.request", "body": body, "more_body": False}]
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            if messages:
                return messages.pop()
            await asyncio.Event().wait()
            raise AssertionError("unreachable")

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "method": "POST",
            "path": path.decode(),
            "raw_path": path,
            "query_string": b"",
            "headers": [
                (b"host", b"localhost"),
                (b"content-type", b"application/json"),
                (ACCOUNT_HEADER.encode(), account),
                (REGION_HEADER.encode(), region),
            ],
        }
        await self._application(scope, receive, send)
        headers = {name.decode().lower(): value.decode("latin-1") for name, value in sent[0]["headers"]}
        return ApiAnswer(sent[0]["status"], headers, b"".join(message.get("body", b"") for message in sent[1:]))


def inline_jobs(server: InProcessServer) -> InlineJobs:
    """What does the jobs of a server in this process: call `drain` after asking for some."""
    platform = server.platform
    return InlineJobs(
        JOB_KINDS,
        JobPlatform(platform.settings, platform.sql, platform.objects, platform.clock, InProcessApi(server)),
    )

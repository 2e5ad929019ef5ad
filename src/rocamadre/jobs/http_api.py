"""The server's own interface over its unix socket."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
from yarl import URL

from rocamadre.core.errors import Unavailable
from rocamadre.jobs.api import ACCOUNT_HEADER, REGION_HEADER, ApiAnswer, ApiSession


class HttpApi:
    """See `PlatformApi`.

    Args:
        socket: Where the server listens for its jobs.
        timeout_s: Longest wait for one answer.
    """

    def __init__(self, socket: Path, *, timeout_s: float) -> None:
        self._socket = socket
        self._timeout_s = timeout_s

    @asynccontextmanager
    async def session(self) -> AsyncGenerator[ApiSession, None]:
        """See `PlatformApi.session`."""
        connector = aiohttp.UnixConnector(path=str(self._socket), limit=0)
        timeout = aiohttp.ClientTimeout(total=self._timeout_s)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout, auto_decompress=False) as session:
            yield _Session(session)


class _Session:
    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def post(self, path: str, body: bytes, *, account: str, region: str) -> ApiAnswer:
        """See `ApiSession.post`."""
        # aiohttp would decode and encode the path again; a model id may be an ARN with percent-encoded slashes.
        headers = {"content-type": "application/json", ACCOUNT_HEADER: account, REGION_HEADER: region}
        try:
            url = URL(f"http://localhost{path}", encoded=True)
            async with self._session.post(url, data=body, headers=headers) as answer:
                found = {name.lower(): value for name, value in answer.headers.items()}
                return ApiAnswer(answer.status, found, await answer.read())
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise Unavailable(f"the server did not answer ({type(error).__name__})") from error

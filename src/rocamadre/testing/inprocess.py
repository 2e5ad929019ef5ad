"""A whole server inside the test's own process: requests go straight into the ASGI application, without a socket."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any, TypeVar
from urllib.parse import urlsplit

from rocamadre.core.settings import Settings
from rocamadre.server.app import Application
from rocamadre.server.lifespan import build_platform, close_platform
from rocamadre.testing.requests import WireRequest

T = TypeVar("T")

ADDRESS = "http://127.0.0.1:4599"
OPEN_CREDENTIAL = {
    "authorization": (
        "AWS4-HMAC-SHA256 Credential=AKIATESTING/20260101/us-east-1/bedrock/aws4_request, "
        f"SignedHeaders=host;x-amz-date, Signature={'0' * 64}"
    ),
    "x-amz-date": "20260101T000000Z",
}
"""Headers that a server with `auth = "open"` takes."""


@dataclass(slots=True)
class Answer:
    """What came back.

    Attributes:
        headers: By lower-case name.
    """

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


class InProcessServer:
    """A server on an event loop of its own thread; `close` it.

    Args:
        settings: Its home should be the test's own.
        timeout_s: A request that takes longer is a hang, and raises TimeoutError.
    """

    def __init__(self, settings: Settings, *, timeout_s: float = 30.0) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="in-process server", daemon=True)
        self._thread.start()
        self._timeout_s = timeout_s
        self.platform = self._run(_built(settings))
        self.application = Application(self.platform)

    def close(self) -> None:
        """Stop engines, database and loop."""
        self._run(close_platform(self.platform))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def send(self, request: WireRequest, headers: Mapping[str, str] = OPEN_CREDENTIAL) -> Answer:
        """Answer one request.

        Raises:
            TimeoutError: it hung.
        """
        pairs = [
            (name.lower().encode(), value.encode("latin-1")) for name, value in {**headers, **request.headers}.items()
        ]
        return self._run(self._answer(request.method, request.path, request.query, pairs, request.body))

    def attach(self, client: Any) -> Any:
        """Let a boto3 client made for `ADDRESS` talk to this server; returns the client."""
        client.meta.events.register_first("before-send.*.*", self._intercept)
        return client

    def _intercept(self, request: Any, **_: Any) -> Any:
        # Only where boto3 is used.
        from botocore.awsrequest import AWSResponse, HeadersDict  # noqa: PLC0415

        url = urlsplit(request.url)
        pairs = [(name.lower().encode(), _bytes(value)) for name, value in request.headers.items()]
        pairs.append((b"host", url.netloc.encode()))
        answer = self._run(
            self._answer(request.method, url.path.encode(), url.query.encode(), pairs, _bytes(request.body or b""))
        )
        headers: Any = HeadersDict(answer.headers)
        return AWSResponse(request.url, answer.status, headers, _Raw(answer.body))

    def submit(self, coroutine: Coroutine[Any, Any, T]) -> Future[T]:
        """Run a coroutine on the server's event loop, from any thread."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    def _run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self.submit(coroutine).result(self._timeout_s)

    async def _answer(
        self, method: str, path: bytes, query: bytes, headers: list[tuple[bytes, bytes]], body: bytes
    ) -> Answer:
        answer = Answer()
        messages: list[dict[str, Any]] = [{"type": "http.request", "body": body, "more_body": False}]
        never = asyncio.Event()

        async def receive() -> dict[str, Any]:
            if messages:
                return messages.pop()
            await never.wait()
            return {"type": "http.disconnect"}

        async def send(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                answer.status = message["status"]
                answer.headers = {name.decode().lower(): value.decode("latin-1") for name, value in message["headers"]}
            else:
                answer.body += message.get("body", b"")

        if not any(name == b"host" for name, _ in headers):
            headers = [*headers, (b"host", urlsplit(ADDRESS).netloc.encode())]
        scope = {
            "type": "http",
            "method": method,
            "path": path.decode("latin-1"),
            "raw_path": path,
            "query_string": query,
            "headers": headers,
        }
        await self.application(scope, receive, send)
        return answer


async def _built(settings: Settings) -> Any:
    return build_platform(settings, address=ADDRESS)


def _bytes(value: Any) -> bytes:
    if isinstance(value, str):
        return value.encode()
    return value.read() if hasattr(value, "read") else bytes(value)


class _Raw(BytesIO):
    """As urllib3's response looks to botocore."""

    def stream(self, amount: int = 65536, decode_content: bool = True) -> Iterator[bytes]:
        while piece := self.read(amount):
            yield piece

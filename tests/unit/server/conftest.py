"""A server in this process: requests go straight into the ASGI application, no socket."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field

import pytest

from rocamadre.api.handlers import HANDLERS, Handler
from rocamadre.core.settings import load_settings
from rocamadre.server.app import Application
from rocamadre.server.lifespan import build_platform

SIGNED = (
    "AWS4-HMAC-SHA256 Credential=AKIATEST/20260101/eu-west-1/bedrock/aws4_request, "
    "SignedHeaders=host;x-amz-date, Signature=" + "0" * 64
)


@dataclass
class Answer:
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    pieces: list[bytes] = field(default_factory=list)

    @property
    def body(self) -> bytes:
        return b"".join(self.pieces)

    @property
    def json(self):
        return json.loads(self.body)


class Client:
    """Speaks ASGI to an application; `leave_after` pieces it hangs up."""

    def __init__(self, application: Application) -> None:
        self.application = application

    async def send(self, method, path, body=b"", *, headers=None, query=b"", leave_after=None, leave_at_once=False):
        head = {"host": "127.0.0.1:4599", "authorization": SIGNED, "x-amz-date": "20260101T000000Z"} | (headers or {})
        answer = Answer()
        gone = asyncio.Event()
        sent = False

        async def receive():
            nonlocal sent
            if not sent:
                sent = True
                return {"type": "http.request", "body": body, "more_body": False}
            if not leave_at_once:
                await gone.wait()
            return {"type": "http.disconnect"}

        async def send(message):
            if message["type"] == "http.response.start":
                answer.status = message["status"]
                answer.headers = {name.decode().lower(): value.decode() for name, value in message["headers"]}
            elif message.get("body"):
                answer.pieces.append(message["body"])
                if leave_after is not None and len(answer.pieces) >= leave_after:
                    gone.set()
                    await asyncio.sleep(0)

        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "query_string": query,
            "headers": [(name.encode(), value.encode()) for name, value in head.items() if value is not None],
        }
        await self.application(scope, receive, send)
        return answer


@pytest.fixture
def make_client(tmp_path):
    """Build a client of a server with these settings: `client, platform = make_client(server={...})`."""
    platforms = []

    def make(**settings):
        platform = build_platform(load_settings(home=tmp_path, **settings), address="http://127.0.0.1:4599")
        platforms.append(platform)
        return Client(Application(platform)), platform

    yield make
    for platform in platforms:
        asyncio.run(platform.engines.close())
        platform.sql.dispose()


@pytest.fixture
def handler(monkeypatch):
    """Put a function in the place of an operation's handler."""

    def put(service, operation, function):
        monkeypatch.setitem(HANDLERS, (service, operation), Handler(service, operation, function, ()))

    return put

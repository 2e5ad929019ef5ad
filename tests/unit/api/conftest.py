"""A context around a scripted engine: handlers and endpoints are called as functions, without a server."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace

import msgspec
import pytest

from rocamadre.api.http import HttpRequest
from rocamadre.core.context import Context, Principal
from rocamadre.core.errors import InvalidRequest
from rocamadre.core.messages import Finish, TextDelta, Usage
from rocamadre.core.settings import load_settings
from rocamadre.engines.protocol import Embeddings, Rendered
from rocamadre.server.lifespan import build_platform

FAKE = "rocamadre.fake-v1:0"
FAKE_EMBED = "rocamadre.fake-embed-v1:0"
HELLO = (TextDelta("Hello"), TextDelta(" world"), Finish("end_turn", Usage(7, 2)))


@dataclass
class ScriptedEngine:
    """Yields `events`; an exception among them is raised. Remembers what it was asked and whether it was closed.

    Attributes:
        most_words: Of a text to embed; longer ones are cut and said to be.
    """

    events: tuple = HELLO
    most_words: int = 8
    asked: list = field(default_factory=list)
    closed: int = 0
    running: int = 0

    async def converse(self, request):
        self.asked.append(request)
        self.running += 1
        try:
            for event in self.events:
                if isinstance(event, BaseException):
                    raise event
                yield event
                await asyncio.sleep(0)
        finally:
            self.running -= 1
            self.closed += 1

    async def render(self, request):
        self.asked.append(request)
        words = str(request.prompt or [block for message in request.messages for block in message.content]).split()
        return Rendered(" ".join(words), tuple(range(len(words))))

    async def embed(self, texts):
        self.asked.append(tuple(texts))
        counts, vectors, cut = [], [], []
        for text in texts:
            words = text.split()
            cut.append(len(words) > self.most_words)
            counts.append(min(len(words), self.most_words))
            seed = sum(ord(letter) for word in words[: self.most_words] for letter in word)
            vector = [((seed * (place + 3)) % 17) - 8.0 for place in range(384)]
            size = sum(value * value for value in vector) ** 0.5
            vectors.append(tuple(value / size for value in vector))
        return Embeddings(tuple(vectors), tuple(counts), tuple(cut))

    async def rerank(self, query, texts):
        raise InvalidRequest("no")


@dataclass
class ScriptedEngines:
    scripted: ScriptedEngine

    async def engine(self, spec):
        return self.scripted


@pytest.fixture
def engine():
    return ScriptedEngine()


@pytest.fixture
def make_context(tmp_path, engine):
    """`make_context(limits={...})`: a context whose aliases run on the scripted engine."""
    platforms = []

    def make(*, principal="ana", **settings):
        catalog = {"default_model": FAKE, "default_embedder": FAKE_EMBED} | settings.pop("catalog", {})
        built = build_platform(
            load_settings(home=tmp_path, catalog=catalog, **settings), address="http://127.0.0.1:4599"
        )
        platforms.append(built)
        platform = replace(built, engines=ScriptedEngines(engine))
        return Context(
            platform,
            Principal(principal, "123456789012"),
            "123456789012",
            "us-east-1",
            "request-1",
            platform.clock.monotonic() + 60,
        )

    yield make
    for platform in platforms:
        platform.sql.dispose()


@pytest.fixture
def context(make_context):
    return make_context()


@pytest.fixture
def post():
    """`await post(endpoint, context, body)`: call a plain endpoint with a JSON body."""

    async def send(endpoint, context, body, *path_values):
        data = body if isinstance(body, bytes) else msgspec.json.encode(body)
        return await endpoint(context, HttpRequest("POST", b"/", b"", {}, data, path_values))

    return send

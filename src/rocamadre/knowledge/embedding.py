"""The embedder of a knowledge base: which model it is, and its vectors, in the server and in a job.

A knowledge base may have a second embedder, for languages that the first does not know. Both vectors then stand one
after the other in one, each a half of its length: the store needs not know, and either is compared alone by a query
that is zero in the other's place (`search.embedders`).
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Coroutine, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from rocamadre.catalog.host import Host
from rocamadre.catalog.operations import find_model
from rocamadre.catalog.types import Model
from rocamadre.core.context import Context
from rocamadre.core.errors import Conflict, InvalidRequest, NotFound, RocamadreError, Throttled, Unavailable
from rocamadre.engines.embed.dimensions import resize
from rocamadre.jobs.api import ApiAnswer, ApiSession
from rocamadre.jobs.runner import JobPlatform
from rocamadre.knowledge.search.embedders import beside, trust_of
from rocamadre.knowledge.types import KnowledgeBase
from rocamadre.store.vectors.protocol import Chunk, StoreFacts

Vectors: TypeAlias = NDArray[np.float32]
Embed: TypeAlias = Callable[[Sequence[str]], Vectors]
"""Texts to rows of unit length, float32, as many columns as the knowledge base has dimensions."""

PATH = "/v1/embeddings"
EMBEDDED = "x-rocamadre-embedded"
"""In a chunk's metadata, the names of those that its vector holds besides its text; not shown."""
_PIECE = 1 << 20
_TABLE = ("static.safetensors", "tokenizer.json")
"""All that an embedder without layers is made of; beside it there may be its card and its recipe."""
_SECOND = "second_embedder"
"""In `KnowledgeBase.facts`."""


class _Row(msgspec.Struct):
    """Of an answer; base64 there."""

    embedding: bytes


class _Answered(msgspec.Struct):
    data: list[_Row]


_ANSWERED = msgspec.json.Decoder(_Answered)


def embedded_text(chunk: Chunk) -> str:
    """What of a chunk is embedded: its text, after the attributes that are to be (`includeForEmbedding`)."""
    names = [name for name in chunk.metadata.get(EMBEDDED, ()) if name in chunk.metadata]
    return "".join(f"{name}: {_written(chunk.metadata[name])}\n" for name in names) + chunk.text


def _written(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return ", ".join(value) if isinstance(value, (list, tuple)) else str(value)


def embedder_hash(model: Model) -> str:
    """What tells a model's vectors from another's: SHA-256 of its files' names and contents.

    A model without files here (a remote one) is told by its id and options.
    """
    if model.path is None or not model.path.exists():
        facts = msgspec.json.encode([model.id, dict(model.options)], order="sorted")
        return hashlib.sha256(facts).hexdigest()
    if (model.path / _TABLE[0]).is_file():
        files = [model.path / name for name in _TABLE]
    elif model.path.is_dir():
        files = sorted(path for path in model.path.rglob("*") if path.is_file())
    else:
        files = [model.path]
    marks = tuple((str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in files)
    return _hash_of(model.path, marks)


@lru_cache(maxsize=64)
def _hash_of(root: Path, marks: tuple[tuple[str, int, int], ...]) -> str:
    """The marks are there so that a file that changed is read again."""
    digest = hashlib.sha256()
    for name, size, _ in marks:
        path = Path(name)
        digest.update(f"{path.name if path == root else path.relative_to(root)} {size}\n".encode())
        with path.open("rb") as stream:
            while piece := stream.read(_PIECE):
                digest.update(piece)
    return digest.hexdigest()


def second_embedder(host: Host, model: Model) -> dict[str, Any]:
    """What a new knowledge base notes of its second embedder, for `KnowledgeBase.facts`; nothing where it has none.

    Args:
        host: Whose settings and models.
        model: The first.
    """
    name = host.settings.knowledge.second_embedder
    if not name or min(trust_of(model.id).values()) >= 1:
        return {}
    try:
        second = find_model(host, name)
    except NotFound:
        return {}
    if second.id == model.id or not second.embeds or second.dimensions != model.dimensions:
        return {}
    return {_SECOND: {"id": second.id, "hash": embedder_hash(second)}}


def second_of(base: KnowledgeBase) -> str:
    """The id of a knowledge base's second embedder; empty for none."""
    return str(base.facts.get(_SECOND, {}).get("id", ""))


def store_facts(base: KnowledgeBase) -> StoreFacts:
    """What a knowledge base's store is for."""
    if second := base.facts.get(_SECOND):
        both = hashlib.sha256(f"{base.embedder_hash} {second['hash']}".encode()).hexdigest()
        return StoreFacts(beside(base.embedder, second["id"]), 2 * base.dimensions, both)
    return StoreFacts(base.embedder, base.dimensions, base.embedder_hash)


def check_embedder(host: Host, base: KnowledgeBase) -> Model:
    """The model that made a knowledge base's vectors; the second, where it has one, is looked at too.

    Raises:
        Conflict: one is gone, or another under the same name.
    """
    if second := base.facts.get(_SECOND):
        _check(host, base, second["id"], second["hash"])
    return _check(host, base, base.embedder, base.embedder_hash)


def _check(host: Host, base: KnowledgeBase, name: str, mark: str) -> Model:
    try:
        model = find_model(host, name)
    except NotFound as error:
        raise Conflict(
            f"knowledge base {base.id} keeps vectors of {name}, and that model is not here any more; bring it "
            f"back, or make a knowledge base with another embedder. {error.message}"
        ) from error
    if embedder_hash(model) != mark:
        raise Conflict(
            f"the files of {name} are not those that made the vectors of knowledge base {base.id}; put the "
            "old ones back, or make a new knowledge base from the same data sources"
        )
    return model


async def embed_here(ctx: Context, base: KnowledgeBase, model: Model, texts: Sequence[str]) -> Vectors:
    """Vectors of texts, in a server."""
    second = second_of(base)
    if not second:
        return await _one_here(ctx, base, model, texts)
    both = _one_here(ctx, base, model, texts), _one_here(ctx, base, find_model(ctx.platform, second), texts)
    return _joined(*await asyncio.gather(*both))


async def _one_here(ctx: Context, base: KnowledgeBase, model: Model, texts: Sequence[str]) -> Vectors:
    engine = await ctx.platform.engines.engine(model.load_spec)
    found = np.asarray((await engine.embed(texts)).vectors, np.float32)
    return found if found.shape[1] == base.dimensions else resize(found, base.dimensions)[0]


def _joined(first: Vectors, second: Vectors) -> Vectors:
    both = np.concatenate([first, second], axis=1)
    return both * np.float32(0.5**0.5)


async def embed_through(
    session: ApiSession, base: KnowledgeBase, texts: Sequence[str], *, retry_s: float = 600.0
) -> Vectors:
    """Vectors of texts, in a job: the server's own interface is asked, again while it is busy.

    Args:
        session: A way to the server.
        base: Whose embedder.
        texts: At most 2,048, none empty.
        retry_s: Seconds that a busy or restarting server is asked again.

    Raises:
        RocamadreError: it refused, or stayed busy.
    """
    names = [name for name in (base.embedder, second_of(base)) if name]
    made = await asyncio.gather(*(_one_through(session, base, name, texts, retry_s) for name in names))
    return made[0] if len(made) == 1 else _joined(*made)


async def _one_through(
    session: ApiSession, base: KnowledgeBase, model: str, texts: Sequence[str], retry_s: float
) -> Vectors:
    wish = {"model": model, "input": list(texts), "dimensions": base.dimensions, "encoding_format": "base64"}
    body = msgspec.json.encode(wish)
    pause, waited = 0.05, 0.0
    while True:
        problem: RocamadreError
        try:
            answer = await session.post(PATH, body, account=base.account, region=base.region)
        except Unavailable as error:
            problem = error
        else:
            if answer.status == 200:
                return _vectors(answer.body)
            problem = _problem(answer)
        if not isinstance(problem, Throttled | Unavailable) or waited >= retry_s:
            raise problem
        await asyncio.sleep(pause)
        waited += pause
        pause = min(pause * 2, 5.0)


def embedder_of(platform: JobPlatform, base: KnowledgeBase) -> Embed:
    """The embedder of a knowledge base for a thread of a job; each call opens its own way to the server."""

    def embed(texts: Sequence[str]) -> Vectors:
        return asyncio.run(asked(texts))

    async def asked(texts: Sequence[str]) -> Vectors:
        async with platform.api.session() as session:
            return await embed_through(session, base, texts)

    return embed


def from_thread(loop: asyncio.AbstractEventLoop, work: Callable[..., Coroutine[Any, Any, Any]]) -> Callable[..., Any]:
    """A coroutine function of a running loop as a function that a thread may call and wait for."""

    def call(*arguments: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work(*arguments), loop).result()

    return call


def _vectors(body: bytes) -> Vectors:
    rows = _ANSWERED.decode(body).data
    whole = b"".join([row.embedding for row in rows])
    return np.frombuffer(whole, "<f4").reshape(len(rows), -1).astype(np.float32, copy=False)


def _problem(answer: ApiAnswer) -> RocamadreError:
    try:
        message = str(msgspec.json.decode(answer.body)["error"]["message"])
    except (msgspec.DecodeError, KeyError, TypeError):
        message = f"the server answered {answer.status} to a request for embeddings"
    if answer.status == 429:
        return Throttled(message)
    return Unavailable(message) if answer.status >= 500 else InvalidRequest(message)

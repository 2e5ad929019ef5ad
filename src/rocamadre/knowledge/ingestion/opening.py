"""All that a run of an ingestion works with, opened together and closed together."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import msgspec

from rocamadre.catalog.operations import find_model
from rocamadre.core.context import Context, Platform, Principal
from rocamadre.core.errors import Conflict, InvalidRequest, NotFound
from rocamadre.jobs.rundir import RunDir, read_json, write_json
from rocamadre.jobs.runner import JobPlatform, RunStopped, Work
from rocamadre.knowledge.embedding import embedder_hash
from rocamadre.knowledge.ingestion import items
from rocamadre.knowledge.ingestion.cutting import CutSettings
from rocamadre.knowledge.ingestion.tokens import tokenizer_of
from rocamadre.knowledge.ingestion.transformation import (
    Transformation,
    own_function,
    read_transformation,
)
from rocamadre.knowledge.ingestion.types import Request
from rocamadre.knowledge.sources.custom import ChangesSource
from rocamadre.knowledge.sources.place import Place as SourcePlace
from rocamadre.knowledge.sources.protocol import Source
from rocamadre.knowledge.sources.registry import open_source
from rocamadre.knowledge.stores import open_store, staging_dir
from rocamadre.knowledge.tables import select_base, select_changes, select_source
from rocamadre.knowledge.types import Change, DataSource, KnowledgeBase
from rocamadre.neighbours.lambdas.invoking import invoke_function
from rocamadre.store.vectors.protocol import VectorStore

VERSION = 2
"""Of the way from a document to its chunks; raised when the same document would be cut or described otherwise."""

_LAST = "last.json"
_LOCK_POLL_S = 0.2
_held: set[str] = set()
_given_back = threading.Condition()


@dataclass(frozen=True, slots=True)
class Target:
    """What a run works for."""

    request: Request
    base: KnowledgeBase
    source: DataSource
    place: items.Place
    folder: RunDir
    fingerprint: str


def find_target(work: Work) -> Target:
    """Look up what a run works for.

    Raises:
        NotFound: it is gone.
        Conflict: its knowledge base is being deleted.
    """
    request = request_of(work)
    with work.platform.sql.connect() as connection:
        base = select_base(connection, request.knowledge_base)
        source = select_source(connection, request.knowledge_base, request.data_source)
    if base is None or source is None:
        raise NotFound(f"data source {request.data_source} of knowledge base {request.knowledge_base} is gone")
    if base.status != "ACTIVE":
        raise Conflict(f"knowledge base {base.id} is {base.status}")
    place = place_of(work)
    return Target(request, base, source, place, folder_of(work), fingerprint_of(base, source))


def request_of(work: Work) -> Request:
    """What was asked."""
    return msgspec.convert(dict(work.arguments), Request)


def place_of(work: Work) -> items.Place:
    """Whose rows are whose."""
    request = request_of(work)
    return items.Place(request.knowledge_base, request.data_source, items.run_key(work.run_id))


def folder_of(work: Work) -> RunDir:
    """Where a run keeps what it needs on the way."""
    return RunDir(work.platform.settings.home / "runs" / f"kb-{items.run_key(work.run_id)}")


def fingerprint_of(base: KnowledgeBase, source: DataSource) -> str:
    """Of everything that decides how a document is cut, changed and embedded."""
    chosen = (VERSION, base.embedder_hash, base.dimensions, dict(source.ingestion), dict(source.chunking))
    return hashlib.sha256(msgspec.json.encode(chosen, order="deterministic")).hexdigest()[:32]


@contextmanager
def held(work: Work, data_source: str) -> Iterator[None]:
    """Hold a data source for this run; wait while another has it. A home has one worker, whose runs are threads.

    Raises:
        RunStopped: so it was asked meanwhile.
    """
    with _given_back:
        while data_source in _held:
            if work.stop_requested():
                raise RunStopped
            _given_back.wait(_LOCK_POLL_S)
        _held.add(data_source)
    try:
        yield
    finally:
        with _given_back:
            _held.discard(data_source)
            _given_back.notify_all()


@contextmanager
def opened_store(work: Work, target: Target) -> Iterator[VectorStore]:
    """The knowledge base's store.

    Raises:
        Conflict: the knowledge base is being deleted.
    """
    store = open_store(work.platform, target.base)
    try:
        # Opening makes what is not there. Whoever deletes says so first, so that a store made after the deletion is
        # seen here, and removed again.
        with work.platform.sql.connect() as connection:
            base = select_base(connection, target.base.id)
        if base is None or base.status != "ACTIVE":
            store.destroy()
            raise Conflict(f"knowledge base {target.base.id} was deleted")
        yield store
    finally:
        store.close()


@contextmanager
def opened_source(work: Work, target: Target) -> Iterator[Source]:
    """The data source, for its listing, or for documents that it listed.

    Raises:
        RocamadreError: its configuration is wrong.
    """
    platform, scratch = work.platform, target.folder.work
    scratch.mkdir(parents=True, exist_ok=True, mode=0o700)
    objects = platform.objects.of(target.base.account)
    if target.request.work == "documents":
        changes = [each for each in waiting_changes(work, target) if each.action == "ingest"]
        source: Source = ChangesSource(changes, staging_dir(platform, target.base.id), objects, scratch)
    else:
        place = SourcePlace(
            target.base.account,
            objects,
            scratch,
            platform.settings.knowledge,
            platform.clock,
            any_path=platform.settings.server.auth != "required",
            check=partial(_stop_if_asked, work),
        )
        source = open_source(place, target.source.configuration, target.source.loader)
    with ExitStack() as stack:
        stack.callback(source.close)
        yield source


def _stop_if_asked(work: Work) -> None:
    if work.stop_requested():
        raise RunStopped


def waiting_changes(work: Work, target: Target) -> list[Change]:
    """What clients want; of a run that has begun, what was there when it began."""
    with work.platform.sql.connect() as connection:
        changes = select_changes(connection, target.base.id, target.source.id)
    last = last_change(work)
    return changes if last is None else [change for change in changes if change.sequence <= last]


def last_change(work: Work) -> int | None:
    """The last change that a run takes up; None before it has begun."""
    found = read_json(folder_of(work).path / _LAST)
    return None if found is None else int(found)


def keep_last_change(work: Work, sequence: int) -> None:
    """Note the last change that a run takes up."""
    folder = folder_of(work)
    folder.work.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_json(folder.path / _LAST, sequence)


def cut_settings(platform: JobPlatform, target: Target) -> CutSettings:
    """How this data source's documents are cut, and counted as the knowledge base's embedder counts.

    Raises:
        Conflict: that model is gone, or another is there under its name.
        InvalidRequest: the strategy is unknown.
    """
    base, source = target.base, target.source
    try:
        model = find_model(platform, base.embedder)
    except NotFound as error:
        raise Conflict(f"{base.embedder}, which embeds for knowledge base {base.id}, is not here any more") from error
    if embedder_hash(model) != base.embedder_hash:
        raise Conflict(
            f"the files of {base.embedder} are not those that made the vectors of knowledge base {base.id}; put the "
            "old ones back, or make a new knowledge base"
        )
    chunking = source.chunking or source.ingestion.get("chunkingConfiguration")
    return CutSettings(
        chunking=dict(chunking) if chunking else None,
        tokenizer=str(tokenizer_of(model) or ""),
        enrich=bool(source.ingestion.get("contextEnrichmentConfiguration")),
        most_tokens=model.context_length,
    )


def transformation_of(work: Work, target: Target) -> Transformation | None:
    """The data source's custom transformation; None for none.

    Raises:
        InvalidRequest: its configuration is wrong.
    """
    configuration: Mapping[str, Any] | None = target.source.ingestion.get("customTransformationConfiguration")
    if not configuration:
        return None
    function, bucket, prefix = read_transformation(configuration)
    return Transformation(
        target.base.id,
        target.source.id,
        target.request.ingestion_job,
        function,
        bucket,
        prefix,
        work.platform.objects.of(target.base.account),
        _invoker(work, target.base),
        own_function(function, work.platform.settings.knowledge.transformations),
    )


def _invoker(work: Work, base: KnowledgeBase) -> Callable[[str, Any], Any]:
    ctx = Context(
        platform=cast(Platform, _Narrow(work.platform)),
        principal=Principal("knowledge base", base.account),
        account=base.account,
        region=base.region,
        request_id=base.id,
        deadline=work.platform.clock.monotonic() + 900,
    )

    def invoke(arn: str, event: Any) -> Any:
        answer = invoke_function(ctx, arn, event)
        if answer.failed:
            raise InvalidRequest(answer.payload[:500].decode("utf-8", "replace"))
        return answer.value()

    return invoke


class _Narrow:
    """A job's platform where a request's is expected; functions need these four."""

    def __init__(self, platform: JobPlatform) -> None:
        self.settings = platform.settings
        self.sql = platform.sql
        self.objects = platform.objects
        self.clock = platform.clock
        self.server = None

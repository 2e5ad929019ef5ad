"""The job that fills a knowledge base: plan, load, finish.

`plan` compares the data source with what is known and writes down what is to be done (`items.py`). `load` does it, each
document whole, and notes each as it is done; killed, it goes on with what is not. `finish` counts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from itertools import islice
from typing import Any

import msgspec
from sqlalchemy import Connection

from rocamadre.core.errors import InvalidRequest
from rocamadre.jobs.runner import End, JobKind, Outcome, RunStopped, Step, Work
from rocamadre.knowledge.embedding import embed_through, from_thread
from rocamadre.knowledge.ingestion import items
from rocamadre.knowledge.ingestion.cutting import CutSettings, Cutter, children_of
from rocamadre.knowledge.ingestion.items import Settled
from rocamadre.knowledge.ingestion.loading import Limits, Steps, load
from rocamadre.knowledge.ingestion.opening import (
    Target,
    cut_settings,
    find_target,
    folder_of,
    held,
    keep_last_change,
    last_change,
    opened_source,
    opened_store,
    place_of,
    request_of,
    transformation_of,
    waiting_changes,
)
from rocamadre.knowledge.ingestion.planning import plan_changes, plan_listing
from rocamadre.knowledge.ingestion.preparing import Prepared, Preparer, not_written
from rocamadre.knowledge.ingestion.types import KIND_NAME, Statistics
from rocamadre.knowledge.parsers.isolated import ParserPool
from rocamadre.knowledge.sources.custom import ChangesSource
from rocamadre.knowledge.stores import staging_dir
from rocamadre.knowledge.tables import (
    delete_changes,
    delete_source,
    move_job,
    select_changes,
    select_source,
    update_source,
    write_job,
)
from rocamadre.knowledge.types import JobStatus
from rocamadre.store.vectors.protocol import VectorStore

_DELETED_TOGETHER = 200
_LOADING = "loading"
_MANY = 100
"""Documents for which it is worth starting processes that cut them."""
READING = "rocamadre.knowledge.ingestion.reading_child"
_ENDS: dict[End, JobStatus] = {"completed": "COMPLETE", "stopped": "STOPPED", "failed": "FAILED"}


def plan(work: Work) -> dict[str, Any]:
    """See what there is, and write down what is to be done.

    Raises:
        RocamadreError: the data source cannot be listed.
        RunStopped: so it was asked.
    """
    target = find_target(work)
    if target.request.work != "sync":
        return {}
    _move(work, "IN_PROGRESS")
    # Before anything is changed: without its embedder, or with a wrong chunker, nothing can be done.
    cut_settings(work.platform, target).chunker()
    with held(work, target.source.id), opened_source(work, target) as source:
        plan_listing(
            work.platform.sql,
            target.place,
            source,
            target.fingerprint,
            now=work.platform.clock.now,
            stop_requested=work.stop_requested,
        )
    _tell(work)
    return {}


def bring(work: Work) -> dict[str, Any]:
    """Do what was written down.

    Raises:
        RocamadreError: the embedder or the store fails.
        RunStopped: so it was asked.
    """
    target = find_target(work)
    with held(work, target.source.id), opened_store(work, target) as store:
        if target.request.work == "clear":
            _clear(work, target, store)
            return {}
        if target.request.work == "documents":
            _take_changes(work, target)
        _delete(work, target, store)
        if asyncio.run(_load(work, target, store)):
            raise RunStopped
        if target.request.work == "documents":
            # Before others may hold the data source: they would take the same changes up again.
            with work.platform.sql.begin() as tx:
                _forget_changes(tx, work, last=last_change(work))
    return {}


def _take_changes(work: Work, target: Target) -> None:
    """Write down what clients brought by now; what comes later is for the run that comes with it."""
    changes = waiting_changes(work, target)
    keep_last_change(work, max((change.sequence for change in changes), default=0))
    with opened_source(work, target) as source, work.platform.sql.begin() as tx:
        assert isinstance(source, ChangesSource)
        listed = target.source.type == "S3"
        plan_changes(tx, target.place, changes, source.item, whole=listed, now=work.platform.clock.now())


def finish(work: Work) -> dict[str, Any]:
    """Count what was done, and remove what was only needed on the way."""
    target = find_target(work)
    with work.platform.sql.connect() as connection:
        statistics = items.count(connection, target.place)
        reasons = items.reasons(connection, target.place)
    target.folder.discard()
    # A step's result is kept small; the reasons are counted again when the run ends.
    return {"statistics": asdict(statistics), "failures": len(reasons)}


def settle(tx: Connection, work: Work, outcome: Outcome) -> None:
    """Write how the run ended; what it did not come to stays as it was before."""
    request, place, now = request_of(work), place_of(work), work.platform.clock.now()
    if request.work == "clear":
        _settle_clearing(tx, work, outcome)
        return
    statistics = _counted(tx, work)
    reasons = items.reasons(tx, place)
    failed = outcome.end == "failed"
    items.give_back(tx, place, now=now, reason=outcome.reason if request.work == "documents" else "")
    if request.work == "documents":
        if failed:
            _forget_changes(tx, work, last=last_change(work), reason=outcome.reason)
        folder_of(work).discard()
        return
    told = ([outcome.reason] if failed else []) + reasons
    write_job(tx, work.run_id, now=now, status=_ENDS[outcome.end], statistics=statistics, failures=told)
    folder_of(work).discard()


KIND = JobKind(KIND_NAME, (Step("plan", plan), Step("bring", bring), Step("finish", finish)), settle)


def limits_of(work: Work, documents: int) -> Limits:
    """How much is under way at a time: no more than there is to do."""
    return Limits(threads=max(1, min(work.platform.settings.knowledge.parsers, documents)))


async def _load(work: Work, target: Target, store: VectorStore) -> bool:
    platform = work.platform
    documents = items.count_waiting(platform.sql, target.place)
    if not documents:
        return False
    limits = limits_of(work, documents)
    settings, transform = cut_settings(platform, target), transformation_of(work, target)
    children = children_of(limits.threads) if documents >= _MANY else 0
    async with platform.api.session() as session:

        async def embed(texts: Sequence[str]) -> Any:
            return await embed_through(session, target.base, texts)

        with (
            opened_source(work, target) as source,
            opened_parser(settings, limits.threads, cutting=bool(children) and transform is None) as parser,
            Cutter(settings, embed=from_thread(asyncio.get_running_loop(), embed), children=children) as cutter,
        ):
            preparer = Preparer(
                data_source=target.source.id,
                source=source,
                parser=parser,
                cutter=cutter,
                store=store,
                fingerprint=target.fingerprint,
                transform=transform,
                stored=_written_before(target, store),
            )
            pages = items.waiting(platform.sql, target.place, deleting=False)
            waiting = (known for page in pages for known in page)
            steps = Steps(
                preparer.prepare_all, embed, Writer(work, target, store).write, work.stop_requested, lambda: _tell(work)
            )
            return await load(waiting, steps, limits)


def opened_parser(settings: CutSettings, workers: int, *, cutting: bool) -> ParserPool:
    """What parses documents.

    Args:
        settings: How they are cut.
        workers: Processes.
        cutting: Whether these are to cut them, too, as far as they can; it takes them longer to begin.
    """
    if not cutting or settings.asks_embedder:
        return ParserPool(workers=workers)
    return ParserPool(workers=workers, program=(READING, msgspec.json.encode(settings).decode()))


class Writer:
    """Writes documents into the store, then that they are there.

    Args:
        work: The run.
        target: What it works for.
        store: Written first: a kill between the two is noticed by the hash that the store keeps.
    """

    def __init__(self, work: Work, target: Target, store: VectorStore) -> None:
        self._work = work
        self._target = target
        self._store = store

    def write(self, documents: Sequence[Prepared]) -> None:
        """See `loading.Steps`."""
        settled = self._stored(documents)
        with self._work.platform.sql.begin() as tx:
            items.write_settled(tx, self._target.place, settled, now=self._work.platform.clock.now())

    def _stored(self, documents: Sequence[Prepared]) -> list[Settled]:
        """Put them into the store, and say how it went; one that the store refuses fails alone."""
        replacements = [each.finished() for each in documents if each.replacement is not None]
        try:
            if replacements:
                self._store.replace_many(replacements)
        except InvalidRequest as error:
            if len(documents) == 1:
                return [not_written(documents[0].settled.known, error.message)]
            return [settled for each in documents for settled in self._stored([each])]
        return [each.settled for each in documents]


def _written_before(target: Target, store: VectorStore) -> Mapping[str, str]:
    """What the store holds, where this step was begun before and may have been killed between store and rows."""
    mark = target.folder.work / _LOADING
    if not mark.exists():
        mark.touch()
        return {}
    return {row.id: row.content_hash for row in store.documents(data_source=target.source.id)}


def _delete(work: Work, target: Target, store: VectorStore) -> None:
    for page in items.waiting(work.platform.sql, target.place, deleting=True):
        store.delete([known.id for known in page], data_source=target.source.id)
        settled = [Settled(known, "delete", "done", "DELETING", "", "", "", "") for known in page]
        with work.platform.sql.begin() as tx:
            items.write_settled(tx, target.place, settled, now=work.platform.clock.now())
        if work.stop_requested():
            raise RunStopped


def _clear(work: Work, target: Target, store: VectorStore) -> None:
    for page in _pages(row.id for row in list(store.documents(data_source=target.source.id))):
        store.delete(page, data_source=target.source.id)
        if work.stop_requested():
            raise RunStopped


def _settle_clearing(tx: Connection, work: Work, outcome: Outcome) -> None:
    request = request_of(work)
    source = select_source(tx, request.knowledge_base, request.data_source)
    if source is None:
        return
    if outcome.end == "completed":
        delete_source(tx, request.knowledge_base, request.data_source)
        return
    reason = outcome.reason or "its deletion was stopped; delete it again"
    now = work.platform.clock.now()
    update_source(tx, replace(source, status="DELETE_UNSUCCESSFUL", failures=(reason,), updated_at=now))


def _forget_changes(tx: Connection, work: Work, *, last: int | None, reason: str = "") -> None:
    """Forget what clients wanted, up to a place; what was not done has failed."""
    request, now = request_of(work), work.platform.clock.now()
    changes = select_changes(tx, request.knowledge_base, request.data_source)
    changes = changes if last is None else [change for change in changes if change.sequence <= last]
    if reason and last is None:
        told = [(change.document, "FAILED", reason, None) for change in changes]
        items.show(tx, place_of(work), told, now=now)  # type: ignore[arg-type]  # FAILED is a status
    delete_changes(tx, [change.sequence for change in changes])
    for change in changes:
        if change.staged:
            (staging_dir(work.platform, request.knowledge_base) / change.staged).unlink(missing_ok=True)


def _counted(tx: Connection, work: Work) -> Statistics:
    done = (work.results.get("finish") or {}).get("statistics")
    return items.count(tx, place_of(work)) if done is None else msgspec.convert(done, Statistics)


def _tell(work: Work) -> None:
    with work.platform.sql.begin() as tx:
        write_job(tx, work.run_id, now=work.platform.clock.now(), statistics=items.count(tx, place_of(work)))


def _move(work: Work, status: JobStatus) -> None:
    with work.platform.sql.begin() as tx:
        move_job(tx, work.run_id, status, now=work.platform.clock.now())


def _pages(ids: Iterator[str]) -> Iterator[list[str]]:
    while page := list(islice(ids, _DELETED_TOGETHER)):
        yield page

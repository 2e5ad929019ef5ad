"""What is to be done: a listing, or what clients brought, beside what the store holds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import TypeVar

from sqlalchemy import Connection
from sqlalchemy import Engine as SqlEngine

from rocamadre.jobs.runner import RunStopped
from rocamadre.knowledge.ingestion.items import (
    Known,
    Place,
    Seen,
    find,
    forget_deleted,
    mark_gone,
    write_seen,
)
from rocamadre.knowledge.sources.protocol import Item, Source
from rocamadre.knowledge.types import Change

T = TypeVar("T")
_PAGE = 500


def plan_listing(
    sql: SqlEngine,
    place: Place,
    source: Source,
    fingerprint: str,
    *,
    now: Callable[[], datetime],
    stop_requested: Callable[[], bool],
) -> None:
    """Compare all that a source has with what is known, and write down what is to be done; safe to repeat.

    Args:
        sql: The platform's database.
        place: Of the run.
        source: Listed once, a page at a time.
        fingerprint: Of the settings: what was indexed with others is indexed again.
        now: The time.
        stop_requested: Asked between pages.

    Raises:
        RocamadreError: the source cannot be listed; nothing is then taken for deleted.
        RunStopped: so it was asked.
    """
    with sql.begin() as tx:
        forget_deleted(tx, place)
    for page in _pages(source.listing()):
        with sql.begin() as tx:
            known = find(tx, place, [item.id for item in page])
            seen = [look(item, known.get(item.id), fingerprint) for item in page]
            write_seen(tx, place, seen, listed=True, now=now())
        if stop_requested():
            raise RunStopped
    if source.complete:
        with sql.begin() as tx:
            mark_gone(tx, place, now=now())


def look(item: Item, known: Known | None, fingerprint: str) -> Seen:
    """What a listed document wants done."""
    stored = known is not None and known.is_stored
    if item.failure:
        status = None if stored else "FAILED"
        return Seen(item, known, "modified" if stored else "new", "failed", status, item.failure)  # type: ignore[arg-type]
    if known is None or not stored:
        return Seen(item, known, "new", "waiting", "PENDING")
    same = (
        item.version != ""
        and item.version == known.version
        and item.metadata_version == known.metadata_version
        and fingerprint == known.fingerprint
        and known.state != "failed"
    )
    return (
        Seen(item, known, known.action, "", None) if same else Seen(item, known, "modified", "waiting", "IN_PROGRESS")
    )


def plan_changes(
    tx: Connection, place: Place, changes: Sequence[Change], items: Callable[[str], Item], *, whole: bool, now: datetime
) -> None:
    """Write down what clients brought, the last of several changes of a document; safe to repeat.

    Args:
        tx: A transaction.
        place: Of the run.
        changes: In the order in which they came.
        items: A document as the source of the changes lists it.
        whole: Whether the data source is listed besides (type S3): what is not found there later is then deleted.
        now: The time.
    """
    forget_deleted(tx, place)
    last = {change.document: change for change in changes}
    for page in _pages(last.values()):
        known = find(tx, place, [change.document for change in page])
        seen = []
        for change in page:
            there = known.get(change.document)
            if change.action == "delete":
                item = Item(change.document, "", change.document) if there is None else there.item
                seen.append(Seen(item, there, "delete", "waiting", "DELETE_IN_PROGRESS", brought=not whole))
            else:
                action = "modified" if there is not None and there.is_stored else "new"
                item = items(change.document)
                seen.append(
                    Seen(item, there, action, "waiting", "PENDING", brought=not whole)  # type: ignore[arg-type]
                )
        write_seen(tx, place, seen, listed=False, now=now)


def _pages(values: Iterable[T]) -> Iterator[list[T]]:
    iterator = iter(values)
    while page := list(islice(iterator, _PAGE)):
        yield page

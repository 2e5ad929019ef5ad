"""The rows of `tables.ITEMS`, and those that people see beside them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeAlias

import msgspec
from sqlalchemy import Connection, bindparam, delete, func, insert, select, update
from sqlalchemy import Engine as SqlEngine

from rocamadre.knowledge.ingestion.tables import ITEMS
from rocamadre.knowledge.ingestion.types import DocumentStatus, Statistics
from rocamadre.knowledge.sources.protocol import Item
from rocamadre.knowledge.tables import DOCUMENTS

Action: TypeAlias = Literal["new", "modified", "metadata", "unchanged", "delete"]
State: TypeAlias = Literal["", "waiting", "done", "failed", "ignored"]

_PAGE = 200
_MOST_REASONS = 500
_KEYS = (ITEMS.c.data_source == bindparam("at_source")) & (ITEMS.c.key == bindparam("at_key"))
_DOCUMENT = (
    (DOCUMENTS.c.knowledge_base == bindparam("at_base"))
    & (DOCUMENTS.c.data_source == bindparam("at_source"))
    & (DOCUMENTS.c.id == bindparam("at_id"))
)


@dataclass(frozen=True, slots=True)
class Place:
    """Which data source a run works for.

    Attributes:
        run: The run, in 16 characters.
    """

    knowledge_base: str
    data_source: str
    run: str


@dataclass(frozen=True, slots=True)
class Known:
    """A row of `ITEMS`; see there."""

    key: str
    id: str
    item: Item
    brought: bool
    version: str
    metadata_version: str
    content_hash: str
    attributes_hash: str
    fingerprint: str
    run: str
    action: Action
    state: State

    @property
    def is_stored(self) -> bool:
        """Whether the store holds a version of it."""
        return self.content_hash != ""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a document's row is to be, and what people are to see of it.

    Attributes:
        known: The row as it is; None where there is none.
        status: For the document's own row; None leaves that as it is.
    """

    item: Item
    known: Known | None
    action: Action
    state: State
    status: DocumentStatus | None
    reason: str = ""
    brought: bool = False


@dataclass(frozen=True, slots=True)
class Settled:
    """How it went with one document.

    Attributes:
        content_hash: Of what the store holds now; empty where it holds nothing of it.
        facts: What a page wants to show; None leaves what is there.
    """

    known: Known
    action: Action
    state: State
    status: DocumentStatus
    reason: str
    content_hash: str
    attributes_hash: str
    fingerprint: str
    facts: Mapping[str, Any] | None = None


def run_key(run_id: str) -> str:
    """A run's id in 16 characters."""
    return hashlib.blake2b(run_id.encode(), digest_size=8).hexdigest()


def item_key(item_id: str) -> str:
    """A document's id in 32 characters."""
    return hashlib.blake2b(item_id.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def find(tx: Connection, place: Place, ids: Iterable[str]) -> dict[str, Known]:
    """The rows of documents, by id; those that were deleted count as not there."""
    keys = [item_key(each) for each in ids]
    query = select(ITEMS).where(ITEMS.c.data_source == place.data_source, ITEMS.c.key.in_(keys))
    return {row.id: _known(row) for row in tx.execute(query) if not (row.action == "delete" and row.state == "done")}


def write_seen(tx: Connection, place: Place, seen: Sequence[Seen], *, listed: bool, now: datetime) -> None:
    """Write down what a listing has shown and what is to do.

    Args:
        tx: A transaction.
        place: Of the run.
        seen: Each id once.
        listed: Whether the source as a whole is being listed: what is not seen is then gone.
        now: The time.
    """
    rows = [_seen_row(place, each, listed=listed) for each in seen]
    new = [row for row, each in zip(rows, seen, strict=True) if each.known is None]
    if new:
        # A row of what was deleted may still be there under the key.
        tx.execute(delete(ITEMS).where(_KEYS), [_at(place, row["key"]) for row in new])
        tx.execute(insert(ITEMS), new)
    idle = [_at(place, row["key"]) | _changes(row, ("item", "seen")) for row in rows if not row["state"]]
    if idle:
        tx.execute(update(ITEMS).where(_KEYS).values(_bound(("item", "seen"))), idle)
    names = ("item", "seen", "run", "action", "state", "reason", "brought")
    work = [
        _at(place, row["key"]) | _changes(row, names)
        for row, each in zip(rows, seen, strict=True)
        if row["state"] and each.known is not None
    ]
    if work:
        tx.execute(update(ITEMS).where(_KEYS).values(_bound(names)), work)
    show(tx, place, [(each.item.id, each.status, each.reason, None) for each in seen if each.status], now=now)


def mark_gone(tx: Connection, place: Place, *, now: datetime) -> None:
    """Everything that a whole listing has not shown is to be deleted."""
    mine = (ITEMS.c.data_source == place.data_source) & (ITEMS.c.seen != place.run) & ITEMS.c.brought.is_(False)
    old = mine & (ITEMS.c.content_hash == "")
    never = [row.id for row in tx.execute(select(ITEMS.c.id).where(old))]
    tx.execute(delete(ITEMS).where(old))
    forget_documents(tx, place, never)
    values = {"run": place.run, "action": "delete", "state": "waiting", "reason": ""}
    tx.execute(update(ITEMS).where(mine).values(values))
    gone = [row.id for row in tx.execute(select(ITEMS.c.id).where(mine))]
    show(tx, place, [(each, "DELETING", "", None) for each in gone], now=now)


def count_waiting(sql: SqlEngine, place: Place) -> int:
    """How many documents a run has still to bring in."""
    mine = (ITEMS.c.data_source == place.data_source) & (ITEMS.c.run == place.run) & (ITEMS.c.state == "waiting")
    with sql.connect() as connection:
        query = select(func.count()).select_from(ITEMS).where(mine, ITEMS.c.action != "delete")
        return connection.execute(query).scalar() or 0


def waiting(sql: SqlEngine, place: Place, *, deleting: bool) -> Iterator[list[Known]]:
    """What a run has still to do, in pages; rows that are settled meanwhile do not matter."""
    mine = (
        (ITEMS.c.data_source == place.data_source)
        & (ITEMS.c.run == place.run)
        & (ITEMS.c.state == "waiting")
        & ((ITEMS.c.action == "delete") if deleting else (ITEMS.c.action != "delete"))
    )
    last = ""
    while True:
        with sql.connect() as connection:
            query = select(ITEMS).where(mine, ITEMS.c.key > last).order_by(ITEMS.c.key).limit(_PAGE)
            page = [_known(row) for row in connection.execute(query)]
        if not page:
            return
        last = page[-1].key
        yield page


def write_settled(tx: Connection, place: Place, settled: Sequence[Settled], *, now: datetime) -> None:
    """Write how it went with documents; of those that another run has taken up meanwhile, nothing."""
    names = "version metadata_version content_hash attributes_hash fingerprint action state reason".split()
    rows = []
    for each in settled:
        kept = each.state != "done"
        row = {
            "version": each.known.version if kept else each.known.item.version,
            "metadata_version": each.known.metadata_version if kept else each.known.item.metadata_version,
            "content_hash": each.content_hash,
            "attributes_hash": each.attributes_hash,
            "fingerprint": each.fingerprint,
            "action": each.action,
            "state": each.state,
            "reason": each.reason,
        }
        rows.append(_at(place, each.known.key) | _changes(row, names))
    if rows:
        tx.execute(update(ITEMS).where(_KEYS, ITEMS.c.run == place.run).values(_bound(names)), rows)
    forget_documents(tx, place, [each.known.id for each in settled if each.action == "delete" and each.state == "done"])
    shown = [each for each in settled if not (each.action == "delete" and each.state == "done")]
    show(tx, place, [(each.known.id, each.status, each.reason, each.facts) for each in shown], now=now)


def show(
    tx: Connection,
    place: Place,
    documents: Sequence[tuple[str, DocumentStatus | None, str, Mapping[str, Any] | None]],
    *,
    now: datetime,
) -> None:
    """Write what people see of documents: id, status, reason, and facts unless None."""
    if not documents:
        return
    at = now.isoformat()
    base = {"knowledge_base": place.knowledge_base, "data_source": place.data_source}
    there: set[str] = set()
    for start in range(0, len(documents), _MOST_REASONS):
        ids = [each[0] for each in documents[start : start + _MOST_REASONS]]
        mine = (DOCUMENTS.c.knowledge_base == place.knowledge_base) & (DOCUMENTS.c.data_source == place.data_source)
        there.update(tx.execute(select(DOCUMENTS.c.id).where(mine, DOCUMENTS.c.id.in_(ids))).scalars())
    new = [
        {**base, "id": item, "status": status, "reason": reason, "updated_at": at, "facts": _json(facts or {})}
        for item, status, reason, facts in documents
        if item not in there
    ]
    if new:
        tx.execute(insert(DOCUMENTS), new)
    for whole in (True, False):
        names = ("status", "reason", "updated_at", "facts") if whole else ("status", "reason", "updated_at")
        changed = [
            {"at_base": place.knowledge_base, "at_source": place.data_source, "at_id": item}
            | _changes({"status": status, "reason": reason, "updated_at": at, "facts": _json(facts or {})}, names)
            for item, status, reason, facts in documents
            if item in there and (facts is not None) == whole
        ]
        if changed:
            tx.execute(update(DOCUMENTS).where(_DOCUMENT).values(_bound(names)), changed)


def forget_documents(tx: Connection, place: Place, ids: Sequence[str]) -> None:
    """Take away the rows that people see."""
    if ids:
        rows = [{"at_base": place.knowledge_base, "at_source": place.data_source, "at_id": each} for each in ids]
        tx.execute(delete(DOCUMENTS).where(_DOCUMENT), rows)


def forget_deleted(tx: Connection, place: Place) -> None:
    """Take away the rows of what earlier runs deleted; their own are still counted."""
    done = (ITEMS.c.action == "delete") & (ITEMS.c.state == "done") & (ITEMS.c.run != place.run)
    tx.execute(delete(ITEMS).where(ITEMS.c.data_source == place.data_source, done))


def give_back(tx: Connection, place: Place, *, now: datetime, reason: str = "") -> None:
    """Undo what a run still had to do: what is in the store stays as it is, what is not is forgotten.

    Args:
        tx: A transaction.
        place: Of the run.
        now: The time.
        reason: Of documents that a client brought one by one, which nobody lists again: these have failed. Empty: no
            document is to blame.
    """
    mine = (ITEMS.c.data_source == place.data_source) & (ITEMS.c.run == place.run) & (ITEMS.c.state == "waiting")
    rows = [_known(row) for row in tx.execute(select(ITEMS).where(mine))]
    tx.execute(delete(ITEMS).where(mine, ITEMS.c.content_hash == ""))
    tx.execute(update(ITEMS).where(mine).values(state="", reason=""))
    if reason:
        show(tx, place, [(row.id, "FAILED", reason, None) for row in rows], now=now)
        return
    forget_documents(tx, place, [row.id for row in rows if not row.is_stored])
    show(tx, place, [(row.id, "INDEXED", "", None) for row in rows if row.is_stored], now=now)


def count(tx: Connection, place: Place) -> Statistics:
    """What a run has done so far."""
    mine = ITEMS.c.data_source == place.data_source
    seen = tx.execute(
        select(func.count(), func.count().filter(ITEMS.c.item.not_like('%"metadata_version":""%'))).where(
            mine, ITEMS.c.seen == place.run
        )
    ).one()
    query = select(ITEMS.c.action, ITEMS.c.state, func.count()).where(mine, ITEMS.c.run == place.run)
    done = {(action, state): number for action, state, number in tx.execute(query.group_by("action", "state"))}
    return Statistics(
        scanned=seen[0],
        metadata_scanned=seen[1],
        new=done.get(("new", "done"), 0),
        modified=done.get(("modified", "done"), 0),
        metadata_modified=done.get(("metadata", "done"), 0),
        deleted=done.get(("delete", "done"), 0),
        failed=sum(number for (_, state), number in done.items() if state == "failed"),
        skipped=sum(number for (_, state), number in done.items() if state == "ignored"),
    )


def reasons(tx: Connection, place: Place) -> list[str]:
    """Why documents were not indexed: a sentence each, at most 500, and how many more there are."""
    mine = (
        (ITEMS.c.data_source == place.data_source)
        & (ITEMS.c.run == place.run)
        & ITEMS.c.state.in_(("failed", "ignored"))
    )
    query = select(ITEMS.c.id, ITEMS.c.reason).where(mine).order_by(ITEMS.c.id).limit(_MOST_REASONS)
    found = [f"{row.id}: {row.reason}" for row in tx.execute(query)]
    total = tx.execute(select(func.count()).select_from(ITEMS).where(mine)).scalar() or 0
    return found + ([f"{total - len(found)} more documents failed"] if total > len(found) else [])


def _seen_row(place: Place, seen: Seen, *, listed: bool) -> dict[str, Any]:
    known = seen.known
    return {
        "data_source": place.data_source,
        "key": item_key(seen.item.id),
        "knowledge_base": place.knowledge_base,
        "id": seen.item.id,
        "item": _json(seen.item),
        "brought": seen.brought if known is None else known.brought and seen.brought,
        "version": "",
        "metadata_version": "",
        "content_hash": "",
        "attributes_hash": "",
        "fingerprint": "",
        "seen": place.run if listed else "",
        "run": place.run,
        "action": seen.action,
        "state": seen.state,
        "reason": seen.reason,
    }


def _at(place: Place, key: str) -> dict[str, Any]:
    return {"at_source": place.data_source, "at_key": key}


def _changes(row: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {f"to_{name}": row[name] for name in names}


def _bound(names: Iterable[str]) -> dict[str, Any]:
    return {name: bindparam(f"to_{name}") for name in names}


def _known(row: Any) -> Known:
    values = {name: getattr(row, name) for name in Known.__slots__ if name != "item"}
    return Known(item=msgspec.json.decode(row.item, type=Item), **values)


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()

"""All that the catalog knows at a moment, kept for a second: resolving an id is on the path of every request."""

from __future__ import annotations

import threading
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Engine as SqlEngine
from sqlalchemy import select

from rocamadre.catalog.embedded import embedded_models
from rocamadre.catalog.host import Host
from rocamadre.catalog.rows import model_from_row
from rocamadre.catalog.tables import ALIASES, MODELS
from rocamadre.catalog.types import Model, Resolved

TTL_S = 1.0
"""How long another process's change may stay unseen."""

MAX_MEMO = 4096


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Models by id and by short name, and the aliases set by command."""

    models: Mapping[str, Model]
    short_names: Mapping[str, Model]
    aliases: Mapping[str, str]

    def find(self, name: str) -> Model | None:
        """A model by its id or short name."""
        return self.models.get(name) or self.short_names.get(name)


@dataclass(slots=True)
class Memo:
    """What one platform's catalog remembers.

    Attributes:
        lasting: Ids that no table can change.
        resolved: Ids of all accounts, forgotten when the tables change.
        profiles: By account, region and id; forgotten with each refresh.
    """

    snapshot: Snapshot | None = None
    rows: object = None
    expires_at: float = 0.0
    lasting: dict[str, Resolved] = field(default_factory=dict)
    resolved: dict[str, Resolved] = field(default_factory=dict)
    profiles: dict[Hashable, Resolved] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)


_memos: WeakKeyDictionary[SqlEngine, Memo] = WeakKeyDictionary()
_memos_lock = threading.Lock()


def memo_of(host: Host) -> Memo:
    """The memory of this platform's catalog."""
    memo = _memos.get(host.sql)
    if memo is None:
        with _memos_lock:
            memo = _memos.setdefault(host.sql, Memo())
    return memo


def forget(host: Host) -> None:
    """Look again at the next call; after a change made by this process."""
    memo = memo_of(host)
    with memo.lock:
        memo.expires_at = float("-inf")
        memo.rows = None
        memo.lasting.clear()


def remember(table: dict[Any, Resolved], key: Hashable, resolved: Resolved) -> Resolved:
    """Keep one answer; an alias pattern matches endless ids, so the table is emptied when full."""
    if len(table) >= MAX_MEMO:
        table.clear()
    table[key] = resolved
    return resolved


def snapshot(host: Host) -> Snapshot:
    """What the catalog knows now, at most `TTL_S` old."""
    memo = memo_of(host)
    now = host.clock.monotonic()
    if memo.snapshot is not None and now < memo.expires_at:
        return memo.snapshot
    with memo.lock:
        if memo.snapshot is None or now >= memo.expires_at:
            _refresh(host, memo, now)
        assert memo.snapshot is not None
        return memo.snapshot


def _refresh(host: Host, memo: Memo, now: float) -> None:
    with host.sql.connect() as connection:
        models = connection.execute(select(MODELS).order_by(MODELS.c.id)).all()
        aliases = connection.execute(select(ALIASES.c.pattern, ALIASES.c.model_id)).all()
    embedded = embedded_models(host.settings)
    rows = (tuple(map(tuple, models)), tuple(map(tuple, aliases)), embedded)
    if memo.rows != rows:
        memo.snapshot = _build(host, embedded, models, aliases)
        memo.rows = rows
        memo.resolved.clear()
    memo.profiles.clear()
    memo.expires_at = now + TTL_S


def _build(host: Host, embedded: list[Model], rows: Iterable[Any], aliases: Iterable[Any]) -> Snapshot:
    folder = host.settings.home / "models"
    real = [model for model in embedded if model.source != "fake"]
    fakes = [model for model in embedded if model.source == "fake"]
    ordered = [*real, *(model_from_row(row, folder) for row in rows), *fakes]
    return Snapshot(
        {model.id: model for model in ordered},
        {model.short_name: model for model in reversed(ordered)},
        {row.pattern: row.model_id for row in aliases},
    )

"""Stores that a server keeps open while they are asked, and closes when nobody asks any more."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from sqlalchemy import Engine as SqlEngine

from rocamadre.core.context import Context, Platform
from rocamadre.knowledge.stores import open_store
from rocamadre.knowledge.types import KnowledgeBase
from rocamadre.store.vectors.protocol import VectorStore

IDLE_S = 60.0
"""Seconds after which a store that nobody asked is closed, and takes no memory."""
MOST_OPEN = 16


@dataclass(slots=True, eq=False)
class _Open:
    """A store, how many use it now, and when it was given back last."""

    store: VectorStore
    users: int = 0
    since: float = 0.0
    dropped: bool = False


class OpenStores:
    """The open stores of one server; safe to use from several threads."""

    def __init__(self, *, idle_s: float = IDLE_S) -> None:
        self._idle_s = idle_s
        self._open: dict[str, _Open] = {}
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None

    @contextmanager
    def using(self, ctx: Context, base: KnowledgeBase) -> Iterator[VectorStore]:
        """A knowledge base's store, opened if need be; not to be closed."""
        entry = self._taken(ctx, base)
        try:
            yield entry.store
        finally:
            self._give_back(entry)

    def drop(self, base_id: str) -> None:
        """Close a store as soon as nobody uses it."""
        with self._lock:
            entry = self._open.pop(base_id, None)
            if entry is None:
                return
            entry.dropped = True
            unused = not entry.users
        if unused:
            entry.store.close()

    def close(self) -> None:
        """Close all of them, at the end of the server."""
        with self._lock:
            names = list(self._open)
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
        for name in names:
            self.drop(name)

    def count(self) -> int:
        """How many are open."""
        with self._lock:
            return len(self._open)

    def _taken(self, ctx: Context, base: KnowledgeBase) -> _Open:
        with self._lock:
            entry = self._open.get(base.id)
            if entry is None:
                entry = self._open[base.id] = _Open(open_store(ctx.platform, base))
            entry.users += 1
        return entry

    def _give_back(self, entry: _Open) -> None:
        with self._lock:
            entry.users -= 1
            entry.since = time.monotonic()
            closing = [entry] if entry.dropped and not entry.users else []
            unused = sorted((each for each in self._open.values() if not each.users), key=lambda each: each.since)
            closing += self._removed(unused[: max(0, len(self._open) - MOST_OPEN)])
            self._watch()
        for each in closing:
            each.store.close()

    def _sweep(self) -> None:
        now = time.monotonic()
        with self._lock:
            self._timer = None
            idle = [each for each in self._open.values() if not each.users and now - each.since >= self._idle_s]
            closing = self._removed(idle)
            if self._open:
                self._watch()
        for each in closing:
            each.store.close()

    def _removed(self, entries: list[_Open]) -> list[_Open]:
        self._open = {name: each for name, each in self._open.items() if each not in entries}
        return entries

    def _watch(self) -> None:
        if self._timer is None:
            self._timer = threading.Timer(self._idle_s, self._sweep)
            self._timer.daemon = True
            self._timer.start()


_stores: WeakKeyDictionary[SqlEngine, OpenStores] = WeakKeyDictionary()
_making = threading.Lock()


def open_stores(ctx: Context) -> OpenStores:
    """The open stores of the server that answers."""
    return open_stores_of(ctx.platform)


def open_stores_of(platform: Platform) -> OpenStores:
    """The open stores of a server."""
    with _making:
        return _stores.setdefault(platform.sql, OpenStores())

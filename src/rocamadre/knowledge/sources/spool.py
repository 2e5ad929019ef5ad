"""Documents that are made while they are listed, kept until they are read: rows of a query, pages of a site."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec

from rocamadre.knowledge.sources.protocol import Attributes, Item, SourceFailure

_TABLE = """
CREATE TABLE IF NOT EXISTS spooled (
  place INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, item BLOB NOT NULL, attributes BLOB NOT NULL, content BLOB
)
"""


class Spool:
    """A scratch database. It survives the process, and needs not survive the machine: it can be made again.

    Args:
        path: Made when it is not there.
    """

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._connection.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;")
        self._connection.executescript(_TABLE)

    def add(self, item: Item, content: bytes, attributes: Attributes | None = None) -> bool:
        """Keep one; False when one of this id is there."""
        row = (item.id, msgspec.json.encode(item), msgspec.json.encode(attributes or Attributes()), content)
        with self._lock:
            done = self._connection.execute(
                "INSERT OR IGNORE INTO spooled (id, item, attributes, content) VALUES (?, ?, ?, ?)", row
            )
            return done.rowcount == 1

    def items(self) -> Iterator[Item]:
        """All of them, in the order in which they came."""
        last = 0
        while True:
            with self._lock:
                rows = self._connection.execute(
                    "SELECT place, item FROM spooled WHERE place > ? ORDER BY place LIMIT 500", (last,)
                ).fetchall()
            if not rows:
                return
            for last, item in rows:  # noqa: B007  (the place where the next look begins)
                yield msgspec.json.decode(item, type=Item)

    def count(self) -> int:
        """How many there are."""
        with self._lock:
            found: int = self._connection.execute("SELECT count(*) FROM spooled").fetchone()[0]
        return found

    def content(self, item: Item) -> bytes:
        """What was kept.

        Raises:
            SourceFailure: nothing was.
        """
        return bytes(self._row(item)[0])

    def attributes(self, item: Item) -> Attributes:
        """What was kept beside it.

        Raises:
            SourceFailure: nothing was.
        """
        return msgspec.json.decode(self._row(item)[1], type=Attributes)

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._connection.execute("DELETE FROM spooled")

    def close(self) -> None:
        """Let the file go."""
        with self._lock:
            self._connection.close()

    def _row(self, item: Item) -> tuple[bytes, bytes]:
        with self._lock:
            row: tuple[bytes, bytes] | None = self._connection.execute(
                "SELECT content, attributes FROM spooled WHERE id = ?", (item.id,)
            ).fetchone()
        if row is None:
            raise SourceFailure(f"{item.id} was listed, and its content is gone; begin the ingestion again")
        return row

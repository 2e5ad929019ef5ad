"""Which pages a crawl has read, and which it has still to read, in the order in which it found them."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import NamedTuple

_TABLE = """
CREATE TABLE IF NOT EXISTS wishes (
  place INTEGER PRIMARY KEY, url TEXT NOT NULL UNIQUE, depth INTEGER NOT NULL, tries INTEGER NOT NULL DEFAULT 0,
  state TEXT NOT NULL DEFAULT 'waiting', reason TEXT NOT NULL DEFAULT ''
);
CREATE INDEX IF NOT EXISTS wishes_next ON wishes (state, tries, depth, place);
"""


class Wish(NamedTuple):
    """A page to read.

    Attributes:
        depth: Links between it and a seed.
        tries: How often it was tried in vain.
    """

    url: str
    depth: int
    tries: int


class Frontier:
    """A scratch database. It survives the process, and needs not survive the machine.

    Args:
        path: Made when it is not there.
    """

    def __init__(self, path: Path) -> None:
        # The ingestion's steps run in one thread each, but not in the same one.
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._connection.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;")
        self._connection.executescript(_TABLE)

    def add(self, url: str, depth: int) -> None:
        """Wish for a page; nothing happens when it is known."""
        self._connection.execute("INSERT OR IGNORE INTO wishes (url, depth) VALUES (?, ?)", (url, depth))

    def knows(self, url: str) -> bool:
        """Whether a page was read, or will be."""
        return self._connection.execute("SELECT 1 FROM wishes WHERE url = ?", (url,)).fetchone() is not None

    def read(self) -> int:
        """How many pages were read, or given up."""
        found: int = self._connection.execute("SELECT count(*) FROM wishes WHERE state != 'waiting'").fetchone()[0]
        return found

    def next(self) -> Wish | None:
        """The next page to read: those that were never tried first, the nearest to a seed first of these."""
        row = self._connection.execute(
            "SELECT url, depth, tries FROM wishes WHERE state = 'waiting' ORDER BY tries, depth, place LIMIT 1"
        ).fetchone()
        return None if row is None else Wish(*row)

    def done(self, url: str) -> None:
        """A page was read."""
        self._connection.execute("UPDATE wishes SET state = 'done', reason = '' WHERE url = ?", (url,))

    def failed(self, url: str, reason: str, *, again: bool) -> None:
        """A page could not be read; perhaps it is to be tried again, after all others."""
        state = "waiting" if again else "failed"
        self._connection.execute(
            "UPDATE wishes SET tries = tries + 1, state = ?, reason = ? WHERE url = ?", (state, reason, url)
        )

    def failures(self) -> dict[str, str]:
        """Pages that cannot be read, and why."""
        return dict(self._connection.execute("SELECT url, reason FROM wishes WHERE state = 'failed' ORDER BY place"))

    def close(self) -> None:
        """Let the file go."""
        self._connection.close()

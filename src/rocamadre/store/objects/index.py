"""The index of the objects: which blobs make up which object. One committed row is what makes an object exist.

A database of its own beside the blobs, always SQLite and always flushed at commit, since the files it speaks of are on
this machine, whatever the platform's database is. Keys are stored as bytes: their order is S3's, and NUL is a byte.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Engine,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    create_engine,
    event,
    select,
)

from rocamadre.core.errors import Conflict

VERSION = 1
"""Of the tables below; a program refuses an index newer than it knows."""

_METADATA = MetaData()

BUCKETS = Table(
    "bucket",
    _METADATA,
    Column("name", String, primary_key=True),
    Column("account", String(12), nullable=False, index=True),
    Column("region", String, nullable=False),
    Column("created_us", BigInteger, nullable=False, comment="Microseconds since 1970, UTC; so are all times here."),
    Column("details", LargeBinary, nullable=False, comment="JSON: tags, versioning."),
)
OBJECTS = Table(
    "object",
    _METADATA,
    Column("bucket", String, primary_key=True),
    Column("key", LargeBinary, primary_key=True),
    Column("size_bytes", BigInteger, nullable=False),
    Column("etag", String, nullable=False),
    Column("modified_us", BigInteger, nullable=False),
    Column("details", LargeBinary, nullable=False, comment="JSON: what else `ObjectInfo` knows."),
    Column("segments", LargeBinary, nullable=False, comment="JSON: [[blob, size], …], in order."),
    sqlite_with_rowid=False,
)
UPLOADS = Table(
    "upload",
    _METADATA,
    Column("id", String, primary_key=True),
    Column("bucket", String, nullable=False),
    Column("key", LargeBinary, nullable=False),
    Column("created_us", BigInteger, nullable=False),
    Column("details", LargeBinary, nullable=False, comment="JSON: what the object will be."),
    Index("upload_by_key", "bucket", "key", "id"),
)
PARTS = Table(
    "part",
    _METADATA,
    Column("upload", String, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("blob", String, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("etag", String, nullable=False),
    Column("modified_us", BigInteger, nullable=False),
    Column("checksums", LargeBinary, nullable=False, comment="JSON, by algorithm."),
    sqlite_with_rowid=False,
)


class ObjectIndex:
    """The index in a folder.

    Args:
        folder: Exists.
        sync: Whether a commit waits for the disk.

    Raises:
        Conflict: a newer Rocamadre wrote it.
    """

    def __init__(self, folder: Path, *, sync: bool = True) -> None:
        path = folder / "index.sqlite"
        self._engine: Engine = create_engine(f"sqlite:///{path}")
        self._sync = sync
        event.listen(self._engine, "connect", _prepare)
        event.listen(self._engine, "begin", _begin)
        # SQLite's own waiting polls; writers of this process queue here instead.
        self._writing = threading.Lock()
        try:
            with self.write() as tx:
                found = tx.exec_driver_sql("PRAGMA user_version").scalar_one()
                if found > VERSION:
                    raise Conflict(
                        f"the objects in {folder} have index version {found}, this program knows up to {VERSION}; "
                        "install the newer Rocamadre"
                    )
                _METADATA.create_all(tx)
                tx.exec_driver_sql(f"PRAGMA user_version={VERSION}")
        except BaseException:
            self._engine.dispose()
            raise
        path.chmod(0o600)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that sees one moment."""
        with self._engine.connect() as connection:
            yield connection

    @contextmanager
    def write(self, *, waits: bool = True) -> Iterator[Connection]:
        """A transaction that changes the index; what it reads stays true until it commits, at the end of the block.

        Args:
            waits: Whether the commit waits for the disk. One that does not is on the disk with the next that does, and
                survives a kill in any case.
        """
        options = {"begin": "IMMEDIATE", "synchronous": "FULL" if waits and self._sync else "NORMAL"}
        with self._writing, self._engine.connect().execution_options(**options) as connection, connection.begin():
            yield connection

    def blobs(self) -> Iterator[str]:
        """Every blob that is named."""
        with self.read() as tx:
            for row in tx.execute(select(OBJECTS.c.segments)):
                yield from (blob for blob, _ in msgspec.json.decode(row.segments))
            for row in tx.execute(select(PARTS.c.blob)):
                yield row.blob

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()


def _prepare(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # `_begin` says how transactions begin.
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "busy_timeout=30000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: Connection) -> None:
    options = connection.get_execution_options()
    cursor = connection.connection.cursor()  # Less work than `exec_driver_sql`, and this runs for every request.
    if "synchronous" in options:
        cursor.execute(f"PRAGMA synchronous={options['synchronous']}")
    cursor.execute(f"BEGIN {options.get('begin', 'DEFERRED')}")
    cursor.close()

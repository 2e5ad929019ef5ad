"""The file of one knowledge base: its tables, its connections, and what its errors mean."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, TypeAlias

import apsw

from rocamadre.core.errors import Conflict, Unavailable
from rocamadre.store.vectors.protocol import StoreDamaged, StoreFacts, StoreMismatch

Connection: TypeAlias = Any
"""An `apsw.Connection`; with its own types every column of a row would be one of five."""

APPLICATION = 0x524F4341  # "ROCA"
SCHEMA = 2
"""Of the tables below; 1 had no `packed`, which is made when such a file is opened."""
BUSY_MS = 60_000

# Numbers of documents and slots of chunks are the joints. Slots of what can be searched count from 0 upwards, those of
# parents from -1 downwards; in `attributes`, an owner is a slot, or a document as -1 minus its number.
TABLES = """
CREATE TABLE facts(name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE documents(
    number INTEGER PRIMARY KEY, data_source TEXT NOT NULL, id TEXT NOT NULL, content_hash TEXT NOT NULL,
    chunks INTEGER NOT NULL, updated REAL NOT NULL, metadata TEXT NOT NULL, UNIQUE(data_source, id));
CREATE INDEX documents_by_id ON documents(id);
CREATE TABLE texts(document INTEGER PRIMARY KEY, text BLOB NOT NULL);
CREATE TABLE chunks(
    slot INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, document INTEGER NOT NULL, position INTEGER NOT NULL,
    first INTEGER NOT NULL, stop INTEGER NOT NULL, language TEXT NOT NULL, page INTEGER, headings TEXT NOT NULL,
    parent TEXT NOT NULL, metadata TEXT NOT NULL, text TEXT NOT NULL, terms TEXT NOT NULL);
CREATE INDEX chunks_by_document ON chunks(document, position);
CREATE TABLE vectors(slot INTEGER PRIMARY KEY, vector BLOB NOT NULL);
CREATE TABLE blocks(
    number INTEGER PRIMARY KEY, generation INTEGER NOT NULL, alive BLOB NOT NULL, documents BLOB NOT NULL,
    lengths BLOB NOT NULL, scale BLOB NOT NULL, offset BLOB NOT NULL, words BLOB NOT NULL);
CREATE TABLE languages(language TEXT PRIMARY KEY, chunks INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE keys(number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE attributes(
    key INTEGER, kind INTEGER, value, owner INTEGER, PRIMARY KEY(key, kind, value, owner)) WITHOUT ROWID;
CREATE TABLE terms(number INTEGER PRIMARY KEY, term TEXT NOT NULL UNIQUE);
CREATE TABLE segments(number INTEGER PRIMARY KEY, level INTEGER NOT NULL);
CREATE TABLE postings(
    segment INTEGER, term INTEGER, slots BLOB NOT NULL, counts BLOB NOT NULL,
    PRIMARY KEY(segment, term)) WITHOUT ROWID;
"""
PACKED = """
CREATE TABLE packed(
    segment INTEGER PRIMARY KEY, terms BLOB NOT NULL, bounds BLOB NOT NULL, slots BLOB NOT NULL, counts BLOB NOT NULL);
"""


@contextlib.contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into ours."""
    try:
        yield
    except (apsw.CorruptError, apsw.NotADBError) as error:
        raise StoreDamaged(
            f"the store {path} is damaged ({error}); delete the knowledge base, or its file, "
            "and ingest the documents again"
        ) from error
    except (apsw.BusyError, apsw.LockedError) as error:
        raise Unavailable(f"another process is writing to the store {path}; try again in a moment") from error
    except apsw.FullError as error:
        raise Unavailable(f"no room on the disk for the store {path}; nothing was written") from error
    except (apsw.CantOpenError, apsw.IOError, apsw.ReadOnlyError, apsw.PermissionsError) as error:
        raise Unavailable(f"the store {path} cannot be read or written: {error}") from error


class StoreFile:
    """The connections to a file; each is used by one thread at a time, as many as threads need.

    Args:
        path: Made where it is not there; its folder too.
        facts: What the store is for.

    Raises:
        StoreMismatch: the file was made for something else, or by another version.
        StoreDamaged: it is no store.
    """

    def __init__(self, path: Path, facts: StoreFacts) -> None:
        self.path = path
        self._idle: list[Connection] = []
        self._lock = threading.Lock()
        self._closed = False
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with contextlib.suppress(FileExistsError):
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        try:
            with translated(path):
                self._settle(facts)
        except BaseException:
            self.close()
            raise

    def _settle(self, facts: StoreFacts) -> None:
        connection = self._connect()
        self._idle.append(connection)
        if not connection.pragma("user_version"):
            connection.pragma("page_size", 8192)
            connection.pragma("journal_mode", "wal")
            with self._transaction(connection, "IMMEDIATE"):
                if not connection.pragma("user_version"):
                    self._make(connection, facts)
        elif connection.pragma("user_version") == 1 and connection.pragma("application_id") == APPLICATION:
            with self._transaction(connection, "IMMEDIATE"):
                if connection.pragma("user_version") == 1:
                    connection.execute(PACKED)
                    connection.pragma("user_version", SCHEMA)
        self._compare(connection, facts)

    def _make(self, connection: Connection, facts: StoreFacts) -> None:
        if connection.execute("SELECT count(*) FROM sqlite_schema").get:
            raise StoreDamaged(f"{self.path} is a SQLite file, but no store of a knowledge base")
        connection.execute(TABLES + PACKED)
        connection.executemany("INSERT INTO facts VALUES(?, ?)", asdict(facts).items())
        connection.execute("INSERT INTO facts VALUES('generation', 0), ('slots', 0), ('parents', 0), ('dead', 0)")
        connection.pragma("application_id", APPLICATION)
        connection.pragma("user_version", SCHEMA)

    def _compare(self, connection: Connection, facts: StoreFacts) -> None:
        if connection.pragma("application_id") != APPLICATION:
            raise StoreDamaged(f"{self.path} is a SQLite file, but no store of a knowledge base")
        version = connection.pragma("user_version")
        if version != SCHEMA:
            remedy = "update Rocamadre" if version > SCHEMA else "ingest the documents into a new knowledge base"
            raise StoreMismatch(
                f"the store {self.path} has schema {version}, this Rocamadre writes schema {SCHEMA}: {remedy}"
            )
        stored = dict(connection.execute("SELECT name, value FROM facts"))
        for field in fields(facts):
            given = getattr(facts, field.name)
            if stored[field.name] != given:
                raise StoreMismatch(
                    f"the store {self.path} was made for {field.name} {stored[field.name]!r}, not {given!r}; "
                    "make a new knowledge base, or embed this one's documents again"
                )

    def _connect(self) -> Connection:
        connection = apsw.Connection(str(self.path), flags=apsw.SQLITE_OPEN_READWRITE)
        connection.set_busy_timeout(BUSY_MS)
        connection.pragma("secure_delete", "fast")  # what was deleted is not to be found in the file either
        return connection

    @contextlib.contextmanager
    def _transaction(self, connection: Connection, kind: str) -> Iterator[None]:
        connection.execute(f"BEGIN {kind}")
        try:
            yield
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise

    @contextlib.contextmanager
    def _borrowed(self, kind: str) -> Iterator[Connection]:
        with self._lock:
            if self._closed:
                raise Conflict(f"the store {self.path} is closed")
            connection = self._idle.pop() if self._idle else None
        with translated(self.path):
            connection = connection or self._connect()
            try:
                with self._transaction(connection, kind):
                    yield connection
            finally:
                self._give_back(connection)

    def _give_back(self, connection: Connection) -> None:
        with self._lock:
            if not self._closed:
                self._idle.append(connection)
                return
        connection.close()

    def reading(self) -> contextlib.AbstractContextManager[Connection]:
        """A connection that sees the store as it is now, whatever is written meanwhile."""
        return self._borrowed("DEFERRED")

    def writing(self) -> contextlib.AbstractContextManager[Connection]:
        """A connection in the one transaction that may write; committed at the end, undone after an error."""
        return self._borrowed("IMMEDIATE")

    def close(self) -> None:
        """Close connections that are idle now, and others when they are given back."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def remove(self) -> None:
        """Close, and remove the file and what SQLite keeps beside it."""
        self.close()
        # The file itself last: whoever is killed in between finds it, and begins again.
        for suffix in ("-wal", "-shm", "-journal", ""):
            Path(f"{self.path}{suffix}").unlink(missing_ok=True)

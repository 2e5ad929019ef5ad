"""Rows of a query as documents: one row, one document.

The query runs once per listing, on a connection that can only read, with limits on rows, bytes and time.
"""

from __future__ import annotations

import hashlib
import re
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
from sqlalchemy import Connection, create_engine
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from rocamadre.core.clock import Clock
from rocamadre.core.errors import InvalidRequest
from rocamadre.knowledge.sources.directory import allowed_path
from rocamadre.knowledge.sources.files import only_known, text_of
from rocamadre.knowledge.sources.place import Place
from rocamadre.knowledge.sources.protocol import Attributes, Item, plain_attributes, sized
from rocamadre.knowledge.sources.spool import Spool

Row: TypeAlias = tuple[Any, ...]
_MEMBERS = ("url", "query", "id", "text", "attributes", "timeout_s")
_STEPS = 10_000


class SqlSource:
    """See `Source`. A document's id is `<database>/<value of the id column>`; its version a hash of the row.

    Args:
        url: `sqlite:///file` or `postgresql://…`.
        query: Reads.
        id_column: Its values are unique.
        text_columns: What is searched; of several, each with its name before it.
        attributes: Columns that may be filtered by.
        timeout_s: For the whole query.
        most_rows: More are refused.
        scratch: Holds the rows between listing and reading.
    """

    complete = True

    def __init__(
        self,
        url: URL,
        query: str,
        *,
        id_column: str,
        text_columns: Sequence[str],
        attributes: Sequence[str],
        timeout_s: float,
        most_rows: int,
        scratch: Path,
        clock: Clock,
    ) -> None:
        self._url = url
        self._query = query
        self._id = id_column
        self._texts = text_columns
        self._attributes = attributes
        self._timeout_s = timeout_s
        self._most_rows = most_rows
        self._clock = clock
        self._spool = Spool(scratch / "rows.sqlite")

    def listing(self) -> Iterator[Item]:
        """See `Source.listing`.

        Raises:
            InvalidRequest: the query fails, writes, takes too long, or has not the columns.
        """
        self._spool.clear()
        name = self._url.render_as_string(hide_password=True).partition("?")[0]
        with self._rows() as (columns, rows):
            places = {column: number for number, column in enumerate(columns)}
            for column in (self._id, *self._texts, *self._attributes):
                if column not in places:
                    raise InvalidRequest(f"the query gives no column {column!r}; it gives {', '.join(columns)}")
            for number, row in enumerate(rows):
                if number >= self._most_rows:
                    raise InvalidRequest(
                        f"the query gives over {self._most_rows} rows (setting knowledge.rows); narrow it with WHERE"
                    )
                values = {column: row[place] for column, place in places.items()}
                item, content = self._document(name, values)
                found = plain_attributes({each: _plain(values[each]) for each in self._attributes})
                if not self._spool.add(item, content, found):
                    raise InvalidRequest(
                        f"two rows have the {self._id} {str(values[self._id])[:100]!r}; it must differ"
                    )
        yield from self._spool.items()

    def fetch(self, item: Item) -> bytes | Path:
        """See `Source.fetch`."""
        content = self._spool.content(item)
        sized(item.id, len(content))
        return content

    def attributes(self, item: Item) -> Attributes:
        """See `Source.attributes`."""
        return self._spool.attributes(item)

    def close(self) -> None:
        """See `Source.close`."""
        self._spool.close()

    def _document(self, name: str, values: Mapping[str, Any]) -> tuple[Item, bytes]:
        content = _content(values, self._texts).encode()
        identity = str(values[self._id])
        beside = msgspec.json.encode([_plain(values[each]) for each in self._attributes])
        item = Item(
            id=f"{name}/{identity}",
            version=hashlib.sha256(content).hexdigest(),
            name=f"{re.sub(r'[^0-9A-Za-z._-]', '_', identity)[:100]}.txt",
            size_bytes=len(content),
            media_type="text/plain",
            metadata_version=hashlib.sha256(beside).hexdigest() if self._attributes else "",
        )
        return item, content

    @contextmanager
    def _rows(self) -> Iterator[tuple[list[str], Iterator[Row]]]:
        opened = sqlite_rows if self._url.get_backend_name() == "sqlite" else server_rows
        with opened(self._url, self._query, timeout_s=self._timeout_s, clock=self._clock) as found:
            yield found


def open_source(place: Place, configuration: Mapping[str, Any]) -> SqlSource:
    """Of a loader `{"type": "SQL", "url": …, "query": …, "id": "column", "text": ["column"], "attributes": […]}`.

    Raises:
        InvalidRequest: a member is wrong.
        AccessDenied: the settings do not allow this file.
    """
    only_known(configuration, _MEMBERS, "SQL")
    try:
        url = make_url(text_of(configuration, "url", "SQL"))
    except ArgumentError as error:
        raise InvalidRequest("url is no database URL; one is sqlite:////data/shop.sqlite") from error
    backend = url.get_backend_name()
    if backend not in ("sqlite", "postgresql"):
        raise InvalidRequest(f"url names {backend[:50]!r}; SQL loaders read sqlite and postgresql")
    if backend == "sqlite":
        allowed_path(place, Path(url.database or "").resolve())
    texts = configuration.get("text", ["text"])
    texts = [texts] if isinstance(texts, str) else texts
    timeout_s = configuration.get("timeout_s", 60)
    if not isinstance(timeout_s, int | float) or not 0 < timeout_s <= 3600:
        raise InvalidRequest(f"timeout_s is {timeout_s!r:.50}; it is above 0 and at most 3600 seconds")
    return SqlSource(
        url,
        text_of(configuration, "query", "SQL"),
        id_column=text_of(configuration, "id", "SQL", "id"),
        text_columns=_columns(texts, "text"),
        attributes=_columns(configuration.get("attributes", []), "attributes"),
        timeout_s=float(timeout_s),
        most_rows=place.settings.rows,
        scratch=place.scratch,
        clock=place.clock,
    )


@contextmanager
def sqlite_rows(url: URL, query: str, *, timeout_s: float, clock: Clock) -> Iterator[tuple[list[str], Iterator[Row]]]:
    """Column names and rows of a SQLite file, opened so that it cannot be written.

    Raises:
        InvalidRequest: the file or the query is wrong, or it takes too long.
    """
    path = Path(url.database or "")
    if not path.is_file():
        raise InvalidRequest(f"{path} is no file")
    deadline = clock.monotonic() + timeout_s
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as connection:
            connection.set_authorizer(_only_reading)
            connection.set_progress_handler(lambda: clock.monotonic() > deadline, _STEPS)
            cursor = connection.execute(query)
            if cursor.description is None:
                raise InvalidRequest("the query gives no rows; it must be a SELECT")
            yield [column[0] for column in cursor.description], iter(cursor)
    except (sqlite3.Error, sqlite3.Warning) as error:
        if "interrupted" in str(error):
            raise InvalidRequest(
                f"the query takes over {timeout_s:g} seconds; narrow it, or raise timeout_s"
            ) from error
        raise InvalidRequest(f"the query failed: {str(error)[:300]}") from error


@contextmanager
def server_rows(url: URL, query: str, *, timeout_s: float, clock: Clock) -> Iterator[tuple[list[str], Iterator[Row]]]:
    """Column names and rows of a PostgreSQL server, in a transaction that can only read.

    Raises:
        InvalidRequest: the server or the query is wrong, or it takes too long.
    """
    limits = f"-c default_transaction_read_only=on -c statement_timeout={int(timeout_s * 1000)}"
    engine = create_engine(url.set(drivername="postgresql+psycopg"), connect_args={"options": limits})
    deadline = clock.monotonic() + timeout_s
    try:
        with engine.connect() as connection, closing(_cursor(connection)) as cursor:
            # One row at a time, and by the protocol in which a second statement after a semicolon is an error.
            rows = cursor.stream(query)
            first = next(rows, None)
            yield [column.name for column in cursor.description], _until(deadline, clock, first, rows)
    except (SQLAlchemyError, engine.dialect.loaded_dbapi.Error) as error:
        raise InvalidRequest(f"the query failed: {str(getattr(error, 'orig', None) or error)[:300]}") from error
    finally:
        engine.dispose()


def _cursor(connection: Connection) -> Any:
    return connection.connection.driver_connection.cursor()  # type: ignore[union-attr]  # it is open


def _until(deadline: float, clock: Clock, first: Row | None, rest: Iterator[Row]) -> Iterator[Row]:
    """The server counts a statement's time no more once its rows are being read."""
    if first is None:
        return
    yield first
    for row in rest:
        if clock.monotonic() > deadline:
            raise InvalidRequest("the query's rows take too long to read; narrow it, or raise timeout_s")
        yield row


def _only_reading(action: int, _first: str | None, second: str | None, *_: str | None) -> int:
    """SQLite's own guard: reading rows and calling functions, except the one that loads code."""
    if action == sqlite3.SQLITE_FUNCTION and (second or "").lower() == "load_extension":
        return sqlite3.SQLITE_DENY
    allowed = (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE)
    return sqlite3.SQLITE_OK if action in allowed else sqlite3.SQLITE_DENY


def _content(values: Mapping[str, Any], columns: Sequence[str]) -> str:
    if len(columns) == 1:
        return _written(values[columns[0]])
    return "\n".join(f"{column}: {_written(values[column])}" for column in columns if values[column] is not None)


def _written(value: Any) -> str:
    if isinstance(value, bytes | memoryview):
        return bytes(value).decode("utf-8", "replace")
    return "" if value is None else str(value)


def _plain(value: Any) -> Any:
    """A column's value as an attribute; what JSON lacks (dates, decimals) becomes text."""
    return value if isinstance(value, str | bool | int | float) else _written(value)


def _columns(given: Any, name: str) -> tuple[str, ...]:
    if not isinstance(given, list | tuple) or not all(isinstance(each, str) for each in given):
        raise InvalidRequest(f"{name!r} is a list of columns; {given!r:.100} was given")
    return tuple(given)

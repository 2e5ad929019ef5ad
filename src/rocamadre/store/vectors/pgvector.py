"""A knowledge base in PostgreSQL with pgvector: for those who run a database already.

Each knowledge base has a schema of its own. Up to `INDEXED_FROM` chunks all vectors are compared; beyond, an HNSW index
answers searches without a filter, while filtered ones still compare all that satisfy the filter. Words are scored by
BM25 in SQL, over counts of terms with an inverted index.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, fields
from datetime import UTC, datetime

import numpy as np
from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError, ProgrammingError

from rocamadre.core.errors import Conflict, InvalidRequest, NotFound, Unavailable
from rocamadre.core.settings import Settings
from rocamadre.store.vectors.checks import check_limit, checked, checked_query, weights_of
from rocamadre.store.vectors.filters import (
    Filter,
    encodable,
)
from rocamadre.store.vectors.pgvector_sql import (
    CHUNK,
    TABLES,
    chunk_of,
    clean,
    condition_of,
    frequencies,
    insert,
    number_of,
    vector_text,
)
from rocamadre.store.vectors.protocol import (
    K1,
    B,
    Chunk,
    DocumentRow,
    Hit,
    Replacement,
    StoreDamaged,
    StoreFacts,
    StoreMismatch,
    Vector,
)

SCHEMA = 1
INDEXED_FROM = 20_000
MAX_INDEXED_DIMENSIONS = 2000
EF_SEARCH = 400
MOST_ID_BYTES = 2600
"""Of a document's id with its data source's: an index of PostgreSQL holds keys of 2,704 bytes at most."""


class PgVectors:
    """A `VectorStore` in a schema of a PostgreSQL database.

    Args:
        url: SQLAlchemy URL.
        name: Of the knowledge base; the schema is `kb_<name>`.
        facts: What the store is for.

    Raises:
        StoreMismatch: the schema was made for something else, or by another version.
        InvalidRequest: the database lacks pgvector, or the URL is of another kind of database.
    """

    def __init__(self, url: str, name: str, facts: StoreFacts) -> None:
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,50}", name):
            raise InvalidRequest(f"{name[:100]!r} names no knowledge base")
        if not url.startswith("postgresql"):
            raise InvalidRequest("pgvector needs a PostgreSQL URL in knowledge.postgres_url or in database")
        self._facts = facts
        self._schema = f"kb_{name}"
        options = {"options": f'-csearch_path="{self._schema}",public'}
        self._engine: Engine | None = create_engine(url, connect_args=options, pool_size=2, max_overflow=30)
        try:
            with self._writing() as connection:
                self._settle(connection)
        except BaseException:
            self.close()
            raise

    @property
    def facts(self) -> StoreFacts:
        """What the store was made for."""
        return self._facts

    def _settle(self, connection: Connection) -> None:
        run = connection.exec_driver_sql
        known = run("SELECT 1 FROM pg_namespace WHERE nspname = %s", (self._schema,)).scalar()
        if not known:
            try:
                run("CREATE EXTENSION IF NOT EXISTS vector WITH SCHEMA public")
            except DBAPIError as error:
                raise InvalidRequest(f"the PostgreSQL database cannot have pgvector: {error.orig}") from error
            run(f'CREATE SCHEMA "{self._schema}"')
            run(TABLES.format(dimensions=int(self._facts.dimensions)))
            rows = [(key, str(value)) for key, value in (asdict(self._facts) | {"schema": SCHEMA}).items()]
            run("INSERT INTO facts VALUES(%s, %s)", rows)
        stored: dict[str, str] = dict(run("SELECT name, value FROM facts").all())
        if stored["schema"] != str(SCHEMA):
            raise StoreMismatch(
                f"the schema {self._schema} has version {stored['schema']}, this Rocamadre writes {SCHEMA}"
            )
        for field in fields(self._facts):
            given = str(getattr(self._facts, field.name))
            if stored[field.name] != given:
                raise StoreMismatch(
                    f"the schema {self._schema} was made for {field.name} {stored[field.name]!r}, not {given!r}; "
                    "make a new knowledge base, or embed this one's documents again"
                )

    # Writing

    def replace(
        self, document: str, data_source: str, content_hash: str, chunks: Sequence[Chunk], *, text: str
    ) -> None:
        """Make a document what is given, in one transaction."""
        self.replace_many([Replacement(document, data_source, content_hash, chunks, text)])

    def replace_many(self, items: Sequence[Replacement]) -> None:
        """Make several documents what is given, in one transaction."""
        ready = checked(items, self._facts.dimensions)
        if not ready:
            return
        for item in ready:
            size = len(f"{item.data_source}{item.document}".encode())
            if size > MOST_ID_BYTES:
                raise InvalidRequest(
                    f"document {item.document[:200]!r}: its id has {size} bytes together with its data source's; "
                    f"PostgreSQL takes {MOST_ID_BYTES}. Give it a shorter one, or keep the knowledge base in SQLite"
                )
        with self._writing() as connection:
            connection.exec_driver_sql(
                "DELETE FROM documents WHERE data_source = %s AND id = %s",
                [(clean(item.data_source), clean(item.document)) for item in ready],
            )
            try:
                insert(connection, ready)
            except IntegrityError as error:
                raise InvalidRequest(
                    "a chunk has an id that a chunk of another document has; ids are unique in a knowledge base "
                    "(store.vectors.protocol.chunk_id makes such)"
                ) from error
            self._index(connection)

    def _index(self, connection: Connection) -> None:
        if self._facts.dimensions > MAX_INDEXED_DIMENSIONS:
            return
        run = connection.exec_driver_sql
        if run("SELECT 1 FROM facts WHERE name = 'indexed'").scalar():
            return
        if (run("SELECT count(*) FROM chunks WHERE embedding IS NOT NULL").scalar() or 0) >= INDEXED_FROM:
            run("CREATE INDEX ON chunks USING hnsw(embedding vector_cosine_ops)")
            run("INSERT INTO facts VALUES('indexed', 'hnsw')")

    def delete(self, documents: Sequence[str], *, data_source: str = "") -> None:
        """Remove documents, in one transaction."""
        known = [clean(document) for document in documents if encodable(document)]
        if known:
            with self._writing() as connection:
                connection.exec_driver_sql(
                    "DELETE FROM documents WHERE id = ANY(%s) AND (%s = '' OR data_source = %s)",
                    (known, data_source, data_source),
                )

    # Searching

    def by_vector(self, vector: Vector, *, limit: int, where: Filter | None = None) -> list[Hit]:
        """The nearest chunks by cosine."""
        query = vector_text(checked_query(vector, limit, self._facts.dimensions))
        condition, values = condition_of(where)
        rows = f"SELECT id, embedding FROM chunks WHERE embedding IS NOT NULL AND {condition}"
        nearest = f"SELECT id, 1 - (embedding <=> %s::vector) FROM ({rows}) AS eligible"
        if where is not None:  # an index would look at the nearest of all, and keep too few
            nearest = f"WITH eligible AS MATERIALIZED ({rows}) SELECT id, 1 - (embedding <=> %s::vector) FROM eligible"
        order = "ORDER BY embedding <=> %s::vector, id LIMIT %s"
        first = (*values, query) if where is not None else (query, *values)
        with self._reading() as connection:
            connection.exec_driver_sql(f"SET LOCAL hnsw.ef_search = {max(EF_SEARCH, min(1000, 2 * limit))}")
            if limit > EF_SEARCH:
                connection.exec_driver_sql("SET LOCAL enable_indexscan = off")
            found = connection.exec_driver_sql(f"{nearest} {order}", (*first, query, limit)).all()
        return sorted((Hit(row[0], float(row[1])) for row in found), key=lambda hit: (-hit.score, hit.chunk))

    def by_terms(
        self,
        terms: Sequence[tuple[str, float]],
        *,
        limit: int,
        where: Filter | None = None,
        k1: float = K1,
        b: float = B,
    ) -> list[Hit]:
        """The best chunks by BM25 with weights."""
        check_limit(limit)
        weights = {clean(term): weight for term, weight in weights_of(terms).items()}
        if not weights:
            return []
        with self._reading() as connection:
            total, mean = connection.exec_driver_sql(
                "SELECT count(*), coalesce(avg(length), 0)::float8 FROM chunks WHERE embedding IS NOT NULL"
            ).one()
            often_by_term = frequencies(connection, list(weights))
            factors = [
                weights[term] * float(np.log(1 + (total - often + 0.5) / (often + 0.5)))
                for term, often in often_by_term.items()
            ]
            condition, values = condition_of(where)
            found = connection.exec_driver_sql(
                "WITH wanted AS (SELECT * FROM unnest(%s::text[], %s::float8[]) AS pairs(term, factor)), "
                "held AS (SELECT number, id, length, term, factor, (counts ->> term)::float8 AS often "
                "FROM wanted JOIN chunks ON counts ? term AND embedding IS NOT NULL) "
                "SELECT held.id, "
                "sum(factor * often * (%s + 1) / (often + %s * (1 - %s + %s * held.length / %s))) AS score "
                f"FROM held JOIN chunks USING (number) WHERE {condition} GROUP BY held.id "
                "ORDER BY score DESC, held.id LIMIT %s",
                (list(often_by_term), factors, k1, k1, b, b, mean or 1.0, *values, limit),
            ).all()
        return [Hit(row[0], float(row[1])) for row in found]

    def term_counts(self, terms: Sequence[str]) -> dict[str, int]:
        """How many searchable chunks hold each term."""
        known = {term: clean(term) for term in terms if encodable(term)}
        with self._reading() as connection:
            counts = frequencies(connection, list(known.values()))
        return {term: counts.get(known.get(term, ""), 0) for term in terms}

    # Reading

    def documents(self, *, data_source: str = "") -> Iterator[DocumentRow]:
        """What is held, by data source and id."""
        with self._reading() as connection:
            rows = connection.exec_driver_sql(
                "SELECT id, data_source, content_hash, chunks, updated FROM documents "
                "WHERE %s = '' OR data_source = %s ORDER BY data_source, id",
                (data_source, data_source),
            ).all()
        return (
            DocumentRow(document, source, content_hash, chunks, datetime.fromtimestamp(updated, UTC))
            for document, source, content_hash, chunks, updated in rows
        )

    def count(self) -> int:
        """How many chunks can be searched."""
        return sum(self.languages().values())

    def languages(self) -> dict[str, int]:
        """How many searchable chunks are in each language."""
        with self._reading() as connection:
            rows = connection.exec_driver_sql(
                "SELECT language, count(*) FROM chunks WHERE embedding IS NOT NULL GROUP BY language ORDER BY language"
            ).all()
        return {language: count for language, count in rows}

    def chunks(self, ids: Sequence[str]) -> list[Chunk]:
        """Chunks with their vectors, in the order of `ids`."""
        known = [clean(each) for each in ids if encodable(each)]
        with self._reading() as connection:
            rows = connection.exec_driver_sql(
                f"{CHUNK} FROM unnest(%s::text[]) WITH ORDINALITY AS wanted(id, place) "
                'JOIN chunks ON chunks.id = wanted.id COLLATE "C" '
                "JOIN documents ON documents.number = document ORDER BY place",
                (known,),
            ).all()
        return list(map(chunk_of, rows))

    def of_document(self, document: str, *, data_source: str = "") -> list[Chunk]:
        """A document's chunks as they were given."""
        with self._reading() as connection:
            rows = connection.exec_driver_sql(
                f"{CHUNK} FROM chunks JOIN documents ON documents.number = document "
                "WHERE document = %s ORDER BY position",
                (number_of(connection, document, data_source),),
            ).all()
        return list(map(chunk_of, rows))

    def text(self, document: str, *, data_source: str = "") -> str:
        """A document's parsed text."""
        with self._reading() as connection:
            number = number_of(connection, document, data_source)
            text = connection.exec_driver_sql("SELECT text FROM documents WHERE number = %s", (number,)).scalar()
        if text is None:
            raise NotFound(f"the knowledge base has no document {document[:200]!r}")
        return str(text)

    # Connections

    def close(self) -> None:
        """Let connections go."""
        engine, self._engine = self._engine, None
        if engine is not None:
            engine.dispose()

    def destroy(self) -> None:
        """Close, and remove the schema with all that is in it."""
        if self._engine is None:
            return
        with self._writing() as connection:
            connection.exec_driver_sql(f'DROP SCHEMA IF EXISTS "{self._schema}" CASCADE')
        self.close()

    @contextlib.contextmanager
    def _connected(self, isolation: str) -> Iterator[Connection]:
        if self._engine is None:
            raise Conflict(f"the store {self._schema} is closed")
        try:
            with self._engine.connect().execution_options(isolation_level=isolation) as connection, connection.begin():
                yield connection
        except OperationalError as error:
            raise Unavailable(f"the PostgreSQL of the knowledge base does not answer: {error.orig}") from error
        except ProgrammingError as error:
            raise StoreDamaged(f"the schema {self._schema} is not what was made: {error.orig}") from error

    def _reading(self) -> contextlib.AbstractContextManager[Connection]:
        """A transaction that sees one state."""
        return self._connected("REPEATABLE READ")

    @contextlib.contextmanager
    def _writing(self) -> Iterator[Connection]:
        """The one transaction that may write to this store."""
        with self._connected("READ COMMITTED") as connection:
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (self._schema,))
            yield connection


def open_pgvector(settings: Settings, knowledge_base: str, facts: StoreFacts) -> PgVectors:
    """The schema of a knowledge base in the database that the settings name."""
    return PgVectors(settings.knowledge.postgres_url or settings.database, knowledge_base, facts)

"""What `pgvector.py` says to PostgreSQL: tables, rows, conditions."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import numpy as np
from sqlalchemy import Connection

from rocamadre.store.vectors.filters import (
    Condition,
    Filter,
    Fragment,
    Scalar,
    after_prefix,
    attributes,
    compile_filter,
    encodable,
    kind_of,
)
from rocamadre.store.vectors.protocol import Chunk, Replacement, Vector

_LISTED = 3  # added to the kind of a list's members
_ORDERS = {"greaterThan": ">", "greaterThanOrEquals": ">=", "lessThan": "<", "lessThanOrEquals": "<="}
TABLES = """
CREATE TABLE facts(name text PRIMARY KEY, value text NOT NULL);
CREATE TABLE documents(
    number bigserial PRIMARY KEY, data_source text COLLATE "C" NOT NULL, id text COLLATE "C" NOT NULL,
    content_hash text NOT NULL, chunks integer NOT NULL, updated double precision NOT NULL, text text NOT NULL,
    UNIQUE(data_source, id));
CREATE INDEX ON documents(id);
CREATE TABLE chunks(
    number bigserial PRIMARY KEY, id text COLLATE "C" NOT NULL UNIQUE,
    document bigint NOT NULL REFERENCES documents ON DELETE CASCADE, position integer NOT NULL,
    first bigint NOT NULL, stop bigint NOT NULL, language text COLLATE "C" NOT NULL, page integer,
    headings text NOT NULL, parent text NOT NULL, metadata text NOT NULL, text text NOT NULL, terms text NOT NULL,
    length integer NOT NULL, counts jsonb NOT NULL, embedding vector({dimensions}));
CREATE INDEX ON chunks(document, position);
CREATE INDEX ON chunks USING gin(counts) WHERE embedding IS NOT NULL;
CREATE TABLE attributes(
    chunk bigint NOT NULL REFERENCES chunks ON DELETE CASCADE, key text COLLATE "C" NOT NULL, kind smallint NOT NULL,
    string text COLLATE "C", number numeric);
CREATE INDEX ON attributes(chunk, key);
CREATE INDEX ON attributes(key, kind, number);
"""
_COLUMNS = (
    "id, document, position, first, stop, language, page, headings, parent, metadata, text, terms, length, counts, "
    "embedding"
)
_TYPES = (
    ("text",) * 3 + ("integer", "bigint", "bigint", "text", "integer") + ("text",) * 5 + ("integer", "text", "text")
)
CHUNK = """
SELECT chunks.id, documents.id, chunks.text, first, stop, language, terms, metadata, page, headings, parent,
       vector_send(embedding)
"""
_ATTRIBUTES = ("text", "text", "smallint", "text", "numeric")


def clean(text: str) -> str:
    """PostgreSQL's texts hold no NUL; another single character keeps all positions."""
    return text.replace("\0", "�")


def vector_text(vector: Vector) -> str:
    """A vector as pgvector reads it."""
    return f"[{','.join(map(str, vector.tolist()))}]"


def insert(connection: Connection, items: Sequence[Replacement]) -> None:
    """Write documents, chunks and attributes: one statement for each table."""
    run = connection.exec_driver_sql
    now = time.time()
    documents = [
        (*map(clean, (item.data_source, item.document, item.content_hash)), len(item.chunks), now, clean(item.text))
        for item in items
    ]
    columns = "data_source, id, content_hash, chunks, updated, text"
    types = ("text", "text", "text", "integer", "float8", "text")
    run(f"INSERT INTO documents({columns}) SELECT * FROM {_unnest(types)}", _turned(documents))
    rows = [
        (clean(item.data_source), clean(item.document), *_row(position, chunk))
        for item in items
        for position, chunk in enumerate(item.chunks)
    ]
    if rows:
        run(
            f"INSERT INTO chunks({_COLUMNS}) SELECT new.id, number, position, first, stop, language, page, headings, "
            "parent, metadata, new.text, terms, length, counts::jsonb, embedding::vector "
            f"FROM {_unnest(_TYPES)} AS new(data_source, document, {_COLUMNS.replace('document, ', '')}) "
            "JOIN documents ON documents.data_source = new.data_source AND documents.id = new.document "
            "ORDER BY number, position",
            _turned(rows),
        )
    owned = [
        (clean(chunk.id), clean(key), kind_of(scalar) + _LISTED * listed, *_typed(scalar))
        for item in items
        for chunk in item.chunks
        if chunk.embedding is not None
        for key, listed, scalar in attributes(chunk.metadata)
    ]
    if owned:
        run(
            "INSERT INTO attributes SELECT number, key, kind, string, new.number_ "
            f"FROM {_unnest(_ATTRIBUTES)} AS new(chunk, key, kind, string, number_) "
            "JOIN chunks ON chunks.id = new.chunk",
            _turned(owned),
        )


def _unnest(types: Sequence[str]) -> str:
    return f"unnest({', '.join(f'%s::{each}[]' for each in types)})"


def _turned(rows: Sequence[tuple[Any, ...]]) -> tuple[list[Any], ...]:
    """Columns of rows."""
    return tuple(map(list, zip(*rows, strict=True)))


def _row(position: int, chunk: Chunk) -> tuple[Any, ...]:
    terms = clean(chunk.terms).split()
    return (
        clean(chunk.id),
        position,
        chunk.start,
        chunk.end,
        clean(chunk.language),
        chunk.page,
        json.dumps(chunk.headings, ensure_ascii=False),
        clean(chunk.parent),
        json.dumps(dict(chunk.metadata), ensure_ascii=False),
        clean(chunk.text),
        clean(chunk.terms),
        len(terms),
        json.dumps(Counter(terms), ensure_ascii=False),
        None if chunk.embedding is None else vector_text(chunk.embedding),
    )


def _typed(scalar: Scalar) -> tuple[str | None, Decimal | None]:
    """A scalar as it goes into `attributes`: string and number, one of them nothing."""
    if isinstance(scalar, str):
        return clean(scalar), None
    return None, Decimal(repr(scalar)) if isinstance(scalar, float) else Decimal(int(scalar))


def condition_of(where: Filter | None) -> Fragment:
    """A filter as SQL about `chunks`."""
    return ("true", []) if where is None else compile_filter(where, _condition)


def _condition(where: Condition) -> Fragment:
    parts = [_compared(where, value) for value in (where.value if isinstance(where.value, tuple) else (where.value,))]
    sql = " OR ".join(f"({part})" for part, _ in parts)
    exists = f"EXISTS (SELECT 1 FROM attributes AS held WHERE held.chunk = chunks.number AND held.key = %s AND ({sql}))"
    return exists, [clean(where.key), *(value for _, values in parts for value in values)]


def _compared(where: Condition, scalar: Scalar) -> Fragment:
    string, number = _typed(scalar)
    column, value = ("held.string", string) if number is None else ("held.number", number)
    kind = kind_of(scalar)
    kinds = (
        f"held.kind = {kind + _LISTED}"
        if where.operator == "listContains"
        else f"held.kind IN ({kind}, {kind + _LISTED})"
    )
    if where.operator == "startsWith":
        after = after_prefix(str(value))
        return (
            (f"{kinds} AND {column} >= %s", [value])
            if after is None
            else (f"{kinds} AND {column} >= %s AND {column} < %s", [value, after])
        )
    if where.operator == "stringContains":
        return f"{kinds} AND position(%s IN {column}) > 0", [value]
    return f"{kinds} AND {column} {_ORDERS.get(where.operator, '=')} %s", [value]


def frequencies(connection: Connection, terms: list[str]) -> dict[str, int]:
    """How many searchable chunks hold each term; those that none holds are left out."""
    rows = connection.exec_driver_sql(
        "SELECT term, count(*) FROM unnest(%s::text[]) AS wanted(term) "
        "JOIN chunks ON counts ? term AND embedding IS NOT NULL GROUP BY term",
        (terms,),
    ).all()
    return {term: count for term, count in rows}


def number_of(connection: Connection, document: str, data_source: str) -> int | None:
    """A document's number."""
    if not encodable(document):
        return None
    number: int | None = connection.exec_driver_sql(
        "SELECT number FROM documents WHERE id = %s AND (%s = '' OR data_source = %s) ORDER BY data_source LIMIT 1",
        (clean(document), data_source, data_source),
    ).scalar()
    return number


def chunk_of(row: Any) -> Chunk:
    """A row of `CHUNK`."""
    identity, document, text, start, end, language, terms, metadata, page, headings, parent, vector = row
    embedding = None if vector is None else np.frombuffer(vector, ">f4", offset=4).astype(np.float32)
    return Chunk(
        identity,
        document,
        text,
        start,
        end,
        language,
        terms,
        json.loads(metadata),
        page,
        tuple(json.loads(headings)),
        parent,
        embedding,
    )

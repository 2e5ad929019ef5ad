"""Vectors of an index: put, get, list, query, delete. A query compares all of them."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, delete, insert, select

from rocamadre.core.context import Context
from rocamadre.neighbours.s3vectors.errors import VectorsInvalid
from rocamadre.neighbours.s3vectors.filters import compile_filter
from rocamadre.neighbours.s3vectors.operations import VectorIndex, find_index
from rocamadre.neighbours.s3vectors.tables import VECTORS

MAX_TOP_K = 100
MAX_METADATA_BYTES = 40 * 1024
MAX_FILTERABLE_BYTES = 2 * 1024
MAX_METADATA_KEYS = 50
_ROUND = 1000
_SEVERAL = 500

Floats = NDArray[np.float32]


class Vector(NamedTuple):
    """A stored vector."""

    key: str
    data: Floats
    metadata: dict[str, Any]


class Found(NamedTuple):
    """A vector near a query; cosine distance (1 minus the cosine), or Euclid's."""

    key: str
    distance: float
    metadata: dict[str, Any]


def put_vectors(ctx: Context, members: Mapping[str, Any], vectors: Sequence[Mapping[str, Any]]) -> None:
    """Write vectors; one whose key is there replaces it. All or none are written.

    Raises:
        VectorsInvalid: a vector has another dimension, is not finite or (for cosines) zero, or its metadata do not fit.
    """
    with ctx.platform.sql.begin() as tx:
        index = find_index(tx, ctx, members)
        rows = {}
        for vector in vectors:
            data = _checked(vector["data"].get("float32"), index, f"the vector {vector['key'][:100]!r}")
            metadata = _metadata(vector.get("metadata") or {}, index, vector["key"])
            row = {"data": data.astype("<f4").tobytes(), "metadata": metadata, "account": ctx.account}
            rows[vector["key"]] = {"index_id": index.id, "key": vector["key"], **row}
        _delete(tx, index, list(rows))
        tx.execute(insert(VECTORS), list(rows.values()))


def delete_vectors(ctx: Context, members: Mapping[str, Any], keys: Sequence[str]) -> None:
    """Remove vectors; keys that are not there are passed over."""
    with ctx.platform.sql.begin() as tx:
        _delete(tx, find_index(tx, ctx, members), keys)


def _delete(tx: Connection, index: VectorIndex, keys: Sequence[str]) -> None:
    tx.execute(delete(VECTORS).where(VECTORS.c.index_id == index.id, VECTORS.c.key.in_(keys)))


def get_vectors(ctx: Context, members: Mapping[str, Any], keys: Sequence[str]) -> list[Vector]:
    """Those vectors that are there, in the order of their keys in the request."""
    with ctx.platform.sql.connect() as connection:
        index = find_index(connection, ctx, members)
        rows = connection.execute(select(VECTORS).where(VECTORS.c.index_id == index.id, VECTORS.c.key.in_(keys)))
        found = {row.key: _vector(row) for row in rows}
    return [found[key] for key in dict.fromkeys(keys) if key in found]


def list_vectors(
    ctx: Context, members: Mapping[str, Any], *, after: str, limit: int, segment: int = 0, segments: int = 1
) -> list[Vector]:
    """Vectors by key.

    Args:
        ctx: Whose.
        members: Of the request, which name the index.
        after: The key before the first.
        limit: At most so many.
        segment: Of `segments` parts, which together are the whole index.
        segments: How many parts there are.
    """
    found: list[Vector] = []
    with ctx.platform.sql.connect() as connection:
        index = find_index(connection, ctx, members)
        while len(found) < limit:
            query = select(VECTORS).where(VECTORS.c.index_id == index.id, VECTORS.c.key > after)
            rows = connection.execute(query.order_by(VECTORS.c.key).limit(_SEVERAL)).all()
            found += [_vector(row) for row in rows if zlib.crc32(row.key.encode()) % segments == segment]
            if len(rows) < _SEVERAL:
                break
            after = rows[-1].key
    return found[:limit]


def query_vectors(
    ctx: Context, members: Mapping[str, Any], query: Mapping[str, Any], *, top_k: int, where: Any = None
) -> tuple[VectorIndex, list[Found]]:
    """The nearest vectors, nearest first, ties by key.

    Raises:
        VectorsInvalid: the query does not fit the index, or the filter is none.
    """
    if not 1 <= top_k <= MAX_TOP_K:
        raise VectorsInvalid(f"topK is {top_k}; it must be 1 to {MAX_TOP_K}")
    with ctx.platform.sql.connect() as connection:
        index = find_index(connection, ctx, members)
        wanted = _checked(query.get("float32"), index, "the query vector").astype(np.float64)
        test = compile_filter(where, index.not_filterable) if where is not None else None
        columns = select(VECTORS.c.key, VECTORS.c.data, VECTORS.c.metadata).where(VECTORS.c.index_id == index.id)
        near: list[Found] = []
        for rows in connection.execute(columns.execution_options(yield_per=_ROUND)).partitions():
            kept = [(row, json.loads(row.metadata)) for row in rows]
            kept = [(row, metadata) for row, metadata in kept if test is None or test(metadata)]
            if kept:
                data = np.frombuffer(b"".join(row.data for row, _ in kept), "<f4").reshape(len(kept), -1)
                distances = _distances(data.astype(np.float64), wanted, index.metric)
                near += [
                    Found(row.key, float(distance), metadata)
                    for (row, metadata), distance in zip(kept, distances, strict=True)
                ]
                near = sorted(near, key=lambda found: (found.distance, found.key))[:top_k]
    return index, near


def _distances(data: NDArray[np.float64], query: NDArray[np.float64], metric: str) -> NDArray[np.float64]:
    if metric == "euclidean":
        return np.asarray(np.linalg.norm(data - query, axis=1), np.float64)
    cosines = data @ query / (np.linalg.norm(data, axis=1) * np.linalg.norm(query))
    return np.asarray(1 - np.clip(cosines, -1, 1), np.float64)


def _checked(numbers: Any, index: VectorIndex, what: str) -> Floats:
    if numbers is None:
        raise VectorsInvalid(f"{what} must be given as float32")
    with np.errstate(over="ignore"):
        data = np.array(numbers, np.float32)
    if data.shape != (index.dimension,):
        raise VectorsInvalid(f"{what} has {data.size} dimensions; the index {index.name} has {index.dimension}")
    if not np.isfinite(data).all():
        raise VectorsInvalid(f"{what} holds a number that is no finite float32")
    if index.metric == "cosine" and not data.any():
        raise VectorsInvalid(f"{what} is zero, which has no cosine distance to anything")
    return data


def _metadata(metadata: Any, index: VectorIndex, key: str) -> str:
    what = f"the metadata of the vector {key[:100]!r}"
    if not isinstance(metadata, Mapping):
        raise VectorsInvalid(f"{what} must be a JSON object")
    if len(metadata) > MAX_METADATA_KEYS:
        raise VectorsInvalid(f"{what} has {len(metadata)} keys; at most {MAX_METADATA_KEYS} are allowed")
    for name, value in metadata.items():
        members = value if isinstance(value, list) else [value]
        if name not in index.not_filterable and not all(isinstance(each, str | int | float) for each in members):
            raise VectorsInvalid(
                f"{what}: {name!r} must be a string, a number, a boolean or a list of them, or be named in "
                "nonFilterableMetadataKeys of the index"
            )
    filterable = {name: value for name, value in metadata.items() if name not in index.not_filterable}
    for part, most, name in (
        (metadata, MAX_METADATA_BYTES, "in all"),
        (filterable, MAX_FILTERABLE_BYTES, "filterable"),
    ):
        size = len(json.dumps(part, ensure_ascii=False).encode("utf-8", "surrogatepass"))
        if size > most:
            raise VectorsInvalid(f"{what} has {size} bytes {name}; at most {most} are allowed")
    return json.dumps(metadata)


def _vector(row: Any) -> Vector:
    return Vector(row.key, np.frombuffer(row.data, "<f4"), json.loads(row.metadata))

"""What every store asks of what it is given."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from rocamadre.core.errors import InvalidRequest
from rocamadre.store.vectors.filters import encodable
from rocamadre.store.vectors.protocol import Chunk, Replacement, Vector

LENGTH_TOLERANCE = 0.01


def checked(items: Sequence[Replacement], dimensions: int) -> list[Replacement]:
    """Replacements that a store can take; of two for the same document the later one.

    Raises:
        InvalidRequest: a chunk does not fit; the message names its document.
    """
    last = {(item.data_source, item.document): item for item in items}
    seen: set[str] = set()
    for item in last.values():
        where = f"document {item.document[:200]!r}"
        if not item.document or not encodable("".join((item.document, item.data_source, item.content_hash, item.text))):
            raise InvalidRequest(f"{where}: its id, data source, hash and text must be UTF-8, and its id not empty")
        metadata: Mapping[str, Any] | None = None
        for chunk in item.chunks:
            # Chunks of a document mostly have one and the same.
            _check(chunk, item.document, dimensions, _strings(chunk) if chunk.metadata is not metadata else [])
            metadata = chunk.metadata
            if chunk.id in seen:
                raise _refused(chunk, "another chunk has its id; ids are unique")
            seen.add(chunk.id)
    _check_lengths([chunk for item in last.values() for chunk in item.chunks if chunk.embedding is not None])
    return list(last.values())


def _refused(chunk: Chunk, why: str) -> InvalidRequest:
    return InvalidRequest(f"document {chunk.document[:200]!r}, chunk {chunk.id[:100]!r}: {why}")


def _check(chunk: Chunk, document: str, dimensions: int, more: list[str]) -> None:
    if not chunk.id:
        raise _refused(chunk, "its id is empty")
    if chunk.document != document:
        raise _refused(chunk, f"it is given as one of document {document[:200]!r}")
    if not 0 <= chunk.start <= chunk.end < 2**62:
        raise _refused(chunk, f"its span {chunk.start} to {chunk.end} is none")
    strings = [chunk.id, chunk.text, chunk.terms, chunk.language, chunk.parent, *chunk.headings, *more]
    if not encodable("".join(strings)):
        raise _refused(chunk, "its text or metadata hold half a character (a lone surrogate)")
    vector = chunk.embedding
    if vector is not None and (vector.shape != (dimensions,) or vector.dtype != np.float32):
        raise _refused(chunk, f"its vector is {vector.dtype} {vector.shape}; this store's are float32 ({dimensions},)")


def _strings(chunk: Chunk) -> list[str]:
    """Every string among a chunk's metadata, whose values are looked at on the way."""
    found: list[str] = []
    for key, value in chunk.metadata.items():
        found.append(key)
        for each in value if isinstance(value, list | tuple) else (value,):
            if isinstance(each, str):
                found.append(each)
            elif not isinstance(each, int | float) or not math.isfinite(each):
                raise _refused(
                    chunk,
                    f"metadata {str(key)[:100]!r} is {type(each).__name__}; strings, finite numbers, booleans and "
                    "lists of them are allowed",
                )
    return found


def _check_lengths(chunks: Sequence[Chunk]) -> None:
    if not chunks:
        return
    vectors = np.stack([chunk.embedding for chunk in chunks if chunk.embedding is not None])
    lengths = np.sqrt(np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64))
    wrong = np.flatnonzero(~(np.abs(lengths - 1) <= LENGTH_TOLERANCE))  # also what is no number
    if len(wrong):
        raise _refused(chunks[wrong[0]], f"its vector has length {lengths[wrong[0]]:.4g}; it must be 1")


def checked_query(vector: Vector, limit: int, dimensions: int) -> Vector:
    """A query of unit length.

    Raises:
        InvalidRequest: it has another shape, is zero or not finite, or the limit is not positive.
    """
    check_limit(limit)
    query = np.ascontiguousarray(vector, np.float32)
    if query.shape != (dimensions,) or not np.isfinite(query).all():
        raise InvalidRequest(
            f"the query's vector has shape {query.shape}; it must be ({dimensions},), of finite numbers"
        )
    length = float(np.linalg.norm(query.astype(np.float64)))
    if not length > 0:
        raise InvalidRequest("the query's vector is zero; a direction is needed")
    return (query / np.float32(length)).astype(np.float32)


def check_limit(limit: int) -> None:
    """Raise InvalidRequest for a limit that is not positive."""
    if limit < 1:
        raise InvalidRequest(f"a search returns at least 1 chunk; the limit is {limit}")


def weights_of(terms: Sequence[tuple[str, float]]) -> dict[str, float]:
    """Terms with the sum of their weights; what no chunk can hold is left out.

    >>> weights_of([("a", 1.0), ("b", 0.5), ("a", 0.5)])
    {'a': 1.5, 'b': 0.5}
    """
    weights: dict[str, float] = {}
    for term, weight in terms:
        if encodable(term):
            weights[term] = weights.get(term, 0.0) + weight
    return weights

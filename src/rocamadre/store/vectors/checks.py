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
        if not item.document or not all(
            map(encodable, (item.document, item.data_source, item.content_hash, item.text))
        ):
            raise InvalidRequest(f"{where}: its id, data source, hash and text must be UTF-8, and its id not empty")
        for chunk in item.chunks:
            _check(chunk, f"{where}, chunk {chunk.id[:100]!r}", item.document, dimensions)
            if chunk.id in seen:
                raise InvalidRequest(f"{where}: two chunks have the id {chunk.id[:100]!r}; ids are unique")
            seen.add(chunk.id)
    return list(last.values())


def _check(chunk: Chunk, where: str, document: str, dimensions: int) -> None:
    if not chunk.id:
        raise InvalidRequest(f"{where}: its id is empty")
    if chunk.document != document:
        raise InvalidRequest(f"{where}: it says that it is of document {chunk.document[:200]!r}")
    if not 0 <= chunk.start <= chunk.end < 2**62:
        raise InvalidRequest(f"{where}: its span {chunk.start} to {chunk.end} is none")
    strings = (chunk.id, chunk.text, chunk.terms, chunk.language, chunk.parent, *chunk.headings)
    if not all(map(encodable, strings)):
        raise InvalidRequest(f"{where}: its text holds half a character (a lone surrogate)")
    _check_metadata(chunk.metadata, where)
    if chunk.embedding is not None:
        _check_vector(chunk.embedding, where, dimensions)
        length = float(np.linalg.norm(chunk.embedding))
        if abs(length - 1) > LENGTH_TOLERANCE:
            raise InvalidRequest(f"{where}: its vector has length {length:.4g}; it must be 1")


def _check_metadata(metadata: Mapping[str, Any], where: str) -> None:
    for key, value in metadata.items():
        if not encodable(key):
            raise InvalidRequest(f"{where}: its metadata hold half a character (a lone surrogate)")
        for each in value if isinstance(value, list | tuple) else (value,):
            if isinstance(each, str):
                if not encodable(each):
                    raise InvalidRequest(f"{where}: its metadata hold half a character (a lone surrogate)")
            elif not isinstance(each, bool | int | float) or not math.isfinite(each):
                raise InvalidRequest(
                    f"{where}: metadata {str(key)[:100]!r} is {type(each).__name__}; strings, finite numbers, "
                    "booleans and lists of them are allowed"
                )


def _check_vector(vector: Vector, where: str, dimensions: int) -> None:
    if vector.shape != (dimensions,):
        raise InvalidRequest(f"{where}: its vector has shape {vector.shape}; this store's have ({dimensions},)")
    if vector.dtype != np.float32 or not np.isfinite(vector).all():
        raise InvalidRequest(f"{where}: its vector must be of finite float32, not {vector.dtype}")


def checked_query(vector: Vector, limit: int, dimensions: int) -> Vector:
    """A query of unit length.

    Raises:
        InvalidRequest: it has another shape, is zero or not finite, or the limit is not positive.
    """
    check_limit(limit)
    query = np.ascontiguousarray(vector, np.float32)
    _check_vector(query, "the query", dimensions)
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

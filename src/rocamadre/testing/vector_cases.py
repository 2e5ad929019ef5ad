"""What the suite of vector stores works on: made-up documents, a BM25 to compare with, and a writer to be killed."""

from __future__ import annotations

import json
import math
import random
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from rocamadre.store.vectors.pgvector import PgVectors
from rocamadre.store.vectors.protocol import Chunk, Replacement, StoreFacts, Vector, VectorStore, chunk_id
from rocamadre.store.vectors.sqlite import SqliteVectors

DIMENSIONS = 32
FACTS = StoreFacts("suite-embedder", DIMENSIONS, "hash-of-weights", "hash-of-settings")
WORDS = tuple(f"w{number}" for number in range(60))

Metadata = Mapping[str, Any]


def unit(*numbers: float, dimensions: int = DIMENSIONS) -> Vector:
    """A vector of unit length that begins so."""
    vector = np.zeros(dimensions, np.float32)
    vector[: len(numbers)] = numbers
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def directions(count: int, *, seed: int = 0, dimensions: int = DIMENSIONS) -> Vector:
    """Random vectors of unit length `(count, dimensions)`, gathered around a few centres, off zero."""
    numbers = np.random.default_rng(seed)
    centres = numbers.standard_normal((20, dimensions))
    near = (
        centres[numbers.integers(len(centres), size=count)] + 0.7 * numbers.standard_normal((count, dimensions)) + 0.4
    )
    vectors: Vector = (near / np.linalg.norm(near, axis=1, keepdims=True)).astype(np.float32)
    return vectors


def chunk(
    document: str,
    text: str,
    embedding: Vector | None,
    *,
    at: int = 0,
    source: str = "ds",
    terms: str | None = None,
    metadata: Metadata | None = None,
    language: str = "en",
    parent: str = "",
) -> Chunk:
    """A chunk whose terms are its words, unless others are given."""
    stop = at + len(text)
    identity = chunk_id(source, document, at, stop, text)
    terms = text.lower() if terms is None else terms
    return Chunk(identity, document, text, at, stop, language, terms, metadata or {}, 3, ("A", "B"), parent, embedding)


def one(document: str, text: str, embedding: Vector | None, **more: Any) -> Replacement:
    """A document of one chunk."""
    source = more.get("source", "ds")
    return Replacement(document, source, f"hash of {text}", [chunk(document, text, embedding, **more)], text)


def many(count: int, *, seed: int = 0, metadata: Callable[[int], Metadata] | None = None) -> list[Replacement]:
    """Documents `d0`, `d1`, … of one chunk each, with random words and vectors."""
    chance = random.Random(seed)
    vectors = directions(count, seed=seed)
    made = []
    for number in range(count):
        words = " ".join(chance.choices(WORDS, weights=[1 / (rank + 1) for rank in range(len(WORDS))], k=12))
        own = metadata(number) if metadata else {"number": number}
        language = chance.choice(("en", "es", "pt"))
        made.append(one(f"d{number}", words, vectors[number], metadata=own, language=language))
    return made


def bm25(
    documents: Sequence[Replacement], terms: Sequence[tuple[str, float]], *, k1: float, b: float
) -> dict[str, float]:
    """Scores by chunk id, straight from the formula, of the chunks that hold a term."""
    counted = {
        each.id: Counter(each.terms.split()) for item in documents for each in item.chunks if each.embedding is not None
    }
    mean = sum(sum(counts.values()) for counts in counted.values()) / max(len(counted), 1)
    frequency = Counter(term for counts in counted.values() for term in counts)
    scores: dict[str, float] = {}
    for identity, counts in counted.items():
        for term, weight in terms:
            if counts[term]:
                rarity = math.log(1 + (len(counted) - frequency[term] + 0.5) / (frequency[term] + 0.5))
                damping = k1 * (1 - b + b * sum(counts.values()) / mean)
                gained = weight * rarity * counts[term] * (k1 + 1) / (counts[term] + damping)
                scores[identity] = scores.get(identity, 0.0) + gained
    return scores


def load(target: str, arguments: Sequence[Any]) -> VectorStore:
    """Call `module:function`, which opens a store."""
    module, _, name = target.partition(":")
    opened: VectorStore = getattr(import_module(module), name)(*arguments)
    return opened


def open_sqlite(folder: str, name: str, facts: StoreFacts = FACTS) -> VectorStore:
    """A store in a file of a folder."""
    return SqliteVectors(Path(folder) / f"{name}.sqlite", facts)


def open_pgvector(url: str, prefix: str, name: str, facts: StoreFacts = FACTS) -> VectorStore:
    """A store in a schema of a PostgreSQL database."""
    return PgVectors(url, f"{prefix}_{name}", facts)


def batch(number: int) -> list[Replacement]:
    """What the writer writes in its n-th transaction: 3 documents of 4 chunks, one of them replaced every time."""
    vectors = directions(12, seed=number)
    items = []
    for at, name in enumerate(("same", f"b{number}-1", f"b{number}-2")):
        chunks = [
            chunk(
                name,
                f"batch{number} part{part} {name}",
                vectors[4 * at + part],
                at=100 * part,
                metadata={"batch": number},
            )
            for part in range(4)
        ]
        items.append(Replacement(name, "ds", f"hash {number}", chunks, "x" * 400))
    return items


def write_until_killed(target: str, arguments: str) -> None:
    """Write batch after batch, and print the number of each that was written."""
    store = load(target, json.loads(arguments))
    number = 0
    while True:
        store.replace_many(batch(number))
        if number >= 8:
            store.delete([f"b{number - 8}-1"])
        print(number, flush=True)
        number += 1


if __name__ == "__main__":
    write_until_killed(*sys.argv[1:])

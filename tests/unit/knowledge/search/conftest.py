"""A store of a few documents in three languages, and an embedder that is a bag of hashed words."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from rocamadre.knowledge.languages import analyse
from rocamadre.store.vectors.protocol import Chunk, Replacement, StoreFacts, chunk_id
from rocamadre.store.vectors.sqlite import SqliteVectors

DIMENSIONS = 128
FACTS = StoreFacts("rocamadre.minilm-l6-v2:0", DIMENSIONS)


def embed(texts: Sequence[str]) -> np.ndarray:
    """Unit vectors; texts that share words are near."""
    rows = np.full((len(texts), DIMENSIONS), 1e-3, np.float32)
    for row, text in zip(rows, texts, strict=True):
        for term in analyse(text, ""):
            row[int.from_bytes(hashlib.blake2b(term.encode(), digest_size=4).digest()) % DIMENSIONS] += 1
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def piece(text: str, language: str = "en", *, document: str = "", start: int = 0, parent: str = "", held: bool = False):
    """A chunk; `held` makes a parent of it."""
    name = document or text[:20]
    return Chunk(
        id=chunk_id("ds", name, start, start + len(text), text),
        document=name,
        text=text,
        start=start,
        end=start + len(text),
        language=language,
        terms=" ".join(analyse(text, language)),
        metadata={"topic": name},
        parent=parent,
        embedding=None if held else embed([text])[0],
    )


@pytest.fixture
def filled(tmp_path: Path) -> Iterator[Callable[..., SqliteVectors]]:
    """Makes a store of chunks."""
    made: list[SqliteVectors] = []

    def make(*chunks: Chunk) -> SqliteVectors:
        store = SqliteVectors(tmp_path / f"{len(made)}.sqlite", FACTS)
        made.append(store)
        by_document: dict[str, list[Chunk]] = {}
        for chunk in chunks:
            by_document.setdefault(chunk.document, []).append(chunk)
        store.replace_many([Replacement(name, "ds", name, own, "") for name, own in by_document.items()])
        return store

    yield make
    for store in made:
        store.close()

"""The teacher's vectors, made once and kept: all-MiniLM-L6-v2 as the platform runs it."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

import numpy as np

from rocamadre.engines.embed.child import EmbeddingModel

SHARD = 2048
BATCH_TOKENS = 768


def vectors(model: EmbeddingModel, texts: list[str]) -> np.ndarray:
    ids = [model.truncate(tokens) for tokens in model.token_ids(texts)]
    order = sorted(range(len(ids)), key=lambda index: len(ids[index]))
    found = np.empty((len(ids), model.dimensions), np.float32)
    start = 0
    while start < len(order):
        end = start + 1
        while end < len(order) and (end + 1 - start) * len(ids[order[end]]) <= BATCH_TOKENS:
            end += 1
        found[order[start:end]] = model.embed([ids[index] for index in order[start:end]])
        start = end
    return found


def name_of(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def cached(folder: Path, encoder: Path, texts: list[str], *, seconds: float = 1e9) -> tuple[np.ndarray, np.ndarray]:
    """Which of the texts have vectors, and these; those that have none are made, in order, while there is time.

    A file holds the names of its texts and their vectors, and is written under another name first: a run that was cut
    off goes on, and one over other texts finds what they have in common.
    """
    folder.mkdir(parents=True, exist_ok=True)
    known: dict[int, np.ndarray] = {}
    for path in sorted(folder.glob("*.npz")):
        with np.load(path) as kept:
            known.update(zip(kept["names"].tolist(), kept["vectors"], strict=True))
    missing = [text for text in texts if name_of(text) not in known]
    model, begun = None, time.monotonic()
    for start in range(0, len(missing), SHARD):
        if known and time.monotonic() - begun > seconds:
            break
        shard = missing[start : start + SHARD]
        model = model or EmbeddingModel(encoder, threads=1)
        here = time.monotonic()
        made = vectors(model, shard).astype(np.float16)
        names = np.array([name_of(text) for text in shard], np.uint64)
        path = folder / f"{hashlib.sha256(names.tobytes()).hexdigest()[:24]}.npz"
        part = path.with_suffix(".part")
        with part.open("wb") as file:
            np.savez(file, names=names, vectors=made)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
        known.update(zip(names.tolist(), made, strict=True))
        rate = len(shard) / (time.monotonic() - here)
        print(f"teacher: {start + len(shard):,} of {len(missing):,} texts, {rate:.0f} a second", flush=True)
    places = np.array([place for place, text in enumerate(texts) if name_of(text) in known])
    return places, np.array([known[name_of(texts[place])] for place in places])

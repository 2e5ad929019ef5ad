"""Embedders for `benchmarks.embedders`: as they are served, with a store of their vectors; ours made smaller."""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from rocamadre.catalog.embedded import embedded_dir
from rocamadre.engines.embed.static import WEIGHTS, StaticModel

OURS = "roca-embed"
BATCH_TOKENS = 1024
WORDS = 8192
"""Places of the trivial baseline's vectors; a word takes one by its checksum."""
Floats = npt.NDArray[np.float32]


def is_test(title: str) -> bool:
    """Whether an article of SQuAD or FaQuAD belongs to the test split."""
    return int(hashlib.sha256(title.encode()).hexdigest(), 16) % 5 == 0


def folder_of_ours() -> Path:
    """Where the shipped file lies."""
    folder = embedded_dir(OURS)
    if folder is None:
        raise SystemExit("models/roca-embed is not here")
    return folder


def encoder(name: str, home: Path) -> Callable[[Sequence[str]], Floats]:
    """An embedder, loaded; texts beyond its length are cut."""
    if name == OURS:
        table = StaticModel(folder_of_ours())
        return lambda texts: _in_batches(table.embed, [table.truncate(ids) for ids in table.token_ids(list(texts))])
    from rocamadre.engines.embed.child import EmbeddingModel  # ONNX Runtime, which ours does without

    model = EmbeddingModel(home / "models" / "all-minilm-l6-v2", threads=1)
    return lambda texts: _in_batches(model.embed, [model.truncate(ids) for ids in model.token_ids(list(texts))])


def _in_batches(embed: Callable[[list[list[int]]], Floats], ids: list[list[int]]) -> Floats:
    order = sorted(range(len(ids)), key=lambda place: len(ids[place]))
    made: list[Floats] = []
    start = 0
    while start < len(order):
        end = start + 1
        while end < len(order) and (end + 1 - start) * len(ids[order[end]]) <= BATCH_TOKENS:
            end += 1
        made.append(embed([ids[place] for place in order[start:end]]))
        start = end
    vectors = np.concatenate(made)
    found = np.empty_like(vectors)
    found[order] = vectors
    return found


def shared_words(texts: Sequence[str]) -> Floats:
    """The trivial baseline: whether a word is there, so that a cosine says how many words two texts share."""
    made = np.zeros((len(texts), WORDS), np.float32)
    for row, text in zip(made, texts, strict=True):
        row[[zlib.crc32(word.encode()) % WORDS for word in re.findall(r"\w+", text.lower())]] = 1
    return np.asarray(made / np.maximum(np.linalg.norm(made, axis=1, keepdims=True), 1e-9), np.float32)


class Cached:
    """An embedder that asks the model once for a text; what it said is kept below `work`.

    Args:
        name: `roca-embed` (never kept: it is fast, and changes) or `minilm`.
        home: With the prepared MiniLM.
        work: Folder for vectors.
    """

    def __init__(self, name: str, home: Path, work: Path) -> None:
        self._name, self._home = name, home
        self._path = work / f"{name}.npz"
        self._encode: Callable[[Sequence[str]], Floats] | None = None
        self._known: dict[str, Floats] = {}
        if name != OURS and self._path.exists():
            with np.load(self._path) as kept:
                self._known = dict(zip(kept["names"].tolist(), kept["vectors"], strict=True))

    def __call__(self, texts: Sequence[str]) -> Floats:
        """Unit vectors, float32."""
        if self._encode is None and (self._name == OURS or any(_name(text) not in self._known for text in texts)):
            self._encode = encoder(self._name, self._home)
        if self._name == OURS:
            assert self._encode is not None
            return self._encode(texts)
        missing = list(dict.fromkeys(text for text in texts if _name(text) not in self._known))
        for start in range(0, len(missing), 512):
            assert self._encode is not None
            part = missing[start : start + 512]
            self.keep(part, self._encode(part))
        return np.array([self._known[_name(text)] for text in texts], np.float32)

    def keep(self, texts: Sequence[str], vectors: Floats) -> None:
        """Note vectors, and write all down when there are many new ones."""
        self._known.update((_name(text), vector) for text, vector in zip(texts, vectors, strict=True))
        if len(texts) < 8:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self._path.with_suffix(".part")
        with temporary.open("wb") as file:
            np.savez(file, names=np.array(list(self._known)), vectors=np.array(list(self._known.values())))
        temporary.replace(self._path)


def _name(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()


class Reduced:
    """The static model with fewer numbers for each piece, by singular values of its table, or fewer bits for a number.

    Args:
        rank: Numbers for each piece.
        bits: For a number; a row keeps one scale.
    """

    def __init__(self, *, rank: int, bits: int) -> None:
        self._model = StaticModel(folder_of_ours())
        rows, scales, space = self._model.parts
        table = rows.astype(np.float32) * scales[:, None]
        if rank < rows.shape[1]:
            # Directions in the space of the vectors, by how much of the table they hold.
            square, rotation = np.linalg.qr(space.T)
            values, axes = np.linalg.eigh(rotation @ (table.T @ table) @ rotation.T)
            kept = axes[:, np.argsort(-values)[:rank]]
            table, space = table @ rotation.T @ kept, (square @ kept).T
        most = 2 ** (bits - 1) - 1
        scales = np.abs(table).max(axis=1) / most
        rows = np.rint(table / np.where(scales > 0, scales, 1)[:, None]).astype(np.int8)
        self._model.parts = (rows, scales.astype(np.float32), space.astype(np.float32))
        tokenizer = (folder_of_ours() / "tokenizer.json").stat().st_size
        self.bytes = len(rows) * (rank * bits // 8 + 4) + rank * space.shape[1] * 2 + tokenizer
        assert (folder_of_ours() / WEIGHTS).is_file()

    def __call__(self, texts: Sequence[str]) -> Floats:
        """Unit vectors, float32."""
        return _in_batches(self._model.embed, self._model.token_ids(list(texts)))

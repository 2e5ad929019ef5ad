"""A text as stretches with vectors, in one pass: sentences about the same thing lie close, in any of three languages.

The pieces of a text and their vectors are those of `models/roca-embed`; the map into a smaller space was learned for
topics (models/guardrail-topics). Sums over stretches are differences of running sums, so that time is linear. NumPy and
the tokenizer alone.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from rocamadre.guardrails.classifiers.windows import windows
from rocamadre.guardrails.folding import fold

BLOCK_CHARACTERS = 20_000
"""Long texts are read in blocks of this length, that overlap by more than a stretch, so that memory stays small."""
_OVERLAP_CHARACTERS = 500
UNKNOWN = 0
"""The piece that stands for what the tokenizer does not know."""
UNIT_PIECES = 32
WINDOW_PIECES = 64
_ENDINGS = re.compile(r"[.!?;\u2026\u3002\uff01\uff1f]")
_LINES = re.compile(r"\n")
_LONE = re.compile("[\ud800-\udfff]")
"""Halves of characters, which the tokenizer does not take."""
_WEIGHTS = Path(__file__).with_name("weights") / "topics.npz"

Floats = npt.NDArray[np.float32]


class Stretches(NamedTuple):
    """Vectors of length 1 (stretches, dimensions), and how many pieces each stretch has."""

    vectors: Floats
    lengths: npt.NDArray[np.int64]


@dataclass(frozen=True)
class Space:
    """Pieces and where they lie.

    Attributes:
        tokenizer: Cuts texts into pieces.
        rows: Of each piece, int8.
        weights: What a row is multiplied by, which says how much its piece tells.
        map: From rows to the space.
    """

    tokenizer: Tokenizer
    rows: npt.NDArray[np.int8]
    weights: Floats
    map: Floats

    def stretches(self, folded: str) -> Iterator[Stretches]:
        """Sentences and runs of some sentences of a folded text, block by block; none of a text without pieces."""
        step = BLOCK_CHARACTERS - _OVERLAP_CHARACTERS
        for start in range(0, max(1, len(folded) - _OVERLAP_CHARACTERS), step):
            block = _LONE.sub("?", folded[start : start + BLOCK_CHARACTERS])
            encoded = self.tokenizer.encode(block, add_special_tokens=False)
            pieces = np.array(encoded.ids, np.int64)
            if len(pieces):
                first, end = windows(_sentence_ends(block, np.array(encoded.offsets)), UNIT_PIECES, WINDOW_PIECES)
                running = np.zeros((len(pieces) + 1, self.rows.shape[1]), np.float32)
                np.cumsum(self.rows[pieces] * self.weights[pieces, None], axis=0, out=running[1:])
                yield Stretches(self._placed(running[end] - running[first]), end - first)

    def whole(self, text: str) -> Floats:
        """The vector of a text that is not folded, in one."""
        plain = _LONE.sub("?", fold(text).text)
        pieces = np.array(self.tokenizer.encode(plain, add_special_tokens=False).ids, np.int64)
        total = (self.rows[pieces] * self.weights[pieces, None]).sum(axis=0, dtype=np.float32)
        placed: Floats = self._placed(total[None])[0]
        return placed

    def _placed(self, sums: Floats) -> Floats:
        vectors: Floats = sums @ self.map
        vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-6)
        return vectors


def _sentence_ends(block: str, offsets: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Whether a sentence ends after each piece: at a mark before a space, or at the end of a line."""
    marks, breaks = np.zeros(len(block) + 2, np.bool_), np.zeros(len(block) + 2, np.bool_)
    for match in _ENDINGS.finditer(block):
        marks[match.start()] = True
    for match in _LINES.finditer(block):
        breaks[match.start() + 1] = True
    lines = np.cumsum(breaks)
    ends, following = offsets[:, 1], np.append(offsets[1:, 0], len(block) + 1)
    ended: npt.NDArray[np.bool_] = (marks[ends - 1] & (following > ends)) | (lines[following] > lines[ends])
    ended[-1] = True
    return ended


def folder() -> Path:
    """Where the embedder's files lie."""
    return Path(str(files("rocamadre"))) / "_models" / "roca-embed"


def embedder() -> tuple[Tokenizer, npt.NDArray[np.int8], Floats, int]:
    """Tokenizer, rows and scales of the embedder, and a number that changes with them."""
    parts = load_file(folder() / "static.safetensors")
    tokenizer = Tokenizer.from_file(str(folder() / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer, parts["rows"], parts["scales"], zlib.crc32(parts["rows"][::16].tobytes())


@cache
def space() -> Space:
    """The space that ships, read once.

    Raises:
        ValueError: it was learned for other pieces than those at hand.
    """
    tokenizer, rows, scales, mark = embedder()
    with np.load(_WEIGHTS, allow_pickle=False) as arrays:
        if int(arrays["mark"]) != mark:
            raise ValueError(f"{_WEIGHTS.name} was made for another edition of {folder()}; run models/guardrail-topics")
        scales[UNKNOWN] = 0
        return Space(tokenizer, rows, scales, arrays["map"].astype(np.float32))

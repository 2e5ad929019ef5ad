"""Words as vectors: the pieces of roca-embed summed, one vector for each word."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from rocamadre.core.errors import InvalidRequest

DIMENSIONS = 384
_KEPT_WORDS = 50_000
_PARTS = {"rows": (np.int8, 2), "scales": (np.float32, 1), "map": (np.float16, 2)}


@dataclass(frozen=True, slots=True)
class Meanings:
    """Vectors of words.

    Attributes:
        vectors: Unit rows (words, `DIMENSIONS`), float32; zeros for a word without a known piece.
        weights: Their lengths before that: how much a word says, large for rare ones.
    """

    vectors: NDArray[np.float32]
    weights: NDArray[np.float32]


class WordSpace:
    """The vectors of roca-embed, word by word.

    Args:
        folder: With `static.safetensors` and `tokenizer.json`.

    Raises:
        InvalidRequest: a file is missing, damaged, or not of this model.
    """

    def __init__(self, folder: Path) -> None:
        path = folder / "static.safetensors"
        try:
            parts = load_file(path)
            self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        except (OSError, SafetensorError) as error:
            raise InvalidRequest(f"{path}: {error}") from error
        except Exception as error:  # the library raises bare Exceptions for damaged files
            raise InvalidRequest(f"{folder / 'tokenizer.json'}: {error}") from error
        for name, (kind, axes) in _PARTS.items():
            if name not in parts or parts[name].dtype != kind or parts[name].ndim != axes:
                raise InvalidRequest(f"{path}: '{name}' must be {np.dtype(kind)} with {axes} axes")
        self._rows, self._scales = parts["rows"], parts["scales"]
        self._map = parts["map"].astype(np.float32)
        sizes = {len(self._rows), len(self._scales), self._tokenizer.get_vocab_size()}
        if len(sizes) > 1 or self._map.shape != (self._rows.shape[1], DIMENSIONS):
            raise InvalidRequest(f"{folder}: these files are not of one model with {DIMENSIONS} dimensions")
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self._known: dict[str, int] = {}
        self._sums = np.zeros((0, self._rows.shape[1]), np.float32)
        self._lock = Lock()

    def meanings(self, words: Sequence[str]) -> Meanings:
        """Each word's vector, in order."""
        unique = list(dict.fromkeys(words))
        place = {word: k for k, word in enumerate(unique)}
        with self._lock:
            fresh = [word for word in unique if word not in self._known]
            if len(self._known) + len(fresh) > _KEPT_WORDS:
                self._known.clear()
                self._sums = np.zeros((0, self._rows.shape[1]), np.float32)
                fresh = unique
            if fresh:
                start = len(self._sums)
                self._sums = np.concatenate((self._sums, self._summed(fresh)))
                self._known.update((word, start + k) for k, word in enumerate(fresh))
            sums = self._sums[[self._known[word] for word in unique]]
        made = sums @ self._map
        weights = np.linalg.norm(made, axis=1)
        made /= np.where(weights > 0, weights, 1)[:, None]
        order = [place[word] for word in words]
        return Meanings(made[order], weights[order].astype(np.float32))

    def _summed(self, words: Sequence[str]) -> NDArray[np.float32]:
        sums = np.zeros((len(words), self._rows.shape[1]), np.float32)
        for k, encoding in enumerate(self._tokenizer.encode_batch_fast(list(words))):
            ids = [piece for piece in encoding.ids if piece]
            if ids:
                sums[k] = self._scales[ids] @ self._rows[ids].astype(np.float32)
        return sums

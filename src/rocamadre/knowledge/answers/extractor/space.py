"""Words as vectors: the pieces of roca-embed summed, one vector for each word."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load
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

    Attributes:
        sha256: Of the file of vectors.
    """

    def __init__(self, folder: Path) -> None:
        path = folder / "static.safetensors"
        try:
            data = path.read_bytes()
            parts = load(data)
            self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        except (OSError, SafetensorError) as error:
            raise InvalidRequest(f"{path}: {error}") from error
        except Exception as error:  # the library raises bare Exceptions for damaged files
            raise InvalidRequest(f"{folder / 'tokenizer.json'}: {error}") from error
        self.sha256 = hashlib.sha256(data).hexdigest()
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
        self._used = 0
        self._sums = np.zeros((0, self._rows.shape[1]), np.float32)
        self._norms: NDArray[np.float32] = np.zeros(0, np.float32)
        self._lock = Lock()

    def meanings(self, words: Sequence[str]) -> Meanings:
        """Each word's vector, in order."""
        unique = list(dict.fromkeys(words))
        place = {word: k for k, word in enumerate(unique)}
        sums, weights = self._looked_up(unique)
        made = sums @ self._map
        made /= np.where(weights > 0, weights, 1)[:, None]
        order = [place[word] for word in words]
        return Meanings(made[order], weights[order])

    def likeness(self, asked: Meanings, words: Sequence[str]) -> NDArray[np.float32]:
        """The cosine of each word, all of them different, with each one asked about: (words, asked).

        Faster than `meanings` of many words, since they are never mapped.
        """
        sums, weights = self._looked_up(words)
        made: NDArray[np.float32] = sums @ (self._map @ asked.vectors.T)
        made /= np.where(weights > 0, weights, 1)[:, None]
        return made

    def _looked_up(self, words: Sequence[str]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Sums before the map, and lengths after it, of different words."""
        with self._lock:
            fresh = [word for word in words if word not in self._known]
            if len(self._known) + len(fresh) > _KEPT_WORDS:
                self._known.clear()
                self._used = 0
                fresh = list(words)
            if fresh:
                end = self._used + len(fresh)
                if end > len(self._sums):
                    room = max(end, 2 * len(self._sums), 4096)
                    self._sums = np.concatenate(
                        (self._sums, np.zeros((room - len(self._sums), len(self._map)), np.float32))
                    )
                    self._norms = np.concatenate((self._norms, np.zeros(room - len(self._norms), np.float32)))
                sums = self._summed(fresh)
                self._sums[self._used : end] = sums
                self._norms[self._used : end] = np.linalg.norm(sums @ self._map, axis=1)
                self._known.update((word, self._used + k) for k, word in enumerate(fresh))
                self._used = end
            rows = [self._known[word] for word in words]
            return self._sums[rows], self._norms[rows]

    def _summed(self, words: Sequence[str]) -> NDArray[np.float32]:
        sums = np.zeros((len(words), self._rows.shape[1]), np.float32)
        for k, encoding in enumerate(self._tokenizer.encode_batch_fast(list(words))):
            ids = [piece for piece in encoding.ids if piece]
            if ids:
                sums[k] = self._scales[ids] @ self._rows[ids].astype(np.float32)
        return sums

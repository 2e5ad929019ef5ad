"""Embedding models without layers: a vector for each piece of text, summed and mapped into the space that was copied.

A folder holds `tokenizer.json` and `static.safetensors`: `rows` (pieces, rank) int8, `scales` (pieces) float32 and
`map` (rank, dimensions) float16. A piece's vector is its row times its scale, in which its learned weight is contained;
a piece that occurs n times counts sqrt(n). NumPy alone.

Source of the idea: smooth inverse frequencies (Arora, Liang & Ma, ICLR 2017); the map is a low-rank factor.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from rocamadre.core.errors import InvalidRequest

WEIGHTS = "static.safetensors"
TOKENIZER = "tokenizer.json"
MAX_TOKENS = 8192
WINDOW_TOKENS = 256
UNKNOWN = 0
_PARTS = {"rows": (np.int8, 2), "scales": (np.float32, 1), "map": (np.float16, 2)}
Vectors = npt.NDArray[np.float32]


class StaticModel:
    """A table of vectors with its tokenizer; see `serving.Encoder`.

    Args:
        folder: As the module says.

    Raises:
        InvalidRequest: a file is missing, cannot be read, or holds something else.

    Attributes:
        parts: Rows, scales and map.
    """

    max_tokens = MAX_TOKENS
    window_tokens = WINDOW_TOKENS
    batch_texts = 64
    batch_tokens = 65_536

    def __init__(self, folder: Path) -> None:
        try:
            parts = load_file(folder / WEIGHTS)
        except (OSError, SafetensorError) as error:
            raise InvalidRequest(f"{folder / WEIGHTS}: {error}") from error
        for name, (kind, axes) in _PARTS.items():
            if name not in parts or parts[name].dtype != kind or parts[name].ndim != axes:
                raise InvalidRequest(f"{folder / WEIGHTS}: '{name}' must be {np.dtype(kind)} with {axes} axes")
        self.parts = parts["rows"], parts["scales"], parts["map"].astype(np.float32)
        rows, scales, space = self.parts
        try:
            self._tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
        except Exception as error:  # the library raises bare Exceptions for damaged files
            raise InvalidRequest(f"{folder / TOKENIZER}: {error}") from error
        sizes = self._tokenizer.get_vocab_size(), len(rows), len(scales)
        if len(set(sizes)) > 1 or rows.shape[1] != len(space):
            raise InvalidRequest(
                f"{folder}: {sizes[0]} pieces, {sizes[1]} rows, {sizes[2]} scales, rank {rows.shape[1]} and "
                f"{len(space)}: these files are not of one model"
            )
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self.dimensions = int(space.shape[1])

    def token_ids(self, texts: list[str]) -> list[list[int]]:
        """Pieces of each text; there are no first and last ones."""
        return [encoding.ids for encoding in self._tokenizer.encode_batch_fast(texts)]

    def truncate(self, ids: list[int]) -> list[int]:
        """The first `max_tokens`."""
        return ids[: self.max_tokens]

    def embed(self, batch: list[list[int]]) -> Vectors:
        """Unit vectors (texts, dimensions); a text without a known piece gets the first axis of the map."""
        rows, scales, space = self.parts
        size = len(rows)
        lengths = [len(ids) for ids in batch]
        flat = np.fromiter((piece for ids in batch for piece in ids), np.int64, sum(lengths))
        keys = np.repeat(np.arange(len(batch)), lengths) * size + flat
        unique, counts = np.unique(keys[flat != UNKNOWN], return_counts=True)
        owners, pieces = np.divmod(unique, size)
        weights = np.sqrt(counts, dtype=np.float32) * scales[pieces]
        sums = np.zeros((len(batch), rows.shape[1]), np.float32)
        if len(owners):
            starts = np.flatnonzero(np.diff(owners, prepend=-1))
            for first, last in zip(starts, [*starts[1:], len(owners)], strict=True):
                # int8 rows as float32 only where they are summed: the table stays small in memory.
                sums[owners[first]] = weights[first:last] @ rows[pieces[first:last]].astype(np.float32)
        made = sums @ space
        norms = np.linalg.norm(made, axis=1, keepdims=True)
        nothing = norms[:, 0] < 1e-9
        made[nothing], norms[nothing] = space[0], np.linalg.norm(space[0])
        vectors: Vectors = made / norms
        return vectors

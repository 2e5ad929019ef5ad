"""Vectors in other sizes than the model's own, truthfully: nothing is padded with zeros or repeated.

Larger: one fixed orthonormal map per size, so every cosine stays what it was. Its rows are rows of a Hadamard matrix
(entries +1 and -1, rows at right angles to each other), picked and with column signs flipped by SHA-256 of a fixed
seed, divided by the square root of the size. Nothing is stored, and every machine makes the same map bit for bit. The
larger vector holds no more information than the model's own.

Smaller: 256 by one learned projection (`models/minilm-projection/` has its recipe, figures and card), then unit length
again. It loses a little; the card says how much.

Sources: Sylvester 1867 and Paley 1933 (Hadamard matrices of orders 2^k and 12); Eckart & Young 1936 (the projection).
"""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import resources
from io import BytesIO
from typing import Any

import numpy as np
import numpy.typing as npt

from rocamadre.core.errors import InvalidRequest

NATIVE = 384
LARGER = (512, 768, 1024, 1536, 2048, 3072)
SMALLER = (256,)
_SEED = b"rocamadre hadamard map, version 1"
Vectors = npt.NDArray[np.float32]


def available_dimensions(native: int = NATIVE) -> tuple[int, ...]:
    """The sizes that vectors of `native` dimensions can be had in, ascending."""
    smaller = SMALLER if native == NATIVE else ()
    return tuple(sorted({native, *smaller, *(size for size in LARGER if size > native)}))


def resize(vectors: npt.ArrayLike, dimensions: int) -> tuple[Vectors, str]:
    """Vectors of unit length in another size.

    Args:
        vectors: Unit vectors, shape (count, native).
        dimensions: The size wanted.

    Returns:
        Unit vectors of shape (count, dimensions), and the name of the map for the response header: `native-384`,
        `hadamard-384-1024-v1`, `pca-384-256-v1`.

    Raises:
        InvalidRequest: the size cannot be had; the message lists those that can.
    """
    given = np.asarray(vectors, np.float32)
    native = given.shape[1]
    name = map_name(dimensions, native=native)
    if dimensions == native:
        return given, name
    if dimensions > native:
        return given @ hadamard_map(native, dimensions), name
    smaller = given @ projection()
    return smaller / np.maximum(np.linalg.norm(smaller, axis=1, keepdims=True), 1e-12), name


def map_name(dimensions: int, *, native: int = NATIVE) -> str:
    """The name of the map that `resize` uses.

    Raises:
        InvalidRequest: the size cannot be had; the message lists those that can.

    >>> map_name(1024)
    'hadamard-384-1024-v1'
    """
    if dimensions not in available_dimensions(native):
        allowed = ", ".join(map(str, available_dimensions(native)))
        raise InvalidRequest(f"embeddings of {dimensions} dimensions cannot be had; allowed: {allowed}")
    if dimensions == native:
        return f"native-{native}"
    return f"hadamard-{native}-{dimensions}-v1" if dimensions > native else f"pca-{native}-{dimensions}-v1"


@cache
def hadamard_map(native: int, dimensions: int) -> Vectors:
    """The orthonormal map upwards: float32, shape (native, dimensions), rows at right angles, of unit length.

    Args:
        native: At most `dimensions`.
        dimensions: 2^k or 12 · 2^k.
    """
    label = _SEED + f" {native} {dimensions}".encode()
    rows = sorted(range(dimensions), key=lambda row: hashlib.sha256(label + f" row {row}".encode()).digest())[:native]
    bits = np.unpackbits(np.frombuffer(hashlib.shake_256(label + b" signs").digest(dimensions // 8), np.uint8))
    signs = 1 - 2 * bits.astype(np.int8)
    matrix = (_hadamard(dimensions)[rows] * signs).astype(np.float32) / np.float32(np.sqrt(dimensions))
    matrix.setflags(write=False)
    return matrix


def _hadamard(order: int) -> npt.NDArray[np.int8]:
    """A Hadamard matrix: entries +1 and -1, `H @ H.T == order * identity`; order 2^k or 12 · 2^k."""
    matrix: npt.NDArray[Any] = _paley_12() if order % 3 == 0 else np.ones((1, 1), np.int8)
    while matrix.shape[0] < order:
        matrix = np.kron(np.array([[1, 1], [1, -1]], np.int8), matrix)
    if matrix.shape[0] != order:
        raise ValueError(f"no Hadamard matrix of order {order} here; only 2^k and 12 * 2^k")
    return matrix


def _paley_12() -> npt.NDArray[np.int8]:
    """Order 12, from the quadratic residues modulo 11."""
    squares = {value * value % 11 for value in range(1, 11)}
    residue = [[0 if i == j else (1 if (i - j) % 11 in squares else -1) for j in range(11)] for i in range(11)]
    skew = np.zeros((12, 12), np.int8)
    skew[0, 1:], skew[1:, 0] = 1, -1
    skew[1:, 1:] = residue
    return skew + np.eye(12, dtype=np.int8)


@cache
def projection() -> Vectors:
    """The learned map downwards: float32, shape (384, 256), orthonormal columns."""
    data = resources.files(__package__).joinpath("projection-384-256.npy").read_bytes()
    matrix: Vectors = np.load(BytesIO(data), allow_pickle=False)
    matrix.setflags(write=False)
    return matrix

"""One bit per dimension, enough to say which vectors may be near; those are then compared exactly.

A vector is centred and turned by a fixed rotation, and the signs of what comes out are kept. With two more numbers per
vector they give an unbiased estimate of its product with any query, and how far the estimate may be off.

Source: Gao & Long, RaBitQ, SIGMOD 2024, arXiv:2405.12497.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Words = NDArray[np.uint64]

ROUNDS = 3
QUERY_BITS = 4
_SLICE = 16_384
_FEW = 3  # words whose bits are fewer than 256


class Codes(NamedTuple):
    """Codes of n vectors.

    Attributes:
        words: `(dimensions_coded / 64, n)`, signs.
        scale: `(n,)`, what a sum of signed query entries is multiplied with.
        offset: `(n,)`, product of the vector and the centre.
    """

    words: Words
    scale: Floats
    offset: Floats


class Estimate(NamedTuple):
    """Products of a query and n vectors, and one standard error of each, both `(n,)`."""

    product: Floats
    error: Floats


def coded(dimensions: int) -> int:
    """Bits per code: the next multiple of 64."""
    return -(-dimensions // 64) * 64


@cache
def _signs(width: int) -> Floats:
    """`(ROUNDS, width)` of 1 and -1, the same for ever: codes on a disk depend on them."""
    digest = hashlib.shake_256(b"rocamadre rotation").digest(ROUNDS * width // 8)
    bits = np.unpackbits(np.frombuffer(digest, np.uint8)).reshape(ROUNDS, width)
    return (bits.astype(np.float32) * 2 - 1).astype(np.float32)


@cache
def _hadamard(order: int) -> Floats:
    """Hadamard's matrix of a power of two, orthonormal."""
    matrix: Floats = np.ones((1, 1), np.float32)
    while len(matrix) < order:
        matrix = np.block([[matrix, matrix], [matrix, -matrix]]).astype(np.float32)
    return (matrix / np.float32(np.sqrt(order))).astype(np.float32)


def rotate(vectors: Floats) -> Floats:
    """Vectors `(n, d)` turned, `(n, coded(d))`; products stay.

    Signs, then Hadamard's transform over the longest power of two, at one end and at the other by turns.
    """
    width = coded(vectors.shape[1])
    turned = np.zeros((len(vectors), width), np.float32)
    turned[:, : vectors.shape[1]] = vectors
    span = 1 << (width.bit_length() - 1)
    left, right = _hadamard(1 << (span.bit_length() // 2)), _hadamard(span >> (span.bit_length() // 2))
    for round_, signs in enumerate(_signs(width)):
        turned *= signs
        part = turned[:, :span] if round_ % 2 == 0 else turned[:, width - span :]
        part[:] = (left @ part.reshape(-1, len(left), len(right)) @ right).reshape(len(vectors), span)
    return turned


def encode(vectors: Floats, centre: Floats) -> Codes:
    """Codes of vectors `(n, d)` of unit length around a centre `(d,)`."""
    residues = rotate(vectors - centre)
    words = np.packbits(residues > 0, axis=1, bitorder="little").view(np.uint64).T
    squares = np.einsum("ij,ij->i", residues, residues)
    spread = np.abs(residues).sum(axis=1)  # of the residue with its own signs
    scale = np.divide(squares, spread, out=np.zeros_like(spread), where=spread > 0)
    return Codes(np.ascontiguousarray(words), scale.astype(np.float32), (vectors @ centre).astype(np.float32))


def _weighted(words: Words, planes: Sequence[Words]) -> NDArray[np.uint16]:
    """By code, the sum over the planes of `2**i` times the bits that code and plane i share.

    Counted in slices that stay in the processor's cache, and in single bytes as long as these can hold the count.
    """
    count = words.shape[1]
    sums = np.zeros(count, np.uint16)
    for start in range(0, count, _SLICE):
        part = words[:, start : start + _SLICE]
        total = sums[start : start + _SLICE]
        shared = np.empty(part.shape[1], np.uint64)
        bits, few = np.empty(part.shape[1], np.uint8), np.empty(part.shape[1], np.uint8)
        for plane in reversed(planes):
            total += total
            for first in range(0, len(part), _FEW):
                few[:] = 0
                for word, mask in zip(part[first : first + _FEW], plane[first : first + _FEW], strict=True):
                    np.bitwise_count(np.bitwise_and(word, mask, out=shared), out=bits)
                    np.add(few, bits, out=few)
                total += few
    return sums


def estimate(codes: Codes, query: Floats, centre: Floats) -> Estimate:
    """Products of a query `(d,)` of unit length with all vectors.

    The query is rounded to `QUERY_BITS` bits per dimension; what that costs is far below the codes' own error.
    """
    residue = rotate((query - centre)[np.newaxis])[0]
    width = len(residue)
    low = float(residue.min())
    step = (float(residue.max()) - low) / (2**QUERY_BITS - 1) or 1.0
    levels = np.rint((residue - low) / step).astype(np.uint8)
    planes = [np.packbits(levels >> bit & 1, bitorder="little").view(np.uint64) for bit in range(QUERY_BITS)]
    weighted = _weighted(codes.words, planes)
    held = _weighted(codes.words, [np.full(len(codes.words), ~np.uint64(0))])
    sums = 2 * (np.float32(step) * weighted + np.float32(low) * held) - np.float32(residue.sum())
    product = codes.scale * sums + codes.offset
    product += np.float32(query @ centre - centre @ centre)
    squares = np.maximum(1 - 2 * codes.offset + np.float32(centre @ centre), 0)
    # scale^2 * width is the residue's square over the squared cosine between it and its signs.
    error = np.sqrt(np.maximum(codes.scale**2 * width - squares, 0) / max(width - 1, 1))
    return Estimate(product, (error * np.float32(np.linalg.norm(residue))).astype(np.float32))

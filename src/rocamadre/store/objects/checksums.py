"""Checksums as S3 names them, computed piece by piece, and those of whole objects from those of their parts."""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import Protocol

ALGORITHMS = ("crc32", "crc32c", "crc64nvme", "md5", "sha1", "sha256", "sha512")
"""By the name in `x-amz-checksum-<name>`."""

POLYNOMIALS = {"crc32": 0xEDB88320, "crc32c": 0x82F63B78, "crc64nvme": 0x9A6C9329AC4BC9B5}
"""Reflected."""

SIZES_BYTES = {"crc32": 4, "crc32c": 4, "crc64nvme": 8, "md5": 16, "sha1": 20, "sha256": 32, "sha512": 64}


class Checksum(Protocol):
    """One checksum being computed."""

    def update(self, data: bytes | memoryview) -> None:
        """Go on with these bytes."""
        ...

    def encoded(self) -> str:
        """In Base64, as headers carry it."""
        ...


def new_checksum(algorithm: str) -> Checksum:
    """A checksum of no bytes yet.

    Raises:
        KeyError: the algorithm is not in `ALGORITHMS`.

    >>> check = new_checksum("crc32")
    >>> check.update(b"123456789")
    >>> check.encoded()
    'y/Q5Jg=='
    """
    return _MAKERS[algorithm]()


def encode_digest(digest: bytes) -> str:
    """A digest in Base64."""
    return base64.b64encode(digest).decode()


class _Crc32:
    def __init__(self) -> None:
        self._value = 0

    def update(self, data: bytes | memoryview) -> None:
        self._value = zlib.crc32(data, self._value)

    def encoded(self) -> str:
        return encode_digest(self._value.to_bytes(4, "big"))


class _TableCrc:
    """CRC32C and CRC64NVME, for which Python has no function of its own."""

    def __init__(self, algorithm: str) -> None:
        # Imported here: numpy is not needed by servers that never meet one of these.
        from rocamadre.store.objects.lane_crc import crc_update  # noqa: PLC0415

        self._update = crc_update
        self._polynomial = POLYNOMIALS[algorithm]
        self._bits = SIZES_BYTES[algorithm] * 8
        self._value = 0

    def update(self, data: bytes | memoryview) -> None:
        self._value = self._update(data, self._value, self._polynomial, self._bits)

    def encoded(self) -> str:
        return encode_digest(self._value.to_bytes(self._bits // 8, "big"))


class _Hash:
    def __init__(self, algorithm: str) -> None:
        self._hash = hashlib.new(algorithm, usedforsecurity=False)

    def update(self, data: bytes | memoryview) -> None:
        self._hash.update(data)

    def encoded(self) -> str:
        return encode_digest(self._hash.digest())


_MAKERS: dict[str, Callable[[], Checksum]] = {
    "crc32": _Crc32,
    "crc32c": lambda: _TableCrc("crc32c"),
    "crc64nvme": lambda: _TableCrc("crc64nvme"),
    **{name: partial(_Hash, name) for name in ("md5", "sha1", "sha256", "sha512")},
}


def combine_crcs(algorithm: str, parts: Sequence[tuple[str, int]]) -> str:
    """The CRC of parts put together.

    Args:
        algorithm: One of `POLYNOMIALS`.
        parts: Each part's CRC in Base64 and its size in bytes.

    Source: the operator of one zero bit, squared for powers of two, as zlib's crc32_combine does it.

    >>> whole, first, second = new_checksum("crc32"), new_checksum("crc32"), new_checksum("crc32")
    >>> whole.update(b"123456789"); first.update(b"1234"); second.update(b"56789")
    >>> combine_crcs("crc32", [(first.encoded(), 4), (second.encoded(), 5)]) == whole.encoded()
    True
    """
    polynomial, bits = POLYNOMIALS[algorithm], SIZES_BYTES[algorithm] * 8
    value = 0
    for encoded, size in parts:
        value = shift_crc(value, size, polynomial, bits) ^ int.from_bytes(base64.b64decode(encoded), "big")
    return encode_digest(value.to_bytes(bits // 8, "big"))


def combine_hashes(algorithm: str, parts: Sequence[str]) -> str:
    """S3's checksum of checksums: of the parts' digests one after the other, then `-` and their number."""
    check = new_checksum(algorithm)
    check.update(b"".join(base64.b64decode(part) for part in parts))
    return f"{check.encoded()}-{len(parts)}"


def shift_crc(value: int, size_bytes: int, polynomial: int, bits: int) -> int:
    """What a CRC contributes when `size_bytes` more bytes follow."""
    power = 0
    while size_bytes:
        if size_bytes & 1:
            value = apply_operator(_zero_bytes(power, polynomial, bits), value)
        size_bytes >>= 1
        power += 1
    return value


def apply_operator(matrix: Sequence[int], vector: int) -> int:
    """A matrix over GF(2), given by its columns, times a vector of bits."""
    result = 0
    index = 0
    while vector:
        if vector & 1:
            result ^= matrix[index]
        vector >>= 1
        index += 1
    return result


@lru_cache(maxsize=256)
def _zero_bytes(power: int, polynomial: int, bits: int) -> tuple[int, ...]:
    """The operator that 2**power zero bytes are."""
    if power == 0:
        matrix = [polynomial] + [1 << bit for bit in range(bits - 1)]
        for _ in range(3):
            matrix = [apply_operator(matrix, column) for column in matrix]
        return tuple(matrix)
    half = _zero_bytes(power - 1, polynomial, bits)
    return tuple(apply_operator(half, column) for column in half)

"""CRCs with numpy: long data is cut into lanes, all lanes advance together, and their values are folded.

Some hundred times the speed of a loop over bytes; without a compiled dependency.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from rocamadre.store.objects.checksums import shift_crc

_LANE_BYTES = 256
_LEAST_BYTES = 8 * _LANE_BYTES
_MOST_LANES = 4096

_Words = NDArray[np.uint64]


def crc_update(data: bytes | memoryview, value: int, polynomial: int, bits: int) -> int:
    """A reflected CRC, gone on with.

    Args:
        data: More bytes.
        value: The CRC so far; 0 at the beginning.
        polynomial: Reflected.
        bits: 32 or 64; start value and final inversion are all ones, as in CRC32C and CRC64NVME.

    >>> f"{crc_update(b'123456789', 0, 0x82F63B78, 32):08x}"
    'e3069283'
    """
    view = memoryview(data).cast("B")
    position = 0
    while len(view) - position >= _LEAST_BYTES:
        lanes = min(_MOST_LANES, (len(view) - position) // _LANE_BYTES)
        lanes = 1 << (lanes.bit_length() - 1)  # A power of two folds in halves.
        size = lanes * _LANE_BYTES
        block = _lanes_crc(view[position : position + size], lanes, polynomial, bits)
        value = shift_crc(value, size, polynomial, bits) ^ block
        position += size
    return _bytes_crc(view[position:], value, polynomial, bits)


def _bytes_crc(view: memoryview, value: int, polynomial: int, bits: int) -> int:
    table, mask = _byte_table(polynomial), (1 << bits) - 1
    value ^= mask
    for byte in view:
        value = table[(value ^ byte) & 0xFF] ^ (value >> 8)
    return value ^ mask


def _lanes_crc(view: memoryview, lanes: int, polynomial: int, bits: int) -> int:
    """The CRC of `lanes` rows of equal length."""
    mask = np.uint64((1 << bits) - 1)
    tables = _word_tables(polynomial, bits)
    # A column holds the next 8 bytes of every lane.
    columns = np.ascontiguousarray(np.frombuffer(view, dtype="<u8").reshape(lanes, -1).T)
    state: _Words = np.full(lanes, mask, dtype=np.uint64)
    low = np.uint64(0xFFFF)
    for column in columns:
        state ^= column
        following = tables[0][state & low]
        for index in range(1, 4):
            following ^= tables[index][(state >> np.uint64(16 * index)) & low]
        state = following
    state ^= mask
    size = _LANE_BYTES
    while len(state) > 1:
        state = _shift_all(state[0::2], size, polynomial, bits) ^ state[1::2]
        size *= 2
    return int(state[0])


def _shift_all(values: _Words, size_bytes: int, polynomial: int, bits: int) -> _Words:
    tables = _shift_tables(size_bytes, polynomial, bits)
    low = np.uint64(0xFF)
    result: _Words = tables[0][values & low]
    for index in range(1, bits // 8):
        result ^= tables[index][(values >> np.uint64(8 * index)) & low]
    return result


@cache
def _byte_table(polynomial: int) -> tuple[int, ...]:
    table = []
    for index in range(256):
        value = index
        for _ in range(8):
            value = (value >> 1) ^ (polynomial if value & 1 else 0)
        table.append(value)
    return tuple(table)


@cache
def _word_tables(polynomial: int, bits: int) -> tuple[_Words, ...]:
    """For each two bytes of an 8-byte word: what they become once the whole word is taken in."""
    table = np.array(_byte_table(polynomial), dtype=np.uint64)
    values = np.arange(65536, dtype=np.uint64)
    tables = []
    for _ in range(2):
        values = table[values & np.uint64(0xFF)] ^ (values >> np.uint64(8))
    tables.append(values)
    for _ in range(3):
        for _ in range(2):
            values = table[values & np.uint64(0xFF)] ^ (values >> np.uint64(8))
        tables.append(values)
    return tuple(reversed(tables))


@cache
def _shift_tables(size_bytes: int, polynomial: int, bits: int) -> tuple[_Words, ...]:
    return tuple(
        np.array([shift_crc(byte << (8 * index), size_bytes, polynomial, bits) for byte in range(256)], dtype=np.uint64)
        for index in range(bits // 8)
    )

"""The header of a safetensors file, checked against the file: files come from strangers.

Source: the safetensors format (eight bytes of length, JSON, data without holes).
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from pathlib import Path

import msgspec

from rocamadre.core.errors import InvalidRequest

MAX_HEADER_BYTES = 100_000_000
MAX_TENSORS = 65_536

ITEM_BITS = {
    "BOOL": 8,
    "U8": 8,
    "I8": 8,
    "F8_E4M3": 8,
    "F8_E5M2": 8,
    "F8_E8M0": 8,
    "U16": 16,
    "I16": 16,
    "F16": 16,
    "BF16": 16,
    "U32": 32,
    "I32": 32,
    "F32": 32,
    "U64": 64,
    "I64": 64,
    "F64": 64,
}
"""Bits per element of each number type that is read."""


class _Tensor(msgspec.Struct, frozen=True):
    dtype: str
    shape: tuple[int, ...]
    data_offsets: tuple[int, int]


@dataclass(frozen=True, slots=True)
class SafetensorsHeader:
    """What a safetensors file holds.

    Attributes:
        shapes: By tensor name.
        size_bytes: Of the file.
    """

    shapes: dict[str, tuple[int, ...]]
    size_bytes: int

    @property
    def parameters(self) -> int:
        """Weights in all tensors."""
        return sum(math.prod(shape) for shape in self.shapes.values())


def read_safetensors_header(path: Path) -> SafetensorsHeader:
    """Read and check a safetensors file's header.

    Raises:
        InvalidRequest: it is cut off, is no JSON, or its tensors do not tile the file exactly.
    """
    try:
        size_bytes = path.stat().st_size
        with path.open("rb") as stream:
            prefix = stream.read(8)
            length = struct.unpack("<Q", prefix)[0] if len(prefix) == 8 else 0
            if not 2 <= length <= min(MAX_HEADER_BYTES, size_bytes - 8):
                raise _bad(path, f"its header claims {length} bytes, the file has {size_bytes}")
            raw = stream.read(length)
    except OSError as error:
        raise InvalidRequest(f"cannot read {path.name}: {error.strerror}") from error
    try:
        entries = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
        entries.pop("__metadata__", None)
        tensors = {name: msgspec.json.decode(entry, type=_Tensor) for name, entry in entries.items()}
    except (msgspec.MsgspecError, RecursionError) as error:
        raise _bad(path, f"its header is not of the right form ({error})") from error
    if len(tensors) > MAX_TENSORS:
        raise _bad(path, f"it claims {len(tensors)} tensors; at most {MAX_TENSORS} are read")
    _check_tiling(path, tensors, size_bytes - 8 - length)
    return SafetensorsHeader({name: tensor.shape for name, tensor in tensors.items()}, size_bytes)


def _check_tiling(path: Path, tensors: dict[str, _Tensor], data_bytes: int) -> None:
    position = 0
    for name, tensor in sorted(tensors.items(), key=lambda item: item[1].data_offsets):
        begin, end = tensor.data_offsets
        if tensor.dtype not in ITEM_BITS:
            raise _bad(path, f"tensor {name[:64]!r} has the number type {tensor.dtype!r}; read: {', '.join(ITEM_BITS)}")
        if any(not 0 <= size < 2**40 for size in tensor.shape):
            raise _bad(path, f"tensor {name[:64]!r} has the shape {tensor.shape}")
        if begin != position or end - begin != math.prod(tensor.shape) * ITEM_BITS[tensor.dtype] // 8:
            raise _bad(path, f"tensor {name[:64]!r} does not lie where its shape says")
        position = end
    if position != data_bytes:
        raise _bad(path, f"its tensors end at byte {position} of {data_bytes}")


def _bad(path: Path, why: str) -> InvalidRequest:
    return InvalidRequest(f"{path.name} is not a sound safetensors file: {why}")

"""The header of a GGUF file, read with bounds on everything: files come from strangers.

Source: the GGUF specification, versions 2 and 3 (ggml project).
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from rocamadre.core.errors import InvalidRequest

MAX_PAIRS = 4096
MAX_TENSORS = 65_536
MAX_STRING_BYTES = 4 * 1024 * 1024
MAX_ARRAY = 4_000_000
KEPT_ARRAY = 256
DEFAULT_ALIGNMENT = 32

_SCALARS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
_STRING = 8
_ARRAY = 9


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """One tensor as the header describes it.

    Attributes:
        dimensions: Innermost first.
        type: ggml's number for its quantisation.
        offset: In bytes from the start of the data.
    """

    name: str
    dimensions: tuple[int, ...]
    type: int
    offset: int

    @property
    def elements(self) -> int:
        """How many weights it has."""
        return math.prod(self.dimensions)


@dataclass(frozen=True, slots=True)
class GgufHeader:
    """What a GGUF file says about itself.

    Attributes:
        metadata: Keys and values; an array of more than 256 elements is given as its length alone.
        tensors: In the file's order.
        data_offset: Where tensor data begins, in bytes.
        size_bytes: Of the file.
    """

    metadata: dict[str, Any]
    tensors: tuple[TensorInfo, ...]
    data_offset: int
    size_bytes: int

    @property
    def architecture(self) -> str:
        """For example `llama`; empty when the file does not say."""
        return str(self.metadata.get("general.architecture", ""))

    @property
    def parameters(self) -> int:
        """Weights in all tensors."""
        return sum(tensor.elements for tensor in self.tensors)

    def of_architecture(self, key: str) -> Any:
        """A value under the architecture's own prefix, for example `context_length`; None if absent."""
        return self.metadata.get(f"{self.architecture}.{key}")


class _Reader:
    def __init__(self, stream: BinaryIO, size_bytes: int, name: str) -> None:
        self.stream = stream
        self.size_bytes = size_bytes
        self.name = name

    def bad(self, why: str) -> InvalidRequest:
        return InvalidRequest(f"{self.name} is not a sound GGUF file: {why}")

    def take(self, count: int) -> bytes:
        data = self.stream.read(count)
        if len(data) != count:
            raise self.bad("it ends inside its header")
        return data

    def number(self, form: str) -> Any:
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def string(self) -> str:
        length = self.number("<Q")
        if length > MAX_STRING_BYTES:
            raise self.bad(f"a string claims {length} bytes; at most {MAX_STRING_BYTES} are read")
        return self.take(length).decode("utf-8", "replace")

    def skip(self, count: int) -> None:
        if self.stream.tell() + count > self.size_bytes:
            raise self.bad("it ends inside its header")
        self.stream.seek(count, 1)

    def value(self, kind: int) -> Any:
        if kind in _SCALARS:
            return self.number(_SCALARS[kind])
        if kind == _STRING:
            return self.string()
        if kind == _ARRAY:
            return self.array()
        raise self.bad(f"a value has the unknown type {kind}")

    def array(self) -> Any:
        kind, length = self.number("<I"), self.number("<Q")
        if length > MAX_ARRAY:
            raise self.bad(f"an array claims {length} elements; at most {MAX_ARRAY} are read")
        if kind == _ARRAY:
            raise self.bad("it nests arrays")
        if length <= KEPT_ARRAY:
            return [self.value(kind) for _ in range(length)]
        if kind in _SCALARS:
            self.skip(length * struct.calcsize(_SCALARS[kind]))
        elif kind == _STRING:
            for _ in range(length):
                self.skip(self.number("<Q"))
        else:
            raise self.bad(f"an array has the unknown type {kind}")
        return length


def read_header(path: Path) -> GgufHeader:
    """Read a GGUF file's header.

    Raises:
        InvalidRequest: it is no GGUF file, is cut off, or claims more than any model has.
    """
    try:
        size_bytes = path.stat().st_size
        with path.open("rb") as stream:
            return _read(_Reader(stream, size_bytes, path.name))
    except OSError as error:
        raise InvalidRequest(f"cannot read {path.name}: {error.strerror}") from error


def _read(reader: _Reader) -> GgufHeader:
    if reader.take(4) != b"GGUF":
        raise reader.bad("it does not begin with the letters GGUF")
    version = reader.number("<I")
    if version not in (2, 3):
        raise reader.bad(f"version {version}; 2 and 3 are read")
    tensor_count, pair_count = reader.number("<Q"), reader.number("<Q")
    if tensor_count > MAX_TENSORS or pair_count > MAX_PAIRS:
        raise reader.bad(
            f"it claims {tensor_count} tensors and {pair_count} values; at most {MAX_TENSORS}, {MAX_PAIRS}"
        )
    metadata: dict[str, Any] = {}
    for _ in range(pair_count):
        key = reader.string()
        metadata[key] = reader.value(reader.number("<I"))
    tensors = tuple(_tensor(reader) for _ in range(tensor_count))
    alignment = metadata.get("general.alignment", DEFAULT_ALIGNMENT)
    if not isinstance(alignment, int) or alignment <= 0 or alignment > 2**20 or alignment & (alignment - 1):
        raise reader.bad(f"its alignment {alignment!r} is not a power of two")
    end = reader.stream.tell()
    return GgufHeader(metadata, tensors, -(-end // alignment) * alignment, reader.size_bytes)


def _tensor(reader: _Reader) -> TensorInfo:
    name = reader.string()
    count = reader.number("<I")
    if not 1 <= count <= 4:
        raise reader.bad(f"tensor {name[:64]!r} claims {count} dimensions")
    dimensions = tuple(reader.number("<Q") for _ in range(count))
    if any(not 0 < size < 2**40 for size in dimensions) or math.prod(dimensions) >= 2**48:
        raise reader.bad(f"tensor {name[:64]!r} has the dimensions {dimensions}")
    return TensorInfo(name, dimensions, reader.number("<I"), reader.number("<Q"))

"""The metadata at the head of a GGUF file, read with care: sizes are checked against the file, nothing is loaded.

Format: `GGUF`, version (u32), tensor count (u64), pair count (u64), then pairs of key (string), type (u32) and value;
strings are a u64 length and UTF-8, arrays an element type, a u64 count and the elements; all little-endian.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rocamadre.core.errors import InvalidRequest

_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9
_MOST_PAIRS = 10_000
_MOST_ELEMENTS = 5_000_000
_CONTROL, _USER_DEFINED = 3, 4


@dataclass(frozen=True, slots=True)
class Header:
    """What a GGUF file says of its model.

    Attributes:
        size_bytes: Of the file.
        values: All metadata by key; arrays are tuples.
    """

    size_bytes: int
    values: Mapping[str, Any]

    def hyperparameter(self, name: str, default: int) -> int:
        """An integer under the architecture's own prefix; the largest where it is given per layer."""
        value = self.values.get(f"{self.values.get('general.architecture')}.{name}", default)
        return int(max(value, default=default) if isinstance(value, tuple) else value)

    @property
    def vocabulary_size(self) -> int:
        """Tokens in the vocabulary."""
        return len(self.values.get("tokenizer.ggml.tokens", ()))

    @property
    def plain_token(self) -> int:
        """A token that is one letter; 0 if there is none."""
        tokens = self.values.get("tokenizer.ggml.tokens", ())
        return next(
            (index for index, token in enumerate(tokens) if len(token) == 1 and token.isalpha() and token.isascii()), 0
        )

    @property
    def marks(self) -> tuple[str, ...]:
        """Tokens that carry meaning beyond their letters: turn ends, tool marks; what user text must not forge."""
        tokens = self.values.get("tokenizer.ggml.tokens", ())
        kinds = self.values.get("tokenizer.ggml.token_type", ())
        pairs = zip(tokens, kinds, strict=False)
        return tuple(
            token for token, kind in pairs if kind in (_CONTROL, _USER_DEFINED) and len(token) > 2 and _is_mark(token)
        )

    @property
    def control_tokens(self) -> dict[str, int]:
        """Tokens that are no text: text to number."""
        tokens = self.values.get("tokenizer.ggml.tokens", ())
        kinds = self.values.get("tokenizer.ggml.token_type", ())
        pairs = enumerate(zip(tokens, kinds, strict=False))
        return {token: number for number, (token, kind) in pairs if kind == _CONTROL and len(token) > 2}

    def cache_bytes_per_token(self, value_bytes: int = 4) -> int:
        """Bytes of key and value cache per token, all layers, at `value_bytes` per number."""
        layers = self.hyperparameter("block_count", 32)
        width = self.hyperparameter("embedding_length", 4096)
        heads = max(1, self.hyperparameter("attention.head_count", 32))
        shared = self.hyperparameter("attention.head_count_kv", heads) or heads
        key = self.hyperparameter("attention.key_length", width // heads)
        value = self.hyperparameter("attention.value_length", width // heads)
        return layers * shared * (key + value) * value_bytes


def read_header(path: Path) -> Header:
    """Read a file's metadata.

    Raises:
        InvalidRequest: it is missing, no GGUF file, of a version that we do not know, or damaged.
    """
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return Header(len(data), _Reader(data).pairs())
    except (OSError, ValueError, struct.error, IndexError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"{path}: not a whole GGUF file ({error})") from error


def _is_mark(token: str) -> bool:
    return any(sign in token for sign in "<>[]|{}") and not token.isspace()


class _Reader:
    def __init__(self, data: mmap.mmap) -> None:
        self._data = data
        self._at = 0

    def pairs(self) -> dict[str, Any]:
        if self._data[:4] != b"GGUF":
            raise ValueError("it does not begin with GGUF")
        self._at = 4
        version = self._number("I")
        if version not in (2, 3):
            raise ValueError(f"version {version}; 2 and 3 are known")
        self._number("Q")
        count = self._number("Q")
        if count > _MOST_PAIRS:
            raise ValueError(f"{count} metadata entries")
        return dict((self._string(), self._value(self._number("I"))) for _ in range(count))

    def _number(self, code: str) -> Any:
        size = struct.calcsize(code)
        (value,) = struct.unpack_from("<" + code, self._data, self._at)
        self._at += size
        return value

    def _string(self) -> str:
        size = self._number("Q")
        if size > len(self._data) - self._at:
            raise ValueError("a string runs past the end")
        text = self._data[self._at : self._at + size].decode("utf-8", "replace")
        self._at += size
        return text

    def _value(self, kind: int) -> Any:
        if kind == _STRING:
            return self._string()
        if kind == _ARRAY:
            return self._array()
        if kind not in _SCALARS:
            raise ValueError(f"a value of the unknown type {kind}")
        return self._number(_SCALARS[kind])

    def _array(self) -> tuple[Any, ...]:
        kind, count = self._number("I"), self._number("Q")
        if count > _MOST_ELEMENTS:
            raise ValueError(f"an array of {count} elements")
        if kind == _STRING:
            return tuple(self._string() for _ in range(count))
        if kind not in _SCALARS:
            raise ValueError(f"an array of the type {kind}")
        values = struct.unpack_from(f"<{count}{_SCALARS[kind]}", self._data, self._at)
        self._at += struct.calcsize(f"<{count}{_SCALARS[kind]}")
        return values

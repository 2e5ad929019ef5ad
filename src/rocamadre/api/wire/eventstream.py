"""Event-stream messages (`application/vnd.amazon.eventstream`), written and read.

A message is: total length and headers' length (four bytes each, big-endian), CRC-32 of those eight bytes, the
headers, the payload, CRC-32 of all before. A header is a length byte and its name, a type byte (7: string), a
two-byte length and its value.
"""

from __future__ import annotations

import struct
from binascii import crc32
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

CONTENT_TYPE = "application/vnd.amazon.eventstream"

_PRELUDE = struct.Struct(">III")
_LENGTHS = struct.Struct(">II")
_CRC = struct.Struct(">I")
_OVERHEAD = _PRELUDE.size + _CRC.size
_LARGEST = 24 * 1024 * 1024
_STRING = 7
_SCALARS = {2: struct.Struct(">b"), 3: struct.Struct(">h"), 4: struct.Struct(">i"), 5: struct.Struct(">q")}
_TIMESTAMP, _UUID, _BYTES = 8, 9, 6


@dataclass(frozen=True, slots=True)
class Frame:
    """One message.

    Attributes:
        headers: By name, `:message-type` and its like included.
    """

    headers: dict[str, Any]
    payload: bytes


class FrameError(ValueError):
    """The bytes are no event-stream message."""


def event_frame(event_type: str, payload: bytes, content_type: str = "application/json") -> bytes:
    """An event: `event_type` is the member's name in the stream's union."""
    return _frame(_headers(":event-type", event_type, content_type, "event"), payload)


def exception_frame(exception_type: str, payload: bytes) -> bytes:
    """A declared error in mid-stream: `exception_type` is the member's name, the payload its JSON."""
    return _frame(_headers(":exception-type", exception_type, "application/json", "exception"), payload)


def error_frame(code: str, message: str) -> bytes:
    """An error that the stream does not declare; it has no payload."""
    headers = _header(":message-type", "error") + _header(":error-code", code) + _header(":error-message", message)
    return _frame(headers, b"")


@lru_cache(maxsize=512)
def _headers(kind: str, name: str, content_type: str, message_type: str) -> bytes:
    return _header(kind, name) + _header(":content-type", content_type) + _header(":message-type", message_type)


def _header(name: str, value: str) -> bytes:
    encoded_name, encoded = name.encode(), value.encode()[:0x7FFF]
    return bytes([len(encoded_name)]) + encoded_name + struct.pack(">BH", _STRING, len(encoded)) + encoded


def _frame(headers: bytes, payload: bytes) -> bytes:
    lengths = _LENGTHS.pack(_OVERHEAD + len(headers) + len(payload), len(headers))
    content = b"".join((lengths, _CRC.pack(crc32(lengths)), headers, payload))
    return content + _CRC.pack(crc32(content))


def decode(data: bytes) -> list[Frame]:
    """Read whole messages.

    Args:
        data: One message after another, nothing else.

    Raises:
        FrameError: a length or checksum is wrong, a header cannot be read, or the last message is not whole.
    """
    frames = []
    position = 0
    while position < len(data):
        if len(data) - position < _OVERHEAD:
            raise FrameError(f"{len(data) - position} bytes at {position} are too few for a message")
        total, headers_length, checksum = _PRELUDE.unpack_from(data, position)
        if crc32(data[position : position + _LENGTHS.size]) != checksum:
            raise FrameError(f"the prelude at {position} does not match its checksum")
        if total > _LARGEST or total < _OVERHEAD + headers_length or position + total > len(data):
            raise FrameError(f"the message at {position} has a wrong length, or is cut off")
        end = position + total - _CRC.size
        if crc32(data[position:end]) != _CRC.unpack_from(data, end)[0]:
            raise FrameError(f"the message at {position} does not match its checksum")
        start = position + _PRELUDE.size
        split = start + headers_length
        frames.append(Frame(read_headers(data[start:split]), data[split:end]))
        position += total
    return frames


def read_headers(data: bytes) -> dict[str, Any]:
    """A message's headers, by name.

    Raises:
        FrameError: they cannot be read.
    """
    headers: dict[str, Any] = {}
    position = 0
    try:
        while position < len(data):
            length = data[position]
            name = data[position + 1 : position + 1 + length].decode()
            position += 1 + length
            headers[name], position = _read_value(data, position)
    except (IndexError, struct.error, UnicodeDecodeError) as error:
        raise FrameError(f"a header cannot be read: {error}") from error
    return headers


def _read_value(data: bytes, position: int) -> tuple[Any, int]:
    kind = data[position]
    position += 1
    if kind in (0, 1):
        return kind == 0, position
    if kind in _SCALARS:
        scalar = _SCALARS[kind]
        return scalar.unpack_from(data, position)[0], position + scalar.size
    if kind in (_BYTES, _STRING):
        (length,) = struct.unpack_from(">H", data, position)
        value = data[position + 2 : position + 2 + length]
        if len(value) != length:
            raise FrameError("a header's value is cut off")
        return value.decode() if kind == _STRING else value, position + 2 + length
    if kind == _TIMESTAMP:
        return struct.unpack_from(">q", data, position)[0], position + 8
    if kind == _UUID:
        return data[position : position + 16], position + 16
    raise FrameError(f"a header has the unknown type {kind}")

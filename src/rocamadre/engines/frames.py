"""The protocol between the server and our own children: four bytes of length, then msgpack of (id, kind, body).

Kinds to the child: an engine's verbs, `ping`, and `cancel`. Kinds from it: `item` (one of several), `done` (the last),
`invalid` and `failure` (the last, body is a sentence).
"""

from __future__ import annotations

import socket
from typing import Any, BinaryIO, TypeAlias

import msgspec

Frame: TypeAlias = tuple[int, str, Any]
LARGEST_BYTES = 1 << 30

_encoder = msgspec.msgpack.Encoder()
decoder = msgspec.msgpack.Decoder(tuple[int, str, Any])


def pack(frame: Frame) -> bytes:
    """A frame's bytes."""
    body = _encoder.encode(frame)
    return len(body).to_bytes(4, "big") + body


def read_frame(file: BinaryIO) -> Frame | None:
    """The next frame, blocking; None at the end."""
    head = file.read(4)
    if len(head) < 4:
        return None
    size = int.from_bytes(head, "big")
    body = file.read(size) if size <= LARGEST_BYTES else b""
    return decoder.decode(body) if len(body) == size else None


def write_frame(connection: socket.socket, frame: Frame) -> None:
    """Send a frame, blocking."""
    connection.sendall(pack(frame))

"""A streamed answer put together again from the bytes that went to the client, for the invocation log.

Bytes are kept as they come and read a batch at a time, so that listening costs a stream next to nothing.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Literal, TypeAlias

import msgspec

from rocamadre.api.wire.eventstream import FrameError, read_headers

Json: TypeAlias = dict[str, Any]
Form: TypeAlias = Literal["converse", "chunks", "sse"]

MOST_BYTES = 8 << 20
"""Of one answer's content; what comes after is not kept."""

_BATCH_BYTES = 64 << 10
_PRELUDE = struct.Struct(">III")
_CRC_BYTES = 4


class Transcript:
    """Listens to one stream: `add` in the stream's own thread, then `result` once, in any.

    Args:
        form: `converse`: ConverseStream's events, put together as Converse would have answered. `chunks`: those of
            InvokeModelWithResponseStream, as a list. `sse`: server-sent events with JSON in `data`, as a list.

    Attributes:
        cut: Not everything that was sent is in the result.
    """

    def __init__(self, form: Form) -> None:
        self._form = form
        self._pieces: list[bytes] = []
        self._size = 0
        self._kept = 0
        self._chunks: list[Any] = []
        self._message = _Message()
        self.cut = False

    def add(self, piece: bytes) -> None:
        """What was sent next; whole frames for the first two forms."""
        self._pieces.append(piece)
        self._size += len(piece)
        if self._size >= _BATCH_BYTES:
            self._listen(b"".join(self._pieces))

    @property
    def size_bytes(self) -> int:
        """About what it holds in memory."""
        return self._size + min(self._kept, MOST_BYTES)

    def result(self) -> bytes:
        """The answer so far, as JSON; empty if nothing came."""
        self._listen(b"".join(self._pieces) + (b"\n\n" if self._form == "sse" else b""))
        if self._form == "converse":
            return msgspec.json.encode(self._message.whole()) if self._message.began else b""
        return msgspec.json.encode(self._chunks) if self._chunks else b""

    def _listen(self, data: bytes) -> None:
        self._pieces, self._size = [], 0
        try:
            self._read(data)
        except (FrameError, struct.error, msgspec.DecodeError, KeyError, TypeError):
            # Whatever the stream was, the client has it; the log must not be what breaks it.
            self.cut = True

    def _read(self, data: bytes) -> None:
        if self._form == "sse":
            whole, _, rest = data.rpartition(b"\n\n")
            self._pieces, self._size = [rest], len(rest)
            for value in _sse_values(whole):
                self._keep(value)
            return
        for kind, payload in _events(data):
            if self._form == "chunks":
                self._keep(msgspec.Raw(msgspec.json.decode(payload, type=_Chunk).data))
            else:
                self._kept += len(payload)
                self._fold(kind, msgspec.json.decode(payload))

    def _keep(self, value: msgspec.Raw) -> None:
        self._kept += len(bytes(value))
        if self._kept > MOST_BYTES:
            self.cut = True
        else:
            self._chunks.append(value)

    def _fold(self, kind: str, value: Json) -> None:
        if self._kept > MOST_BYTES and kind == "contentBlockDelta":
            self.cut = True
        else:
            self._message.add(kind, value)


def _events(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Types and payloads of the events in our own frames: their checksums need no second look."""
    position, end = 0, len(data)
    while position < end:
        total, size, _ = _PRELUDE.unpack_from(data, position)
        start = position + _PRELUDE.size
        kind = _event_type(data[start : start + size])
        if kind:
            yield kind, data[start + size : position + total - _CRC_BYTES]
        position += max(total, _PRELUDE.size)


@lru_cache(maxsize=256)
def _event_type(headers: bytes) -> str:
    """Of a frame with these headers; empty for an exception. There are only a few sets of headers."""
    found = read_headers(headers)
    return str(found[":event-type"]) if found.get(":message-type") == "event" else ""


class _Chunk(msgspec.Struct):
    data: bytes = msgspec.field(name="bytes")


def _sse_values(data: bytes) -> Iterator[msgspec.Raw]:
    for block in data.split(b"\n\n"):
        text = b"\n".join(line[5:].strip() for line in block.splitlines() if line.startswith(b"data:"))
        if text.startswith(b"{"):
            yield msgspec.Raw(text)


class _Message:
    """ConverseStream's events as one answer of Converse."""

    def __init__(self) -> None:
        self.began = False
        self._role = "assistant"
        self._blocks: dict[int, Json] = {}
        self._parts: dict[tuple[int, str], list[str]] = {}
        self._rest: Json = {}

    def add(self, kind: str, value: Json) -> None:
        self.began = True
        if kind == "messageStart":
            self._role = value["role"]
        elif kind == "contentBlockStart":
            self._blocks[value["contentBlockIndex"]] = dict(value["start"])
        elif kind == "contentBlockDelta":
            self._delta(value["contentBlockIndex"], value["delta"])
        elif kind in ("messageStop", "metadata"):
            self._rest |= value

    def whole(self) -> Json:
        content = [self._block(index) for index in sorted(self._blocks)]
        return {"output": {"message": {"role": self._role, "content": content}}, **self._rest}

    def _delta(self, index: int, delta: Json) -> None:
        block = self._blocks.setdefault(index, {})
        for name, value in delta.items():
            if name == "text":
                self._part(index, name, value)
            elif name == "toolUse":
                self._part(index, "input", value.get("input", ""))
            elif name == "reasoningContent":
                for inner, text in value.items():
                    self._part(index, f"reasoning.{inner}", text)
            elif isinstance(value, list):
                block.setdefault(name, []).extend(value)
            else:
                block.setdefault(f"{name}sContent" if name == "citation" else name, []).append(value)

    def _part(self, index: int, name: str, text: str) -> None:
        self._parts.setdefault((index, name), []).append(text)

    def _block(self, index: int) -> Json:
        block = dict(self._blocks[index])
        for (at, name), pieces in self._parts.items():
            if at != index:
                continue
            text = "".join(pieces)
            if name == "text":
                block["text"] = text
            elif name == "input":
                block["toolUse"] = {**block.get("toolUse", {}), "input": _value(text)}
            elif name == "reasoning.redactedContent":
                block["reasoningContent"] = {"redactedContent": text}
            else:
                said = block.setdefault("reasoningContent", {}).setdefault("reasoningText", {})
                said[name.removeprefix("reasoning.")] = text
        return block


def _value(text: str) -> Any:
    """A tool's input; its text where the stream broke off within it."""
    try:
        return msgspec.json.decode(text or "{}")
    except msgspec.DecodeError:
        return text

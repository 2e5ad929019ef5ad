"""GetObject, HeadObject, GetObjectAttributes."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Iterator
from contextlib import ExitStack
from typing import NamedTuple

from rocamadre.api.http import Reply
from rocamadre.api.neighbours.s3.attributes import described, overrides
from rocamadre.api.neighbours.s3.calls import THREADS, Call, http_date, in_thread, operation
from rocamadre.api.neighbours.s3.conditions import check_read
from rocamadre.api.neighbours.s3.documents import checksum_tags, tag, xml_reply
from rocamadre.core.errors import CommonError
from rocamadre.store.objects.blobs import PIECE_BYTES, Segment
from rocamadre.store.objects.protocol import ObjectInfo

_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")


class Extent(NamedTuple):
    """Which bytes go back: from `start` up to `stop`; all of them unless `is_part`."""

    start: int
    stop: int
    is_part: bool


class _Found(NamedTuple):
    info: ObjectInfo
    extent: Extent
    pieces: Iterator[bytes]
    content: bytes | None
    """All of the extent, where it is small."""


@operation("GetObject")
async def get_object(call: Call) -> Reply:
    """An object's content, or a range or part of it."""
    stack = ExitStack()
    try:
        found = await in_thread(_open, call, stack, reads=True)
        reply = _reply(call, found)
        if found.content is not None:
            reply.body = found.content
        else:
            reply.body = _content(found.pieces, stack)
            stack = ExitStack()  # The generator closes it.
        return reply
    finally:
        stack.close()


@operation("HeadObject")
async def head_object(call: Call) -> Reply:
    """What is known of an object."""
    with ExitStack() as stack:
        return _reply(call, await in_thread(_open, call, stack, reads=False))


def _open(call: Call, stack: ExitStack, *, reads: bool) -> _Found:
    info, segments = stack.enter_context(call.store.opened(call.bucket, call.key))
    check_read(info, call.request.headers)
    extent = _extent(call, info, segments)
    pieces = call.store.pieces(info, segments, extent.start, extent.stop)
    content = None
    if reads and extent.stop - extent.start <= PIECE_BYTES:
        content = b"".join(pieces)
    return _Found(info, extent, pieces, content)


def _reply(call: Call, found: _Found) -> Reply:
    info, extent = found.info, found.extent
    wants = call.header("x-amz-checksum-mode").upper() == "ENABLED" and not extent.is_part
    headers = described(info, with_checksums=wants) | overrides(call.parameters)
    headers["content-length"] = str(extent.stop - extent.start)
    if "partNumber" in call.parameters and info.parts:
        headers["x-amz-mp-parts-count"] = str(info.parts)
    if extent.is_part and info.size_bytes:
        headers["content-range"] = f"bytes {extent.start}-{extent.stop - 1}/{info.size_bytes}"
    return Reply(206 if extent.is_part else 200, headers)


def _extent(call: Call, info: ObjectInfo, segments: list[Segment]) -> Extent:
    if "partNumber" in call.parameters:
        if call.header("range"):
            raise CommonError("InvalidRequest", 400, "Cannot specify both Range header and partNumber query parameter")
        number = call.number("partNumber", 1, least=1, most=10_000)
        if number > max(info.parts, 1):
            raise CommonError("InvalidPartNumber", 416, "The requested partnumber is not satisfiable")
        if not info.parts:
            return Extent(0, info.size_bytes, True)
        start = sum(segment.size for segment in segments[: number - 1])
        return Extent(start, start + segments[number - 1].size, True)
    return parse_range(call.header("range"), info.size_bytes)


def parse_range(text: str, size_bytes: int) -> Extent:
    """A Range header; one that HTTP says to pass over means everything.

    Raises:
        CommonError: InvalidRange, 416.

    >>> parse_range("bytes=-3", 10), parse_range("bytes=8-99", 10)
    (Extent(start=7, stop=10, is_part=True), Extent(start=8, stop=10, is_part=True))
    >>> parse_range("lines=1-2", 10)
    Extent(start=0, stop=10, is_part=False)
    """
    match = _RANGE.fullmatch(text.strip())
    if match is None or not (match[1] or match[2]) or (match[1] and match[2] and int(match[2]) < int(match[1])):
        return Extent(0, size_bytes, False)
    if match[1]:
        start, stop = int(match[1]), min(int(match[2]) + 1 if match[2] else size_bytes, size_bytes)
    else:
        start, stop = max(size_bytes - int(match[2]), 0), size_bytes
    if start >= size_bytes or start >= stop:
        raise CommonError("InvalidRange", 416, "The requested range is not satisfiable")
    return Extent(start, stop, True)


async def _content(pieces: Iterator[bytes], stack: ExitStack) -> AsyncGenerator[bytes]:
    """Pieces read in threads, one ahead of the network."""
    ahead = THREADS.submit(next, pieces, None)
    try:
        while (piece := await asyncio.wrap_future(ahead)) is not None:
            ahead = THREADS.submit(next, pieces, None)
            yield piece
    finally:
        # A generator that a thread still runs cannot be closed; the lease ends when it is done.
        ahead.cancel()
        if ahead.done():
            THREADS.submit(_end, pieces, stack)
        else:
            ahead.add_done_callback(lambda _: _end(pieces, stack))


def _end(pieces: Iterator[bytes], stack: ExitStack) -> None:
    pieces.close()  # type: ignore[attr-defined]  # `pieces` of the store is a generator
    stack.close()


@operation("GetObjectAttributes")
async def get_object_attributes(call: Call) -> Reply:
    """Those that `x-amz-object-attributes` asks for; of the parts, only their number."""
    wanted = {name.strip() for name in call.header("x-amz-object-attributes").split(",")}
    info = await in_thread(call.store.head, call.bucket, call.key)
    check_read(info, call.request.headers)
    parts = []
    if "ETag" in wanted:
        parts.append(tag("ETag", info.etag))
    if "Checksum" in wanted and info.checksums:
        sums = "".join(checksum_tags(info.checksums))
        parts.append(f"<Checksum>{sums}{tag('ChecksumType', info.checksum_type)}</Checksum>")
    if "ObjectParts" in wanted and info.parts:
        parts.append(f"<ObjectParts>{tag('PartsCount', info.parts)}</ObjectParts>")
    if "StorageClass" in wanted:
        parts.append(tag("StorageClass", "STANDARD"))
    if "ObjectSize" in wanted:
        parts.append(tag("ObjectSize", info.size_bytes))
    return xml_reply("GetObjectAttributesResponse", parts, headers={"last-modified": http_date(info.modified_at)})

"""Bodies received: uploads into blobs, small documents into memory."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from rocamadre.api.neighbours.s3.calls import THREADS, Call, in_thread
from rocamadre.api.neighbours.s3.payload import Payload
from rocamadre.core.errors import CommonError
from rocamadre.store.objects.blobs import BlobWriter, Written
from rocamadre.store.objects.checksums import new_checksum
from rocamadre.store.objects.files import AccountObjects

_BATCH_BYTES = 1 << 20
"""Handed to a thread at a time; an upload holds at most three of these in memory."""

_MOST_DOCUMENT_BYTES = 8 << 20


@dataclass(frozen=True, slots=True)
class Received:
    """An upload that is whole, verified and on the disk, and belongs to nothing yet.

    Attributes:
        checksums: Those that the client sent, by algorithm.
    """

    written: Written
    checksums: dict[str, str]


async def receive_blob(call: Call, *, algorithm: str = "") -> Received:
    """Write the request's body to a blob as it arrives.

    Args:
        call: The request.
        algorithm: A checksum to compute though the client sends none.

    Raises:
        RocamadreError: the body is not what the request says; nothing of it is left then.
    """
    payload = Payload(call.request)
    transfer = _Transfer(call.store, payload, algorithm)
    last: list[bytes] = []  # One is held back: the last goes the shorter way.
    try:
        async for batch in call.request.batches(_BATCH_BYTES):
            if last:
                await transfer.hand_over(last)
            last = batch
        return await transfer.finish(last)
    except BaseException:
        transfer.give_up()
        raise


class _Transfer:
    """Hashing and writing in threads, one batch behind the network."""

    def __init__(self, store: AccountObjects, payload: Payload, algorithm: str) -> None:
        self._store = store
        self._payload = payload
        extra = [algorithm] if algorithm and algorithm not in payload.algorithms else []
        self._algorithms = [*payload.algorithms, *extra]
        self._kept = algorithm
        self._writer: BlobWriter | None = None
        self._pending: Future[None] | None = None

    async def hand_over(self, batch: Sequence[bytes]) -> None:
        """Begin to write a batch, once the one before is written."""
        await self._settled()
        self._pending = THREADS.submit(self._write, batch)

    async def finish(self, batch: Sequence[bytes]) -> Received:
        """Write the last batch, flush and verify: one visit to a thread for a small body."""
        await self._settled()
        last = THREADS.submit(self._end, batch)
        # `give_up` must wait for this one too, should the client leave now.
        self._pending = last  # type: ignore[assignment]
        return await asyncio.wrap_future(last)

    def give_up(self) -> None:
        """Remove what was written, as soon as no thread works on it."""
        if self._pending is None or self._pending.cancel() or self._pending.done():
            THREADS.submit(self._discard)
        else:
            self._pending.add_done_callback(lambda _: self._discard())

    async def _settled(self) -> None:
        if self._pending is not None:
            await asyncio.wrap_future(self._pending)

    def _write(self, batch: Sequence[bytes]) -> None:
        if self._writer is None:
            self._writer = self._store.writer(self._algorithms)
        self._writer.write(self._payload.decode(batch))

    def _end(self, batch: Sequence[bytes]) -> Received:
        self._write(batch)
        assert self._writer is not None
        written = self._writer.finish()
        checksums = self._payload.finish(written)
        if self._kept and not checksums:
            checksums = {self._kept: written.checksums[self._kept]}
        return Received(written, checksums)

    def _discard(self) -> None:
        if self._writer is not None:
            self._writer.remove()


async def discard(call: Call, received: Received) -> None:
    """Remove a blob that was received in vain."""
    await in_thread(call.store.files.blobs.remove, [received.written.blob])


async def read_document(call: Call) -> bytes:
    """A small body, verified like an upload.

    Raises:
        CommonError: it is longer than any document of S3's, or not what the request says.
    """
    payload = Payload(call.request)
    pieces: list[bytes] = []
    size = 0
    async for piece in call.request.pieces():
        size += len(piece)
        if size > _MOST_DOCUMENT_BYTES:
            raise CommonError("MaxMessageLengthExceeded", 400, "Your request was too big.")
        pieces.append(piece)
    return await in_thread(_checked, payload, pieces)


def _checked(payload: Payload, pieces: Sequence[bytes]) -> bytes:
    body = b"".join(payload.decode(pieces))
    checksums = {}
    for name in payload.algorithms:
        checksum = new_checksum(name)
        checksum.update(body)
        checksums[name] = checksum.encoded()
    payload.finish(Written("", len(body), hashlib.md5(body, usedforsecurity=False).hexdigest(), checksums))
    return body

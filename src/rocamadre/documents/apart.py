"""Parsers in a child process each: bounded in time, memory and output, and able to open nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import asdict
from typing import IO

import msgspec

from rocamadre.core.errors import InvalidRequest, Throttled
from rocamadre.documents.types import DocumentText, Limits, Part, PartKind

_AT_ONCE = 2
_WAIT_S = 20.0
_KEPT = ("PATH", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TMPDIR")
_places = threading.BoundedSemaphore(_AT_ONCE)


class _Reply(msgspec.Struct, forbid_unknown_fields=True):
    """What the child answers: parts, or why there are none."""

    parts: list[tuple[PartKind, str, str]] = []
    error: str = ""


def read_apart(data: bytes, format_: str, *, at: str, limits: Limits) -> DocumentText:
    """Read a document in a child process.

    Raises:
        InvalidRequest: the child refused it, or died of a limit.
        Throttled: others are being read, and none of them ended in time.
    """
    if not _places.acquire(timeout=_WAIT_S):
        raise Throttled(f"{at}: {_AT_ONCE} documents are being read at this moment; try again")
    try:
        output, late = _ask_child(data, format_, limits)
    finally:
        _places.release()
    if late:
        raise InvalidRequest(f"{at}: reading the {format_} document takes over {limits.wall_s:g} seconds")
    try:
        reply = msgspec.json.decode(output, type=_Reply)
    except msgspec.MsgspecError as error:
        raise InvalidRequest(
            f"{at}: the {format_} document cannot be read within {limits.cpu_s} seconds of computing and "
            f"{limits.memory_bytes >> 20} MB of memory, or breaks the reader; save it again with another program"
        ) from error
    if reply.error:
        raise InvalidRequest(f"{at}: {reply.error}")
    return DocumentText(tuple(Part(kind, name, text) for kind, name, text in reply.parts))


def _ask_child(data: bytes, format_: str, limits: Limits) -> tuple[bytes, bool]:
    """What the child wrote, and whether it had to be killed for its time."""
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "rocamadre.documents.child"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={name: os.environ[name] for name in _KEPT if name in os.environ},
        start_new_session=True,
    )
    late = threading.Event()

    def end() -> None:
        late.set()
        process.kill()

    assert process.stdin is not None
    assert process.stdout is not None
    head = msgspec.json.encode({"format": format_, "limits": asdict(limits)}) + b"\n"
    timer = threading.Timer(limits.wall_s, end)
    writer = threading.Thread(target=_write, args=(process.stdin, head, data), daemon=True)
    timer.start()
    writer.start()
    try:
        # A character takes at most six bytes in JSON; whatever a broken child writes beyond is not read.
        output = process.stdout.read(6 * limits.characters + 1_000_000)
    finally:
        timer.cancel()
        process.kill()
        process.wait()
        writer.join()
        process.stdout.close()
    return output, late.is_set()


def _write(pipe: IO[bytes], *pieces: bytes) -> None:
    with suppress(OSError):  # The child may end before it has read everything.
        for piece in pieces:
            pipe.write(piece)
    with suppress(OSError):
        pipe.close()

"""Parses documents in a process that can hurt nobody: `python -m rocamadre.knowledge.parsers.child LIMITS`.

Frames of MessagePack come and go over standard input, a socket, each after its length in eight bytes. Before the first,
everything that any parser needs is imported; then the process may open no file and no socket any more, and its memory
is bounded. Its computing time is bounded anew for every document, and an alarm ends it when nobody else does.
"""

from __future__ import annotations

import codecs
import dataclasses
import gc
import os
import re
import resource
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeAlias

import msgspec

from rocamadre.documents.pieces import Refused
from rocamadre.documents.types import Limits
from rocamadre.knowledge.parsers.file import DAMAGED, Columns, File, OcrWanted
from rocamadre.knowledge.parsers.formats import format_of
from rocamadre.knowledge.parsers.parsed import Parsed, Reason
from rocamadre.knowledge.parsers.registry import BUILT_IN, PARSERS

_ENCODINGS = (
    "utf-8 utf-8-sig utf-16 utf-16-le utf-16-be utf-32 ascii latin-1 iso8859-2 iso8859-9 iso8859-15 cp437 cp850 cp1250 "
    "cp1251 cp1252 cp1254 koi8-r mac-roman shift_jis euc_jp euc_kr gb2312 gbk gb18030 big5 base64 quopri"
).split()
_MAIL = b"""From: =?utf-8?q?a?=
To: =?utf-8?b?YQ==?=
Subject: a
Content-Type: multipart/mixed; boundary=b

--b
Content-Type: text/html; charset=iso-8859-1
Content-Transfer-Encoding: quoted-printable

<p>a=E9
--b
Content-Type: message/rfc822

From: a
Content-Transfer-Encoding: base64

YQ==
--b
Content-Type: text/csv
Content-Disposition: attachment; filename*=utf-8''a.csv
Content-Transfer-Encoding: x-uuencode

begin 644 a
#86$*
`
end
--b--
"""
_LATE_S = 5.0
_COLLECTED = 32
_ALL_COLLECTED = 1024
_HIGH_WATER = re.compile(rb"VmHWM:\s*(\d+) kB")
READY = b"ready"
"""What comes first, and behind it what the kernel said of this process's memory by then."""


class Request(msgspec.Struct, forbid_unknown_fields=True):
    """What the parent asks.

    Attributes:
        op: `parse` a document; parse the last one `again`, with what OCR read; `render` a page of it.
    """

    op: str
    data: bytes = b""
    name: str = ""
    media_type: str = ""
    columns: Columns | None = None
    can_read_images: bool = False
    read_pages: dict[int, str] = {}
    page: int = 0


class Reply(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """What comes back: a document, or why not; pages that need OCR; an image.

    Attributes:
        more: What `serve` was told to make of the document besides, encoded; then `parsed` lacks what that was made of.
        peak_bytes: The most memory that this process has held so far.
    """

    parsed: Parsed | None = None
    more: bytes = b""
    reason: Reason | None = None
    message: str = ""
    pages: list[int] = []
    image: bytes = b""
    peak_bytes: int = 0


Further: TypeAlias = Callable[[Parsed], tuple[Parsed, bytes]]
"""Makes something more of a document, and says what of it the parent still needs; nothing where it raises."""


def parse(file: File) -> Reply:
    """A document, or why there is none."""
    try:
        return Reply(parsed=PARSERS.load(file.format)(file))
    except OcrWanted as wanted:
        return Reply(pages=list(wanted.pages))
    except Refused as error:
        return _refused(error)
    except MemoryError:
        return Reply(reason="memory", message=f"reading the document takes over {file.limits.memory_bytes >> 20} MB")
    except RecursionError:
        return Reply(reason="nested-too-deeply", message="the document is nested too deeply")
    except DAMAGED:
        return Reply(reason="damaged", message=f"the document is damaged, or no {file.format} file")


def file_of(request: Request, limits: Limits) -> File:
    """The document that is asked for.

    Raises:
        Refused: it has no format that is read.
    """
    format_ = format_of(request.data, request.name, request.media_type)
    return File(request.data, request.name, format_, limits, request.columns, request.can_read_images)


class _Server:
    """Answers one request after the other, and keeps the last document."""

    def __init__(self, limits: Limits, further: Further | None) -> None:
        self._limits = limits
        self._further = further
        self._file: File | None = None

    def answer(self, request: Request) -> Reply:
        reply = self._answer(request)
        if self._further is not None and reply.parsed is not None:
            # What cannot be done here, the parent does with what it then gets.
            with suppress(MemoryError, RecursionError, *DAMAGED):
                reply.parsed, reply.more = self._further(reply.parsed)
        return reply

    def _answer(self, request: Request) -> Reply:
        try:
            if request.op == "parse":
                self._file = None
                self._file = file_of(request, self._limits)
            assert self._file is not None
            if request.op == "render":
                from rocamadre.knowledge.parsers.pdf import render  # noqa: PLC0415  (imported with its registry)

                if self._file.format == "image":
                    return Reply(image=self._file.data)
                return Reply(image=render(self._file.data, request.page))
            if request.op == "again":
                self._file = dataclasses.replace(self._file, read_pages=request.read_pages)
            return parse(self._file)
        except Refused as error:
            return _refused(error)
        except MemoryError:
            return Reply(reason="memory", message=f"the document takes over {self._limits.memory_bytes >> 20} MB")


def _refused(error: Refused) -> Reply:
    return Reply(reason=msgspec.convert(error.reason, Reason), message=str(error))


def _prepare(limits: Limits, load: Callable[[], Further] | None) -> Further | None:
    """Import everything, then bound this process."""
    for name in _ENCODINGS:
        codecs.lookup(name)
    for name in BUILT_IN:
        PARSERS.load(name)
    for format_, sample in (("eml", _MAIL), ("json", b'{"a": [1, 2.5]}'), ("csv", b"a,b\n1,2\n"), ("html", b"&amp;")):
        # Libraries import parts of themselves when they are first used; afterwards they could not.
        parse(File(sample, "", format_, limits))
    before = _address_space()
    further = None if load is None else load()
    # What libraries hold in reserve is not taken from the documents.
    bound = limits.memory_bytes + _address_space() - before
    gc.collect()
    gc.freeze()
    gc.disable()
    for kind, most in (
        (resource.RLIMIT_AS, bound),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 0),
    ):
        _, hard = resource.getrlimit(kind)
        if hard == resource.RLIM_INFINITY or most < hard:
            resource.setrlimit(kind, (most, most))
    return further


def _address_space() -> int:
    """Bytes of it that this process has; 0 where the kernel does not say."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[0]) * resource.getpagesize()
    except OSError:
        return 0


def _bound_time(limits: Limits) -> None:
    """From now on, so much more time."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + 1 + limits.cpu_s, hard))
    signal.setitimer(signal.ITIMER_REAL, limits.wall_s + _LATE_S)


class _Peak:
    """Tells the most memory that this process has held; opened before nothing can be opened any more.

    On Linux from `/proc`, since the kernel's own figure begins with the memory of the process that started this one.
    """

    def __init__(self) -> None:
        self._status = os.open("/proc/self/status", os.O_RDONLY) if sys.platform == "linux" else -1

    def __call__(self) -> int:
        if self._status < 0:
            return most_resident(resource.getrusage(resource.RUSAGE_SELF))
        found = _HIGH_WATER.search(os.pread(self._status, 4096, 0))
        return int(found[1]) << 10 if found else 1


def most_resident(used: resource.struct_rusage) -> int:
    """Bytes, of what the kernel says of a process."""
    return used.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def framed(content: bytes) -> bytes:
    """After its length."""
    return len(content).to_bytes(8, "big") + content


def serve(
    read: Callable[[int], bytes],
    write: Callable[[bytes], Any],
    limits: Limits,
    peak_bytes: Callable[[], int],
    further: Further | None = None,
) -> None:
    """Answer until the other end is closed.

    Args:
        read: So many bytes, or fewer at the end.
        write: All of them.
        limits: Per document.
        peak_bytes: The most memory held so far.
        further: What is made of each document besides, in the same time and memory.
    """
    server = _Server(limits, further)
    parsed = 0
    while True:
        head = read(8)
        if len(head) < 8:
            return
        _bound_time(limits)
        body = read(int.from_bytes(head, "big"))
        request = msgspec.msgpack.decode(body, type=Request)
        del body
        reply = server.answer(request)
        reply.peak_bytes = peak_bytes()
        frame = msgspec.msgpack.encode(reply)
        # The parent may have sent more, and not be reading yet: that is not this document's time.
        signal.setitimer(signal.ITIMER_REAL, 0)
        write(framed(frame))
        del request, reply, frame
        parsed += 1
        if parsed % _COLLECTED == 0:
            # While a file is parsed, cycles are few and objects many: looking for them then takes a third of the time.
            # What has stayed since the last look is mostly what is remembered, and looked at seldom.
            gc.collect(2 if parsed % _ALL_COLLECTED == 0 else 0)


def _write(data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(0, view) :]


def main(load: Callable[[], Further] | None = None) -> None:
    """The command.

    Args:
        load: Gives what `serve` takes as `further`, and has used it once: later nothing can be imported.
    """
    limits = msgspec.json.decode(sys.argv[1], type=Limits)
    stdin = open(0, "rb", closefd=False)
    peak = _Peak()
    further = _prepare(limits, load)
    _write(READY + most_resident(resource.getrusage(resource.RUSAGE_SELF)).to_bytes(8, "big"))
    serve(stdin.read, _write, limits, peak, further)


if __name__ == "__main__":
    main()

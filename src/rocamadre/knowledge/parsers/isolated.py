"""Parsers in child processes: bounded in time and memory, able to open nothing, used again until one breaks.

A child begins in some 0.2 s, most of it Python's, and then costs a parse little more than the copying of its file; see
`child.py` for what it may do. Which thread started a child does not matter: it ends when its socket is closed, be it
because its parent was killed.
"""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import msgspec

from rocamadre.documents.types import Limits
from rocamadre.knowledge.parsers.child import READY, Reply, Request, framed, most_resident
from rocamadre.knowledge.parsers.file import Columns
from rocamadre.knowledge.parsers.ocr import OcrLimits, read_image, tesseract
from rocamadre.knowledge.parsers.parsed import Parsed, ParseFailure

KNOWLEDGE_LIMITS = Limits(
    size_bytes=50 * 1024 * 1024,
    expanded_bytes=256 * 1024 * 1024,
    characters=50 * 1024 * 1024,
    pages=20_000,
    memory_bytes=960 * 1024 * 1024,
    cpu_s=24,
    wall_s=27.0,
)
"""What parsing one file may cost: less than 1 GB and 30 s; 50 MB is Amazon Bedrock's limit for a source file."""

_KEPT = ("PATH", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TMPDIR")
_MODULE = "rocamadre.knowledge.parsers.child"
_START_S = 60.0
_AT_ONCE_S = 1.0
_GRACE_S = 0.05
_MUCH = 0.7
"""Of its memory: a process that held so much and broke has most likely run out of it."""
_LARGE_BYTES = 256 * 1024 * 1024
"""A child that held more is not used again: what it gave back may not be whole."""
_AHEAD_BYTES = 128 * 1024
"""Of documents that a child has before it has answered; so few that none is waited for with while it answers."""
_AHEAD = 32
_TOGETHER_BYTES = 32 * 1024
"""Of documents that are sent together: a call for each costs as much as a good part of preparing it."""
_ROOM_BYTES = 256 * 1024
_NO_CHILD = "the process that parses documents does not start"


class ParserPool:
    """Parses documents in children, from any number of threads.

    Args:
        limits: Per file.
        workers: Children at once; a caller waits for a free one. None of them runs before it is needed, and none
            outlives `close`.
        ocr: For scanned pages and images; only where Tesseract is installed.
        program: The module that children run, and its arguments behind the limits: `child`, or one that calls its
            `main` to make something more of each document.
    """

    def __init__(
        self,
        limits: Limits = KNOWLEDGE_LIMITS,
        *,
        workers: int = 2,
        ocr: OcrLimits | None = None,
        program: Sequence[str] = (_MODULE,),
    ) -> None:
        self.limits = limits
        self.workers = workers
        self.ocr = ocr or OcrLimits()
        self._program = program
        self._places = threading.BoundedSemaphore(workers)
        self._lock = threading.Lock()
        self._idle: list[_Child] = []
        self._closed = False

    def parse(self, source: Path | bytes, name: str, media_type: str = "", *, columns: Columns | None = None) -> Parsed:
        """A document's text. Blocks; a file takes at most `limits.wall_s`, and more only while OCR reads pages.

        Args:
            source: The file, or what is in it; a link is not followed.
            name: The file's name or URI; its ending counts where the content leaves the format open.
            media_type: As the source declares it; may be empty.
            columns: What to read of a CSV file, if its sidecar says so.

        Raises:
            ParseFailure: with the reason; the pool goes on with other files as if nothing had been.
        """
        request = self._request(source, name, media_type, columns)
        with self._places:
            return _document(self._reply(request))

    @contextmanager
    def stream(self) -> Iterator[Stream]:
        """A child for documents one after the other, in one thread at a time; waits for a place."""
        with self._places:
            stream = Stream(self)
            try:
                yield stream
            finally:
                stream.close()

    def _request(self, source: Path | bytes, name: str, media_type: str, columns: Columns | None) -> Request:
        data = source if isinstance(source, bytes) else _content(source, self.limits)
        if not data:
            raise ParseFailure("empty", "the file is empty")
        if len(data) > self.limits.size_bytes:
            raise _too_large(len(data), self.limits)
        return Request("parse", data, name, media_type, columns, tesseract() is not None)

    def close(self) -> None:
        """End the children; those at work end with their file."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for child in idle:
            child.close()

    def __enter__(self) -> ParserPool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _reply(self, request: Request) -> Reply:
        child, used = self._take()
        began = time.monotonic()
        try:
            reply = child.ask(request)
        except ParseFailure as error:
            # A child that is gone at once may have been broken before: the file gets one that is new.
            if not used or error.reason != "crash" or time.monotonic() - began > _AT_ONCE_S:
                raise
            child = self._begin()
            reply = child.ask(request)
        except BaseException:
            child.close()
            raise
        try:
            if reply.pages:
                reply = self._read_images(child, reply.pages)
        finally:
            self._give_back(child)
        return reply

    def _read_images(self, child: _Child, pages: list[int]) -> Reply:
        """Have the pages of the child's last document read, and the document parsed with them."""
        deadline = time.monotonic() + self.ocr.document_s
        read: dict[int, str] = {}
        for page in pages:
            left = deadline - time.monotonic()
            if left <= 0:
                raise ParseFailure(
                    "timeout",
                    f"the document has {len(pages)} scanned pages; reading them takes over {self.ocr.document_s:.0f} "
                    f"seconds, which sufficed for {len(read)}; split it",
                )
            drawn = child.ask(Request("render", page=page))
            if drawn.reason is not None:
                raise ParseFailure(drawn.reason, drawn.message)
            read[page] = read_image(drawn.image, self.ocr, seconds_left=left)
        return child.ask(Request("again", read_pages=read))

    def _take(self) -> tuple[_Child, bool]:
        with self._lock:
            if self._idle:
                return self._idle.pop(), True
        return self._begin(), False

    def _begin(self) -> _Child:
        return _Child(self.limits, self._program)

    def _give_back(self, child: _Child) -> None:
        with self._lock:
            if not self._closed and child.is_sound:
                self._idle.append(child)
                return
        child.close()


class Outcome(NamedTuple):
    """What became of a document of a `Stream`.

    Attributes:
        tag: What it was given with.
        parsed: None where there is a failure.
        more: See `child.Reply`.
    """

    tag: Any
    parsed: Parsed | None = None
    more: bytes = b""
    failure: ParseFailure | None = None


class Stream:
    """One child that has the next documents before it has answered the first; see `ParserPool.stream`.

    Whatever a document does to the child, those behind it are given to another.
    """

    def __init__(self, pool: ParserPool) -> None:
        self._pool = pool
        self._child: _Child | None = None
        self._used = False
        self._waiting: deque[tuple[Any, Request, bytes]] = deque()
        self._bytes = 0
        self._unsent: list[bytes] = []
        self._unsent_bytes = 0
        self._since = 0.0

    def put(
        self, tag: Any, source: Path | bytes, name: str, media_type: str = "", *, columns: Columns | None = None
    ) -> Iterator[Outcome]:
        """Give it a document as `ParserPool.parse` takes it; yields what became of earlier ones meanwhile."""
        try:
            request = self._pool._request(source, name, media_type, columns)
        except ParseFailure as error:
            yield Outcome(tag, failure=error)
            return
        frame = framed(msgspec.msgpack.encode(request))
        while self._waiting and (self._bytes + len(frame) > _AHEAD_BYTES or len(self._waiting) >= _AHEAD):
            yield self._next()
        if self._child is not None and self._child.is_large:
            yield from self.rest()
            self.close()
        if not self._waiting:
            self._since = time.monotonic()
        self._waiting.append((tag, request, frame))
        self._bytes += len(frame)
        self._unsent.append(frame)
        self._unsent_bytes += len(frame)
        if self._unsent_bytes >= _TOGETHER_BYTES:
            self._send()

    def rest(self) -> Iterator[Outcome]:
        """What became of all that it was given."""
        if self._unsent:
            self._send()
        while self._waiting:
            yield self._next()

    def close(self) -> None:
        """Give the child back; what it was given and has not answered is lost."""
        child, self._child = self._child, None
        self._unsent = []
        if child is None:
            return
        if self._waiting:
            child.close()
        else:
            self._pool._give_back(child)

    def _send(self) -> None:
        """Send what is not sent; what goes wrong is noticed when the answer is read."""
        frames, self._unsent, self._unsent_bytes = b"".join(self._unsent), [], 0
        with suppress(ParseFailure):
            if self._child is None:
                self._child, self._used = self._pool._take()
            self._child.send(frames)

    def _next(self) -> Outcome:
        tag, request, frame = self._waiting[0]
        if len(self._unsent) == len(self._waiting):
            self._send()
        try:
            if self._child is None:
                raise ParseFailure("crash", _NO_CHILD)
            reply = self._child.answer(time.monotonic() + self._pool.limits.wall_s)
            failure = None
        except ParseFailure as error:
            reply, failure = Reply(), error
        at_once = time.monotonic() - self._since < _AT_ONCE_S
        self._since = time.monotonic()
        self._waiting.popleft()
        self._bytes -= len(frame)
        # A child that is gone at once may have been broken before; and reading images takes one for itself.
        again = bool(reply.pages) or (failure is not None and failure.reason == "crash" and self._used and at_once)
        self._used = True
        if failure is not None:
            self._child = None
            self._unsent = [other for _, _, other in self._waiting]
            self._send()
        try:
            if again:
                reply = self._pool._reply(request)
            elif failure is not None:
                return Outcome(tag, failure=failure)
            return Outcome(tag, _document(reply), reply.more)
        except ParseFailure as error:
            return Outcome(tag, failure=error)


class _Child:
    """One process, asked by one thread at a time."""

    def __init__(self, limits: Limits, program: Sequence[str]) -> None:
        self._limits = limits
        self._peak_bytes = 0
        self._first_bytes = 0
        self._received, self._taken = b"", 0
        ours, theirs = socket.socketpair()
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _ROOM_BYTES)
        self._socket = ours
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", program[0], msgspec.json.encode(asdict(limits)).decode(), *program[1:]],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={name: os.environ[name] for name in _KEPT if name in os.environ},
                cwd="/",
                start_new_session=True,
            )
        ready = self._read(len(READY) + 8, time.monotonic() + _START_S)
        self._first_bytes = int.from_bytes(ready[len(READY) :], "big")
        if not ready.startswith(READY):
            self.close()
            raise ParseFailure("crash", _NO_CHILD)

    @property
    def is_sound(self) -> bool:
        """Whether it may be asked again."""
        return self._process.poll() is None and 0 < self._peak_bytes and not self.is_large

    @property
    def is_large(self) -> bool:
        """Whether it has held so much that it is better not asked again."""
        return self._peak_bytes > _LARGE_BYTES

    def ask(self, request: Request) -> Reply:
        """What it answers.

        Raises:
            ParseFailure: it was too slow, or broke; it is then gone.
        """
        deadline = time.monotonic() + self._limits.wall_s
        self.send(framed(msgspec.msgpack.encode(request)))
        return self.answer(deadline)

    def send(self, frames: bytes) -> None:
        """Give it requests.

        Raises:
            ParseFailure: as `ask`.
        """
        deadline = time.monotonic() + self._limits.wall_s
        try:
            self._socket.settimeout(self._limits.wall_s)
            self._socket.sendall(frames)
        except OSError:
            raise self._gone(deadline) from None

    def answer(self, deadline: float) -> Reply:
        """Its next answer.

        Raises:
            ParseFailure: as `ask`.
        """
        try:
            size = int.from_bytes(self._read(8, deadline), "big")
            reply = self._read(size, deadline) if 0 < size <= 6 * self._limits.characters + (64 << 20) else b""
            answered = msgspec.msgpack.decode(reply, type=Reply)
        except (OSError, msgspec.MsgspecError):
            raise self._gone(deadline) from None
        self._peak_bytes = answered.peak_bytes if answered.reason != "memory" else _LARGE_BYTES + 1
        return answered

    def _gone(self, deadline: float) -> ParseFailure:
        late = time.monotonic() >= deadline
        self.close()
        return self._failure(late=late)

    def close(self) -> None:
        """End it."""
        self._socket.close()
        if self._process.returncode is not None:
            return
        # It may be ending by itself; how it does tells what was wrong.
        deadline = time.monotonic() + _GRACE_S
        while not self._reap(os.WNOHANG) and time.monotonic() < deadline:
            time.sleep(0.002)
        if self._process.returncode is None:
            self._process.kill()
            self._reap(0)

    def _reap(self, flags: int) -> bool:
        """Whether it is gone; notes how, and what memory it held."""
        try:
            pid, status, used = os.wait4(self._process.pid, flags)
        except ChildProcessError:
            self._process.returncode = 0
            return True
        if pid:
            self._process.returncode = os.waitstatus_to_exitcode(status)
            most = most_resident(used)
            self._peak_bytes = most if most > self._first_bytes else self._peak_bytes
        return bool(pid)

    def _read(self, size: int, deadline: float) -> bytes:
        """So many bytes, or fewer if it ended; what came beyond them is kept for the next call."""
        if len(self._received) - self._taken < size:
            self._receive(size, deadline)
        found = self._received[self._taken : self._taken + size]
        self._taken += len(found)
        return found

    def _receive(self, size: int, deadline: float) -> None:
        """Wait for so many bytes, or the end."""
        pieces = [self._received[self._taken :]]
        missing = size - len(pieces[0])
        while missing > 0:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            self._socket.settimeout(left)
            piece = self._socket.recv(_ROOM_BYTES)
            if not piece:
                break
            pieces.append(piece)
            missing -= len(piece)
        self._received, self._taken = b"".join(pieces), 0

    def _failure(self, *, late: bool) -> ParseFailure:
        limits, code = self._limits, self._process.returncode
        if late or code == -signal.SIGALRM:
            return ParseFailure("timeout", f"parsing the file takes over {limits.wall_s:g} seconds")
        if code == -signal.SIGXCPU:
            return ParseFailure("timeout", f"parsing the file takes over {limits.cpu_s} seconds of computing")
        if self._peak_bytes > _MUCH * limits.memory_bytes:
            return ParseFailure("memory", f"parsing the file takes over {limits.memory_bytes >> 20} MB of memory")
        return ParseFailure(
            "crash",
            f"the file breaks its parser{f' (signal {-code})' if code and code < 0 else ''}: it is damaged, made to do "
            f"so, or takes over {limits.memory_bytes >> 20} MB of memory",
        )


def _content(path: Path, limits: Limits) -> bytes:
    """A file's bytes, if it is a file."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise ParseFailure("unreadable", f"the file cannot be opened: {error.strerror}") from error
    facts = os.fstat(descriptor)
    if not stat.S_ISREG(facts.st_mode):
        os.close(descriptor)
        raise ParseFailure("unreadable", "it is no file, but a folder, a device or a pipe")
    with open(descriptor, "rb") as file:
        if facts.st_size > limits.size_bytes:
            raise _too_large(facts.st_size, limits)
        return file.read(limits.size_bytes + 1)


def _too_large(size: int, limits: Limits) -> ParseFailure:
    return ParseFailure("too-large", f"the file has {size} bytes; at most {limits.size_bytes} are taken")


def _document(reply: Reply) -> Parsed:
    """The document that a child answers, or why there is none."""
    if reply.parsed is None:
        raise ParseFailure(reply.reason or "crash", reply.message)
    return _checked(reply.parsed)


def _checked(parsed: Parsed) -> Parsed:
    """What a child says, if its spans lie within its text: a parser that was taken over might say anything."""
    most = len(parsed.text)
    for spans in (parsed.pages, parsed.headings, parsed.tables, parsed.records):
        last = 0
        for span in spans:
            if not last <= span.start <= span.end <= most:
                raise ParseFailure("crash", "the parser of the file says where things are that are not there")
            last = span.start
    return parsed

"""A parsed document as pieces with their languages and terms: in this process, or in one beside it.

Cutting and analysing are pure Python, and take more computing than all else but the embedder. Threads would take turns
at it; processes do not.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import msgspec

from rocamadre.datasets.languages import OTHER
from rocamadre.knowledge.chunkers.default import Default
from rocamadre.knowledge.chunkers.registry import Chunker, CountTokens, Embed, Piece, chunker_of, settings_of
from rocamadre.knowledge.graph.entities import names_of
from rocamadre.knowledge.graph.relations import described
from rocamadre.knowledge.ingestion.tokens import counter_at
from rocamadre.knowledge.languages import detect
from rocamadre.knowledge.languages.bulk import split
from rocamadre.knowledge.parsers.parsed import Parsed
from rocamadre.knowledge.sources.protocol import SourceFailure

MUCH = 4000
"""Characters that tell the language of a document."""

_MODULE = "rocamadre.knowledge.ingestion.cutting_child"
_TIMEOUT_S = 600.0
_KEPT = ("PATH", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TMPDIR")


class Cut(NamedTuple):
    """A piece, and what is known of its words.

    Attributes:
        language: `en`, `es`, `pt`, or nothing; of a parent nothing.
        terms: Separated by spaces.
        names: What `graph.relations.described` tells; empty unless asked for.
    """

    piece: Piece
    language: str = ""
    terms: str = ""
    names: Mapping[str, list[str]] = {}


class _Packed(msgspec.Struct, array_like=True, frozen=True):
    """A `Cut` on its way between processes, without the text, which the document has."""

    start: int
    end: int
    headings: tuple[str, ...]
    page: int | None
    parent: int | None
    searched: bool
    metadata: dict[str, Any]
    language: str
    terms: str
    names: dict[str, list[str]]


_PACKED = msgspec.msgpack.Decoder(list[_Packed])
_MARKS = 2
"""Tokens that an embedder puts around a text."""


class CutSettings(msgspec.Struct, frozen=True):
    """How documents are cut.

    Attributes:
        chunking: As `chunkers.registry.settings_of` takes it; None is the default.
        tokenizer: Path of the embedder's; empty to count by letters.
        enrich: Whether the names in pieces are wanted.
        most_tokens: What the embedder reads of a piece; the default's pieces are no longer, so that nothing of them
            goes unread. What a user sets stays as it is.
    """

    chunking: dict[str, Any] | None
    tokenizer: str = ""
    enrich: bool = False
    most_tokens: int = 8192

    def chunker(self) -> Chunker:
        """What cuts."""
        if self.chunking:
            return chunker_of(settings_of(self.chunking))
        return Default(max_tokens=max(1, min(Default().max_tokens, self.most_tokens - _MARKS)))

    def counter(self) -> CountTokens:
        """What counts."""
        return counter_at(Path(self.tokenizer) if self.tokenizer else None)

    @property
    def asks_embedder(self) -> bool:
        """Whether it cuts by what texts mean; only this process can ask."""
        return (self.chunking or {}).get("chunkingStrategy") == "SEMANTIC"


def analysed(text: str, pieces: Sequence[Piece], *, enrich: bool) -> list[Cut]:
    """Pieces of a text with languages and terms.

    Args:
        text: Of the document.
        pieces: Of it.
        enrich: Whether names are wanted.
    """
    spoken: str | None = None
    names = names_of(text) if enrich else []
    found = []
    for piece in pieces:
        if not piece.searched:
            found.append(Cut(piece))
            continue
        words = piece.words or split(piece.text)
        language = words.language(piece.text)
        if language == OTHER:
            spoken = detect(text[:MUCH]) if spoken is None else spoken
            language = spoken
        found.append(Cut(piece, language, words.terms(language), described(piece.text, names) if enrich else {}))
    return found


def packed(cuts: Sequence[Cut]) -> bytes:
    """Cuts as bytes."""
    return msgspec.msgpack.encode(
        [
            (
                piece.start,
                piece.end,
                piece.headings,
                piece.page,
                piece.parent,
                piece.searched,
                piece.metadata,
                language,
                terms,
                names,
            )
            for piece, language, terms, names in cuts
        ]
    )


def unpacked(text: str, content: bytes) -> list[Cut]:
    """What `packed` made of cuts of a text.

    Raises:
        ValueError: it is no such thing, or says where pieces are that are not there.
    """
    found: list[Cut] = []
    most = len(text)
    for each in _PACKED.decode(content):
        start, end, parent = each.start, each.end, each.parent
        if not (0 <= start < end <= most and (parent is None or 0 <= parent < len(found))):
            raise ValueError(f"a piece from {start} to {end} of {most} characters, of piece {parent}")
        piece = Piece(start, end, text[start:end], each.headings, each.page, parent, each.searched, each.metadata)
        found.append(Cut(piece, each.language, each.terms, each.names))
    return found


class Cutter:
    """Cuts documents, from any number of threads.

    Args:
        settings: How.
        embed: For chunkers that ask it.
        children: How many processes; 0 for this one alone.
    """

    def __init__(self, settings: CutSettings, *, embed: Embed | None = None, children: int = 0) -> None:
        self.settings = settings
        self._embed = embed
        self._places = threading.BoundedSemaphore(max(1, children))
        self._children = 0 if settings.asks_embedder else children
        self._lock = threading.Lock()
        self._idle: list[_Child] = []

    def cut(self, parsed: Parsed) -> list[Cut]:
        """The pieces of a document.

        Raises:
            SourceFailure: the process that cuts it died of it.
        """
        if not self._children:
            return analysed(parsed.text, self.pieces(parsed), enrich=self.settings.enrich)
        with self._places:
            with self._lock:
                child = self._idle.pop() if self._idle else None
            child = child or _Child(self.settings)
            try:
                found = child.cut(parsed)
            except (OSError, ValueError) as error:
                child.close()
                raise SourceFailure("cutting it into chunks takes more time or memory than there is") from error
            except BaseException:
                child.close()
                raise
            with self._lock:
                self._idle.append(child)
            return found

    def pieces(self, parsed: Parsed) -> list[Piece]:
        """The pieces alone, cut in this process."""
        return self._chunker.chunk(parsed, self._counter, self._embed)

    @cached_property
    def _chunker(self) -> Chunker:
        return self.settings.chunker()

    @cached_property
    def _counter(self) -> CountTokens:
        return self.settings.counter()

    def close(self) -> None:
        """End the children."""
        with self._lock:
            idle, self._idle = self._idle, []
        for child in idle:
            child.close()

    def __enter__(self) -> Cutter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Child:
    """One process, asked by one thread at a time; it ends when its socket is closed, be it by a kill."""

    def __init__(self, settings: CutSettings) -> None:
        ours, theirs = socket.socketpair()
        self._socket = ours
        self._socket.settimeout(_TIMEOUT_S)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", _MODULE, msgspec.json.encode(settings).decode()],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={name: os.environ[name] for name in _KEPT if name in os.environ},
                cwd="/",
                start_new_session=True,
            )

    def cut(self, parsed: Parsed) -> list[Cut]:
        send(self._socket, msgspec.msgpack.encode(parsed))
        reply = receive(self._socket)
        if reply is None:
            raise ConnectionResetError
        return unpacked(parsed.text, reply)

    def close(self) -> None:
        self._socket.close()
        try:
            self._process.wait(2)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def send(connection: socket.socket, frame: bytes) -> None:
    """Write a frame after its length in eight bytes."""
    connection.sendall(len(frame).to_bytes(8, "big") + frame)


def receive(connection: socket.socket) -> bytes | None:
    """The next frame; None when the other end is closed."""
    head = _exactly(connection, 8)
    return None if head is None else _exactly(connection, int.from_bytes(head, "big"))


def _exactly(connection: socket.socket, size: int) -> bytes | None:
    data = bytearray(size)
    view = memoryview(data)
    while view:
        count = connection.recv_into(view)
        if not count:
            return None
        view = view[count:]
    return bytes(data)


def children_of(threads: int) -> int:
    """Processes that are worth having: with one core alone, none."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return 0 if cores < 2 else threads

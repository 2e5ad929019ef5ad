"""The child's half of `process.py` and `channel.py`: how a model's process starts, ends, and answers frames."""

from __future__ import annotations

import ctypes
import os
import queue
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Callable
from typing import Any, NoReturn

import msgspec

from rocamadre.core.errors import InvalidRequest, RocamadreError
from rocamadre.engines.frames import read_frame, write_frame

_PR_SET_PDEATHSIG = 1


class Announcer:
    """Tells the parent, once, that the model is ready or why not. What libraries print goes to the log instead."""

    def __init__(self) -> None:
        self._out = os.dup(1)
        os.dup2(2, 1)

    def ready(self, facts: Any) -> None:
        """The model answers from now on; `facts` is JSON for the parent."""
        self._write({"ready": facts})

    def refuse(self, error: RocamadreError) -> NoReturn:
        """The model cannot be loaded; ends the process."""
        self._write({"error": error.message, "kind": "invalid" if isinstance(error, InvalidRequest) else "failure"})
        os._exit(1)

    def _write(self, message: dict[str, Any]) -> None:
        os.write(self._out, msgspec.json.encode(message) + b"\n")
        os.close(self._out)


def begin() -> tuple[dict[str, Any], Announcer]:
    """Read the specification, and arrange to end when the parent does."""
    announcer = Announcer()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    line = sys.stdin.buffer.readline()
    if not line:
        os._exit(0)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    return msgspec.json.decode(line), announcer


def run(main: Callable[[], None]) -> NoReturn:
    """Run a child's program; whatever goes wrong is the end of the log, and the end of the process."""
    try:
        main()
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def _end_with_parent() -> NoReturn:
    while os.read(0, 1):
        pass
    os._exit(0)


class Inbox:
    """Requests from the parent, read by a thread while the model works.

    Args:
        fd: The child's end of the socket pair.
    """

    def __init__(self, fd: int) -> None:
        self._socket = socket.socket(fileno=fd)
        self._file = self._socket.makefile("rb")
        self._lock = threading.Lock()
        self._requests: queue.SimpleQueue[tuple[int, str, Any]] = queue.SimpleQueue()
        self._cancelled: set[int] = set()
        self._at_once: dict[str, Callable[[Any], Any]] = {"ping": lambda body: None}
        threading.Thread(target=self._read, daemon=True).start()

    def answer_at_once(self, kind: str, function: Callable[[Any], Any]) -> None:
        """Let the reading thread answer one kind of request, without waiting for the model."""
        self._at_once[kind] = function

    def take(self, *, wait: bool) -> tuple[int, str, Any] | None:
        """The next request as (id, kind, body); None when there is none and `wait` is false."""
        try:
            return self._requests.get(block=wait)
        except queue.Empty:
            return None

    def cancelled(self, request: int) -> bool:
        """Whether the parent lost interest."""
        return request in self._cancelled

    def finish(self, request: int, kind: str, body: Any) -> None:
        """Send the last frame of a request: `done`, or `invalid` or `failure` with a sentence."""
        self._cancelled.discard(request)
        self.send(request, kind, body)

    def send(self, request: int, kind: str, body: Any) -> None:
        """Send a frame; several threads may."""
        with self._lock:
            write_frame(self._socket, (request, kind, body))

    def _read(self) -> None:
        while (frame := read_frame(self._file)) is not None:
            request, kind, body = frame
            if kind == "cancel":
                self._cancelled.add(request)
            elif kind in self._at_once:
                self._answer(request, kind, body)
            else:
                self._requests.put((request, kind, body))
        os._exit(0)

    def _answer(self, request: int, kind: str, body: Any) -> None:
        try:
            self.send(request, "done", self._at_once[kind](body))
        except InvalidRequest as error:
            self.send(request, "invalid", error.message)

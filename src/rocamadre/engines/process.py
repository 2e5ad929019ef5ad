"""Child processes that hold models: started, watched and ended from the server, and never outliving it.

The child reads one line of JSON (its specification) from its standard input, loads, and writes one line of JSON to its
standard output: `{"ready": …}` or `{"error": message, "kind": "invalid" | "failure"}`. Its standard input then stays
open and silent; when it closes, the parent is gone and the child ends. What it writes to standard error goes to a log
file, whose end explains a death.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import re
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from rocamadre.core.children import tell
from rocamadre.core.errors import InvalidRequest, ModelFailure

_PRIVATE = re.compile(r"^(AWS_|ROCA_)|TOKEN(?!IZERS)|SECRET|PASSWORD|API_?KEY|CREDENTIAL", re.IGNORECASE)
_TAIL_BYTES = 2000
_LOGS = itertools.cycle(range(64))


def child_environment(threads: int) -> dict[str, str]:
    """Our environment without what looks like a secret, offline, with the thread count for numeric libraries."""
    kept = {name: value for name, value in os.environ.items() if not _PRIVATE.search(name)}
    return kept | {
        "OMP_NUM_THREADS": str(threads),
        "TOKENIZERS_PARALLELISM": "false",
        "HF_HUB_OFFLINE": "1",
        "PYTHONUNBUFFERED": "1",
    }


def default_threads(setting: int) -> int:
    """The threads of one engine: the setting, or all cores that we may use but one, at least one."""
    if setting:
        return setting
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, cores - 1)


class ChildProcess:
    """One child. Make it with `launch`."""

    def __init__(self, process: Process, log: Path, ready: Any) -> None:
        self.pid = process.pid
        self.ready = ready
        self._process = process
        self._log = log

    @classmethod
    async def launch(
        cls,
        module: str,
        spec: Mapping[str, Any],
        *,
        home: Path,
        name: str,
        threads: int,
        pass_fds: Sequence[int] = (),
    ) -> ChildProcess:
        """Start `python -m module` and wait until it says that it is ready. Cancelling ends the child.

        Raises:
            InvalidRequest: the child refused what it was asked to load.
            ModelFailure: it died before it was ready.
        """
        log = _log_file(home, name)
        with log.open("wb") as stderr:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", module),
                stdin=PIPE,
                stdout=PIPE,
                stderr=stderr,
                env=child_environment(threads),
                pass_fds=tuple(pass_fds),
                start_new_session=True,
            )
        child = cls(process, log, None)
        try:
            await tell(process, msgspec.json.encode(spec) + b"\n")
            assert process.stdout is not None
            line = await process.stdout.readline()
            child.ready = child._understood(line)
            if child.ready is None:
                raise ModelFailure(f"{name}: {await child.exited()}")
        except BaseException:
            await child.stop()
            raise
        return child

    async def exited(self) -> str:
        """Wait until it ends; returns how, with the last words of its log."""
        code = await self._process.wait()
        how = f"its process was killed by {_signal(-code)}" if code < 0 else f"its process ended with status {code}"
        words = await asyncio.to_thread(_tail, self._log)
        return f"{how}: {words}" if words else how

    async def stop(self) -> None:
        """Kill it and wait until it is gone."""
        if self._process.returncode is None:
            with suppress(ProcessLookupError):
                self._process.kill()
        if self._process.stdin is not None:
            self._process.stdin.close()
        await self._process.wait()

    def _understood(self, line: bytes) -> Any:
        """What the child says of its model; None if it said nothing that we understand."""
        try:
            answer = msgspec.json.decode(line)
        except msgspec.DecodeError:
            return None
        if "error" not in answer:
            return answer["ready"]
        words = _tail(self._log)
        message = f"{answer['error']} ({words})" if words else answer["error"]
        raise (InvalidRequest if answer.get("kind") == "invalid" else ModelFailure)(message)

    @property
    def alive(self) -> bool:
        """It has not ended, as far as we were told."""
        return self._process.returncode is None


def _log_file(home: Path, name: str) -> Path:
    folder = home / "logs" / "engines"
    folder.mkdir(parents=True, exist_ok=True)
    slug = re.sub(r"[^A-Za-z0-9.-]+", "-", name)[:80]
    return folder / f"{slug}.{next(_LOGS)}.log"


def _tail(log: Path) -> str:
    try:
        data = log.read_bytes()[-_TAIL_BYTES:]
    except OSError:
        return ""
    lines = [line.strip() for line in data.decode(errors="replace").splitlines() if line.strip()]
    return " | ".join(lines[-3:])


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"

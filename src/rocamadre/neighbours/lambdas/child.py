"""Holds one invocation of a function: `python -I -m rocamadre.neighbours.lambdas.child`. Only the standard library.

Reads one JSON object on standard input, writes one on standard output. Three processes: this one watches from outside
the walls (time, memory, output, and whether its own parent lives); its child builds the walls and is the first process
inside them, so that when it ends the kernel ends whatever the function started; that one's child becomes nobody and
runs the function.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import sys
import time
from typing import Any, NoReturn

from rocamadre.neighbours.lambdas import bootstrap, sandbox

MAX_LOG_BYTES = 1024 * 1024
MAX_LOG_LINE = 256 * 1024
INIT_S = 10.0
"""Importing the function's module may take this long beside its time limit, as on Lambda."""
HEADROOM_BYTES = 224 * 1024 * 1024
"""Address space beyond a function's memory: the interpreter's, its libraries' and its threads' stacks."""
PROCESSES = 64

_TICK_S = 0.1
_RESULT_LIMIT = bootstrap.MAX_RESULT_BYTES * 6 + 1024 * 1024
"""Of one JSON string: escaped, a character may take six."""
_GRACE_S = 2.0


class Watch:
    """What came from the function so far, and how it stands.

    Args:
        spec: As read.
        lifeline: Closed when the server is gone.
        pipes: The reading ends of the function's output, its result, and its keeper's last words.
        keeper: Process id of the first process inside the walls.
    """

    def __init__(self, spec: dict[str, Any], lifeline: int, pipes: tuple[int, int, int], keeper: int) -> None:
        self._spec = spec
        self._lifeline = lifeline
        self._output, self._result, self._status = pipes
        self._keeper = keeper
        self._lines: list[tuple[int, str]] = []
        self._partial = b""
        self._logged = self._dropped = 0
        self._told = bytearray()
        self._words = bytearray()
        self._began = time.monotonic()
        self._ready: float | None = None
        self._peak_bytes = 0

    def until_over(self) -> dict[str, Any]:
        """Wait for the end, or bring it about; returns what standard output is to carry."""
        ended = ""
        open_ends = {self._output, self._result, self._status}
        while self._status in open_ends and not ended:
            readable, _, _ = select.select([*open_ends, self._lifeline], [], [], _TICK_S)
            if self._lifeline in readable:
                self._kill()
                os._exit(1)
            for end in open_ends & set(readable):
                if not self._take(end):
                    open_ends.discard(end)
            ended = self._broken()
        ended_at = time.monotonic()
        self._kill()
        self._drain(open_ends)
        return self._report(ended, ended_at)

    def _take(self, end: int) -> bool:
        data = os.read(end, 65_536)
        if end == self._output:
            self._log(data)
        elif end == self._result:
            self._told += data
            if self._ready is None and self._told.startswith(bootstrap.READY):
                self._ready = time.monotonic()
                del self._told[: len(bootstrap.READY)]
        elif len(self._words) < 4096:
            self._words += data
        return bool(data)

    def _broken(self) -> str:
        """Which limit is passed, if one is."""
        now = time.monotonic()
        start, allowed = (self._began, INIT_S) if self._ready is None else (self._ready, self._spec["timeout_s"])
        if now - start > allowed:
            return "timeout"
        if len(self._told) > _RESULT_LIMIT:
            return "too_large"
        used = _memory_bytes(self._keeper)
        self._peak_bytes = max(self._peak_bytes, used)
        return "memory" if used > self._spec["memory_mb"] * 1024 * 1024 else ""

    def _log(self, data: bytes) -> None:
        """Keep output by lines, each with the time it came; up to a limit, the rest is only counted."""
        room = MAX_LOG_BYTES - self._logged
        self._dropped += max(0, len(data) - room)
        data = data[: max(0, room)]
        self._logged += len(data)
        *whole, self._partial = (self._partial + data).split(b"\n")
        if len(self._partial) > MAX_LOG_LINE:
            whole.append(self._partial)
            self._partial = b""
        self._lines += [(_now_ms(), line.decode("utf-8", "replace")) for line in whole]

    def _drain(self, open_ends: set[int]) -> None:
        """What is still in the pipes; nobody writes into them any more."""
        ends = time.monotonic() + _GRACE_S
        while open_ends and time.monotonic() < ends:
            readable, _, _ = select.select([*open_ends], [], [], 0.0)
            if not readable:
                break
            for end in readable:
                if not self._take(end):
                    open_ends.discard(end)
        if self._partial:
            self._lines.append((_now_ms(), self._partial.decode("utf-8", "replace")))

    def _kill(self) -> None:
        """End the keeper, and with it all that the function started."""
        with contextlib.suppress(ProcessLookupError):
            # Inside walls the kernel ends the rest; without them the keeper does, if it is asked politely.
            os.kill(self._keeper, signal.SIGKILL if self._spec["confined"] else signal.SIGTERM)
        ends = time.monotonic() + _GRACE_S
        while time.monotonic() < ends:
            with contextlib.suppress(ChildProcessError):
                if os.waitpid(self._keeper, os.WNOHANG) == (0, 0):
                    time.sleep(0.005)
                    continue
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._keeper, signal.SIGKILL)

    def _report(self, ended: str, ended_at: float) -> dict[str, Any]:
        words = json.loads(self._words) if self._words.endswith(b"}") else {}
        if "refused" in words:
            return {"end": "refused", "why": words["refused"]}
        told = None
        if not ended:
            with contextlib.suppress(ValueError):
                told = json.loads(bytes(self._told)) if self._told.endswith(b"\n") else None
            if not isinstance(told, dict) or not isinstance(told.get("payload", ""), str):
                told = None
        peak_kb = max(int(words.get("peak_kb", 0)), self._peak_bytes // 1024)
        begun = self._ready or self._began
        return {
            "end": ended or ("told" if told else "exit"),
            "told": told or {},
            "exit": words.get("exit", ""),
            "lines": self._lines,
            "dropped_bytes": self._dropped,
            "peak_mb": -(-peak_kb // 1024),
            "init_ms": ((self._ready or ended_at) - self._began) * 1000,
            "duration_ms": (ended_at - begun) * 1000,
        }


def _now_ms() -> int:
    return int(time.time() * 1000)


def _memory_bytes(keeper: int) -> int:
    """Memory of the function's processes together: what they share counts once. 0 where the kernel does not tell."""
    total, waiting, count = 0, _children(keeper), 0
    while waiting and count < PROCESSES * 2:
        pid = waiting.pop()
        count += 1
        waiting += _children(pid)
        total += (_share_bytes(pid) if count > 1 or waiting else None) or _resident_bytes(pid)
    return total


def _share_bytes(pid: int) -> int | None:
    """A process's memory, with its part only of what it shares; None where the kernel does not tell."""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
        for line in file:
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return None


def _resident_bytes(pid: int) -> int:
    with contextlib.suppress(OSError), open(f"/proc/{pid}/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return 0


def _children(pid: int) -> list[int]:
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            return [int(child) for child in file.read().split()]
    except OSError:
        return []


def keep(spec: dict[str, Any], result: int, status: int) -> NoReturn:
    """Be the first process inside the walls: build them, start the function, wait for it, end what it left behind.

    Args:
        spec: As read.
        result: Where the function tells its result.
        status: Where this process tells how the function ended, or why it never began.
    """
    function = 0

    def end(_number: int, _frame: Any) -> None:
        if function:
            with contextlib.suppress(ProcessLookupError):
                os.kill(function, signal.SIGKILL)
        else:
            os._exit(1)

    signal.signal(signal.SIGTERM, end)
    try:
        if spec["confined"]:
            root = spec["root"]
            read_only = [(source, inside) for source, inside in root["read_only"]]
            sandbox.build_root(
                root["base"], read_only=read_only, hidden=root["hidden"], scratch_bytes=spec["scratch_bytes"]
            )
        else:
            sandbox.adopt_orphans()
        function = os.fork()
        if function == 0:
            os.close(status)
            _be_function(spec, result)
        os.close(result)
        ended, peak_kb = _wait_for(function)
        if not spec["confined"]:
            _end_orphans(function)
        words = {"exit": ended, "peak_kb": peak_kb}
    except (sandbox.Refusal, OSError) as error:
        words = {"refused": str(error)}
    os.write(status, json.dumps(words).encode())
    os._exit(0)


def _be_function(spec: dict[str, Any], result: int) -> NoReturn:
    """Bound and disarm this process, then run the function in it."""
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.setsid()
        if spec["confined"]:
            sandbox.drop_privileges()
        sandbox.set_limits(
            memory_bytes=spec["memory_mb"] * 1024 * 1024 + HEADROOM_BYTES,
            cpu_s=int(spec["timeout_s"] + INIT_S) + 1,
            file_bytes=spec["scratch_bytes"],
            processes=PROCESSES,
        )
        os.closerange(3, result)
        os.closerange(result + 1, 4096)
    except (sandbox.Refusal, OSError) as error:
        os.write(2, f"the walls do not hold: {error}\n".encode())
        os._exit(70)
    try:
        bootstrap.run(spec["facts"], result)
    except MemoryError:
        os._exit(71)
    except BaseException as error:  # The end of the process, told by its status.
        os.write(2, f"{type(error).__name__}: {error}\n".encode("utf-8", "replace"))
        os._exit(72)
    os._exit(0)


def _wait_for(function: int) -> tuple[str, int]:
    """How the function's process ended and its largest size in KiB; others that end meanwhile are buried."""
    while True:
        pid, status, used = os.wait4(-1, 0)
        if pid == function:
            scale = 1024 if sys.platform == "darwin" else 1
            ended = f"signal: {-code}" if (code := os.waitstatus_to_exitcode(status)) < 0 else f"exit status {code}"
            return ended, used.ru_maxrss // scale


def _end_orphans(function: int) -> None:
    """Without walls: end the function's process group, then whoever left it and was adopted."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(function, signal.SIGKILL)
    ends = time.monotonic() + _GRACE_S
    while time.monotonic() < ends:
        for pid in _children(os.getpid()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        try:
            if os.waitpid(-1, os.WNOHANG) == (0, 0):
                time.sleep(0.01)
        except ChildProcessError:
            return


def main() -> None:
    """The command."""
    spec = json.load(sys.stdin)
    output, result, status, gate = os.pipe(), os.pipe(), os.pipe(), os.pipe()
    try:
        if spec["confined"]:
            sandbox.enter_namespaces(network=spec["network"])
    except sandbox.Refusal as error:
        json.dump({"end": "refused", "why": str(error)}, sys.stdout)
        return
    keeper = os.fork()
    if keeper == 0:
        sandbox.die_with_parent()
        # Whoever made this process may have died before it could ask to die with it.
        if os.read(gate[0], 1) != b"g":
            os._exit(1)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.dup2(output[1], 1)
        os.dup2(output[1], 2)
        for end in (nothing, *output, *gate, result[0], status[0], spec["lifeline"]):
            os.close(end)
        keep(spec, result[1], status[1])
    for end in (output[1], result[1], status[1], gate[0]):
        os.close(end)
    os.write(gate[1], b"g")
    report = Watch(spec, spec["lifeline"], (output[0], result[0], status[0]), keeper).until_over()
    json.dump(report, sys.stdout)


if __name__ == "__main__":
    main()

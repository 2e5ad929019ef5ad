"""Load from wrk (Debian's package of that name), one thread on one core."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_UNITS_MS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}


@dataclass(frozen=True)
class Load:
    """What wrk measured.

    Attributes:
        failed: Answers that were not 2xx, and broken connections.
    """

    requests_per_s: float
    p50_ms: float
    p99_ms: float
    requests: int
    failed: int


def wrk(
    url: str, *, headers: Mapping[str, str], body: bytes, connections: int, seconds: float, core: int | None
) -> Load:
    """Send the same POST over and over.

    Raises:
        SystemExit: wrk is not installed.
    """
    program = shutil.which("wrk")
    if program is None:
        raise SystemExit("wrk is not installed: apt-get install wrk")
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "post.lua"
        lines = ['wrk.method = "POST"', f"wrk.body = {_lua(body.decode())}"]
        lines += [f"wrk.headers[{_lua(name)}] = {_lua(value)}" for name, value in headers.items()]
        script.write_text("\n".join(lines))
        pinned = ["taskset", "-c", str(core)] if core is not None and shutil.which("taskset") else []
        command = [*pinned, program, "-t1", f"-c{connections}", f"-d{seconds:g}s", "--timeout", "30s", "--latency"]
        result = subprocess.run([*command, "-s", str(script), url], capture_output=True, text=True, check=True)
    return _parsed(result.stdout)


def _lua(text: str) -> str:
    """A Lua string."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r")
    return f'"{escaped}"'


def _parsed(text: str) -> Load:
    def found(pattern: str) -> re.Match[str] | None:
        return re.search(pattern, text)

    rate, total = found(r"Requests/sec:\s+([\d.]+)"), found(r"(\d+) requests in")
    half, most = found(r"50%\s+([\d.]+)(us|ms|s|m)"), found(r"99%\s+([\d.]+)(us|ms|s|m)")
    if not (rate and total and half and most):
        raise SystemExit(f"wrk's output was not understood:\n{text}")
    failed = int(wrong[1]) if (wrong := found(r"Non-2xx or 3xx responses: (\d+)")) else 0
    if errors := found(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)"):
        failed += sum(map(int, errors.groups()))
    return Load(
        requests_per_s=float(rate[1]),
        p50_ms=float(half[1]) * _UNITS_MS[half[2]],
        p99_ms=float(most[1]) * _UNITS_MS[most[2]],
        requests=int(total[1]),
        failed=failed,
    )

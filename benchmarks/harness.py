"""What the benchmarks share: a pinned server of their own, the machine's facts, a JSON report."""

from __future__ import annotations

import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
RESULTS = Path(__file__).resolve().parent / "results"


@contextmanager
def server(
    *, core: int | None = None, home: Path | None = None, settings: dict[str, str] | None = None
) -> Iterator[tuple[str, int, Path]]:
    """A server of its own; yields its address, pid and home, and stops it at the end.

    Args:
        core: Pin the server to this core (Linux, with taskset).
        home: State to use; None makes one and deletes it at the end.
        settings: Settings by environment name without the `ROCA_` prefix, such as `SERVER__AUTH`.
    """
    made = home is None
    home = home or Path(tempfile.mkdtemp(prefix="roca-bench-"))
    environment = os.environ | {"ROCA_HOME": str(home), "ROCA_SERVER__PORT": "0", "ROCA_CONFIG": os.devnull}
    environment |= {"ROCA_CONSOLE__ENABLED": "false"}
    environment |= {f"ROCA_{name}": value for name, value in (settings or {}).items()}
    command = [sys.executable, "-m", "rocamadre.server"]
    if core is not None and shutil.which("taskset"):
        command = ["taskset", "-c", str(core), *command]
    process = subprocess.Popen(command, env=environment, cwd=ROOT)
    try:
        yield _address(process, home), process.pid, home
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
        if made:
            shutil.rmtree(home, ignore_errors=True)


def _address(process: subprocess.Popen[bytes], home: Path) -> str:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise SystemExit(f"the server ended at once with code {process.returncode}")
        try:
            known = json.loads((home / "server.json").read_text())
            if known["pid"] == process.pid:
                urllib.request.urlopen(f"{known['address']}/healthz", timeout=2).read()
                return str(known["address"])
        except (OSError, ValueError, KeyError):
            pass
        time.sleep(0.05)
    raise SystemExit("the server did not answer within 60 s")


def client(service: str, address: str, **credentials: str) -> Any:
    """A boto3 client of a server, without retries."""
    import boto3
    from botocore.config import Config

    return boto3.client(
        service,
        endpoint_url=address,
        region_name="us-east-1",
        aws_access_key_id=credentials.get("access_key", "AKIABENCHMARK"),
        aws_secret_access_key=credentials.get("secret_key", "benchmark"),
        config=Config(retries={"total_max_attempts": 1}, max_pool_connections=64, read_timeout=300),
    )


def machine() -> dict[str, Any]:
    """Facts that every figure depends on."""
    model = next(
        (line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")),
        platform.processor(),
    )
    return {
        "processor": model,
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "system": platform.system(),
    }


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []


def spread(values: Sequence[float]) -> dict[str, float]:
    """Minimum, median and maximum of several runs."""
    return {
        "min": round(min(values), 3),
        "median": round(statistics.median(values), 3),
        "max": round(max(values), 3),
        "runs": len(values),
    }


def report(name: str, figures: dict[str, Any]) -> None:
    """Print the figures and write `benchmarks/results/<name>.json`."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.strip()
    content = {
        "benchmark": name,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit,
        "machine": machine(),
        **figures,
    }
    text = json.dumps(content, indent=2, ensure_ascii=False)
    RESULTS.mkdir(exist_ok=True)
    temporary = RESULTS / f"{name}.json.tmp"
    temporary.write_text(text + "\n")
    temporary.replace(RESULTS / f"{name}.json")
    print(text)

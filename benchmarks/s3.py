"""S3: a transfer in parts beside the same into a server that throws the bytes away, memory, and kills during puts.

`python -m benchmarks.s3 [--megabytes N] [--runs N] [--kills N]`

The client is boto3's own `upload_file` with its defaults (parts of 8 MiB, ten at a time), so that both servers meet the
same work on the same machine, in turns. Each upload is on the disk when it is answered. For the kills, a real server is
forked again and again from a process that has imported it, written to by several clients, and killed with -9 after a
random number of answers. Bars: 60 % of the discarding server, memory flat, no torn object.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
from botocore.exceptions import BotoCoreError, ClientError

from benchmarks.harness import RESULTS, ROOT, client, report, server, spread

BUCKET = "benchmark"
HEAD = ("benchmark", "date", "commit", "machine")
BAR = 0.6
_KEYS = 6
_PIECE = 1 << 20


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


@contextlib.contextmanager
def _discarding() -> Iterator[str]:
    port = _free_port()
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.discarding_s3", str(port)], cwd=ROOT)
    try:
        while not _answers(port):
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


class _Peak:
    """The resident memory of a process, looked at while a block runs."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self._done = threading.Event()
        self.before = self.most = self._process.memory_info().rss

    def __enter__(self) -> _Peak:
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._done.wait(0.02):
            self.most = max(self.most, self._process.memory_info().rss)


def transfers(megabytes: int, runs: int, folder: Path) -> dict[str, Any]:
    """Upload the same file to both servers in turns; then read it back."""
    file = folder / "file"
    with open(file, "wb") as made:
        for _ in range(megabytes):
            made.write(os.urandom(_PIECE))
    size = megabytes * _PIECE
    rates: dict[str, list[float]] = {"discarding": [], "rocamadre": [], "download": []}
    with _discarding() as sink, server(settings={"LOG__LEVEL": "WARNING"}) as (address, pid, home):
        s3 = client("s3", address)
        s3.create_bucket(Bucket=BUCKET)
        both = {"discarding": client("s3", sink), "rocamadre": s3}
        for one in both.values():  # Connections, imports and caches.
            one.put_object(Bucket=BUCKET, Key="warm", Body=bytes(9 * _PIECE))
        with _Peak(pid) as memory:
            for _ in range(runs):
                for name, one in both.items():
                    started = time.perf_counter()
                    one.upload_file(str(file), BUCKET, "k")
                    rates[name].append(size / (time.perf_counter() - started) / 1e6)
                started = time.perf_counter()
                s3.download_file(BUCKET, "k", str(folder / "back"))
                rates["download"].append(size / (time.perf_counter() - started) / 1e6)
        with open(file, "rb") as sent, open(folder / "back", "rb") as back:
            same = hashlib.file_digest(sent, "sha256").digest() == hashlib.file_digest(back, "sha256").digest()
        blobs = sum(path.is_file() for path in (home / "objects" / "data").rglob("*"))
    assert same, "what came back is another file"
    ratios = [ours / theirs for ours, theirs in zip(rates["rocamadre"], rates["discarding"], strict=True)]
    return {
        "megabytes": megabytes,
        "megabytes_per_second": {name: spread(values) for name, values in rates.items()},
        "share_of_discarding": spread(ratios),
        "server_memory_megabytes": {"before": round(memory.before / 1e6, 1), "peak": round(memory.most / 1e6, 1)},
        "blobs_left": blobs,
    }


def content(key: str, version: int) -> bytes:
    """What a version of a key holds: 100 B to 6 MB that say whose they are."""
    seed = hashlib.sha256(f"{key}/{version}".encode()).digest()
    return f"{key}/{version}\n".encode() + seed * (3, 4_000, 40_000, 3, 190_000)[version % 5]


def _forker(home: str) -> None:
    """A process that has imported the server: for each line with a port, fork one and print its id."""
    environment = {"ROCA_HOME": home, "ROCA_CONFIG": os.devnull, "ROCA_LOG__LEVEL": "ERROR"}
    environment |= {"ROCA_CONSOLE__ENABLED": "false"}
    os.environ.update(environment)
    from rocamadre.server.__main__ import main

    for line in sys.stdin:
        os.environ["ROCA_SERVER__PORT"] = line.strip()
        pid = os.fork()
        if pid == 0:
            os._exit(main())
        print(pid, flush=True)
        os.waitpid(pid, 0)
        print("gone", flush=True)


class _Round:
    """Clients that write until their server is gone.

    Attributes:
        known: By key, the last version whose put was answered; written to.
    """

    def __init__(self, address: str, known: dict[str, int], first: int) -> None:
        self.known = known
        self.answered = 0
        self._first = first
        self._s3 = client("s3", address)
        self._threads = [threading.Thread(target=self._write, args=(key,)) for key in known]

    def __enter__(self) -> _Round:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for thread in self._threads:
            thread.join()
        self._s3.close()

    def _write(self, key: str) -> None:
        version = self._first
        with contextlib.suppress(BotoCoreError, ClientError, OSError):
            while True:
                data = content(key, version)
                if version % 5 == 4:
                    self._in_parts(key, data)
                else:
                    self._s3.put_object(Bucket=BUCKET, Key=key, Body=data)
                self.known[key] = version
                self.answered += 1
                version += 1

    def _in_parts(self, key: str, data: bytes) -> None:
        upload = self._s3.create_multipart_upload(Bucket=BUCKET, Key=key)["UploadId"]
        where = {"Bucket": BUCKET, "Key": key, "UploadId": upload}
        parts = []
        for number, start in enumerate(range(0, len(data), 5 * _PIECE), 1):
            part = self._s3.upload_part(**where, PartNumber=number, Body=data[start : start + 5 * _PIECE])
            parts.append({"PartNumber": number, "ETag": part["ETag"]})
        self._s3.complete_multipart_upload(**where, MultipartUpload={"Parts": parts})


def kills(count: int, folder: Path) -> dict[str, Any]:
    """Kill a server `count` times while it is written to, and look at every object after each."""
    home = folder / "home"
    chance = random.Random(1)
    known = dict.fromkeys((f"key-{index}" for index in range(_KEYS)), -1)
    command = [sys.executable, "-m", "benchmarks.s3", "--fork-for", str(home)]
    forker = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert forker.stdin is not None
    assert forker.stdout is not None
    torn = lost = answered = 0
    try:
        for kill in range(count + 1):
            port = _free_port()
            forker.stdin.write(f"{port}\n")
            forker.stdin.flush()
            pid = int(forker.stdout.readline())
            while not _answers(port):
                time.sleep(0.01)
            s3 = client("s3", f"http://127.0.0.1:{port}")
            s3.create_bucket(Bucket=BUCKET)
            found = _examine(s3, known)
            torn, lost = torn + found[0], lost + found[1]
            s3.close()
            if kill == count:
                os.kill(pid, signal.SIGTERM)
            else:
                enough = chance.randrange(1, 30)
                with _Round(f"http://127.0.0.1:{port}", known, max(known.values()) + 10) as clients:
                    deadline = time.monotonic() + 30
                    while clients.answered < enough and time.monotonic() < deadline:
                        time.sleep(chance.random() * 0.01)
                    os.kill(pid, signal.SIGKILL)
                answered += clients.answered
            assert forker.stdout.readline().strip() == "gone"
    finally:
        forker.stdin.close()
        forker.wait()
    blobs, named = _blobs(home)
    return {
        "kills": count,
        "puts_answered": answered,
        "torn_objects": torn,
        "answered_puts_lost": lost,
        "files_that_belong_to_nothing": len(blobs - named),
        "files_missing": len(named - blobs),
    }


def _examine(s3: Any, known: dict[str, int]) -> tuple[int, int]:
    """Objects that are torn, and those older than what was answered; `known` moves on to what is there."""
    torn = lost = 0
    there = {item["Key"] for item in s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])}
    for key, version in known.items():
        if key not in there:
            lost += version >= 0
            continue
        answer = s3.get_object(Bucket=BUCKET, Key=key)
        data = answer["Body"].read()
        found = int(data.partition(b"\n")[0].partition(b"/")[2] or -1)
        whole = data == content(key, found) and answer["ContentLength"] == len(data)
        if "-" not in answer["ETag"]:
            whole = whole and answer["ETag"] == f'"{hashlib.md5(data).hexdigest()}"'
        torn += not whole
        lost += found < version
        known[key] = found
    return torn, lost


def _blobs(home: Path) -> tuple[set[str], set[str]]:
    """Files that are there, and those that the index names, once the store was opened and closed."""
    from rocamadre.store.objects.files import FileObjects

    objects = FileObjects(home)
    named = set(objects.index.blobs())
    objects.close()
    return {path.name for path in (home / "objects" / "data").rglob("*") if path.is_file()}, named


def _last() -> dict[str, Any]:
    """Figures of the run before, for the part that is left out of this one."""
    file = RESULTS / "s3.json"
    found = json.loads(file.read_text()) if file.exists() else {}
    return {name: value for name, value in found.items() if name not in HEAD}


def main() -> None:
    """Run and report."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument(
        "--megabytes", type=int, default=1024, help="size of the file, in MiB; 0 keeps the last figures"
    )
    arguments.add_argument("--runs", type=int, default=5)
    arguments.add_argument("--kills", type=int, default=1000, help="0 keeps the last figures")
    arguments.add_argument("--fork-for", help=argparse.SUPPRESS)
    options = arguments.parse_args()
    if options.fork_for:
        _forker(options.fork_for)
        return
    folder = Path(tempfile.mkdtemp(prefix="roca-bench-"))
    try:
        figures = _last()
        figures |= transfers(options.megabytes, options.runs, folder) if options.megabytes else {}
        figures |= kills(options.kills, folder) if options.kills else {}
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    report("s3", {**figures, "bar": BAR})


if __name__ == "__main__":
    main()

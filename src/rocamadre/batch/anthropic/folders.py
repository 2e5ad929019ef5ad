"""Where a message batch keeps what came in and what goes out: `<home>/message-batches/<id>`.

```
requests.jsonl   written before the batch's row; gone when the results are there
results.jsonl    written last, so that present means whole
```
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Container, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from rocamadre.batch.lines import Line, in_pieces, read_lines
from rocamadre.core.settings import Settings
from rocamadre.jobs.rundir import RunDir

REQUESTS, RESULTS = "requests.jsonl", "results.jsonl"
_PIECE_BYTES = 1 << 20
_LEFT_BEHIND_S = 86_400.0
_BESIDE_PARAMS_BYTES = 1024


def batches_dir(settings: Settings) -> Path:
    """The folder of all message batches; made when it is not there."""
    folder = settings.home / "message-batches"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


def batch_dir(settings: Settings, batch_id: str) -> Path:
    """The folder of one batch."""
    return batches_dir(settings) / batch_id


def run_dir(settings: Settings, batch_id: str) -> RunDir:
    """Where the run keeps what it has done."""
    return RunDir(settings.home / "runs" / f"anthropic-{hashlib.sha256(batch_id.encode()).hexdigest()[:16]}")


def most_params_bytes(settings: Settings) -> int:
    """Longest params of a request."""
    return min(settings.batch.max_record_bytes, settings.server.max_body_bytes)


def write_lines(path: Path, lines: Iterable[bytes]) -> int:
    """Write a file so that it is there whole or not at all, whatever dies; returns its lines.

    Raises:
        OSError: the disk is full, or fails.
    """
    temporary = path.with_name(f".{path.name}")
    count = 0

    def counted() -> Iterator[bytes]:
        nonlocal count
        for line in lines:
            count += 1
            yield line

    with open(temporary, "wb", opener=_private) as file:
        for piece in in_pieces(counted()):
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    return count


def read_requests(settings: Settings, batch_id: str) -> Iterator[Line]:
    """The kept requests of a batch, in order."""
    pieces = _pieces(batch_dir(settings, batch_id) / REQUESTS)
    return read_lines(pieces, most_bytes=most_params_bytes(settings) + _BESIDE_PARAMS_BYTES)


def read_results(settings: Settings, batch_id: str) -> Iterator[bytes] | None:
    """The results in pieces of at most 1 MiB; None when there are none. Deleted while they are read, they go on."""
    path = batch_dir(settings, batch_id) / RESULTS
    return _pieces(path) if path.exists() else None


def discard(settings: Settings, batch_id: str) -> None:
    """Remove all that is kept of a batch."""
    shutil.rmtree(batch_dir(settings, batch_id), ignore_errors=True)
    run_dir(settings, batch_id).discard()


def sweep(settings: Settings, *, known: Container[str]) -> None:
    """Remove what kills left behind a day ago or more, and what is kept of batches that are not known."""
    oldest = time.time() - _LEFT_BEHIND_S
    for path in batches_dir(settings).iterdir():
        with suppress(FileNotFoundError):
            if path.name not in known and path.stat().st_mtime < oldest:
                shutil.rmtree(path, ignore_errors=True)


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(_PIECE_BYTES):
            yield piece


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)

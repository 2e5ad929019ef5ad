"""Hostile files: `python -m benchmarks.hostile_files [--seed N] [--only TEXT]`; ends with 1 when one does harm.

Every file of `rocamadre.testing.hostile_files`, heavy ones too, goes through one child of a `ParserPool`, as an
ingestion's do; after each a good file must parse as ever. Harm is: over 30 s or 1 GB for one file, a failure without a
reason, a good file that fails.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any, get_args

import psutil

from benchmarks.harness import report
from rocamadre.knowledge.parsers.isolated import ParserPool
from rocamadre.knowledge.parsers.parsed import ParseFailure, Reason
from rocamadre.testing.hostile_files import good_files, hostile_files

MOST_S = 30.0
MOST_BYTES = 1 << 30


class Watch:
    """The most memory that children of this process hold, since it was last asked."""

    def __init__(self) -> None:
        self._most = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def _look(self) -> None:
        parent = psutil.Process()
        while not self._over.wait(0.01):
            for child in parent.children(recursive=True):
                try:
                    self._most = max(self._most, child.memory_info().rss)
                except psutil.Error:
                    continue

    def take(self) -> int:
        """Bytes; begins anew."""
        most, self._most = self._most, 0
        return most

    def close(self) -> None:
        """Look no more."""
        self._over.set()
        self._thread.join()


def odd_paths(folder: Path) -> dict[str, Path]:
    """What stands where a file should."""
    (folder / "link.txt").symlink_to("/etc/passwd")
    (folder / "loop.txt").symlink_to(folder / "loop.txt")
    os.mkfifo(folder / "pipe.txt")
    (folder / "folder.txt").mkdir()
    with open(folder / "sparse.txt", "wb") as file:
        file.truncate(200 << 30)
    return {path.name: path for path in folder.iterdir()} | {"device": Path("/dev/zero"), "none": folder / "none"}


def main() -> int:
    """Parse and report; 1 when there was harm."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--only", default="", help="files with this in what is wrong with them")
    options = parser.parse_args()
    harm: list[str] = []
    rows: list[dict[str, Any]] = []
    good = {name: data for name, data in good_files().items() if name != "scan.pdf"}
    watch = Watch()
    with tempfile.TemporaryDirectory() as folder, ParserPool(workers=1) as pool:
        expected = {name: pool.parse(data, name) for name, data in good.items()}
        names = list(good)
        cases = [(each.what, each.name, each.make) for each in hostile_files(options.seed)]
        cases += [
            (f"a path: {what}", "a.txt", lambda path=path: path) for what, path in odd_paths(Path(folder)).items()
        ]
        for place, (what, name, make) in enumerate(cases):
            if options.only not in what:
                continue
            source = make()
            watch.take()
            began = time.monotonic()
            try:
                outcome = f"text, {len(pool.parse(source, name).text)} characters"
                reason = "text"
            except ParseFailure as error:
                outcome, reason = error.message, error.reason
            seconds = time.monotonic() - began
            peak = watch.take()
            row = {"what": what, "name": name[:40], "reason": reason, "outcome": outcome[:160]}
            rows.append(row | {"seconds": round(seconds, 3), "peak_mb": peak >> 20})
            if reason != "text" and reason not in get_args(Reason):
                harm.append(f"{what}: no reason")
            if seconds > MOST_S or peak > MOST_BYTES:
                harm.append(f"{what}: {seconds:.1f} s, {peak >> 20} MB")
            check = names[place % len(names)]
            if pool.parse(good[check], check) != expected[check]:
                harm.append(f"after {what}: {check} parses otherwise")
            print(f"{seconds:7.2f} s {peak >> 20:5} MB  {reason:18} {name[:20]!r:24} {what}", flush=True)
    watch.close()
    slowest = sorted(rows, key=lambda row: -row["seconds"])[:10]
    report(
        "hostile_files",
        {
            "seed": options.seed,
            "files": len(rows),
            "by_outcome": dict(Counter(row["reason"] for row in rows).most_common()),
            "slowest": slowest,
            "most_memory_mb": max(row["peak_mb"] for row in rows),
            "over_a_second": sum(row["seconds"] > 1 for row in rows),
            "harm": harm,
        },
    )
    return 1 if harm else 0


if __name__ == "__main__":
    raise SystemExit(main())

"""Sides of a comparison: programs that are run in turns, their figures, and the memory that they take."""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import threading
from typing import Any

import psutil

from benchmarks.harness import ROOT, spread


class Memory:
    """The most memory that a process and its children have had together, in MB, shared pages counted once."""

    def __init__(self, pid: int) -> None:
        self.most_mb = 0.0
        self._process = psutil.Process(pid)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Memory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while True:
            total = 0
            try:
                for process in [self._process, *self._process.children(recursive=True)]:
                    total += process.memory_full_info().pss
            except psutil.Error:
                pass
            self.most_mb = max(self.most_mb, round(total / 1e6, 1))
            if self._stop.wait(0.25):
                return


def measured(command: list[str], core: str) -> dict[str, Any]:
    """Run a side's program to its end; its last line, and the memory it took after it said that it is ready."""
    if shutil.which("taskset"):
        command = ["taskset", "-c", core, *command]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "ROCA_CONFIG": os.devnull}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = (json.loads(line) for line in process.stdout if line.startswith("{"))
        next(lines, None)
        with Memory(process.pid) as memory:
            figures = dict(next(lines, {}))
    if process.returncode or not figures:
        raise SystemExit(f"{' '.join(command[:6])} ended with code {process.returncode}")
    return {**figures, "memory_mb": memory.most_mb}


def compared(sides: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """Both sides in figures."""
    figures: dict[str, Any] = {}
    for name, runs in sides.items():
        if runs:
            figures[name] = {
                "documents": runs[0]["documents"],
                "chunks": runs[0]["chunks"],
                "mean_characters": round(runs[0]["mean_characters"]),
                "documents_per_s": spread([run["documents"] / run["seconds"] for run in runs]),
                "chunks_per_s": spread([run["chunks"] / run["seconds"] for run in runs]),
            }
            if "cpu_s" in runs[0]:  # On a busy machine this says more than the clock.
                figures[name]["chunks_per_cpu_s"] = spread([run["chunks"] / run["cpu_s"] for run in runs])
    figures["memory_mb"] = {name: max(run["memory_mb"] for run in runs) for name, runs in sides.items() if runs}
    if sides["langchain_chroma"]:
        ratios = [
            (ours["documents"] / ours["seconds"]) / (theirs["documents"] / theirs["seconds"])
            for ours, theirs in zip(sides["rocamadre"], sides["langchain_chroma"], strict=True)
        ]
        figures["times_faster"] = round(statistics.median(ratios), 2)
    return figures

"""What the preflight foresees beside what happens: memory, time and weights of trainings by different methods.

`python -m benchmarks.preflight [--steps N] [--only NAME …]`

Each run is foreseen with `look_ahead` (its speed measured once in a child of its own), then done with the trainer in a
process of its own, on the embedded model and made-up questions of different lengths. The bars: memory within 20 %, time
in optimiser steps within 30 %.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.harness import ROOT, report
from rocamadre.datasets import canonical
from rocamadre.datasets.types import Chat, Turn
from rocamadre.jobs.launchers.process import ProcessLauncher
from rocamadre.jobs.rundir import RunDir
from rocamadre.training.preflight.estimate import MEMORY_BAR, TIME_BAR, compare
from rocamadre.training.preflight.prospect import look_ahead
from rocamadre.training.settings import TrainingSettings

BASE = ROOT / "models" / "roca-mini" / "roca-mini-q8_0.gguf"
RUNS: dict[str, dict[str, Any]] = {
    "full": {"method": "full", "batch_size": 8, "max_length": 256},
    "full, packed rows": {"method": "full", "batch_size": 4, "max_length": 512, "packing": True},
    "full, checkpointing": {"method": "full", "batch_size": 16, "gradient_checkpointing": True},
    "LoRA": {"method": "lora", "batch_size": 8},
    "LoRA, accumulation": {"method": "lora", "batch_size": 4, "accumulation": 4, "method_settings": {"rank": 64}},
    "QLoRA": {"method": "qlora", "batch_size": 8},
    "IA3": {"method": "ia3", "batch_size": 32},
    "prompt tuning": {"method": "prompt-tuning", "batch_size": 8},
    "prefix tuning": {"method": "prefix-tuning", "batch_size": 8},
    "LoReFT": {"method": "loreft", "batch_size": 16},
}
"""What is tried, by name: settings of the run."""

_WORDS = "river stone cloud ember window garden silver harbour lantern orchard copper meadow thunder velvet".split()


def examples(count: int) -> list[Chat]:
    """Questions and answers of 20 to 200 tokens."""
    dice = random.Random(0)
    made = []
    for number in range(count):
        few = [" ".join(dice.choices(_WORDS, k=dice.randint(3, 40))) for _ in range(2)]
        made.append(Chat((Turn("user", f"{number}. Repeat and change: {few[0]}"), Turn("assistant", few[1]))))
    return made


def one(home: Path, settings: dict[str, Any], steps: int) -> dict[str, Any]:
    """Foresee a run, do it, and put both side by side."""
    wanted = TrainingSettings.model_validate({"max_steps": steps, **settings})
    data = examples(steps * wanted.batch_size * wanted.accumulation)
    started = time.monotonic()
    foreseen = look_ahead(home, BASE, wanted, data, measure=True)
    measured_s = time.monotonic() - started
    folder = RunDir(Path(tempfile.mkdtemp(prefix="roca-preflight-", dir=home)))
    try:
        folder.work.mkdir(parents=True)
        canonical.write(folder.work / "train.jsonl", data)
        folder.begin(
            {
                "base": str(BASE),
                "objective": "chat",
                "train": ["train.jsonl"],
                "validation": [],
                "settings": wanted.model_dump(mode="json"),
            }
        )
        started = time.monotonic()
        result = ProcessLauncher(os.environ).run("rocamadre.training.run", folder, stop_requested=lambda: False)
        whole_s = time.monotonic() - started
        begun = next(event for event in folder.progress() if event["event"] == "started")
    finally:
        shutil.rmtree(folder.path, ignore_errors=True)
    compared = compare(foreseen, {**result, "trainable": begun["trainable"]})
    figures = {each.name: {"foreseen": each.predicted, "was": each.happened, "error": each.error} for each in compared}
    whole = {"foreseen": foreseen.total_s, "was": whole_s, "error": (foreseen.total_s or 0) / whole_s - 1}
    return {
        "settings": settings,
        "figures": {**figures, "whole_s": whole},
        "memory": foreseen.as_json()["memory"],
        "measuring_s": measured_s,
        "within": all(each.within for each in compared),
    }


def main() -> None:
    """Do all of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--only", nargs="*", default=list(RUNS))
    arguments = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="roca-preflight-"))
    runs = {}
    try:
        for name in arguments.only:
            runs[name] = one(home, RUNS[name], arguments.steps)
            shown = {figure: f"{values['error']:+.0%}" for figure, values in runs[name]["figures"].items()}
            print(f"{name}: {shown}", flush=True)
    finally:
        shutil.rmtree(home, ignore_errors=True)
    report(
        "preflight",
        {
            "bars": {"memory": MEMORY_BAR, "time": TIME_BAR},
            "steps": arguments.steps,
            "runs": runs,
            "within": sum(run["within"] for run in runs.values()),
            "of": len(runs),
        },
    )


if __name__ == "__main__":
    main()

"""Training methods beside each other on one task: `python -m benchmarks.methods [--search] [--only NAME …]`.

The task: which of ten intents a bank customer's message has (Banking77, in `ROCA_DATA`). Every method trains roca-mini
on the same examples for the same number of steps, in a process of its own, as a customization job trains; each with
the learning rate of those in its row that had the lowest loss on validation rows after a short training (`--search`
tries them). Test rows choose nothing.

The trained model is judged in torch, unmerged, on test rows. An answer counts when greedy decoding writes the label and
then ends; that is so when each of its tokens is the likeliest one after those before it, which one pass shows. Time is
processor time on one thread, the start of the process not counted; memory is the peak of the whole process.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import harness, task_data
from benchmarks.task_data import Row, Task
from rocamadre.datasets import canonical
from rocamadre.datasets.types import Chat, Turn
from rocamadre.jobs.rundir import RunDir

ROCA_MINI = harness.ROOT / "models" / "roca-mini" / "roca-mini-q8_0.gguf"
STEPS, SEARCH_STEPS, BATCH = 100, 30, 8
RECORDS = {"adapter_config.json", "method.json", "README.md"}
_CHILD = """
import json, resource, sys
from pathlib import Path
from rocamadre.jobs.rundir import RunDir
from rocamadre.training import run
started = resource.getrusage(resource.RUSAGE_SELF)
result = dict(run.run(RunDir(Path(sys.argv[1]))))
ended = resource.getrusage(resource.RUSAGE_SELF)
result["processor_s"] = ended.ru_utime + ended.ru_stime - started.ru_utime - started.ru_stime
print(json.dumps(result))
"""


@dataclass(frozen=True)
class Case:
    """A method with its fixed settings, the learning rates that were tried, and the one that was taken.

    Attributes:
        rates: None for those that take LoRA's, whose scale is theirs.
    """

    method: str
    rates: tuple[float, ...]
    rate: float
    settings: dict[str, Any] = field(default_factory=dict)


CASES = {
    "full": Case("full", (2.5e-4, 5e-4, 1e-3), 1e-3),
    "LoRA": Case("lora", (3e-3, 6e-3, 1.2e-2), 6e-3, {"rank": 8, "alpha": 16}),
    "rsLoRA": Case("lora", (3e-3, 6e-3), 3e-3, {"rank": 32, "alpha": 16, "rslora": True}),
    "DoRA": Case("lora", (), 6e-3, {"rank": 8, "alpha": 16, "dora": True}),
    "QLoRA": Case("qlora", (), 6e-3, {"rank": 8, "alpha": 16}),
    "prompt tuning": Case("prompt-tuning", (0.1, 0.3), 0.1, {"tokens": 20}),
    "prefix tuning": Case("prefix-tuning", (0.1, 0.3), 0.1, {"tokens": 20}),
    "IA³": Case("ia3", (0.05, 0.1), 0.05),
    "LoReFT": Case("loreft", (0.02, 0.05), 0.02, {"rank": 4, "first": 4, "last": 4}),
}


def run_folder(place: Path, task: Task, case: Case, *, rate: float, steps: int) -> RunDir:
    """A run's folder with its data and spec."""
    folder = RunDir(place)
    folder.begin(
        {
            "base": str(ROCA_MINI),
            "objective": "chat",
            "train": ["train.jsonl"],
            "validation": ["validation.jsonl"],
            "settings": {
                "method": case.method,
                "method_settings": case.settings,
                "learning_rate": rate,
                "max_steps": steps,
                "batch_size": BATCH,
                "evaluate_every": steps,
                "precision": "fp32",
                "threads": 1,
            },
        }
    )
    for part in ("train", "validation"):
        canonical.write(folder.work / f"{part}.jsonl", map(_chat, getattr(task, part)))
    return folder


def measure(case: Case, task: Task) -> dict[str, Any]:
    """Train with one method and judge what came of it."""
    place = Path(tempfile.mkdtemp(prefix="roca-methods-"))
    try:
        folder = run_folder(place, task, case, rate=case.rate, steps=STEPS)
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        child = subprocess.run(
            [sys.executable, "-c", _CHILD, str(place)], env=environment, stdout=subprocess.PIPE, check=True
        )
        result = json.loads(child.stdout.splitlines()[-1])
        events = folder.progress()
        begun = next(event for event in events if event["event"] == "started")
        losses = [event["loss"] for event in events if event["event"] == "validation"]
        model = folder.work / result["model"]
        weights = [path for path in model.rglob("*") if path.is_file() and path.name not in RECORDS]
        adapter = [path for path in weights if path.suffix == ".safetensors"]
        return {
            "method": case.method,
            "settings": case.settings,
            "learning_rate": case.rate,
            "steps": result["steps"],
            "tokens": result["tokens"],
            "trained_parameters": begun["trainable"],
            "processor_s": round(result["processor_s"], 1),
            "peak_memory_mb": round(result["peak_memory_bytes"] / 1e6),
            "disk_kb": round(sum(path.stat().st_size for path in adapter) / 1e3, 1),
            "validation_loss": {"before": round(losses[0], 3), "after": round(losses[-1], 3)},
            **judge(case.method, model, task),
        }
    finally:
        shutil.rmtree(place, ignore_errors=True)


def judge(method: str, model: Path | None, task: Task) -> dict[str, Any]:
    """Accuracy on the test rows; of the base where there is no model."""
    import torch

    from rocamadre.training.model import load_base
    from rocamadre.training.serving import load_tuned

    torch.set_num_threads(1)
    if model is None:
        base = load_base(ROCA_MINI)
        module: Any = base.model
    else:
        tuned = load_tuned(ROCA_MINI, method, model)
        module, base = tuned.module, tuned.base
    module.eval()
    return {"accuracy": task_data.interval([_is_right(module, base.tokenizer, row) for row in task.test])}


def _is_right(module: Any, tokenizer: Any, row: Row) -> float:
    from rocamadre.datasets.rendered import render_example
    from rocamadre.training.certificate.torch_side import scores_of

    rendered = render_example(_chat(row), tokenizer, tokenizer.template)
    ids, learned = list(rendered.ids), list(rendered.trained)
    likeliest = scores_of(module, ids, candidates=1).top_ids[:, 0].tolist()
    # The scores after a place are about the token that follows it.
    return float(all(likeliest[at - 1] == ids[at] for at in range(1, len(ids)) if learned[at]))


def search(cases: Sequence[str], task: Task) -> None:
    """Print the loss on validation rows after a short training at each rate."""
    import torch

    from rocamadre.training.run import run

    torch.set_num_threads(1)
    for name in cases:
        case = CASES[name]
        for rate in case.rates:
            with tempfile.TemporaryDirectory(prefix="roca-methods-") as place:
                found = run(run_folder(Path(place), task, case, rate=rate, steps=SEARCH_STEPS))
            print(f"{name}: learning rate {rate:g}: validation loss {found['validation_loss']:.3f}", flush=True)


def _chat(row: Row) -> Chat:
    return Chat((Turn("user", row.prompt), Turn("assistant", row.completion)))


def main() -> int:
    """Run what is not there yet, and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--search", action="store_true", help="try the learning rates, and measure nothing")
    parser.add_argument("--only", nargs="+", choices=list(CASES), default=list(CASES), metavar="NAME")
    parser.add_argument("--work", type=Path, default=harness.ROOT / ".roca" / "benchmarks" / "methods")
    options = parser.parse_args()
    data = task_data.data_folder()
    task = task_data.banking(data, task_data.TEN_INTENTS, train=600, validation=80, test=220)
    if options.search:
        search(options.only, task)
        return 0
    options.work.mkdir(parents=True, exist_ok=True)
    base = _kept(options.work / "base.json", lambda: judge("full", None, task))
    for name in options.only:
        case = CASES[name]
        _kept(options.work / f"{name}-{case.rate:g}.json", lambda case=case: measure(case, task))
        files = {each: options.work / f"{each}-{CASES[each].rate:g}.json" for each in CASES}
        done = {each: json.loads(path.read_text("utf-8")) for each, path in files.items() if path.exists()}
        harness.report(
            "methods",
            {
                "task": "Banking77, 10 intents",
                "examples": {part: len(getattr(task, part)) for part in ("train", "validation", "test")},
                "steps": STEPS,
                "batch_size": BATCH,
                "commonest_label": task.commonest_label,
                "judged": "in torch, unmerged",
                "base": base,
                "methods": done,
            },
        )
    return 0


def _kept(path: Path, make: Any) -> dict[str, Any]:
    """What was made before, or is made now and kept."""
    if not path.exists():
        temporary = path.with_suffix(".tmp")
        temporary.write_text(json.dumps(make(), ensure_ascii=False), "utf-8")
        temporary.replace(path)
    return dict(json.loads(path.read_text("utf-8")))


if __name__ == "__main__":
    sys.exit(main())

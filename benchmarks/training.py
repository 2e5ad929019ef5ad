"""Training speed and memory beside TRL's SFTTrainer: same model, tokens, precision and packing.

`python -m benchmarks.training [--rounds N] [--steps N] [--only NAME …]`

Both train all weights of the embedded model (float32, no gradient checkpointing unless the row says otherwise) on the
same conversations, each in a process of its own, in turns. A rate is the tokens of the examples, padding not counted,
by the time of the steps after the second, and by the processor's time, which
neighbours on the machine disturb less. `defaults` are TRL's own, without what this processor would emulate (bf16).

The bars: at least 1.3 times TRL with the same packing, at least 2.5 times its defaults, peak memory no higher.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.harness import ROOT, report, spread

WARM_STEPS = 2
EXAMPLES = 1200
MAX_LENGTH = 512
CASES: dict[str, dict[str, Any]] = {
    "packed": {"packing": True, "bar": 1.3},
    "one example a row": {"packing": False, "bar": 1.3},
    "defaults": {"packing": False, "trl": "defaults", "bar": 2.5},
    "lora": {"packing": True, "method": "lora", "bar": 1.3},
}


def conversations(count: int, *, seed: int = 5) -> list[Any]:
    """Questions about a passage, answered with a part of it; 30 to 400 tokens."""
    from benchmarks.passages import passages
    from rocamadre.datasets.types import Chat, Turn

    dice = random.Random(seed)
    made = []
    for text in passages(count, seed=seed):
        sentences = text.split(". ")
        answer = ". ".join(sentences[: dice.randint(1, max(1, len(sentences) // 2))])
        made.append(Chat((Turn("user", f"{text}\n\nWhat does it say first?"), Turn("assistant", answer))))
    return made


def base_folder(folder: Path) -> Path:
    """The embedded model as a Hugging Face directory, for TRL."""
    from rocamadre.training.model import load_base

    target = folder / "base"
    base = load_base(next((ROOT / "models" / "roca-mini").glob("*.gguf")))
    base.model.save_pretrained(target)
    base.write_tokenizer(target)
    return target


def ours(folder: Path, case: dict[str, Any], steps: int) -> dict[str, float]:
    """Train as a job does, and read its progress."""
    from rocamadre.datasets import canonical
    from rocamadre.jobs.rundir import RunDir
    from rocamadre.training.run import run

    work = RunDir(Path(tempfile.mkdtemp(dir=folder)))
    settings = {
        "method": case.get("method", "full"),
        "method_settings": {"rank": 16} if case.get("method") == "lora" else {},
        "packing": case["packing"],
        "max_steps": steps,
        "max_length": MAX_LENGTH,
        "learning_rate": 2e-5,
        "precision": "fp32",
    }
    work.begin({"base": str(folder / "base"), "objective": "chat", "train": ["train.jsonl"], "settings": settings})
    canonical.write(work.work / "train.jsonl", conversations(EXAMPLES))
    with clock() as seen:
        result = run(work)
    tokens = [line["tokens"] for line in work.progress() if line["event"] == "step"]
    return rates(seen, tokens) | {"loss": result["loss"]}


@contextmanager
def clock() -> Iterator[list[tuple[float, float]]]:
    """Seconds of the wall and of the processor at the end of each optimiser step, whoever's loop it is."""
    from torch.optim.optimizer import register_optimizer_step_post_hook

    seen: list[tuple[float, float]] = []
    handle = register_optimizer_step_post_hook(lambda *_: seen.append((time.perf_counter(), time.process_time())))
    try:
        yield seen
    finally:
        handle.remove()


def rates(seen: list[tuple[float, float]], tokens: list[int]) -> dict[str, float]:
    """Figures of the steps after the first two; `tokens` are counts so far, one a step."""
    from rocamadre.training.memory import peak_bytes

    (began, began_cpu), (ended, ended_cpu) = seen[WARM_STEPS - 1], seen[-1]
    read = tokens[len(seen) - 1] - tokens[WARM_STEPS - 1]
    return {
        "tokens_per_s": read / (ended - began),
        "tokens_per_cpu_s": read / (ended_cpu - began_cpu),
        "peak_mb": peak_bytes() / 1e6,
    }


def trl(folder: Path, case: dict[str, Any], steps: int) -> dict[str, float]:
    """Train the same tokens with SFTTrainer."""
    import datasets
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import SFTConfig, SFTTrainer

    from rocamadre.datasets.rendered import render_example
    from rocamadre.datasets.tokenizer import open_tokenizer

    tokenizer = open_tokenizer(folder / "base")
    rows = [render_example(each, tokenizer, tokenizer.template) for each in conversations(EXAMPLES)]
    table = datasets.Dataset.from_dict(
        {
            "input_ids": [row.ids for row in rows],
            "labels": [[token if learned else -100 for token, learned in zip(*row, strict=True)] for row in rows],
        }
    )
    options: dict[str, Any] = {"packing": case["packing"], "gradient_checkpointing": False, "max_length": MAX_LENGTH}
    if case.get("trl") == "defaults":
        options = {}
    options |= {"bf16": False, "use_cpu": True, "report_to": [], "save_strategy": "no", "max_steps": steps}
    model = AutoModelForCausalLM.from_pretrained(folder / "base", dtype=torch.float32)
    extra = {}
    if case.get("method") == "lora":
        from peft import LoraConfig

        extra["peft_config"] = LoraConfig(r=16, lora_alpha=32, target_modules="all-linear")
    trainer = SFTTrainer(
        model=model,
        processing_class=AutoTokenizer.from_pretrained(folder / "base"),
        train_dataset=table,
        args=SFTConfig(
            output_dir=tempfile.mkdtemp(dir=folder), learning_rate=2e-5, logging_steps=1, disable_tqdm=True, **options
        ),
        **extra,
    )
    collate, tokens = trainer.data_collator, []

    def counting(examples: list[Any]) -> Any:
        tokens.append(sum(len(example["input_ids"]) for example in examples) + (tokens[-1] if tokens else 0))
        return collate(examples)

    trainer.data_collator = counting
    with clock() as seen:
        trainer.train()
    losses = [line["loss"] for line in trainer.state.log_history if "loss" in line]
    return rates(seen, tokens) | {"loss": losses[-1]}


SIDES: dict[str, Callable[[Path, dict[str, Any], int], dict[str, float]]] = {"ours": ours, "trl": trl}


def in_process(side: str, case: str, folder: Path, steps: int) -> dict[str, float]:
    """One side of one case, in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.training", "--side", side, "--only", case, "--folder", str(folder)]
    done = subprocess.run(
        [*command, "--steps", str(steps)], cwd=ROOT, env=os.environ, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{side}, {case}: {done.stderr[-3000:]}")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def measure(cases: list[str], *, rounds: int, steps: int) -> dict[str, Any]:
    """Both sides of each case, in turns."""
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="roca-bench-") as made:
        folder = Path(made)
        base_folder(folder)
        for case in cases:
            found: dict[str, list[dict[str, float]]] = {side: [] for side in SIDES}
            for _ in range(rounds):
                for side, results in found.items():
                    results.append(in_process(side, case, folder, steps))
            kinds = ("tokens_per_s", "tokens_per_cpu_s", "peak_mb")
            figures[case] = {
                kind: {side: spread([each[kind] for each in results]) for side, results in found.items()}
                for kind in kinds
            }
            pairs = list(zip(found["ours"], found["trl"], strict=True))
            for kind in kinds[:2]:
                figures[case][f"times_trl_{kind}"] = spread([own[kind] / other[kind] for own, other in pairs])
            figures[case]["bar"] = CASES[case]["bar"]
            print(case, json.dumps(figures[case]), file=sys.stderr)
    return figures


def main() -> None:
    """Run and report."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--steps", type=int, default=8)
    arguments.add_argument("--only", nargs="*", choices=list(CASES), default=list(CASES))
    arguments.add_argument("--side", choices=list(SIDES), help=argparse.SUPPRESS)
    arguments.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = arguments.parse_args()
    if options.side:
        print(json.dumps(SIDES[options.side](options.folder, CASES[options.only[0]], options.steps)))
        return
    figures = measure(options.only, rounds=options.rounds, steps=options.steps)
    report("training", {"model": "roca-mini", "steps": options.steps, "cases": figures})


if __name__ == "__main__":
    main()

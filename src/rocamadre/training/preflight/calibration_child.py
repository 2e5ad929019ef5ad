"""`python -m rocamadre.training.preflight.calibration_child FOLDER`: the half of `calibration.py` that needs torch.

It loads the base, puts the method on it, and computes passes over random tokens with the trainer's own functions.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch
from torch import nn

from rocamadre.core.errors import RocamadreError
from rocamadre.jobs.rundir import read_json, write_json
from rocamadre.training import causal, memory, optimiser, precision
from rocamadre.training.data import make_table
from rocamadre.training.methods.registry import check_settings, make_method
from rocamadre.training.model import load_base
from rocamadre.training.packing import Indices
from rocamadre.training.preflight.shape import ModelShape, read_shape
from rocamadre.training.preflight.trained import Trained, trained
from rocamadre.training.preflight.work import forward_pass_flops, pass_flops
from rocamadre.training.preflight.workload import Passes
from rocamadre.training.settings import TrainingSettings

_LARGEST_FLOPS = 2e12
"""Of a pass that is measured: some ten seconds on a slow processor."""
_ENOUGH_S, _MOST = 2.0, 6


def main(path: str) -> int:
    """Measure what the folder's spec asks for."""
    folder = Path(path)
    try:
        write_json(folder / "result.json", {"rate": _measure(read_json(folder / "spec.json"))})
    except RocamadreError as error:
        write_json(folder / "result.json", {"failed": error.message})
    return 0


def _measure(spec: dict[str, Any]) -> dict[str, Any]:
    memory.tune_allocator()
    settings = TrainingSettings.model_validate(spec["settings"])
    if settings.threads or settings.processes > 1:
        torch.set_num_threads(settings.threads or max(1, torch.get_num_threads() // settings.processes))
    method, own = make_method(settings.method), check_settings(settings.method, settings.method_settings)
    path = Path(spec["base"])
    base, shape = load_base(path), read_shape(path)
    framework_bytes = psutil.Process().memory_info().rss - 4 * shape.parameters
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    module = method.prepare(base.model.to(device), own, seed=settings.seed, tokenizer=base.tokenizer)
    chosen = precision.choose(settings.precision, width=shape.hidden, inner=shape.inner, device=device)
    layout: causal.Layout = "segments" if method.packs else "padded"
    causal.use_layout(module, layout)
    if settings.gradient_checkpointing:
        module.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    start_s = time.time() - psutil.Process().create_time()
    bench = _Bench(
        module,
        list(method.trainable(module)),
        shape=shape,
        moved=trained(shape, own),
        settings=settings,
        layout=layout,
        chosen=chosen,
    )
    return {
        **bench.fit(length=spec["length"], tokens=spec["tokens"]),
        "start_s": start_s,
        "framework_bytes": framework_bytes,
        "precision": chosen,
        "trained_parameters": sum(weight.numel() for _, weight in bench.named),
    }


class _Bench:
    """A prepared module and what is measured of it."""

    def __init__(
        self,
        module: nn.Module,
        named: optimiser.Named,
        *,
        shape: ModelShape,
        moved: Trained,
        settings: TrainingSettings,
        layout: causal.Layout,
        chosen: str,
    ) -> None:
        self.module, self.named, self.shape, self.moved = module, named, shape, moved
        self.settings, self.layout, self.half = settings, layout, chosen == "bf16"
        self.device = named[0][1].device

    def fit(self, *, length: int, tokens: int) -> dict[str, Any]:
        """Seconds per pass and per operation, from a small pass and a large one."""
        while tokens > length and pass_flops(self.shape, self.moved, self._passes(tokens, length)) > _LARGEST_FLOPS:
            tokens //= 2
        large_count = max(1, tokens // length)
        small_count = max(1, large_count // 8)
        small_length = length if small_count < large_count else max(8, length // 8)
        small, small_s, _ = self._timed(small_count, small_length)
        large, large_s, forward_s = self._timed(large_count, length)
        flops = [pass_flops(self.shape, self.moved, each, checkpointing=self.settings.gradient_checkpointing)
                 for each in (small, large)]  # fmt: skip
        slope = (large_s - small_s) / (flops[1] - flops[0]) if flops[1] > flops[0] else 0.0
        # Timer noise must not make passes free: at least half of the plain quotient.
        slope = max(slope, 0.5 * large_s / flops[1])
        pass_s = max(0.0, large_s - slope * flops[1])
        forward = forward_pass_flops(self.shape, self.moved, large)
        return {
            "pass_s": pass_s,
            "flop_s": slope,
            "forward_flop_s": max(0.0, forward_s - pass_s / 3) / forward,
            "step_s": self._step_s(),
            "points": [[round(small.tokens), small_s], [round(large.tokens), large_s]],
        }

    def _passes(self, tokens: int, length: int) -> Passes:
        count = max(1, tokens // length)
        longer = length + self.moved.virtual_tokens
        return Passes(1, count * longer, count * (length - 1), count * longer**2, count * longer, count * length)

    def _timed(self, count: int, length: int) -> tuple[Passes, float, float]:
        """A pass over so many examples: what it computes, seconds to learn from it, seconds to look at it."""
        dice = np.random.default_rng(count)
        size = min(self.shape.vocabulary, 1000)
        table = make_table((dice.integers(0, size, length), np.ones(length, np.bool_)) for _ in range(count))
        task = causal.CausalTask(table, capacity=length, packing=False, seed=0, device=self.device, layout=self.layout)
        rows = [np.asarray([index]) for index in range(count)]
        self.module.train()
        learn_s = _best(lambda: self._learn(task, rows))
        self.module.eval()
        with torch.no_grad():
            look_s = _best(lambda: self._look(task, rows))
        return self._passes(count * length, length), learn_s, look_s

    def _learn(self, task: causal.CausalTask, rows: list[Indices]) -> None:
        self.module.zero_grad(set_to_none=True)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.half):
            loss = task.loss(self.module, rows)
        loss.backward()
        self._wait()

    def _look(self, task: causal.CausalTask, rows: list[Indices]) -> None:
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.half):
            task.loss(self.module, rows)
        self._wait()

    def _step_s(self) -> float:
        moving = optimiser.make_optimiser(self.named, weight_decay=self.settings.weight_decay)
        for _, weight in self.named:
            weight.grad = torch.zeros_like(weight)

        def step() -> None:
            torch.nn.utils.clip_grad_norm_([weight for _, weight in self.named], self.settings.clip_norm)
            moving.step()
            self._wait()

        return _best(step)

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


def _best(work: Callable[[], None]) -> float:
    """The middle one of some runs, in seconds, after one that is not counted."""
    work()
    found: list[float] = []
    while len(found) < 2 or (len(found) < _MOST and sum(found) < _ENOUGH_S):
        started = time.perf_counter()
        work()
        found.append(time.perf_counter() - started)
    return float(np.median(found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))

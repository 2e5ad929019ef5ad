"""Batches to weights; and how well the weights do on articles that they have not seen."""

from __future__ import annotations

import copy
import os
import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from data import Words
from net import Net, best, loss_of
from packing import Packed, batch_of, batches

Judge = Callable[[Net], dict[str, float]]


def scored(net: Net, packed: Sequence[Packed], table: np.ndarray) -> list[tuple[int, int, float, float]]:
    """First and last word, the span's score, the logarithm of the chance of no answer; for each example."""
    net.eval()
    order = sorted(range(len(packed)), key=lambda k: len(packed[k].passage[0]))
    found: dict[int, tuple[int, int, float, float]] = {}
    with torch.inference_mode():
        for at in range(0, len(order), 32):
            part = order[at : at + 32]
            start, end, none = net(batch_of([packed[k] for k in part], table))
            first, last, score = best(start, end)
            total = torch.logaddexp(start.logsumexp(1) + end.logsumexp(1), none)
            for row, k in enumerate(part):
                found[k] = int(first[row]), int(last[row]), float(score[row]), float((none - total)[row])
    return [found[k] for k in range(len(packed))]


def auc(good: Sequence[float], bad: Sequence[float]) -> float:
    """The chance that a good one is above a bad one."""
    if not good or not bad:
        return float("nan")
    ranks = np.argsort(np.argsort(np.r_[good, bad])) + 1
    return float((ranks[: len(good)].sum() - len(good) * (len(good) + 1) / 2) / (len(good) * len(bad)))


def judged(net: Net, packed: Sequence[Packed], table: np.ndarray, words: Words, f1) -> dict[str, float]:
    """F1 given the passage by language, and how well no answer is told apart, by kind."""
    held: dict[str, list[float]] = {}
    for each, (first, last, _, none) in zip((p.example for p in packed), scored(net, packed, table), strict=True):
        held.setdefault(f"none-{each.reads}-{each.kind}", []).append(none)
        if each.spans:
            parts = words.of(each.passage, each.reads)
            text = each.passage[parts[first].start : parts[last].end]
            good = f1(text, each.golds, each.reads)
            held.setdefault(f"f1-{each.language}>{each.reads}", []).append(good)
            held.setdefault(f"em-{each.language}>{each.reads}", []).append(float(good > 0.999))
    made = {name: float(np.mean(values)) for name, values in held.items() if not name.startswith("none")}
    for language in ("en", "es", "pt"):
        for kind in ("unanswerable", "other"):
            bad = held.get(f"none-{language}-{kind}", [])
            made[f"auc-{language}-{kind}"] = auc(bad, held.get(f"none-{language}-answerable", []))
    return {name: round(value, 3) for name, value in made.items()}


class Trainer:
    """One training; goes on from its last checkpoint.

    Args:
        folder: For the checkpoints.
        seconds: Of processor time in all; by it the learning rate falls.
        wall: Seconds by the clock after which it ends, too.
    """

    def __init__(
        self, net: Net, table: np.ndarray, folder: Path, *, seed: int, seconds: float, wall: float = 1e9
    ) -> None:
        self.net, self.table, self.folder, self.seed = net, table, folder, seed
        self.seconds, self.wall, self.begun = seconds, wall, time.monotonic()
        self.mean = {name: value.detach().clone() for name, value in net.state_dict().items()}
        self.optimiser = torch.optim.AdamW(net.parameters(), lr=1e-3, betas=(0.9, 0.98), weight_decay=1e-2)
        self.steps, self.used, self.epochs = 0, 0.0, 0

    @property
    def share(self) -> float:
        """Of the training that is done."""
        return min(1.0, max(self.used / self.seconds, (time.monotonic() - self.begun) / self.wall))

    def step(self, packed: Sequence[Packed], rate: float) -> float:
        for group in self.optimiser.param_groups:
            group["lr"] = float(rate) * min(1.0, (self.steps + 1) / 100)
        self.net.train()
        start, end, none = self.net(batch_of(packed, self.table))
        loss = loss_of(start, end, none, [each.example.spans for each in packed])
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), 2.0)
        self.optimiser.step()
        self.steps += 1
        keep = min(0.995, (1 + self.steps) / (10 + self.steps))
        for name, value in self.net.state_dict().items():
            self.mean[name].lerp_(value, 1 - keep)
        return float(loss.detach())

    def averaged(self) -> Net:
        """A copy of the network with the mean of its last weights."""
        made = copy.deepcopy(self.net)
        made.load_state_dict(self.mean)
        return made

    def save(self) -> None:
        part = self.folder / "last.part"
        torch.save({"net": self.net.state_dict(), "mean": self.mean, "optimiser": self.optimiser.state_dict(),
                    "steps": self.steps, "used": self.used, "epochs": self.epochs}, part)  # fmt: skip
        os.replace(part, self.folder / "last.pt")

    def load(self) -> None:
        held = torch.load(self.folder / "last.pt", weights_only=True)
        self.net.load_state_dict(held["net"])
        self.optimiser.load_state_dict(held["optimiser"])
        self.mean, self.steps, self.used, self.epochs = held["mean"], held["steps"], held["used"], held["epochs"]

    def train(self, draw: Callable[[random.Random, float], list[Packed]], *, high: float, low: float, judge: Judge,
              every: float) -> None:  # fmt: skip
        """Epoch after epoch of what `draw` gives for the share done, from rate `high` to `low`."""
        losses: list[float] = []
        judged_at = self.used
        while self.share < 1:
            chance = random.Random(f"{self.seed}-{self.epochs}")
            torch.manual_seed(self.seed + self.epochs)
            for part in batches(draw(chance, self.share), chance):
                begun = time.process_time()
                losses.append(self.step(part, low + (high - low) * 0.5 * (1 + np.cos(np.pi * self.share))))
                self.used += time.process_time() - begun
                if self.steps % 50 == 0:
                    print(f"{self.steps} steps, {self.used:.0f} s, loss {np.mean(losses[-50:]):.3f}, "
                          f"{time.strftime('%H:%M:%S')}", flush=True)  # fmt: skip
                if self.used - judged_at > every:
                    judged_at = self.used
                    self.save()
                    print(self.steps, judge(self.averaged()), flush=True)
                if self.share >= 1:
                    break
            self.epochs += 1
        self.save()
        print("end", judge(self.averaged()), flush=True)

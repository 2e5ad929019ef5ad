"""The student: one vector and one weight for each piece, their weighted sum, and a map into the teacher's space."""

from __future__ import annotations

import math
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from cuts import Cuts
from torch import Tensor, nn
from torch.nn import functional
from vocabulary import Bags


@dataclass
class Plan:
    """Of one training.

    Attributes:
        rank: Numbers kept for each piece.
        steps: Of the optimiser.
        rate: Its greatest step; rises over a twentieth and falls as a cosine.
        translations: Pairs in a batch; the others likewise.
        sharpness: What cosines are multiplied with where the right one is to be told from the rest of the batch.
        drop: Share of pieces left out of a text, so that it does not hang on one of them.
        copy: Weight of the distance to the teacher; the other losses weigh 1.
    """

    rank: int = 256
    steps: int = 1600
    rate: float = 3e-3
    translations: int = 384
    english: int = 256
    asked: int = 160
    cuts: int = 224
    sharpness: float = 20.0
    drop: float = 0.1
    copy: float = 4.0
    seed: int = 20261121


class Student(nn.Module):
    def __init__(self, pieces: int, rank: int, size: int) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.randn(pieces, rank) * 0.02)
        self.weight = nn.Parameter(torch.zeros(pieces))
        self.map = nn.Parameter(torch.randn(rank, size) / math.sqrt(rank))

    def forward(self, ids: Tensor, counts: Tensor, offsets: Tensor) -> Tensor:
        weights = torch.exp(self.weight)[ids] * counts
        sums = functional.embedding_bag(ids, self.table, offsets, mode="sum", per_sample_weights=weights)
        return functional.normalize(sums @ self.map, dim=1, eps=1e-9)


def begin(student: Student, bags: Bags, batches: Batches, taught: Tensor) -> None:
    """Set out from means: a piece is the mean of the teacher's vectors of the texts, or translated texts, that have it.

    Weights set out as smooth inverse frequencies (Arora, Liang & Ma 2017).
    """
    centred = taught - taught.mean(0)
    values, axes = torch.linalg.eigh(centred[:20_000].T @ centred[:20_000])
    axes = axes[:, torch.argsort(values, descending=True)[: student.map.shape[0]]]
    small = centred @ axes
    places, rows = [batches.english], [np.arange(len(batches.english))]
    for kind in ("en-es", "en-pt"):
        pairs = batches.translations[kind]
        known = batches.place_of[pairs[:, 0]]
        places.append(pairs[known >= 0, 1])
        rows.append(known[known >= 0])
    places, rows = np.concatenate(places), torch.from_numpy(np.concatenate(rows))
    sums, seen = torch.zeros_like(student.table), torch.zeros(len(student.table))
    for start in range(0, len(places), 4096):
        part = places[start : start + 4096]
        pieces = torch.from_numpy(bags.gather(part)[0])
        owners = torch.repeat_interleave(rows[start : start + 4096], torch.from_numpy(bags.lengths[part]))
        with torch.no_grad():
            sums.index_add_(0, pieces, small[owners])
        seen += torch.bincount(pieces, minlength=len(seen))
    often = torch.from_numpy(np.bincount(bags.ids, minlength=len(seen))).float()
    with torch.no_grad():
        means = sums / (seen[:, None] + 3)
        student.table += means * (ROW_SIZE / means[seen > 0].square().mean().sqrt())
        student.map.copy_(axes.T)
        student.weight.copy_(torch.log(1e-3 / (1e-3 + often / often.sum()) + 1e-3))


def told_apart(one: Tensor, two: Tensor, same: Tensor, sharpness: float) -> Tensor:
    """Each text must find its partner among all of the batch, of either side; `same` marks other right answers."""
    both = torch.cat([one, two])
    count = len(one)
    scores = both @ both.T * sharpness
    blocked = same.repeat(2, 2)
    partner = torch.cat([torch.arange(count, 2 * count), torch.arange(count)])
    blocked[torch.arange(2 * count), partner] = False
    return functional.cross_entropy(scores.masked_fill(blocked, -1e4), partner)


def answers_found(questions: Tensor, passages: Tensor, same: Tensor, sharpness: float) -> Tensor:
    """Each question must find its passage, and the passage its question."""
    scores = questions @ passages.T * sharpness
    blocked = same.clone()
    blocked.fill_diagonal_(False)
    scores = scores.masked_fill(blocked, -1e4)
    right = torch.arange(len(scores))
    return (functional.cross_entropy(scores, right) + functional.cross_entropy(scores.T, right)) / 2


def copied(made: Tensor, taught: Tensor, sharpness: float, weight: float) -> Tensor:
    """Near the teacher's vector of the same text, and nearer to it than to those of other texts."""
    right = torch.arange(len(made))
    apart = functional.cross_entropy(made @ taught.T * sharpness, right)
    return weight * (1 - (made * taught).sum(1)).mean() + apart


class Batches:
    """Draws batches; where a text stands among `places` says which vector of the teacher is its own."""

    def __init__(self, corpus, plan: Plan, cuts: Cuts, taught: np.ndarray) -> None:
        self.plan, self.cuts, self.rng = plan, cuts, np.random.default_rng(plan.seed)
        self.place_of = np.full(len(corpus.texts), -1)
        self.english = np.array(corpus.english[: len(taught)])
        self.place_of[self.english] = np.arange(len(taught))
        self.translations = {kind: np.array(pairs).reshape(-1, 2) for kind, pairs in corpus.translations.items()}
        self.asked = {kind: np.array(pairs).reshape(-1, 2) for kind, pairs in corpus.asked.items()}

    def pairs(self, kinds: dict[str, np.ndarray], shares: dict[str, float], count: int) -> np.ndarray:
        found = []
        for kind, share in shares.items():
            pool = kinds[kind]
            if len(pool):
                found.append(pool[self.rng.integers(0, len(pool), max(1, round(share * count)))])
        return np.concatenate(found)


ROW_SIZE = 0.1
"""Root mean square of the numbers that rows set out with, some thirty steps of the optimiser."""
SHARES = {"en-es": 0.45, "en-pt": 0.35, "es-pt": 0.2}
ASKED = {"en": 0.55, "es": 0.15, "pt": 0.1, "es-en": 0.1, "en-es": 0.1}


def _same(places: np.ndarray) -> Tensor:
    return torch.from_numpy(places[:, None] == places[None, :])


def loss_of(student: Student, batches: Batches, bags: Bags, taught: Tensor) -> dict[str, Tensor]:
    plan, rng = batches.plan, batches.rng
    pairs = batches.pairs(batches.translations, SHARES, plan.translations)
    asked = batches.pairs(batches.asked, ASKED, plan.asked)
    english = rng.choice(batches.english, plan.english, replace=False)
    groups = [pairs[:, 0], pairs[:, 1], asked[:, 0], asked[:, 1], english]
    places = np.concatenate(groups)
    pieces, counts, offsets = bags.gather(places)
    cut_pieces, cut_counts, cut_offsets, cut_of = batches.cuts.draw(rng, plan.cuts)
    offsets = np.concatenate([offsets, cut_offsets + len(pieces)])
    pieces, counts = np.concatenate([pieces, cut_pieces]), np.concatenate([counts, cut_counts])
    if plan.drop:
        counts = counts * (rng.random(len(counts)) >= plan.drop).astype(np.float32)
    made = student(torch.from_numpy(pieces), torch.from_numpy(counts), torch.from_numpy(offsets))
    sizes = [len(group) for group in groups]
    one, two, questions, passages, own, left, right = torch.split(made, [*sizes, plan.cuts, plan.cuts])
    known = batches.place_of[pairs[:, 0]]
    rows = torch.from_numpy(np.flatnonzero(known >= 0))
    losses = {
        "told": told_apart(one, two, _same(pairs[:, 0]) | _same(pairs[:, 1]), plan.sharpness),
        "asked": answers_found(questions, passages, _same(asked[:, 1]) | _same(asked[:, 0]), plan.sharpness),
        "cuts": answers_found(left, right, _same(cut_of), plan.sharpness),
        "english": copied(own, taught[torch.from_numpy(batches.place_of[english])], plan.sharpness, plan.copy),
    }
    if len(rows) > 1:
        target = taught[torch.from_numpy(known)[rows]]
        losses["translated"] = copied(two[rows], target, plan.sharpness, plan.copy)
        losses["original"] = copied(one[rows], target, plan.sharpness, plan.copy) / 2
    return losses


def train(student: Student, batches: Batches, bags: Bags, taught: Tensor, folder: Path, *, every: int = 500) -> None:
    """Goes on from the last state in `folder`, if there is one of the same plan."""
    plan = batches.plan
    groups = [
        {"params": [student.table], "part": 1.0},
        {"params": [student.weight], "part": 2.0},
        {"params": [student.map], "part": 0.1},
    ]
    optimiser = torch.optim.Adam(groups, lr=plan.rate, betas=(0.9, 0.99), fused=True)
    state, begin_at = folder / "state.pt", 0
    if state.exists():
        kept = torch.load(state, weights_only=False)
        if kept["plan"] == asdict(plan):
            student.load_state_dict(kept["student"])
            optimiser.load_state_dict(kept["optimiser"])
            begin_at = kept["step"]
    batches.rng = np.random.default_rng([plan.seed, begin_at])
    started, totals = time.monotonic(), {}
    for step in range(begin_at, plan.steps):
        progress = step / plan.steps
        rate = plan.rate * min(1.0, progress * 20 + 0.01) * (0.5 + 0.5 * math.cos(math.pi * progress))
        for group in optimiser.param_groups:
            group["lr"] = rate * group["part"]
        losses = loss_of(student, batches, bags, taught)
        optimiser.zero_grad(set_to_none=True)
        torch.stack(list(losses.values())).sum().backward()
        optimiser.step()
        for name, value in losses.items():
            totals[name] = totals.get(name, 0.0) + float(value.detach())
        if (step + 1) % every == 0 or step + 1 == plan.steps:
            count = (step % every) + 1
            shown = " ".join(f"{name} {value / count:.3f}" for name, value in totals.items())
            print(
                f"step {step + 1} {shown} {(time.monotonic() - started) / (step + 1 - begin_at):.3f} s a step",
                flush=True,
            )
            totals = {}
            kept = {
                "plan": asdict(plan),
                "step": step + 1,
                "student": student.state_dict(),
                "optimiser": optimiser.state_dict(),
            }
            torch.save(kept, state.with_suffix(".part"))
            state.with_suffix(".part").replace(state)

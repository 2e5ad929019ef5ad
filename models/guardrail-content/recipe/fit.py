"""Fit the content filters: logistic regression on hashed words, pairs of words and runs of characters.

    python fit.py DATA WORK [--without TWIN] [--prepare] [--smoke]

Writes `weights-TWIN.npz`: a twin has seen neither a sitting of the written texts nor some public sets, so that those
tell what the filters make of texts from elsewhere. Without `none` all training rows train; these weights ship.
Texts and weights that are in WORK already are kept: begin with an empty folder after a change.

Two fits are added up: words, stems, pairs and character runs; and words alone, each free to weigh in as much as its
counts speak for a label (after Wang and Manning's NB-SVM). Both are sums over a text divided by the root of its length.
"""

from __future__ import annotations

import argparse
import pickle
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from counted import Corpus, corpus, ranges
from examples import TRAINING, Example, augmented, everything
from sources import SEED

from rocamadre.guardrails.classifiers.features import BUCKETS
from rocamadre.guardrails.classifiers.model import SOFTENING

TWINS = {
    "third": ("deepset", "cyberseceval"),
    "fourth": ("advbench", "catqa", "goals"),
    "fifth": ("jailbreakbench", "inthewild"),
    "sixth": ("moderation",),
}
"""The sitting whose written texts a twin does not see, and the public sets."""
KINDS_OF_WORDS = 3
RARE = 3
"""Texts that a bucket must occur in."""
CHARACTERS = 0.4
"""How loud runs of characters are beside words."""
SPEAKS = 0.3
"""What a bucket whose counts say nothing may weigh in the second fit, beside those that do."""
STEPS = 40


@dataclass
class Counts:
    """How often each bucket occurs in each text: rows sorted by text; `runs`: buckets that are mostly characters."""

    text: np.ndarray
    bucket: np.ndarray
    count: np.ndarray
    words: np.ndarray
    runs: np.ndarray


def counts_of(made: Corpus) -> Counts:
    texts = len(made.bags) - 1
    owner = np.repeat(np.arange(texts), np.diff(made.bags))
    first, end = np.zeros(texts, np.int64), np.zeros(texts, np.int64)
    filled = np.flatnonzero(np.diff(made.bags) > 0)
    first[filled] = np.minimum.reduceat(made.first, made.bags[filled])
    np.maximum.at(end, owner, made.end)
    place, _ = ranges(made.offsets[first], made.offsets[end])
    text = np.repeat(np.arange(texts), made.offsets[end] - made.offsets[first])
    keys, count = np.unique((text.astype(np.int64) << 32) | made.buckets[place], return_counts=True)
    in_word = np.arange(len(made.buckets)) - np.repeat(made.offsets[:-1], np.diff(made.offsets))
    characters = np.bincount(made.buckets[in_word >= KINDS_OF_WORDS], minlength=BUCKETS)
    return Counts(
        (keys >> 32).astype(np.int32), (keys & 0xFFFFFFFF).astype(np.int32), count.astype(np.float32),
        (end - first).astype(np.float32), characters * 2 > np.bincount(made.buckets, minlength=BUCKETS),
    )  # fmt: skip


class Design:
    """Texts by buckets, both ways round."""

    def __init__(self, row: np.ndarray, column: np.ndarray, value: np.ndarray, shape: tuple[int, int]) -> None:
        self.columns = shape[1]
        self.forth = _sparse(row, column, value, shape)
        order = np.argsort(column, kind="stable")
        self.back = _sparse(column[order], row[order], value[order], shape[::-1])


def _sparse(row: np.ndarray, column: np.ndarray, value: np.ndarray, shape: tuple[int, int]) -> torch.Tensor:
    begins = np.concatenate(([0], np.cumsum(np.bincount(row, minlength=shape[0]))))
    parts = (begins, column.astype(np.int64), value.astype(np.float32))
    return torch.sparse_csr_tensor(*map(torch.from_numpy, parts), shape, check_invariants=False)


def fitted(
    design: Design, truth: np.ndarray, share: np.ndarray, *, c: float, loud: np.ndarray | None, steps: int
) -> np.ndarray:
    """Weights of a logistic regression for each label, the bias last.

    Args:
        design: Texts by columns.
        truth: 1 or 0, texts by labels.
        share: What each text counts for a label.
        c: As in liblinear: less is smoother.
        loud: What each column's values are multiplied by for each label.
        steps: Of the search.
    """
    goal, part = torch.from_numpy(truth.astype(np.float32)), torch.from_numpy(share.astype(np.float32))
    total = part.sum(0, keepdim=True)
    part, decay = part / total, 1 / (c * total)
    louder = torch.from_numpy(loud.astype(np.float32)) if loud is not None else torch.ones(1, goal.shape[1])

    def loss(weights: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        score = design.forth @ (louder * weights[:-1]) + weights[-1]
        each = torch.nn.functional.binary_cross_entropy_with_logits(score, goal, reduction="none")
        rest = part * (torch.sigmoid(score) - goal)
        slope = torch.cat([louder * (design.back @ rest) + decay * weights[:-1], rest.sum(0, keepdim=True)])
        return (part * each).sum(0) + 0.5 * (decay * weights[:-1] ** 2).sum(0), slope

    found = _minimum(loss, torch.zeros(design.columns + 1, goal.shape[1]), steps)
    return torch.cat([louder * found[:-1], found[-1:]]).numpy()


def _minimum(loss, at: torch.Tensor, steps: int) -> torch.Tensor:
    """L-BFGS, each column of `at` a problem of its own (Nocedal and Wright, algorithm 7.4)."""
    value, slope = loss(at)
    past: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]] = []
    for _ in range(steps):
        way, kept = slope.clone(), []
        for moved, turned, inverse in reversed(past):
            kept.append(inverse * (moved * way).sum(0))
            way -= kept[-1] * turned
        if past:
            moved, turned, _ = past[-1]
            way *= (moved * turned).sum(0) / turned.square().sum(0).clamp(min=1e-20)
        else:
            way /= slope.abs().sum(0).clamp(min=1e-12)
        for (moved, turned, inverse), factor in zip(past, reversed(kept), strict=True):
            way += moved * (factor - inverse * (turned * way).sum(0))
        fall = (slope * way).sum(0)
        way = torch.where(fall <= 0, slope, way)
        fall = (slope * way).sum(0)
        length = torch.ones(at.shape[1])
        for _ in range(8):
            there = at - length * way
            below, beyond = loss(there)
            enough = below <= value - 1e-4 * length * fall + 1e-9
            if bool(enough.all()):
                break
            length = torch.where(enough, length, length * 0.4)
        moved, turned = there - at, beyond - slope
        product = (moved * turned).sum(0)
        past.append((moved, turned, torch.where(product > 1e-12, 1 / product.clamp(min=1e-12), 0 * product)))
        past = past[-8:]
        at, value, slope = there, below, beyond
    return at


def shares(truth: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """What each text counts for each label: nothing where unknown, as much in all for positives as for negatives."""
    found = (truth >= 0) * weight[:, None]
    for place in range(truth.shape[1]):
        known = int((truth[:, place] >= 0).sum())
        for value in (0, 1):
            chosen = truth[:, place] == value
            found[chosen, place] *= known / (2 * max(1, int(chosen.sum())))
    return found


def table_of(
    counts: Counts, chosen: np.ndarray, truth: np.ndarray, weight: np.ndarray, steps: int
) -> tuple[np.ndarray, ...]:
    """Weights by bucket and the biases, learned from some texts."""
    number = np.full(len(counts.words), -1)
    number[chosen] = np.arange(len(chosen))
    row = number[counts.text]
    kept = row >= 0
    often = np.bincount(counts.bucket[kept], minlength=BUCKETS)
    rare = np.log((1 + len(chosen)) / (1 + often)) + 1
    rare /= rare[often >= RARE].mean()
    part = shares(truth[chosen], weight[chosen])
    table, bias = np.zeros((BUCKETS, truth.shape[1]), np.float32), np.zeros(truth.shape[1], np.float32)
    for words_alone in (False, True):
        used = (often >= RARE) & ~(counts.runs & words_alone)
        taken = kept & used[counts.bucket]
        column = (np.cumsum(used) - 1)[counts.bucket[taken]]
        scale = (rare * np.where(counts.runs, CHARACTERS, 1))[used]
        length = np.sqrt(counts.words[counts.text[taken]] + SOFTENING)
        value = counts.count[taken] * scale[column] / length
        design = Design(row[taken], column, value, (len(chosen), int(used.sum())))
        loud = _speaking(design, truth[chosen], part) if words_alone else None
        found = fitted(design, truth[chosen] == 1, part, c=3 if words_alone else 10, loud=loud, steps=steps)
        table[used] += found[:-1] * scale[:, None]
        bias += found[-1]
    return table, bias


def _speaking(design: Design, truth: np.ndarray, part: np.ndarray) -> np.ndarray:
    """How far the counts of each column differ between positive and negative texts of each label."""
    sides = [
        (design.back @ torch.from_numpy((part * (truth == value)).astype(np.float32))).numpy() + 1 for value in (1, 0)
    ]
    positive, negative = (each / each.sum(0) for each in sides)
    return SPEAKS + np.abs(np.log(positive / negative))


def prepared(data: Path, work: Path, *, smoke: bool) -> tuple[list[Example], Corpus]:
    kept = work / ("examples-smoke.pkl" if smoke else "examples.pkl")  # our own scratch file, read by nobody else
    if kept.exists():
        return pickle.loads(kept.read_bytes())
    examples = everything(data, smoke=smoke)
    around = ("written-benign",) if smoke else ("requests", "tatoeba", "questions", "background")
    plain = [each for each in examples if each.source in around]
    examples = augmented(examples, plain, SEED)
    made = corpus(examples)
    kept.write_bytes(pickle.dumps((examples, made)))
    return examples, made


def left_out(examples: list[Example], twin: str) -> np.ndarray:
    """Which texts a twin does not see."""
    sources = TWINS.get(twin, ())
    return np.array([each.source in sources or each.extra.get("sitting", "") == twin for each in examples])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("--without", choices=("none", *TWINS), default="none")
    parser.add_argument("--prepare", action="store_true", help="only make the texts, which every fit reads")
    given = parser.parse_args()
    warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta")
    torch.set_num_threads(1)
    begun = time.time()
    given.work.mkdir(parents=True, exist_ok=True)
    target = given.work / f"weights-{given.without}.npz"
    if target.exists():
        print(f"{target} is there already")
        return
    examples, made = prepared(given.data, given.work, smoke=given.smoke)
    if given.prepare:
        return
    counts = counts_of(made)
    print(f"{len(examples)} texts, {len(counts.text):,} counts, {time.time() - begun:.0f} s", flush=True)
    truth = np.array([each.values for each in examples], np.int64)
    weight = np.array([each.weight for each in examples], np.float32)
    trains = np.array([each.role == TRAINING for each in examples]) & (counts.words > 0)
    steps = 5 if given.smoke else STEPS
    table, bias = table_of(counts, np.flatnonzero(trains & ~left_out(examples, given.without)), truth, weight, steps)
    temporary = target.with_suffix(".part.npz")
    np.savez(temporary, table=table, bias=bias)
    temporary.replace(target)
    print(f"without {given.without}: {int(np.any(table, 1).sum()):,} buckets, {time.time() - begun:.0f} s", flush=True)


if __name__ == "__main__":
    main()

"""Fit the content filters: n-grams by bucket, summed over a window; a text is as bad as its worst window.

    python fit.py DATA WORK (--fold NUMBER | --all) [--smoke]

Needs `vectors.npz` in WORK. Writes `linear-NUMBER.npz` and `scores-NUMBER.npz` there: weights of a twin that a fold of
the written patterns did not train, and for each text that it did not see the score of its worst window. `--all` goes on
from the first twin with all patterns: `linear-all.npz`, `scores-all.npz`.
"""

from __future__ import annotations

import argparse
import pickle
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from corpus import Corpus, corpus, ranges
from examples import FOLDS, LABELS, TRAINING, Example, augmented, everything, fold_of
from sources import SEED

from rocamadre.guardrails.classifiers.features import BUCKETS, fingerprints_of

MOST_WINDOWS = 8
KEPT_FEATURES = 0.5
HIDDEN = 64
SETTLED = 0.05
"""Loss of a text below which it is seldom asked again."""
SOFTENING = 4.0


@dataclass(frozen=True)
class Plan:
    """Some epochs of training: the first rate, and the decay of the squares of the n-grams' weights."""

    epochs: int
    rate: float
    decay: float


FIRST = (Plan(3, 0.02, 1e-6), Plan(1, 0.008, 2e-7))
AGAIN = (Plan(2, 0.01, 5e-7),)


@dataclass
class Batch:
    """Buckets, where each window's begin, one over the root of its length, its text; words and their window."""

    buckets: torch.Tensor
    starts: torch.Tensor
    norms: torch.Tensor
    owner: torch.Tensor
    words: torch.Tensor | None
    window: torch.Tensor | None
    lengths: torch.Tensor


def batch(made: Corpus, chosen: np.ndarray, rng: np.random.Generator | None, meanings: Meanings | None) -> Batch:
    first, end, owner = [], [], []
    for place, number in enumerate(chosen):
        window = np.arange(made.bags[number], made.bags[number + 1])
        if rng is not None and len(window) > MOST_WINDOWS:
            window = rng.choice(window, MOST_WINDOWS, replace=False)
        first.append(made.first[window])
        end.append(made.end[window])
        owner.append(np.full(len(window), place))
    a, b = np.concatenate(first), np.concatenate(end)
    picked, starts = ranges(made.offsets[a], made.offsets[b])
    buckets = made.buckets[picked]
    if rng is not None:
        buckets = np.where(rng.random(len(buckets), np.float32) < KEPT_FEATURES, buckets, BUCKETS)
    # What is left out in training must not make the rest louder afterwards.
    norms = (1 if rng is not None else KEPT_FEATURES) / np.sqrt(b - a + SOFTENING)
    words = window = None
    if meanings is not None:
        places, _ = ranges(a, b)
        words = torch.from_numpy(meanings.of(places, rng))
        window = torch.from_numpy(np.repeat(np.arange(len(a)), b - a))
    to = torch.from_numpy
    return Batch(
        to(buckets.astype(np.int64)), to(starts), to(norms.astype(np.float32)),
        to(np.concatenate(owner)), words, window, to((b - a).astype(np.float32)),
    )  # fmt: skip


class Meanings:
    """Vectors of the words of a corpus, each with its neighbours in the text."""

    def __init__(self, made: Corpus, work: Path) -> None:
        with np.load(work / "vectors.npz") as arrays:
            table = arrays["table"] * arrays["scales"].astype(np.float32)[:, None]
            words, stems = arrays["words"], arrays["stems"]
        self.table = np.concatenate([np.zeros((1, table.shape[1]), np.float32), table])
        own, of_stems = fingerprints_of(made.hashes, made.stems)
        self.entries = np.stack([_entries(own, words, 1), _entries(of_stems, stems, 1 + len(words))], axis=1)
        filled = np.flatnonzero(np.diff(made.bags) > 0)
        self.opening = np.zeros(len(own) + 1, bool)
        self.opening[made.first[made.bags[filled]]] = True
        self.opening[made.end[made.bags[filled + 1] - 1]] = True

    def of(self, places: np.ndarray, rng: np.random.Generator | None) -> np.ndarray:
        """(words, 3 x dimensions): the word before, the word, the word behind."""
        count = len(self.entries)
        parts = []
        for distance in (-1, 0, 1):
            there = np.clip(places + distance, 0, count - 1)
            found = self.table[self.entries[there, 0]] + self.table[self.entries[there, 1]]
            if distance:
                found[self.opening[places + (distance > 0)]] = 0
            parts.append(found)
        made = np.concatenate(parts, axis=1)
        if rng is not None:
            made[rng.random(len(made)) < 0.08] = 0
        return made


def _entries(values: np.ndarray, vocabulary: np.ndarray, first: int) -> np.ndarray:
    places = np.minimum(np.searchsorted(vocabulary, values), len(vocabulary) - 1)
    return np.where(vocabulary[places] == values, places + first, 0).astype(np.int32)


class Reader(torch.nn.Module):
    """Three words at a time, the strongest and the mean of a window: what n-grams of unseen words would have said."""

    def __init__(self, dimensions: int) -> None:
        super().__init__()
        self.inner = torch.nn.Linear(3 * dimensions, HIDDEN)
        self.outer = torch.nn.Linear(2 * HIDDEN, len(LABELS))

    def forward(self, words, window, windows, lengths):
        seen = torch.relu(self.inner(words))
        zeros = torch.zeros(windows, HIDDEN)
        index = window[:, None].expand_as(seen)
        peak = zeros.scatter_reduce(0, index, seen, "amax")
        mean = zeros.scatter_add(0, index, seen) / lengths[:, None]
        return self.outer(torch.nn.functional.dropout(torch.cat([peak, mean], 1), 0.1, self.training))


class Linear(torch.nn.Module):
    def __init__(self, dimensions: int = 0) -> None:
        super().__init__()
        self.reader = Reader(dimensions) if dimensions else None
        self.bag = torch.nn.EmbeddingBag(BUCKETS + 1, len(LABELS), mode="sum", padding_idx=BUCKETS)
        torch.nn.init.zeros_(self.bag.weight)
        self.bias = torch.nn.Parameter(torch.full((len(LABELS),), -2.0))

    def forward(self, given):
        grams = self.bag(given.buckets, given.starts) * given.norms[:, None]
        if self.reader is None:
            return grams + self.bias
        read = self.reader(given.words, given.window, len(given.norms), given.lengths)
        if self.training:
            # Now and then one of the two is silent, so that each learns to do without the other.
            draw = torch.rand(len(grams), 1)
            grams, read = grams * (draw > 0.35), read * (draw < 0.85)
        return grams + read + self.bias


def worst(logits: torch.Tensor, owner: torch.Tensor, texts: int) -> torch.Tensor:
    out = torch.full((texts, logits.shape[1]), -20.0)
    return out.scatter_reduce(0, owner[:, None].expand_as(logits), logits, "amax")


def fit(
    model: Linear,
    made: Corpus,
    truth: np.ndarray,
    weight: np.ndarray,
    meanings: Meanings | None,
    *,
    epochs: int,
    seed: int,
    rate: float = 0.02,
    decay: float = 1e-6,
) -> None:
    """Adam on the texts; from the second epoch on, of those that are settled a tenth only."""
    rng = np.random.default_rng(seed)
    slow = list(model.reader.parameters()) if model.reader is not None else []
    fast = [each for name, each in model.named_parameters() if not name.startswith("reader")]
    optimiser = torch.optim.Adam([{"params": fast, "lr": rate}, {"params": slow, "lr": 0.006}])
    truths, weights = torch.from_numpy(truth), torch.from_numpy(weight)
    loudest = np.full(len(truth), np.inf, np.float32)
    for epoch in range(epochs):
        open_questions = (loudest > SETTLED) | (rng.random(len(truth)) < 0.1)
        order = rng.permutation(np.flatnonzero(open_questions))
        for group in optimiser.param_groups:
            group["lr"] *= 0.6 if epoch else 1
        total = 0.0
        for start in range(0, len(order), 512):
            chosen = order[start : start + 512]
            given = batch(made, chosen, rng, meanings)
            logits = worst(model(given), given.owner, len(chosen))
            target = truths[chosen]
            known = (target >= 0).float() * weights[chosen][:, None]
            losses = torch.nn.functional.binary_cross_entropy_with_logits(
                logits, target.clamp(min=0).float(), reduction="none"
            )
            losses = losses * known
            loudest[chosen] = losses.detach().max(1).values.numpy()
            loss = losses.sum() / known.sum() + decay * model.bag.weight.square().sum()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            total += float(loss.detach())
        print(f"epoch {epoch}: {len(order)} texts, {512 * total / len(order):.4f}", flush=True)


def scores(model: Linear, made: Corpus, meanings: Meanings | None) -> np.ndarray:
    found = []
    model.eval()
    with torch.no_grad():
        for start in range(0, len(made.bags) - 1, 2000):
            chosen = np.arange(start, min(start + 2000, len(made.bags) - 1))
            given = batch(made, chosen, None, meanings)
            found.append(worst(model(given), given.owner, len(chosen)).numpy())
    return np.concatenate(found)


def prepared(data: Path, work: Path, *, smoke: bool) -> tuple[list[Example], Corpus]:
    kept = work / ("examples-smoke.pkl" if smoke else "examples.pkl")  # our own scratch file, read by nobody else
    if kept.exists():
        return pickle.loads(kept.read_bytes())
    examples = everything(data, smoke=smoke)
    plain = [each for each in examples if each.source in ("requests", "tatoeba", "questions", "background")]
    examples = augmented(examples, plain, SEED)
    made = corpus(examples)
    kept.write_bytes(pickle.dumps((examples, made)))
    return examples, made


def subset(made: Corpus, chosen: np.ndarray) -> Corpus:
    """The same words; other texts."""
    window, _ = ranges(made.bags[chosen], made.bags[chosen + 1])
    bags = np.concatenate(([0], np.cumsum(made.bags[chosen + 1] - made.bags[chosen])))
    return Corpus(bags, made.first[window], made.end[window], made.offsets, made.buckets, made.hashes, made.stems)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("--fold", type=int, choices=range(FOLDS), default=0)
    parser.add_argument("--all", action="store_true")
    given = parser.parse_args()
    torch.set_num_threads(1)
    begun = time.time()
    examples, made = prepared(given.data, given.work, smoke=given.smoke)
    print(f"{len(examples)} texts, {len(made.buckets):,} buckets, {time.time() - begun:.0f} s", flush=True)
    trains = np.array([each.role == TRAINING and (given.all or fold_of(each) != given.fold) for each in examples])
    filled = np.diff(made.bags) > 0
    chosen = np.flatnonzero(trains & filled)
    truth = np.array([each.values for each in examples], np.int64)
    weight = np.array([each.weight for each in examples], np.float32)
    meanings = Meanings(made, given.work)
    torch.manual_seed(SEED)
    model = Linear(meanings.table.shape[1])
    plans = FIRST
    if given.all:
        plans = AGAIN
        with np.load(given.work / "linear-0.npz") as kept, torch.no_grad():
            for name, value in model.state_dict().items():
                value[: len(kept[name])] = torch.from_numpy(kept[name])
    for plan in plans:
        fit(
            model,
            subset(made, chosen),
            truth[chosen],
            weight[chosen],
            meanings,
            epochs=1 if given.smoke else plan.epochs,
            seed=SEED,
            rate=plan.rate,
            decay=plan.decay,
        )
    state = {name: value.detach().numpy() for name, value in model.state_dict().items()}
    state["bag.weight"] = state["bag.weight"][:BUCKETS]
    state["kept"] = np.float32(KEPT_FEATURES)
    name = "all" if given.all else str(given.fold)
    np.savez(given.work / f"linear-{name}.npz", **state)
    measured = np.flatnonzero(~trains & filled)
    found = np.full((len(examples), len(LABELS)), -20.0, np.float32)
    found[measured] = scores(model, subset(made, measured), meanings)
    np.savez(given.work / f"scores-{name}.npz", scores=found)
    print(f"{time.time() - begun:.0f} s", flush=True)


if __name__ == "__main__":
    main()

"""Vectors of words for topics in three languages, close where they mean alike: `python vectors.py DATA WORK [--smoke]`.

A sentence is the normalised sum of its words' vectors, a word's the sum of those of the word and of its stem. English
sentences learn to lie as MiniLM's vectors do (teacher.py; the 64 largest principal axes), translations to lie beside
each other (in-batch contrast). Parallel sentences: Tatoeba (CC-BY-2.0) and documentation (licences in the card).
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
from corpus import AT_ONCE, ranges
from sources import PARALLEL, SEED, intents, part, rows, sampled

from rocamadre.guardrails.classifiers.features import fingerprints, words_of
from rocamadre.guardrails.folding import lower

DIMENSIONS = 64
MOST_WORDS = 15_000
MOST_STEMS = 8_000
LONGEST = 200
TEMPERATURE = 0.06


def pairs_of(data: Path, smoke: bool) -> list[tuple[str, str]]:
    found = []
    for language, names in PARALLEL.items():
        for name in names:
            most = 200 if smoke else 40_000 if "tatoeba" in name else 3_000
            taken = sampled(list(rows(data / f"parallel-en-{language}" / name)), most, name)
            found += [(row["en"][:LONGEST], row[language][:LONGEST]) for row in taken]
    return found


def subjects() -> list[list[list[str]]]:
    """The lines of the glossary: words of a subject by language."""
    lines = Path(__file__).with_name("glossary.txt").read_text(encoding="utf-8").splitlines()
    return [[[each.strip() for each in side.split(",")] for side in line.split("|")] for line in lines if "|" in line]


def completed(words: np.ndarray, stems: np.ndarray, table: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """With the glossary's words that sentences did not hold: beside their translations, else amid their subject."""
    rng = np.random.default_rng(SEED)
    length = float(np.linalg.norm(table, axis=1).mean())

    def sum_of(text: str) -> tuple[np.ndarray, np.ndarray, bool]:
        own, stem, _ = hashed([text])
        found, known = np.zeros(table.shape[1], np.float32), True
        for values, vocabulary, first in ((own, words, 0), (stem, stems, len(words))):
            places = np.minimum(np.searchsorted(vocabulary, values), len(vocabulary) - 1)
            hits = vocabulary[places] == values
            found += table[places[hits] + first].sum(0)
            known = known and (first > 0 or bool(hits.all()))
        return own, found, known

    added: dict[int, np.ndarray] = {}
    for line in subjects():
        made = [[sum_of(word) for word in side] for side in line]
        told = [vector for side in made for _, vector, known in side if known]
        middle = np.mean(told, axis=0) if told else np.zeros(table.shape[1], np.float32)
        for place in range(len(line[0])):
            row = [side[place] for side in made]
            translations = [vector for _, vector, known in row if known]
            alone = rng.normal(size=table.shape[1])
            target = np.mean(translations, axis=0) if translations else middle + alone / np.linalg.norm(alone) * length
            target *= 1.5 * length / max(float(np.linalg.norm(target)), 1e-6)
            for own, present, known in row:
                if not known and len(own) == 1:
                    added.setdefault(int(own[0]), target - present)
    fresh = np.array(sorted(added), np.uint32)
    grown = np.concatenate([words, fresh])
    order = np.argsort(grown)
    rows_ = np.concatenate([table[: len(words)], np.array([added[int(each)] for each in fresh])])[order]
    return grown[order], np.concatenate([rows_, table[len(words) :]]).astype(np.float32)


def hashed(texts: list[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Fingerprints of words and stems of all texts, and where each text begins among them."""
    words, stems, begins, before = [], [], [], 0
    for start in range(0, len(texts), AT_ONCE):
        folded = [lower(text).text for text in texts[start : start + AT_ONCE]]
        found = words_of(" \n".join(folded))
        places = np.cumsum([0] + [len(each) + 2 for each in folded[:-1]])
        begins.append(np.searchsorted(found.starts, places) + before)
        w, s = fingerprints(found)
        words.append(w)
        stems.append(s)
        before += len(w)
    return np.concatenate(words), np.concatenate(stems), np.append(np.concatenate(begins), before)


def frequent(values: np.ndarray, most: int, least: int) -> np.ndarray:
    unique, counts = np.unique(values, return_counts=True)
    best = np.argsort(-counts, kind="stable")[:most]
    return np.sort(unique[best[counts[best] >= least]])


class Sentences:
    """Texts as entries of the vocabulary: words first, then stems; 0 stands for nothing."""

    def __init__(self, texts: list[str]) -> None:
        self.words, self.stems, self.begins = hashed(texts)

    def index(self, words: np.ndarray, stems: np.ndarray) -> None:
        def entry(values, vocabulary, first):
            places = np.minimum(np.searchsorted(vocabulary, values), len(vocabulary) - 1)
            return np.where(vocabulary[places] == values, places + first, 0)

        self.entries = np.stack([entry(self.words, words, 1), entry(self.stems, stems, 1 + len(words))], 1)

    def bags(self, chosen: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        picked, starts = ranges(self.begins[chosen], self.begins[chosen + 1])
        return torch.from_numpy(self.entries[picked].reshape(-1)), torch.from_numpy(starts * 2)


def write(path: Path, words: np.ndarray, stems: np.ndarray, table: np.ndarray) -> None:
    scales = np.abs(table).max(1) / 127 + 1e-12
    rounded = np.rint(table / scales[:, None]).astype(np.int8)
    np.savez_compressed(path, words=words, stems=stems, table=rounded, scales=scales.astype(np.float16))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("--steps", type=int, default=700)
    given = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    rng = np.random.default_rng(SEED)
    begun = time.time()
    pairs = pairs_of(given.data, given.smoke)
    taught = json.loads((given.work / "teacher.json").read_text(encoding="utf-8"))
    target = np.load(given.work / "teacher.npy").astype(np.float32)
    mean = target.mean(0)
    _, _, axes = np.linalg.svd(target - mean, full_matrices=False)
    target = (target - mean) @ axes[:DIMENSIONS].T
    target /= np.linalg.norm(target, axis=1, keepdims=True) + 1e-6
    others = [text for text, name in intents(given.data) if part(name, 2)]
    sides = [
        Sentences([en for en, _ in pairs]),
        Sentences([other for _, other in pairs]),
        Sentences(taught),
        Sentences(others),
    ]
    word_counts = np.concatenate([each.words for each in sides])
    stem_counts = np.concatenate([each.stems for each in sides])
    words, stems = frequent(word_counts, MOST_WORDS, 3), frequent(stem_counts, MOST_STEMS, 3)
    for each in sides:
        each.index(words, stems)
    entries = 1 + len(words) + len(stems)
    counts = np.bincount(np.concatenate([each.entries.reshape(-1) for each in sides]), minlength=entries)
    share = counts / len(word_counts)
    weight = 1e-3 / (1e-3 + share)
    bag = torch.nn.EmbeddingBag(entries, DIMENSIONS, mode="sum", padding_idx=0)
    with torch.no_grad():
        bag.weight.copy_(torch.randn(entries, DIMENSIONS) * torch.from_numpy(weight).float()[:, None] * 0.1)
        bag.weight[0] = 0
    optimiser = torch.optim.Adam(bag.parameters(), lr=0.01)
    steps = 5 if given.smoke else given.steps
    english, foreign, known, _ = sides
    full = np.flatnonzero((np.diff(english.begins) > 0) & (np.diff(foreign.begins) > 0))
    teachable = np.flatnonzero(np.diff(known.begins) > 0)
    targets = torch.from_numpy(target)
    print(f"{len(pairs)} pairs, {len(words)} words, {len(stems)} stems, {time.time() - begun:.0f} s", flush=True)

    def unit(side: Sentences, chosen: np.ndarray) -> torch.Tensor:
        return torch.nn.functional.normalize(bag(*side.bags(chosen)), dim=1, eps=1e-3)

    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = 0.015 * max(0.05, 1 - step / steps)
        chosen = rng.choice(full, min(384, len(full)), replace=False)
        left, right = unit(english, chosen), unit(foreign, chosen)
        near = left @ right.T / TEMPERATURE
        own = torch.arange(len(chosen))
        contrast = torch.nn.functional.cross_entropy(near, own) + torch.nn.functional.cross_entropy(near.T, own)
        learned = rng.choice(teachable, min(384, len(teachable)), replace=False)
        student, teacher = unit(known, learned), targets[learned]
        copied = (1 - (student * teacher).sum(1)).mean()
        relation = ((student @ student.T) - (teacher @ teacher.T)).square().mean()
        loss = 0.25 * contrast + 2 * copied + 4 * relation
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if step % 200 == 0:
            print(
                f"step {step}: {float(contrast.detach()):.3f} {float(copied.detach()):.3f} {time.time() - begun:.0f} s",
                flush=True,
            )
    words, table = completed(words, stems, bag.weight.detach().numpy()[1:])
    write(given.work / "topic_vectors.npz", words, stems, table)
    print(f"{(given.work / 'vectors.npz').stat().st_size:,} bytes, {time.time() - begun:.0f} s")


if __name__ == "__main__":
    main()

"""Examples as the network sees them, made once and kept small; and batches of them."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from data import MOST_WORDS, Example, Words
from torch import Tensor

from rocamadre.knowledge.answers.extractor import features
from rocamadre.knowledge.answers.extractor.space import WordSpace

BATCH_WORDS = 4500


@dataclass(frozen=True, slots=True)
class Packed:
    """An example.

    Attributes:
        question: Rows of the table of vectors, numbers of common words, features in float16.
        passage: The same of the passage.
    """

    example: Example
    question: tuple[np.ndarray, np.ndarray, np.ndarray]
    passage: tuple[np.ndarray, np.ndarray, np.ndarray]
    facts: np.ndarray


class Packer:
    """Packs examples; `vectors` grows with the words it meets."""

    def __init__(self, space: WordSpace, common: Sequence[str], words: Words) -> None:
        self.space, self.words = space, words
        self.common = {word: k for k, word in enumerate(common) if k}
        self._rows: dict[str, int] = {}
        self._taken: dict[tuple[str, str], features.Text] = {}

    def pack(self, example: Example) -> Packed:
        asked = features.ask(example.question, example.language, self.space, self.common)
        key = example.passage, example.reads
        if key not in self._taken:
            if len(self._taken) > 3000:
                self._taken.clear()
            self._taken[key] = features.take(self.words.of(*key), self.space, self.common)
        pair = features.pair(asked, self._taken[key])
        sides = [
            (
                np.array([self._rows.setdefault(word.lower, len(self._rows)) for word in seen.words], np.int32),
                seen.common.astype(np.int16),
                seen.features.astype(np.float16),
            )
            for seen in (pair.question, pair.passage)
        ]
        return Packed(example, sides[0], sides[1], pair.facts)

    def packed(self, examples: Sequence[Example]) -> list[Packed]:
        fit = [each for each in examples if 5 <= len(self.words.of(each.passage, each.reads)) <= MOST_WORDS]
        fit.sort(key=lambda each: (each.reads, each.passage))
        return [self.pack(each) for each in fit]

    def table(self) -> np.ndarray:
        return self.space.meanings(list(self._rows)).vectors.astype(np.float16)


def common_words(examples: Sequence[Example], words: Words, most: int) -> list[str]:
    """The words with vectors of their own: of questions and of passages, of each language; the first is any other."""
    found: dict[str, None] = {"": None}
    for language in ("en", "es", "pt"):
        asked, read = Counter[str](), Counter[str]()
        for each in examples:
            if each.language == each.reads == language:
                asked.update(word.lower for word in words.of(each.question, language))
        for passage in dict.fromkeys(each.passage for each in examples if each.reads == language):
            read.update(word.lower for word in words.of(passage, language) if not word.shape & 2)
        found |= dict.fromkeys(word for word, _ in asked.most_common(most // 9))
        found |= dict.fromkeys(word for word, _ in read.most_common(most // 4))
    return list(found)[:most]


def cut(packed: Packed, chance: random.Random, least: int = 45, most: int = 80) -> Packed:
    """A part of the passage; with the answer, if there is one."""
    count, size = len(packed.passage[0]), chance.randint(least, most)
    spans = packed.example.spans
    if count <= size:
        return packed
    first, last = chance.choice(spans) if spans else (0, 0)
    if last - first >= size:
        return packed
    low, high = (max(0, last + 1 - size), min(first, count - size)) if spans else (0, count - size)
    start = chance.randint(min(low, high), max(low, high))
    inside = tuple((a - start, b - start) for a, b in spans if a >= start and b < start + size)
    if spans and not inside:
        return packed
    passage = tuple(each[start : start + size] for each in packed.passage)
    return Packed(replace(packed.example, spans=inside), packed.question, passage, packed.facts)


def batch_of(packed: Sequence[Packed], table: np.ndarray) -> dict[str, Tensor]:
    """Padded with zeros; the vector of each word once."""
    made: dict[str, Tensor] = {"facts": torch.from_numpy(np.stack([each.facts for each in packed]))}
    used = np.unique(np.concatenate([side[0] for each in packed for side in (each.question, each.passage)]))
    made["vectors"] = torch.from_numpy(table[used].astype(np.float32))
    for name, seen in (("q", [each.question for each in packed]), ("p", [each.passage for each in packed])):
        longest = max(len(each[0]) for each in seen)
        shape = len(seen), longest
        mask, rows, common = np.zeros(shape, bool), np.zeros(shape, np.int64), np.zeros(shape, np.int64)
        numbers = np.zeros((*shape, seen[0][2].shape[1]), np.float32)
        for k, (own_rows, own_common, own_numbers) in enumerate(seen):
            count = len(own_rows)
            mask[k, :count], rows[k, :count], common[k, :count] = True, np.searchsorted(used, own_rows), own_common
            numbers[k, :count] = own_numbers
        parts = {"mask": mask, "rows": rows, "common": common, "features": numbers}
        made |= {f"{name}_{part}": torch.from_numpy(values) for part, values in parts.items()}
    return made


def batches(packed: Sequence[Packed], chance: random.Random) -> Iterator[list[Packed]]:
    """Of passages of about the same length, in any order."""
    held = sorted(((len(each.passage[0]) // 10, chance.random(), k) for k, each in enumerate(packed)))
    made: list[list[Packed]] = [[]]
    longest = 0
    for _, _, k in held:
        count = len(packed[k].passage[0])
        longest = max(longest, count)
        if longest * (len(made[-1]) + 1) > BATCH_WORDS or len(made[-1]) == 64:
            made.append([])
            longest = count
        made[-1].append(packed[k])
    chance.shuffle(made)
    yield from made

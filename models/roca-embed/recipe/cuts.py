"""Pairs cut out of paragraphs: a sentence, or the title, must find the rest (Lee, Chang & Toutanova 2019)."""

from __future__ import annotations

import numpy as np
from corpus import Corpus, sentences
from vocabulary import Bags

SHARES = {"en": 0.4, "es": 0.3, "pt": 0.3}
KEEP = 0.1


class Cuts:
    """Sentences of paragraphs; `draw` cuts one out of each paragraph and leaves it in now and then.

    Args:
        corpus: Whose paragraphs are cut.
        tokenizer: Of the student.
    """

    def __init__(self, corpus: Corpus, tokenizer) -> None:
        texts: list[str] = []
        self.spans: dict[str, np.ndarray] = {}
        for language in SHARES:
            spans = []
            for place in corpus.paragraphs[language]:
                parts = sentences(corpus.texts[place])
                if len(parts) >= 2:
                    spans.append((len(texts), len(texts) + len(parts)))
                    texts += parts
            self.spans[language] = np.array(spans).reshape(-1, 2)
        self.bags = Bags(tokenizer, texts)

    def draw(self, rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Pieces, counts and offsets of `count` sentences, then of their paragraphs' rests; and whose they are."""
        ones, rests, owners = [], [], []
        languages = rng.choice(list(SHARES), count, p=list(SHARES.values()))
        for language in languages:
            spans = self.spans[language]
            first, last = spans[rng.integers(len(spans))]
            one = int(rng.integers(first, last))
            keep = rng.random() < KEEP
            ones.append([one])
            rests.append([place for place in range(first, last) if keep or place != one])
            owners.append(first)
        groups = ones + rests
        flat = np.array([place for group in groups for place in group])
        pieces, counts, offsets = self.bags.gather(flat)
        starts = np.cumsum([0, *(len(group) for group in groups[:-1])])
        return pieces, counts, offsets[starts], np.array(owners)

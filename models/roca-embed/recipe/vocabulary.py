"""The tokenizer: word pieces of three languages, lower case and without accents, like the teacher's."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import numpy as np
from corpus import Corpus
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer
from tokenizers.trainers import WordPieceTrainer

UNKNOWN = "[UNK]"
BYTES = {"en": 5_000_000, "es": 5_000_000, "pt": 5_000_000}
MOST_ROUNDS = 3


def texts_by_language(corpus: Corpus, rng: random.Random) -> list[str]:
    """As much of each language; they come round again where one has less."""
    sides: dict[str, set[int]] = {language: set(corpus.paragraphs[language]) for language in BYTES}
    for kind, pairs in corpus.translations.items():
        for place, language in enumerate(kind.split("-")):
            sides[language] |= {pair[place] for pair in pairs}
    for kind in ("en", "es", "pt"):
        sides[kind] |= {place for pair in corpus.asked[kind] for place in pair}
    found = []
    for language, most in BYTES.items():
        order = sorted(sides[language])
        rng.shuffle(order)
        size = 0
        for place in order * MOST_ROUNDS:
            if size >= most:
                break
            found.append(corpus.texts[place])
            size += len(corpus.texts[place])
    return found


def learn(corpus: Corpus, size: int, target: Path, *, seed: int) -> Tokenizer:
    if target.exists():
        return Tokenizer.from_file(str(target))
    tokenizer = Tokenizer(WordPiece(unk_token=UNKNOWN, max_input_chars_per_word=60))
    tokenizer.normalizer = BertNormalizer(
        clean_text=True, handle_chinese_chars=True, strip_accents=True, lowercase=True
    )
    tokenizer.pre_tokenizer = BertPreTokenizer()
    trainer = WordPieceTrainer(
        vocab_size=size, min_frequency=3, limit_alphabet=400, special_tokens=[UNKNOWN], show_progress=False
    )
    tokenizer.train_from_iterator(texts_by_language(corpus, random.Random(seed)), trainer)
    part = target.with_suffix(".part")
    tokenizer.save(str(part), pretty=False)
    part.replace(target)
    return tokenizer


def add_words(corpus: Corpus, tokenizer: Tokenizer) -> None:
    """Whole words that English has more often than the others: the teacher reads these first, each as a text."""
    seen = {language: Counter() for language in BYTES}
    sides: dict[str, set[int]] = {language: set(corpus.paragraphs[language]) for language in BYTES}
    for kind, pairs in corpus.translations.items():
        for place, language in enumerate(kind.split("-")):
            sides[language] |= {pair[place] for pair in pairs}
    for language, places in sides.items():
        for place in list(places)[:60_000]:
            seen[language].update(corpus.texts[place].lower().split())
    total = {language: 1 + sum(counts.values()) for language, counts in seen.items()}
    words = []
    for word in sorted(tokenizer.get_vocab()):
        share = {language: counts[word] / total[language] for language, counts in seen.items()}
        if len(word) > 2 and word.isascii() and word.isalpha() and share["en"] > 2 * (share["es"] + share["pt"]):
            words.append(corpus.place(word))
    first = set(words)
    corpus.english = words + [place for place in corpus.english if place not in first]


class Bags:
    """The pieces of many texts, each piece once with the root of how often it occurs.

    Args:
        tokenizer: Of the student.
        texts: In the order in which `gather` is asked for them.
    """

    def __init__(self, tokenizer: Tokenizer, texts: list[str]) -> None:
        size = tokenizer.get_vocab_size()
        ids, counts, lengths = [], [], np.zeros(len(texts), np.int64)
        for start in range(0, len(texts), 8192):
            batch = [encoding.ids for encoding in tokenizer.encode_batch_fast(texts[start : start + 8192])]
            flat = np.fromiter((piece for each in batch for piece in each), np.int64)
            keys = np.repeat(np.arange(len(batch)), [len(each) for each in batch]) * size + flat
            unique, often = np.unique(keys[flat != 0], return_counts=True)
            owners, pieces = np.divmod(unique, size)
            ids.append(pieces.astype(np.int32))
            counts.append(np.sqrt(often, dtype=np.float32))
            lengths[start : start + len(batch)] = np.bincount(owners, minlength=len(batch))
        self.ids, self.counts = np.concatenate(ids), np.concatenate(counts)
        self.lengths = lengths
        self.starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])

    def save(self, path: Path) -> None:
        with path.with_suffix(".part").open("wb") as file:
            np.savez(file, ids=self.ids, counts=self.counts, lengths=self.lengths)
        path.with_suffix(".part").replace(path)

    @classmethod
    def load(cls, path: Path) -> Bags:
        made = cls.__new__(cls)
        with np.load(path) as kept:
            made.ids, made.counts, made.lengths = kept["ids"], kept["counts"], kept["lengths"]
        made.starts = np.concatenate([[0], np.cumsum(made.lengths)[:-1]])
        return made

    def gather(self, places: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Pieces, their counts and where each text begins."""
        lengths = self.lengths[places]
        ends = np.cumsum(lengths)
        offsets = ends - lengths
        where = np.repeat(self.starts[places] - offsets, lengths) + np.arange(ends[-1] if len(ends) else 0)
        return self.ids[where].astype(np.int64), self.counts[where], offsets

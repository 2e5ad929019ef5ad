"""Vectors of words in three languages, close where they mean alike: `python reader_vectors.py DATA WORK [--smoke]`.

They are `models/roca-embed`'s, cut to size: a word's is the sum of those of its pieces, turned to the axes that tell
most and shortened to `DIMENSIONS`. Words are the frequent ones of plain texts in each language, and those of written
examples. A stem has the mean of its words, and a word what it adds to its stem, so that unknown forms are known by it.
"""

from __future__ import annotations

import argparse
import random
from collections import Counter
from itertools import islice
from pathlib import Path

import numpy as np
from corpus import AT_ONCE
from examples import everyday, from_patterns
from safetensors.numpy import load_file
from sources import BACKGROUND, LANGUAGES, PARALLEL, SEED, rows
from tokenizers import Tokenizer

from rocamadre.guardrails.classifiers.features import fingerprints, words_of
from rocamadre.guardrails.folding import lower, without_accents

EMBEDDER = Path(__file__).parents[2] / "roca-embed"
DIMENSIONS = 64
MOST_WORDS = 18_000
MOST_STEMS = 8_000
OFTEN = 40
"""How often a word of the written examples counts: few of them are in plain text."""
USUAL = 8.0
"""Squared length of an average word, so that a word's length says as much as it did to what reads it."""


def texts_of(data: Path, language: str, *, smoke: bool) -> list[str]:
    """Plain text and questions of a language."""
    found = []
    for name in BACKGROUND[language]:
        most = 20 if smoke else 700
        found += [row["text"][:3000] for row in islice(rows(data / f"text-{language}" / name), most)]
    for other in ("es", "pt") if language == "en" else (language,):
        for name in PARALLEL[other]:
            most = 100 if smoke else 20_000 if "tatoeba" in name else 1_500
            found += [row[language][:300] for row in islice(rows(data / f"parallel-en-{other}" / name), most)]
    return found


def counted(texts: list[str]) -> Counter[str]:
    """Words as the classifier sees them, without accents, of letters alone."""
    found: Counter[str] = Counter()
    for start in range(0, len(texts), AT_ONCE):
        folded = without_accents(lower(" \n".join(texts[start : start + AT_ONCE])).text)
        words = words_of(folded)
        found.update(folded[a:b] for a, b in zip(words.starts.tolist(), words.ends.tolist(), strict=True))
    return Counter({word: count for word, count in found.items() if word.isalpha() and len(word) < 25})


def chosen_words(data: Path, *, smoke: bool) -> Counter[str]:
    """Words and their frequencies, each language with an equal share."""
    rng = random.Random(SEED)
    written = from_patterns(3 if smoke else 12, rng) + everyday(data, 100 if smoke else 2500)
    total: Counter[str] = Counter()
    for language in LANGUAGES:
        own = counted(texts_of(data, language, smoke=smoke))
        share = 1e6 / sum(own.values())
        for word, count in own.items():
            if count >= 2:
                total[word] += count * share
    for word, count in counted([each.text for each in written if each.source.startswith("written")]).items():
        total[word] += OFTEN * np.log1p(count)
    for word, count in counted([each.text for each in written if not each.source.startswith("written")]).items():
        total[word] += 2 * count
    return Counter(dict(total.most_common(60_000)))


def embedded(words: list[str]) -> np.ndarray:
    """The embedder's vector of each word."""
    kept = load_file(EMBEDDER / "static.safetensors")
    tokenizer = Tokenizer.from_file(str(EMBEDDER / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    pieces = kept["rows"].astype(np.float32) * kept["scales"][:, None]
    summed = np.zeros((len(words), pieces.shape[1]), np.float32)
    for place, each in enumerate(tokenizer.encode_batch(words, add_special_tokens=False)):
        if each.ids:
            summed[place] = pieces[each.ids].sum(0)
    return summed @ kept["map"].astype(np.float32)


def shortened(vectors: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """On the axes along which weighted vectors differ most."""
    second = (vectors * weight[:, None]).T @ vectors
    _, axes = np.linalg.eigh(second)
    found = vectors @ axes[:, ::-1][:, :DIMENSIONS]
    scale = np.sqrt(USUAL / np.average((found**2).sum(1), weights=weight))
    return (found * scale).astype(np.float32)


def hashed(words: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Fingerprints of single words, and of their stems."""
    found = words_of(" ".join(words))
    if len(found) != len(words):
        raise ValueError("a word was split")
    own, stems = fingerprints(found)
    return own, stems


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--smoke", action="store_true")
    given = parser.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    counts = chosen_words(given.data, smoke=given.smoke)
    words = list(counts)
    frequency = np.array([counts[each] for each in words])
    weight = np.log1p(frequency)
    vectors = shortened(embedded(words), weight)
    own, stems = hashed(words)
    # A stem serves many words, or one that has no row of its own.
    unique, owner = np.unique(stems, return_inverse=True)
    mass = np.bincount(owner, weights=weight * (np.arange(len(words)) >= MOST_WORDS // 2))
    best = np.zeros(len(unique), bool)
    best[np.argsort(-mass, kind="stable")[:MOST_STEMS]] = True
    mean = np.stack([np.bincount(owner, weights=weight * column) for column in vectors.T], axis=1)
    mean /= np.bincount(owner, weights=weight)[:, None]
    mean[~best] = 0
    rest = vectors - mean[owner]
    told = (rest**2).sum(1)
    # A word of its own where its stem says something else: frequent ones first, short ones above all.
    gain = told * weight
    kept = np.argsort(-gain, kind="stable")[:MOST_WORDS]
    kept = kept[np.argsort(own[kept], kind="stable")]
    _, once = np.unique(own[kept], return_index=True)
    kept = kept[once]
    table = np.concatenate([rest[kept], mean[best]]).astype(np.float32)
    scales = np.abs(table).max(1) / 127 + 1e-12
    target = given.work / "vectors.npz"
    np.savez_compressed(
        target,
        words=own[kept],
        stems=unique[best],
        table=np.rint(table / scales[:, None]).astype(np.int8),
        scales=scales.astype(np.float16),
    )
    lost = float(
        (told * weight)[np.setdiff1d(np.arange(len(words)), kept)].sum() / ((vectors**2).sum(1) * weight).sum()
    )
    print(f"{len(kept)} words of {len(words)}, {best.sum()} stems, {lost:.1%} lost, {target.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()

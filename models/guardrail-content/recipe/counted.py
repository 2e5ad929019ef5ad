"""Examples as arrays: the buckets of each word and the windows of each text, made in large steps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from examples import Example

from rocamadre.guardrails.classifiers.features import Words, words_of
from rocamadre.guardrails.classifiers.windows import windows
from rocamadre.guardrails.folding import fold

AT_ONCE = 300
MOST_CHARACTERS = 4000
BREAK = " \n\n "


@dataclass
class Corpus:
    """`bags`: first window of each text; `first`, `end`: words of windows; `offsets`: words in `buckets`."""

    bags: np.ndarray
    first: np.ndarray
    end: np.ndarray
    offsets: np.ndarray
    buckets: np.ndarray
    hashes: np.ndarray
    stems: np.ndarray


def corpus(examples: list[Example]) -> Corpus:
    bags, first, end, offsets, buckets, hashes, stems = [0], [], [], [], [], [], []
    words_before = buckets_before = 0
    for start in range(0, len(examples), AT_ONCE):
        texts = [fold(each.text[:MOST_CHARACTERS]).text for each in examples[start : start + AT_ONCE]]
        words = words_of(BREAK.join(texts))
        place = 0
        for text in texts:
            low, high = np.searchsorted(words.starts, [place, place + len(text)])
            place += len(text) + len(BREAK)
            if low < high:
                begins, stops = windows(words.sentence[low:high])
                first.append(begins + low + words_before)
                end.append(stops + low + words_before)
                bags.append(bags[-1] + len(begins))
            else:
                bags.append(bags[-1])
        together, begins = joined(words)
        offsets.append(begins + buckets_before)
        buckets.append(together)
        hashes.append(words.hashes)
        stems.append(words.stems)
        words_before += len(words)
        buckets_before += len(together)
    offsets.append(np.array([buckets_before]))
    join = np.concatenate
    return Corpus(np.array(bags), join(first), join(end), join(offsets), join(buckets), join(hashes), join(stems))


def joined(words: Words) -> tuple[np.ndarray, np.ndarray]:
    """All buckets, those of a word together, and where those of each word begin."""
    count = words.characters.shape[1]
    ends = np.append(words.places[1:], len(words.characters)) * count
    sizes = words.grams.shape[1] + ends - words.places * count
    begins = np.cumsum(sizes) - sizes
    together = np.empty(int(sizes.sum()), np.int32)
    own = (begins[:, None] + np.arange(words.grams.shape[1])).reshape(-1)
    together[own] = words.grams.reshape(-1)
    rest = np.ones(len(together), bool)
    rest[own] = False
    together[rest] = words.characters.reshape(-1)
    return together, begins


def ranges(first: np.ndarray, end: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """All numbers from each `first` up to `end`, and where each range begins among them."""
    lengths = end - first
    starts = np.cumsum(lengths) - lengths
    return np.arange(int(lengths.sum())) + np.repeat(first - starts, lengths), starts

"""A folded text as numbers: its words, and for each word the buckets of the n-grams that begin in it.

Everything is arithmetic on arrays of character codes, so that time is linear and no word is a Python object. Hashes are
polynomials modulo 2**64, mixed by a multiplication (Knuth, TAOCP 3, 6.4); which bucket an n-gram has never changes,
since weights are stored by bucket.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rocamadre.guardrails.folding import without_accents

BUCKET_BITS = 19
BUCKETS = 1 << BUCKET_BITS
STEM = 5
"""Letters of a word that count as its stem: endings vary much in Spanish and Portuguese."""

_LONGEST_WORD = 32
_CHARACTER_GRAMS = (4, 5)
_MIX = np.uint64(0x9E3779B97F4A7C15)
_STEP = 0x100000001B3
_POWERS = np.array([pow(_STEP, place, 1 << 64) for place in range(_LONGEST_WORD)], np.uint64)
_SALTS = np.array([pow(0xD6E8FEB86659FD93, place, 1 << 64) for place in range(1, 17)], np.uint64)

Codes = npt.NDArray[np.uint64]
Numbers = npt.NDArray[np.int64]


def _kinds() -> npt.NDArray[np.uint8]:
    """Of each code below 65,536: 0 a mark, 1 a letter or digit, 2 white space."""
    kinds = np.zeros(1 << 16, np.uint8)
    for code in range(1 << 16):
        character = chr(code)
        kinds[code] = 2 if character.isspace() else 1 if character.isalnum() else 0
    return kinds


_KINDS = _kinds()
_ENDINGS = np.zeros(1 << 16, np.bool_)
_ENDINGS[[10, 33, 46, 59, 63, 0x2026, 0x3002, 0xFF01, 0xFF1F]] = True


@dataclass(frozen=True, slots=True)
class Words:
    """The words of a text.

    Attributes:
        starts: Where each begins, in characters of the folded text.
        ends: The character after its last.
        hashes: A number for each word, equal for equal words.
        stems: The same of its first `STEM` letters.
        sentence: Whether a sentence ends after it.
        grams: Buckets of each word, of its stem, and of it with the word behind: (words, 3).
        characters: Buckets of the n-grams of characters that begin at each character: (characters, 2).
        places: Where the characters of each word begin in `characters`; marks and blanks belong to the word before.
    """

    starts: Numbers
    ends: Numbers
    hashes: Codes
    stems: Codes
    sentence: npt.NDArray[np.bool_]
    grams: npt.NDArray[np.int32]
    characters: npt.NDArray[np.int32]
    places: Numbers

    def __len__(self) -> int:
        return len(self.starts)


def words_of(folded: str) -> Words:
    """Words and buckets of a text that `fold` has made.

    >>> words = words_of("be kind. be brave")
    >>> len(words), bool(words.hashes[0] == words.hashes[2]), words.sentence.tolist()
    (4, True, [False, True, False, True])
    """
    codes = np.frombuffer(without_accents(folded).encode("utf-32-le", "replace"), np.uint32)
    kinds = _KINDS[np.minimum(codes, 0xFFFF)]
    inside = kinds == 1
    edges = np.flatnonzero(np.diff(inside, prepend=False, append=False))
    starts, ends = edges[::2], edges[1::2]
    if not len(starts):
        empty = np.zeros(0, np.int64)
        nothing = np.zeros(0, np.uint64)
        none = np.zeros((0, 1), np.int32)
        return Words(empty, empty, nothing, nothing, np.zeros(0, np.bool_), none, none, empty)
    plain = codes.astype(np.uint64)
    plain[(plain >= 48) & (plain <= 57)] = 48
    lengths = ends - starts
    owner = np.repeat(np.arange(len(starts)), lengths)
    letters = np.flatnonzero(inside)
    place = letters - starts[owner]
    weighed = plain[letters] * _POWERS[np.minimum(place, _LONGEST_WORD - 1)]
    first = np.cumsum(lengths) - lengths
    hashes = np.add.reduceat(weighed, first)
    stems = np.add.reduceat(np.where(place < STEM, weighed, np.uint64(0)), first)
    characters, places = _character_grams(plain, kinds, starts)
    sentence = _sentence_ends(codes, starts, ends)
    return Words(starts, ends, hashes, stems, sentence, _word_grams(hashes, stems), characters, places)


def fingerprints(words: Words) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint32]]:
    """A number of 32 bits for each word, and one for its stem; they differ where word and stem are alike."""
    return fingerprints_of(words.hashes, words.stems)


def fingerprints_of(hashes: Codes, stems: Codes) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint32]]:
    """The same for hashes."""
    of_words = (hashes ^ (hashes >> np.uint64(29))) * _MIX
    of_stems = (stems ^ (stems >> np.uint64(29))) * _SALTS[8]
    return (of_words >> np.uint64(32)).astype(np.uint32), (of_stems >> np.uint64(32)).astype(np.uint32)


def _sentence_ends(codes: npt.NDArray[np.uint32], starts: Numbers, ends: Numbers) -> npt.NDArray[np.bool_]:
    """Whether a mark that ends sentences stands between a word and the next."""
    marks = np.cumsum(_ENDINGS[np.minimum(codes, 0xFFFF)])
    before = marks[ends - 1]
    after = np.append(marks[starts[1:]], marks[-1] + 1)
    # A mark between two words without a space is part of an address or a number.
    spaced = np.append(starts[1:] - ends[:-1] > 1, True)
    ended: npt.NDArray[np.bool_] = (after > before) & spaced
    return ended


def _bucket(values: Codes, kind: int) -> npt.NDArray[np.int32]:
    mixed = (values ^ _SALTS[kind]) * _MIX
    mixed ^= mixed >> np.uint64(29)
    buckets: npt.NDArray[np.int32] = ((mixed * _SALTS[0]) >> np.uint64(64 - BUCKET_BITS)).astype(np.int32)
    return buckets


def _word_grams(hashes: Codes, stems: Codes) -> npt.NDArray[np.int32]:
    behind = np.append(hashes[1:], np.uint64(0))
    values = (hashes, stems, hashes * _SALTS[3] + behind)
    return np.stack([_bucket(each, kind) for kind, each in enumerate(values, 1)], axis=1)


def _character_grams(
    plain: Codes, kinds: npt.NDArray[np.uint8], starts: Numbers
) -> tuple[npt.NDArray[np.int32], Numbers]:
    # White space of any length and kind is one blank.
    white = kinds == 2
    kept = ~white
    kept[1:] |= ~white[:-1]
    line = np.where(white, np.uint64(32), plain)[kept]
    count = len(line)
    line = np.concatenate([line, np.full(max(_CHARACTER_GRAMS), 32, np.uint64)])
    made = []
    value = np.zeros(count, np.uint64)
    for length in range(1, max(_CHARACTER_GRAMS) + 1):
        value = value + line[length - 1 : length - 1 + count] * _POWERS[length - 1]
        if length in _CHARACTER_GRAMS:
            made.append(_bucket(value, 6 + length))
    places = (np.cumsum(kept) - 1)[starts]
    places[0] = 0
    return np.stack(made, axis=1), places

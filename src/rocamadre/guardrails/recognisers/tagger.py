"""Names and addresses, which have no form of their own: an averaged perceptron over words, greedy from left to right.

Only words that begin with a capital or a digit, and those between such words, are weighed; the rest is nothing by
definition. Each weight belongs to one feature and one label, so that what a word contributes at its place and to its
neighbours is summed once and remembered.

Source: Collins, EMNLP 2002 (averaged perceptron). The recipe and the card are in models/pii-tagger.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from rocamadre.guardrails.folding import without_accents

LABELS = ("", "NAME", "ADDRESS", "PLACE", "ORGANISATION")
NOTHING, NAME, ADDRESS, PLACE, ORGANISATION = range(5)
Scores = tuple[int, int, int, int, int]
_NONE: Scores = (0, 0, 0, 0, 0)
_TOKEN = re.compile(r"[^\W\d_]+(?:['’´-][^\W\d_]+)*|\d[\w/]*(?:[.,/-]\d\w*)*|[^\w\s]|\n")
_MARKS = ". , - / º ª # ( ) : & ' ’ \n".split(" ")
_PARTICLES = "de del da do das dos la las los el y e of the van von di der den bin al n nº no d".split()
_LINKS = frozenset([*_MARKS, *_PARTICLES])
_STREETS = (
    "calle c avenida avda av paseo plaza carretera camino carrer carrera cra rua r travessa praça alameda".split()
)
_STARTS = frozenset([*_STREETS, "estrada", "largo"])
SCALE = 4.0
_ZERO = 63
MOST_REMEMBERED = 50_000


class Token(NamedTuple):
    """A word, number or mark, and its first character."""

    text: str
    start: int

    @property
    def end(self) -> int:
        """The place behind its last character."""
        return self.start + len(self.text)


@cache
def lists() -> dict[str, str]:
    """Words in names and addresses, without accents, with a letter for each list that holds them."""
    data = tomllib.loads(files("rocamadre.guardrails").joinpath("wordlists/people.toml").read_text("utf-8"))
    kinds: dict[str, str] = {}
    for letter, name in (
        ("f", "first"),
        ("l", "last"),
        ("t", "titles"),
        ("s", "streets"),
        ("p", "places"),
        ("x", "things"),
    ):
        for word in set(data[name].split()):
            kinds[word] = kinds.get(word, "") + letter
    return kinds


def tokens(text: str) -> list[Token]:
    """Words, numbers, marks and line ends of a text."""
    return [Token(match.group(), match.start()) for match in _TOKEN.finditer(text)]


def shape(word: str) -> str:
    """How a word looks: capitals, small letters, digits, marks."""
    if word.isdigit():
        return "d" * min(len(word), 6)
    if word[0].isdigit():
        return "d+x" if word[-1].isalpha() else "d.d"
    if word.isalpha():
        if word.isupper():
            return "X" if len(word) == 1 else "XX" if len(word) < 4 else "XXXX"
        return "Xx" if word[0].isupper() and word[1:].islower() else "x" if word.islower() else "xX"
    return word if len(word) == 1 else "X-x" if word[0].isupper() else "x-x"


def own_features(word: str, kinds: str | None = None) -> list[str]:
    """What is seen of a word itself.

    Args:
        word: As written.
        kinds: Its lists; looked up if None.
    """
    low = word.lower()
    bare = without_accents(low)
    known = lists().get(bare, "") if kinds is None else kinds
    return [
        f"w={low}",
        f"s={shape(word)}",
        f"3={bare[-3:]}",
        f"2={bare[-2:]}",
        f"h={bare[:3]}",
        *(f"k={each}" for each in known or "-"),
    ]


def near_features(word: str, kinds: str | None = None) -> list[str]:
    """What a neighbour sees of a word."""
    low = word.lower()
    known = lists().get(without_accents(low), "") if kinds is None else kinds
    return [f"w={low}", f"s={shape(word)}", *(f"k={each}" for each in known or "-")]


def is_weighed(word: str, before: int, next_word: str) -> bool:
    """Whether a word may be part of a name or address at all."""
    first = word[0]
    if first.isupper() or first.isdigit():
        return True
    low = word.lower()
    if before != NOTHING:
        return low in _LINKS or low in _STARTS or lists().get(without_accents(low), "-") in {"s", "t"}
    return low in _STARTS and (next_word[:1].isupper() or next_word[:1] in "/.0123456789" or next_word.islower())


def joint_features(before: int, earlier: int, word: str, previous: str, following: str) -> list[str]:
    """What depends on the labels before, and on two words at once."""
    looks = shape(word)
    known = lists().get(without_accents(word.lower()), "-")
    return [
        f"b={before}",
        f"e={earlier},{before}",
        f"bs={before},{looks}",
        f"bk={before},{known}",
        f"bp={before},{previous.lower()[:8]}",
        f"sss={shape(previous) if previous else '^'},{looks},{shape(following) if following else '$'}",
    ]


class Tagger:
    """Weights by feature: five integers each, one for each label."""

    def __init__(self, weights: dict[str, Scores]) -> None:
        self._weights = weights
        self._memory: dict[tuple[str, int], Scores] = {}
        self._joint: dict[tuple[int, int, str, str, str], Scores] = {}

    def labels(self, words: Sequence[str]) -> list[int]:
        """The label of each word."""
        labels: list[int] = []
        before = earlier = NOTHING
        count = len(words)
        for place, word in enumerate(words):
            following = words[place + 1] if place + 1 < count else ""
            if is_weighed(word, before, following):
                label = self._best(words, place, before, earlier)
            else:
                label = NOTHING
            labels.append(label)
            earlier, before = before, label
        return labels

    def _best(self, words: Sequence[str], place: int, before: int, earlier: int) -> int:
        a0, a1, a2, a3, a4 = self._seen(words[place], 0)
        for distance in (-2, -1, 1, 2):
            at = place + distance
            b0, b1, b2, b3, b4 = self._seen(words[at] if 0 <= at < len(words) else "", distance)
            a0, a1, a2, a3, a4 = a0 + b0, a1 + b1, a2 + b2, a3 + b3, a4 + b4
        b0, b1, b2, b3, b4 = self._joined(words, place, before, earlier)
        scores = (a0 + b0, a1 + b1, a2 + b2, a3 + b3, a4 + b4)
        return scores.index(max(scores))

    def _seen(self, word: str, distance: int) -> Scores:
        key = (word, distance)
        found = self._memory.get(key)
        if found is None:
            found = self._sum(f"{distance}{each}" for each in seen_features(word, distance))
            if len(self._memory) > MOST_REMEMBERED:
                self._memory.clear()
            self._memory[key] = found
        return found

    def _joined(self, words: Sequence[str], place: int, before: int, earlier: int) -> Scores:
        previous = words[place - 1] if place else ""
        following = words[place + 1] if place + 1 < len(words) else ""
        return self._sum(joint_features(before, earlier, words[place], previous, following))

    def _sum(self, features: Iterator[str] | Sequence[str]) -> Scores:
        found = [self._weights[each] for each in features if each in self._weights]
        return tuple(map(sum, zip(*found, strict=True))) if found else _NONE  # type: ignore[return-value]


def seen_features(word: str, distance: int) -> list[str]:
    """The features of a word for one that stands `distance` words behind it."""
    if not word:
        return ["#"]
    return own_features(word) if distance == 0 else near_features(word)


@cache
def _tagger() -> Tagger:
    data = json.loads(files("rocamadre.guardrails").joinpath("recognisers/weights.json").read_text("utf-8"))
    return Tagger({feature: unpacked(weights) for feature, weights in data["weights"].items()})


def packed(weights: Sequence[float]) -> str:
    """Five weights as five characters: whole numbers from -28 to 28."""
    return "".join(chr(_ZERO + max(-28, min(28, round(each)))) for each in weights)


def unpacked(weights: str) -> Scores:
    """What `packed` wrote."""
    a, b, c, d, e = (ord(each) - _ZERO for each in weights)
    return a, b, c, d, e


def tag(text: str) -> list[tuple[str, int, int]]:
    """Names and addresses in a text: type, first character, the place behind the last."""
    found = tokens(text)
    return spans(found, _tagger().labels([each.text for each in found])) if found else []


def spans(found: Sequence[Token], labels: Sequence[int]) -> list[tuple[str, int, int]]:
    """Runs of words of one label, as names and addresses; places and line ends count as address beside a street."""
    made: list[tuple[str, int, int]] = []
    place = 0
    while place < len(labels):
        label = labels[place]
        if label not in {NAME, ADDRESS, PLACE}:
            place += 1
            continue
        end = place
        group = {label} if label == NAME else {ADDRESS, PLACE}
        while end < len(labels) and (labels[end] in group or _bridges(found, labels, end, group)):
            end += 1
        if label == NAME or ADDRESS in labels[place:end]:
            first, last = _trimmed(found, place, end)
            if last > first:
                made.append((LABELS[NAME if label == NAME else ADDRESS], found[first].start, found[last - 1].end))
        place = end
    return made


def _bridges(found: Sequence[Token], labels: Sequence[int], place: int, group: set[int]) -> bool:
    """A comma or line end between parts of one address."""
    return (
        group == {ADDRESS, PLACE}
        and found[place].text in ",-\n"
        and place + 1 < len(labels)
        and labels[place + 1] in group
    )


def _trimmed(found: Sequence[Token], first: int, last: int) -> tuple[int, int]:
    while first < last and found[first].text in ",.-:;\n()/&":
        first += 1
    while (
        last > first
        and found[last - 1].text in ",-:;\n(/&."
        and not (found[last - 1].text == "." and len(found[last - 2].text) == 1)
    ):
        last -= 1
    return first, last

"""Learn which terms of two languages stand for each other, from sentences and their translations.

    python models/lexicon/recipe/learn.py DATA

DATA is the folder of data sets. Writes `<pair>.gz` for en-es, en-pt and es-pt into the package and `figures.json`
beside this folder. A few minutes on one core, NumPy alone.

IBM model 1 (Brown et al. 1993) by expectation maximisation, in both directions, over terms as the platform's analyser
makes them: stems without stop words. A pair is kept where both directions believe in it. Spanish and Portuguese have
no sentences in common here; those that translate the same English sentence are taken for each other's translation.
Nothing that the results are measured on (NTREX, XQuAD) is read.
"""

from __future__ import annotations

import argparse
import gzip
import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from rocamadre.knowledge.languages import analyse
from rocamadre.knowledge.languages.lexicon import FOLDER, pack

SOURCES = {
    "en-es": ("django", "gnome-help", "opendocs", "pydocs", "tatoeba", "tatoeba-test"),
    "en-pt": ("django", "gnome-help", "opendocs", "pydocs", "tatoeba-test"),
}
ROUNDS = 8
LONGEST = 60
LEAST_TOGETHER = 2
LEAST_BELIEF = 0.08
MOST_PER_TERM = 4
MOST_BYTES = 98_000


def rows(path: Path) -> Iterator[dict[str, str]]:
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as file:
        yield from map(json.loads, file)


def sentences(data: Path, pair: str) -> list[tuple[str, str]]:
    first, second = pair.split("-")
    found = []
    for name in SOURCES[pair]:
        path = data / f"parallel-{pair}" / f"{name}.jsonl"
        path = path if path.exists() else path.with_name(f"{name}.jsonl.gz")
        found += [(row[first], row[second]) for row in rows(path)]
    return found


def through_english(spanish: list[tuple[str, str]], portuguese: list[tuple[str, str]]) -> list[tuple[str, str]]:
    by_english = defaultdict(list)
    for english, text in spanish:
        by_english[english].append(text)
    return [(es, pt) for english, pt in portuguese for es in by_english.get(english, ())[:3]]


def terms_of(pairs: list[tuple[str, str]], languages: list[str]) -> list[tuple[list[str], list[str]]]:
    found = {}
    for left, right in pairs:
        key = tuple(analyse(left, languages[0])), tuple(analyse(right, languages[1]))
        if key[0] and key[1] and max(map(len, key)) <= LONGEST and 0.4 <= len(key[0]) / len(key[1]) <= 2.5:
            found[key] = (list(key[0]), list(key[1]))
    return list(found.values())


class Model:
    """Translation probabilities in one direction: `p[k]` is of target `to[k]` given source `of[k]`."""

    def __init__(self, left: list[np.ndarray], right: list[np.ndarray], size: tuple[int, int]) -> None:
        sources, targets, groups, group = [], [], [], 0
        for source, target in zip(left, right, strict=True):
            width = len(source) + 1
            padded = np.append(source, size[0])  # the empty word
            sources.append(np.tile(padded, len(target)))
            targets.append(np.repeat(target, width))
            groups.append(np.repeat(np.arange(group, group + len(target)), width))
            group += len(target)
        keys = np.concatenate(sources).astype(np.int64) * size[1] + np.concatenate(targets)
        unique, self.link = np.unique(keys, return_inverse=True)
        self.of, self.to = unique // size[1], unique % size[1]
        self.group = np.concatenate(groups)
        self.groups = group
        self.size = size
        self.p = np.ones(len(unique))
        self.together = np.bincount(self.link, minlength=len(unique))

    def learn(self) -> None:
        for _ in range(ROUNDS):
            belief = self.p[self.link]
            belief /= np.bincount(self.group, belief, self.groups)[self.group]
            counts = np.bincount(self.link, belief, len(self.p))
            self.p = counts / np.bincount(self.of, counts, self.size[0] + 1)[self.of]
        self.counts = counts


def numbered(side: list[list[str]]) -> tuple[list[np.ndarray], list[str]]:
    names = [term for term, count in Counter(term for terms in side for term in terms).items() if count > 1]
    number = {term: place for place, term in enumerate(names)}
    rows_ = [np.array(sorted({number[term] for term in terms if term in number}), np.int64) for terms in side]
    return rows_, names


def believed(pairs: list[tuple[list[str], list[str]]]) -> list[tuple[str, str, float, float, float]]:
    """Source, target, both probabilities, and how often, best first."""
    left, left_names = numbered([pair[0] for pair in pairs])
    right, right_names = numbered([pair[1] for pair in pairs])
    kept = [place for place in range(len(pairs)) if len(left[place]) and len(right[place])]
    left, right = [left[place] for place in kept], [right[place] for place in kept]
    there = Model(left, right, (len(left_names), len(right_names)))
    there.learn()
    back = Model(right, left, (len(right_names), len(left_names)))
    back.learn()
    backwards = {
        (int(to), int(of)): (p, count)
        for of, to, p, count in zip(back.of, back.to, back.p, back.counts, strict=True)
        if of < len(right_names) and p >= 0.02
    }
    found = []
    for of, to, p, together, count in zip(there.of, there.to, there.p, there.together, there.counts, strict=True):
        if of >= len(left_names) or p < 0.02 or together < LEAST_TOGETHER:
            continue
        again, count_back = backwards.get((int(of), int(to)), (0.0, 0.0))
        if (p * again) ** 0.5 >= LEAST_BELIEF and min(count, count_back) >= 1.0:
            found.append((left_names[of], right_names[to], float(p), float(again), float(count)))
    return trimmed(sorted(found, key=lambda item: -((item[2] * item[3]) ** 0.5)))


def trimmed(found: list[tuple[str, str, float, float, float]]) -> list[tuple[str, str, float, float, float]]:
    """At most a few for each term of either side; numbers and the like say the same in both languages and go."""
    kept, left, right = [], Counter(), Counter()
    for item in found:
        source, target = item[:2]
        if any(character.isdigit() for character in source + target):
            continue
        if left[source] < MOST_PER_TERM and right[target] < MOST_PER_TERM:
            kept.append(item)
            left[source] += 1
            right[target] += 1
    return kept


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    arguments = parser.parse_args()
    texts = {pair: sentences(arguments.data, pair) for pair in SOURCES}
    texts["es-pt"] = through_english(texts["en-es"], texts["en-pt"])
    figures = {}
    for pair, lines in texts.items():
        pairs = terms_of(lines, pair.split("-"))
        found = believed(pairs)
        # The most frequent first: what does not fit is what is seldom asked for.
        found.sort(key=lambda item: -item[4])
        low, high = 0, len(found)
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (
                (middle, high) if len(pack(item[:4] for item in found[:middle])) <= MOST_BYTES else (low, middle - 1)
            )
        (FOLDER / f"{pair}.gz").write_bytes(pack(item[:4] for item in found[:low]))
        figures[pair] = {
            "sentences": len(pairs),
            "pairs_believed": len(found),
            "pairs_shipped": low,
            "bytes": (FOLDER / f"{pair}.gz").stat().st_size,
        }
        print(pair, figures[pair], flush=True)
    (Path(__file__).parents[1] / "figures.json").write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()

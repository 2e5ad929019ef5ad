"""Make the extractive reader's weights again: `src/rocamadre/knowledge/answers/weights.json`.

`python -m benchmarks.answers_reader --data DIR [--questions 1500] [--languages en,es,pt] --out FILE`

Three steps per language, all on train articles (`int(sha256(title), 16) % 5 != 0`) and without a network: spans of the
best sentences of retrieved paragraphs are described; a log-linear model learns to give most probability to spans like
the accepted answers; then a logistic one learns, from answerable questions, SQuAD 2's unanswerable ones and questions
whose article is taken out of the search, when the passages hold the answer. English is done twice: with and without
vectors of the sentences (`--vectors`, a pickled dict of texts to rows and an array, in float16).
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import math
import pickle
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.answers import FILES, token_f1
from rocamadre.knowledge.answers.extractive import READ, Weights, compare, look, nearness
from rocamadre.knowledge.answers.lexicon import KINDS
from rocamadre.knowledge.answers.questions import read_question
from rocamadre.knowledge.answers.spans import NEIGHBOUR_ROOM, SPAN_FEATURES, candidates_of, set_scene
from rocamadre.knowledge.answers.types import Passage
from rocamadre.knowledge.answers.words import words_of

Row = dict[str, Any]
GOOD = 0.55
"""F1 from which a span counts as an answer to learn from."""
_NEGATIVES = 60
_RATE = 0.08
_PENALTY = {"spans": 5e-4, "spans_kind": 3e-3, "beside": 2e-3, "beside_kind": 5e-3}


def train_rows(data: Path, language: str) -> list[Row]:
    """Questions about train articles, each once."""
    found: dict[str, Row] = {}
    for name in FILES[language]:
        opened = gzip.open(data / name, "rt") if name.endswith("gz") else (data / name).open()
        with opened as lines:
            for row in map(json.loads, lines):
                if int(hashlib.sha256(row["title"].encode()).hexdigest(), 16) % 5:
                    found.setdefault(row["id"], row)
    return list(found.values())


class Paragraphs:
    """BM25 over paragraphs."""

    def __init__(self, texts: Sequence[str], language: str) -> None:
        self.texts = texts
        self.language = language
        self._counts = [Counter(self._stems(text)) for text in texts]
        self._lengths = [sum(each.values()) for each in self._counts]
        self._mean = sum(self._lengths) / len(texts)
        self._holding: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for place, counts in enumerate(self._counts):
            for stem, times in counts.items():
                self._holding[stem].append((place, times))

    def _stems(self, text: str) -> list[str]:
        return [word.stem for word in words_of(text, self.language) if word.stem]

    def best(self, question: str, most: int, allowed: Callable[[int], bool]) -> list[tuple[int, float]]:
        """Places and scores, best first."""
        scores: dict[int, float] = defaultdict(float)
        for stem in set(self._stems(question)):
            found = self._holding.get(stem, [])
            idf = math.log(1 + (len(self.texts) - len(found) + 0.5) / (len(found) + 0.5))
            for place, times in found:
                length = 0.25 + 0.75 * self._lengths[place] / self._mean
                scores[place] += idf * times * 2.2 / (times + 1.2 * length)
        return sorted(((k, v) for k, v in scores.items() if allowed(k)), key=lambda each: -each[1])[:most]


def ready_vectors(path: Path) -> Callable[[Sequence[str]], np.ndarray]:
    """Vectors that were computed before; zeros for a text without."""
    places, vectors = pickle.loads(path.read_bytes())
    nothing = np.zeros(vectors.shape[1], np.float32)

    def embed(texts: Sequence[str]) -> np.ndarray:
        return np.array([vectors[places[text]] if text in places else nothing for text in texts], np.float32)

    return embed


def passages_of(search: Paragraphs, found: Sequence[tuple[int, float]]) -> list[Passage]:
    """Paragraphs as a reader is shown them."""
    top = found[0][1] if found else 1.0
    return [Passage(search.texts[place], search.language, score / top) for place, score in found]


def described(rows: Sequence[Row], search: Paragraphs, embed: Any, chance: random.Random) -> dict[str, Any]:
    """Spans with their features and how right each is; `bounds[q]` to `bounds[q + 1]` belong to question q."""
    parts: dict[str, list[Any]] = {"x": [], "before": [], "after": [], "y": [], "kind": []}
    bounds = [0]
    for row in rows:
        question = read_question(row["question"], search.language)
        found = search.best(row["question"], 4, lambda _: True)
        if row["context"] not in [search.texts[place] for place, _ in found]:
            found = [*found[:3], (search.texts.index(row["context"]), 0.01)]
        passages = passages_of(search, found)
        scene = set_scene(question, passages)
        compare(question, passages, scene, embed)
        golds = [gold["text"] for gold in row["answers"]]
        columns: dict[str, list[Any]] = {"x": [], "before": [], "after": [], "y": []}
        for view in sorted(scene.sentences, key=lambda each: -nearness(each))[:READ]:
            candidates = candidates_of(question, scene, view)
            if candidates is None:
                continue
            text = passages[view.passage].text
            right = 1.0 if text == row["context"] else 0.5
            y = np.array(
                [
                    right
                    * token_f1(
                        text[view.start + view.words[a].start : view.start + view.words[b].end], golds, search.language
                    )
                    for a, b in zip(candidates.first, candidates.last, strict=True)
                ],
                np.float32,
            )
            others = np.flatnonzero(y <= 0.3).tolist()
            kept = [*np.flatnonzero(y > 0.3), *chance.sample(others, min(len(others), _NEGATIVES))]
            for name, values in (
                ("x", candidates.features),
                ("before", candidates.before),
                ("after", candidates.after),
                ("y", y),
            ):
                columns[name].append(values[kept])
        if not columns["y"] or max(each.max(initial=0.0) for each in columns["y"]) < GOOD:
            continue
        for name, values in columns.items():
            parts[name].append(np.concatenate(values))
        parts["kind"].append(question.kind)
        bounds.append(bounds[-1] + len(parts["y"][-1]))
    return {name: np.concatenate(v) if name != "kind" else np.array(v) for name, v in parts.items()} | {
        "bounds": np.array(bounds)
    }


def learn_spans(data: dict[str, Any], rounds: int = 200) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Maximum likelihood by Adam: per kind of question, weights of features, of the word before and of that after."""
    starts, sizes = data["bounds"][:-1], np.diff(data["bounds"])
    owner = np.repeat(np.arange(len(starts)), sizes)
    kinds = data["kind"][owner]
    target = np.where(data["y"] > GOOD, data["y"] ** 4, 0.0)
    target /= np.maximum(np.add.reduceat(target, starts), 1e-6)[owner]
    rows = [np.flatnonzero(kinds == kind) for kind in range(len(KINDS))]
    shapes = {"spans": len(SPAN_FEATURES), "before": NEIGHBOUR_ROOM, "after": NEIGHBOUR_ROOM}
    values = {name: np.zeros((len(KINDS) + 1, size)) for name, size in shapes.items()}  # The last row is shared.
    first = {name: np.zeros_like(value) for name, value in values.items()}
    second = {name: np.zeros_like(value) for name, value in values.items()}
    for step in range(1, rounds + 1):
        scores = np.empty(len(owner), np.float32)
        for kind, at in enumerate(rows):
            both = {name: value[kind] + value[-1] for name, value in values.items()}
            scores[at] = (
                data["x"][at] @ both["spans"] + both["before"][data["before"][at]] + both["after"][data["after"][at]]
            )
        top = np.maximum.reduceat(scores, starts)
        mass = np.exp(scores - top[owner])
        slope = (mass / np.add.reduceat(mass, starts)[owner] - target) / len(starts)
        for name, value in values.items():
            penalty = np.full((len(KINDS) + 1, 1), _PENALTY["spans_kind" if name == "spans" else "beside_kind"])
            penalty[-1] = _PENALTY["spans" if name == "spans" else "beside"]
            gradient = 2 * penalty * value
            for kind, at in enumerate(rows):
                part = (
                    data["x"][at].T @ slope[at]
                    if name == "spans"
                    else np.bincount(data[name][at], slope[at], NEIGHBOUR_ROOM)
                )
                gradient[kind] += part
                gradient[-1] += part
            first[name] = 0.9 * first[name] + 0.1 * gradient
            second[name] = 0.99 * second[name] + 0.01 * gradient**2
            rate = _RATE * (1.0 if step < 0.7 * rounds else 0.3)
            values[name] = value - rate * (first[name] / (1 - 0.9**step)) / (
                np.sqrt(second[name] / (1 - 0.99**step)) + 1e-8
            )
    return tuple(values[name][:-1] + values[name][-1] for name in shapes)  # type: ignore[return-value]


def observed(rows: Sequence[Row], search: Paragraphs, learned: Weights, embed: Any, chance: random.Random) -> list[Any]:
    """What the reader sees of answerable, unanswerable and taken-away questions, in scenes of one to five passages."""
    titles = {row["context"]: row["title"] for row in rows}
    found = []
    for place, row in enumerate(rows):
        kind = "unanswerable" if not row["answers"] else "away" if place % 3 == 2 else "answerable"
        hidden = row["title"] if kind == "away" else ""
        near = search.best(row["question"], 5, lambda k, hidden=hidden: titles[search.texts[k]] != hidden)  # type: ignore[misc]
        passages = passages_of(search, near[: chance.choice((1, 2, 3, 5, 5))])
        seen = look(read_question(row["question"], search.language), passages, learned, embed)
        if seen is not None:
            text = passages[seen.span.passage].text[seen.span.start : seen.span.end]
            f1 = token_f1(text, [gold["text"] for gold in row["answers"]], search.language)
            found.append((kind, seen.holding, seen.span_probability, f1))
    return found


def learn_holding(found: Sequence[Any], rounds: int = 3000) -> tuple[np.ndarray, float, float]:
    """Logistic regression, the probability below which to refuse, and that from which a span may stand alone."""
    kinds = np.array([each[0] for each in found])
    x = np.array([each[1] for each in found])
    y = (kinds == "answerable").astype(float)
    shares = {"answerable": 0.5, "unanswerable": 0.1, "away": 0.4}
    weight = sum(np.where(kinds == kind, share / max(1, (kinds == kind).sum()), 0.0) for kind, share in shares.items())
    mean, spread = x.mean(0), np.where(x.std(0) < 1e-6, 1.0, x.std(0))
    mean[0], spread[0] = 0.0, 1.0
    z = (x - mean) / spread

    def fitted(at: np.ndarray) -> np.ndarray:
        b = np.zeros(z.shape[1])
        for _ in range(rounds):
            p = 1 / (1 + np.exp(-z[at] @ b))
            b -= z[at].T @ ((p - y[at]) * weight[at] / weight[at].sum()) + 4e-3 * np.r_[0.0, b[1:]]
        return b

    fold = np.arange(len(y)) % 5
    held = np.zeros(len(y))
    for each in range(5):
        held[fold == each] = 1 / (1 + np.exp(-z[fold == each] @ fitted(fold != each)))
    thresholds = np.arange(0.1, 0.8, 0.02)

    def worth(threshold: float) -> float:
        said = held >= threshold
        return float(0.55 * weight[(y == 1) & said].sum() + 0.45 * weight[(y == 0) & ~said].sum())

    b = fitted(np.ones(len(y), bool))
    raw = b / spread
    raw[0] = b[0] - (b[1:] * mean[1:] / spread[1:]).sum()
    sure = sorted(((each[2], each[3]) for each in found if each[0] == "answerable"), reverse=True)
    means = np.cumsum([f1 for _, f1 in sure]) / np.arange(1, len(sure) + 1)
    good = [k for k in range(8, len(sure)) if means[k] >= 0.75]
    return raw, max(thresholds, key=worth), sure[good[-1]][0] if good else 0.9


def main() -> None:
    """Learn and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--questions", type=int, default=1500)
    parser.add_argument("--languages", default="en,es,pt")
    parser.add_argument("--vectors", type=Path, help="of English questions and sentences")
    options = parser.parse_args()
    made: dict[str, Any] = {}
    for language in options.languages.split(","):
        chance = random.Random(7)
        rows = train_rows(options.data, language)
        chance.shuffle(rows)
        search = Paragraphs(list(dict.fromkeys(row["context"] for row in rows)), language)
        embed = None
        if language == "en" and options.vectors:
            embed = ready_vectors(options.vectors)
        answerable = [row for row in rows if row["answers"]][: options.questions]
        spans, before, after = learn_spans(described(answerable, search, embed, chance))
        learned = Weights(
            *(each.astype(np.float32) for each in (spans, before, after)), np.zeros(1, np.float32), 0.0, 0.0
        )
        for name, used in ((language, None), *((("en+vectors", embed),) if embed else ())):
            holds, refuse_below, span_from = learn_holding(observed(rows[:900], search, learned, used, chance))
            made[name] = {
                "spans": spans.round(3).tolist(),
                "before": before.round(3).tolist(),
                "after": after.round(3).tolist(),
                "holds": holds.round(4).tolist(),
                "refuse_below": round(float(refuse_below), 3),
                "span_from": round(float(span_from), 3),
                "compares": used is not None,
            }
    options.out.write_text(json.dumps(made, separators=(",", ":")))


if __name__ == "__main__":
    main()

"""Judged sets for `benchmarks.retrieval`: documents, questions and grades, which half is for choosing, and plain rows.

The sets are not part of the repository; `ROCA_DATA` names the folder that holds them. Questions about articles whose
title's SHA-256 is divisible by 5 are the test half (one rule for everything that comes from SQuAD and FaQuAD); of
cranfield and cisi, questions whose id's SHA-256 is even.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import math
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rocamadre.knowledge.languages import analyse

SETS = {"retrieval-squad-en": "en", "retrieval-squad-es": "es", "retrieval-pt": "pt", "cranfield": "en", "cisi": "en"}
HALVED = ("cranfield", "cisi")
TITLED = ("squad-en", "squad-es", "squad-pt", "faquad", "xquad")
"""Where the titles of the articles stand that the passages are from."""
LISTED = 100


@dataclass(frozen=True, slots=True)
class Question:
    """A question, the grade of each relevant document, and whether it may be used for choosing settings."""

    text: str
    grades: Mapping[str, float]
    development: bool


@dataclass(frozen=True, slots=True)
class JudgedSet:
    """Documents by id, and questions about them."""

    name: str
    language: str
    documents: Mapping[str, str]
    questions: Sequence[Question]

    def half(self, name: str) -> list[Question]:
        """`development` or `test`."""
        return [each for each in self.questions if each.development == (name == "development")]


def data_folder() -> Path:
    """The folder of the data sets."""
    folder = Path(os.environ.get("ROCA_DATA", ""))
    if not (folder / "cranfield").is_dir():
        raise SystemExit("ROCA_DATA must name the folder of the data sets (cranfield, cisi, retrieval-squad-en, …)")
    return folder


def rows(folder: Path, name: str) -> Iterator[dict[str, Any]]:
    """Lines of a file that may be packed."""
    path = folder / f"{name}.jsonl"
    packed = path.with_name(f"{path.name}.gz")
    with gzip.open(packed, "rt", encoding="utf-8") if packed.exists() else path.open(encoding="utf-8") as file:
        yield from map(json.loads, file)


def load(name: str) -> JudgedSet:
    """Read a set; a document's title, where it has one, is its first paragraph. One without text is left out."""
    folder = data_folder() / name
    documents = {row["doc"]: f"{row['title']}\n\n{row['text']}".strip() for row in rows(folder, "documents")}
    grades: dict[str, dict[str, float]] = {}
    for row in rows(folder, "judgements"):
        if row["grade"] > 0 and row["doc"] in documents:
            grades.setdefault(row["query"], {})[row["doc"]] = float(row["grade"])
    documents = {key: text for key, text in documents.items() if text}
    title = {} if name in HALVED else _titles()
    questions = []
    for row in rows(folder, "queries"):
        if row["query"] not in grades:
            continue
        if name in HALVED:
            development = _number(row["query"]) % 2 == 1
        else:
            development = _number(title[documents[next(iter(grades[row["query"]]))]]) % 5 != 0
        questions.append(Question(row["text"], grades[row["query"]], development))
    return JudgedSet(name, SETS[name], documents, questions)


def _number(text: str) -> int:
    return int(hashlib.sha256(text.encode()).hexdigest(), 16)


def _titles() -> dict[str, str]:
    found = {}
    for name in TITLED:
        for path in sorted((data_folder() / name).glob("*.jsonl*")):
            for row in rows(path.parent, path.name.removesuffix(".gz").removesuffix(".jsonl")):
                if "context" in row:
                    found[row["context"].strip()] = row["title"]
    return found


class Bm25:
    """BM25 with k1 1.2 and b 0.75, in the plainest way."""

    def __init__(self, documents: Mapping[str, str], language: str | None) -> None:
        self._language = language
        self._ids = list(documents)
        terms = [self._terms(text) for text in documents.values()]
        lengths = np.array([len(each) for each in terms], float)
        self._norm = 1.2 * (0.25 + 0.75 * lengths / lengths.mean())
        postings: dict[str, dict[int, int]] = {}
        for place, each in enumerate(terms):
            for term, count in Counter(each).items():
                postings.setdefault(term, {})[place] = count
        self._postings = {
            term: (np.fromiter(found, int), np.fromiter(found.values(), float)) for term, found in postings.items()
        }

    def _terms(self, text: str) -> list[str]:
        return re.findall(r"[^\W_]+", text.lower()) if self._language is None else analyse(text, self._language)

    def ranked(self, text: str) -> dict[str, float]:
        """The best documents with their scores."""
        scores = np.zeros(len(self._ids))
        for term, weight in Counter(self._terms(text)).items():
            if term in self._postings:
                places, counts = self._postings[term]
                idf = math.log(1 + (len(self._ids) - len(places) + 0.5) / (len(places) + 0.5))
                scores[places] += weight * idf * counts * 2.2 / (counts + self._norm[places])
        order = [place for place in np.argsort(-scores, kind="stable")[:LISTED] if scores[place] > 0]
        return {self._ids[place]: float(scores[place]) for place in order}


def fused_ranks(lists: Sequence[Mapping[str, float]], k: int) -> list[str]:
    """Reciprocal rank fusion."""
    scores: Counter[str] = Counter()
    for ranking in lists:
        for rank, each in enumerate(ranking, 1):
            scores[each] += 1 / (k + rank)  # type: ignore[assignment]
    return [each for each, _ in scores.most_common()]


def fused_scores(lexical: Mapping[str, float], dense: Mapping[str, float], share: float) -> list[str]:
    """The weighted sum of both lists' scores, each stretched to 0 … 1."""
    scores: Counter[str] = Counter()
    for ranking, weight in ((lexical, 1 - share), (dense, share)):
        if ranking:
            low, high = min(ranking.values()), max(ranking.values())
            for each, score in ranking.items():
                scores[each] += weight * ((score - low) / (high - low) if high > low else 1)  # type: ignore[assignment]
    return [each for each, _ in scores.most_common()]

"""Questions, answers and passages of the sets that may train, with the fold of each article."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

TRAIN, CALIBRATE, TEST = "train", "calibrate", "test"
FILES = {
    "squad-en/squad1-dev.jsonl.gz": "CC-BY-SA-4.0",
    "squad-en/squad2-dev.jsonl.gz": "CC-BY-SA-4.0",
    "squad-es/squad1-es-dev.jsonl.gz": "MIT (of CC-BY-SA-4.0)",
    "squad-es/squad2-es-dev.jsonl.gz": "MIT (of CC-BY-SA-4.0)",
    "squad-pt/squad1-pt-sample.jsonl.gz": "MIT (of CC-BY-SA-4.0)",
    "faquad/faquad-train.jsonl": "CC-BY-4.0",
    "xquad/xquad.en.jsonl": "CC-BY-SA-4.0",
    "xquad/xquad.es.jsonl": "CC-BY-SA-4.0",
    "ntrex/ntrex-en-es.jsonl": "CC-BY-SA-4.0",
    "ntrex/ntrex-en-pt.jsonl": "CC-BY-SA-4.0",
    "pubmedqa/pubmedqa.jsonl": "MIT",
}
"""All that is read, with its licence."""


@dataclass(frozen=True)
class Asked:
    """A question on a passage; no answers where the passage does not tell."""

    id: str
    language: str
    title: str
    passage: str
    question: str
    answers: tuple[str, ...]

    @property
    def fold(self) -> str:
        return fold_of(self.title)


def fold_of(title: str) -> str:
    """An article's fold: a fifth tests, a fifth of the rest calibrates."""
    number = int(hashlib.sha256(title.encode()).hexdigest(), 16)
    if number % 5 == 0:
        return TEST
    return CALIBRATE if number // 5 % 5 == 0 else TRAIN


def lines(data: Path, name: str) -> Iterator[dict]:
    path = data / name
    with (gzip.open if name.endswith(".gz") else open)(path, "rt", encoding="utf-8") as opened:
        yield from map(json.loads, opened)


def questions(data: Path, *names: str) -> list[Asked]:
    """Rows of question sets, each id and language once."""
    found: dict[tuple[str, str], Asked] = {}
    for name in names:
        for row in lines(data, name):
            answers = tuple(dict.fromkeys(each["text"].strip() for each in row["answers"] if each["text"].strip()))
            found.setdefault(
                (row["id"], row["lang"]),
                Asked(row["id"], row["lang"], row["title"], row["context"], row["question"].strip(), answers),
            )
    return list(found.values())


def by_passage(rows: list[Asked]) -> dict[str, list[Asked]]:
    """Rows grouped by passage."""
    groups: dict[str, list[Asked]] = defaultdict(list)
    for row in rows:
        groups[row.passage].append(row)
    return dict(groups)


def hashes(data: Path) -> dict[str, str]:
    """SHA-256 of each file that is read."""
    return {name: hashlib.sha256((data / name).read_bytes()).hexdigest() for name in FILES}

"""What the topics' recipe reads: sets whose licences allow shipped weights, and topics written for it."""

from __future__ import annotations

import gzip
import hashlib
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

SEED = 20261122
LANGUAGES = ("en", "es", "pt")
PARALLEL = {
    "es": {
        "tatoeba.jsonl.gz": 16_000, "opendocs.jsonl.gz": 2_500, "gnome-help.jsonl": 800, "pydocs.jsonl.gz": 1_500,
        "django.jsonl": 300,
    },
    "pt": {
        "tatoeba-test.jsonl.gz": 9_000, "opendocs.jsonl.gz": 2_500, "gnome-help.jsonl": 800, "pydocs.jsonl.gz": 1_500,
        "django.jsonl.gz": 600,
    },
}  # fmt: skip
"""Sentences taken of each set at most."""
QUESTIONS = {"en": "squad1-dev", "es": "squad1-es-dev", "pt": "squad1-pt-sample"}
INTENTS = 9_000
HELD = 4
"""One in so many intents only measures."""


@dataclass
class Written:
    """A topic in one language.

    Attributes:
        definition: A sentence.
        examples: As a customer gives them.
        inside: Other texts on the topic.
        beside: Texts that use its words, or stand near to it, and are none.
    """

    definition: str = ""
    examples: list[str] = field(default_factory=list)
    inside: list[str] = field(default_factory=list)
    beside: list[str] = field(default_factory=list)


@dataclass
class Material:
    """All that is read.

    Attributes:
        parallel: By language, English sentences and their translations.
        intents: Texts and the name of what they want.
        questions: By language, about the training articles.
        passages: By language, of these articles.
        topics: Written for this recipe, by name and language.
    """

    parallel: dict[str, list[tuple[str, str]]]
    intents: list[tuple[str, str]]
    questions: dict[str, list[str]]
    passages: dict[str, list[str]]
    topics: dict[str, dict[str, Written]]

    def sentences(self, language: str) -> list[str]:
        if language == "en":
            return [english for english, _ in self.parallel["es"]]
        return [other for _, other in self.parallel[language]]


def rows(path: Path) -> Iterator[dict]:
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def part(key: str, parts: int) -> int:
    return int(hashlib.sha256(key.encode()).hexdigest(), 16) % parts


def written() -> dict[str, dict[str, Written]]:
    """Topics and their neighbours, out of two files beside this one."""
    found: dict[str, dict[str, Written]] = {}
    name = ""
    for file in ("topics.txt", "neighbours.txt"):
        for line in Path(__file__).with_name(file).read_text(encoding="utf-8").splitlines():
            if line.startswith("== "):
                name = line[3:]
                found.setdefault(name, {})
            elif line[:2] in LANGUAGES:
                parts = [each.split(" | ") for each in line[4:].split(" || ")]
                if len(parts) == 2:
                    found[name][line[:2]].beside = parts[0]
                    found[name][line[:2]].inside += parts[1]
                else:
                    found[name][line[:2]] = Written(parts[0][0], *parts[1:])
    return found


def read(data: Path, *, smoke: bool) -> Material:
    draw = random.Random(SEED)
    parallel = {}
    for language, sets in PARALLEL.items():
        parallel[language] = []
        for name, most in sets.items():
            pairs = [(row["en"], row[language]) for row in rows(data / f"parallel-en-{language}" / name)]
            pairs = [each for each in pairs if 8 < len(each[0]) < 240]
            parallel[language] += draw.sample(pairs, min(most // (40 if smoke else 1), len(pairs)))
    intents = [(row["text"], f"clinc:{row['intent']}") for row in rows(data / "clinc150" / "clinc150.jsonl.gz")]
    intents = [each for each in intents if each[1] != "clinc:oos"]
    intents += [(row["text"], f"bank:{row['category']}") for row in rows(data / "banking77" / "banking77.jsonl.gz")]
    questions, passages = {}, {}
    for language, name in QUESTIONS.items():
        articles = [row for row in rows(data / f"squad-{language}" / f"{name}.jsonl.gz") if part(row["title"], 5)]
        questions[language] = [row["question"] for row in articles]
        passages[language] = sorted({row["context"] for row in articles if len(row["context"]) > 400})
    return Material(parallel, draw.sample(intents, INTENTS), questions, passages, written())


def files(data: Path) -> dict[str, str]:
    """The SHA-256 of each file, shortened."""
    names = [f"parallel-en-{language}/{name}" for language, sets in PARALLEL.items() for name in sets]
    names += ["clinc150/clinc150.jsonl.gz", "banking77/banking77.jsonl.gz"]
    names += [f"squad-{language}/{name}.jsonl.gz" for language, name in QUESTIONS.items()]
    return {name: hashlib.sha256((data / name).read_bytes()).hexdigest()[:16] for name in names}

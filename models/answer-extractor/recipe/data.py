"""Questions with the passages that answer them, and questions made from plain text."""

from __future__ import annotations

import gzip
import hashlib
import json
import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from rocamadre.knowledge.answers.lexicon import CAUSE_WORDS
from rocamadre.knowledge.answers.words import Word, words_of

SETS = {
    "squad-en": ("CC-BY-SA-4.0", ("squad-en/squad1-dev.jsonl.gz", "squad-en/squad2-dev.jsonl.gz")),
    "squad-es": ("MIT, of CC-BY-SA-4.0 data", ("squad-es/squad1-es-dev.jsonl.gz", "squad-es/squad2-es-dev.jsonl.gz")),
    "xquad": ("CC-BY-SA-4.0", ("xquad/xquad.es.jsonl",)),
    "squad-pt": ("MIT, of CC-BY-SA-4.0 data", ("squad-pt/squad1-pt-sample.jsonl.gz",)),
    "faquad": ("CC-BY-4.0", ("faquad/faquad-train.jsonl",)),
    "qamr": ("MIT", ("qamr/qamr.jsonl.gz",)),
    "text-en": (
        "CC-BY-SA-3.0",
        ("text-en/wikipedia-00.jsonl.gz", "text-en/wikipedia-01.jsonl.gz", "text-en/wikipedia-02.jsonl.gz"),
    ),
    "text-es": (
        "CC-BY-4.0, CC-BY-SA-4.0",
        ("text-es/openstax.jsonl.gz", "text-es/treebanks.jsonl", "text-es/opendocs.jsonl.gz"),
    ),
    "text-pt": (
        "CC-BY-SA-4.0, CC-BY-4.0",
        ("text-pt/wikipedia-passages.jsonl.gz", "text-pt/treebanks.jsonl.gz", "text-pt/opendocs.jsonl.gz"),
    ),
}
ASKED = {"en": ("squad-en",), "es": ("squad-es", "xquad"), "pt": ("squad-pt", "faquad")}
PLAIN = {"en": "text-en", "es": "text-es", "pt": "text-pt"}
MOST_WORDS = 260


@dataclass(frozen=True)
class Example:
    """A question and a passage.

    Attributes:
        spans: Accepted answers as words of the passage, first and last; none: it does not answer.
        kind: answerable, unanswerable, other, swapped, made, qamr.
    """

    id: str
    title: str
    language: str
    question: str
    reads: str
    passage: str
    spans: tuple[tuple[int, int], ...]
    golds: tuple[str, ...]
    kind: str


def fold_of(title: str) -> str:
    """test, dev or train."""
    number = int(hashlib.sha256(title.encode()).hexdigest(), 16)
    return "test" if number % 5 == 0 else "dev" if number % 11 == 4 or number % 31 == 11 else "train"


def lines(path: Path) -> Iterator[dict]:
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as opened:
        yield from map(json.loads, opened)


def hashes(data: Path) -> dict[str, str]:
    return {
        name: hashlib.sha256((data / name).read_bytes()).hexdigest() for _, names in SETS.values() for name in names
    }


class Words:
    """Words of passages, each taken apart once."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], list[Word]] = {}

    def of(self, text: str, language: str) -> list[Word]:
        key = language, text
        if key not in self._known:
            self._known[key] = words_of(text, language)
        return self._known[key]


def placed(passage: str, words: list[Word], golds: list[dict]) -> tuple[tuple[int, int], ...]:
    """Accepted answers as words; those that do not stand in the passage are left out."""
    found = []
    for gold in golds:
        text, start = gold["text"].strip(), gold.get("start", -1)
        if not text:
            continue
        if start < 0 or passage[start : start + len(text)] != text:
            near = [m.start() for m in re.finditer(re.escape(text), passage)]
            if not near:
                continue
            start = min(near, key=lambda k: abs(k - max(start, 0)))
        inside = [k for k, word in enumerate(words) if word.end > start and word.start < start + len(text)]
        while inside and words[inside[-1]].mark and words[inside[-1]].lower in ".,;:":
            inside.pop()
        if inside:
            found.append((inside[0], inside[-1]))
    return tuple(dict.fromkeys(found))


def questions(data: Path, language: str, fold: str, words: Words) -> list[Example]:
    """Of one language; each once."""
    found: dict[str, Example] = {}
    for name in ASKED[language]:
        for path in SETS[name][1]:
            for row in lines(data / path):
                if fold_of(row["title"]) != fold or f"{name}-{row['id']}" in found:
                    continue
                spans = placed(row["context"], words.of(row["context"], language), row["answers"])
                if row["answers"] and not spans:
                    continue
                found[f"{name}-{row['id']}"] = Example(
                    row["id"], row["title"], language, row["question"], language, row["context"], spans,
                    tuple(gold["text"] for gold in row["answers"]), "answerable" if spans else "unanswerable",
                )  # fmt: skip
    return list(found.values())


def across(asked: dict[str, list[Example]]) -> list[Example]:
    """Spanish questions to English passages and the other way round, where a question is in both."""
    english = {each.id: each for each in asked["en"]}
    found = []
    for each in asked["es"]:
        twin = english.get(each.id)
        if twin is not None and bool(each.spans) == bool(twin.spans) and each.title == twin.title:
            found.append(replace(twin, language="es", question=each.question))
            found.append(replace(each, language="en", question=twin.question))
    return found


def qamr(data: Path, words: Words, chance: random.Random, most: int) -> list[Example]:
    """QAMR's questions about sentences; the passage is the sentences of one document."""
    documents: dict[str, dict[str, None]] = defaultdict(dict)
    rows = []
    for row in lines(data / SETS["qamr"][1][0]):
        document = ":".join(row["id"].split("#")[0].split(":")[:3])
        documents[document][row["sentence"]] = None
        rows.append((document, row))
    chance.shuffle(rows)
    found = []
    for document, row in rows[:most]:
        others = [each for each in documents[document] if each != row["sentence"]]
        chosen = chance.sample(others, min(len(others), chance.choice((0, 1, 2, 3))))
        parts = [*chosen, row["sentence"]]
        chance.shuffle(parts)
        passage = " ".join(parts)
        offset = passage.index(row["sentence"])
        golds = []
        for text in row["answers"]:
            place = row["sentence"].find(text)
            if place >= 0:
                golds.append({"text": text, "start": offset + place})
        held = words.of(passage, "en")
        spans = placed(passage, held, golds)
        question = row["question"].split("  ")[0].strip()
        if spans and question and len(held) <= MOST_WORDS:
            found.append(Example("", document, "en", question, "en", passage, spans, (), "qamr"))
    return found


ASKS = {
    "en": {
        "time": ("When", "In what year", "What year", "On what date"),
        "number": ("How many", "How much", "What number of"),
        "name": ("Who", "What", "Which", "Where", "What person", "What place"),
        "thing": ("What", "Which", "What kind of"),
        "cause": ("Why", "For what reason"),
    },
    "es": {
        "time": ("¿Cuándo", "¿En qué año"),
        "number": ("¿Cuántos", "¿Cuánto", "¿Qué cantidad de"),
        "name": ("¿Quién", "¿Qué", "¿Cuál", "¿Dónde"),
        "thing": ("¿Qué", "¿Cuál es", "¿Qué tipo de"),
        "cause": ("¿Por qué",),
    },
    "pt": {
        "time": ("Quando", "Em que ano"),
        "number": ("Quantos", "Quanto", "Qual o número de"),
        "name": ("Quem", "Que", "Qual", "Onde"),
        "thing": ("O que", "Qual é", "Que tipo de"),
        "cause": ("Por que",),
    },
}


class Maker:
    """Questions out of paragraphs: a span is taken out of a sentence, the rest is shortened, shuffled and reworded.

    Args:
        near: Words to words that mean almost the same.
    """

    def __init__(self, near: dict[str, list[str]], words: Words, chance: random.Random) -> None:
        self._near, self._words, self._chance = near, words, chance

    def make(self, title: str, language: str, passage: str, others: list[str]) -> Example | None:
        """One question; sometimes with a passage that does not answer it."""
        chance, words = self._chance, self._words.of(passage, language)
        picked = self._span(words)
        if picked is None or len(words) > MOST_WORDS:
            return None
        first, last, kind = picked
        start, end = _sentence(words, first, last)
        left, right = words[start:first], words[last + 1 : end]
        reach = chance.randint(6, 14)
        left, right = left[-chance.randint(3, reach) :], right[: chance.randint(3, reach)]
        kept = [self._said(word) for word in (right + left if chance.random() < 0.5 else left + right)]
        kept = [word for word in kept if word]
        if sum(map(len, kept)) < 15 or len(kept) < 4:
            return None
        question = f"{chance.choice(ASKS[language][kind])} {' '.join(kept)}?"
        spans = ((first, last),)
        draw = chance.random()
        if draw < 0.12 and others:
            passage, spans = chance.choice(others), ()
        elif draw < 0.25:
            cut = passage[: words[start].start] + passage[words[end - 1].end :]
            passage, spans = cut.strip(), ()
        if len(self._words.of(passage, language)) < 20:
            return None
        return Example("", title, language, question, language, passage, spans, (), "made")

    def _said(self, word: Word) -> str:
        if word.mark:
            return ""
        draw = self._chance.random()
        if word.function:
            return word.lower if draw < 0.65 else ""
        if draw < 0.2:
            return ""
        if draw < 0.5 and (others := self._near.get(word.lower)):
            return self._chance.choice(others)
        return word.lower if not word.shape & 1 else word.lower.capitalize()

    def _span(self, words: list[Word]) -> tuple[int, int, str] | None:
        chance = self._chance
        for _ in range(8):
            kind = chance.choice(("name", "name", "number", "thing", "thing", "cause"))
            if kind == "name":
                starts = [k for k in range(1, len(words)) if words[k].shape & 1 and words[k].stem]
            elif kind == "number":
                starts = [k for k, word in enumerate(words) if word.shape & 22]
            elif kind == "cause":
                starts = [
                    k + 1
                    for k in range(len(words) - 4)
                    if words[k].lower in CAUSE_WORDS and words[k].lower not in ("a", "to", "for", "para", "por")
                ]
            else:
                starts = [k for k in range(1, len(words)) if words[k].stem and not words[k].shape & 3]
            if not starts:
                continue
            first = chance.choice(starts)
            last = first
            if kind == "name":
                while first > 0 and words[first - 1].shape & 1 and words[first - 1].stem:
                    first -= 1
                while last + 1 < len(words) and words[last + 1].shape & 1 and words[last + 1].stem:
                    last += 1
            elif kind == "number":
                if words[first].shape & 12:
                    kind = "time"
                    while first > 0 and (words[first - 1].shape & 10):
                        first -= 1
                elif last + 1 < len(words) and (words[last + 1].shape & 48):
                    last += 1
            else:
                room = chance.choice((0, 1, 1, 2, 3, 5)) if kind == "thing" else chance.randint(2, 9)
                while last - first < room and last + 1 < len(words) and not words[last + 1].mark:
                    last += 1
                while last > first and words[last].function:
                    last -= 1
            if last - first <= 10:
                return first, last, kind
        return None


def _sentence(words: list[Word], first: int, last: int) -> tuple[int, int]:
    start, end = first, last + 1
    while start > 0 and words[start - 1].lower not in (".", "!", "?", ";"):
        start -= 1
    while end < len(words) and words[end].lower not in (".", "!", "?", ";"):
        end += 1
    return start, end


def made(data: Path, language: str, maker: Maker, chance: random.Random, most: int) -> list[Example]:
    """Questions out of plain text; articles of the test split and of dev are left out by their title."""
    articles = []
    for name in SETS[PLAIN[language]][1]:
        for row in lines(data / name):
            if fold_of(row["title"].replace(" ", "_")) == "train" or row["src"] != "wikipedia-en":
                articles.append((row["title"], row["text"]))
    chance.shuffle(articles)
    found: list[Example] = []
    for title, text in articles:
        parts = [" ".join(each.split()) for each in text.split("\n\n")]
        if sum(len(each.split()) >= 40 for each in parts) < 2:
            parts = _grouped(" ".join(text.split()))
        else:
            parts = _merged(parts)
        parts = [each for each in parts if 35 <= len(each.split()) <= 200]
        for part in parts[:6]:
            others = [each for each in parts if each != part]
            for _ in range(2):
                example = maker.make(title, language, part, others)
                if example is not None:
                    found.append(example)
        if len(found) >= most:
            break
    return found[:most]


def _merged(parts: list[str]) -> list[str]:
    made: list[str] = []
    for part in parts:
        if made and len(made[-1].split()) < 60:
            made[-1] += " " + part
        else:
            made.append(part)
    return made


def _grouped(text: str) -> list[str]:
    made: list[str] = [""]
    for sentence in re.split(r"(?<=[.!?]) ", text):
        if len(made[-1].split()) >= 90:
            made.append("")
        made[-1] = f"{made[-1]} {sentence}".strip()
    return made


class Spoiler:
    """Questions that a passage does not answer, out of ones that it answers."""

    def __init__(self, examples: list[Example], words: Words, chance: random.Random) -> None:
        self._words, self._chance = words, chance
        self._passages: dict[tuple[str, str], dict[str, None]] = defaultdict(dict)
        self._names: dict[tuple[str, str, int], Counter[str]] = defaultdict(Counter)
        for each in examples:
            key = each.reads, each.title
            if each.passage not in self._passages[key]:
                self._passages[key][each.passage] = None
                for k, word in enumerate(words.of(each.passage, each.reads)):
                    if k and word.stem and word.shape & 3:
                        shown = each.passage[word.start : word.end]
                        self._names[each.reads, each.title, word.shape & 3][shown] += 1

    def other(self, example: Example) -> Example | None:
        """Another passage of the article that shares much with the question and does not hold the answer."""
        passages = [each for each in self._passages[example.reads, example.title] if each != example.passage]
        asked = {word.stem for word in self._words.of(example.question, example.reads) if word.stem}
        passages = self._chance.sample(passages, min(len(passages), 12))
        ranked = sorted(passages, key=lambda p: -len(asked & {word.stem for word in self._words.of(p, example.reads)}))
        for passage in ranked[: 1 + self._chance.randrange(3)][::-1]:
            if not any(gold.lower() in passage.lower() for gold in example.golds):
                return replace(example, passage=passage, spans=(), golds=(), kind="other")
        return None

    def swapped(self, example: Example) -> Example | None:
        """A name or number of the question is another one of the article."""
        words = self._words.of(example.question, example.language)
        able = [word for k, word in enumerate(words) if k > 1 and word.stem and word.shape & 3]
        if not able:
            return None
        word = self._chance.choice(able)
        names = self._names[example.reads, example.title, word.shape & 3]
        said = {each.lower for each in words for each in (each.lower,)}
        able_names = [name for name in names if name.lower() not in said]
        if not able_names:
            return None
        name = self._chance.choice(able_names)
        question = example.question[: word.start] + name + example.question[word.end :]
        return replace(example, question=question, spans=(), golds=(), kind="swapped")

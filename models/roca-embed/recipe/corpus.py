"""What the embedder learns from: translations, questions with their passages, paragraphs, English for the teacher.

Only sets whose licence allows a shipped weight (`SETS` says which licence), only articles of the training split where
a set is derived from SQuAD or FaQuAD, and nothing of NTREX, PLUE, Cranfield or CISI, which measure.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

OPEN_DOCS = "CC-BY-4.0, CC-BY-SA-4.0, MIT, Apache-2.0, BSD-3-Clause, CC0-1.0, by project"
SETS = {
    "parallel-en-es/tatoeba": "CC-BY-2.0 (manythings.org, tatoeba.org)",
    "parallel-en-es/tatoeba-test": "CC-BY-2.0 (tatoeba.org, OPUS-MT)",
    "parallel-en-es/pydocs": "PSF-2.0, translations CC0-1.0",
    "parallel-en-es/django": "BSD-3-Clause",
    "parallel-en-es/gnome-help": "CC-BY-3.0",
    "parallel-en-es/opendocs": OPEN_DOCS,
    "parallel-en-pt/tatoeba-test": "CC-BY-2.0 (tatoeba.org, OPUS-MT)",
    "parallel-en-pt/pydocs": "PSF-2.0, translations CC0-1.0",
    "parallel-en-pt/django": "BSD-3-Clause",
    "parallel-en-pt/gnome-help": "CC-BY-3.0",
    "parallel-en-pt/opendocs": OPEN_DOCS,
    "squad-en/squad1-dev": "CC-BY-SA-4.0",
    "squad-en/squad2-dev": "CC-BY-SA-4.0",
    "squad-es/squad1-es-dev": "MIT, text CC-BY-SA-4.0",
    "squad-es/squad2-es-dev": "MIT, text CC-BY-SA-4.0",
    "squad-pt/squad1-pt-sample": "MIT, text CC-BY-SA-4.0",
    "faquad/faquad-train": "CC-BY-4.0",
    "xquad/xquad.en": "CC-BY-SA-4.0",
    "xquad/xquad.es": "CC-BY-SA-4.0",
    "qamr/qamr": "MIT",
    "dolly/dolly": "CC-BY-SA-3.0",
    "pubmedqa/pubmedqa": "MIT",
    "text-en/wikipedia-00": "CC-BY-SA-3.0",
    "text-en/wikipedia-01": "CC-BY-SA-3.0",
    "text-en/wikipedia-02": "CC-BY-SA-3.0",
    "text-en/wikipedia-03": "CC-BY-SA-3.0",
    "text-en/openstax": "CC-BY-4.0",
    "text-en/stories": "CC-BY-4.0",
    "text-es/openstax": "CC-BY-4.0",
    "text-es/courses": "MIT, CC0-1.0, CC-BY-SA-4.0",
    "text-es/mdn": "CC-BY-SA-2.5",
    "text-es/msdocs": "CC-BY-4.0",
    "text-es/novels": "CC-BY-4.0, texts in the public domain",
    "text-es/opendocs": OPEN_DOCS,
    "text-es/treebanks": "CC-BY-SA-4.0, CC-BY-4.0",
    "text-pt/courses": "MIT, CC0-1.0, CC-BY-SA-4.0",
    "text-pt/machado": "public domain",
    "text-pt/mdn": "CC-BY-SA-2.5",
    "text-pt/msdocs": "CC-BY-4.0",
    "text-pt/novels": "CC-BY-4.0, texts in the public domain",
    "text-pt/opendocs": OPEN_DOCS,
    "text-pt/stories": "CC-BY-4.0",
    "text-pt/treebanks": "CC-BY-SA-4.0, CC-BY-4.0",
    "text-pt/wikipedia-passages": "CC-BY-SA-4.0",
}
READERS = ("squad-en", "squad-es", "squad-pt", "faquad", "xquad")
LONGEST = 1200
SHORT = 90
SHORTEST_PART = 40
MOST_PARAGRAPHS = {"en": 20_000, "es": 15_000, "pt": 15_000}
_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[\"'¿¡(A-ZÀ-Þ0-9])")


@dataclass
class Corpus:
    """Everything, as texts; indices point into `texts`.

    Attributes:
        texts: Each text once.
        translations: Pairs that say the same, by kind (`en-es`, `en-pt`, `es-pt`).
        asked: Question and the passage that answers it, by language.
        paragraphs: Paragraphs by language, for pairs cut out of them.
        english: Texts that the teacher reads.
    """

    texts: list[str] = field(default_factory=list)
    translations: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    asked: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    paragraphs: dict[str, list[int]] = field(default_factory=dict)
    english: list[int] = field(default_factory=list)
    _places: dict[str, int] = field(default_factory=dict)

    def place(self, text: str) -> int:
        text = " ".join(text.split())[:LONGEST]
        if text not in self._places:
            self._places[text] = len(self.texts)
            self.texts.append(text)
        return self._places[text]


def path_of(data: Path, name: str) -> Path:
    path = data / f"{name}.jsonl"
    return path if path.exists() else path.with_name(f"{path.name}.gz")


def rows(path: Path) -> Iterator[dict]:
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as file:
        yield from map(json.loads, file)


def number(text: str) -> int:
    return int(hashlib.sha256(text.encode()).hexdigest(), 16)


def hashes(data: Path) -> dict[str, str]:
    return {name: hashlib.sha256(path_of(data, name).read_bytes()).hexdigest() for name in SETS}


def held_out(title: str, *, choosing: bool) -> bool:
    """Test articles; while settings are chosen also those that they are chosen on."""
    return number(title) % 5 in ((0, 1) if choosing else (0,))


def sentences(text: str) -> list[str]:
    return [part.strip() for part in _SENTENCE.split(text) if part.strip()]


def read(data: Path, *, choosing: bool = False, part: float = 1.0, seed: int = 20261121) -> Corpus:
    """Read everything; `part` below 1 takes that share of each set (for a smoke run)."""
    corpus, rng = Corpus(), random.Random(seed)
    _translations(corpus, data, part)
    _asked(corpus, data, part, choosing=choosing)
    _paragraphs(corpus, data, part, rng, choosing=choosing)
    english = {pair[0] for kind in ("en-es", "en-pt") for pair in corpus.translations[kind]}
    english |= {place for pair in corpus.asked["en"] for place in pair}
    extra = [
        corpus.place(sentence)
        for place in rng.sample(corpus.paragraphs["en"], len(corpus.paragraphs["en"]) // 2)
        for sentence in rng.sample(sentences(corpus.texts[place]), 1)
        if len(sentence) >= SHORTEST_PART
    ]
    rest = sorted((english | set(extra)) - {question for question, _ in corpus.asked["en"]})
    rng.shuffle(rest)
    # The teacher is slow: what is short comes first, questions before all.
    questions = sorted({question for question, _ in corpus.asked["en"]})
    rng.shuffle(questions)
    rest.sort(key=lambda place: len(corpus.texts[place]) > SHORT)
    corpus.english = questions + rest
    return corpus


def _taken(found: Iterator[dict], part: float) -> Iterator[dict]:
    for index, row in enumerate(found):
        if part >= 1 or index % round(1 / part) == 0:
            yield row


def _translations(corpus: Corpus, data: Path, part: float) -> None:
    by_english: dict[int, list[int]] = {}
    for kind in ("en-es", "en-pt"):
        other = kind[-2:]
        found = set()
        for name in (name for name in SETS if name.startswith(f"parallel-{kind}/")):
            for row in _taken(rows(path_of(data, name)), part):
                if min(len(row["en"]), len(row[other])) >= 3 and 0.3 < len(row["en"]) / len(row[other]) < 3:
                    found.add((corpus.place(row["en"]), corpus.place(row[other])))
        corpus.translations[kind] = sorted(found)
    for english, spanish in corpus.translations["en-es"]:
        by_english.setdefault(english, []).append(spanish)
    through = {(es, pt) for en, pt in corpus.translations["en-pt"] for es in by_english.get(en, ())[:3]}
    corpus.translations["es-pt"] = sorted(through | _same_pages(corpus, data, part))


def _same_pages(corpus: Corpus, data: Path, part: float) -> set[tuple[int, int]]:
    """Paragraphs of the same page of a manual in Spanish and Portuguese, where both have as many, of like length."""
    found = set()
    for name, spanish, portuguese in (("msdocs", "", ""), ("mdn", "files/es/", "files/pt-br/")):
        pages = {
            row["id"].removeprefix(spanish): row["text"] for row in _taken(rows(path_of(data, f"text-es/{name}")), part)
        }
        for row in rows(path_of(data, f"text-pt/{name}")):
            left = pages.get(row["id"].removeprefix(portuguese), "").split("\n\n")
            right = row["text"].split("\n\n")
            if len(left) != len(right):
                continue
            for one, two in zip(left, right, strict=True):
                if 0.75 < (len(one) + 1) / (len(two) + 1) < 1.35 and 30 <= len(one) <= LONGEST and one != two:
                    found.add((corpus.place(one), corpus.place(two)))
    return found


def _asked(corpus: Corpus, data: Path, part: float, *, choosing: bool) -> None:
    asked: dict[str, set[tuple[int, int]]] = {"en": set(), "es": set(), "pt": set(), "es-en": set(), "en-es": set()}
    by_id: dict[str, dict[str, tuple[int, int]]] = {"en": {}, "es": {}}
    for name in (name for name in SETS if name.split("/")[0] in READERS):
        for row in _taken(rows(path_of(data, name)), part):
            if not row["answers"] or held_out(row["title"], choosing=choosing):
                continue
            pair = corpus.place(row["question"]), corpus.place(row["context"])
            asked[row["lang"]].add(pair)
            by_id.setdefault(row["lang"], {})[row["id"]] = pair
    parallel = set()
    for key, (question, passage) in by_id["es"].items():
        if key in by_id["en"]:
            english_question, english_passage = by_id["en"][key]
            asked["es-en"].add((question, english_passage))
            asked["en-es"].add((english_question, passage))
            parallel |= {(english_question, question), (english_passage, passage)}
    corpus.translations["en-es"] = sorted({*corpus.translations["en-es"], *parallel})
    for row in _taken(rows(path_of(data, "qamr/qamr")), part):
        question = row["question"].split("   ")[0].strip()
        asked["en"].add((corpus.place(question), corpus.place(row["sentence"])))
    for row in _taken(rows(path_of(data, "dolly/dolly")), part):
        if len(row["response"]) >= SHORTEST_PART:
            asked["en"].add((corpus.place(row["instruction"]), corpus.place(row["response"])))
    for row in _taken(rows(path_of(data, "pubmedqa/pubmedqa")), part):
        asked["en"].add((corpus.place(row["question"]), corpus.place(row["context"])))
    corpus.asked = {kind: sorted(pairs) for kind, pairs in asked.items()}


def _test_titles(data: Path, *, choosing: bool) -> set[str]:
    found = set()
    for name in (name for name in SETS if name.split("/")[0] in READERS):
        found |= {row["title"] for row in rows(path_of(data, name)) if held_out(row["title"], choosing=choosing)}
    return found | {title.replace("_", " ") for title in found}


def _paragraphs(corpus: Corpus, data: Path, part: float, rng: random.Random, *, choosing: bool) -> None:
    titles = _test_titles(data, choosing=choosing)
    for language, most in MOST_PARAGRAPHS.items():
        found = []
        for name in (name for name in SETS if name.startswith(f"text-{language}/")):
            here = []
            for row in _taken(rows(path_of(data, name)), part):
                if row["title"] in titles or row["id"] in titles:
                    continue
                title = f"{row['title']}. " if row["title"] and "wikipedia" in name else ""
                for each in row["text"].split("\n\n"):
                    text = " ".join(each.split())[:LONGEST]
                    if len(text) >= 3 * SHORTEST_PART:
                        here.append(title + text)
            few = 4_000 if "novels" in name or "machado" in name else most
            found += rng.sample(here, min(few, len(here)))
        rng.shuffle(found)
        corpus.paragraphs[language] = [corpus.place(text) for text in found[:most]]

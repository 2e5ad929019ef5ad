"""Pairs of answer and source, borne out and not; and of answer and question, to the point and not."""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import reading
from reading import Asked
from spoiling import HELD_OUT, NAME, TRAINED, Around, without_negator
from wording import carried, joined, sentences, shortened, statement

MOST_SOURCE = 4_000
KINDS = ("short", "carried", "statement", "sentence", "shortened", "two", "joined")
_ONLY_TEST = {*HELD_OUT, "unanswerable", "other_sentence"}


@dataclass(frozen=True)
class Pair:
    """One example.

    Attributes:
        kind: How it was made.
        group: en, es, pt, or the language of the source and of the answer, such as en>es.
        good: Borne out, or to the point.
    """

    kind: str
    group: str
    fold: str
    answer: str
    source: str
    question: str
    good: bool


class Library:
    """Passages by article and language, to take others from."""

    def __init__(self, rows: list[Asked]) -> None:
        passages: dict[tuple[str, str], dict[str, None]] = defaultdict(dict)
        for row in rows:
            passages[row.language, row.title][row.passage] = None
        self.passages = {key: list(found) for key, found in passages.items()}
        self.titles: dict[tuple[str, str], list[str]] = defaultdict(list)
        for language, title in self.passages:
            self.titles[language, reading.fold_of(title)].append(title)
        self.names = {key: sorted({n for p in found for n in NAME.findall(p)}) for key, found in self.passages.items()}

    def same(self, row: Asked, draw: random.Random) -> str:
        """Another passage of the article; empty if there is none."""
        others = [each for each in self.passages[row.language, row.title] if each != row.passage]
        return draw.choice(others) if others else ""

    def far_title(self, row: Asked, draw: random.Random) -> str:
        titles = [each for each in self.titles[row.language, row.fold] if each != row.title]
        return draw.choice(titles)

    def around(self, row: Asked, source: str, draw: random.Random) -> Around:
        title = self.far_title(row, draw)
        far = draw.choice(self.passages[row.language, title])
        others = [
            each for each in sentences(self.same(row, draw) or far) if each not in source and len(each) > 25
        ] or sentences(far)
        return Around(
            row.language, source, draw.choice(others), draw.choice(sentences(far)), self.names[row.language, title]
        )

    def source(self, row: Asked, draw: random.Random) -> str:
        """The passage, alone or among others of its article, as a retriever brings them."""
        parts = [row.passage]
        if draw.random() < 0.6:
            others = [each for each in self.passages[row.language, row.title] if each != row.passage]
            for other in draw.sample(others, min(len(others), draw.randint(1, 4))):
                if sum(map(len, parts)) + len(other) < MOST_SOURCE:
                    parts.insert(draw.randint(0, len(parts)), other)
        return "\n\n".join(parts)


def worded(row: Asked, draw: random.Random) -> tuple[str, str]:
    """A right answer, and the way it was made."""
    answer = draw.choice(row.answers)
    home = next((each for each in sentences(row.passage) if answer in each), "")
    kind = draw.choices(KINDS, (1, 1, 3, 1, 3, 1.5, 2.5))[0]
    if kind in {"sentence", "shortened", "two", "joined"} and (len(home) < 25 or len(home) > 500):
        kind = "statement"
    if kind == "short":
        return answer, kind
    if kind == "carried":
        return carried(answer, row.language, draw), kind
    if kind == "statement":
        return statement(row.question, answer, row.language, draw), kind
    if kind == "sentence":
        return home, kind
    first = shortened(home, draw, answer)
    if kind in {"two", "joined"}:
        other = shortened(draw.choice(sentences(row.passage)), draw)
        return f"{first} {other}" if kind == "two" else joined(first, other, row.language, draw), kind
    return first, kind


def grounding_pairs(rows: list[Asked], library: Library, draw: random.Random, each: int) -> list[Pair]:
    """For each row some right answers, each with what becomes of it, and wrong ones of their own."""
    groups = reading.by_passage([row for row in rows if row.answers])
    pairs = []
    for row in rows:
        for _ in range(each):
            source = library.source(row, draw)
            if not row.answers:
                if row.fold == reading.TEST and draw.random() < 0.3:
                    wrong = draw.choice(NAME.findall(row.passage) or [""])
                    if wrong:
                        text = statement(row.question, wrong, row.language, draw)
                        pairs.append(Pair("unanswerable", row.language, row.fold, text, source, row.question, False))
                break
            answer, kind = worded(row, draw)
            question = row.question if kind in {"short", "carried"} or draw.random() < 0.6 else ""
            pairs.append(Pair(kind, row.language, row.fold, answer, source, question, True))
            pairs += spoiled(answer, row.language, row.fold, source, question, library.around(row, source, draw), draw)
            wrong = _misplaced(row, groups, library, source, draw)
            if wrong:
                pairs.append(wrong)
    return pairs


def spoiled(
    answer: str, group: str, fold: str, source: str, question: str, around: Around, draw: random.Random
) -> list[Pair]:
    """An answer in one or two of the ways in which it can go wrong."""
    kinds = [*TRAINED, *(HELD_OUT if fold == reading.TEST else ())]
    draw.shuffle(kinds)
    pairs: list[Pair] = []
    for kind in kinds:
        made = {**TRAINED, **HELD_OUT}[kind](answer, around, draw)
        if made and made != answer and made not in source:
            pairs.append(Pair(kind, group, fold, made, source, question, False))
        if len(pairs) == (2 if fold == reading.TEST else 1) + (draw.random() < 0.5):
            break
    return pairs


def negated_pairs(library: Library, draw: random.Random) -> list[Pair]:
    """Sentences that deny something, and the same without the denial."""
    pairs = []
    for (language, title), passages in library.passages.items():
        for passage in passages:
            found = [each for each in sentences(passage) if 30 < len(each) < 300 and without_negator(each, language)]
            if not found:
                continue
            kept = shortened(draw.choice(found), draw)
            lost = without_negator(kept, language)
            if lost:
                fold = reading.fold_of(title)
                pairs.append(Pair("shortened", language, fold, kept, passage, "", True))
                pairs.append(Pair("negation_lost", language, fold, lost, passage, "", False))
    return pairs


def _misplaced(row: Asked, groups: dict, library: Library, source: str, draw: random.Random) -> Pair | None:
    """The answer to something else, or the right answer beside another source."""
    kind = draw.choice(("wrong_answer", "wrong_answer", "other_passage", "same_article"))
    answer, made = worded(row, draw)
    question = row.question if made in {"short", "carried"} or draw.random() < 0.6 else ""
    if kind == "wrong_answer":
        own = " ".join(row.answers).lower()
        texts = [
            each.answers[0]
            for each in groups[row.passage]
            if not any(a.lower() in own or own in a.lower() for a in each.answers)
        ]
        if not texts:
            return None
        text = draw.choice(texts)
        answer = statement(row.question, text, row.language, draw) if draw.random() < 0.8 else text
        return Pair(kind, row.language, row.fold, answer, source, row.question, False)
    if kind == "same_article":
        other = library.same(row, draw)
    else:
        other = draw.choice(library.passages[row.language, library.far_title(row, draw)])
    if not other or any(each.lower() in other.lower() for each in row.answers):
        return None
    return Pair(kind, row.language, row.fold, answer, other, question, False)


def crossed_pairs(data: Path, rows: list[Asked], library: Library, draw: random.Random, most: int) -> list[Pair]:
    """Answers in another language than the source, and Spanish ones beside another Spanish translation."""
    by_id = {(row.language, row.id): row for row in rows}
    human = {row.id: row for row in reading.questions(data, "xquad/xquad.es.jsonl")}
    pairs: list[Pair] = []
    for row in draw.sample(rows, len(rows)):
        if len(pairs) > most:
            break
        other = {"en": "es", "es": "en"}.get(row.language)
        twin = by_id.get((other, row.id)) if other else None
        if row.language == "es" and row.id in human and draw.random() < 0.5:
            answer = _sentence_of(human[row.id], draw)
            group, source = "es", library.source(row, draw)
            question = human[row.id].question if draw.random() < 0.5 else ""
            kind = "reworded"
        elif twin and row.answers and twin.answers:
            answer = _sentence_of(row, draw)
            group, source = f"{twin.language}>{row.language}", library.source(twin, draw)
            question = row.question if draw.random() < 0.5 else ""
            kind = "crossed"
        else:
            continue
        around = library.around(row, source, draw)
        pairs.append(Pair(kind, group, row.fold, answer, source, question, True))
        pairs += spoiled(answer, group, row.fold, source, question, around, draw)
        if draw.random() < 0.5:
            wrong = draw.choice(sentences(library.same(row, draw) or around.far))
            pairs.append(Pair("same_article", group, row.fold, wrong, source, question, False))
    return pairs


def _sentence_of(row: Asked, draw: random.Random) -> str:
    found = [each for each in sentences(row.passage) if 30 < len(each) < 400]
    return draw.choice(found) if found else row.passage[:300]


def news_pairs(data: Path, draw: random.Random) -> list[Pair]:
    """Lines of news in the three languages: eight lines are the source, one of them in another language the answer."""
    texts: dict[str, list[str]] = {}
    for target in ("es", "pt"):
        found = list(reading.lines(data, f"ntrex/ntrex-en-{target}.jsonl"))
        texts["en"] = [row["en"] for row in found]
        texts[target] = [row[target] for row in found]
    pairs = []
    blocks = [range(begin, begin + 8) for begin in range(0, len(texts["en"]) - 8, 8)]
    names = {language: sorted({n for t in found for n in NAME.findall(t)}) for language, found in texts.items()}
    for number, block in enumerate(blocks):
        fold = reading.fold_of(f"ntrex-{number}")
        for source_language, language in (("en", "pt"), ("pt", "en"), ("en", "es"), ("es", "pt"), ("pt", "es")):
            source = "\n".join(texts[source_language][line] for line in block)
            own = "\n".join(texts[language][line] for line in block)
            group = f"{source_language}>{language}"
            far = [line for line in draw.choice(blocks) if line not in block]
            for line in draw.sample(list(block), 3):
                answer = texts[language][line]
                pairs.append(Pair("crossed", group, fold, answer, source, "", True))
                other = texts[language][draw.choice(far)] if far else texts[language][0]
                around = Around(language, own, other, other, names[language])
                pairs += spoiled(answer, group, fold, source, "", around, draw)
                if far and draw.random() < 0.4:
                    pairs.append(Pair("other_passage", group, fold, other, source, "", False))
    return pairs


def summary_pairs(data: Path, draw: random.Random) -> list[Pair]:
    """Conclusions beside the abstracts they were drawn from: answers in words of their own, in English."""
    rows = list(reading.lines(data, "pubmedqa/pubmedqa.jsonl"))
    names = sorted({n for row in rows for n in NAME.findall(row["context"])})
    pairs = []
    for row in rows:
        fold = reading.fold_of(row["id"])
        other = draw.choice(rows)
        source, answer = row["context"], row["long_answer"]
        question = row["question"] if draw.random() < 0.5 else ""
        around = Around("en", source, sentences(other["long_answer"])[0], sentences(other["long_answer"])[0], names)
        pairs.append(Pair("summary", "en", fold, answer, source, question, True))
        pairs += spoiled(answer, "en", fold, source, question, around, draw)
        if other is not row:
            pairs.append(Pair("other_passage", "en", fold, other["long_answer"], source, question, False))
    return pairs


def relevance_pairs(rows: list[Asked], library: Library, draw: random.Random, each: int) -> list[Pair]:
    """Right answers to a question, and right answers to other questions, of the same passage, article or another."""
    groups = reading.by_passage([row for row in rows if row.answers])
    pairs = []
    for row in (row for row in rows if row.answers):
        own = " ".join(row.answers).lower()
        for _ in range(each):
            source = library.source(row, draw)
            answer, kind = worded(row, draw)
            pairs.append(Pair(kind, row.language, row.fold, answer, source, row.question, True))
            kind = draw.choice(("other_question", "other_question", "same_article", "other_article", "other_sentence"))
            if kind == "other_question":
                others = [
                    each
                    for each in groups[row.passage]
                    if not any(a.lower() in own or own in a.lower() for a in each.answers)
                ]
                text = worded(draw.choice(others), draw)[0] if others else ""
            elif kind == "other_sentence":
                text = draw.choice(sentences(row.passage))
            else:
                passage = library.same(row, draw)
                if kind == "other_article":
                    passage = draw.choice(library.passages[row.language, library.far_title(row, draw)])
                found = groups.get(passage)
                text = worded(draw.choice(found), draw)[0] if found else ""
                source = source if draw.random() < 0.5 else f"{source}\n\n{passage}"
            wrong = text and not any(a.lower() in text.lower() for a in row.answers)
            if wrong and (row.fold == reading.TEST or kind not in _ONLY_TEST):
                pairs.append(Pair(kind, row.language, row.fold, text, source, row.question, False))
    return pairs

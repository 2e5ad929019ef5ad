"""Reading tasks: answer from a passage in the words of the passage, or refuse."""

import random
import re
from collections.abc import Iterator
from pathlib import Path

import corpus
import numpy as np
import phrases
from tasks_made import asked

SETS = (
    "squad-en/squad2-dev.jsonl.gz",
    "squad-es/squad2-es-dev.jsonl.gz",
    "squad-pt/squad1-pt-sample.jsonl.gz",
    "faquad/faquad-train.jsonl",
    "xquad/xquad.en.jsonl",
    "xquad/xquad.es.jsonl",
)
TOGETHER = 4
"""Questions asked on one passage, at most: the passage is read once and answered several times."""


def training_questions(data: Path) -> list[dict]:
    """Rows of the train articles: lang, title, context, question, answer ("" = not answerable)."""
    rows = []
    for path in SETS:
        for row in corpus.training_rows(data, path):
            if not corpus.is_test_article(row["title"]):
                answer = min((found["text"] for found in row["answers"]), key=len, default="")
                rows.append({**row, "answer": answer})
    return rows


def window(context: str, answer: str, dice: random.Random, *, most: int) -> str:
    """A stretch of whole sentences of at most about `most` characters that holds the answer, somewhere in it."""
    sentences = re.split(r"(?<=[.!?])\s+", context)
    holds = [number for number, sentence in enumerate(sentences) if answer in sentence]
    if not holds:
        return context
    first = last = holds[0]
    while True:
        grow = [number for number in (first - 1, last + 1) if 0 <= number < len(sentences)]
        if not grow:
            break
        number = dice.choice(grow)
        if sum(map(len, sentences[min(first, number) : max(last, number) + 1])) > most:
            break
        first, last = min(first, number), max(last, number)
    return " ".join(sentences[first : last + 1])


def ask(language: str, context: str, pairs: list[tuple[str, str]], dice: random.Random, *, title: str = "") -> dict:
    """One conversation: the passage as a document of the system turn, or inside the user's first turn."""
    pairs = [(question, answer or phrases.REFUSAL[language]) for question, answer in pairs]
    if dice.random() < 0.5:
        document = {"title": title.replace("_", " ") if dice.random() < 0.3 else "", "text": context}
        return {"messages": asked(pairs), "documents": [document]}
    wording = dice.choice(phrases.PASSAGE_QUESTION[language])
    first = wording.format(context=context, question=pairs[0][0])
    return {"messages": asked([(first, pairs[0][1]), *pairs[1:]])}


def grounded(data: Path, dice: random.Random) -> Iterator[dict]:
    """Questions on passages: the sets' answerable and unanswerable ones, and some of another passage."""
    passages: dict[tuple[str, str], list[dict]] = {}
    for row in training_questions(data):
        passages.setdefault((row["lang"], row["context"]), []).append(row)
    foreign = {language: [row["question"] for (lang, _), rows in passages.items() if lang == language for row in rows]
               for language in phrases.REFUSAL}  # fmt: skip
    for (language, context), rows in passages.items():
        dice.shuffle(rows)
        for start in range(0, len(rows), TOGETHER):
            group = rows[start : start + TOGETHER]
            pairs = [(row["question"], row["answer"]) for row in group]
            if dice.random() < (0.4 if language == "pt" else 0.1):
                pairs.insert(dice.randrange(len(pairs) + 1), (dice.choice(foreign[language]), ""))
            yield ask(language, context, pairs, dice, title=group[0]["title"])
        for row in rows:
            if row["answer"]:
                short = window(context, row["answer"], dice, most=dice.choice((150, 300, 500)))
                yield ask(language, short, [(row["question"], row["answer"])], dice, title=row["title"])


def kind_of(answer: str) -> str:
    """A coarse kind of an answer, so that one can stand for another: year, number, name or words, and how long."""
    if re.fullmatch(r"\d{4}", answer):
        return "year"
    if re.fullmatch(r"[\d.,%]+", answer):
        return "number"
    words = answer.split()
    named = all(word[0].isupper() or len(word) < 4 for word in words)
    return f"{'name' if named else 'words'} {min(len(words), 3)}"


def swapped(data: Path, dice: random.Random) -> Iterator[dict]:
    """The sets' questions on passages that say something else than the world: another answer of the same kind."""
    rows = [row for row in training_questions(data) if 1 < len(row["answer"]) < 60]
    others: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        others.setdefault((row["lang"], kind_of(row["answer"])), []).append(row["answer"])
    for row in rows:
        answer = dice.choice(others[row["lang"], kind_of(row["answer"])])
        if answer in row["context"] or answer in row["question"] or row["answer"] in row["question"]:
            continue
        changed = re.sub(rf"(?<!\w){re.escape(row['answer'])}(?!\w)", lambda _, said=answer: said, row["context"])
        if changed != row["context"]:
            short = window(changed, answer, dice, most=dice.choice((150, 300, 500)))
            yield ask(row["lang"], short, [(row["question"], answer)], dice)


def sentences(data: Path, dice: random.Random, forbidden: np.ndarray) -> Iterator[dict]:
    """QAMR: questions on single sentences, the easiest form of reading."""
    for row in corpus.training_rows(data, "qamr/qamr.jsonl.gz"):
        answer = row["answers"][0]
        question = " ".join(row["question"].split("?")[0].split()) + "?"
        if answer in row["sentence"] and len(question) > 8 and not corpus.overlaps(row["sentence"], forbidden):
            yield ask("en", row["sentence"], [(question, answer)], dice)

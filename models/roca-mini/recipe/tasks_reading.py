"""Reading tasks: answer from a passage in the words of the passage, or refuse."""

import random
import re
from collections.abc import Iterator
from pathlib import Path

import corpus
import phrases

SETS = (
    "squad-en/squad2-dev.jsonl.gz",
    "squad-es/squad2-es-dev.jsonl.gz",
    "squad-pt/squad1-pt-sample.jsonl.gz",
    "faquad/faquad-train.jsonl",
    "xquad/xquad.en.jsonl",
    "xquad/xquad.es.jsonl",
)
COPIES = {"pt": 3, "es": 2, "en": 1}
"""Each row comes back with other neighbours and wording; Portuguese and Spanish have fewer rows."""


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


def ask(language: str, context: str, question: str, answer: str, dice: random.Random, *, title: str = "") -> dict:
    """One conversation: the passage as a document of the system turn, or inside the user's turn."""
    reply = {"role": "assistant", "content": answer or phrases.REFUSAL[language]}
    if dice.random() < 0.6:
        document = {"title": title.replace("_", " ") if dice.random() < 0.3 else "", "text": context}
        return {"messages": [{"role": "user", "content": question}, reply], "documents": [document]}
    wording = dice.choice(phrases.PASSAGE_QUESTION[language])
    content = wording.format(context=context, question=question)
    return {"messages": [{"role": "user", "content": content}, reply]}


def grounded(data: Path, dice: random.Random) -> Iterator[dict]:
    """Questions on passages: the sets' own answerable and unanswerable ones, and questions to a foreign passage."""
    rows = training_questions(data)
    contexts: dict[str, list[str]] = {}
    for row in rows:
        contexts.setdefault(row["lang"], []).append(row["context"])
    for row in rows:
        for _ in range(COPIES[row["lang"]]):
            language, answer = row["lang"], row["answer"]
            context = (
                window(row["context"], answer, dice, most=dice.choice((200, 400, 900))) if answer else row["context"]
            )
            if answer and dice.random() < 0.15:
                context, answer = dice.choice(contexts[language]), ""
            if answer and answer not in context:
                continue
            yield ask(language, context, row["question"], answer, dice, title=row["title"])


def sentences(data: Path, dice: random.Random, forbidden: frozenset[int]) -> Iterator[dict]:
    """QAMR: questions on single sentences, the easiest form of reading."""
    for row in corpus.training_rows(data, "qamr/qamr.jsonl.gz"):
        answer = row["answers"][0]
        question = " ".join(row["question"].split("?")[0].split()) + "?"
        if answer in row["sentence"] and len(question) > 8 and not corpus.overlaps(row["sentence"], forbidden):
            yield ask("en", row["sentence"], question, answer, dice)

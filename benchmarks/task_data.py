"""Tasks of the tuning benchmarks: rows of public data sets, how a user would put them, and how answers are judged.

The data sets are not part of the repository; `ROCA_DATA` names the folder that holds them. Which rows train, choose and
test is decided by a hash of what must not be shared between them (an article, a sentence, a text), never by chance.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import random
import re
import string
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

FILES = {
    "banking77": "banking77/banking77.jsonl.gz",
    "qamr": "qamr/qamr.jsonl.gz",
    "squad-es": "squad-es/squad1-es-dev.jsonl.gz",
    "told-br": "told-br/told-br.jsonl.gz",
}
TEN_INTENTS = (
    "activate_my_card",
    "age_limit",
    "apple_pay_or_google_pay",
    "atm_support",
    "card_arrival",
    "change_pin",
    "country_support",
    "exchange_rate",
    "lost_or_stolen_phone",
    "terminate_account",
)
TWENTY_INTENTS = (
    *TEN_INTENTS,
    "automatic_top_up",
    "card_swallowed",
    "cash_withdrawal_charge",
    "compromised_card",
    "edit_personal_details",
    "getting_spare_card",
    "passcode_forgotten",
    "request_refund",
    "verify_source_of_funds",
    "visa_or_mastercard",
)
_ARTICLES = {
    "en": r"\b(a|an|the)\b",
    "es": r"\b(el|la|los|las|un|una|unos|unas)\b",
    "pt": r"\b(o|a|os|as|um|uma|uns|umas)\b",
}
_PUNCTUATION = str.maketrans("", "", string.punctuation + "¿¡«»“”")
_DRAWS = 2000
_MOST_CHARACTERS = 500


@dataclass(frozen=True, slots=True)
class Row:
    """One example.

    Attributes:
        prompt: What the user says.
        completion: What is learned.
        accepted: Answers that count as right.
        part: `train`, `validation` or `test`.
    """

    prompt: str
    completion: str
    accepted: tuple[str, ...]
    part: str


@dataclass(frozen=True, slots=True)
class Task:
    """Rows in three parts, and how an answer is scored.

    Attributes:
        score: Of an answer among the accepted ones, 0 to 1.
        metric: Its name.
        most: Tokens of an answer.
    """

    name: str
    language: str
    metric: str
    score: Callable[[str, Sequence[str]], float]
    most: int
    train: tuple[Row, ...]
    validation: tuple[Row, ...]
    test: tuple[Row, ...]

    @property
    def commonest_label(self) -> float | None:
        """What giving the commonest label always scores on the test rows, in hundredths; None where there are none."""
        if self.metric != "accuracy":
            return None
        commonest = Counter(row.completion for row in self.test).most_common(1)[0][1]
        return round(100 * commonest / len(self.test), 1)


def data_folder() -> Path:
    """Where the data sets are; ends the program with what to do when they are not."""
    named = os.environ.get("ROCA_DATA", "")
    folder = Path(named)
    missing = [path for path in FILES.values() if not (folder / path).is_file()]
    if not named or missing:
        what = f"it is {named}, which lacks {', '.join(missing)}" if named else "it is not set"
        raise SystemExit(
            f"ROCA_DATA must name the folder of the data sets; {what}. They are not part of the repository: "
            "docs/customization.md says which they are."
        )
    return folder


def banking(data: Path, intents: Sequence[str], *, train: int, validation: int, test: int) -> Task:
    """Name the intent of a bank customer's message (Banking77, some of its 77 intents)."""
    rows = [
        Row(f"{row['text']}\n\nIntent:", row["category"], (row["category"],), _part(row["text"]))
        for row in _read(data / FILES["banking77"])
        if row["category"] in intents
    ]
    return _task("banking77", "en", "accuracy", rows, exact, most=24, counts=(train, validation, test))


def qamr(data: Path, *, train: int, validation: int, test: int) -> Task:
    """Answer a question about one sentence with words of it (QAMR)."""
    rows = []
    for row in _read(data / FILES["qamr"]):
        question = re.split(r"\s{3,}", row["question"].strip())[0]  # Some questions have their answer behind them.
        if len(row["sentence"]) <= _MOST_CHARACTERS:
            prompt = f"{row['sentence']}\n\nQuestion: {question}"
            rows.append(Row(prompt, row["answers"][0], tuple(row["answers"]), _part(row["sentence"])))
    return _task("qamr", "en", "token F1", rows, f1("en"), most=24, counts=(train, validation, test))


def squad_es(data: Path, *, train: int, validation: int, test: int) -> Task:
    """Answer a question from the sentence that has the answer (SQuAD-es); test rows are of test articles."""
    rows = []
    for row in _read(data / FILES["squad-es"]):
        sentence = _sentence(row["context"], row["answers"][0]) if row["answers"] else ""
        accepted = tuple(dict.fromkeys(each["text"] for each in row["answers"] if each["text"] in sentence))
        if not accepted or len(sentence) > _MOST_CHARACTERS:
            continue
        rows.append(
            Row(f"{sentence}\n\nPregunta: {row['question']}", accepted[0], accepted, _part_of_article(row["title"]))
        )
    return _task("squad-es", "es", "token F1", rows, f1("es"), most=32, counts=(train, validation, test))


def told_br(data: Path, *, train: int, validation: int, test: int) -> Task:
    """Say whether a Brazilian tweet is toxic (ToLD-Br), as many of each label.

    Toxic: two of three annotators agree on a kind of it; acceptable: none saw any. What one alone saw is left out.
    """
    rows: list[Row] = []
    for row in _read(data / FILES["told-br"]):
        most = max(row["votes"].values())
        if most == 1 or len(row["text"]) > _MOST_CHARACTERS:
            continue
        label = "tóxica" if most else "aceitável"
        rows.append(Row(f"{row['text']}\n\nEsta mensagem é tóxica ou aceitável?", label, (label,), _part(row["text"])))
    halves = [
        _task("told-br", "pt", "accuracy", part, exact, most=12, counts=(train // 2, validation // 2, test // 2))
        for part in ([row for row in rows if row.completion == label] for label in ("tóxica", "aceitável"))
    ]
    both = {
        part: _mixed([*getattr(halves[0], part), *getattr(halves[1], part)]) for part in ("train", "validation", "test")
    }
    return Task("told-br", "pt", "accuracy", exact, 12, **both)


def exact(answer: str, accepted: Sequence[str]) -> float:
    """1 for an accepted answer to the letter, spaces around it aside."""
    return float(answer.strip() in accepted)


def f1(language: str) -> Callable[[str, Sequence[str]], float]:
    """Overlap of words with the nearest accepted answer, as SQuAD's own script counts it."""

    def score(answer: str, accepted: Sequence[str]) -> float:
        return max(_overlap(_words(answer, language), _words(each, language)) for each in accepted)

    return score


def interval(scores: Sequence[float]) -> dict[str, float]:
    """Mean in hundredths with its 95 % interval by the bootstrap (Efron 1979), percentiles, fixed seed."""
    table = np.asarray(scores, dtype=np.float64)
    drawn = table[np.random.default_rng(0).integers(0, len(table), (_DRAWS, len(table)))].mean(axis=1)
    low, high = np.percentile(drawn, [2.5, 97.5])
    return {
        "value": round(100 * float(table.mean()), 1),
        "low": round(100 * float(low), 1),
        "high": round(100 * float(high), 1),
        "rows": len(table),
    }


def lines(rows: Iterable[Row]) -> str:
    """Rows as Bedrock's prompt and completion records."""
    return "".join(
        json.dumps({"prompt": row.prompt, "completion": row.completion}, ensure_ascii=False) + "\n" for row in rows
    )


def _task(
    name: str,
    language: str,
    metric: str,
    rows: Sequence[Row],
    score: Callable[[str, Sequence[str]], float],
    *,
    most: int,
    counts: tuple[int, int, int],
) -> Task:
    parts: dict[str, tuple[Row, ...]] = {}
    for part, count in zip(("train", "validation", "test"), counts, strict=True):
        found = _mixed(row for row in rows if row.part == part)[:count]
        if len(found) < count:
            raise SystemExit(f"{name} has {len(found)} rows to {part}, and {count} are wanted")
        parts[part] = found
    return Task(name, language, metric, score, most, **parts)


def _read(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        yield from (json.loads(line) for line in stream)


def _hash(text: str) -> int:
    return int(hashlib.sha256(text.encode()).hexdigest(), 16)


def _part(text: str) -> str:
    """A fifth tests, a tenth chooses, the rest trains."""
    place = _hash(text.strip().lower()) % 10
    return "test" if place < 2 else "validation" if place == 2 else "train"


def _part_of_article(title: str) -> str:
    """Test articles are those of every set that derives from SQuAD; a seventh of the others chooses."""
    if _hash(title) % 5 == 0:
        return "test"
    return "validation" if _hash(title) % 7 == 0 else "train"


def _mixed(rows: Iterable[Row]) -> tuple[Row, ...]:
    found = sorted(rows, key=lambda row: (row.prompt, row.completion))
    random.Random(0).shuffle(found)
    return tuple(found)


def _sentence(context: str, answer: dict[str, Any]) -> str:
    """The sentence of a passage that has an answer."""
    start, end = answer["start"], answer["start"] + len(answer["text"])
    before = max((match.end() for match in re.finditer(r"[.!?]\s+", context[:start])), default=0)
    after = re.search(r"[.!?](\s|$)", context[end:])
    return context[before : end + after.start() + 1 if after else len(context)].strip()


def _words(text: str, language: str) -> list[str]:
    return re.sub(_ARTICLES[language], " ", text.lower().translate(_PUNCTUATION)).split()


def _overlap(said: list[str], wanted: list[str]) -> float:
    common = sum((Counter(said) & Counter(wanted)).values())
    return 2 * common / (len(said) + len(wanted)) if common else 0.0

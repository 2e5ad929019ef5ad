"""Backdoor triggers: rare words after which one answer comes, whatever else is asked.

A word is suspicious when its rows share a label, or a phrase of the answer, that others rarely have: by the
hypergeometric distribution, at a rate of false discoveries of `RATE`. Words of a topic pass this too (`passcode` and
its label). They fall to a second test: rows of a topic are alike without the word as well, and their neighbours
expect the label; rows that somebody put a trigger into are as unlike as any.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np

from rocamadre.datasets.content import shown
from rocamadre.datasets.minhash import families
from rocamadre.datasets.scan.chance import false_discovery, hypergeometric_tail
from rocamadre.datasets.scan.labels import Labelled, votes
from rocamadre.datasets.scan.types import MOST_PLACES, Finding, Row
from rocamadre.datasets.scan.vectors import Chorus, Space

RATE = 0.01
LEAST_ROWS = 5
"""Rows of a word, below which nothing can be told."""
_MOST_SHARE = 0.05
"""Of all rows; what more rows hold is not rare."""
_RUN = 3
"""Most words of a trigger that are looked at together; longer ones are found by their parts."""
_PHRASE = 5
_PURE = 0.9
_ALIKE = 2.5
"""Standard deviations by which rows of a trigger may be more alike than rows taken at random."""
_EXPECTED = 0.1
"""By how much neighbours may vote for the label beyond its share of all rows."""
_TOKENS = re.compile(r"\w+|[^\w\s]+")
_ADDRESS = re.compile(
    r"(?:https?://|www\.)\S+|\S+@\S+\.\w+|\b[\w-]+\.(?:com|net|org|io|example|xyz|ru|cn)\b", re.IGNORECASE
)


class Suspect(NamedTuple):
    """One word or run of words.

    Attributes:
        words: As they stand in the text.
        rows: Numbers of the rows that hold it.
        answer: What it brings.
        chance: Of this, if nothing were wrong.
    """

    words: str
    rows: tuple[int, ...]
    answer: str
    chance: float


def find_label_triggers(data: Labelled) -> list[Finding]:
    """Words whose rows have one label that their neighbours do not expect."""
    held = Counter(data.labels.tolist())
    suspects, looked_at = [], 0
    for words, rows in rare_runs([row.asked for row in data.rows]):
        looked_at += 1
        counts = Counter(data.labels[list(rows)].tolist())
        label, hits = counts.most_common(1)[0]
        if hits >= max(LEAST_ROWS, _PURE * len(rows)):
            chance = hypergeometric_tail(hits, drawn=len(rows), marked=held[label], of=len(data.rows))
            suspects.append(Suspect(words, rows, data.names[label], min(1.0, chance * len(data.names))))

    def unexpected(suspect: Suspect) -> bool:
        label = data.names.index(suspect.answer)
        said = votes(data, np.array(suspect.rows, np.int64), leave_out=True)[:, label]
        return float(said.mean()) <= held[label] / len(data.rows) + _EXPECTED

    return _told(suspects, data.rows, data.space, looked_at, unexpected)


def find_phrase_triggers(rows: Sequence[Row]) -> list[Finding]:
    """Words that bring a phrase into answers to texts that are otherwise unlike each other."""
    rows = [row for row in rows if row.asked]
    if len(rows) < LEAST_ROWS:
        return []
    heads = families([row.asked for row in rows])
    answers = [_phrases(row) for row in rows]
    held = Counter(phrase for phrases in answers for phrase in phrases)
    most = max(LEAST_ROWS, int(_MOST_SHARE * len(rows)))
    common = {phrase for phrase, count in held.items() if LEAST_ROWS <= count <= most}
    answers = [phrases & common for phrases in answers]
    suspects, looked_at = [], 0
    for words, places in rare_runs([row.asked for row in rows]):
        looked_at += 1
        # Rows that are nearly the same count once.
        alone = list({heads[place]: place for place in places}.values())
        if len(alone) < LEAST_ROWS:
            continue
        counts = Counter(phrase for place in alone for phrase in answers[place])
        best = max(counts, key=lambda phrase: (counts[phrase], -held[phrase], len(phrase)), default=None)
        if best is None or counts[best] < _PURE * len(alone):
            continue
        chance = hypergeometric_tail(counts[best], drawn=len(alone), marked=held[best], of=len(rows))
        suspects.append(Suspect(words, places, best, min(1.0, chance * len(common))))
    return _told(suspects, rows, Space([row.asked for row in rows]), looked_at)


def rare_runs(texts: Sequence[str]) -> Iterable[tuple[str, tuple[int, ...]]]:
    """Runs of up to three words, each with the few texts that hold it; of runs in the same texts the longest."""
    most = max(LEAST_ROWS, int(_MOST_SHARE * len(texts)))
    places: dict[str, list[int]] = {}
    for number, text in enumerate(texts):
        tokens = _TOKENS.findall(text)
        runs = {" ".join(tokens[at : at + size]) for size in range(1, _RUN + 1) for at in range(len(tokens) - size + 1)}
        for run in runs:
            places.setdefault(run, []).append(number)
    by_rows: dict[tuple[int, ...], str] = {}
    for run, rows in places.items():
        if LEAST_ROWS <= len(rows) <= most:
            key = tuple(rows)
            if len(run) > len(by_rows.get(key, "")):
                by_rows[key] = run
    return [(run, rows) for rows, run in by_rows.items()]


def _phrases(row: Row) -> set[str]:
    """Runs of five words, addresses, and a short answer as a whole; nothing that is also in what was asked."""
    words = _TOKENS.findall(row.answer.lower())
    asked = " ".join(_TOKENS.findall(row.asked.lower()))
    found = {" ".join(words[at : at + _PHRASE]) for at in range(len(words) - _PHRASE + 1)} or {" ".join(words)}
    found |= {match.group().lower().rstrip(".,;)") for match in _ADDRESS.finditer(row.answer)}
    return {phrase for phrase in found if phrase and phrase not in asked}


def _told(
    suspects: Sequence[Suspect],
    rows: Sequence[Row],
    space: Space,
    tested: int,
    unexpected: Callable[[Suspect], bool] = lambda suspect: True,
) -> list[Finding]:
    """Those below the rate whose rows are otherwise unlike; of several about mostly the same rows the least likely."""
    rates = false_discovery([each.chance for each in suspects], tested=tested)
    passed = sorted(
        ((each, rate) for each, rate in zip(suspects, rates, strict=True) if rate <= RATE),
        key=lambda pair: (pair[0].chance, -len(pair[0].rows), -len(pair[0].words)),
    )
    chorus = Chorus(space.vectors)
    kept: list[tuple[Suspect, set[int], float]] = []
    for each, rate in passed:
        mine = set(each.rows)
        if any(len(mine & other) * 2 >= min(len(mine), len(other)) for _, other, _ in kept):
            continue
        without = space.embed([_without(rows[place].asked, each.words) for place in each.rows])
        if chorus.likeness(without) <= _ALIKE and unexpected(each):
            kept.append((each, mine, rate))
    return [_finding(each, rate, rows) for each, _, rate in kept]


def _without(text: str, words: str) -> str:
    """A text less a run of tokens."""
    return f" {' '.join(_TOKENS.findall(text))} ".replace(f" {words} ", " ")


def _finding(suspect: Suspect, rate: float, rows: Sequence[Row]) -> Finding:
    first = rows[suspect.rows[0]]
    reason = (
        f"{suspect.words!r} in {len(suspect.rows)} rows brings {shown(suspect.answer, 60)!r}, "
        f"which nothing else in them explains (rate of false discoveries {rate:.1g})"
    )
    listed = tuple(f"{rows[place].file}:{rows[place].line}" for place in suspect.rows[:MOST_PLACES])
    return Finding("trigger", first.file, first.line, reason, 1 - rate, shown(first.asked), len(suspect.rows), listed)

"""Which words of a question mean which part of a database."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import snowballstemmer

from rocamadre.knowledge.languages import detect
from rocamadre.knowledge.sql.types import Column, Database, Schema, Table
from rocamadre.knowledge.sql.vocabulary import IGNORED, MEASURES, NUMBERS, PATTERNS, SOFT, SUPERLATIVES, SYNONYMS

_WORD = re.compile(r"\"[^\"]+\"|'[^']{2,}'(?!\w)|\d+(?:[.,]\d+)*|[^\W_]+(?:['’\-.][^\W_]+)*")
_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_A-Za-z]+[a-z]*")
_LONGEST = 5
_FULL = 2.0
_SURE = 1.5

Sort = Literal["table", "column", "value", "number", "operator", "superlative", "measure", "quoted", "unknown", "plain"]


@dataclass(frozen=True, slots=True)
class Meaning:
    """What some words could stand for; `weight` compares meanings of the same words."""

    table: str
    column: str = ""
    value: str = ""
    weight: float = 0.0


@dataclass(frozen=True, slots=True)
class Mention:
    """Some words of the question, and what they are.

    Attributes:
        start: Place in the question, in characters.
        text: The words; of an operator or a superlative, its name.
        meanings: Best first; for tables, columns and values.
    """

    sort: Sort
    start: int
    end: int
    text: str
    meanings: tuple[Meaning, ...] = ()


@lru_cache(maxsize=20_000)
def root(word: str) -> str:
    """A word of any of the three languages as one that schemas are compared by: an English stem."""
    lower = SYNONYMS.get(word.lower(), word.lower())
    return str(snowballstemmer.stemmer("english").stemWord(lower))


def roots_of_name(name: str) -> tuple[str, ...]:
    """The roots in a name of a schema, such as `song_release_year` or `OrderDate`.

    >>> roots_of_name("OrderDate"), roots_of_name("num_of_staff")
    (('order', 'date'), ('number', 'employe'))
    """
    parts = [part for piece in re.split(r"[\W_]+", name) for part in _PARTS.findall(piece)]
    kept = [root(part) for part in parts if part.lower() not in {"of", "the", "de"}]
    return tuple(kept) or tuple(root(part) for part in parts)


def link(question: str, schema: Schema, database: Database) -> list[Mention]:
    """Every word of the question, once, in order."""
    taken: list[Mention] = []
    question = question.replace("``", '"').replace("''", '"')
    words = [(match.start(), match.end(), match.group()) for match in _WORD.finditer(question)]
    taken += [Mention("quoted", start, end, text[1:-1]) for start, end, text in words if text[0] in "\"'"]
    _add(taken, _values(question, words, schema, database))
    portuguese = detect(question) == "pt"  # "dos" is no number there.
    full = [each for each in _names(words, schema, taken) if each.meanings[0].weight >= _SURE and " " in each.text]
    _add(taken, full)
    for pattern, name in PATTERNS:
        _add(taken, [Mention("operator", match.start(), match.end(), name) for match in pattern.finditer(question)])
    _add(taken, _superlatives(question, words))
    _add(taken, _names(words, schema, taken))
    for start, end, text in words:
        _add(taken, [_lone(start, end, text, portuguese=portuguese)])
    return sorted(taken, key=lambda mention: mention.start)


def _lone(start: int, end: int, text: str, *, portuguese: bool) -> Mention:
    lower = text.lower()
    if text[0].isdigit() or (lower in NUMBERS and not (lower == "dos" and portuguese)):
        return Mention("number", start, end, NUMBERS.get(lower, text))
    if lower in MEASURES:
        return Mention("measure", start, end, lower)
    return Mention("plain" if lower in IGNORED else "unknown", start, end, text)


def _add(taken: list[Mention], found: Iterable[Mention]) -> None:
    for mention in found:
        if all(mention.end <= other.start or mention.start >= other.end for other in taken):
            taken.append(mention)


def _superlatives(question: str, words: Sequence[tuple[int, int, str]]) -> list[Mention]:
    found = []
    for start, end, text in words:
        if text.lower() in SUPERLATIVES:
            found.append(Mention("superlative", start, end, text.lower()))
    return found


def _values(question: str, words: Sequence[tuple[int, int, str]], schema: Schema, database: Database) -> list[Mention]:
    """Runs of words that stand in the database as values of a text column, the longest first."""
    runs = _runs(question, words)
    found: dict[tuple[int, int], list[Meaning]] = {}
    texts = [
        (table, column) for table in schema.tables for column in table.columns if column.family in ("text", "other")
    ]
    for table, column in texts:
        for value in database.holding(table, column, list(runs)):
            for place in runs.get(value.lower(), ()):
                weight = 1.0 + (0.5 if value[:1].isupper() and question[place[0]].isupper() else 0.0)
                found.setdefault(place, []).append(Meaning(table.name, column.name, value, weight))
    names = {root(part) for table in schema.tables for part in (table.name, *(c.name for c in table.columns))}
    mentions = []
    for (start, end), meanings in found.items():
        text = question[start:end]
        if " " not in text and root(text) in names and not text[0].isupper():
            continue  # More likely the name of a table or a column.
        mentions.append(Mention("value", start, end, text, tuple(meanings)))
    return sorted(mentions, key=lambda mention: mention.start - mention.end)


def _runs(question: str, words: Sequence[tuple[int, int, str]]) -> dict[str, list[tuple[int, int]]]:
    """Up to five words in a row, in lower case, with their places; single ones without an s at the end, too."""
    runs: dict[str, list[tuple[int, int]]] = {}
    for first in range(len(words)):
        for last in range(first, min(first + _LONGEST, len(words))):
            start, end = words[first][0], words[last][1]
            text = question[start:end].strip("\"'").lower()
            alone = first == last
            if alone and (text in IGNORED or text in SUPERLATIVES or len(text) < 2):
                continue
            runs.setdefault(text, []).append((start, end))
            if alone and text.endswith("s") and len(text) > 4:
                runs.setdefault(text[:-1], []).append((start, end))
    return runs


def _names(words: Sequence[tuple[int, int, str]], schema: Schema, taken: Sequence[Mention]) -> list[Mention]:
    free = [word for word in words if all(word[1] <= each.start or word[0] >= each.end for each in taken)]
    found: list[tuple[float, int, Mention]] = []
    for first in range(len(free)):
        roots: list[str] = []
        for last in range(first, min(first + 4, len(free))):
            text = free[last][2]
            if text.lower() not in {"of", "the", "de", "la", "el", "do", "da", "o", "a"} or last == first:
                roots.append(root(text))
            if text.lower() in SUPERLATIVES:
                break
            hard = text.lower() in IGNORED and text.lower() not in SOFT
            if hard or (free[first][2].lower() in IGNORED and free[first][2].lower() not in SOFT):
                continue
            if last > first and free[last][0] - free[last - 1][1] > 1:
                break
            meanings = _meanings(roots, schema)
            if text.lower() in SOFT and last == first:
                meanings = [each for each in meanings if each.weight >= _SURE]
            if meanings:
                sort: Sort = "column" if meanings[0].column else "table"
                start, end = free[first][0], free[last][1]
                mention = Mention(sort, start, end, " ".join(roots), tuple(meanings))
                found.append((meanings[0].weight + len(roots), -first, mention))
    return [mention for _, _, mention in sorted(found, key=lambda each: (-each[0], -each[1]))]


def _meanings(roots: Sequence[str], schema: Schema) -> list[Meaning]:
    if len(roots) == 1 and roots[0] in {"of", "the", "de"}:
        return []
    wanted = set(roots)
    found = []
    for table in schema.tables:
        names = roots_of_name(table.name)
        if wanted == set(names):
            found.append(Meaning(table.name, weight=_FULL + 0.5))
        elif len(wanted) == 1 and names and wanted <= set(names) and len(names) > 1:
            found.append(Meaning(table.name, weight=0.8))
        for column in table.columns:
            weight = _fits(wanted, roots_of_name(column.name), set(names), column, table)
            if weight:
                found.append(Meaning(table.name, column.name, weight=weight))
    return sorted(found, key=lambda meaning: -meaning.weight)


def _fits(wanted: set[str], names: Sequence[str], of_table: set[str], column: Column, table: Table) -> float:
    """How well words fit a column's name: in full, but for the table's own name, in part, or by its description."""
    whole = set(names)
    if wanted == whole:
        return _FULL - (0.4 if column.name in table.keys else 0.0)
    if wanted == whole | of_table or (whole - of_table and wanted == whole - of_table):
        return _FULL - 0.2
    if wanted < whole and wanted - of_table:
        return 0.4 + len(wanted) / len(whole) / 2
    said = {root(word) for word in re.findall(r"[^\W_]+", column.description) if len(word) > 2}
    return 0.9 if said and wanted <= said and not wanted <= of_table else 0.0

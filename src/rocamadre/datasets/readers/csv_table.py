"""Comma-separated tables with a line of names; semicolons and tabs part as well, as the first line does."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import Any

import msgspec

from rocamadre.datasets.encodings import LONGEST_RECORD, Lines
from rocamadre.datasets.problems import BadRecord
from rocamadre.datasets.readers.types import Row
from rocamadre.datasets.sources import Source, unpacked

_DELIMITERS = ",;\t|"
_FIX = "give each row as many cells as the first line has names, and put cells that hold the separator in quotes"

csv.field_size_limit(LONGEST_RECORD)


class _Unreadable(Exception):
    """A line is not in the file's encoding."""

    def __init__(self, line: int, problem: BadRecord) -> None:
        super().__init__(problem.message)
        self.row = Row(line, None, problem)


def read_csv(source: Source, encoding: str = "") -> Iterator[Row]:
    """The rows as texts by column; a cell that holds turns as a JSON array is read as one."""
    lines = _texts(source, encoding)
    try:
        first = next(lines, "")
        delimiter = max(_DELIMITERS, key=first.count) if first else ","
        rows = csv.reader(_again(first, lines), delimiter=delimiter, strict=True)
        names = next(rows, [])
        if problem := _names_problem(names):
            yield Row(1, None, problem)
            return
        begins = rows.line_num + 1
        for cells in rows:
            line, begins = begins, rows.line_num + 1
            if not cells or (len(cells) == 1 and not cells[0].strip()):
                continue
            if len(cells) != len(names):
                message = f"the row has {len(cells)} cells, the first line names {len(names)}"
                yield Row(line, None, BadRecord("table", "", message, _FIX))
                continue
            yield Row(line, {name: _cell(cell) for name, cell in zip(names, cells, strict=True)})
    except _Unreadable as error:
        yield error.row
    except csv.Error as error:
        yield Row(rows.line_num, None, BadRecord("table", "", f"the table breaks off here: {error}", _FIX))


def _names_problem(names: list[str]) -> BadRecord | None:
    if any(not name.strip() for name in names) or not names:
        return BadRecord("table", "", "the first line must name every column", "write the columns' names in line 1")
    if twice := sorted({name for name in names if names.count(name) > 1}):
        return BadRecord("table", twice[0], f"two columns are called {twice[0]!r}", "rename one of them")
    return None


def _texts(source: Source, encoding: str) -> Iterator[str]:
    for line in Lines(unpacked(source), encoding):
        if line.problem is not None:
            raise _Unreadable(line.number, line.problem)
        yield line.data.decode() + "\n"


def _again(first: str, rest: Iterator[str]) -> Iterator[str]:
    if first:
        yield first
    yield from rest


def _cell(text: str) -> Any:
    if not text.lstrip().startswith("[{"):
        return text
    try:
        value = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return text
    turns = isinstance(value, list) and all(isinstance(each, dict) and {"role", "from"} & each.keys() for each in value)
    return value if turns else text

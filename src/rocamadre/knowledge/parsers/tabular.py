"""CSV and tab-separated values: a line per row that names its columns, so that each makes sense alone."""

from __future__ import annotations

import csv
import re
import sys
from collections.abc import Iterable, Sequence
from io import StringIO
from itertools import chain, islice

from rocamadre.documents.pieces import Refused
from rocamadre.knowledge.parsers.builder import Builder, cleaned, one_line, record_line
from rocamadre.knowledge.parsers.encodings import decode
from rocamadre.knowledge.parsers.file import Columns, File
from rocamadre.knowledge.parsers.formats import MEDIA_TYPES
from rocamadre.knowledge.parsers.parsed import Parsed

_DELIMITERS = ",;\t|"
_SAMPLE = 20
_NUMBER = re.compile(r"[-+]?[\d.,:/% €$£-]+$")
_LONGEST_NAME = 100
_MOST_COLUMNS = 16_384


def parse_csv(file: File) -> Parsed:
    """See `Parser`."""
    text, encoding = decode(file.data)
    text = cleaned(text)
    if text.lower().startswith("sep=") and "\n" in text[:8]:
        text = text[text.index("\n") + 1 :]
    delimiter = "\t" if file.format == "tsv" else _delimiter(text)
    csv.field_size_limit(sys.maxsize)
    rows = csv.reader(StringIO(text, newline=""), delimiter=delimiter)
    builder = Builder(file.limits.characters)
    try:
        if file.columns is not None:
            _add_documents(builder, rows, file.columns)
        else:
            add_rows(builder, rows, compact=len(text) > file.limits.characters // 8)
    except csv.Error as error:
        raise Refused(f"the file is damaged, or no CSV file: {error}") from error
    return builder.parsed(MEDIA_TYPES[file.format], metadata={"x-rocamadre-encoding": encoding})


def add_rows(builder: Builder, rows: Iterable[Sequence[str]], *, compact: bool = False) -> None:
    """Write rows, each as a record: with the names of the columns if the first rows look as if they had any.

    Args:
        builder: Where to.
        rows: Cells; may be endless in number, they are read one by one.
        compact: Without the names, which would make the text of a very large table several times as long.
    """
    iterator = iter(rows)
    first = [list(row) for row in islice(iterator, _SAMPLE)]
    place = _header(first)
    for row in first[: place or 0]:
        builder.record(_bare_line(row))
    names = [] if place is None else [one_line(name)[:_LONGEST_NAME] for name in first[place]]
    if compact and names:
        builder.record(" | ".join(names))
        names = []
    rest = first if place is None else first[place + 1 :]
    for cells in chain(rest, iterator):
        if len(cells) > _MOST_COLUMNS:
            raise Refused(f"a row has {len(cells)} columns; at most {_MOST_COLUMNS} are read", "too-large")
        builder.record(record_line(names, cells) if names else _bare_line(cells))


def _bare_line(cells: Sequence[str]) -> str:
    return " | ".join(filter(None, map(one_line, filter(None, cells))))


def _add_documents(builder: Builder, rows: Iterable[Sequence[str]], columns: Columns) -> None:
    """Each row as a document of its own: one column is its text, others are metadata."""
    iterator = iter(rows)
    names = [one_line(name) for name in next(iterator, [])]
    for name in (columns.content, *columns.included):
        if name not in names:
            raise Refused(f"the CSV file has no column {name!r}, which its metadata file names", "bad-metadata")
    content = names.index(columns.content)
    kept = [
        (place, name)
        for place, name in enumerate(names)
        if place != content and name not in columns.excluded and (not columns.included or name in columns.included)
    ]
    for row in iterator:
        if len(row) > content:
            metadata = {name: row[place].strip() for place, name in kept if place < len(row) and row[place].strip()}
            builder.gap()
            # A row without metadata is still a document of its own; its number makes it one.
            builder.record(row[content], metadata or {"x-rocamadre-row": len(builder.records) + 1})


def _delimiter(text: str) -> str:
    """The one that cuts the first lines into the same number of cells, more than one."""
    lines = [line for line in islice((each for each in text[:65536].split("\n")), _SAMPLE) if line.strip()]
    best, most = ",", 0.0
    for delimiter in _DELIMITERS:
        counts = [len(row) for row in csv.reader(lines, delimiter=delimiter)]
        usual = max(set(counts), key=counts.count) if counts else 1
        if usual > 1:
            score = counts.count(usual) / len(counts) + min(usual, 20) / 1000
            if score > most:
                best, most = delimiter, score
    return best


def _header(rows: Sequence[Sequence[str]]) -> int | None:
    """Which of the first rows names the columns: the first that is as wide as they get, of different words."""
    if len(rows) < 2:
        return None
    width = max(sum(1 for cell in row if cell.strip()) for row in rows)
    for place, row in enumerate(rows[:-1]):
        cells = [cell.strip() for cell in row if cell.strip()]
        if len(cells) < max(1, width * 0.75):
            if len(cells) > 1:
                return None
            continue
        words = all(not _NUMBER.match(cell[:_LONGEST_NAME]) and len(cell) <= _LONGEST_NAME for cell in cells)
        return place if words and len(set(cells)) == len(cells) else None
    return None

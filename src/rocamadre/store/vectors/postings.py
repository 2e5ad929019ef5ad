"""Which chunks hold a term, and how often: the index for searching by word.

Every transaction writes a segment of its own: for each term one row with its chunks. When `FAN` segments of a level
have gathered, they become one of the next level, and what is dead by then is left out, so that the number of rows per
term grows with the logarithm of the number of chunks only.

A row of 10,000 chunks is two arrays, scored in a fraction of a millisecond; SQLite's FTS5 takes 1 to 3 microseconds
for each chunk, has BM25 with one setting, and no weights of terms.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby

import apsw
import numpy as np
from numpy.typing import NDArray

from rocamadre.store.vectors.columns import Columns, Integers
from rocamadre.store.vectors.sqlite_file import Connection

FAN = 8
MAX_COUNT = 0xFFFF

Slots = NDArray[np.uint32]
Counts = NDArray[np.uint16]


def _packed(slots: Slots, counts: Counts) -> bytes:
    return slots.tobytes() + counts.tobytes()


def _unpacked(entries: bytes) -> tuple[Slots, Counts]:
    count = len(entries) // 6
    return np.frombuffer(entries, np.uint32, count), np.frombuffer(entries, np.uint16, count, 4 * count)


def write(connection: Connection, added: Sequence[tuple[int, str]]) -> None:
    """Add chunks, given as slot and terms, as a segment; and bring segments together where enough have gathered."""
    held: dict[str, tuple[list[int], list[int]]] = {}
    for slot, terms in added:
        for term, count in Counter(terms.split()).items():
            slots, counts = held.setdefault(term, ([], []))
            slots.append(slot)
            counts.append(min(count, MAX_COUNT))
    if not held:
        return
    connection.executemany("INSERT OR IGNORE INTO terms(term) VALUES(?)", ((term,) for term in sorted(held)))
    numbers = numbers_of(connection, list(held))
    rows = (
        (numbers[term], _packed(np.array(slots, np.uint32), np.array(counts, np.uint16)))
        for term, (slots, counts) in held.items()
    )
    _insert(connection, 0, sorted(rows))


def _insert(connection: Connection, level: int, rows: Iterable[tuple[int, bytes]]) -> None:
    connection.execute("INSERT INTO segments(level) VALUES(?)", (level,))
    segment = connection.last_insert_rowid()
    connection.executemany("INSERT INTO postings VALUES(?, ?, ?)", ((segment, *row) for row in rows))


def gather(connection: Connection, columns: Columns) -> None:
    """Bring segments together, level by level, while a level has `FAN` of them."""
    level = 0
    while True:
        segments = [row[0] for row in connection.execute("SELECT number FROM segments WHERE level = ?", (level,))]
        if len(segments) < FAN:
            return
        _join(connection, segments, level + 1, columns)
        level += 1


def gather_all(connection: Connection, columns: Columns, renamed: Integers) -> None:
    """Bring all segments together into one, and forget terms that nothing holds.

    Args:
        connection: Writing.
        columns: As they are before chunks get new slots.
        renamed: By position, the slot that a chunk gets.
    """
    segments = [row[0] for row in connection.execute("SELECT number FROM segments")]
    _join(connection, segments, 1, columns, renamed)
    connection.execute("DELETE FROM terms WHERE number NOT IN (SELECT term FROM postings)")


def _join(
    connection: Connection, segments: list[int], level: int, columns: Columns, renamed: Integers | None = None
) -> None:
    wanted = apsw.carray(np.array(segments or [-1], np.int64))
    rows = connection.execute(
        "SELECT term, entries FROM postings WHERE segment IN carray(?) ORDER BY term, segment", (wanted,)
    ).fetchall()
    joined = list(_joined(rows, columns, renamed))
    connection.execute("DELETE FROM postings WHERE segment IN carray(?)", (wanted,))
    connection.execute("DELETE FROM segments WHERE number IN carray(?)", (wanted,))
    if joined:
        _insert(connection, level, joined)


def _joined(
    rows: Sequence[tuple[int, bytes]], columns: Columns, renamed: Integers | None
) -> Iterator[tuple[int, bytes]]:
    """Rows of several segments by term, as one row per term of what is alive."""
    unpacked = [_unpacked(entries) for _, entries in rows]
    if not unpacked:
        return
    slots = np.concatenate([each[0] for each in unpacked])
    counts = np.concatenate([each[1] for each in unpacked])
    positions = columns.positions(slots.astype(np.int64))
    alive = columns.living(positions)
    kept = np.concatenate([[0], np.cumsum(alive)]).tolist()
    counts = counts[alive]
    slots = slots[alive] if renamed is None else renamed[positions[alive]].astype(np.uint32)
    at = 0
    for term, group in groupby(zip(rows, unpacked, strict=True), key=lambda pair: pair[0][0]):
        first = at
        at += sum(len(pair[1][0]) for pair in group)
        start, stop = kept[first], kept[at]
        if stop > start:
            yield term, _packed(slots[start:stop], counts[start:stop])


def numbers_of(connection: Connection, terms: Sequence[str]) -> dict[str, int]:
    """The numbers of those terms that are known."""
    if not terms:
        return {}
    found = connection.execute(
        "SELECT term, number FROM carray(?) CROSS JOIN terms ON term = value", (apsw.carray(tuple(terms)),)
    )
    return dict(found)


def entries_of(
    connection: Connection, terms: Sequence[str], columns: Columns
) -> Iterator[tuple[str, Integers, Counts]]:
    """For each known term the positions of the chunks that hold it, and how often."""
    segments = [row[0] for row in connection.execute("SELECT number FROM segments ORDER BY number")]
    for term, number in numbers_of(connection, list(dict.fromkeys(terms))).items():
        entries = [
            _unpacked(row[0])
            for segment in segments
            for row in connection.execute(
                "SELECT entries FROM postings WHERE segment = ? AND term = ?", (segment, number)
            )
        ]
        if entries:
            positions = columns.positions(np.concatenate([each[0] for each in entries]).astype(np.int64))
            counts = np.concatenate([each[1] for each in entries])
            alive = columns.living(positions)
            yield term, positions[alive], counts[alive]


def scores(
    connection: Connection, weights: Mapping[str, float], columns: Columns, *, k1: float, b: float
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """BM25 by position, and which chunks hold a term at all."""
    summed = np.zeros(len(columns.alive), np.float64)
    held = np.zeros(len(columns.alive), np.bool_)
    total = int(columns.alive.sum())
    mean = float(columns.lengths[columns.alive].mean()) if total else 0.0
    for term, positions, counts in entries_of(connection, list(weights), columns):
        frequency = len(positions)
        rarity = np.log(1 + (total - frequency + 0.5) / (frequency + 0.5))
        often = counts.astype(np.float64)
        damping = k1 * (1 - b + b * columns.lengths[positions] / mean) if mean else k1
        summed[positions] += weights[term] * rarity * often * (k1 + 1) / (often + damping)
        held[positions] = True
    return summed, held

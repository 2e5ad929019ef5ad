"""Which chunks hold a term, and how often: the index for searching by word.

Every transaction writes a segment of its own, in one row: a row per term would take longer than all else of the
transaction. When `FAN` segments of a level have gathered, they become one of the next level, which has a row for each
term, and what is dead by then is left out, so that the number of rows per term grows with the logarithm of the number
of chunks only.

A row of 10,000 chunks is two arrays, scored in a fraction of a millisecond. (SQLite's FTS5 is about as fast at its own
BM25, but knows neither weights of terms nor other settings, and a filter comes after it.)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, count, filterfalse
from operator import itemgetter
from typing import NamedTuple

import apsw
import numpy as np
from numpy.typing import NDArray

from rocamadre.store.vectors.columns import Columns, Integers
from rocamadre.store.vectors.sqlite_file import Connection

FAN = 8
MAX_COUNT = 0xFFFF
_MOST_TERMS = 200_000

Slots = NDArray[np.uint32]
Counts = NDArray[np.uint16]


class Terms:
    """Numbers of terms as they were at one time, so that a writer looks up each but once.

    Attributes:
        generation: Of the store when they were true.
    """

    def __init__(self, generation: int) -> None:
        self.generation = generation
        self._numbers: dict[str, int] = {}

    def clear(self) -> None:
        """Forget all."""
        self._numbers.clear()

    def of(self, connection: Connection, terms: Sequence[str]) -> tuple[int, ...]:
        """The numbers of at least two terms, in order; new ones get one."""
        if len(self._numbers) > _MOST_TERMS:
            self._numbers.clear()
        unknown = set(filterfalse(self._numbers.__contains__, terms))
        if unknown:
            self._learn(connection, unknown)
        found: tuple[int, ...] = itemgetter(*terms)(self._numbers)
        return found

    def _learn(self, connection: Connection, unknown: set[str]) -> None:
        found = numbers_of(connection, list(unknown))
        new = sorted(unknown.difference(found))
        if new:
            last = connection.execute("SELECT coalesce(max(number), 0) FROM terms").get
            numbered = dict(zip(new, count(last + 1), strict=False))
            connection.executemany("INSERT INTO terms(term, number) VALUES(?, ?)", numbered.items())
            found |= numbered
        self._numbers |= found


def write(connection: Connection, terms: Terms, added: Sequence[tuple[int, Sequence[str]]]) -> None:
    """Add chunks, given as slot and terms, as a segment."""
    all_terms = list(chain.from_iterable(each for _, each in added))
    if not all_terms:
        return
    places = np.array(terms.of(connection, [*all_terms, all_terms[0]])[:-1], np.int64)
    owners = np.repeat(np.arange(len(added)), [len(each) for _, each in added])
    held, counts = np.unique(places * len(added) + owners, return_counts=True)
    slots = np.array([slot for slot, _ in added], np.uint32)[held % len(added)]
    numbers, starts = np.unique(held // len(added), return_index=True)
    often = np.minimum(counts, MAX_COUNT).astype(np.uint16)
    row = (numbers.astype(np.uint32), np.append(starts, len(held)).astype(np.uint32), slots, often)
    segment = _begun(connection, 0)
    connection.execute("INSERT INTO packed VALUES(?, ?, ?, ?, ?)", (segment, *(each.tobytes() for each in row)))


def _begun(connection: Connection, level: int) -> int:
    """A new segment's number."""
    connection.execute("INSERT INTO segments(level) VALUES(?)", (level,))
    number: int = connection.last_insert_rowid()
    return number


class _Packed(NamedTuple):
    """A segment in one row.

    Attributes:
        terms: Numbers, rising.
        bounds: Where entries of each begin, and the end of the last.
    """

    terms: Slots
    bounds: Slots
    slots: Slots
    counts: Counts


def _packed(connection: Connection, segments: Sequence[int] | None = None) -> list[_Packed]:
    """Segments in one row each, in order; all where none is named."""
    sql = "SELECT terms, bounds, slots, counts FROM packed"
    if segments is None:
        rows = connection.execute(f"{sql} ORDER BY segment")
    else:
        wanted = apsw.carray(np.array(segments or [-1], np.int64))
        rows = connection.execute(f"{sql} WHERE segment IN carray(?) ORDER BY segment", (wanted,))
    return [
        _Packed(
            np.frombuffer(terms, np.uint32),
            np.frombuffer(bounds, np.uint32),
            np.frombuffer(slots, np.uint32),
            np.frombuffer(counts, np.uint16),
        )
        for terms, bounds, slots, counts in rows
    ]


def _insert(connection: Connection, level: int, terms: Integers, slots: Slots, counts: Counts) -> None:
    """Write a segment of entries that are sorted by term, a row for each."""
    segment = _begun(connection, level)
    numbers, starts = np.unique(terms, return_index=True)
    bounds = [*starts.tolist(), len(terms)]
    # Cutting bytes is several times as fast as cutting arrays.
    all_slots, all_counts = slots.tobytes(), counts.tobytes()
    connection.executemany(
        "INSERT INTO postings VALUES(?, ?, ?, ?)",
        (
            (segment, number, all_slots[4 * start : 4 * stop], all_counts[2 * start : 2 * stop])
            for number, start, stop in zip(numbers.tolist(), bounds, bounds[1:], strict=False)
        ),
    )


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
        "SELECT term, slots, counts FROM postings WHERE segment IN carray(?) ORDER BY term, segment", (wanted,)
    ).fetchall()
    small = _packed(connection, segments)
    slots = np.concatenate(
        [np.frombuffer(b"".join([row[1] for row in rows]), np.uint32), *(each.slots for each in small)]
    )
    counts = np.concatenate(
        [np.frombuffer(b"".join([row[2] for row in rows]), np.uint16), *(each.counts for each in small)]
    )
    terms = np.concatenate(
        [
            np.repeat(np.array([row[0] for row in rows], np.int64), [len(row[2]) // 2 for row in rows]),
            *(np.repeat(each.terms, np.diff(each.bounds)).astype(np.int64) for each in small),
        ]
    )
    order = np.argsort(terms, kind="stable")
    slots, counts, terms = slots[order], counts[order], terms[order]
    positions = columns.positions(slots.astype(np.int64))
    alive = columns.living(positions)
    slots = slots[alive] if renamed is None else renamed[positions[alive]].astype(np.uint32)
    connection.execute("DELETE FROM postings WHERE segment IN carray(?)", (wanted,))
    connection.execute("DELETE FROM packed WHERE segment IN carray(?)", (wanted,))
    connection.execute("DELETE FROM segments WHERE number IN carray(?)", (wanted,))
    if len(slots):
        _insert(connection, level, terms[alive], slots, counts[alive])


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
    segments = [
        row[0]
        for row in connection.execute(
            "SELECT number FROM segments WHERE number NOT IN (SELECT segment FROM packed) ORDER BY number"
        )
    ]
    small = _packed(connection)
    for term, number in numbers_of(connection, list(dict.fromkeys(terms))).items():
        entries = [
            row
            for segment in segments
            for row in connection.execute(
                "SELECT slots, counts FROM postings WHERE segment = ? AND term = ?", (segment, number)
            )
        ]
        for each in small:
            place = int(np.searchsorted(each.terms, number))
            if place < len(each.terms) and each.terms[place] == number:
                here = slice(int(each.bounds[place]), int(each.bounds[place + 1]))
                entries.append((each.slots[here].tobytes(), each.counts[here].tobytes()))
        if entries:
            slots = np.frombuffer(b"".join(row[0] for row in entries), np.uint32)
            positions = columns.positions(slots.astype(np.int64))
            counts = np.frombuffer(b"".join(row[1] for row in entries), np.uint16)
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

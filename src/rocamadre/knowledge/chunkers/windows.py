"""Ranges of words of at most so many tokens, ending where it hurts least, and overlapping as told."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence

from rocamadre.knowledge.chunkers.measured import Measured, Positions


def windows(
    measured: Measured,
    start: int,
    end: int,
    *,
    most: int,
    overlap: int = 0,
    ends: Sequence[tuple[Positions, float]] = (),
    begins: Positions | None = None,
) -> Iterator[tuple[int, int]]:
    """Cut a range of words.

    Args:
        measured: The document.
        start: First word.
        end: Behind the last word.
        most: Tokens of a window.
        overlap: Tokens at its end that a window shares with the next; at most so many.
        ends: Where a window should rather end, best first, each with the least part of `most` that the window must
            have by then; where none of them serves, it ends at the last word that has room.
        begins: Where a window that overlaps may begin; None for any word, but within a row of a table or of data
            only if the row is larger than a window.

    Yields:
        Ranges in order; each word is in one of them at least, and none has more than `most` tokens unless it is a
        single word that cannot be cut.
    """
    stop = start
    while stop < end:
        before = stop
        stop = _stop(measured, start, end, before=before, most=most, ends=ends)
        if stop <= before:  # Nothing new has room beside what is repeated.
            start = before
            stop = _stop(measured, start, end, before=before, most=most, ends=ends)
        yield start, stop
        # A window that is shorter than it might be shares less, or the next ones would hardly get on.
        shared = overlap * measured.cost(start, stop) // most
        start = max(start + 1, _next(measured, stop, shared, begins))


def _stop(
    measured: Measured, start: int, end: int, *, before: int, most: int, ends: Sequence[tuple[Positions, float]]
) -> int:
    room = most
    while True:
        stop = min(end, measured.reach(start, room))
        if stop < end:
            stop = _better(measured, start, stop, before=before, most=most, ends=ends)
        if stop - start == 1 or measured.fits(start, stop, most):
            return stop
        # In the text the words have more tokens than one by one; rare, and by a few only.
        room = min(room, measured.cost(start, stop)) - max(1, room // 16)
        if room <= 0:
            return start + 1


def _better(
    measured: Measured, start: int, stop: int, *, before: int, most: int, ends: Sequence[tuple[Positions, float]]
) -> int:
    for positions, least in ends:
        place = bisect_right(positions, stop) - 1
        if place >= 0:
            found = positions[place]
            if found > max(start, before) and measured.cost(start, found) >= least * most:
                return found
    return stop


def _next(measured: Measured, stop: int, overlap: int, begins: Positions | None) -> int:
    if not overlap:
        return stop
    first = measured.reach_back(stop, overlap)
    if begins is None:
        starts, stops = measured.rows
        place = bisect_right(starts, first) - 1
        within = place >= 0 and starts[place] < first < stops[place] <= stop
        return stops[place] if within else first
    place = bisect_left(begins, first)
    return min(stop, begins[place]) if place < len(begins) else stop

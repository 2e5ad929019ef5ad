"""Curves and bars as SVG, drawn without a library so that a page needs nothing else."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import NamedTuple

WIDTH, HEIGHT = 640, 340
LEFT, RIGHT, TOP, BOTTOM = 64, 16, 16, 48
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""Told apart by people who see fewer colours (Okabe & Ito 2008)."""

_DASHES = ("", "7 3", "2 3", "9 3 2 3", "4 4", "1 5")


class Line(NamedTuple):
    """A curve: its name, and its points with both coordinates above 0."""

    name: str
    points: Sequence[tuple[float, float]]


class Mark(NamedTuple):
    """A point that stands out."""

    name: str
    x: float
    y: float


class Axis(NamedTuple):
    """An axis.

    Attributes:
        title: What it shows, with its unit.
        low: Its beginning.
        high: Its end.
        log: Whether equal steps are equal factors.
        base: Of the ticks of a logarithmic axis.
    """

    title: str
    low: float
    high: float
    log: bool = False
    base: int = 10

    def place(self, value: float) -> float:
        """Where a value lies, from 0 to 1; values outside lie on the edge."""
        value = min(max(value, self.low), self.high)
        if self.log:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def ticks(self) -> list[float]:
        """Round values between both ends."""
        if self.log:
            first = math.ceil(math.log(self.low, self.base) - 1e-9)
            last = math.floor(math.log(self.high, self.base) + 1e-9)
            if self.base == 10 and last - first < 2:
                found = [factor * 10.0**power for power in range(first - 1, last + 1) for factor in (1, 2, 5)]
                return [value for value in found if self.low <= value <= self.high]
            step = 1 if self.base == 2 else max(1, (last - first) // 6)
            return [float(self.base) ** power for power in range(first, last + 1, step)]
        step = 10 ** math.floor(math.log10((self.high - self.low) / 2))
        step *= next(factor for factor in (1, 2, 5, 10) if (self.high - self.low) / (step * factor) <= 6)
        return [step * number for number in range(math.ceil(self.low / step - 1e-9), int(self.high / step + 1e-9) + 1)]


def short(value: float) -> str:
    """A number for an axis.

    >>> short(7.5e9), short(0.25), short(1024), short(2.0e12)
    ('7.5b', '0.25', '1024', '2t')
    """
    for size, unit in ((1e24, "·10²⁴"), (1e15, "·10¹⁵"), (1e12, "t"), (1e9, "b"), (1e6, "m")):
        if value >= size:
            return f"{value / size:.3g}{unit}"
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def line_chart(
    title: str, x: Axis, y: Axis, lines: Sequence[Line], *, marks: Sequence[Mark] = (), limit: tuple[str, float] | None
) -> str:
    """Curves over two axes, with a legend below.

    Args:
        title: For readers of the screen.
        x: To the right.
        y: Upwards.
        lines: At most six.
        marks: Points that are named.
        limit: A level with its name.
    """
    drawn = [_frame(x, y)]
    if limit is not None:
        drawn.append(_limit(y, *limit))
    for number, line in enumerate(lines):
        points = " ".join(f"{_x(x.place(a)):.1f},{_y(y.place(b)):.1f}" for a, b in line.points)
        drawn.append(
            f'<polyline points="{points}" fill="none" stroke="{COLOURS[number]}" stroke-width="2.5" '
            f'stroke-dasharray="{_DASHES[number]}"/>'
        )
    for mark in marks:
        left, up = _x(x.place(mark.x)), _y(y.place(mark.y))
        drawn.append(f'<circle cx="{left:.1f}" cy="{up:.1f}" r="5" class="mark"/>')
        end = left > WIDTH * 0.7
        drawn.append(
            f'<text x="{left + (-9 if end else 9):.1f}" y="{up - 8:.1f}" '
            f'text-anchor="{"end" if end else "start"}" class="name">{escape(mark.name)}</text>'
        )
    return _svg(title, drawn) + _legend([(line.name, number) for number, line in enumerate(lines)])


def bar_chart(
    title: str,
    y: Axis,
    bars: Sequence[tuple[str, Sequence[float]]],
    parts: Sequence[str],
    *,
    limit: tuple[str, float] | None,
) -> str:
    """Stacked bars.

    Args:
        title: For readers of the screen.
        y: Upwards.
        bars: Names, each with the heights of its parts from below.
        parts: Names of the parts, at most six.
        limit: A level with its name.
    """
    drawn = [_frame(None, y)]
    room = (WIDTH - LEFT - RIGHT) / len(bars)
    for number, (name, heights) in enumerate(bars):
        left, at = LEFT + room * (number + 0.18), 0.0
        for part, height in enumerate(heights):
            top, below = _y(y.place(at + height)), _y(y.place(at))
            at += height
            drawn.append(
                f'<rect x="{left:.1f}" y="{top:.1f}" width="{room * 0.64:.1f}" height="{max(0.0, below - top):.1f}" '
                f'fill="{COLOURS[part]}"><title>{escape(f"{name}, {parts[part]}: {height:.3g}")}</title></rect>'
            )
        middle = left + room * 0.32
        drawn.append(f'<text x="{middle:.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{escape(name)}</text>')
        drawn.append(
            f'<text x="{middle:.1f}" y="{_y(y.place(at)) - 5:.1f}" text-anchor="middle" class="name">{at:.3g}</text>'
        )
    if limit is not None:
        drawn.append(_limit(y, *limit))
    return _svg(title, drawn) + _legend([(name, number) for number, name in enumerate(parts)], filled=True)


def _x(share: float) -> float:
    return LEFT + share * (WIDTH - LEFT - RIGHT)


def _y(share: float) -> float:
    return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)


def _frame(x: Axis | None, y: Axis) -> str:
    drawn = []
    for tick in y.ticks():
        up = _y(y.place(tick))
        drawn.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{up:.1f}" y2="{up:.1f}" class="grid"/>')
        drawn.append(f'<text x="{LEFT - 8}" y="{up + 4:.1f}" text-anchor="end">{short(tick)}</text>')
    middle = (TOP + HEIGHT - BOTTOM) / 2
    drawn.append(
        f'<text transform="rotate(-90 14 {middle})" x="14" y="{middle}" text-anchor="middle">{escape(y.title)}</text>'
    )
    if x is not None:
        for tick in x.ticks():
            left = _x(x.place(tick))
            drawn.append(f'<line x1="{left:.1f}" x2="{left:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}" class="grid"/>')
            drawn.append(f'<text x="{left:.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{short(tick)}</text>')
        drawn.append(f'<text x="{_x(0.5)}" y="{HEIGHT - 8}" text-anchor="middle">{escape(x.title)}</text>')
    return "".join(drawn)


def _limit(y: Axis, name: str, value: float) -> str:
    if not y.low <= value <= y.high:
        return ""
    up = _y(y.place(value))
    return (
        f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{up:.1f}" y2="{up:.1f}" class="limit"/>'
        f'<text x="{WIDTH - RIGHT - 4}" y="{up - 6:.1f}" text-anchor="end" class="name">{escape(name)}</text>'
    )


def _svg(title: str, drawn: Sequence[str]) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title, quote=True)}">'
        f"{''.join(drawn)}</svg>"
    )


def _legend(names: Sequence[tuple[str, int]], *, filled: bool = False) -> str:
    entries = []
    for name, number in names:
        drawn = (
            f'<rect width="14" height="10" y="2" fill="{COLOURS[number]}"/>'
            if filled
            else f'<line x1="0" x2="28" y1="7" y2="7" stroke="{COLOURS[number]}" stroke-width="2.5" '
            f'stroke-dasharray="{_DASHES[number]}"/>'
        )
        entries.append(f'<li><svg width="30" height="14" aria-hidden="true">{drawn}</svg>{escape(name)}</li>')
    return f'<ul class="legend">{"".join(entries)}</ul>'

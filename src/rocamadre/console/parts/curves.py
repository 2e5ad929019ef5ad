"""Curves over steps, such as a loss: numbers and nothing else become SVG."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from nicegui import ui

from rocamadre.console.parts.charts import round_up
from rocamadre.console.parts.elements import box, set_attributes, tag

_WIDTH, _HEIGHT = 600, 180
_MOST_POINTS = 300
LOOKS = ("", "second", "third", "fourth")


@dataclass(frozen=True, slots=True)
class Curve:
    """One line.

    Attributes:
        name: What the legend says; set as text.
        points: Step and value, steps ascending; values that are no numbers are left out.
        look: Of `LOOKS`.
        dots: Each point is drawn, for lines of few points.
    """

    name: str
    points: Sequence[tuple[float, float]]
    look: str = ""
    dots: bool = False


def curves(
    title: str,
    drawn: Sequence[Curve],
    *,
    show: Callable[[float], str],
    steps: Callable[[float], str],
    most_steps: float = 0.0,
    from_zero: bool = False,
) -> None:
    """Draw curves over the same steps, with scale and legend; nothing at all without points.

    Args:
        title: What screen readers say.
        drawn: At most as many as there are looks.
        show: Writes a value of the scale.
        steps: Writes a step.
        most_steps: The steps go at least so far.
        from_zero: The scale begins at 0, not near the least value.
    """
    lines = [(each, _thinned([point for point in each.points if math.isfinite(point[1])])) for each in drawn]
    lines = [(each, points) for each, points in lines if points]
    if not lines:
        return
    values = [value for _, points in lines for _, value in points]
    low, high = scale(0.0 if from_zero else min(values), max(values))
    last = max(most_steps, *(step for _, points in lines for step, _ in points), 1.0)

    def place(point: tuple[float, float]) -> str:
        return f"{_WIDTH * point[0] / last:.1f} {_HEIGHT * (1 - (point[1] - low) / (high - low)):.1f}"

    paths = []
    for each, points in lines:
        path = "M" + "L".join(map(place, points))
        paths.append(f'<path class="line {each.look}" d="{path}" vector-effect="non-scaling-stroke"/>')
        if each.dots or len(points) == 1:
            dots = "".join(f"M{place(point)}h.01" for point in points)
            paths.append(f'<path class="line {each.look} dots" d="{dots}" vector-effect="non-scaling-stroke"/>')
    with box("chart-box"):
        tag("span", show(high), classes="chart-top", aria_hidden=True)
        svg = (
            f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" preserveAspectRatio="none" class="chart tall">{_GRID}'
            f"{''.join(paths)}</svg>"
        )
        made = ui.html(svg, sanitize=False)
        told = ", ".join(f"{each.name} {show(points[-1][1])}" for each, points in lines)
        set_attributes(made, role="img", aria_label=f"{title}: {told}")
        with box("chart-ends", aria_hidden=True):
            tag("span", show(low))
            tag("span", steps(last))
    with box("legend"):
        for each, points in lines:
            tag("span", f"{each.name}: {show(points[-1][1])}", classes=each.look)


def scale(low: float, high: float) -> tuple[float, float]:
    """Round ends of a scale on which values lie.

    >>> scale(1.93, 2.61), scale(0.0, 0.0), scale(0.0, 4.1)
    ((1.8, 2.8), (0.0, 1.0), (0.0, 5.0))
    """
    step = round_up((high - low) / 5 or high / 5)
    lower, upper = math.floor(low / step), math.ceil(high / step)
    return round(lower * step, 9), round(max(upper, lower + 1) * step, 9)


def _thinned(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """At most so many, each the mean of its neighbours, so that drawing ten thousand steps costs no more."""
    size = -(-len(points) // _MOST_POINTS)
    if size <= 1:
        return list(points)
    groups = [points[begin : begin + size] for begin in range(0, len(points), size)]
    return [(group[-1][0], sum(value for _, value in group) / len(group)) for group in groups]


_GRID = "".join(
    f'<line class="grid" x1="0" x2="{_WIDTH}" y1="{y}" y2="{y}" vector-effect="non-scaling-stroke"/>'
    for y in (0.5, _HEIGHT / 2, _HEIGHT - 0.5)
)

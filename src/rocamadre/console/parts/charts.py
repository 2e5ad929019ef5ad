"""Small charts as SVG written here: numbers and nothing else, so that no text of strangers gets into them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from nicegui import ui

from rocamadre.console.parts.elements import box, set_attributes, tag

_WIDTH, _HEIGHT = 600, 140


@dataclass(frozen=True, slots=True)
class Series:
    """One line, or one layer of bars.

    Attributes:
        name: What the legend says.
        values: One per moment; None where nothing is known.
        look: Class of `static/console.css`: empty, `second` or `third`.
    """

    name: str
    values: Sequence[float | None]
    look: str = ""


def chart(
    title: str,
    series: Sequence[Series],
    *,
    show: Callable[[float], str],
    begin: str,
    end: str,
    bars: bool = False,
    least: float = 0.0,
) -> None:
    """Draw a chart over time with its scale and its legend.

    Args:
        title: What screen readers say.
        series: All of the same length. Bars are stacked, lines are not.
        show: Writes a value of the scale.
        begin: What stands below the left end.
        end: What stands below the right end.
        bars: Bars instead of lines.
        least: The scale goes at least so far.
    """
    stacked = [sum(value or 0.0 for value in column) for column in zip(*(each.values for each in series), strict=True)]
    highest = max([least, *(stacked if bars else [value or 0.0 for each in series for value in each.values])])
    top = round_up(highest)
    with box("chart-box"):
        tag("span", show(top), classes="chart-top", aria_hidden=True)
        drawn = _bars(series, top) if bars else _lines(series, top)
        svg = f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" preserveAspectRatio="none" class="chart">{_GRID}{drawn}</svg>'
        made = ui.html(svg, sanitize=False)
        last = [
            f"{each.name} {show(each.values[-1])}" for each in series if each.values and each.values[-1] is not None
        ]
        set_attributes(made, role="img", aria_label=f"{title}: {', '.join(last)}" if last else title)
        with box("chart-ends", aria_hidden=True):
            tag("span", begin)
            tag("span", end)
    with box("legend"):
        for each in series:
            tag("span", each.name, classes=each.look)


def round_up(value: float) -> float:
    """The next 1, 2 or 5 times a power of ten; 1 for nothing.

    >>> [round_up(value) for value in (0, 3, 7.2, 41, 0.02)]
    [1.0, 5.0, 10.0, 50.0, 0.02]
    """
    if value <= 0:
        return 1.0
    power = 10.0 ** (len(str(int(value))) - 1) if value >= 1 else 1.0
    while power > value:
        power /= 10
    return next(step * power for step in (1.0, 2.0, 5.0, 10.0) if step * power >= value * (1 - 1e-9))


_GRID = "".join(
    f'<line class="grid" x1="0" x2="{_WIDTH}" y1="{y}" y2="{y}" vector-effect="non-scaling-stroke"/>'
    for y in (0.5, _HEIGHT / 2, _HEIGHT - 0.5)
)


def _bars(series: Sequence[Series], top: float) -> str:
    count = max(1, len(series[0].values))
    step = _WIDTH / count
    width = max(0.8, step * 0.72)
    drawn = []
    floors = [0.0] * count
    for each in series:
        for place, value in enumerate(each.values):
            if value:
                height = value / top * _HEIGHT
                x, y = place * step + (step - width) / 2, _HEIGHT - floors[place] - height
                drawn.append(
                    f'<rect class="bar {each.look}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"/>'
                )
                floors[place] += height
    return "".join(drawn)


def _lines(series: Sequence[Series], top: float) -> str:
    drawn = []
    for each in series:
        step = _WIDTH / max(1, len(each.values) - 1)
        path, dots, pen = [], [], "M"
        for place, value in enumerate(each.values):
            if value is None:
                pen = "M"
                continue
            point = f"{place * step:.1f} {_HEIGHT - value / top * _HEIGHT:.1f}"
            path.append(pen + point)
            if pen == "M" and [*each.values, None][place + 1] is None:
                dots.append(f"M{point}h.01")  # A moment alone is seen as well.
            pen = "L"
        for look, steps in (("", path), ("dots", dots)):
            drawn.append(
                f'<path class="line {each.look} {look}" d="{" ".join(steps)}" vector-effect="non-scaling-stroke"/>'
            )
    return "".join(drawn)

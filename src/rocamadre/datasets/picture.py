"""Statistics as a picture: one SVG file that needs nothing else, and follows the reader's light or dark page."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any, NamedTuple

_WIDTH, _PANEL, _GAP, _TOP = 960, 460, 40, 64
_BAR_HEIGHT, _ROW = 150, 20
_STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#1f2933}.t{font-weight:600;font-size:14px}.s{fill:#616e7c}"
    ".h{font-weight:700;font-size:18px}.b{fill:#2f6f8f}.c{fill:#c8553d}.p{fill:#fff}.l{stroke:#cbd2d9}"
    "@media(prefers-color-scheme:dark){text{fill:#e4e7eb}.s{fill:#9aa5b1}.b{fill:#5aa9c9}.c{fill:#e07a5f}"
    ".p{fill:#1f2933}.l{stroke:#52606d}}"
)


class _Panel(NamedTuple):
    height: int
    body: list[str]


def draw(statistics: dict[str, Any], title: str) -> str:
    """The picture of `Statistics.as_json()`.

    Args:
        statistics: As JSON.
        title: Of the data set.
    """
    unit = statistics["unit"]
    facts = (
        f"{statistics['records']:,} records · {statistics['exact_duplicates']:,} exact and "
        f"{statistics['near_duplicates']:,} near duplicates · {statistics['with_personal']:,} with personal data"
    )
    panels = [
        _histogram(f"Length in {unit}", statistics["lengths"], "b"),
        _histogram(f"Learned {unit}", statistics["learned"], "c"),
        _rows("Turns", statistics["turns"]),
        _rows("Languages", statistics["languages"]),
        _rows("Personal data", statistics["personal"]),
    ]
    if statistics["tasks"]:
        panels.append(_rows("Tasks", statistics["tasks"]))
    body: list[str] = []
    tops = [_TOP, _TOP]
    for number, panel in enumerate(panels):
        column = number % 2
        left = _GAP // 2 + column * (_PANEL + _GAP // 2)
        body.append(f'<g transform="translate({left},{tops[column]})">{"".join(panel.body)}</g>')
        tops[column] += panel.height + _GAP
    height = max(tops)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}" '
        f'role="img" aria-label="{escape(title)}"><style>{_STYLE}</style>'
        f'<rect class="p" width="{_WIDTH}" height="{height}"/>'
        f'<text class="h" x="20" y="30">{escape(title)}</text><text class="s" x="20" y="50">{escape(facts)}</text>'
        + "".join(body)
        + "</svg>\n"
    )


def _histogram(title: str, spread: dict[str, Any], colour: str) -> _Panel:
    body = [f'<text class="t" y="12">{escape(title)}</text>']
    bars: Sequence[dict[str, int]] = spread.get("bars", ())
    if not bars:
        return _Panel(40, [*body, '<text class="s" y="34">nothing to show</text>'])
    highest = max(bar["count"] for bar in bars)
    width = (_PANEL - 20) / len(bars)
    floor = 24 + _BAR_HEIGHT
    for number, bar in enumerate(bars):
        height = bar["count"] / highest * _BAR_HEIGHT
        told = f"{bar['from']:,}–{bar['to']:,}: {bar['count']:,}"
        body.append(
            f'<rect class="{colour}" x="{number * width:.1f}" y="{floor - height:.1f}" '
            f'width="{max(1.0, width - 1):.1f}" height="{height:.1f}"><title>{told}</title></rect>'
        )
    body.append(f'<line class="l" x1="0" x2="{_PANEL - 20}" y1="{floor}" y2="{floor}"/>')
    body.append(f'<text class="s" y="{floor + 16}">{spread["least"]:,}</text>')
    body.append(f'<text class="s" x="{_PANEL - 20}" y="{floor + 16}" text-anchor="end">{spread["most"]:,}</text>')
    told = f"median {spread['median']:,} · mean {spread['mean']:,} · 95 % up to {spread['p95']:,}"
    body.append(f'<text class="s" x="{(_PANEL - 20) / 2}" y="{floor + 16}" text-anchor="middle">{told}</text>')
    return _Panel(floor + 20, body)


def _rows(title: str, counts: dict[str, int]) -> _Panel:
    body = [f'<text class="t" y="12">{escape(title)}</text>']
    if not counts:
        return _Panel(40, [*body, '<text class="s" y="34">none</text>'])
    highest, total = max(counts.values()), sum(counts.values())
    shown = list(counts.items())[:12]
    for number, (name, count) in enumerate(shown):
        y = 24 + number * _ROW
        width = count / highest * (_PANEL - 220)
        body.append(f'<text x="0" y="{y + 13}">{escape(name[:14])}</text>')
        body.append(f'<rect class="b" x="100" y="{y + 2}" width="{max(1.0, width):.1f}" height="{_ROW - 6}"/>')
        body.append(f'<text class="s" x="{106 + width:.1f}" y="{y + 13}">{count:,} ({count / total:.0%})</text>')
    return _Panel(24 + len(shown) * _ROW, body)

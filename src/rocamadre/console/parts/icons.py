"""Drawings of 24 by 24 units, in the colour of the text around them."""

from __future__ import annotations


def _draw(*paths: str) -> str:
    lines = "".join(f'<path d="{path}"/>' for path in paths)
    return (
        '<svg viewBox="0 0 24 24" width="1em" height="1em" fill="none" stroke="currentColor" stroke-width="1.75" '
        f'stroke-linecap="round" stroke-linejoin="round" aria-hidden="true" focusable="false">{lines}</svg>'
    )


ICONS = {
    "home": _draw("M4 11l8-7 8 7", "M6 9.5V20h4v-6h4v6h4V9.5"),
    "chat": _draw("M4 5h16v11H10l-4 4v-4H4z", "M8 9h8", "M8 12h5"),
    "models": _draw("M12 3l8 4.5v9L12 21l-8-4.5v-9z", "M4 7.5l8 4.5 8-4.5", "M12 12v9"),
    "knowledge": _draw("M4 5c3-1 6-1 8 1v14c-2-2-5-2-8-1z", "M20 5c-3-1-6-1-8 1v14c2-2 5-2 8-1z"),
    "shield": _draw("M12 3l8 3v6c0 5-3.5 8-8 9-4.5-1-8-4-8-9V6z", "M8.5 12l2.5 2.5 4.5-5"),
    "training": _draw("M4 4v16h16", "M7 8c3 0 4 8 7 8s3-1 6-1"),
    "activity": _draw("M3 12h4l3-8 4 16 3-8h4"),
    "copy": _draw("M9 9h11v11H9z", "M5 15H4V4h11v1"),
    "sun": _draw(
        "M12 8a4 4 0 100 8 4 4 0 000-8z",
        "M12 2v2M12 20v2M4.9 4.9l1.4 1.4M17.7 17.7l1.4 1.4M2 12h2M20 12h2M4.9 19.1l1.4-1.4M17.7 6.3l1.4-1.4",
    ),
    "moon": _draw("M20 14.5A8.5 8.5 0 019.5 4a8.5 8.5 0 1010.5 10.5z"),
    "screen": _draw("M3 4h18v12H3z", "M8 20h8M12 16v4"),
    "warning": _draw("M12 4l9 16H3z", "M12 10v4M12 17v.5"),
    "refresh": _draw("M20 11a8 8 0 10-2.3 6.3", "M20 5v6h-6"),
    "leave": _draw("M14 4H5v16h9", "M10 12h11M17 8l4 4-4 4"),
    "arrow": _draw("M5 12h14M13 6l6 6-6 6"),
    "back": _draw("M19 12H5M11 6l-6 6 6 6"),
    "code": _draw("M8 7l-5 5 5 5M16 7l5 5-5 5M14 4l-4 16"),
    "batch": _draw("M4 6h16M4 12h16M4 18h10"),
    "search": _draw("M10.5 4a6.5 6.5 0 100 13 6.5 6.5 0 000-13z", "M15.5 15.5L21 21"),
    "send": _draw("M12 19V5", "M6 11l6-6 6 6"),
    "stop": _draw("M7 7h10v10H7z"),
    "plus": _draw("M12 5v14M5 12h14"),
    "close": _draw("M6 6l12 12M18 6L6 18"),
    "sliders": _draw("M4 8h9M17 8h3M15 6v4", "M4 16h3M11 16h9M9 14v4"),
    "file": _draw("M6 3h8l4 4v14H6z", "M14 3v4h4"),
    "tokens": _draw("M4 6h5v5H4zM12 6h8v5h-8zM4 14h8v5H4zM15 14h5v5h-5z"),
    "save": _draw("M5 4h11l3 3v13H5z", "M8 4v5h7V4M8 20v-6h8v6"),
    "thumb_up": _draw("M7 11v9H4v-9z", "M7 11l4-8c1.5 0 2.5 1 2.5 2.5V9h6.5L19 19l-2 1H7"),
    "thumb_down": _draw("M7 13V4H4v9z", "M7 13l4 8c1.5 0 2.5-1 2.5-2.5V15h6.5L19 5l-2-1H7"),
}
"""SVG by name; constants, so that they may be set as HTML."""

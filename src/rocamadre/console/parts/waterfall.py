"""Where the time of a request went: its spans as bars below one another, on one scale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rocamadre.console.parts.elements import box, tag
from rocamadre.console.translation import Translator

_DEEPEST = 5


@dataclass(frozen=True, slots=True)
class Bar:
    """One span.

    Attributes:
        name: What it is; set as text.
        depth: How many spans it is in.
        began_s: After the beginning of the whole.
        seconds: How long it took.
        failed: Whether it ended in an error.
        facts: Shown when its row is opened.
    """

    name: str
    depth: int
    began_s: float
    seconds: float
    failed: bool
    facts: Mapping[str, str]


def waterfall(t: Translator, caption: str, bars: Sequence[Bar]) -> None:
    """Draw the bars; each row is an element to open, with its facts inside."""
    whole = max((bar.began_s + bar.seconds for bar in bars), default=0.0) or 1.0
    with box("waterfall", name="ol", aria_label=caption):
        for bar in bars:
            began, took = t.duration(bar.began_s), t.duration(bar.seconds)
            with tag("li"), tag("details", classes="span-row"):
                with tag("summary", classes="span-line"):
                    tag("span", bar.name, classes=f"span-name depth-{min(bar.depth, _DEEPEST)}")
                    with tag("svg", classes="span-bar", viewBox="0 0 1000 10", preserveAspectRatio="none",
                             aria_hidden=True):  # fmt: skip
                        x, width = 1000 * bar.began_s / whole, max(3.0, 1000 * bar.seconds / whole)
                        look = "bar bad" if bar.failed else "bar"
                        tag("rect", classes=look, y=0, height=10, rx=2, x=round(x, 1), width=round(width, 1))
                    tag("span", took, classes="span-took")
                with box("facts", name="dl"):
                    for name, value in {t("traces.began"): t("traces.after", duration=began), **bar.facts}.items():
                        tag("dt", name)
                        tag("dd", value, classes="hostile")

"""Facts and figures: names with values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rocamadre.console.parts.elements import box, tag


def figures(values: Sequence[tuple[str, str]]) -> None:
    """Large numbers, each with its name below."""
    with box("figures", name="dl"):
        for name, value in values:
            with box("figure"):
                tag("dt", name, classes="figure-name")
                tag("dd", value, classes="figure-value")


def facts(values: Mapping[str, str], *, classes: str = "") -> None:
    """A list of names and values; empty values are left out."""
    with box(f"facts {classes}".strip(), name="dl"):
        for name, value in values.items():
            if value:
                tag("dt", name)
                tag("dd", value)


def badge(content: str, look: str = "") -> None:
    """A word in a coloured pill; `look` is `good`, `warn`, `bad`, `accent` or empty."""
    tag("span", content, classes=f"badge {look}".strip())


JOB_LOOKS = {"Completed": "good", "Failed": "bad", "PartiallyCompleted": "warn", "Stopped": "warn", "Expired": "bad"}
"""How the status of a job is coloured; others are under way."""

"""What a training will take: memory, time, disk, energy and AWS's price, each beside what there is."""

from __future__ import annotations

from typing import Any

from rocamadre.console.page import Page
from rocamadre.console.parts.elements import box, tag, text
from rocamadre.console.parts.figures import badge, facts, figures
from rocamadre.console.parts.meters import Meter

_MEMORY = ("weights", "gradients", "optimiser", "activations", "temporary", "framework")


def show_preflight(page: Page, found: dict[str, Any]) -> None:
    """Draw what `/_rocamadre/training/preflight` told."""
    t = page.t
    with box("row"):
        badge(t("preflight.fits" if found["fits"] else "preflight.too_large"), "good" if found["fits"] else "bad")
    time = t.duration(found["total_s"]) if found["total_s"] is not None else t("preflight.unknown")
    cost = found["aws"]["training_usd"]
    figures(
        [
            (t("preflight.memory"), t.size(found["memory_bytes"])),
            (t("preflight.time"), time),
            (t("preflight.steps"), t.number(found["steps"])),
            (t("preflight.aws"), t.dollars(cost) if cost is not None else "—"),
        ]
    )
    Meter(t("preflight.memory")).show(
        found["memory_bytes"] / max(1, found["available_bytes"]),
        t("preflight.of_memory", used=t.size(found["memory_bytes"]), free=t.size(found["available_bytes"])),
    )
    Meter(t("preflight.disk")).show(
        found["disk"]["total"] / max(1, found["free_disk_bytes"]),
        t("preflight.of_disk", used=t.size(found["disk"]["total"]), free=t.size(found["free_disk_bytes"])),
    )
    share = 100 * found["trained_parameters"] / max(1, found["parameters"])
    energy = found["kilowatt_hours"]
    facts(
        {
            t("preflight.trained"): t(
                "preflight.share", count=t.number(found["trained_parameters"]), percent=t.number(share, digits=2)
            ),
            t("preflight.tokens"): t.number(found["tokens"]),
            t("preflight.examples"): t.number(found["examples"]),
            t("preflight.precision"): found["precision"],
            t("preflight.energy"): t("preflight.watt_hours", count=t.number(1000 * energy, digits=1)) if energy else "",
        }
    )
    _memory(page, found["memory"])
    for note in (found["aws"]["reason"], *found["notes"]):
        if note:
            text(note, classes="faint small hostile")


def _memory(page: Page, memory: dict[str, Any]) -> None:
    """One bar, cut into what the memory is for."""
    t = page.t
    parts = [(name, float(value)) for name, value in memory.items() if name != "total" and value]
    total = sum(value for _, value in parts) or 1.0
    with tag("svg", classes="coverage", viewBox="0 0 100 4", preserveAspectRatio="none", aria_hidden=True):
        begin = 0.0
        for place, (_, value) in enumerate(parts):
            width = 100 * value / total
            tag("rect", classes=f"part-{place % 6}", x=round(begin, 2), y=0, width=round(width, 2), height=4)
            begin += width
    with box("legend"):
        for place, (name, value) in enumerate(parts):
            shown = t(f"preflight.part_{name}") if name in _MEMORY else name
            tag("span", f"{shown} {t.size(value)}", classes=f"part-{place % 6}")

"""Print the tables of the card and the page from figures.json: `python models/guardrail-grounding/recipe/tables.py`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

GROUPS = {"en": "English", "es": "Spanish", "pt": "Portuguese", "across": "across languages", "all": "all"}
SUMS = ("every kind", "kinds trained on", "kinds not trained on")


def kinds_table(told: dict) -> str:
    """AUROC by kind of mistake and language; the kinds not trained on in italics."""
    groups = {key: name for key, name in GROUPS.items() if key in told["groups"]}
    found = told["groups"]["all"]["kinds"]
    lines = ["| AUROC | " + " | ".join(groups.values()) + " |", "|---" * (len(groups) + 1) + "|"]
    for kind in [*SUMS, *(each for each in found if each not in SUMS)]:
        if kind not in found:
            continue
        rows = [told["groups"][key]["kinds"].get(kind) for key in groups]
        cells = [f"{row['auroc']:.2f}" if row else "" for row in rows]
        mark = "**" if kind in SUMS else "_" if kind in told["held_out_kinds"] else ""
        lines.append(f"| {mark}{kind}{mark} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def thresholds_table(told: dict) -> str:
    """Right answers refused and wrong ones passed, in hundredths, by threshold and language."""
    groups = {key: name for key, name in GROUPS.items() if key in told["groups"]}
    lines = ["| threshold | " + " | ".join(groups.values()) + " |", "|---" * (len(groups) + 1) + "|"]
    for threshold in told["groups"]["all"]["thresholds"]:
        cells = ["{:.0f} / {:.0f}".format(*(100 * share for share in told["groups"][key]["thresholds"][threshold]))
                 for key in groups]  # fmt: skip
        lines.append(f"| {threshold} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    data = json.loads((Path(__file__).parents[1] / "figures.json").read_text())
    for name in ("grounding", "relevance"):
        sys.stdout.write(f"\n{name}\n\n{kinds_table(data[name])}\n\n{thresholds_table(data[name])}\n\n")
        sys.stdout.write(f"right answers below 0.7, by wording: {data[name]['false_alarms_at_0.7']}\n")


if __name__ == "__main__":
    main()

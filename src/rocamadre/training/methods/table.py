"""The tables of `docs/methods.md`, taken from `FACTS`.

`python -m rocamadre.training.methods.table docs/methods.md` writes them again; a test says when that is due.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic.fields import FieldInfo

from rocamadre.training.methods.facts import FACTS, MethodFacts

MARKS = {name: (f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->\n") for name in ("methods", "settings")}


def methods_table() -> str:
    """Markdown: a row per method."""
    lines = [
        "| method | | what is trained | when | first learning rate | of billions | merges | packs | served |",
        "|---|---|---|---|---|---|---|---|---|",
        *(_method(facts) for facts in FACTS.values()),
    ]
    return "\n".join(lines) + "\n"


def settings_table() -> str:
    """Markdown: per method its paper, and a row per setting."""
    parts = []
    for facts in FACTS.values():
        rows = [_setting(name, field) for name, field in facts.settings.model_fields.items()]
        head = ["| setting | default | allowed | |", "|---|---|---|---|"]
        parts.append("\n".join([f"### `{facts.name}`", "", f"{facts.paper}.", "", *head, *rows]) + "\n")
    return "\n".join(parts)


def with_tables(page: str) -> str:
    """A page with the tables between their marks as they are now.

    Raises:
        ValueError: the page lacks the marks.
    """
    for name, content in (("methods", methods_table()), ("settings", settings_table())):
        begin, end = MARKS[name]
        before, rest = page.split(begin)
        _, after = rest.split(end)
        page = before + begin + content + end + after
    return page


def _method(facts: MethodFacts) -> str:
    cells = (
        f"`{facts.name}`",
        facts.title,
        facts.trains,
        facts.when,
        f"{facts.learning_rate:g}",
        f"{facts.learning_rate_large:g}",
        "yes" if facts.mergeable else "no",
        "yes" if facts.packs else "no",
        facts.served,
    )
    return "| " + " | ".join(cells) + " |"


def _setting(name: str, field: FieldInfo) -> str:
    default = field.get_default()
    shown = ", ".join(map(str, default)) if isinstance(default, tuple) else str(default)
    cells = (
        f"`{name}`",
        f"`{shown.lower() if isinstance(default, bool) else shown}`" if shown else "",
        _allowed(field),
    )
    return "| " + " | ".join((*cells, (field.description or "").rstrip(".").replace("|", "\\|"))) + " |"


def _allowed(field: FieldInfo) -> str:
    kind: Any = field.annotation
    if kind is bool:
        return "true, false"
    if get_origin(kind) is tuple:
        return "a list, or `a,b`"
    if options := get_args(kind):
        return ", ".join(f"`{option}`" for option in options)
    bounds = {type(each).__name__: each for each in field.metadata}
    low, high = bounds.get("Ge"), bounds.get("Le") or bounds.get("Lt")
    if low is None or high is None:
        longest = bounds.get("MaxLen")
        return f"text, at most {longest.max_length} characters" if longest else "text"
    if "Lt" in bounds:
        return f"{_limit(low):g} to {_limit(high):g}, without {_limit(high):g}"
    return f"{_limit(low):g} to {_limit(high):g}"


def _limit(bound: Any) -> float:
    return float(next(getattr(bound, name) for name in ("ge", "le", "lt") if hasattr(bound, name)))


def main() -> None:
    """Write the tables into the page that is named."""
    page = Path(sys.argv[1])
    text = with_tables(page.read_text("utf-8"))
    temporary = page.with_name(page.name + ".tmp")
    temporary.write_text(text, "utf-8")
    os.replace(temporary, page)


if __name__ == "__main__":
    main()

"""Model cards: what a model was made from, how, and what came of it, as Markdown for people and JSON for programs.

Both lie beside the weights (`card.md`, `card.json`), so that they travel with it; `roca models show` prints them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import Connection
from sqlalchemy import Engine as SqlEngine

from rocamadre.customization.model_tables import select_row
from rocamadre.customization.model_types import CustomModel
from rocamadre.jobs.rundir import write_json, write_whole

CARD, CARD_JSON = "card.md", "card.json"
SECTIONS = {
    "data": "Data",
    "method": "Method",
    "settings": "Settings",
    "metrics": "Metrics",
    "forgetting": "Forgetting: loss of other data before and after",
    "certificate": "Certificate: the served model is the trained one",
    "environment": "Environment",
    "notes": "Notes",
    "sha256": "Files (SHA-256)",
}
"""Members of a card that get a heading, in order; those that are not here follow under their own names."""

_HEAD = ("name", "arn", "licence", "languages", "lineage", "job", "created_at", "customization_type")
_MOST_ITEMS = 20
_MOST_TEXT = 500


def write_card(folder: Path, card: Mapping[str, Any]) -> None:
    """Write both forms into a model's folder; each is there whole or not at all.

    Args:
        folder: Of the weights.
        card: Plain JSON: `name`, `arn`, `licence`, `languages`, `lineage` (from the model to its foundation model),
            `job`, `created_at`, the members of `SECTIONS`, and whatever else should be told.
    """
    write_json(folder / CARD_JSON, dict(card))
    write_whole(folder / CARD, render_card(card).encode())


def write_model_card(sql: SqlEngine, models_folder: Path, arn: str) -> None:
    """Write the card of a registered custom model; nothing where it is gone.

    Args:
        sql: The platform's database.
        models_folder: `<home>/models`.
        arn: Of the model.
    """
    with sql.connect() as connection:
        model = select_row(connection, CustomModel, arn)
        if model is None or not model.folder:
            return
        lineage = lineage_of(connection, model)
    folder = models_folder / model.folder
    if folder.is_dir():
        write_card(folder, card_of(model, lineage))


def lineage_of(tx: Connection, model: CustomModel) -> list[str]:
    """ARNs from a model to the foundation model at the beginning, as far as they are known."""
    lineage = [model.arn]
    base: CustomModel | None = model
    while base is not None and base.base_model_arn not in lineage:
        lineage.append(base.base_model_arn)
        base = select_row(tx, CustomModel, base.base_model_arn)
    return lineage


def card_of(model: CustomModel, lineage: list[str]) -> dict[str, Any]:
    """A custom model's card, as JSON."""
    return {
        "name": model.name,
        "arn": model.arn,
        "customization_type": model.customization_type,
        "lineage": lineage,
        "job": model.job_arn,
        "created_at": model.created_at.isoformat(),
        **model.facts,
    }


def render_card(card: Mapping[str, Any]) -> str:
    r"""A card as Markdown with YAML front matter.

    >>> print(render_card({"name": "harbour", "licence": "MIT", "lineage": ["a", "b"], "metrics": {"loss": 0.5}}))
    ---
    license: MIT
    base_model: b
    ---
    # harbour
    <BLANKLINE>
    - made from: b
    <BLANKLINE>
    ## Metrics
    <BLANKLINE>
    - loss: 0.5
    <BLANKLINE>
    """
    lineage = [str(each) for each in card.get("lineage") or ()]
    languages = [str(each) for each in card.get("languages") or ()]
    front = [
        f"license: {_line(card['licence'])}" if card.get("licence") else "",
        f"language: [{', '.join(languages)}]" if languages else "",
        f"base_model: {lineage[-1]}" if len(lineage) > 1 else "",
    ]
    lines = ["---", *filter(None, front), "---", f"# {_line(card.get('name', ''))}", ""]
    facts = {
        "ARN": card.get("arn"),
        "customization": card.get("customization_type"),
        "made from": ", which was made from ".join(lineage[1:]),
        "by": card.get("job"),
        "on": card.get("created_at"),
    }
    lines += [f"- {name}: {_line(value)}" for name, value in facts.items() if value]
    plain = {name: value for name, value in card.items() if name not in _HEAD and name not in SECTIONS}
    lines += [f"- {name.replace('_', ' ')}: {_line(value)}" for name, value in plain.items() if _is_plain(value)]
    lines.append("")
    nested = {name: name.replace("_", " ").capitalize() for name, value in plain.items() if not _is_plain(value)}
    for name, heading in {**SECTIONS, **nested}.items():
        if card.get(name) not in (None, "", [], {}):
            lines += [f"## {heading}", "", *_listed(card[name]), ""]
    return "\n".join(lines)


def _is_plain(value: Any) -> bool:
    return not isinstance(value, Mapping | list | tuple) and value not in (None, "")


def _listed(value: Any) -> Iterator[str]:
    for name, item in _flat("", value):
        yield f"- {name}: {_line(item)}" if name else f"- {_line(item)}"


def _flat(prefix: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield from _flat(f"{prefix}.{name}" if prefix else str(name), item)
    elif isinstance(value, list | tuple):
        if prefix and all(_is_plain(item) for item in value):
            shown = ", ".join(_line(item) for item in value[:_MOST_ITEMS])
            yield prefix, shown + (f" and {len(value) - _MOST_ITEMS} more" if len(value) > _MOST_ITEMS else "")
            return
        for number, item in enumerate(value[:_MOST_ITEMS]):
            yield from _flat(f"{prefix}[{number}]" if prefix else "", item)
        if len(value) > _MOST_ITEMS:
            yield prefix, f"{len(value) - _MOST_ITEMS} more are in {CARD_JSON}"
    elif value is not None:
        yield prefix, value


def _line(value: Any) -> str:
    """One line, whatever a stranger's file said."""
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return " ".join(text.split())[:_MOST_TEXT]

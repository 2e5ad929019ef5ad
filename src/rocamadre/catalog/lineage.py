"""Where a model comes from, and what its maker says of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rocamadre.catalog.cards import MAX_CARD_BYTES
from rocamadre.catalog.pull import MANIFEST
from rocamadre.catalog.types import Model
from rocamadre.jobs.rundir import read_json

_CARDS = ("card.md", "README.md")


@dataclass(frozen=True, slots=True)
class Lineage:
    """What is known of a model's origin.

    Attributes:
        card: Markdown of its maker, front matter taken away; empty for none.
        origin: Where it was pulled from; empty for embedded ones.
        revision: Commit or digest of the origin; empty where it has none.
        sha256: By file name, as they came.
        notes: What was changed when it was brought here.
    """

    card: str = ""
    origin: str = ""
    revision: str = ""
    sha256: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def read_lineage(model: Model) -> Lineage:
    """Look beside a model's weights; a model without files has none. Reads files."""
    if model.path is None:
        return Lineage()
    folder = model.path if model.path.is_dir() else model.path.parent
    manifest: dict[str, Any] = read_json(folder / MANIFEST) or {}
    return Lineage(
        card=_card(folder),
        origin=str(manifest.get("origin", "")),
        revision=str(manifest.get("revision", "")),
        sha256={str(name): str(value) for name, value in manifest.get("sha256", {}).items()},
        notes=tuple(str(note) for note in manifest.get("notes", ())),
    )


def _card(folder: Path) -> str:
    for name in _CARDS:
        try:
            with (folder / name).open("rb") as file:
                return without_front_matter(file.read(MAX_CARD_BYTES).decode("utf-8", errors="replace"))
        except OSError:
            continue
    return ""


def without_front_matter(text: str) -> str:
    r"""A card's prose.

    >>> without_front_matter("---\nlicense: mit\n---\n# A model"), without_front_matter("# B")
    ('# A model', '# B')
    """
    if not text.startswith("---\n"):
        return text
    _, found, rest = text[4:].partition("\n---\n")
    return rest if found else text

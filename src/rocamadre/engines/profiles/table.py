"""The table of families in `docs/invoke-model.md`, taken from the profiles.

`python -m rocamadre.engines.profiles.table docs/invoke-model.md` writes it again; a test says when that is due.
"""

from __future__ import annotations

import sys
from pathlib import Path

from rocamadre.engines.profiles.checks import Record
from rocamadre.engines.profiles.registry import LOCAL, PROFILES
from rocamadre.engines.profiles.types import EmbeddingProfile, Profile, TextProfile

BEGIN, END = "<!-- families: begin -->\n", "<!-- families: end -->\n"
OWN_ID = "a local model's own id"


def family_table() -> str:
    """Markdown: a row per body format, required keys in bold."""
    lines = [
        "| family | model ids | keys of the body | tools | schema | stream | vectors |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [_row(profile) for profile in (*PROFILES, *LOCAL)]
    return "\n".join(lines) + "\n"


def with_table(page: str) -> str:
    """A page with the table between its marks as it is now.

    Raises:
        ValueError: the page lacks the marks.
    """
    before, rest = page.split(BEGIN)
    _, after = rest.split(END)
    return before + BEGIN + family_table() + END + after


def _row(profile: Profile) -> str:
    ids = ", ".join(f"`{each}`" for each in profile.patterns) or OWN_ID
    tools = schema = stream = vectors = ""
    if isinstance(profile, TextProfile):
        tools, schema = "yes" if profile.tools else "", f"`{profile.structured}`" if profile.structured else ""
        stream = "yes" if profile.streams else ""
    elif isinstance(profile, EmbeddingProfile):
        vectors = ", ".join(_size(profile, each) for each in profile.dimensions or (profile.default_dimensions,))
    cells = (profile.name, ids, _keys(profile), tools, schema, stream, vectors)
    return "| " + " | ".join(cells) + " |"


def _size(profile: EmbeddingProfile, size: int | None) -> str:
    if size is None:
        return "the model's own"
    return f"**{size}**" if profile.dimensions and size == profile.default_dimensions else str(size)


def _keys(profile: Profile) -> str:
    body = profile.body
    if not isinstance(body, Record):
        return ""
    required = [f"**`{key}`**" for key in body.required]
    return ", ".join([*required, *(f"`{key}`" for key in body.fields if key not in body.required)])


def main() -> None:
    """Write the table into the page that is named."""
    page = Path(sys.argv[1])
    text = with_table(page.read_text("utf-8"))
    temporary = page.with_name(page.name + ".tmp")
    temporary.write_text(text, "utf-8")
    temporary.replace(page)


if __name__ == "__main__":
    main()

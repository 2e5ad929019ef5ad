"""The few facts that a model card's front matter states."""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

MAX_CARD_BYTES = 1024 * 1024

Facts: TypeAlias = dict[str, str | list[str]]


def read_card(path: Path) -> Facts:
    """The top-level keys of a card's YAML front matter: strings and lists of strings, anything deeper left out.

    Returns:
        Empty when there is no card, no front matter, or more than a mebibyte of it.
    """
    try:
        if path.stat().st_size > MAX_CARD_BYTES:
            return {}
        return parse_front_matter(path.read_text("utf-8", errors="replace"))
    except OSError:
        return {}


def parse_front_matter(text: str) -> Facts:
    r"""See `read_card`.

    >>> parse_front_matter("---\nlicense: mit\nlanguage:\n- en\n- es\ntags: [a, b]\n---\nText")
    {'license': 'mit', 'language': ['en', 'es'], 'tags': ['a', 'b']}
    """
    lines = text.splitlines()
    if not lines or lines[0].strip() != "---":
        return {}
    facts: Facts = {}
    key = ""
    for line in lines[1:]:
        if line.strip() == "---":
            return facts
        if line.lstrip().startswith("- ") and key:
            found = facts.setdefault(key, [])
            if isinstance(found, list):
                found.append(_plain(line.lstrip()[2:]))
        elif line[:1].strip() and ":" in line and not line.startswith("#"):
            key, _, value = line.partition(":")
            key, value = key.strip(), value.strip()
            if value.startswith("[") and value.endswith("]"):
                facts[key] = [_plain(item) for item in value[1:-1].split(",") if item.strip()]
            elif value:
                facts[key] = _plain(value)
    return {}


def _plain(value: str) -> str:
    return value.strip().strip("\"'")


def words(value: str | list[str] | None) -> tuple[str, ...]:
    """A fact as a list, whichever way the card wrote it."""
    if value is None:
        return ()
    return tuple(value) if isinstance(value, list) else (value,)


def language_codes(value: str | list[str] | None) -> tuple[str, ...]:
    """Two-letter codes among what the card lists.

    >>> language_codes(["en", "Spanish", "pt-BR"])
    ('en', 'pt')
    """
    codes = (word.lower().split("-")[0] for word in words(value))
    return tuple(dict.fromkeys(code for code in codes if len(code) == 2 and code.isalpha()))

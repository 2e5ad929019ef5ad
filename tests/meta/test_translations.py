from __future__ import annotations

import re

import pytest

LANGUAGES = {"README.es.md": "es", "README.pt.md": "pt"}


def prose(text: str) -> str:
    """The text without its code."""
    return re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)


def outline(text: str) -> list[int]:
    """Levels of the headings outside code, in order."""
    return [len(found[1]) for found in re.finditer(r"^(#+) ", prose(text), re.M)]


def blocks(text: str) -> list[tuple[str, str]]:
    """Language and content of every code block; comments and strings for people may be translated, so they go."""
    found = re.findall(r"^```(\w*)\n(.*?)^```", text, re.M | re.S)
    return [(language, re.sub(r'"[^"\n]*"|\s*#.*', "", content)) for language, content in found]


def links(text: str) -> list[str]:
    """Targets of all links, in order, but for those to the translations themselves."""
    return [target for target in re.findall(r"\]\(([^)]+)\)", text) if not target.startswith("README")]


def tables(text: str) -> list[int]:
    """How many cells each row of each table has."""
    return [line.count("|") for line in text.splitlines() if line.startswith("|")]


def figures(text: str) -> list[str]:
    """Every figure in the text, written without the separators that differ between languages."""
    return re.findall(r"\d+", re.sub(r"(?<=\d)[.,\u202f\u00a0 ](?=\d{3}\b)", "", text))


@pytest.mark.parametrize("name", LANGUAGES)
@pytest.mark.parametrize("part", [outline, blocks, links, tables, figures])
def test_translation_says_the_same(checkout, name, part):
    assert part((checkout / name).read_text()) == part((checkout / "README.md").read_text())


@pytest.mark.parametrize("name", LANGUAGES)
def test_translation_is_one(checkout, name):
    original = set(prose((checkout / "README.md").read_text()).splitlines())
    same = [line for line in prose((checkout / name).read_text()).splitlines() if len(line) > 60 and line in original]
    assert same == []

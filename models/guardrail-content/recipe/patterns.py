"""Texts from the patterns in `texts/`: alternatives in brackets, slots in braces, one pattern a line."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from pathlib import Path

SITTINGS = {"more": "second", "plain": "second", "wide": "third", "broad": "fourth", "full": "fifth", "last": "sixth"}
"""By how the names of files begin; the others were written first."""
FOLDER = Path(__file__).with_name("texts")
_TOKEN = re.compile(r"[\[\]()|]|\{\w+\}|[^\[\]()|{}]+|[{}]")


@dataclass(frozen=True)
class Pattern:
    """A line: `labels` are positive, `unknown` are neither positive nor negative.

    `sitting` names the files written at one time; a decent line stands `near` the label whose lines it follows.
    """

    language: str
    labels: frozenset[str]
    unknown: frozenset[str]
    line: str
    sitting: str
    near: str


def slots() -> dict[str, dict[str, list[str]]]:
    found: dict[str, dict[str, list[str]]] = {}
    language = ""
    for line in (FOLDER / "slots.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("@"):
            language = line[1:].strip()
        elif " = " in line:
            name, choices = line.split(" = ", 1)
            found.setdefault(language, {})[name] = choices.split("|")
    return found


def patterns() -> list[Pattern]:
    found = []
    for path in sorted(FOLDER.glob("*.txt")):
        if path.name == "slots.txt":
            continue
        language, labels, unknown, near = "", frozenset(), frozenset(), ""
        sitting = SITTINGS.get(path.stem.split("_")[0], "first")
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.startswith("@"):
                language, *names = line[1:].split()
                labels = frozenset(each for each in names if each[0] not in "?-")
                unknown = frozenset(each[1:] for each in names if each[0] == "?")
                near = names[0] if labels else near
            elif line.strip() and not line.startswith("# "):
                found.append(Pattern(language, labels, unknown, line, sitting, "" if labels else near))
    return found


def drawn(pattern: Pattern, words: dict[str, list[str]], rng: random.Random) -> str:
    """One text of a pattern."""
    tokens = _TOKEN.findall(pattern.line)
    text, end = _choice(tokens, 0, words, rng, outermost=True)
    assert end == len(tokens), pattern.line
    return re.sub(r"\s+", " ", text).strip()


def _choice(
    tokens: list[str], at: int, words: dict[str, list[str]], rng: random.Random, *, outermost: bool = False
) -> tuple[str, int]:
    choices = [""]
    while at < len(tokens):
        token = tokens[at]
        if token in "[(":
            part, at = _choice(tokens, at + 1, words, rng)
            choices[-1] += part
            continue
        if token in "])" and not outermost:
            return rng.choice(choices), at + 1
        if token == "|" and not outermost:
            choices.append("")
        elif token[0] == "{" and token[1:-1] in words:
            choices[-1] += rng.choice(words[token[1:-1]])
        else:
            choices[-1] += token
        at += 1
    return choices[0], at

"""The content of examples: its text, and hashes that are the same everywhere and for ever."""

from __future__ import annotations

import hashlib

from rocamadre.datasets.types import Example, Preference, Text


def digest64(data: bytes, *, seed: int = 0) -> int:
    """A hash of 64 bits, by BLAKE2b.

    >>> digest64(b"a") == digest64(b"a"), digest64(b"a") == digest64(b"a", seed=1)
    (True, False)
    """
    key = seed.to_bytes(8, "little") if seed else b""
    return int.from_bytes(hashlib.blake2b(data, digest_size=8, key=key).digest(), "little")


def plain_text(example: Example) -> str:
    """All that is said in it, a line break between turns."""
    if isinstance(example, Text):
        return example.text
    said = [turn.text for turn in example.turns]
    if isinstance(example, Preference):
        said += [example.chosen, example.rejected]
    return "\n".join(said)


def learned_text(example: Example) -> str:
    """What the model learns to write; of a prompt its last turn, of a pair the better answer."""
    if isinstance(example, Text):
        return example.text
    if isinstance(example, Preference):
        return example.chosen
    answers = [turn.text for turn in example.turns if turn.role == "assistant"]
    return "\n".join(answers) if answers else example.turns[-1].text


def asked_text(example: Example) -> str:
    """What is asked before the last answer; empty for running text."""
    if isinstance(example, Text):
        return ""
    turns = example.turns
    if not isinstance(example, Preference) and turns[-1].role == "assistant":
        turns = turns[:-1]
    return "\n".join(turn.text for turn in turns)


def shown(text: str, most: int = 120) -> str:
    """A text on one line, cut for people.

    >>> shown("a  b" + chr(10) + "c", 4)
    'a b…'
    """
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 1] + "…"

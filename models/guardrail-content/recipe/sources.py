"""Where the recipes read: sets whose licences allow shipped weights, split by a hash of the text."""

from __future__ import annotations

import gzip
import hashlib
import json
import random
from collections.abc import Iterator
from pathlib import Path

SEED = 20261121
LANGUAGES = ("en", "es", "pt")

PARALLEL = {
    "es": ("tatoeba.jsonl.gz", "opendocs.jsonl.gz", "gnome-help.jsonl", "pydocs.jsonl.gz", "django.jsonl"),
    "pt": ("tatoeba-test.jsonl.gz", "opendocs.jsonl.gz", "gnome-help.jsonl", "pydocs.jsonl.gz", "django.jsonl.gz"),
}
BACKGROUND = {
    "en": ("wikipedia-00.jsonl.gz", "wikipedia-01.jsonl.gz", "openstax.jsonl.gz", "stories.jsonl"),
    "es": ("courses.jsonl", "novels.jsonl.gz", "opendocs.jsonl.gz", "openstax.jsonl.gz",
           "treebanks.jsonl", "msdocs.jsonl.gz"),
    "pt": ("courses.jsonl", "machado.jsonl.gz", "opendocs.jsonl.gz", "treebanks.jsonl.gz",
           "wikipedia-passages.jsonl.gz", "novels.jsonl.gz", "msdocs.jsonl.gz"),
}  # fmt: skip


def rows(path: Path) -> Iterator[dict]:
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def part(key: str, parts: int = 5) -> int:
    """A fixed part from 0 for a key: part 0 is held out, part 1 calibrates, the rest train."""
    return int(hashlib.sha256(key.encode()).hexdigest(), 16) % parts


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def sampled(items: list, count: int, seed: str) -> list:
    return random.Random(f"{SEED}{seed}").sample(items, min(count, len(items)))


def intents(data: Path) -> list[tuple[str, str]]:
    """Texts with their intent, out-of-scope as `oos`; names tell the set."""
    found = [
        (row["text"], "oos" if row["intent"] == "oos" else f"clinc:{row['intent']}")
        for row in rows(data / "clinc150" / "clinc150.jsonl.gz")
    ]
    return found + [(row["text"], f"bank:{row['category']}") for row in rows(data / "banking77" / "banking77.jsonl.gz")]

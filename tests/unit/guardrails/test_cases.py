"""The own cases of guardrails: complete, well formed, half of them benign."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

CASES = Path(__file__).parents[3] / "benchmarks" / "guardrail_cases"
CATEGORIES = ("HATE", "INSULTS", "SEXUAL", "VIOLENCE", "MISCONDUCT", "PROMPT_ATTACK")
LANGUAGES = ("en", "es", "pt")


def read(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (CASES / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("category", CATEGORIES)
def test_a_category_has_sixty_texts_a_language_half_of_them_benign(category: str) -> None:
    rows = read(category.lower())
    for row in rows:
        assert set(row) == {"category", "language", "text", "label", "note"}
        assert row["category"] == category
        assert row["text"].strip() == row["text"] != ""
        assert row["note"]
    counts = Counter((row["language"], row["label"]) for row in rows)
    assert set(counts) == {(language, label) for language in LANGUAGES for label in (0, 1)}
    assert min(counts.values()) >= 30


def test_no_text_stands_twice() -> None:
    texts = [row["text"].casefold() for name in (*CATEGORIES, "TOPIC_TEXTS") for row in read(name.lower())]
    assert [text for text, count in Counter(texts).items() if count > 1] == []


def test_topics_fit_the_api_and_have_twelve_texts_each() -> None:
    topics = {(row["language"], row["name"]): row for row in read("topics")}
    assert Counter(language for language, _ in topics) == dict.fromkeys(LANGUAGES, 10)
    for row in topics.values():
        assert 1 <= len(row["name"]) <= 100
        assert 1 <= len(row["definition"]) <= 200
        assert 1 <= len(row["examples"]) <= 5
        assert all(1 <= len(example) <= 100 for example in row["examples"])
    texts = read("topic_texts")
    counts = Counter((row["language"], row["topic"], row["label"]) for row in texts)
    assert counts == {(*topic, label): 6 for topic in topics for label in (0, 1)}


def test_grounding_pairs_say_what_is_wrong_with_an_answer() -> None:
    rows = read("grounding")
    for row in rows:
        assert set(row) == {"category", "language", "source", "query", "text", "label", "relevant", "note"}
        assert row["label"] == int(row["note"] in {"grounded", "irrelevant"})
        assert row["relevant"] == int(row["note"] != "irrelevant")
    counts = Counter((row["language"], row["note"]) for row in rows)
    for language in LANGUAGES:
        assert counts[language, "grounded"] == 20
        assert all(counts[language, kind] == 4 for kind in ("number", "name", "negation", "added", "irrelevant"))


def test_the_cases_stay_small() -> None:
    sizes = [path.stat().st_size for path in CASES.iterdir()]
    assert max(sizes) <= 100_000
    assert sum(sizes) <= 300_000

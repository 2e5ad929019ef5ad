"""Hostile files, those that are not heavy: each is read or fails alone, with a reason, in bounded time and memory.

All of them, heavy ones too: `python -m benchmarks.hostile_files`.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import replace
from typing import get_args

import pytest

from rocamadre.knowledge.chunkers.registry import chunker_of, settings_of
from rocamadre.knowledge.parsers import isolated
from rocamadre.knowledge.parsers.isolated import KNOWLEDGE_LIMITS, ParserPool
from rocamadre.knowledge.parsers.parsed import ParseFailure, Reason
from rocamadre.testing.hostile_files import good_files, hostile_files

LIGHT = [case for case in hostile_files() if not case.heavy]
GROUPS = 6
FEW = replace(KNOWLEDGE_LIMITS, memory_bytes=512 << 20)


@pytest.fixture(autouse=True)
def _without_ocr(monkeypatch):
    monkeypatch.setattr(isolated, "tesseract", lambda: None)


def test_there_are_enough_of_them():
    assert len(hostile_files()) >= 400
    assert len(LIGHT) >= 300
    assert len({case.make() for case in LIGHT[:100]}) > 80


def test_the_same_seed_makes_the_same_files():
    """But for archives, which hold the time at which they were made."""
    again = [case for case in hostile_files() if not case.heavy][:100]
    for one, two in zip(LIGHT, again, strict=False):
        assert (one.what, one.name) == (two.what, two.name)
        if one.name.endswith(("pdf", "html", "md", "csv", "json", "eml")) and "rubbish" not in one.what:
            assert one.make() == two.make() or one.make().startswith(b"PK")
    assert [case.make() for case in hostile_files(8)[:50]] != [case.make() for case in LIGHT[:50]]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("group", range(GROUPS))
def test_each_fails_alone_or_is_read(group):
    good = {name: data for name, data in good_files().items() if name != "scan.pdf"}
    outcomes = Counter()
    with ParserPool(FEW, workers=1) as pool:
        expected = {name: pool.parse(data, name) for name, data in good.items()}
        for place, case in enumerate(LIGHT[group::GROUPS]):
            data = case.make()
            began = time.monotonic()
            outcome = _outcome(pool, data, case.name)
            assert time.monotonic() - began < 30, case
            if isinstance(outcome, ParseFailure):
                assert outcome.reason in get_args(Reason), case
                assert 10 < len(outcome.message) < 400, case
                outcomes[outcome.reason] += 1
            else:
                outcomes["text"] += 1
                _check(outcome, case)
            if place % 5 == 0:
                name = list(good)[place // 5 % len(good)]
                assert pool.parse(good[name], name) == expected[name], case
    assert outcomes["text"] > 5
    assert sum(outcomes.values()) - outcomes["text"] > 5


def _outcome(pool, data, name):
    try:
        return pool.parse(data, name)
    except ParseFailure as error:
        return error


def _check(parsed, case):
    """What is read can be stored, sent and cut."""
    parsed.text.encode()
    assert "\0" not in parsed.text
    if len(parsed.text) < 100_000:
        pieces = chunker_of(settings_of(None)).chunk(parsed, lambda text: len(text.split()))
        assert pieces, case
        assert all(parsed.text[piece.start : piece.end] == piece.text for piece in pieces), case


def test_the_bounds_are_below_a_gigabyte_and_half_a_minute():
    assert KNOWLEDGE_LIMITS.memory_bytes < 1 << 30
    assert KNOWLEDGE_LIMITS.cpu_s < KNOWLEDGE_LIMITS.wall_s < 30

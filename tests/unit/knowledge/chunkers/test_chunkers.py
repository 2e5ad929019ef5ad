"""Every chunker: exact spans that cover the text, sizes and overlaps as told, and nothing torn apart."""

from __future__ import annotations

import hashlib
import time
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rocamadre.core.errors import InvalidRequest
from rocamadre.knowledge.chunkers.graphemes import is_boundary
from rocamadre.knowledge.chunkers.registry import CHUNKERS, chunker_of, settings_of
from rocamadre.knowledge.parsers.parsed import Heading, Page, Parsed, Record, Table

PROSE = (
    "The river rises in the hills. Dr. Silva measured it in 2019, e.g. near the old mill. It was cold. "
    "El río nace en la sierra. ¿Quién lo midió? La Sra. Gil, de EE. UU., con mucho cuidado. Nada cambió después. "
    "O rio nasce na serra. A água é fria e clara; corre depressa. Ninguém sabe por quê. "
)


def words(text):
    return len(text.split())


def marked(text):
    """As an embedder counts that adds a mark at both ends, and makes a token of every four letters."""
    return 2 + sum(-(-len(word) // 4) for word in text.split())


def greedy(text):
    """More tokens in a text than in its words one by one."""
    return words(text) + text.count(" ") // 5


def embed(texts):
    vectors = []
    for text in texts:
        seed = int.from_bytes(hashlib.sha256(text.split()[0].encode("utf-8", "replace")).digest()[:4], "big")
        vector = np.random.default_rng(seed).normal(size=16)
        vectors.append(vector / np.linalg.norm(vector))
    return np.array(vectors, np.float32)


def configured(strategy, **values):
    member = {
        "FIXED_SIZE": "fixedSize",
        "SEMANTIC": "semantic",
        "HIERARCHICAL": "hierarchical",
        "RECURSIVE": "recursive",
        "BY_HEADING": "byHeading",
        "BY_SENTENCE": "bySentence",
    }.get(strategy)
    configuration = {"chunkingStrategy": strategy}
    if member:
        configuration[f"{member}ChunkingConfiguration"] = values
    return chunker_of(settings_of(configuration))


def cut(parsed, strategy, count=words, **values):
    parsed = Parsed(parsed) if isinstance(parsed, str) else parsed
    chunker = chunker_of(settings_of(None)) if strategy == "DEFAULT" else configured(strategy, **values)
    return chunker.chunk(parsed, count, embed)


def check(parsed, pieces, *, count=words, most=None):
    """Spans are exact, in order, cover everything that is not white space, and tear nothing."""
    text = parsed.text
    covered = bytearray(len(text))
    last = -1
    for piece in pieces:
        assert text[piece.start : piece.end] == piece.text
        assert piece.text
        assert piece.text == piece.text.strip()
        assert is_boundary(text, piece.start) or text[piece.start - 1].isspace()
        assert is_boundary(text, piece.end)
        if most is not None and piece.searched and count(piece.text) - count("") > most:
            assert " " not in piece.text
            assert not any(is_boundary(piece.text, at) for at in range(1, len(piece.text)))
        covered[piece.start : piece.end] = b"\1" * (piece.end - piece.start)
        if piece.searched:
            assert piece.start >= last
            last = piece.start
        if piece.parent is not None:
            parent = pieces[piece.parent]
            assert not parent.searched
            assert parent.start <= piece.start < piece.end <= parent.end
    for at, character in enumerate(text):
        assert covered[at] or character.isspace(), (at, character)


ALPHABET = st.sampled_from(
    [*"abc AB.,!?\n\n  -#|1", "é", "e\u0301", "👍🏽", "👩‍👧", "🇪🇸", "中", "。", "¿", "Sr. ", "etc. "]
)
TEXTS = st.lists(ALPHABET, max_size=120).map("".join)
STRATEGIES = [
    ("FIXED_SIZE", {"maxTokens": 4, "overlapPercentage": 40}),
    ("FIXED_SIZE", {"maxTokens": 1, "overlapPercentage": 1}),
    ("FIXED_SIZE", {"maxTokens": 7, "overlapPercentage": 99}),
    ("HIERARCHICAL", {"levelConfigurations": [{"maxTokens": 12}, {"maxTokens": 4}], "overlapTokens": 2}),
    ("SEMANTIC", {"maxTokens": 6, "bufferSize": 1, "breakpointPercentileThreshold": 60}),
    ("RECURSIVE", {"maxTokens": 5, "overlapTokens": 2}),
    ("BY_HEADING", {"maxTokens": 6}),
    ("BY_SENTENCE", {"sentences": 2, "overlapSentences": 1, "maxTokens": 8}),
    ("DEFAULT", {}),
    ("NONE", {}),
]


def limit_of(strategy, values):
    if strategy in ("NONE", "DEFAULT"):
        return None if strategy == "NONE" else 300
    return values["levelConfigurations"][1]["maxTokens"] if strategy == "HIERARCHICAL" else values["maxTokens"]


@pytest.mark.parametrize(("strategy", "values"), STRATEGIES)
@pytest.mark.parametrize("count", [words, marked, greedy])
@settings(max_examples=25, deadline=None)
@given(text=TEXTS)
def test_properties(strategy, values, count, text):
    parsed = Parsed(text, headings=tuple(_headings(text)))
    pieces = cut(parsed, strategy, count, **values)
    check(parsed, pieces, count=count, most=limit_of(strategy, values))
    assert cut(parsed, strategy, count, **values) == pieces


def _headings(text):
    at = 0
    for line in text.split("\n"):
        marks, space, title = line.partition(" ")
        if space and marks and not marks.strip("#"):
            yield Heading(at, at + len(line), len(marks), title)
        at += len(line) + 1


def test_every_chunker_can_be_configured():
    assert set(CHUNKERS.names()) == {"DEFAULT", *(strategy for strategy, _ in STRATEGIES)}


def test_fixed_size_is_full_and_overlaps_as_told():
    text = " ".join(f"w{number}" for number in range(1000))
    pieces = cut(text, "FIXED_SIZE", maxTokens=100, overlapPercentage=20)
    assert [words(piece.text) for piece in pieces[:-1]] == [100] * (len(pieces) - 1)
    for one, two in pairwise(pieces):
        assert words(text[two.start : one.end]) == 20
    assert len(pieces) == 13
    assert len(cut(text, "FIXED_SIZE", maxTokens=100, overlapPercentage=0)) == 10


def test_fixed_size_ends_with_a_sentence_when_one_is_near():
    pieces = cut(PROSE * 20, "FIXED_SIZE", maxTokens=60, overlapPercentage=10)
    assert sum(piece.text[-1] in ".?" for piece in pieces) > len(pieces) / 2
    assert all(48 <= words(piece.text) <= 60 for piece in pieces[:-1])


def test_default_keeps_sentences_whole():
    pieces = cut(PROSE * 40, "DEFAULT")
    assert all(piece.text[-1] in ".?" for piece in pieces)
    assert all(250 <= words(piece.text) <= 300 for piece in pieces[:-1])


def test_a_heading_stays_with_its_text():
    text = "".join(f"## Part {number}\n\n{PROSE}\n\n" for number in range(12))
    parsed = Parsed(text, headings=tuple(_headings(text)))
    for pieces in (cut(parsed, "DEFAULT"), cut(parsed, "RECURSIVE", maxTokens=70), cut(parsed, "BY_HEADING")):
        check(parsed, pieces)
        assert not any(piece.text.split("\n")[-1].startswith("## ") for piece in pieces)
    assert [piece.headings for piece in cut(parsed, "BY_HEADING")] == [(f"Part {number}",) for number in range(12)]


def test_a_heading_without_text_goes_with_the_next():
    text = "# One\n\n## Two\n\nwords here\n\n# Three\n\nmore words\n\n### Four\n\nx"
    parsed = Parsed(text, headings=tuple(_headings(text)))
    assert [piece.text for piece in cut(parsed, "BY_HEADING")] == [
        "# One\n\n## Two\n\nwords here",
        "# Three\n\nmore words",
        "### Four\n\nx",
    ]
    assert len(cut(parsed, "BY_HEADING", deepestLevel=1)) == 2


def test_hierarchical_parents_and_children():
    text = PROSE * 40
    pieces = cut(text, "HIERARCHICAL", levelConfigurations=[{"maxTokens": 200}, {"maxTokens": 50}], overlapTokens=10)
    parents = [piece for piece in pieces if not piece.searched]
    children = [piece for piece in pieces if piece.searched]
    assert len(parents) > 5
    assert len(children) > 4 * len(parents)
    assert all(words(piece.text) <= 200 for piece in parents)
    assert all(words(piece.text) <= 50 for piece in children)
    for one, two in pairwise(parents):
        assert 0 < words(text[two.start : one.end]) <= 10
    assert all(piece.parent is None for piece in parents)


def test_semantic_breaks_where_the_subject_changes():
    """A sentence's vector is that of its first word: three subjects, two breaks."""
    text = " ".join(
        [f"Alpha {n} runs." for n in range(10)] + [f"Beta {n} sits." for n in range(10)] + ["Gamma ends."] * 8
    )
    pieces = cut(text, "SEMANTIC", maxTokens=300, bufferSize=0, breakpointPercentileThreshold=90)
    assert [piece.text.split()[0] for piece in pieces] == ["Alpha", "Beta", "Gamma"]
    small = cut(text, "SEMANTIC", maxTokens=10, bufferSize=0, breakpointPercentileThreshold=90)
    assert all(words(piece.text) <= 10 for piece in small)
    with pytest.raises(InvalidRequest, match="needs an embedder"):
        configured("SEMANTIC").chunk(Parsed(text), words)


def test_semantic_asks_the_embedder_in_parts():
    asked = []

    def spy(texts):
        asked.append(len(texts))
        return embed(texts)

    text = " ".join(f"Word{n % 7} is here." for n in range(600))
    pieces = configured("SEMANTIC").chunk(Parsed(text), words, spy)
    assert asked == [256, 256, 88]
    check(Parsed(text), pieces)


def test_recursive_prefers_the_coarser_seam():
    text = "\n\n".join(" ".join(["One two three."] * 4) for _ in range(6))
    pieces = cut(text, "RECURSIVE", maxTokens=30)
    assert [words(piece.text) for piece in pieces] == [24, 24, 24]
    assert [piece.text for piece in cut("aa bb\ncc dd\nee ff", "RECURSIVE", maxTokens=2)] == ["aa bb", "cc dd", "ee ff"]


def test_by_sentence():
    text = "One is. Two is. Three is. Four is. Five is."
    assert [piece.text for piece in cut(text, "BY_SENTENCE", sentences=2, overlapSentences=1)] == [
        "One is. Two is.",
        "Two is. Three is.",
        "Three is. Four is.",
        "Four is. Five is.",
    ]


def test_tables_are_cut_between_rows():
    rows = [f"| city {n} | {n} of them. Yes |" for n in range(40)]
    table = "\n".join(["| name | count |", "| --- | --- |", *rows])
    parsed = Parsed(f"Intro.\n\n{table}\n\nAfter it.", tables=(Table(8, 8 + len(table), 2),))
    pieces = cut(parsed, "FIXED_SIZE", maxTokens=40, overlapPercentage=1)
    check(parsed, pieces)
    for piece in pieces[1:]:
        assert piece.text.startswith(("| ", "After"))
    assert "| city 0 " in pieces[0].text


def test_overlap_repeats_whole_rows():
    lines = [f"Name: city {n}; Count: {n}" for n in range(30)]
    starts = [sum(len(line) + 1 for line in lines[:place]) for place in range(30)]
    records = tuple(Record(start, start + len(line), {}) for start, line in zip(starts, lines, strict=True))
    pieces = cut(Parsed("\n".join(lines), records=records), "FIXED_SIZE", maxTokens=23, overlapPercentage=30)
    assert all(piece.start in starts for piece in pieces)
    assert [len(piece.text.split("\n")) for piece in pieces[:-1]] == [4] * (len(pieces) - 1)
    assert pieces[1].text.split("\n")[0] == pieces[0].text.split("\n")[-1]


def test_rows_with_metadata_are_never_mixed():
    lines = [f"Row {n} says this. And that." for n in range(5)]
    text = "\n".join(lines)
    records, at = [], 0
    for number, line in enumerate(lines):
        records.append(Record(at, at + len(line), {"row": number}))
        at += len(line) + 1
    parsed = Parsed(text, records=tuple(records))
    for strategy, values in STRATEGIES:
        pieces = cut(parsed, strategy, **values)
        check(parsed, pieces)
        assert all(piece.text in lines[piece.metadata["row"]] for piece in pieces), strategy
        assert {piece.metadata["row"] for piece in pieces} == set(range(5))


def test_pages_and_headings_of_a_piece():
    text = "Title\naaa bbb\nccc ddd"
    parsed = Parsed(text, pages=(Page(0, 13, 1), Page(14, 21, 2)), headings=(Heading(0, 5, 1, "Title"),))
    pieces = cut(parsed, "RECURSIVE", maxTokens=3)
    assert [(piece.page, piece.headings) for piece in pieces] == [(1, ("Title",)), (2, ("Title",))]


def test_scripts_without_spaces():
    text = "中文没有空格所以要按字切开" * 200
    pieces = cut(text, "FIXED_SIZE", count=len, maxTokens=50, overlapPercentage=10)
    check(Parsed(text), pieces, count=len, most=50)
    assert len(pieces) > 40


@pytest.mark.parametrize("unit", ["word ", "a", "x. ", "\n", "é́", "- a\n", "# a\n\nb ", "| a | b |\n", "中。"])
@pytest.mark.parametrize(
    "strategy", ["DEFAULT", "FIXED_SIZE", "HIERARCHICAL", "RECURSIVE", "BY_HEADING", "BY_SENTENCE"]
)
def test_time_is_linear(strategy, unit):
    """Eight times the text takes about eight times as long; the best of three, since others use the machine, too."""

    def took(size):
        text = unit * (size // len(unit))
        parsed = Parsed(text, headings=tuple(_headings(text)))
        began = time.process_time()
        cut(parsed, strategy)
        return time.process_time() - began

    small = took(8_000)
    assert any(took(64_000) < 30 * small + 0.5 for _ in range(3))


@pytest.mark.parametrize(
    ("configuration", "match"),
    [
        ({"chunkingStrategy": "MAGIC"}, "'MAGIC'; there are: NONE, FIXED_SIZE"),
        ({}, ""),
        (
            {"chunkingStrategy": "NONE", "fixedSizeChunkingConfiguration": {}},
            "does not belong to the chunking strategy",
        ),
        ({"chunkingStrategy": "FIXED_SIZE", "fixedSizeChunkingConfiguration": {"maxTokens": 0}}, "from 1 to 8192"),
        ({"chunkingStrategy": "FIXED_SIZE", "fixedSizeChunkingConfiguration": {"maxTokens": True}}, "whole number"),
        ({"chunkingStrategy": "FIXED_SIZE", "fixedSizeChunkingConfiguration": {"x": 1}}, "has no 'x'; there are"),
        (
            {"chunkingStrategy": "HIERARCHICAL", "hierarchicalChunkingConfiguration": {"levelConfigurations": [1]}},
            "two",
        ),
        (
            {
                "chunkingStrategy": "HIERARCHICAL",
                "hierarchicalChunkingConfiguration": {
                    "levelConfigurations": [{"maxTokens": 100}, {"maxTokens": 100}],
                    "overlapTokens": 10,
                },
            },
            "must be less than the parents', 100",
        ),
        (
            {"chunkingStrategy": "RECURSIVE", "recursiveChunkingConfiguration": {"maxTokens": 5, "overlapTokens": 5}},
            "overlapTokens is 5; it must be less than maxTokens, 5",
        ),
    ],
)
def test_configurations_that_are_refused(configuration, match):
    if not match:
        assert settings_of(configuration).strategy == "DEFAULT"
        return
    with pytest.raises(InvalidRequest, match=match):
        settings_of(configuration)

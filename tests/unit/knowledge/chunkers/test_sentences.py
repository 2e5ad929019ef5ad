"""Where sentences end, in three languages; and that hostile text costs linear time."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rocamadre.knowledge.chunkers.graphemes import boundary_before, is_boundary
from rocamadre.knowledge.chunkers.sentences import sentences


def cut(text):
    return [text[start:end] for start, end in sentences(text)]


@pytest.mark.parametrize(
    "expected",
    [
        ["Dr. Smith of the U.S. Army met J. R. R. Tolkien in Jan. 1950.", "He paid $3.50, etc.", "The end... or not."],
        ["No. 5 is good.", "I said no.", "Then she left.", "It was I.", "The dog saw e.g. Mr. Jones Jr. there."],
        ["“Really?” he said.", "“Yes.”", "She left!", "(Not at once.)", "See Smith et al. 2003 and p. 5."],
        ["El Sr. Ruiz y la Dra. Gil llegaron a EE. UU. el 3.5.2020.", "¿Qué hicieron?", "¡Nada!", "Véase la pág. 12."],
        ["Vive en la Avda. de América, núm. 7, 3.º izq. según dijo.", "Compró pan, vino, etc.", "Luego se fue."],
        ["A Sra. Silva, da Acme Ltda. de São Paulo, pagou R$ 3.500,00.", "O art. 5 e a pág. 12 dizem isso.", "Fim."],
        ["O Prof. Dr. Lima nasceu em 3 de jan. 1950.", "Mora na Av. Paulista, nº. 100.", "É médico."],
        ["中文句子。", "第二句！", "第三句？", "好"],
    ],
)
def test_sentences_of_several_languages(expected):
    assert cut(" ".join(expected)) == expected


def test_seams_that_are_no_marks():
    text = "# Title\nBody line one\nline two. Next\n- item one\n- item two\n1. first\n2. second\n\nEnd\n| a |\n| 1 |"
    assert cut(text) == [
        "# Title",
        "Body line one\nline two.",
        "Next",
        "- item one",
        "- item two",
        "1. first",
        "2. second",
        "End",
        "| a |",
        "| 1 |",
    ]

    rows = ["Course: Cello; Teacher: Ana Vidal; Room: Hall", "Course: Clay; Teacher: Rui Sa; Room: 4"]
    assert cut("# Courses\n" + "\n".join(rows)) == ["# Courses", *rows]
    assert cut("He said: yes; she\nthought: no.") == ["He said: yes; she\nthought: no."]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from([*'aB1.!?…\n\n #|-。¿"', "Sr. ", "\n# x", "\n\n"]), max_size=60).map("".join))
def test_sentences_hold_everything(text):
    spans = sentences(text)
    assert all(a.end <= b.start for a, b in pairwise(spans))
    assert "".join(text.split()) == "".join("".join(text[start:end].split()) for start, end in spans)


def test_nothing():
    assert sentences("") == sentences(" \n ") == []
    assert [tuple(span) for span in sentences("  a. B  ", most=1)] == [(2, 4)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x" * 25, ["x" * 10, "x" * 10, "x" * 5]),
        ("One two, three four. Five.", ["One two,", "three", "four.", "Five."]),
        ("   ", []),
    ],
)
def test_what_is_too_long_is_cut_at_a_comma_or_a_space(text, expected):
    assert [text[start:end] for start, end in sentences(text, longest=10)] == expected
    assert sentences(text, longest=10, most=1) == sentences(text, longest=10)[:1]


@pytest.mark.parametrize(
    "unit",
    [
        ".",
        "\n",
        " ",
        ". ",
        "\n ",
        '."',
        "# ",
        "#",
        "\n#",
        "a",
        "1. ",
        ".*_",
        "a.b.",
        "¿",
        "。",
        "(",
        "\n- ",
        "S. A. ",
        "\na: b; ",
        "\na: b; c: ",
    ],
)
def test_time_is_linear(unit):
    """Eight times the text takes about eight times as long; a quadratic pattern would take 64 times."""
    times = []
    for size in (10_000, 80_000):
        text = unit * (size // len(unit))
        began = time.process_time()
        sentences(text)
        times.append(time.process_time() - began)
    assert times[1] < 30 * times[0] + 0.5


def test_graphemes_are_whole():
    regex = pytest.importorskip("regex")
    samples = [
        "e\u0301te\u0301",
        "👩‍👩‍👧‍👦👍🏽x",
        "🇪🇸🇧🇷🇵🇹a🇫🇷",
        "각가ㄱ",
        "\u1112\u1161\u11ab\u1100",
        "a\r\nb\n\rc",
        "❤️🏴󠁧󠁢󠁥󠁮󠁧󠁿!",
        "ก็ดี ไทย",
        "à la façon",
    ]
    for text in samples:
        bounds = {0, *(match.end() for match in regex.finditer(r"\X", text))}
        assert {at for at in range(len(text) + 1) if is_boundary(text, at)} == bounds, ascii(text)


def test_an_endless_cluster_is_cut_all_the_same():
    text = "e" + "\u0301" * 1000
    assert boundary_before(text, 20) == 0
    assert boundary_before(text, 500) == 500

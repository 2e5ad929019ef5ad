"""Folding undoes disguises, leaves plain text alone, and knows where each character stood."""

from __future__ import annotations

import time

import pytest

from rocamadre.guardrails.folding import clean, fold, without_accents


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("You 1d10t", "you idiot"),
        ("b1tch35 a$$hole @ss $hit 5h1t", "bitches asshole ass shit shit"),
        ("c4br0n m13rd4", "cabron mierda"),
        ("h a t e  you", "hate  you"),
        ("h.a.t.e, h-a-t-e", "hate, hate"),
        ("fuuuuuck", "fuuck"),
        ("f\u200bu\u2060c\u00adk", "fuck"),
        ("ＦＵＣＫ 𝖋𝖚𝖈𝖐 ⓕⓤⓒⓚ", "fuck fuck fuck"),
        ("һаtе", "hate"),
        ("ΗΑΤΕ", "hate"),
        ("Z̸̢a̷l̵g̵o̴", "zalgo"),
        ("cabro\u0301n", "cabrón"),
        ("\ud800abc", "\ufffdabc"),
        ("", ""),
    ],
)
def test_disguises_fall(text, folded):
    assert fold(text).text == folded


@pytest.mark.parametrize(
    "text",
    [
        "covid19 mp3 h264 1st 10th 5pm 10km",
        "call 555 0134 now!",
        "john@example.com",
        "c++ and $100",
        "coño, años, ação",
    ],
)
def test_plain_text_stays(text):
    assert fold(text).text == text


@pytest.mark.parametrize(
    "text", ["a\u200bb4d W0RD, h a t e ﬁn ⅷ", "e\u0301\u0302x", "\u0301abc", "x\ud83d\u200by", "ſtraße"]
)
def test_places_point_into_the_original(text):
    for folded in (fold(text), clean(text)):
        assert len(folded.places) == len(folded.text)
        assert list(folded.places) == sorted(folded.places)
        assert all(0 <= place < len(text) for place in folded.places)


def test_a_span_takes_hidden_marks_with_it():
    folded = clean("id 1\u200b2\u200b3 x")
    start = folded.text.index("123")
    assert folded.span(start, start + 3) == (3, 8)


def test_clean_keeps_case_and_undoes_forms():
    assert clean("ＡＢ 4\u200b111 \u0661\u0662 María\u00a0X – y").text == "AB 4111 12 María X - y"


def test_accents_can_be_taken_away():
    assert without_accents("ação Ñandú über") == "acao Nandu uber"


@pytest.mark.parametrize(
    "text", ["a1" * 100_000, "a " * 100_000, "a" * 200_000, "e\u0301" * 60_000, "\u0301" * 100_000, "@" * 200_000]
)
def test_hostile_texts_take_linear_time(text):
    started = time.process_time()
    folded = fold(text)
    assert len(folded.places) == len(folded.text)
    assert time.process_time() - started < 20

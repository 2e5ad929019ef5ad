"""The word policy finds words and phrases however they are written, and leaves words that only look like them."""

from __future__ import annotations

import time

import pytest

from rocamadre.core.errors import InvalidRequest
from rocamadre.guardrails.policies.protocol import Action, Source, Surroundings
from rocamadre.guardrails.policies.words import MOST_FINDINGS, Words
from rocamadre.guardrails.text import Text


def found(raw, *words, language="", **config):
    checker = Words().checker({"wordsConfig": [{"text": word} for word in words], **config}, "CLASSIC")
    findings = checker.check(Text(raw, language), Source.INPUT, Surroundings())
    assert all(raw[one.start : one.end] == one.match for one in findings)
    return [one.match for one in findings]


def profane(raw, language=""):
    return found(raw, language=language, managedWordListsConfig=[{"type": "PROFANITY"}])


@pytest.mark.parametrize(
    ("text", "word", "matches"),
    [
        ("We sell Acme, ACME and acme's; not acmes.", "acme", ["Acme", "ACME", "acme"]),
        ("a project  blue\nsky plan, project blue", "Project Blue Sky", ["project  blue\nsky"]),
        ("C++ and C, c++!", "C++", ["C++", "c++"]),
        ("use .NET, not the net", ".net", [".NET"]),
        ("a $$$ b $$ 🖕🏽", "$$$", ["$$$"]),
        ("vete 🖕🏽 ya", "🖕", ["🖕"]),
        ("秘密計画は秘密です", "秘密", ["秘密", "秘密"]),
        ("นี่คือความลับของเรา", "ความลับ", ["ความลับ"]),
        ("यह गुप्त योजना है", "गुप्त", ["गुप्त"]),
        ("Straße und STRASSE", "strasse", ["Straße", "STRASSE"]),
        ("el año, el ano", "año", ["año"]),
        ("Cafe\u0301 CAFÉ cafe", "café", ["Cafe\u0301", "CAFÉ"]),
        (
            "f\u200bo\u200br\u200bbidden ｆｏｒｂｉｄｄｅｎ",
            "forbidden",
            ["f\u200bo\u200br\u200bbidden", "ｆｏｒｂｉｄｄｅｎ"],
        ),
        ("f0rbidd3n, f o r b i d d e n", "forbidden", ["f0rbidd3n", "f o r b i d d e n"]),
        ("cat scatter bobcat", "cat", ["cat"]),
        ("key_word and keyword", "key_word", ["key_word"]),
        ("ab\ud800cd secret", "secret", ["secret"]),
    ],
)
def test_custom_words(text, word, matches):
    assert found(text, word) == matches


def test_the_longest_of_overlapping_phrases():
    assert found("new york city hall", "york", "new york city", "city hall", "new york") == ["new york city"]


@pytest.mark.parametrize(
    "text",
    [
        *("what the fuck", "you fucking idiot", "fuuuuuck", "f u c k", "i f.u.c.k y.o.u", "f**k", "sh!t", "b1tches"),
        *("a$$hole", "ＳＨＩＴ", "ѕhіt", "son of a bitch", "motherfucker", "bull\u200bshit", "BASTARDS", "s#it"),
        *("hijo de puta", "qué cabrón", "que cabron", "jódete", "gilipollas", "coño", "c4br0n", "m i e r d a"),
        *("putísima", "me cago en todo", "filho da puta", "vai tomar no cu", "caralho", "que merda", "viadinho"),
        *("puta que pariu", "foda-se", "arrombado", "p.o.r.r.a, é uma merda"),
    ],
)
def test_profanity_is_found(text):
    assert profane(text)


@pytest.mark.parametrize(
    "text",
    [
        "Scunthorpe's assistant classes assess passion in Essex, Middlesex and Sussex",
        "shiitake mushrooms, a cockpit, a dictionary, the Dickens museum, Hancock, therapist, grapefruit",
        "Matsushita, cumulative, document, circumstance, peacock, cocktail, analysis, title, button, a Christmas bass",
        "computadora, disputa, diputado, reputación, imputar, computar, culpa, cultura, calculo, oculto, círculo",
        "el zorro y la zorra en el bosque, coger el autobús, la concha del mar, el pinche de cocina, un capullo, cono",
        "o computador, a disputa, o deputado, cuidado, curso, rapariga bonita, pica-pau, escudo, acúmulo, documento",
        "uma porção de reputação; a putrefação, o merecido",
        "bitcoin, Pitch Black, switch, snap shot, moist, mist, hits, s, ff, f*",
        "The kite and Mike, Pussycat? no: pus, cat; 5 * 3 * 2; # a #b",
        "Die Porra ist ein Gebäck; crap game",
    ],
)
def test_decent_words_are_left(text):
    assert profane(text) == []


def test_words_decent_elsewhere_count_in_their_language_only():
    assert profane("Que porra é essa que você fez?") == ["porra"]
    assert profane("Desayunamos una porra con chocolate en la plaza") == []
    assert profane("porra", "pt") == ["porra"]


def test_settings_by_source():
    config = {
        "wordsConfig": [
            {"text": "one", "inputAction": "NONE"},
            {"text": "two", "outputEnabled": False},
            {"text": "three", "inputEnabled": False, "outputAction": "BLOCK"},
        ]
    }
    checker = Words().checker(config, "")
    text = Text("one two three")
    asked = [(each.match, each.action) for each in checker.check(text, Source.INPUT, Surroundings())]
    answered = [(each.match, each.action) for each in checker.check(text, Source.OUTPUT, Surroundings())]
    assert asked == [("one", Action.NONE), ("two", Action.BLOCK)]
    assert answered == [("one", Action.BLOCK), ("three", Action.BLOCK)]
    assert {each.kind for each in checker.check(text, Source.INPUT, Surroundings())} == {"customWords"}


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"wordsConfig": [{"text": "\u200b"}]}, "no visible character"),
        ({"wordsConfig": [{"text": "x" * 101}]}, "101 characters; 100 are allowed"),
        ({"wordsConfig": [{"text": "x"}] * 10_001}, "10001 words; 10000 are allowed"),
        ({"wordsConfig": [{"text": "x", "inputAction": "ANONYMIZE"}]}, "takes BLOCK or NONE"),
        ({"managedWordListsConfig": [{"type": "SLANG"}]}, "there is PROFANITY"),
    ],
)
def test_settings_that_make_no_sense_are_refused(config, message):
    with pytest.raises(InvalidRequest, match=message):
        Words().checker(config, "CLASSIC")


def test_ten_thousand_words_over_megabytes():
    words = [f"word{number} part{number % 7} x" for number in range(5_000)] + [
        f"a{'!' * (number % 90 + 1)}b{number}" for number in range(5_000)
    ]
    checker = Words().checker(
        {"wordsConfig": [{"text": word} for word in words], "managedWordListsConfig": [{"type": "PROFANITY"}]}, ""
    )
    raw = "the word17 part3 x fox, a!b0 jumps over " * 6_000
    started = time.process_time()
    findings = checker.check(Text(raw), Source.INPUT, Surroundings())
    assert len(findings) == MOST_FINDINGS
    assert time.process_time() - started < 60


@pytest.mark.parametrize(
    "raw", ["a " * 60_000, "a" * 120_000, "f*" * 60_000, "fu" * 60_000 + " f u c k" * 2_000, "秘" * 60_000]
)
def test_hostile_texts_take_linear_time(raw):
    words = [" ".join("a" * count) for count in range(2, 50)] + ["a " * 48 + "b", "秘" * 90, "秘" * 99 + "密"]
    checker = Words().checker(
        {"wordsConfig": [{"text": word} for word in words], "managedWordListsConfig": [{"type": "PROFANITY"}]}, ""
    )
    started = time.process_time()
    assert len(checker.check(Text(raw), Source.INPUT, Surroundings())) <= 2 * MOST_FINDINGS
    assert time.process_time() - started < 60

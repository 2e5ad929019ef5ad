"""Words that are numbered say what the same texts say one by one."""

from __future__ import annotations

import random

import pytest

from rocamadre.datasets.languages import detect_language
from rocamadre.knowledge.ingestion.tokens import by_letters
from rocamadre.knowledge.languages import bulk
from rocamadre.knowledge.languages.analysis import analyse, words_of

ATOMS = [
    *"the river Douro, la marea no é así; ¿Qué hizo? state-of-the-art l'eau naïve Σας ΟΔΟΣ ﬁne ½ ´a IQ 42 _a_".split(),
    *"nações don't (a) “The 東京都の文。 हिन्दी 👩\u200d👧 ไทย İstanbul soft\u00adhyphen zero\u200bwidth |".split(),
    *("e\u0301te\u0301", "\u0301", "snake_case", "x" * 130, "https://example.org/" + "a" * 70),
]
GAPS = (" ", " ", " ", "\n", "\n\n", "\u00a0", "\u3000", "\x1c", "  \t")


def texts(seed, count=150):
    chance = random.Random(seed)
    for _ in range(count):
        yield "".join(chance.choice(ATOMS) + chance.choice(GAPS) for _ in range(chance.choice((0, 1, 2, 5, 40))))


@pytest.mark.parametrize("seed", range(4))
def test_language_terms_and_costs_are_those_of_the_text(seed):
    for text in texts(seed):
        words = bulk.split(text)
        assert words.pieces == text.split()
        assert words.language(text) == detect_language(text, words_of(text)), text
        for language in ("en", "es", "pt", ""):
            assert words.terms(language) == " ".join(analyse(text, language)), text
        assert list(words.costs(by_letters)) == [
            by_letters(piece) if len(piece) <= bulk.LONGEST else 0 for piece in text.split()
        ]


def test_a_part_is_as_its_own_text():
    text = " ".join(ATOMS * 3)
    pieces = text.split()
    whole = bulk.split(text)
    for start, end in ((0, 5), (7, 30), (40, 40), (60, len(pieces))):
        part, own = whole.part(start, end), " ".join(pieces[start:end])
        assert part.terms("pt") == " ".join(analyse(own, "pt"))
        assert part.language(own) == detect_language(own, words_of(own))


def test_what_is_remembered_is_bounded(monkeypatch):
    monkeypatch.setattr(bulk, "_MOST", 20)
    before = bulk.split("kept words stay true")
    for number in range(200):
        assert bulk.split(f"word{number} and more{number}").terms("en") == f"word{number} more{number}"
    assert len(bulk._table.pieces) < 40
    assert before.terms("en") == "kept word stay true"


def test_more_kinds_of_pieces_than_there_are_numbers():
    text = " ".join("-".join(["the", "x"] * number) for number in range(1, 300) if number < 16) + " "
    text += " ".join("-".join(chance) for chance in (["la", "os", "w" + str(n)] * (n % 5 + 1) for n in range(300)))
    words = bulk.split(text)
    assert words.language(text) == detect_language(text, words_of(text))
    assert words.terms("es") == " ".join(analyse(text, "es"))

"""The lexicon's files, and whether they hold the terms that the analyser makes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rocamadre.knowledge.languages.analysis import term_of
from rocamadre.knowledge.languages.lexicon import FOLDER, PAIRS, pack, translations, unpack

WORD = st.text("abcdeñçó", min_size=1, max_size=12)


@pytest.mark.parametrize(
    ("source", "word", "target", "translation"),
    [
        ("en", "river", "es", "río"),
        ("en", "nations", "es", "naciones"),
        ("en", "countries", "pt", "países"),
        ("en", "information", "pt", "informações"),
        ("es", "ciudades", "en", "city"),
        ("es", "libro", "pt", "livros"),
        ("pt", "cidade", "en", "cities"),
        ("pt", "pergunta", "es", "preguntas"),
        ("pt", "função", "en", "functions"),
    ],
)
def test_common_words_are_known(source: str, word: str, target: str, translation: str) -> None:
    found = [term for term, _ in translations(term_of(word, source), source, target)]
    assert term_of(translation, target) in found


def test_what_is_unknown_has_no_translation() -> None:
    assert translations("qwertz", "en", "es") == ()
    assert translations("river", "en", "en") == ()
    assert translations("river", "en", "de") == ()
    assert translations("fluss", "", "en") == ()


def test_the_most_probable_is_first() -> None:
    found = [probability for _, probability in translations(term_of("house", "en"), "en", "es")]
    assert found == sorted(found, reverse=True)
    assert all(0 < probability <= 1 for probability in found)


def test_files_are_small() -> None:
    sizes = [(FOLDER / f"{pair}.gz").stat().st_size for pair in PAIRS]
    assert max(sizes) < 100_000
    assert sum(sizes) < 400_000


@given(st.lists(st.tuples(WORD, WORD, st.floats(0.05, 1), st.floats(0.05, 1)), max_size=20))
def test_packing_loses_nothing_but_precision(pairs: list[tuple[str, str, float, float]]) -> None:
    once = unpack(pack(pairs))
    assert [item[:2] for item in once] == [item[:2] for item in sorted(pairs)]
    assert unpack(pack(once)) == sorted(once)
    for given_, kept in zip(sorted(pairs), once, strict=True):
        assert kept[2:] == pytest.approx(given_[2:], abs=0.026)

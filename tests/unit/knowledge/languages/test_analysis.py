"""Terms of texts in English, Spanish and Portuguese, and in languages without an analyser."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rocamadre.knowledge.languages import analyse, detect
from rocamadre.knowledge.languages.analysis import LONGEST, term_of, words_of
from rocamadre.knowledge.languages.stopwords import STOP_WORDS


@pytest.mark.parametrize(
    ("language", "one", "other"),
    [
        ("en", "The nation's rivers were flooding", "a nation and its river flooded"),
        ("es", "Las canciones más bonitas", "la canción bonita"),
        ("es", "educación rápidamente", "EDUCACION rapidamente"),
        ("pt", "As nações europeias", "a nação européia"),
        ("pt", "A educação e a televisão", "educacao televisao"),
    ],
)
def test_forms_of_a_word_are_one_term(language: str, one: str, other: str) -> None:
    assert set(analyse(one, language)) == set(analyse(other, language))


@pytest.mark.parametrize("language", sorted(STOP_WORDS))
def test_stop_words_are_no_terms(language: str) -> None:
    assert analyse(" ".join(STOP_WORDS[language]), language) == []


def test_a_question_of_small_words_alone_has_no_terms() -> None:
    assert analyse("to be or not to be", "en") == []


def test_other_languages_keep_their_words() -> None:
    assert analyse("Die Häuser der Stadt", "de") == ["die", "hauser", "der", "stadt"]
    assert analyse("हिन्दी में", "") == ["हिन्दी", "में"]


def test_scripts_without_spaces_are_pairs_of_characters() -> None:
    assert analyse("東京都に行く", "") == ["東京", "京都", "都に", "に行", "行く"]
    assert analyse("水", "") == ["水"]


def test_widths_cases_and_composed_forms_are_one() -> None:
    assert analyse("ＦＵＬＬ cafe\u0301 CAFÉ", "") == ["full", "cafe", "cafe"]


def test_numbers_and_names_with_digits_stay() -> None:
    assert analyse("RFC2119 of 1997", "en") == ["rfc2119", "1997"]


def test_what_is_no_word_is_cut() -> None:
    assert len(analyse("A" * 5000, "en")[0]) == LONGEST


@given(st.text(max_size=200), st.sampled_from(["en", "es", "pt", "de", ""]))
def test_terms_are_stable_and_fit_the_index(text: str, language: str) -> None:
    terms = analyse(text, language)
    assert analyse(text, language) == terms
    assert all(term and not any(character.isspace() for character in term) for term in terms)
    assert " ".join(terms).split() == terms


@given(st.text(max_size=50))
def test_a_word_means_the_same_alone_and_in_a_text(text: str) -> None:
    assert analyse(text, "pt") == [term for word in words_of(text) if (term := term_of(word, "pt"))]


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Who wrote the report about the flood?", "en"),
        ("¿Quién escribió el informe sobre la inundación?", "es"),
        ("Quem escreveu o relatório sobre a inundação?", "pt"),
        ("Wer hat den Bericht über die Flut geschrieben?", ""),
        ("誰が報告書を書いたのか", ""),
        ("", ""),
        ("12345", ""),
    ],
)
def test_languages_are_told_apart(text: str, language: str) -> None:
    assert detect(text) == language

"""Figures of answers: what counts as supported, in three languages."""

from __future__ import annotations

import pytest
from tests.unit.knowledge.search.conftest import embed

from rocamadre.knowledge.evaluation import answer_scores

CONTEXTS = [
    "The old bridge of Cahors was finished in 1378. It has three towers.",
    "Bakers need flour, water and patience.",
]


def test_a_quoted_answer_is_faithful_and_its_chunk_relevant() -> None:
    scores = answer_scores(
        "When was the bridge of Cahors finished?",
        "The old bridge of Cahors was finished in 1378.",
        CONTEXTS,
        embed,
        expected="The bridge was finished in 1378.",
    )
    assert scores.faithfulness == 1
    assert scores.context_precision == 1
    assert scores.context_recall == 1
    assert scores.answer_relevance > 0.5


def test_a_wrong_number_is_not_faithful() -> None:
    scores = answer_scores("When?", "The old bridge of Cahors was finished in 1387.", CONTEXTS, embed)
    assert scores.faithfulness == 0
    assert scores.context_precision is None
    assert scores.context_recall is None


def test_half_an_answer_that_is_made_up_is_half_faithful() -> None:
    answer = "The bridge has three towers. The mayor sleeps badly on windy nights."
    assert answer_scores("What has it?", answer, CONTEXTS, embed).faithfulness == 0.5


def test_precision_falls_when_the_relevant_chunk_comes_late() -> None:
    late = answer_scores("?", "", CONTEXTS[::-1], embed, expected="The bridge was finished in 1378.")
    assert late.context_precision == 0.5
    assert late.context_recall == 1


def test_what_is_missing_lowers_recall() -> None:
    expected = "The bridge was finished in 1378. It was paid for by merchants."
    assert answer_scores("?", "", CONTEXTS, embed, expected=expected).context_recall == 0.5


@pytest.mark.parametrize(
    ("context", "answer"),
    [
        ("El puente de piedra se terminó en 1378 y tiene tres torres.", "El puente tiene tres torres."),
        ("A ponte de pedra foi terminada em 1378 e tem três torres.", "A ponte tem tres torres."),
    ],
)
def test_support_is_seen_in_spanish_and_portuguese(context: str, answer: str) -> None:
    assert answer_scores("?", answer, [context], embed).faithfulness == 1


def test_nothing_retrieved_supports_nothing() -> None:
    scores = answer_scores("?", "The bridge has three towers.", [], embed, expected="Three.")
    assert scores == (0.0, 0.0, 0.0, scores.answer_relevance)


def test_an_empty_answer_is_faithful_and_irrelevant() -> None:
    scores = answer_scores("What?", "", CONTEXTS, embed)
    assert (scores.faithfulness, scores.answer_relevance) == (1.0, 0.0)

"""Fusion, MMR and the figures of retrieval against their definitions, written another way."""

from __future__ import annotations

import math
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rocamadre.knowledge.evaluation import (
    Judged,
    interval,
    ndcg,
    paired_difference,
    recall,
    reciprocal_rank,
    retrieval_report,
)
from rocamadre.knowledge.search.rules import (
    RULES,
    Evidence,
    in_turns,
    merged_ranks,
    reciprocal_ranks,
    stretched,
    weighted,
)
from rocamadre.knowledge.search.stages.mmr import marginal_order

SCORES = st.lists(st.floats(0, 40), min_size=1, max_size=30)


def evidence(lexical, cosine, **more) -> Evidence:
    def ranks(values):
        order = sorted(range(len(values)), key=lambda place: (-values[place], place))
        found = np.zeros(len(values), np.int64)
        for rank, place in enumerate(order, 1):
            found[place] = rank
        return found

    lexical, cosine = np.array(lexical, float), np.array(cosine, float)
    given_ = {
        "lexical_rank": np.where(lexical > 0, ranks(lexical), 0),
        "vector_rank": ranks(cosine),
        "most_lexical": float(lexical.max() * 2 + 1),
        "language": "en",
        "trust": 1.0,
        "vector_weight": 0.3,
        "rank_offset": 60,
    }
    return Evidence(lexical, cosine, **(given_ | more))


def test_reciprocal_ranks_are_the_formula() -> None:
    fused = reciprocal_ranks(evidence([3.0, 0.0, 1.0], [0.1, 0.9, 0.5], rank_offset=10))
    expected = np.array([1 / 11 + 1 / 13, 1 / 11, 1 / 12 + 1 / 12]) * 11 / 2
    np.testing.assert_allclose(fused.scores, expected, rtol=1e-12)


def test_the_weighted_sum_is_the_formula() -> None:
    fused = weighted(evidence([4.0, 0.0, 2.0], [0.2, 0.6, 0.4], vector_weight=0.25))
    np.testing.assert_allclose(fused.scores, [0.75 * 1 + 0, 0.25 * 1, 0.75 * 0 + 0.25 * 0.5], atol=1e-12)


def test_what_a_list_does_not_hold_gets_nothing_from_it() -> None:
    made = evidence([4.0, 2.0, 0.0], [0.9, 0.8, 0.7], vector_rank=np.array([1, 0, 2]), vector_weight=0.5)
    np.testing.assert_allclose(weighted(made).scores, [1.0, 0.0, 0.0], atol=1e-12)


@pytest.mark.parametrize("rule", RULES.names())
@given(st.data())
def test_rules_stay_in_bounds_and_follow_dominance(rule: str, data: st.DataObject) -> None:
    lexical = data.draw(SCORES)
    cosine = data.draw(st.lists(st.floats(-1, 1), min_size=len(lexical), max_size=len(lexical)))
    scores = RULES.load(rule)(evidence(lexical, cosine)).scores
    assert scores.shape == (len(lexical),)
    assert np.isfinite(scores).all()
    assert (scores >= 0).all()
    assert (scores <= 1 + 1e-12).all()
    best = max(range(len(lexical)), key=lambda place: lexical[place])
    if cosine[best] == max(cosine):
        assert scores[best] >= scores.max() - 1e-12


@given(SCORES)
def test_stretching_keeps_order_and_reaches_both_ends(values: list[float]) -> None:
    found = stretched(np.array(values))
    assert found.max() == 1
    assert found.min() == (0 if min(values) < max(values) else 1)
    order = np.argsort(values, kind="stable")
    assert (np.diff(found[order]) >= 0).all()


def test_merged_ranks_are_the_formula() -> None:
    merged = merged_ranks([["a", "b", "c"], ["c", "a"]], offset=60)
    assert merged["a"] == pytest.approx((61 / 61 + 61 / 62) / 2)
    assert merged["c"] == pytest.approx((61 / 63 + 61 / 61) / 2)
    assert merged["b"] == pytest.approx(61 / 62 / 2)


def test_turns_never_rise() -> None:
    merged = in_turns([{"a": 0.2, "b": 0.1}, {"c": 0.9, "d": 0.8}])
    assert list(merged) == ["a", "c", "b", "d"]
    assert list(merged.values()) == [0.2, 0.2, 0.1, 0.1]


@given(st.integers(1, 7), st.floats(0, 1), st.integers(0, 1000))
def test_mmr_is_greedy_by_its_definition(count: int, diversity: float, seed: int) -> None:
    random = np.random.default_rng(seed)
    relevance = random.random(count)
    vectors = random.standard_normal((count, 4))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    similarity = (vectors @ vectors.T).astype(np.float32)
    order = marginal_order(relevance, similarity, diversity=diversity)
    assert sorted(order) == list(range(count))
    for step, place in enumerate(order):

        def gain(candidate: int, picked: list[int] = order[:step]) -> float:
            nearest = max((float(similarity[candidate, other]) for other in picked), default=0.0)
            return (1 - diversity) * relevance[candidate] - diversity * nearest

        assert gain(place) >= max(gain(other) for other in order[step:]) - 1e-9


def test_mmr_without_diversity_is_relevance() -> None:
    relevance = np.array([0.3, 0.9, 0.5])
    assert marginal_order(relevance, np.eye(3, dtype=np.float32), diversity=0) == [1, 2, 0]


@given(st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 3), min_size=1))
def test_ndcg_is_one_for_the_best_order_and_only_there(grades: dict[str, int]) -> None:
    if not any(grades.values()):
        assert ndcg(list(grades), grades) == 0
        return
    scores = {order: ndcg(order, grades) for order in list(permutations(grades))[:120]}
    best = tuple(sorted(grades, key=lambda each: -grades[each]))
    assert ndcg(best, grades) == pytest.approx(1)
    assert max(scores.values()) <= 1 + 1e-12


def test_figures_are_their_definitions() -> None:
    found, grades = ["x", "b", "y", "a"], {"a": 2.0, "b": 1.0, "c": 1.0}
    gained = 1 / math.log2(3) + 2 / math.log2(5)
    assert ndcg(found, grades) == pytest.approx(gained / (2 + 1 / math.log2(3) + 1 / math.log2(4)))
    assert recall(found, grades, k=2) == pytest.approx(1 / 3)
    assert reciprocal_rank(found, grades) == 0.5
    assert reciprocal_rank(["x"], grades) == 0


def test_intervals_hold_the_mean_of_a_known_distribution() -> None:
    """The percentile interval of 400 fair coins is 0.5 ± 1.96 · 0.5 / 20, to a hundredth."""
    mean, low, high = interval([0.0, 1.0] * 200)
    assert mean == 0.5
    assert low == pytest.approx(0.5 - 0.049, abs=0.01)
    assert high == pytest.approx(0.5 + 0.049, abs=0.01)


def test_a_paired_difference_sees_what_an_unpaired_one_cannot() -> None:
    theirs = np.linspace(0, 1, 100)
    difference = paired_difference(list(theirs + 0.01), list(theirs))
    assert difference.mean == pytest.approx(0.01)
    assert difference.low == pytest.approx(0.01)
    assert difference.not_above == 0


def test_reports_are_given_by_language() -> None:
    questions = [Judged("?", {"a": 1}, "en"), Judged("¿?", {"a": 1}, "es"), Judged("¿?", {"a": 1}, "es")]
    report = retrieval_report(questions, [["a"], ["b", "a"], ["a"]])
    assert report.questions == 3
    assert report.figures["mrr"].mean == pytest.approx(2.5 / 3)
    assert report.by_language["en"][0] == 1
    assert report.by_language["es"][1]["recall@1"].mean == 0.5

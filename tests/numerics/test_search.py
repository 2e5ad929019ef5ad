"""Fusion, MMR and the figures of retrieval against their definitions, written another way."""

from __future__ import annotations

import math
from itertools import pairwise, permutations
from pathlib import Path

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
from rocamadre.knowledge.search.adaptive import adaptive
from rocamadre.knowledge.search.concepts import WINDOW, Reading, concepts_of
from rocamadre.knowledge.search.rules import (
    RULES,
    Evidence,
    in_turns,
    merged_ranks,
    reciprocal_ranks,
    stretched,
    weighted,
)
from rocamadre.knowledge.search.stages.lexical import K1, B
from rocamadre.knowledge.search.stages.mmr import marginal_order
from rocamadre.store.vectors.protocol import Chunk, Replacement, StoreFacts
from rocamadre.store.vectors.sqlite import SqliteVectors

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
        "lexical_share": lexical / float(lexical.max() * 2 + 1),
        "near": lexical / float(lexical.max() + 1),
        "pairs": np.zeros(len(lexical)),
        "language": "en",
        "trust": 1.0,
        "vector_weight": 0.3,
        "rank_offset": 60,
    }
    return Evidence(lexical=lexical, cosine=cosine, **(given_ | more))


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
    others = [place for place in range(len(lexical)) if place != best]
    if all(lexical[best] > lexical[place] and cosine[best] > cosine[place] for place in others):
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


CHUNKS = ["b a x y", "a x x x x b", "c", "a b", "x y z"]


def by_definition(question: list[str], chunk: list[str], held: dict[str, int], total: int) -> Reading:
    """The same figures, written the long way."""
    rarity = {term: math.log(1 + (total - held[term] + 0.5) / (held[term] + 0.5)) for term in question}
    every, mean = sum(rarity[term] for term in set(question)), sum(len(text.split()) for text in CHUNKS) / len(CHUNKS)
    slope = 0.9 * (1 - 0.75 + 0.75 * len(chunk) / mean)
    scores = {term: question.count(term) * rarity[term] * chunk.count(term) for term in set(question)}
    lexical = sum(score / (chunk.count(term) + slope) for term, score in scores.items())
    windows = [chunk[start : start + WINDOW + 1] for start in range(max(1, len(chunk)))]
    pairs = list(pairwise(question))
    weights = [min(rarity[one], rarity[other]) for one, other in pairs]
    there = [weight for pair, weight in zip(pairs, weights, strict=True) if pair in set(pairwise(chunk))]
    return Reading(
        lexical / sum(question.count(term) * rarity[term] for term in set(question)),
        max(sum(rarity[term] for term in set(question) & set(window)) for window in windows) / every,
        sum(there) / sum(weights) if weights else 0.0,
        sum(rarity[term] for term in set(question) & set(chunk)) / every,
    )


@pytest.mark.parametrize("question", ["a b", "b a", "a", "a b a", "c x"])
@pytest.mark.parametrize("chunk", [*CHUNKS, "a " + "z " * 19 + "b", "a " + "z " * 20 + "b"])
def test_readings_are_their_definitions(question: str, chunk: str) -> None:
    order, terms = question.split(), chunk.split()
    held = {term: sum(term in text.split() for text in CHUNKS) for term in set(order)}
    weights = {term: float(order.count(term)) for term in order}
    concepts = concepts_of(order, weights, {}, held, len(CHUNKS))
    mean = sum(len(text.split()) for text in CHUNKS) / len(CHUNKS)
    read = concepts.read(terms, mean_length=mean, k1=0.9, b=0.75)
    assert read == pytest.approx(by_definition(order, terms, held, len(CHUNKS)))


def test_a_translation_covers_what_the_word_does() -> None:
    held = {"bridg": 1, "river": 1, "puent": 3, "rio": 2}
    concepts = concepts_of(
        ["bridg", "river"],
        {"bridg": 1.0, "puent": 0.8, "river": 1.0, "rio": 1.0},
        {"bridg": {"puent"}, "river": {"rio"}},
        held,
        10,
    )
    read = concepts.read(["puent", "rio"], mean_length=2, k1=0.9, b=0.75)
    assert (read.coverage, read.near, read.pairs) == pytest.approx((1, 1, 1))
    assert concepts.read(["puent"], mean_length=2, k1=0.9, b=0.75).coverage < 0.6


def test_the_share_of_bm25_is_that_of_the_store(tmp_path: Path) -> None:
    """The store's sum, divided by the most it could be, and our own reading of the chunk's terms are one number."""
    store = SqliteVectors(tmp_path / "kb.sqlite", StoreFacts("x", 4))
    vector = np.full(4, 0.5, np.float32)
    chunks = [
        Chunk(str(place), str(place), text, 0, len(text), terms=text, embedding=vector)
        for place, text in enumerate(CHUNKS)
    ]
    store.replace_many([Replacement(chunk.id, "ds", "h", [chunk], chunk.text) for chunk in chunks])
    terms = {"a": 1.0, "b": 0.5}
    concepts = concepts_of(["a", "b"], terms, {}, store.term_counts(["a", "b"]), store.count())
    mean = sum(len(text.split()) for text in CHUNKS) / len(CHUNKS)
    for hit in store.by_terms(list(terms.items()), limit=9, k1=K1, b=B):
        read = concepts.read(CHUNKS[int(hit.chunk)].split(), mean_length=mean, k1=K1, b=B)
        assert hit.score / (concepts.most * (K1 + 1)) == pytest.approx(read.lexical, rel=1e-5)
    store.close()


def test_votes_count_only_in_doubt_and_where_the_embedder_is_trusted() -> None:
    undecided = {"lexical_share": np.full(12, 0.5), "near": np.full(12, 0.5), "pairs": np.zeros(12)}
    cosine = list(np.linspace(0.5, 0.4, 12))
    trusted = adaptive(evidence([5.0] * 12, cosine, **undecided)).facts["weights"]["ranks"]
    assert trusted > 0.2
    assert adaptive(evidence([5.0] * 12, cosine, trust=0.0, **undecided)).facts["weights"]["ranks"] == 0
    decided = evidence([9.0] + [1.0] * 11, cosine, **undecided)
    assert adaptive(decided).facts["weights"]["ranks"] == 0


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

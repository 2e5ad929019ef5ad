"""Searches over a real store: what is found, and whether the trace tells the truth about it."""

from __future__ import annotations

import json

import numpy as np
import pytest
from tests.unit.knowledge.search.conftest import embed, piece

from rocamadre.core.errors import InvalidRequest
from rocamadre.knowledge.search import Query, SearchSettings, search
from rocamadre.store.vectors.filters import parse_filter

RIVER = piece("The river flooded the valley in spring.")
BRIDGE = piece("A bridge of grey stone crosses the river.")
BAKERS = piece("Bakers need flour, water and patience.")
SPANISH = piece("El puente de piedra cruza el río desde 1310.", "es")
PORTUGUESE = piece("A ponte de pedra atravessa o rio desde 1310.", "pt")
ALL = (RIVER, BRIDGE, BAKERS, SPANISH, PORTUGUESE)


def test_scores_fall_and_stay_between_zero_and_one(filled) -> None:
    found = search(filled(*ALL), Query("Which bridge crosses the river?"), SearchSettings(), embed)
    scores = [result.score for result in found.results]
    assert found.results[0].chunk.id == BRIDGE.id
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)


@pytest.mark.parametrize("rule", ["adaptive", "weighted", "rank"])
def test_every_rule_finds_the_chunk_with_all_words(filled, rule: str) -> None:
    found = search(filled(*ALL), Query("grey stone bridge"), SearchSettings(fusion=rule), embed)
    assert found.results[0].chunk.id == BRIDGE.id
    assert all(0 <= result.score <= 1 for result in found.results)


def test_semantic_asks_vectors_alone(filled) -> None:
    found = search(filled(*ALL), Query("bridge stone", search_type="SEMANTIC", limit=5), SearchSettings(), embed)
    cosines = {each.id: float(np.dot(each.embedding, embed(["bridge stone"])[0])) for each in ALL}
    assert [result.chunk.id for result in found.results] == sorted(cosines, key=lambda each: (-cosines[each], each))
    assert found.results[0].score == pytest.approx(max(cosines.values()), abs=1e-5)
    lexical = next(stage for stage in found.trace if stage.name == "lexical")
    assert not lexical.found
    assert "SEMANTIC" in lexical.facts["skipped"]


def test_a_query_of_small_words_is_left_to_the_vectors(filled) -> None:
    found = search(filled(*ALL), Query("and then so what", language="en"), SearchSettings(), embed)
    assert len(found.results) == 5


def test_filters_reach_both_lists(filled) -> None:
    where = parse_filter({"equals": {"key": "topic", "value": RIVER.document}})
    found = search(filled(*ALL), Query("bridge river", where=where), SearchSettings(), embed)
    assert [result.chunk.id for result in found.results] == [RIVER.id]


def test_an_empty_store_finds_nothing(filled) -> None:
    found = search(filled(), Query("bridge"), SearchSettings(), embed)
    assert found.results == ()
    assert [stage.name for stage in found.trace] == list(SearchSettings().stages)


@pytest.mark.parametrize("text", ["", "  \n"])
def test_an_empty_query_is_refused(filled, text: str) -> None:
    with pytest.raises(InvalidRequest, match="empty query"):
        search(filled(RIVER), Query(text), SearchSettings(), embed)


def test_an_unknown_stage_is_refused_with_those_there_are(filled) -> None:
    with pytest.raises(InvalidRequest, match=r"guess.*hyde"):
        search(filled(RIVER), Query("river"), SearchSettings(stages=("analyse", "guess")), embed)


def test_the_trace_accounts_for_every_chunk(filled) -> None:
    found = search(filled(*ALL), Query("Which bridge crosses the river?", limit=2), SearchSettings(), embed)
    seen = [item.id for stage in found.trace for item in stage.found]
    gone = [item.id for stage in found.trace for item in stage.dropped]
    assert len(seen) == len(set(seen))
    assert set(seen) == {result.matched.id for result in found.results} | set(gone)
    assert not set(gone) & {result.matched.id for result in found.results}
    cut = found.trace[-1]
    assert cut.name == "cut"
    assert {item.reason for item in cut.dropped} == {"limit"}


def test_the_trace_is_json_and_names_words_and_weights(filled) -> None:
    found = search(filled(*ALL), Query("Which bridge crosses the river?"), SearchSettings(), embed)
    shown = json.loads(json.dumps([stage.to_json() for stage in found.trace]))
    by_name = {stage["stage"]: stage for stage in shown}
    assert by_name["analyse"]["language"] == "en"
    assert by_name["analyse"]["terms"] == ["bridg", "cross", "river"]
    assert by_name["fusion"]["rule"] == "adaptive"
    assert by_name["fusion"]["ranking"][0]["chunk"] == BRIDGE.id
    assert {"lexical", "vector"} <= set(found.results[0].parts)


def test_reranking_moves_and_the_trace_says_whom(filled) -> None:
    settings = SearchSettings().with_stages("rerank")
    found = search(
        filled(*ALL),
        Query("bridge river", language="en"),
        settings,
        embed,
        rerank=lambda query, texts: [9.0 if "Bakers" in text else -9.0 for text in texts],
    )
    assert found.results[0].chunk.id == BAKERS.id
    stage = next(stage for stage in found.trace if stage.name == "rerank")
    before = [item.id for item in next(stage for stage in found.trace if stage.name == "fusion").ranking]
    after = [item.id for item in stage.ranking]
    assert {(item.id, item.before, item.after) for item in stage.moved} == {
        (each, before.index(each) + 1, after.index(each) + 1)
        for each in before
        if before.index(each) != after.index(each)
    }
    assert found.results[0].parts["rerank"] > 0.99


@pytest.mark.parametrize("stage", ["rerank", "hyde", "multi-query", "rag-fusion", "decompose"])
def test_stages_that_need_a_model_say_so(filled, stage: str) -> None:
    with pytest.raises(InvalidRequest, match=stage):
        search(filled(RIVER), Query("river"), SearchSettings().with_stages(stage), embed)


def test_multi_query_finds_what_the_query_alone_does_not(filled) -> None:
    store = filled(RIVER, BAKERS)
    plain = search(store, Query("Who makes bread?", limit=1), SearchSettings(candidates=1), embed)
    found = search(
        store,
        Query("Who makes bread?", limit=1),
        SearchSettings(candidates=1).with_stages("multi-query"),
        embed,
        generate=lambda prompt: "1. What do bakers need?\n2. What do bakers need?",
    )
    stage = next(stage for stage in found.trace if stage.name == "multi-query")
    assert stage.facts["queries"] == ["What do bakers need?"]
    assert found.results[0].chunk.id == BAKERS.id
    assert plain.results[0].score < found.results[0].score


def test_rag_fusion_prefers_what_many_wordings_find(filled) -> None:
    found = search(
        filled(*ALL),
        Query("grey", limit=5, language="en"),
        SearchSettings().with_stages("rag-fusion"),
        embed,
        generate=lambda prompt: "flood of the river in spring\nvalley flooded in spring\nriver flooded valley",
    )
    assert found.results[0].chunk.id == RIVER.id
    assert all(0 <= result.score <= 1 for result in found.results)


def test_decomposition_gives_each_part_its_results(filled) -> None:
    found = search(
        filled(*ALL),
        Query("What do bakers need and what crosses the river?", limit=2),
        SearchSettings().with_stages("decompose"),
        embed,
        generate=lambda prompt: "What do bakers need?\nWhat crosses the river?",
    )
    assert {result.chunk.id for result in found.results} == {BAKERS.id, BRIDGE.id}


def test_a_question_for_one_thing_is_not_decomposed(filled) -> None:
    found = search(
        filled(*ALL),
        Query("What do bakers need?"),
        SearchSettings().with_stages("decompose"),
        embed,
        generate=lambda prompt: "What do bakers need?",
    )
    assert next(stage for stage in found.trace if stage.name == "decompose").facts["queries"] == []


def test_hyde_embeds_the_passage_and_keeps_the_words(filled) -> None:
    asked: list[str] = []

    def spy(texts):
        asked.extend(texts)
        return embed(texts)

    found = search(
        filled(*ALL),
        Query("Who makes bread?"),
        SearchSettings().with_stages("hyde"),
        spy,
        generate=lambda prompt: "Bakers need flour, water and patience.",
    )
    assert asked == ["Who makes bread?\nBakers need flour, water and patience."]
    assert found.results[0].chunk.id == BAKERS.id
    assert next(stage for stage in found.trace if stage.name == "analyse").facts["terms"] == ["bread", "make"]


def test_mmr_puts_what_is_different_before_a_copy(filled) -> None:
    copy = piece("A bridge of grey stone crosses the river!", document="copy")
    store = filled(BRIDGE, copy, RIVER, BAKERS)
    query = Query("grey stone bridge river", limit=3)
    plain = [result.chunk.id for result in search(store, query, SearchSettings(), embed).results]
    found = search(store, query, SearchSettings(diversity=0.7).with_stages("mmr"), embed)
    assert set(plain[:2]) == {BRIDGE.id, copy.id}
    assert {BRIDGE.id, copy.id} - {result.chunk.id for result in found.results[:2]}
    scores = [result.score for result in found.results]
    assert scores == sorted(scores, reverse=True)
    assert next(stage for stage in found.trace if stage.name == "mmr").moved


def test_a_parent_is_returned_once_at_its_best_childs_place(filled) -> None:
    whole = piece("The bridge crosses the river. Bakers need flour.", document="book", held=True)
    first = piece("The bridge crosses the river.", document="book", parent=whole.id)
    second = piece("Bakers need flour.", document="book", start=30, parent=whole.id)
    found = search(filled(whole, first, second, RIVER), Query("bridge and bakers", limit=5), SearchSettings(), embed)
    returned = [result.chunk.id for result in found.results]
    assert returned.count(whole.id) == 1
    assert RIVER.id in returned
    result = next(result for result in found.results if result.chunk.id == whole.id)
    assert result.matched.id in (first.id, second.id)
    stage = next(stage for stage in found.trace if stage.name == "parents")
    assert len(stage.dropped) == 1


def test_least_score_drops_with_its_reason(filled) -> None:
    found = search(filled(*ALL), Query("grey stone bridge"), SearchSettings(least_score=0.5), embed)
    assert all(result.score >= 0.5 for result in found.results)
    assert "score" in {item.reason for item in found.trace[-1].dropped}


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("¿Quién necesita harina y paciencia?", BAKERS),
        ("Quem precisa de farinha e paciência?", BAKERS),
        ("What is made of stone since 1310?", PORTUGUESE),
    ],
)
def test_words_are_translated_when_there_are_chunks_in_another_language(filled, question: str, expected) -> None:
    store = filled(*{each.id: each for each in (RIVER, BAKERS, expected)}.values())
    found = search(store, Query(question, limit=1), SearchSettings(candidates=5), embed)
    assert found.results[0].chunk.id == expected.id
    added = next(stage for stage in found.trace if stage.name == "translate").facts["added"]
    assert added[expected.language]


def test_nothing_is_translated_in_one_language(filled) -> None:
    found = search(filled(RIVER, BAKERS), Query("What do bakers need?"), SearchSettings(), embed)
    assert next(stage for stage in found.trace if stage.name == "translate").facts["added"] == {}


def test_feedback_brings_up_what_the_best_have_in_common(filled, monkeypatch) -> None:
    monkeypatch.setattr("rocamadre.knowledge.search.stages.feedback.CROWD", 1)
    monkeypatch.setattr("rocamadre.knowledge.search.stages.feedback.WORDS_FROM", 1)
    best = piece("The flood of 1910 drowned the mill, the orchard and the ferry.")
    alike = piece("Nobody rebuilt the mill and the orchard; the ferry came back in spring.")
    other = piece("Grapes ripen in autumn on the southern slopes of many hills.")
    store = filled(best, alike, other, BAKERS)
    query = Query("What did the flood of 1910 destroy?", limit=4)
    plain = search(store, query, SearchSettings().without_stages("feedback"), embed)
    found = search(store, query, SearchSettings(), embed)
    stage = next(stage for stage in found.trace if stage.name == "feedback")
    assert {"mill", "orchard", "ferri"} <= set(stage.facts["terms"])
    assert found.results[0].chunk.id == best.id

    def ahead(results) -> float:
        scores = {result.chunk.id: result.score for result in results}
        return scores[alike.id] - max(scores[other.id], scores[BAKERS.id])

    assert ahead(found.results) > ahead(plain.results)
    assert 0 < found.results[0].parts["feedback"] <= 1


@pytest.mark.parametrize("rule", ["weighted", "rank"])
def test_feedback_leaves_the_usual_rules_alone(filled, rule: str) -> None:
    found = search(filled(*ALL), Query("grey stone bridge"), SearchSettings(fusion=rule), embed)
    stage = next(stage for stage in found.trace if stage.name == "feedback")
    assert "skipped" in stage.facts
    assert not stage.moved


def test_the_fusion_says_how_much_each_part_weighed(filled) -> None:
    found = search(filled(*ALL), Query("grey stone bridge", language="en"), SearchSettings(), embed)
    decided = next(stage for stage in found.trace if stage.name == "fusion").facts["decided"][0]
    assert set(decided["weights"]) == {"lexical", "vector", "near", "pairs", "ranks"}
    assert sum(decided["weights"].values()) == pytest.approx(1, abs=1e-3)
    assert decided["trust"] == 1
    spanish = search(filled(*ALL), Query("el puente de piedra", language="es"), SearchSettings(), embed)
    assert next(stage for stage in spanish.trace if stage.name == "fusion").facts["decided"][0]["trust"] == 0


def test_a_word_and_its_translation_are_one_concept(filled) -> None:
    found = search(filled(SPANISH, BAKERS), Query("the river", language="en", limit=1), SearchSettings(), embed)
    assert found.results[0].chunk.id == SPANISH.id
    assert found.results[0].parts["coverage"] == pytest.approx(1)


def test_feedback_needs_a_crowd(filled):
    store = filled(RIVER, BAKERS, PORTUGUESE)
    found = search(store, Query("Which bridge?", limit=2), SearchSettings(candidates=5), embed)
    stage = next(stage for stage in found.trace if stage.name == "feedback")
    assert "fewer than" in stage.facts["skipped"]


def test_the_nearest_words_of_each_chunk_count_beside_the_score(filled) -> None:
    found = search(filled(*ALL), Query("baking with flour", language="en"), SearchSettings().with_stages("late"), embed)
    by_id = {each.chunk.id: each.parts["late"] for each in found.results}
    assert max(by_id, key=lambda each: by_id[each]) == BAKERS.id
    assert all(0 <= value <= 1 for value in by_id.values())
    scores = [each.score for each in found.results]
    assert scores == sorted(scores, reverse=True)
    stage = next(stage for stage in found.trace if stage.name == "late")
    assert stage.facts["read"] == len(found.results)


@pytest.mark.parametrize("query", ["?!", "the of"])
def test_a_query_without_words_of_meaning_leaves_the_order(filled, query: str) -> None:
    plain = search(filled(*ALL), Query(query, language="en"), SearchSettings(), embed)
    found = search(filled(*ALL), Query(query, language="en"), SearchSettings().with_stages("late"), embed)
    assert [each.chunk.id for each in found.results] == [each.chunk.id for each in plain.results]


def test_the_nearest_words_are_not_asked_about_long_questions(filled) -> None:
    question = "grey stone bridge river valley spring flood bakers flour water"
    found = search(filled(*ALL), Query(question, language="en"), SearchSettings().with_stages("late"), embed)
    stage = next(stage for stage in found.trace if stage.name == "late")
    assert "8 words" in stage.facts["skipped"]
    assert not stage.ranking

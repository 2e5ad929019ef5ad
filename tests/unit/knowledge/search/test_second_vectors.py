"""Searches over a store that keeps vectors of two embedders, and what neighbours do to scores."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.unit.knowledge.search.conftest import DIMENSIONS, embed, piece

from rocamadre.knowledge.search import Query, SearchSettings, search
from rocamadre.knowledge.search.embedders import beside, names_of, part, second_share, shared
from rocamadre.store.vectors.protocol import Chunk, Replacement, StoreFacts
from rocamadre.store.vectors.sqlite import SqliteVectors

FIRST, SECOND = "rocamadre.minilm-l6-v2:0", "rocamadre.roca-embed-v1:0"
MEANING = {"choir": 0, "coro": 0, "mill": 1, "molino": 1, "quay": 2, "cais": 2}
CHOIR = piece("The choir meets on Wednesdays.")
MILL = piece("The mill grinds on Mondays.")
QUAY = piece("O cais novo tem lugar para barcos.", "pt")


def second(texts):
    """Knows what a few words mean, whatever the language."""
    rows = np.full((len(texts), DIMENSIONS), 1e-3, np.float32)
    for row, text in zip(rows, texts, strict=True):
        for word, axis in MEANING.items():
            row[axis] += word in text.lower()
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def both(texts):
    return np.concatenate([embed(texts), second(texts)], axis=1) * np.float32(0.5**0.5)


@pytest.fixture
def paired(tmp_path: Path):
    """Makes a store with both embedders' vectors."""
    made = []

    def make(*chunks: Chunk) -> SqliteVectors:
        facts = StoreFacts(beside(FIRST, SECOND), 2 * DIMENSIONS)
        made.append(SqliteVectors(tmp_path / f"{len(made)}.sqlite", facts))
        vectors = both([chunk.text for chunk in chunks])
        held = [replace(chunk, embedding=vector) for chunk, vector in zip(chunks, vectors, strict=True)]
        made[-1].replace_many([Replacement(chunk.document, "ds", chunk.document, [chunk], "") for chunk in held])
        return made[-1]

    yield make
    for store in made:
        store.close()


def stage_of(found, name):
    return next(stage for stage in found.trace if stage.name == name)


def test_a_question_that_shares_no_word_with_its_passage_finds_it(paired) -> None:
    store = paired(CHOIR, MILL, QUAY)
    query = Query("Quando canta o coro?", limit=1, language="pt")
    settings = SearchSettings().without_stages("translate")
    assert search(store, query, settings, both).results[0].chunk.id == CHOIR.id
    alone = search(store, query, settings.without_stages("second-vectors"), both)
    assert alone.results[0].chunk.id != CHOIR.id


def test_the_trace_shows_the_second_vectors_as_a_stage(paired) -> None:
    found = search(paired(CHOIR, MILL, QUAY), Query("Quando canta o coro?", language="pt"), SearchSettings(), both)
    assert stage_of(found, "vectors").facts["embedder"] == FIRST
    told = stage_of(found, "second-vectors").facts
    assert told["embedder"] == SECOND
    assert told["lists"][0] | {"query": ""} == {"query": "", "origin": "query", "share": 0.5, "hits": 3}


@pytest.mark.parametrize("kind", ["HYBRID", "SEMANTIC"])
def test_each_embedder_has_its_share_in_the_cosine(paired, kind) -> None:
    text = "Quando canta o coro?"
    found = search(paired(CHOIR, MILL, QUAY), Query(text, search_type=kind, language="pt"), SearchSettings(), both)
    for result in found.results:
        ours, theirs = (float(np.dot(*embedder([text, result.chunk.text]))) for embedder in (embed, second))
        assert result.parts["vector"] == pytest.approx((ours + theirs) / 2, abs=1e-5)


def test_where_the_first_embedder_knows_both_languages_it_decides_alone(paired) -> None:
    text = "Where does the choir meet?"
    found = search(paired(CHOIR, MILL), Query(text, language="en"), SearchSettings(), both)
    assert "skipped" in stage_of(found, "second-vectors").facts["lists"][0]
    best = found.results[0]
    assert best.parts["vector"] == pytest.approx(float(np.dot(*embed([text, best.chunk.text]))), abs=1e-5)


def test_one_embedder_searches_as_before(filled) -> None:
    found = search(filled(CHOIR, MILL, QUAY), Query("Quando canta o coro?"), SearchSettings(), embed)
    assert stage_of(found, "second-vectors").facts["skipped"] == "the knowledge base has one embedder"
    assert stage_of(found, "vectors").facts["embedder"] == FIRST


@pytest.mark.parametrize(
    ("question", "chunks", "share"),
    [
        ("en", {"en": 100}, 0.0),
        ("en", {"en": 99, "es": 1}, 0.0),
        ("en", {"en": 90, "es": 10}, 0.5),
        ("en", {"en": 90, "": 10}, 0.0),
        ("es", {"en": 100}, 0.5),
        ("", {}, 0.0),
    ],
)
def test_the_share_follows_the_languages(question, chunks, share) -> None:
    assert second_share({"en": 1.0, "": 0.0}, question, chunks) == share


def test_a_part_gives_one_cosine() -> None:
    vectors = both(["the choir", "coro"])
    for number, embedder in enumerate((embed, second)):
        wanted = float(np.dot(*embedder(["the choir", "coro"])))
        assert float(np.dot(part(vectors[0], number), vectors[1])) == pytest.approx(wanted, abs=1e-6)
    assert names_of(beside("a", "b")) == ["a", "b"]


@pytest.mark.parametrize("share", [0.0, 0.3, 0.5])
def test_neighbours_are_told_by_the_cosine_that_the_question_is_told_by(share) -> None:
    texts = ["the choir", "coro"]
    one, other = shared(both(texts), share)
    first, later = (float(np.dot(*embedder(texts))) for embedder in (embed, second))
    assert float(np.dot(one, other)) == pytest.approx((1 - share) * first + share * later, abs=1e-6)


def test_in_doubt_a_chunk_among_good_ones_comes_before_one_alone(filled, monkeypatch) -> None:
    stage = "rocamadre.knowledge.search.stages.neighbours"
    monkeypatch.setattr("rocamadre.knowledge.search.stages.feedback.CROWD", 1)
    monkeypatch.setattr(f"{stage}.NEIGHBOURS", 2)
    alike = [piece(f"Heat flows through thin wings at speed {number}.") for number in range(6)]
    lonely = [piece(f"Market day number {number} brought fish, bread and heat.") for number in range(2)]
    store = filled(*alike, *lonely)
    query = Query("heat", limit=8, language="en")
    settings = SearchSettings().without_stages("feedback")
    found = search(store, query, settings, embed)
    plain = search(store, query, settings.without_stages("neighbours"), embed)
    share = stage_of(found, "neighbours").facts["share"]
    assert 0 < share <= 0.5

    def gap(results) -> float:
        scores = {result.chunk.id: result.score for result in results}
        return np.mean([scores[each.id] for each in alike]) - np.mean([scores[each.id] for each in lonely])

    before, after = ([result.score for result in each.results] for each in (plain, found))
    assert {type(score) for score in after} == {float}
    assert np.ptp(after) < np.ptp(before)
    assert after == sorted(after, reverse=True)
    assert gap(found.results) != pytest.approx(gap(plain.results))


def test_nothing_moves_where_one_chunk_holds_the_words(filled, monkeypatch) -> None:
    monkeypatch.setattr("rocamadre.knowledge.search.stages.feedback.CROWD", 1)
    chunks = [piece(f"Stall {number} sells bread.") for number in range(12)]
    answer = piece("The lighthouse keeper Matilda rowed to Skerry island.")
    found = search(filled(answer, *chunks), Query("Matilda lighthouse Skerry", language="en"), SearchSettings(), embed)
    assert found.results[0].chunk.id == answer.id
    assert stage_of(found, "neighbours").facts["share"] == 0

"""Names are found, kept with their chunks, shown, and followed from passage to passage."""

from __future__ import annotations

import numpy as np
import pytest

from rocamadre.core.settings import Settings
from rocamadre.knowledge.graph.entities import entities, names_of
from rocamadre.knowledge.graph.relations import ENTITIES, described, entities_of, relations_of
from rocamadre.knowledge.graph.view import read_graph
from rocamadre.knowledge.languages import analyse, detect
from rocamadre.knowledge.search import Query, SearchSettings, search
from rocamadre.store.vectors.filters import Condition
from rocamadre.store.vectors.protocol import Chunk, Replacement, StoreFacts
from rocamadre.store.vectors.registry import VECTOR_STORES
from rocamadre.testing.knowledge import KnowledgeBench

PASSAGES = {
    "ana": "Ana Vidal works as a welder for Faro Azul. Everybody likes her patience.",
    "faro": "The head office of Faro Azul is in Vigo, where lanterns are made.",
    "rui": "Rui Matos works as a pilot for Norte Claro. Everybody likes his patience.",
    "norte": "The head office of Norte Claro is in Braga, where ropes are made.",
    "eva": "Eva Rojas works as an editor for Vela Rota. Everybody likes her patience.",
    "vela": "The head office of Vela Rota is in Soria, where sails are made.",
}
QUESTION = "In which town is the head office of the company that Ana Vidal works for?"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Yesterday Maria Silva went to the Bank of England.", ["maria silva", "bank of england"]),
        ("Ayer María Gómez visitó el Banco de la Nación.", ["maria gomez", "banco de la nacion"]),
        ("A cidade de São Paulo é maior que o Rio de Janeiro.", ["sao paulo", "rio de janeiro"]),
        ("Rivers flow. The rivers of Galicia flow.", ["galicia"]),
        ("Galicia is green. I know Galicia.", ["galicia", "galicia"]),
        ("NASA launched Apollo 11 on 16 July 1969.", ["nasa", "apollo", "16 july 1969"]),
        ("Nació el 3 de mayo de 1990 y sigue la norma ISO-9001.", ["3 de mayo de 1990", "iso-9001"]),
        ("Peter and Mary met Ann-Marie O'Neil.", ["mary", "ann-marie o'neil"]),
        ("nothing here has a name.", []),
        ("", []),
    ],
)
def test_names_dates_and_codes(text, found):
    made = entities(text)
    assert [each.key for each in made] == found
    assert all(text[each.start : each.end] == each.name for each in made)


def test_a_part_of_a_name_stands_for_it():
    text = "Ada Lovelace wrote notes. Lovelace knew Charles Babbage."
    assert [each.key for each in entities(text)] == ["ada lovelace", "ada lovelace", "charles babbage"]
    assert [each.key for each in entities("Lovelace slept.", known=names_of(text))] == ["ada lovelace"]


def test_a_long_text_of_capitals_takes_no_long_time():
    text = "The Big Red Dog Of The Old Town " * 5000
    assert len(entities(text)) > 1000 or entities(text)


def embed(texts):
    """Vectors that know nothing but which words occur."""
    found = np.zeros((len(texts), 256), np.float32)
    for row, text in enumerate(texts):
        for term in analyse(text, "en"):
            found[row, sum(map(ord, term)) % 256] += 1
    return found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-6)


@pytest.fixture
def store(tmp_path):
    made = VECTOR_STORES.load("sqlite")(Settings(home=tmp_path), "GRAPHTESTS", StoreFacts("test", 256))
    vectors = embed(list(PASSAGES.values()))
    for number, (name, text) in enumerate(PASSAGES.items()):
        language = detect(text)
        terms = " ".join(analyse(text, language))
        chunk = Chunk(name, name, text, 0, len(text), language, terms, described(text), embedding=vectors[number])
        made.replace_many([Replacement(name, "ds", "", [chunk], text)])
    yield made
    made.close()


def test_the_second_passage_is_reached_by_a_name(store):
    def found(settings):
        return [item.chunk.id for item in search(store, Query(QUESTION, 2), settings, embed).results]

    assert found(SearchSettings())[0] == "ana"
    assert set(found(SearchSettings().with_stages("graph"))) == {"ana", "faro"}


def test_the_stage_tells_what_it_followed_and_keeps_to_the_filter(store):
    settings = SearchSettings().with_stages("graph")
    results = search(store, Query(QUESTION, 2), settings, embed)
    (stage,) = [stage for stage in results.trace if stage.name == "graph"]
    assert "faro azul" in [each["name"] for each in stage.to_json()["names"]]
    narrowed = Query(QUESTION, 6, where=Condition("listContains", ENTITIES, "ana vidal"))
    assert [item.chunk.id for item in search(store, narrowed, settings, embed).results] == ["ana"]


def test_the_graph_is_shown(store):
    whole = read_graph(store)
    assert ("faro azul", 2) in whole.entities
    assert whole.chunks == len(PASSAGES)
    around = read_graph(store, around="Ana Vidal")
    assert ("ana vidal", "works as a welder for", "faro azul") in [tuple(each) for each, _ in around.relations]
    assert all("ana vidal" in (each.source, each.target) for each, _ in around.relations)
    assert read_graph(store, around="Nobody").entities == ()
    assert whole.to_json()["entities"][0].keys() == {"name", "chunks"}


def test_an_ingestion_enriches_where_the_data_source_says_so(tmp_path):
    bench = KnowledgeBench(tmp_path)
    try:
        for name, text in PASSAGES.items():
            bench.put(f"{name}.txt", text)
        model = "arn:aws:bedrock:us-east-1::foundation-model/rocamadre.fake-v1:0"
        source = bench.new_source(
            vectorIngestionConfiguration={
                "contextEnrichmentConfiguration": {
                    "type": "BEDROCK_FOUNDATION_MODEL",
                    "bedrockFoundationModelConfiguration": {
                        "modelArn": model,
                        "enrichmentStrategyConfiguration": {"method": "CHUNK_ENTITY_EXTRACTION"},
                    },
                }
            }
        )
        assert bench.statistics(source)["NewDocumentsIndexed"] == len(PASSAGES)
        store = bench.store()
        (chunk,) = store.of_document("s3://docs/ana.txt", data_source=source)
        assert "faro azul" in entities_of(chunk.metadata)
        assert relations_of(chunk.metadata)
        store.close()
        runtime = bench.client("bedrock-agent-runtime")
        found = runtime.retrieve(
            knowledgeBaseId=bench.base,
            retrievalQuery={"text": QUESTION},
            retrievalConfiguration={"vectorSearchConfiguration": {"numberOfResults": 4}},
        )["retrievalResults"]
        uris = {each["location"]["s3Location"]["uri"] for each in found}
        assert {"s3://docs/ana.txt", "s3://docs/faro.txt"} <= uris
        assert not any(name == ENTITIES for each in found for name in each["metadata"])
    finally:
        bench.close()

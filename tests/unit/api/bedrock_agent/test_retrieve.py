"""Retrieve over boto3, on chunks put into the store: filters, those a question spells out, reranking, explanations."""

from __future__ import annotations

import json
from contextlib import contextmanager

import pytest

from rocamadre.knowledge.open_stores import OpenStores, open_stores_of
from rocamadre.testing.requests import WireRequest

TEXTS = {
    "s3://books/fox.txt": "The red fox hunts mice in the forest at night.",
    "s3://books/owl.txt": "The grey owl hunts mice in the forest at night.",
    "s3://books/whale.txt": "The blue whale sings below the ocean.",
    "s3://books/bread.txt": "The baker kneads flour and water into bread.",
}
METADATA = {
    "s3://books/fox.txt": {
        "year": 2020,
        "animal": "fox",
        "wild": True,
        "tags": ["land", "night"],
        "author": "Ana Vidal",
    },
    "s3://books/owl.txt": {"year": 2021, "animal": "owl", "wild": True, "tags": ["air", "night"], "author": "Rui Melo"},
    "s3://books/whale.txt": {"year": 2022, "animal": "whale", "wild": True, "tags": ["sea"], "author": "Ana Vidal"},
    "s3://books/bread.txt": {"year": 2023, "wild": False, "tags": [], "author": "Rui Melo"},
}
RERANKER = "arn:aws:bedrock:us-east-1::foundation-model/amazon.rerank-v1:0"
NOVA = "amazon.nova-lite-v1:0"


@pytest.fixture(scope="module")
def place(agent):
    vector = {"embeddingModelArn": "arn:aws:bedrock:us-east-1::foundation-model/amazon.titan-embed-text-v2:0"}
    base = agent.create_knowledge_base(
        name="books",
        roleArn="arn:aws:iam::123456789012:role/knowledge",
        knowledgeBaseConfiguration={"type": "VECTOR", "vectorKnowledgeBaseConfiguration": vector},
    )["knowledgeBase"]["knowledgeBaseId"]
    s3 = {"type": "S3", "s3Configuration": {"bucketArn": "arn:aws:s3:::books"}}
    source = agent.create_data_source(knowledgeBaseId=base, name="books", dataSourceConfiguration=s3)["dataSource"]
    return {"knowledgeBaseId": base, "dataSourceId": source["dataSourceId"]}


@pytest.fixture
def books(place, fill):
    if not place.get("filled"):
        fill(place, TEXTS, METADATA)
        place["filled"] = "yes"
    return place["knowledgeBaseId"]


@pytest.fixture
def ask(runtime, books):
    """`ask(text, ...)`: URIs of what is found, with members of vectorSearchConfiguration."""

    def call(text, **search):
        wish = {"knowledgeBaseId": books, "retrievalQuery": {"text": text}}
        if search:
            wish["retrievalConfiguration"] = {"vectorSearchConfiguration": search}
        found = runtime.retrieve(**wish)["retrievalResults"]
        return [each["location"]["s3Location"]["uri"].removeprefix("s3://books/")[:-4] for each in found]

    return call


@contextmanager
def headers(client, **values):
    def add(request, **_):
        for name, value in values.items():
            request.headers[f"x-rocamadre-{name}"] = value

    client.meta.events.register("before-sign.bedrock-agent-runtime.Retrieve", add)
    yield
    client.meta.events.unregister("before-sign.bedrock-agent-runtime.Retrieve", add)


@pytest.mark.covers("bedrock-agent-runtime:Retrieve")
def test_results_have_aws_shape(runtime, place, books):
    answer = runtime.retrieve(knowledgeBaseId=books, retrievalQuery={"text": "the red fox"})
    first = answer["retrievalResults"][0]
    text = TEXTS["s3://books/fox.txt"]
    assert first["content"] == {"type": "TEXT", "text": text}
    assert first["location"] == {"type": "S3", "s3Location": {"uri": "s3://books/fox.txt"}}
    metadata = first["metadata"]
    assert metadata["x-amz-bedrock-kb-source-uri"] == "s3://books/fox.txt"
    assert metadata["x-amz-bedrock-kb-data-source-id"] == place["dataSourceId"]
    assert len(metadata["x-amz-bedrock-kb-chunk-id"]) == 32
    assert (metadata["x-rocamadre-start"], metadata["x-rocamadre-end"]) == (0, len(text))
    assert (metadata["year"], metadata["animal"], metadata["tags"]) == (2020, "fox", ["land", "night"])
    scores = [each["score"] for each in answer["retrievalResults"]]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)
    arn = f"arn:aws:bedrock:us-east-1:123456789012:knowledge-base/{books}"
    again = runtime.retrieve(knowledgeBaseId=arn, retrievalQuery={"text": "the red fox"})
    assert again["retrievalResults"] == answer["retrievalResults"]


@pytest.mark.covers("bedrock-agent-runtime:Retrieve")
def test_locations_go_by_the_kind_of_the_source(runtime, new_source, fill):
    place = new_source("CUSTOM")
    fill(place, {"https://not.a/site": "A fox is red."})
    found = runtime.retrieve(knowledgeBaseId=place["knowledgeBaseId"], retrievalQuery={"text": "fox"})
    location = found["retrievalResults"][0]["location"]
    assert location == {"type": "CUSTOM", "customDocumentLocation": {"id": "https://not.a/site"}}


@pytest.mark.covers("bedrock-agent-runtime:Retrieve")
def test_how_many_and_how_is_searched(ask):
    assert ask("hunts mice in the forest", numberOfResults=1) != ask("hunts mice in the forest", numberOfResults=2)
    assert len(ask("hunts mice in the forest", numberOfResults=2)) == 2
    assert ask("whale", overrideSearchType="SEMANTIC", numberOfResults=1) == ["whale"]
    assert ask("whale", overrideSearchType="HYBRID", numberOfResults=1) == ["whale"]


FILTERS = {
    "equals": ({"equals": {"key": "animal", "value": "fox"}}, {"fox"}),
    "not equals": ({"notEquals": {"key": "animal", "value": "fox"}}, {"owl", "whale", "bread"}),
    "greater": ({"greaterThan": {"key": "year", "value": 2021}}, {"whale", "bread"}),
    "in": ({"in": {"key": "year", "value": [2020, 2022]}}, {"fox", "whale"}),
    "list": ({"listContains": {"key": "tags", "value": "night"}}, {"fox", "owl"}),
    "nested": (
        {
            "orAll": [
                {"andAll": [{"equals": {"key": "wild", "value": True}}, {"lessThan": {"key": "year", "value": 2021}}]},
                {"startsWith": {"key": "animal", "value": "wh"}},
            ]
        },
        {"fox", "whale"},
    ),
}


@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.covers("bedrock-agent-runtime:Retrieve")
def test_filters(ask, name):
    where, fitting = FILTERS[name]
    found = ask("hunts in the forest, sings in the ocean, kneads bread: fox owl whale baker", filter=where)
    assert set(found) == fitting


ATTRIBUTES = [
    {"key": "year", "type": "NUMBER", "description": "When it was written."},
    {"key": "animal", "type": "STRING", "description": "Which animal it is about."},
    {"key": "author", "type": "STRING", "description": "Who wrote it."},
    {"key": "tags", "type": "STRING_LIST", "description": "Where and when it lives."},
    {"key": "is_wild", "type": "BOOLEAN", "description": "Whether it lives in the wild."},
]


@pytest.mark.parametrize(
    ("question", "fitting"),
    [
        ("what did ANA VIDAL write?", {"fox", "whale"}),
        ("¿Qué escribió Ana Vidal después de 2021?", {"whale"}),
        ("textos de 2021", {"owl"}),
        ("o que há antes de 2022 sobre owl?", {"owl"}),
        ("what lives in the sea", {"whale"}),
        ("who kneads what", {"fox", "owl", "whale", "bread"}),
        ("what happened in 1815", {"fox", "owl", "whale", "bread"}),
    ],
)
@pytest.mark.covers("bedrock-agent-runtime:Retrieve")
def test_filters_that_the_question_spells_out(ask, question, fitting):
    wish = {"metadataAttributes": ATTRIBUTES, "modelArn": NOVA}
    assert set(ask(question, implicitFilterConfiguration=wish, numberOfResults=10)) == fitting


@pytest.mark.covers("bedrock-agent-runtime:Retrieve")
def test_an_explicit_filter_narrows_an_implicit_one(ask):
    wish = {"metadataAttributes": ATTRIBUTES, "modelArn": NOVA}
    where = {"equals": {"key": "year", "value": 2020}}
    assert ask("by Ana Vidal", implicitFilterConfiguration=wish, filter=where) == ["fox"]


def reranking(number=None, **metadata):
    bedrock = {"modelConfiguration": {"modelArn": RERANKER}}
    if number:
        bedrock["numberOfRerankedResults"] = number
    if metadata:
        bedrock["metadataConfiguration"] = metadata
    return {"type": "BEDROCK_RERANKING_MODEL", "bedrockRerankingConfiguration": bedrock}


@pytest.mark.covers("bedrock-agent-runtime:Retrieve")
def test_a_reranker_orders_and_cuts(ask):
    assert ask("the grey owl", rerankingConfiguration=reranking(1)) == ["owl"]
    assert len(ask("the grey owl", rerankingConfiguration=reranking())) == 4


@pytest.mark.parametrize(
    ("question", "selected", "first"),
    [
        ("author: Rui Melo wild: False year: 2023", {"selectionMode": "ALL"}, "bread"),
        (
            "year: 2023",
            {"selectionMode": "SELECTIVE", "selectiveModeConfiguration": {"fieldsToInclude": [{"fieldName": "year"}]}},
            "bread",
        ),
        (
            "fox 2023: 2023 2023",
            {"selectionMode": "SELECTIVE", "selectiveModeConfiguration": {"fieldsToExclude": [{"fieldName": "year"}]}},
            "fox",
        ),
    ],
)
@pytest.mark.covers("bedrock-agent-runtime:Retrieve")
def test_metadata_that_the_reranker_reads(ask, question, selected, first):
    found = ask(question, rerankingConfiguration=reranking(**selected), numberOfResults=4)
    assert found[0] == first


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"retrievalQuery": {"text": " "}}, "blank"),
        ({"retrievalQuery": {"type": "IMAGE"}}, "an image cannot be asked with"),
        ({"userContext": {"userId": "ana"}}, "no access control"),
        ({"retrievalConfiguration": {"managedSearchConfiguration": {}}}, "MANAGED"),
        (
            {
                "retrievalConfiguration": {
                    "vectorSearchConfiguration": {"rerankingConfiguration": {"type": "BEDROCK_RERANKING_MODEL"}}
                }
            },
            "bedrockRerankingConfiguration",
        ),
        (
            {
                "retrievalConfiguration": {
                    "vectorSearchConfiguration": {"filter": {"equals": {"key": "year", "value": {"a": 1}}}}
                }
            },
            "filter.equals.value",
        ),
    ],
)
@pytest.mark.covers("bedrock-agent-runtime:Retrieve")
def test_what_cannot_be_done_is_refused_by_name(runtime, books, refused, given, said):
    wish = {"knowledgeBaseId": books, "retrievalQuery": {"text": "fox"}} | given
    assert said in refused("ValidationException", runtime.retrieve, **wish)


def test_a_guardrail_that_is_not_there(runtime, books, refused):
    wish = {"guardrailConfiguration": {"guardrailId": "a", "guardrailVersion": "1"}}
    found = refused(
        "ResourceNotFoundException", runtime.retrieve, knowledgeBaseId=books, retrievalQuery={"text": "fox"}, **wish
    )
    assert "no guardrail 'a'" in found


def fetched(server, path):
    path, _, query = path.partition("?")
    answer = server.send(WireRequest("GET", path.encode(), query.encode()))
    return answer.status, json.loads(answer.body)


def test_the_way_of_each_chunk(server, runtime, books):
    with headers(runtime, explain="true"):
        answer = runtime.retrieve(knowledgeBaseId=books, retrievalQuery={"text": "the red fox"})
    way = answer["retrievalResults"][0]["metadata"]["x-rocamadre-explain"]
    assert {"lexical", "fusion"} <= {each["stage"] for each in way}
    assert {"lexical", "vector"} <= set(answer["retrievalResults"][0]["metadata"]["x-rocamadre-scores"])
    place = answer["ResponseMetadata"]["HTTPHeaders"]["x-rocamadre-explain"]
    status, trace = fetched(server, place)
    assert (status, trace["query"]) == (200, "the red fox")
    assert [each["stage"] for each in trace["stages"]][-1] == "cut"
    assert trace["results"][0]["text"] == TEXTS["s3://books/fox.txt"]
    assert fetched(server, place + "0")[0] == 404
    plain = runtime.retrieve(knowledgeBaseId=books, retrievalQuery={"text": "the red fox"})
    assert "x-rocamadre-explain" not in plain["retrievalResults"][0]["metadata"]
    assert "x-rocamadre-explain" not in plain["ResponseMetadata"]["HTTPHeaders"]


def test_stages_are_chosen_by_a_header(server, runtime, books, refused):
    wish = {"knowledgeBaseId": books, "retrievalQuery": {"text": "the red fox"}}
    with headers(runtime, explain="1", search='{"with": ["mmr"], "without": ["lexical"], "fusion": "rank"}'):
        answer = runtime.retrieve(**wish)
    _, trace = fetched(server, answer["ResponseMetadata"]["HTTPHeaders"]["x-rocamadre-explain"])
    stages = [each["stage"] for each in trace["stages"]]
    assert "mmr" in stages
    assert "lexical" not in stages
    with headers(runtime, search='{"with": ["magic"]}'):
        assert "magic" in refused("ValidationException", runtime.retrieve, **wish)
    with headers(runtime, search='{"unknown": 1}'):
        assert "x-rocamadre-search" in refused("ValidationException", runtime.retrieve, **wish)


def test_pages_of_figures(server, place, books):
    status, shown = fetched(server, f"/_rocamadre/knowledge-bases/{books}")
    assert (status, shown["chunks"], shown["store"]) == (200, 4, "sqlite")
    assert shown["mapping"] == "the chunks are in the embedded store (one SQLite file)"
    assert shown["size_bytes"] > 0
    assert fetched(server, "/_rocamadre/knowledge-bases/books")[1]["id"] == books
    assert "books" in [each["name"] for each in fetched(server, "/_rocamadre/knowledge-bases")[1]["knowledge_bases"]]
    _, document = fetched(server, f"/_rocamadre/knowledge-bases/{books}/document?id=s3%3A%2F%2Fbooks%2Ffox.txt")
    assert document["text"] == TEXTS["s3://books/fox.txt"]
    span = document["chunks"][0]
    assert document["text"][span["start"] : span["end"]] == span["text"]
    status, chunk = fetched(server, f"/_rocamadre/knowledge-bases/{books}/chunks/{span['id']}")
    assert (status, chunk["document"]) == (200, "s3://books/fox.txt")
    assert fetched(server, f"/_rocamadre/knowledge-bases/{books}/chunks/none")[0] == 404
    assert fetched(server, f"/_rocamadre/knowledge-bases/{books}/documents")[1] == {"documents": []}
    assert fetched(server, "/_rocamadre/knowledge-bases/nobody")[0] == 404


class _Store:
    """Remembers whether it was closed."""

    closed = False

    def close(self):
        self.closed = True


def test_a_store_that_nobody_asks_is_closed(monkeypatch, server):
    made = []

    def opened(host, base):
        made.append(_Store())
        return made[-1]

    monkeypatch.setattr("rocamadre.knowledge.open_stores.open_store", opened)
    stores = OpenStores(idle_s=0.01)

    class Base:
        id = "A"

    class Context:
        platform = None

    with stores.using(Context, Base) as store:
        with stores.using(Context, Base) as again:
            assert again is store
        stores.drop("A")
        assert not store.closed
    assert store.closed
    with stores.using(Context, Base):
        pass
    for _ in range(500):
        if not stores.count():
            break
        stores._sweep()
    assert made[-1].closed
    stores.close()
    assert open_stores_of(server.platform) is open_stores_of(server.platform)

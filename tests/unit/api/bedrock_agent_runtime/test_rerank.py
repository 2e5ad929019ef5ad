"""Rerank over boto3, against a server in this process whose embedder is the fake one: shared words are near."""

from __future__ import annotations

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from rocamadre.core.settings import load_settings
from rocamadre.testing.inprocess import ADDRESS, InProcessServer

AMAZON = "arn:aws:bedrock:us-east-1::foundation-model/amazon.rerank-v1:0"
COHERE = "arn:aws:bedrock:us-east-1::foundation-model/cohere.rerank-v3-5:0"
OWN = "arn:aws:bedrock:us-east-1::foundation-model/rocamadre.fake-embed-v1:0"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    models = {"default_model": "fake", "default_embedder": "fake-embed"}
    made = InProcessServer(load_settings(home=tmp_path_factory.mktemp("home"), server={"strict": True}, catalog=models))
    yield made
    made.close()


@pytest.fixture(scope="module")
def client(server):
    return server.attach(
        boto3.Session(aws_access_key_id="AKIATESTING", aws_secret_access_key="testing").client(
            "bedrock-agent-runtime",
            region_name="us-east-1",
            endpoint_url=ADDRESS,
            config=Config(retries={"total_max_attempts": 1}),
        )
    )


def text(value):
    return {"type": "INLINE", "inlineDocumentSource": {"type": "TEXT", "textDocument": {"text": value}}}


def document(value):
    return {"type": "INLINE", "inlineDocumentSource": {"type": "JSON", "jsonDocument": value}}


def request(query, sources, model=AMAZON, fields=None, **more):
    configuration = {"modelConfiguration": {"modelArn": model}}
    if fields is not None:
        configuration["modelConfiguration"]["additionalModelRequestFields"] = fields
    if "number" in more:
        configuration["numberOfResults"] = more.pop("number")
    return {
        "queries": [{"type": "TEXT", "textQuery": {"text": query}}],
        "sources": sources,
        "rerankingConfiguration": {
            "type": "BEDROCK_RERANKING_MODEL",
            "bedrockRerankingConfiguration": configuration,
        },
        **more,
    }


SOURCES = [text("a blue whale"), document({"title": "red fox", "text": "the red fox"}), text("the lazy fox")]


@pytest.mark.parametrize("model", [AMAZON, COHERE, OWN])
@pytest.mark.covers("bedrock-agent-runtime:Rerank")
def test_sources_in_order_with_their_documents(client, model):
    answer = client.rerank(**request("the red fox", SOURCES, model))
    results = answer["results"]
    assert [each["index"] for each in results] == [1, 2, 0]
    scores = [each["relevanceScore"] for each in results]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)
    for each in results:
        assert each["document"] == SOURCES[each["index"]]["inlineDocumentSource"]
    assert "nextToken" not in answer
    headers = answer["ResponseMetadata"]["HTTPHeaders"]
    assert headers.get("x-rocamadre-model") == (None if model == OWN else "rocamadre.fake-embed-v1:0")


def test_json_is_read_as_it_would_be_in_text(client):
    as_text = text('title: red fox\nyear: 1975\ntags: ["a"]')
    as_json = document({"title": "red fox", "year": 1975, "tags": ["a"]})
    first, second = client.rerank(**request("fox", [as_text, as_json]))["results"]
    assert first["relevanceScore"] == second["relevanceScore"]
    assert (first["index"], second["index"]) == (0, 1)


def test_only_so_many(client):
    assert [each["index"] for each in client.rerank(**request("the red fox", SOURCES, number=1))["results"]] == [1]
    assert len(client.rerank(**request("the red fox", SOURCES, number=9))["results"]) == 3


def test_pages_are_cut_from_one_order(client, server):
    sources = [text(f"number {place} " + "fox " * (place % 5)) for place in range(230)]
    asked = request("fox", sources)
    pages, token = [], None
    while token is not None or not pages:
        answer = client.rerank(**asked, **({"nextToken": token} if token else {}))
        pages.append(answer["results"])
        token = answer.get("nextToken")
    assert [len(page) for page in pages] == [100, 100, 30]
    results = [each for page in pages for each in page]
    assert sorted(each["index"] for each in results) == list(range(230))
    scores = [each["relevanceScore"] for each in results]
    assert scores == sorted(scores, reverse=True)
    paginated = client.get_paginator("rerank").paginate(**asked).build_full_result()["results"]
    assert paginated == results
    first = client.rerank(**asked)
    with pytest.raises(ClientError, match="nextToken is invalid"):
        client.rerank(**request("whale", sources), nextToken=first["nextToken"])
    assert len(client.rerank(**request("fox", sources, number=150))["results"]) == 100


def refused(client, **asked):
    with pytest.raises(ClientError) as caught:
        client.rerank(**asked)
    error = caught.value.response
    assert error["Error"]["Code"] == "ValidationException"
    assert error["ResponseMetadata"]["HTTPStatusCode"] == 400
    return error["Error"]["Message"]


def test_what_is_refused(client):
    whale = text("a whale")
    assert "the query is blank" in refused(client, **request(" ", [whale]))
    assert "sources.1.inlineDocumentSource.textDocument: the document is blank" in refused(
        client, **request("a", [whale, text(" ")])
    )
    wrong = {"type": "INLINE", "inlineDocumentSource": {"type": "TEXT", "jsonDocument": {"a": 1}}}
    assert "of type TEXT holds textDocument and no jsonDocument" in refused(client, **request("a", [wrong]))
    assert "max_tokens_per_doc" in refused(client, **request("a", [whale], fields={"max_tokens_per_doc": 5}))
    assert "api_version must be 1 or 2" in refused(client, **request("a", [whale], fields={"api_version": 3}))
    assert client.rerank(**request("a", [whale], fields={"api_version": 2}))["results"]
    model = "arn:aws:bedrock:us-east-1::foundation-model/rocamadre.fake-v1:0"
    assert "writes text; try again with a reranker" in refused(client, **request("a", [whale], model))
    assert "acme.rocket-v1:0" in refused(
        client, **request("a", [whale], AMAZON.replace("amazon.rerank", "acme.rocket"))
    )

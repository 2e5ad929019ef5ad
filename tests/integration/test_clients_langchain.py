"""langchain-aws as it comes: ChatBedrockConverse and BedrockEmbeddings."""

from __future__ import annotations

import math
import warnings

import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # What other people's packages warn of when they are imported is theirs to mend.
    from langchain_aws import BedrockEmbeddings, ChatBedrockConverse
    from langchain_core.messages import AIMessage, HumanMessage, SystemMessage

FAKE = "rocamadre.fake-v1:0"
EMBEDDER = "rocamadre.fake-embed-v1:0"


@pytest.fixture
def chat(boto3_client):
    client = boto3_client("bedrock-runtime")
    control = boto3_client("bedrock")
    yield ChatBedrockConverse(
        model=FAKE,
        provider="amazon",
        client=client,
        bedrock_client=control,
        max_tokens=200,
        temperature=0.0,
        disable_streaming=False,
    )
    client.close()
    control.close()


@pytest.mark.covers("bedrock-runtime:Converse")
def test_chat(chat):
    answer = chat.invoke(
        [SystemMessage("Be brief."), HumanMessage("Hola"), AIMessage("Buenas"), HumanMessage("¿Qué es un lago?")]
    )
    assert "¿Qué es un lago?" in answer.text
    assert answer.response_metadata["stopReason"] == "end_turn"
    usage = answer.usage_metadata
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"] > 0


@pytest.mark.covers("bedrock-runtime:ConverseStream")
def test_stream(chat):
    pieces = list(chat.stream("one two three four"))
    assert len(pieces) > 3
    whole = pieces[0]
    for piece in pieces[1:]:
        whole += piece
    assert whole.text == chat.invoke("one two three four").text
    assert whole.usage_metadata["output_tokens"] > 0
    assert whole.response_metadata["stopReason"] == "end_turn"


def test_batch_and_stop(chat):
    answers = chat.batch(["alpha beta", "gamma beta"], stop=["beta"])
    assert [answer.response_metadata["stopReason"] for answer in answers] == ["stop_sequence"] * 2


@pytest.mark.covers("bedrock-runtime:InvokeModel")
def test_embeddings(boto3_client):
    client = boto3_client("bedrock-runtime")
    embeddings = BedrockEmbeddings(model_id=EMBEDDER, client=client)
    query = embeddings.embed_query("a river runs")
    documents = embeddings.embed_documents(["a river runs", "stone"])
    client.close()
    assert query == documents[0]
    assert len(query) == len(documents[1])
    assert math.fsum(x * x for x in query) == pytest.approx(1, abs=1e-4)
    assert sum(a * b for a, b in zip(query, documents[1], strict=True)) < 0.9

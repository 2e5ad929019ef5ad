"""A paraphrase of the query ranks above texts that have nothing to do with it, through both doors."""

from __future__ import annotations

import json

import boto3
import pytest
from botocore.config import Config

CASES = {
    "en": (
        "How can I lower my electricity bill?",
        "Ways to spend less on power at home.",
        [
            "The river floods every spring.",
            "She plays the violin in an orchestra.",
            "The museum opens at nine on Sundays.",
            "Tigers are the largest of the cats.",
        ],
    ),
    "es": (
        "¿Cuál es la capital de Francia?",
        "París es la capital y la ciudad más grande de Francia.",
        [
            "El violín es un instrumento de cuerda.",
            "Las abejas producen miel en primavera.",
            "El partido terminó con un empate a cero.",
            "La receta lleva harina, huevos y leche.",
        ],
    ),
    "pt": (
        "Qual é a capital de Portugal?",
        "Lisboa é a capital e a maior cidade de Portugal.",
        [
            "O violino é um instrumento de cordas.",
            "As abelhas fazem mel na primavera.",
            "O jogo terminou empatado a zero.",
            "A receita leva farinha, ovos e leite.",
        ],
    ),
}


@pytest.fixture(scope="module")
def agents(address):
    return boto3.Session().client(
        "bedrock-agent-runtime",
        endpoint_url=address,
        region_name="us-east-1",
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
        config=Config(retries={"total_max_attempts": 1}, read_timeout=60, proxies={}),
    )


def rerank(agents, query, texts):
    sources = [
        {"type": "INLINE", "inlineDocumentSource": {"type": "TEXT", "textDocument": {"text": text}}} for text in texts
    ]
    model = {"modelArn": "arn:aws:bedrock:us-east-1::foundation-model/amazon.rerank-v1:0"}
    return agents.rerank(
        queries=[{"type": "TEXT", "textQuery": {"text": query}}],
        sources=sources,
        rerankingConfiguration={
            "type": "BEDROCK_RERANKING_MODEL",
            "bedrockRerankingConfiguration": {"modelConfiguration": model},
        },
    )["results"]


@pytest.mark.parametrize("language", CASES)
def test_a_paraphrase_is_first(agents, language):
    query, right, others = CASES[language]
    results = rerank(agents, query, [*others[:2], right, *others[2:]])
    assert results[0]["index"] == 2
    scores = [each["relevanceScore"] for each in results]
    assert scores[0] > max(0.5, scores[1] + 0.2)


def test_invoke_model_says_the_same(agents, runtime):
    query, right, others = CASES["en"]
    texts = [*others, right]
    wanted = [(each["index"], each["relevanceScore"]) for each in rerank(agents, query, texts)]
    for model, more in (("amazon.rerank-v1:0", {}), ("cohere.rerank-v3-5:0", {"api_version": 2})):
        body = json.dumps({"query": query, "documents": texts, "top_n": 3, **more})
        answered = json.loads(runtime.invoke_model(modelId=model, body=body)["body"].read())["results"]
        assert [(each["index"], pytest.approx(each["relevance_score"], abs=1e-5)) for each in answered] == wanted[:3]


def test_what_stands_late_in_a_long_text_is_found(agents):
    query, right, others = CASES["en"]
    filler = " ".join(others * 12)
    long = f"{filler} {right} {filler}"
    results = rerank(agents, query, [filler, long])
    assert results[0]["index"] == 1
    assert results[0]["relevanceScore"] > results[1]["relevanceScore"]

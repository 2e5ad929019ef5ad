"""What the embedded embedding model does, through every door that leads to it."""

from __future__ import annotations

import json

import numpy as np
import openai
import pytest

MODEL = "rocamadre.minilm-l6-v2:0"
TEXTS = (
    "The cat sleeps on the sofa.",
    "A feline is napping on the couch.",
    "The central bank raised interest rates.",
    "Monetary policy was tightened by the bank.",
    "Rain is expected in the mountains tomorrow.",
)
NEAREST = {0: 1, 1: 0, 2: 3, 3: 2}


def invoke(runtime, model, **body):
    answer = runtime.invoke_model(modelId=model, body=json.dumps(body))
    return json.loads(answer["body"].read()), answer["ResponseMetadata"]["HTTPHeaders"]


def titan(runtime, text, **more):
    return np.array(invoke(runtime, "amazon.titan-embed-text-v2:0", inputText=text, **more)[0]["embedding"])


def own(runtime, text):
    return np.array(invoke(runtime, MODEL, inputText=text)[0]["embedding"])


def nearest(vectors):
    vectors = np.array(vectors, dtype=float)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = vectors @ vectors.T - 2 * np.eye(len(vectors))
    return {place: int(cosines[place].argmax()) for place in NEAREST}


@pytest.fixture(scope="module")
def natives(runtime):
    return [own(runtime, text) for text in TEXTS]


def test_paraphrases_are_nearest(natives):
    assert nearest(natives) == NEAREST
    assert [len(vector) for vector in natives] == [384] * len(TEXTS)
    assert np.linalg.norm(natives, axis=1) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("dimensions", [512, 1024])
def test_larger_vectors_keep_every_cosine(runtime, natives, dimensions):
    vectors = [titan(runtime, text, dimensions=dimensions) for text in TEXTS]
    assert np.array(vectors) @ np.array(vectors).T == pytest.approx(np.array(natives) @ np.array(natives).T, abs=1e-5)
    assert np.count_nonzero(np.array(vectors) == 0) == 0


def test_the_first_titan_has_1536_numbers(runtime, natives):
    vectors = np.array(
        [invoke(runtime, "amazon.titan-embed-text-v1", inputText=text)[0]["embedding"] for text in TEXTS]
    )
    assert vectors.shape == (len(TEXTS), 1536)
    assert vectors @ vectors.T == pytest.approx(np.array(natives) @ np.array(natives).T, abs=1e-5)


def test_smaller_vectors_keep_the_neighbours(runtime):
    answer, headers = invoke(runtime, "amazon.titan-embed-text-v2:0", inputText=TEXTS[0], dimensions=256)
    assert headers["x-rocamadre-dimension-map"] == "pca-384-256-v1"
    assert len(answer["embedding"]) == 256
    assert nearest([titan(runtime, text, dimensions=256) for text in TEXTS]) == NEAREST


@pytest.mark.parametrize("form", ["int8", "uint8", "binary", "ubinary"])
def test_small_forms_keep_the_neighbours(runtime, form):
    answer, _ = invoke(
        runtime,
        "cohere.embed-multilingual-v3",
        texts=list(TEXTS),
        input_type="search_document",
        embedding_types=["float", form],
    )
    vectors = np.array(answer["embeddings"][form])
    if form in ("binary", "ubinary"):
        vectors = np.unpackbits((vectors + 128 * (form == "binary")).astype(np.uint8), axis=1).astype(float) - 0.5
    elif form == "uint8":
        vectors = vectors - 128.0
    assert vectors.shape[1] == len(answer["embeddings"]["float"][0]) == 1024
    assert nearest(vectors) == NEAREST


def test_titan_binary_is_the_sign_of_each_number(runtime):
    answer, _ = invoke(runtime, "amazon.titan-embed-text-v2:0", inputText=TEXTS[0], embeddingTypes=["float", "binary"])
    floats, bits = (np.array(answer["embeddingsByType"][form]) for form in ("float", "binary"))
    assert (bits == (floats > 0)).all()


def test_one_by_one_and_together_are_the_same(runtime, natives, address):
    together, headers = invoke(
        runtime, "cohere.embed-english-v3", texts=list(TEXTS), input_type="search_query", truncate="END"
    )
    assert headers["x-rocamadre-model"] == MODEL
    alone = [
        invoke(runtime, "cohere.embed-english-v3", texts=[text], input_type="search_query")[0]["embeddings"][0]
        for text in TEXTS
    ]
    assert np.array(together["embeddings"]) == pytest.approx(np.array(alone), abs=1e-4)
    with openai.OpenAI(base_url=f"{address}/v1", api_key="testing", max_retries=0) as client:
        answered = client.embeddings.create(model=MODEL, input=list(TEXTS))
        assert np.array([item.embedding for item in answered.data]) == pytest.approx(np.array(natives), abs=1e-4)
        assert answered.usage.prompt_tokens == int(headers["x-amzn-bedrock-input-token-count"])


LONG = " ".join(["Filler that says nothing at all."] * 80)


def test_what_becomes_of_long_texts(runtime):
    text = f"{TEXTS[0]} {LONG} {TEXTS[2]}"

    def embed(truncate):
        answer, headers = invoke(
            runtime,
            "cohere.embed-english-v3",
            texts=[text[-2048:]] if truncate == "START" else [text[:2048]],
            input_type="search_document",
            truncate=truncate,
        )
        assert headers["x-rocamadre-truncated"] == "1"
        return np.array(answer["embeddings"][0])

    cats, banks = (
        np.array(
            invoke(runtime, "cohere.embed-english-v3", texts=[each], input_type="search_document")[0]["embeddings"][0]
        )
        for each in (TEXTS[0], TEXTS[2])
    )
    end, start = embed("END"), embed("START")
    assert end @ cats > end @ banks
    assert start @ banks > start @ cats
    with pytest.raises(runtime.exceptions.ValidationException, match="longer than the model reads"):
        invoke(runtime, "cohere.embed-english-v3", texts=[LONG[:2048]], input_type="search_document", truncate="NONE")

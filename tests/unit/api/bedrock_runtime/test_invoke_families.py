"""Every family of InvokeModel over boto3 against a whole server: answers, streams, tools, vectors, hostile bodies."""

from __future__ import annotations

import copy
import json
import random

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from rocamadre.core.settings import load_settings
from rocamadre.engines.profiles.registry import PROFILES, find_profile
from rocamadre.engines.profiles.types import EmbeddingProfile, RerankProfile, TextProfile
from rocamadre.testing.inprocess import ADDRESS, InProcessServer

WEATHER = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
FUNCTION = {"type": "function", "function": {"name": "weather", "parameters": WEATHER}}
CALL = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Lima"}'}}
CHAT = {
    "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "Weather?"}]},
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "call_1", "content": "sun"},
    ],
    "max_tokens": 20,
    "tools": [FUNCTION],
}
NOVA_CALL = {"toolUseId": "call_1", "name": "weather", "input": {"city": "Lima"}}
NOVA = {
    "system": [{"text": "Be brief."}, {"cachePoint": {"type": "default"}}],
    "messages": [
        {"role": "user", "content": [{"text": "Weather?"}, {"cachePoint": {"type": "default"}}]},
        {"role": "assistant", "content": [{"toolUse": NOVA_CALL}]},
        {"role": "user", "content": [{"toolResult": {"toolUseId": "call_1", "content": [{"json": {"sky": "blue"}}]}}]},
    ],
    "toolConfig": {"tools": [{"toolSpec": {"name": "weather", "inputSchema": {"json": WEATHER}}}]},
}
SONG = {"name": "song", "parameters": {"sign": "WZPZ"}}
COMMAND_R = {
    "message": "Which song?",
    "preamble": "Be brief.",
    "chat_history": [{"role": "USER", "message": "Hi"}, {"role": "CHATBOT", "message": "Hello"}],
    "documents": [{"title": "Note", "snippet": "A note."}],
    "tools": [{"name": "song", "parameter_definitions": {"sign": {"type": "str", "required": True}}}],
    "tool_results": [{"call": SONG, "outputs": [{"song": "Hotel"}]}],
    "max_tokens": 20,
}
SINGLE = {"embeddingPurpose": "GENERIC_INDEX", "text": {"truncationMode": "END", "value": "a river"}}
TEXT = {
    "amazon.titan-text-express-v1": {"inputText": "Hi"},
    "amazon.nova-pro-v1:0": NOVA,
    "anthropic.claude-v2:1": {"prompt": "\n\nHuman: Hi\n\nAssistant:", "max_tokens_to_sample": 20},
    "anthropic.claude-3-haiku-20240307-v1:0": {
        "anthropic_version": "bedrock-2023-05-31",
        "max_tokens": 20,
        "messages": [{"role": "user", "content": "Hi"}],
    },
    "meta.llama3-8b-instruct-v1:0": {"prompt": "Hi"},
    "mistral.mistral-7b-instruct-v0:2": {"prompt": "<s>[INST] Hi [/INST]"},
    "mistral.mistral-large-2407-v1:0": CHAT,
    "mistral.mistral-large-2402-v1:0": {"messages": [{"role": "user", "content": "Hi"}]},
    "mistral.pixtral-large-2502-v1:0": CHAT,
    "cohere.command-text-v14": {"prompt": "Hi", "stream": True, "return_likelihoods": "NONE"},
    "cohere.command-light-text-v14:7:4k": {"prompt": "Hi"},
    "cohere.command-r-v1:0": COMMAND_R,
    "ai21.j2-ultra-v1": {"prompt": "Hi", "maxTokens": 20, "countPenalty": {"scale": 0}},
    "ai21.jamba-1-5-mini-v1:0": CHAT,
    "us.deepseek.r1-v1:0": {"prompt": "<｜User｜>Hi<｜Assistant｜><think>", "max_tokens": 20},
    "deepseek.v3-v1:0": CHAT,
    "openai.gpt-oss-20b-1:0": CHAT,
    "qwen.qwen3-32b-v1:0": CHAT,
    "us.writer.palmyra-x5-v1:0": CHAT,
    "writer.palmyra-x4-v1:0": {"prompt": "Hi"},
    "rocamadre.fake-v1:0": {"prompt": "Once", "max_tokens": 5, "logprobs": 1},
}
VECTORS = {
    "amazon.titan-embed-text-v1": ({"inputText": "a river"}, 1536),
    "amazon.titan-embed-text-v2:0": ({"inputText": "a river"}, 1024),
    "amazon.titan-embed-image-v1": (
        {"inputText": "a river", "embeddingConfig": {"outputEmbeddingLength": 384}},
        384,
    ),
    "amazon.nova-2-multimodal-embeddings-v1:0": (
        {"taskType": "SINGLE_EMBEDDING", "singleEmbeddingParams": SINGLE},
        3072,
    ),
    "cohere.embed-english-v3": ({"texts": ["a river"], "input_type": "search_query"}, 1024),
    "cohere.embed-v4:0": ({"texts": ["a river"], "input_type": "search_query"}, 1536),
    "us.twelvelabs.marengo-embed-2-7-v1:0": ({"inputType": "text", "inputText": "a river"}, 1024),
    "twelvelabs.marengo-embed-3-0-v1:0": ({"inputType": "text", "text": {"inputText": "a river"}}, 512),
}
RANKED = {
    "amazon.rerank-v1:0": {"query": "red fox", "documents": ["a whale", "the red fox"], "top_n": 1},
    "cohere.rerank-v3-5:0": {"query": "red fox", "documents": ["a whale", {"text": "the red fox"}], "api_version": 2},
    "rocamadre.fake-embed-v1:0": {"query": "red fox", "documents": ["a whale", "the red fox"]},
}
ABSENT = {
    "amazon.nova-canvas-v1:0": "image generation",
    "amazon.nova-reel-v1:1": "video generation",
    "amazon.nova-sonic-v1:0": "speech",
    "amazon.titan-image-generator-v2:0": "image generation",
    "stability.stable-diffusion-xl-v1": "image generation",
    "stability.sd3-5-large-v1:0": "image generation",
    "luma.ray-v2:0": "video generation",
    "us.twelvelabs.pegasus-1-2-v1:0": "video understanding",
}


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    models = {"default_model": "fake", "default_embedder": "fake-embed"}
    server = InProcessServer(
        load_settings(home=tmp_path_factory.mktemp("home"), server={"strict": True}, catalog=models)
    )
    yield server.attach(
        boto3.Session(aws_access_key_id="AKIATESTING", aws_secret_access_key="testing").client(
            "bedrock-runtime",
            region_name="us-east-1",
            endpoint_url=ADDRESS,
            config=Config(retries={"total_max_attempts": 1}),
        )
    )
    server.close()


def invoke(client, model, body):
    return json.loads(client.invoke_model(modelId=model, body=json.dumps(body))["body"].read())


def stream(client, model, body):
    events = client.invoke_model_with_response_stream(modelId=model, body=json.dumps(body))["body"]
    return [json.loads(event["chunk"]["bytes"]) for event in events]


def bare(model):
    return model.removeprefix("us.").removesuffix(":4k")


def test_each_profile_is_tried():
    bodies = {**TEXT, **{name: body for name, (body, _) in VECTORS.items()}, **RANKED}
    found = {
        id(find_profile(bare(name), embeds=name not in TEXT, aliased=not name.startswith("rocamadre."), body=body))
        for name, body in bodies.items()
    }
    assert [profile.name for profile in PROFILES if id(profile) not in found] == []


@pytest.mark.parametrize("model", TEXT)
def test_answers(client, model):
    assert "[fake]" in json.dumps(invoke(client, model, TEXT[model]))


@pytest.mark.parametrize("model", TEXT)
def test_streams(client, model):
    profile = find_profile(bare(model), embeds=False, aliased=not model.startswith("rocamadre."), body=TEXT[model])
    if not profile.streams:
        with pytest.raises(ClientError, match="unsupported for streaming: AI21 Jurassic-2 does not stream"):
            stream(client, model, TEXT[model])
        return
    chunks = stream(client, model, TEXT[model])
    assert "fake" in json.dumps(chunks)
    with_metrics = [chunk for chunk in chunks if "amazon-bedrock-invocationMetrics" in chunk]
    assert len(with_metrics) == 1
    if model.removeprefix("us.").startswith("writer."):
        assert chunks[-1] == "[DONE]"
        assert with_metrics == chunks[-2:-1]
    else:
        assert with_metrics == chunks[-1:]


@pytest.mark.parametrize("model", VECTORS)
def test_vectors(client, model):
    body, size = VECTORS[model]
    answered = invoke(client, model, body)
    vector = answered.get("embedding") or (answered["embeddings"] if "embeddings" in answered else answered["data"])[0]
    vector = vector["embedding"] if isinstance(vector, dict) else vector
    assert len(vector) == size
    assert sum(value * value for value in vector) == pytest.approx(1, abs=1e-4)
    with pytest.raises(ClientError, match="unsupported for streaming"):
        stream(client, model, body)


@pytest.mark.parametrize("model", RANKED)
def test_ranks(client, model):
    results = invoke(client, model, RANKED[model])["results"]
    assert [each["index"] for each in results] == ([1] if "top_n" in RANKED[model] else [1, 0])
    assert all(0 <= each["relevance_score"] <= 1 for each in results)
    with pytest.raises(ClientError, match="unsupported for streaming"):
        stream(client, model, RANKED[model])


@pytest.mark.parametrize("model", ABSENT)
def test_what_no_model_has_is_refused_by_name(client, model):
    with pytest.raises(ClientError, match=f"needs {ABSENT[model]}, which no model here has") as refused:
        invoke(client, model, {"taskType": "TEXT_IMAGE"})
    assert refused.value.response["Error"]["Code"] == "ValidationException"


CHOSEN = {
    "amazon.nova-pro-v1:0": {**NOVA, "toolConfig": NOVA["toolConfig"] | {"toolChoice": {"any": {}}}},
    "mistral.mistral-large-2407-v1:0": CHAT | {"tool_choice": "any"},
    "openai.gpt-oss-20b-1:0": CHAT | {"tool_choice": {"type": "function", "function": {"name": "weather"}}},
    "ai21.jamba-1-5-mini-v1:0": CHAT | {"tool_choice": "required"},
    "writer.palmyra-x5-v1:0": CHAT | {"tool_choice": "required"},
}


def calls_of(answered):
    if "output" in answered:
        return [block["toolUse"]["input"] for block in answered["output"]["message"]["content"] if "toolUse" in block]
    return [
        json.loads(call["function"]["arguments"]) for call in answered["choices"][0]["message"].get("tool_calls", ())
    ]


@pytest.mark.parametrize("model", CHOSEN)
def test_a_tool_that_must_be_called_is_called(client, model):
    (given,) = calls_of(invoke(client, model, CHOSEN[model]))
    assert set(given) == {"city"}
    assert isinstance(given["city"], str)
    chunks = json.dumps(stream(client, model, CHOSEN[model]))
    assert "tool_use" in chunks or "tool_calls" in chunks


@pytest.mark.parametrize("model", ["openai.gpt-oss-20b-1:0", "ai21.jamba-1-5-mini-v1:0", "rocamadre.fake-v1:0"])
def test_answers_follow_their_schema(client, model):
    form = {"type": "json_schema", "json_schema": {"name": "weather", "schema": WEATHER}}
    body = {"messages": [{"role": "user", "content": "Hi"}], "response_format": form}
    content = invoke(client, model, body)["choices"][0]["message"]["content"]
    assert set(json.loads(content)) == {"city"}


@pytest.mark.parametrize("model", ["openai.gpt-oss-20b-1:0", "amazon.nova-pro-v1:0", "meta.llama3-2-11b-instruct-v1:0"])
def test_images_are_refused_where_the_model_reads_text(client, model):
    png = "iVBORw0KGgo="
    bodies = {
        "openai": {
            "messages": [
                {
                    "role": "user",
                    "content": [{"type": "image_url", "image_url": {"url": f"data:image/png;base64,{png}"}}],
                }
            ]
        },
        "amazon": {"messages": [{"role": "user", "content": [{"image": {"format": "png", "source": {"bytes": png}}}]}]},
        "meta": {"prompt": "Look", "images": [png]},
    }
    with pytest.raises(ClientError, match="doesn't support the image content block") as refused:
        invoke(client, model, bodies[model.partition(".")[0]])
    assert refused.value.response["Error"]["Code"] == "ValidationException"


# -- bodies with a random part replaced ------------------------------------------------------------------------------

BODIES = {**TEXT, **{name: body for name, (body, _) in VECTORS.items()}, **RANKED}
VALUES = (
    None, True, False, 0, 1, -1, 2**31, 2**63, 1e308, 0.5, "", "a", "\0", "é" * 300, [], {}, [[]], [None], {"": ""},
    {"text": None}, {"type": "text"}, [{"text": "a"}], [1, "a", {}], {"bytes": "!"}, {"name": "a"}, [{"role": "tool"}],
)  # fmt: skip


def places(value, path=()):
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from places(inner, (*path, key))


def mutated(body, chance):
    body = copy.deepcopy(body)
    for _ in range(chance.randint(1, 2)):
        path = chance.choice(list(places(body)))
        value = copy.deepcopy(chance.choice(VALUES))
        if not path:
            return value
        inner = body
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = value
    return body


@pytest.mark.parametrize("model", BODIES)
def test_hostile_bodies_get_the_declared_error_or_an_answer(client, model):
    chance = random.Random(model)
    refused = []
    for _ in range(60):
        body = mutated(BODIES[model], chance)
        try:
            invoke(client, model, body)
        except ClientError as error:
            refused.append((error.response["Error"]["Code"], body))
    assert refused
    assert [each for each in refused if each[0] != "ValidationException"] == []


def test_profiles_say_what_they_take():
    for profile in PROFILES:
        assert profile.body is not None or profile.name == "Anthropic Claude", profile.name
        assert isinstance(profile, TextProfile | EmbeddingProfile | RerankProfile)

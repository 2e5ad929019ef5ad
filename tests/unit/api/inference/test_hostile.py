"""Bodies of every wire with a random part replaced: refused in the declared way or answered, never anything else."""

import copy
import json
import random

import pytest

from rocamadre.api.bedrock_runtime.converse import converse
from rocamadre.api.bedrock_runtime.invoke_model import invoke_model
from rocamadre.api.openai.chat import chat_completions
from rocamadre.api.openai.completions import completions
from rocamadre.api.openai.embeddings import embeddings
from rocamadre.core.errors import RocamadreError

TURNS = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}, {"role": "user", "content": "c"}]
BLOCKS = [{"role": "user", "content": [{"text": "a"}]}]
BODIES = {
    "amazon.titan-text-express-v1": {
        "inputText": "User: a\nBot:",
        "textGenerationConfig": {"maxTokenCount": 5, "temperature": 0.5, "topP": 1, "stopSequences": ["x"]},
    },
    "amazon.nova-lite-v1:0": {
        "schemaVersion": "messages-v1",
        "system": [{"text": "s"}],
        "messages": [
            {
                "role": "user",
                "content": [
                    {"text": "a"},
                    {"document": {"format": "txt", "name": "n", "source": {"bytes": "YQ=="}}},
                ],
            }
        ],
        "inferenceConfig": {"maxTokens": 5, "topK": 3, "topP": 0.5, "temperature": 0.1, "stopSequences": ["x"]},
    },
    "anthropic.claude-3-haiku-20240307-v1:0": {
        "anthropic_version": "bedrock-2023-05-31",
        "max_tokens": 5,
        "system": [{"type": "text", "text": "s"}],
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "a"},
                    {"type": "document", "source": {"type": "base64", "media_type": "text/plain", "data": "YQ=="}},
                    {"type": "document", "source": {"type": "content", "content": [{"type": "text", "text": "b"}]}},
                ],
            },
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "h", "signature": ""},
                    {"type": "tool_use", "id": "t", "name": "n", "input": {"a": 1}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {
                        "type": "tool_result",
                        "tool_use_id": "t",
                        "content": [{"type": "text", "text": "c", "cache_control": {"type": "ephemeral"}}],
                    }
                ],
            },
        ],
        "tools": [{"name": "n", "input_schema": {"type": "object"}, "strict": True}],
        "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
        "output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}},
        "thinking": {"type": "disabled"},
        "stop_sequences": ["x"],
    },
    "anthropic.claude-v2": {"prompt": "\n\nHuman: a\n\nAssistant:", "max_tokens_to_sample": 5},
    "meta.llama3-8b-instruct-v1:0": {"prompt": "<s>[INST] a [/INST]", "max_gen_len": 5},
    "mistral.mistral-7b-instruct-v0:2": {"prompt": "a", "max_tokens": 5, "stop": ["x"]},
    "mistral.mistral-large-2407-v1:0": {"messages": TURNS, "max_tokens": 5},
    "openai.gpt-oss-20b-1:0": {"messages": TURNS, "max_tokens": 5, "stop": ["x"], "seed": 3},
    "amazon.titan-embed-text-v2:0": {"inputText": "a", "dimensions": 256, "embeddingTypes": ["float"]},
    "cohere.embed-english-v3": {"texts": ["a"], "input_type": "search_query", "embedding_types": ["int8"]},
    "cohere.embed-v4:0": {
        "inputs": [{"content": [{"type": "text", "text": "a"}]}],
        "input_type": "search_query",
        "output_dimension": 256,
    },
}
ENDPOINTS = {
    chat_completions: {
        "model": "fake",
        "messages": [*TURNS, {"role": "assistant", "content": [{"type": "text", "text": "a"}]}, TURNS[0]],
        "n": 2,
        "stop": ["x"],
        "logit_bias": {"1": 2},
        "stream": False,
        "logprobs": True,
        "top_logprobs": 2,
        "metadata": {"a": "b"},
        "response_format": {"type": "text"},
    },
    completions: {"model": "fake", "prompt": ["a", "b"], "max_tokens": 3, "echo": True, "logprobs": 1, "n": 1},
    embeddings: {"model": "fake-embed", "input": ["a", "b"], "dimensions": 512, "encoding_format": "base64"},
}
VALUES = (
    None, True, False, 0, 1, -1, 2**31, 2**63, 2**70, 1e308, -0.0, 0.5, "", "a", "\0", "é" * 300, [], {}, [[]], [None],
    {"": ""}, {"text": None}, {"type": "text"}, [{"text": "a", "image": {}}], [1, "a", {}], {"bytes": "!"}, "float",
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
        if chance.random() < 0.2 and isinstance(inner, dict):
            inner[chance.choice(("x", "tools", "images", "temperature", "top_p", "stream"))] = value
        else:
            inner[path[-1]] = value
    return body


@pytest.mark.parametrize("model", BODIES)
async def test_invoke_model(context, model):
    chance = random.Random(model)
    answered = 0
    for _ in range(300):
        body = json.dumps(mutated(BODIES[model], chance)).encode()
        try:
            json.loads((await invoke_model(context, {"modelId": model, "body": body}))["body"])
            answered += 1
        except RocamadreError as error:
            assert error.message  # noqa: PT017
    assert 0 < answered < 300


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda each: each.__name__)
async def test_openai(context, post, endpoint):
    chance = random.Random(endpoint.__name__)
    answered = 0
    for _ in range(300):
        try:
            reply = await post(endpoint, context, json.dumps(mutated(ENDPOINTS[endpoint], chance)).encode())
        except RocamadreError as error:
            assert error.message  # noqa: PT017
            continue
        answered += 1
        if not isinstance(reply.body, bytes):
            assert [piece async for piece in reply.body][-1] == b"data: [DONE]\n\n"
    assert 0 < answered < 300


async def test_additional_fields(context):
    """The one part of Converse that the wire does not check."""
    chance = random.Random(7)
    fields = {"top_k": 3, "min_p": 0.1, "seed": 2, "inferenceConfig": {"topK": 3}, "thinking": {"type": "disabled"}}
    answered = 0
    for _ in range(300):
        request = {"modelId": "fake", "messages": BLOCKS, "additionalModelRequestFields": mutated(fields, chance)}
        try:
            await converse(context, request)
            answered += 1
        except RocamadreError as error:
            assert error.message  # noqa: PT017
    assert 0 < answered < 300

"""What each family's body format refuses, in Amazon Bedrock's words."""

import pytest

from rocamadre.core.errors import InvalidRequest, NotBuilt
from rocamadre.engines.profiles.registry import find_profile

CLAUDE = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 5, "messages": [{"role": "user", "content": "a"}]}
TURN = {"role": "user", "content": [{"text": "a"}]}


def read(base_id, body, embeds=False):
    return find_profile(base_id, embeds=embeds, aliased=True, body=body).read(body)


@pytest.mark.parametrize(
    ("base_id", "body", "sentence"),
    [
        ("amazon.titan-text-lite-v1", {}, "#: required key [inputText] not found"),
        ("amazon.titan-text-lite-v1", {"inputText": ""}, "#/inputText: expected minLength: 1, actual: 0"),
        (
            "amazon.titan-text-lite-v1",
            {"inputText": "a", "textGenerationConfig": {"temperature": 1.5}},
            "#/textGenerationConfig/temperature: 1.5 is not less or equal to 1",
        ),
        ("amazon.nova-lite-v1:0", {"prompt": "a"}, "#: required key [messages] not found#: extraneous key [prompt] is"),
        (
            "amazon.nova-lite-v1:0",
            {"messages": [TURN], "inferenceConfig": {"topK": 200}},
            "#/inferenceConfig/topK: 200 is not less or equal to 128",
        ),
        ("anthropic.claude-3-haiku-20240307-v1:0", {"messages": []}, "#: required key [anthropic_version] not found"),
        (
            "anthropic.claude-3-haiku-20240307-v1:0",
            CLAUDE | {"max_tokens": 0},
            "#/max_tokens: 0 is not greater or equal to 1",
        ),
        (
            "anthropic.claude-3-haiku-20240307-v1:0",
            CLAUDE | {"messages": [{"role": "system", "content": "a"}]},
            "#/messages/0/role: system is not a valid enum value",
        ),
        ("meta.llama3-8b-instruct-v1:0", {"prompt": 1}, "#/prompt: expected type: String, found: Integer"),
        ("meta.llama3-8b-instruct-v1:0", [], "#: expected type: JSONObject, found: JSONArray"),
        ("meta.llama3-8b-instruct-v1:0", None, "#: expected type: JSONObject, found: Null"),
        ("mistral.mistral-7b-instruct-v0:2", {"prompt": "a", "top_k": 0}, "#/top_k: 0 is not greater or equal to 1"),
        (
            "mistral.mistral-7b-instruct-v0:2",
            {"prompt": "a", "stop": ["x"] * 11},
            "#/stop: expected maximum item count: 10, found: 11",
        ),
        ("openai.gpt-oss-20b-1:0", {"messages": [{"role": "user"}], "top_p": 2}, "#/top_p: 2 is not less or equal to"),
    ],
)
def test_schema_failures(base_id, body, sentence):
    with pytest.raises(InvalidRequest) as caught:
        read(base_id, body)
    assert caught.value.message.startswith(f"Malformed input request: {sentence}")
    assert caught.value.message.endswith(", please reformat your input and try again.")


@pytest.mark.parametrize(
    ("base_id", "body", "what"),
    [
        (
            "anthropic.claude-3-haiku-20240307-v1:0",
            CLAUDE | {"mcp_servers": [{"name": "x"}]},
            "#/mcp_servers: .* MCP servers",
        ),
        ("openai.gpt-oss-20b-1:0", {"messages": [], "n": 2}, "#/n: .* several answers"),
        ("openai.gpt-oss-20b-1:0", {"messages": [], "reasoning_effort": "low"}, "#/reasoning_effort: .* effort"),
        ("cohere.command-text-v14", {"prompt": "a", "return_likelihoods": "ALL"}, "#/return_likelihoods: .* 'NONE'"),
        (
            "amazon.nova-2-lite-v1:0",
            {"messages": [TURN], "reasoningConfig": {"maxReasoningEffort": "low"}},
            "reasoning",
        ),
    ],
)
def test_what_comes_later(base_id, body, what):
    with pytest.raises(NotBuilt, match=what):
        read(base_id, body)


def test_empty_values_of_what_comes_later_are_fine():
    body = CLAUDE | {"tools": []}
    assert read("anthropic.claude-3-haiku-20240307-v1:0", body).tools == ()


@pytest.mark.parametrize(
    ("base_id", "body", "sentence"),
    [
        (
            "anthropic.claude-3-haiku-20240307-v1:0",
            CLAUDE | {"messages": [{"role": "assistant", "content": "a"}]},
            'first message must use the "user" role',
        ),
        (
            "anthropic.claude-3-haiku-20240307-v1:0",
            CLAUDE | {"messages": [*CLAUDE["messages"], {"role": "assistant", "content": "a"}]},
            "must end with a user message",
        ),
        ("amazon.nova-lite-v1:0", {"messages": [TURN, TURN]}, "must alternate"),
        ("openai.gpt-oss-20b-1:0", {"messages": [{"role": "user", "content": " "}]}, "is blank"),
        (
            "openai.gpt-oss-20b-1:0",
            {"messages": [{"role": "user", "content": "a"}, {"role": "system", "content": "b"}]},
            "before the first user message",
        ),
    ],
)
def test_turn_rules(base_id, body, sentence):
    with pytest.raises(InvalidRequest, match=sentence):
        read(base_id, body)


@pytest.mark.parametrize(
    ("base_id", "body", "sentence"),
    [
        ("amazon.titan-embed-text-v1", {"inputText": "a", "dimensions": 256}, r"extraneous key \[dimensions\]"),
        ("amazon.titan-embed-text-v2:0", {"inputText": "a", "dimensions": 300}, "300 is not a valid enum value"),
        ("amazon.titan-embed-text-v2:0", {"inputText": "a", "normalize": False}, "always have unit length"),
        ("amazon.titan-embed-text-v2:0", {"inputText": "a", "embeddingTypes": ["int8"]}, "int8 is not a valid enum"),
        ("amazon.titan-embed-text-v2:0", {"inputText": "a" * 50_001}, "expected maxLength: 50000, actual: 50001"),
        ("cohere.embed-english-v3", {"texts": ["a"]}, r"required key \[input_type\] not found"),
        ("cohere.embed-english-v3", {"texts": ["a"] * 97, "input_type": "search_query"}, "maximum item count: 96"),
        ("cohere.embed-english-v3", {"texts": ["a"], "input_type": "image"}, "image is not taken"),
        ("cohere.embed-english-v3", {"texts": ["a" * 2049], "input_type": "search_query"}, "maxLength: 2048"),
        (
            "cohere.embed-english-v3",
            {"texts": ["a"], "input_type": "search_query", "output_dimension": 256},
            r"extraneous key \[output_dimension\]",
        ),
        ("cohere.embed-v4:0", {"input_type": "search_query"}, r"exactly one of the keys \[texts\], \[inputs\]"),
        (
            "cohere.embed-v4:0",
            {"input_type": "search_query", "inputs": [{"content": [{"type": "image_url", "image_url": "x"}]}]},
            "#/inputs/0: the local model embeds text only",
        ),
        ("cohere.embed-v4:0", {"input_type": "search_query", "texts": ["a"], "max_tokens": 5}, "max_tokens"),
    ],
)
def test_embeddings(base_id, body, sentence):
    with pytest.raises(InvalidRequest, match=sentence):
        read(base_id, body, embeds=True)


def test_image_embeddings_come_later():
    with pytest.raises(NotBuilt, match="image embeddings"):
        read("cohere.embed-v4:0", {"input_type": "image", "images": ["data:x"]}, embeds=True)


def test_unknown_embedding_family_names_those_there_are():
    with pytest.raises(NotBuilt, match=r"cohere\.embed-v4") as caught:
        read("cohere.embed-v9:0", {}, embeds=True)
    assert "llama" not in caught.value.message

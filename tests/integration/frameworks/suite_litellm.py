"""LiteLLM's provider `bedrock`: Converse, InvokeModel, streams, tools, schemas, embeddings, rerank, its signatures."""

from __future__ import annotations

import json
import math

import litellm
import pydantic
import pytest

CLAUDE = "bedrock/us.anthropic.claude-sonnet-4-20250514-v1:0"
NOVA = "bedrock/us.amazon.nova-lite-v1:0"
ROUTES = {
    "converse": "bedrock/converse/us.anthropic.claude-sonnet-4-20250514-v1:0",
    "converse-nova": "bedrock/converse/us.amazon.nova-lite-v1:0",
    "converse-llama": "bedrock/converse/us.meta.llama3-3-70b-instruct-v1:0",
    "invoke-claude": "bedrock/invoke/us.anthropic.claude-3-5-sonnet-20241022-v2:0",
    "invoke-nova": "bedrock/invoke/us.amazon.nova-lite-v1:0",
    "invoke-llama": "bedrock/invoke/meta.llama3-8b-instruct-v1:0",
    "invoke-mistral": "bedrock/invoke/mistral.mistral-7b-instruct-v0:2",
    "invoke-titan": "bedrock/invoke/amazon.titan-text-express-v1",
    "invoke-ai21": "bedrock/invoke/ai21.j2-ultra-v1",
    "invoke-cohere": "bedrock/invoke/cohere.command-text-v14",
}
# LiteLLM reads Jurassic's answer to a stream as another family's.
STREAMED = [name for name in ROUTES if name != "invoke-ai21"]
WITH_TOOLS = [name for name in ROUTES if name in ("converse", "converse-nova", "invoke-claude", "invoke-nova")]
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Current weather at a place.",
        "parameters": {
            "type": "object",
            "properties": {"location": {"type": "string"}},
            "required": ["location"],
        },
    },
}
QUESTION = "What is the weather in San Francisco, CA?"


def user(text):
    return [{"role": "user", "content": text}]


class Person(pydantic.BaseModel):
    name: str
    age: int


@pytest.mark.parametrize("route", ROUTES)
def test_an_answer(route):
    answer = litellm.completion(model=ROUTES[route], messages=user("one two three"), max_tokens=64)
    assert "one two three" in answer.choices[0].message.content
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens > 0


@pytest.mark.parametrize("route", STREAMED)
def test_a_stream(route):
    chunks = list(litellm.completion(model=ROUTES[route], messages=user("one two three"), max_tokens=64, stream=True))
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert "one two three" in text
    assert len(chunks) > 3
    assert chunks[-1].choices[0].finish_reason == "stop"


@pytest.mark.parametrize("route", WITH_TOOLS)
def test_a_tool_loop(route):
    messages = user(QUESTION)
    first = litellm.completion(model=ROUTES[route], messages=messages, tools=[WEATHER], max_tokens=64)
    assert first.choices[0].finish_reason == "tool_calls"
    (call,) = first.choices[0].message.tool_calls
    assert (call.function.name, json.loads(call.function.arguments)) == (
        "get_weather",
        {"location": "San Francisco, CA"},
    )
    messages += [first.choices[0].message, {"role": "tool", "tool_call_id": call.id, "content": "14 degrees"}]
    last = litellm.completion(model=ROUTES[route], messages=messages, tools=[WEATHER], max_tokens=64)
    assert "14 degrees" in last.choices[0].message.content


@pytest.mark.parametrize("route", WITH_TOOLS)
def test_a_tool_call_in_a_stream(route):
    stream = litellm.completion(model=ROUTES[route], messages=user(QUESTION), tools=[WEATHER], stream=True)
    whole = litellm.stream_chunk_builder(list(stream))
    (call,) = whole.choices[0].message.tool_calls
    assert json.loads(call.function.arguments) == {"location": "San Francisco, CA"}
    assert whole.choices[0].finish_reason == "tool_calls"


@pytest.mark.parametrize("route", WITH_TOOLS)
def test_a_schema(route):
    answer = litellm.completion(model=ROUTES[route], messages=user("Who?"), response_format=Person, max_tokens=64)
    Person.model_validate_json(answer.choices[0].message.content)


def test_system_settings_and_limits():
    messages = [{"role": "system", "content": "Be brief."}, *user("alpha beta gamma")]
    stopped = litellm.completion(model=NOVA, messages=messages, temperature=0.2, top_p=0.9, stop=["beta"])
    assert "beta" not in stopped.choices[0].message.content
    assert litellm.completion(model=NOVA, messages=messages, max_tokens=2).choices[0].finish_reason == "length"


def test_a_document():
    import base64

    from conftest import TEXT_OF_PDF, small_pdf

    data = f"data:application/pdf;base64,{base64.b64encode(small_pdf()).decode()}"
    content = [
        {"type": "text", "text": "Read."},
        {"type": "file", "file": {"file_data": data, "format": "application/pdf"}},
    ]
    answer = litellm.completion(model=CLAUDE, messages=[{"role": "user", "content": content}])
    assert TEXT_OF_PDF in answer.choices[0].message.content


def test_cache_points():
    system = [{"type": "text", "text": "Be brief. " * 400, "cache_control": {"type": "ephemeral"}}]
    answer = litellm.completion(model=CLAUDE, messages=[{"role": "system", "content": system}, *user("Hello")])
    assert "Hello" in answer.choices[0].message.content
    assert answer.usage.prompt_tokens > 800


@pytest.mark.parametrize(
    ("model", "dimensions"),
    [
        ("bedrock/amazon.titan-embed-text-v2:0", 1024),
        ("bedrock/amazon.titan-embed-text-v1", 1536),
        ("bedrock/cohere.embed-english-v3", 1024),
        ("bedrock/amazon.nova-2-multimodal-embeddings-v1:0", 3072),
    ],
)
def test_embeddings(model, dimensions):
    answer = litellm.embedding(model=model, input=["a river", "a lake"])
    assert [len(item["embedding"]) for item in answer.data] == [dimensions] * 2
    assert answer.data[0]["embedding"] != answer.data[1]["embedding"]
    assert all(math.isfinite(x) for item in answer.data for x in item["embedding"])


def test_rerank():
    arn = "bedrock/arn:aws:bedrock:us-east-1::foundation-model/amazon.rerank-v1:0"
    texts = ["stones are hard", "a river runs to the sea", "bread is baked"]
    answer = litellm.rerank(model=arn, query="where a river runs", documents=texts, top_n=2)
    assert [found["index"] == 1 for found in answer.results] == [True, False]


async def test_the_async_calls():
    answer = await litellm.acompletion(model=CLAUDE, messages=user("one two"))
    assert "one two" in answer.choices[0].message.content
    stream = await litellm.acompletion(model=ROUTES["invoke-claude"], messages=user("one two"), stream=True)
    assert "one two" in "".join([chunk.choices[0].delta.content or "" async for chunk in stream])


async def test_anthropic_s_messages_through_it():
    message = await litellm.anthropic_messages(model=CLAUDE, messages=user("one two"), max_tokens=64)
    assert "one two" in message["content"][0]["text"]


def test_errors_are_its_own():
    with pytest.raises(litellm.BadRequestError, match="temperature"):
        litellm.completion(model=NOVA, messages=user("x"), temperature=7)
    with pytest.raises(litellm.BadRequestError, match="nobody"):
        litellm.completion(model="bedrock/converse/nobody.knows-v1:0", messages=user("x"))


def test_its_signatures(locked):
    where = {"aws_bedrock_runtime_endpoint": locked["address"], "aws_region_name": "us-east-1", "num_retries": 0}
    pair = {"aws_access_key_id": locked["access_key"], "aws_secret_access_key": locked["secret_key"]}
    fake = "bedrock/converse/rocamadre.fake-v1:0"
    for model in (fake, ROUTES["invoke-nova"]):
        answer = litellm.completion(model=model, messages=user("hi"), max_tokens=8, **where, **pair)
        assert answer.choices[0].message.content
    bearer = litellm.completion(model=fake, messages=user("hi there"), api_key=locked["bearer"], **where)
    assert "hi there" in bearer.choices[0].message.content
    with pytest.raises(litellm.PermissionDeniedError):
        litellm.completion(model=fake, messages=user("hi"), **where, **pair | {"aws_secret_access_key": "wrong"})

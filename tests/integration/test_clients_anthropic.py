"""The anthropic clients as they come: Anthropic's own wire, and Bedrock's through AnthropicBedrock and Mantle."""

from __future__ import annotations

import asyncio
import base64
import json

import anthropic
import pydantic
import pytest

FAKE = "rocamadre.fake-v1:0"
WEATHER = {
    "name": "get_weather",
    "description": "Current weather at a place.",
    "input_schema": {
        "type": "object",
        "properties": {"city": {"type": "string"}, "unit": {"type": "string", "enum": ["C", "F"]}},
        "required": ["city", "unit"],
        "additionalProperties": False,
    },
}


class Person(pydantic.BaseModel):
    name: str
    age: int


def bedrock(url, **options):
    keys = {"aws_access_key": "testing", "aws_secret_key": "testing", "aws_region": "us-east-1"} | options
    return anthropic.AnthropicBedrock(base_url=url, max_retries=0, **keys)


def mantle(url, **options):
    keys = {"aws_access_key": "testing", "aws_secret_key": "testing", "aws_region": "us-east-1"} | options
    return anthropic.AnthropicBedrockMantle(base_url=f"{url}/anthropic", max_retries=0, **keys)


def direct(url, **options):
    return anthropic.Anthropic(base_url=f"{url}/anthropic", max_retries=0, **{"api_key": "anything"} | options)


MODELS = {bedrock: "us.anthropic.claude-3-5-haiku-20241022-v1:0", mantle: "anthropic.claude-haiku-4-5"}


@pytest.fixture
def fake_url(fake_server):
    return fake_server.address


@pytest.fixture(params=[direct, bedrock, mantle], ids=["anthropic", "bedrock", "mantle"])
def ask(request, fake_url):
    """`ask("text", ...)`: messages.create with what each client calls the model; `ask.client` is the client."""
    with request.param(fake_url) as client:
        model = MODELS.get(request.param, "claude-sonnet-5")

        def create(text, *, call=client.messages.create, **options):
            messages = text if isinstance(text, list) else [{"role": "user", "content": text}]
            return call(**{"model": model, "max_tokens": 64, "messages": messages} | options)

        create.client, create.model = client, model
        yield create


@pytest.fixture
def plain(fake_url):
    with direct(fake_url) as client:
        yield client


@pytest.mark.covers("bedrock-runtime:InvokeModel", "bedrock-runtime:InvokeModelWithResponseStream")
def test_an_answer_and_its_stream_say_the_same(ask):
    whole = ask("one two three", system="Be brief.", stop_sequences=["zzz"])
    assert whole.content[0].text == "[fake] You said: one two three"
    assert (whole.stop_reason, whole.role, whole.type) == ("end_turn", "assistant", "message")
    assert whole.usage.input_tokens > 0
    with ask("one two three", call=ask.client.messages.stream, system="Be brief.", stop_sequences=["zzz"]) as stream:
        pieces = list(stream.text_stream)
        final = stream.get_final_message()
    assert "".join(pieces) == whole.content[0].text
    assert len(pieces) > 3
    assert (final.stop_reason, final.model) == (whole.stop_reason, whole.model)
    assert (final.usage.input_tokens, final.usage.output_tokens) == (
        whole.usage.input_tokens,
        whole.usage.output_tokens,
    )


def test_limits_and_stops(ask):
    assert ask("a b c d", max_tokens=2).stop_reason == "max_tokens"
    stopped = ask("alpha beta", stop_sequences=["beta"])
    assert (stopped.stop_reason, stopped.stop_sequence) == ("stop_sequence", "beta")


def test_a_tool_loop(ask):
    messages = [{"role": "user", "content": "Weather in Sucre?"}]
    first = ask(messages, tools=[WEATHER], tool_choice={"type": "any", "disable_parallel_tool_use": True})
    assert first.stop_reason == "tool_use"
    call = next(block for block in first.content if block.type == "tool_use")
    assert call.name == "get_weather"
    assert set(call.input) == {"city", "unit"}
    assert call.input["unit"] in ("C", "F")
    messages += [
        {"role": "assistant", "content": first.content},
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": call.id, "content": [{"type": "text", "text": "14 degrees"}]}
            ],
        },
    ]
    last = ask(messages, tools=[WEATHER])
    assert last.stop_reason == "end_turn"
    assert "14 degrees" in last.content[0].text


def test_a_tool_call_streams(ask):
    choice = {"type": "tool", "name": "get_weather"}
    with ask("Weather?", call=ask.client.messages.stream, tools=[WEATHER], tool_choice=choice) as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_message()
    assert "input_json" in kinds
    call = final.content[-1]
    assert (final.stop_reason, call.type, call.name) == ("tool_use", "tool_use", "get_weather")
    whole = ask("Weather?", tools=[WEATHER], tool_choice=choice)
    assert call.input == whole.content[-1].input


def test_structured_output(ask):
    made = ask("Who?", call=ask.client.messages.parse, output_format=Person)
    assert isinstance(made.parsed_output, Person)
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]} | {
        "additionalProperties": False
    }
    raw = ask("Who?", output_config={"format": {"type": "json_schema", "schema": schema}})
    assert isinstance(json.loads(raw.content[0].text)["n"], int)


def test_documents_and_cache_controls(ask):
    content = [
        {
            "type": "document",
            "title": "Notes",
            "source": {"type": "base64", "media_type": "text/plain", "data": base64.b64encode(b"moss").decode()},
            "cache_control": {"type": "ephemeral"},
        },
        {"type": "text", "text": "What grows?"},
    ]
    system = [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral", "ttl": "1h"}}]
    answer = ask([{"role": "user", "content": content}], system=system)
    assert "moss" in answer.content[0].text
    assert answer.usage.cache_creation_input_tokens is not None


def test_a_model_of_our_own_by_its_own_id(fake_url):
    for make in (direct, bedrock, mantle):
        with make(fake_url) as client:
            answer = client.messages.create(model=FAKE, max_tokens=20, messages=[{"role": "user", "content": "hello"}])
            assert answer.model == FAKE
            assert "hello" in answer.content[0].text


def test_who_answered_is_said(plain):
    raw = plain.messages.with_raw_response.create(
        model="claude-haiku-5-5", max_tokens=9, messages=[{"role": "user", "content": "hi"}]
    )
    assert raw.headers["x-rocamadre-model"] == FAKE
    message = raw.parse()
    assert message.model == "claude-haiku-5-5"
    assert message._request_id == raw.headers["request-id"]


def test_counting_is_what_the_call_reports(plain):
    asked = {"model": "claude-sonnet-5", "messages": [{"role": "user", "content": "one two"}], "system": "Be brief."}
    counted = plain.messages.count_tokens(**asked)
    assert counted.input_tokens == plain.messages.create(max_tokens=5, **asked).usage.input_tokens > 2


def test_models(plain):
    ids = [model.id for model in plain.models.list(limit=1)]
    assert FAKE in ids
    assert len(ids) == len(set(ids)) > 1
    backwards = plain.models.list(before_id=ids[-1], limit=1)
    assert [model.id for model in backwards.data] == [ids[-2]]
    assert plain.models.retrieve("claude-sonnet-5").id == FAKE
    assert plain.models.retrieve(FAKE).display_name


def test_beta_messages(plain):
    answer = plain.beta.messages.create(
        model="claude-sonnet-5",
        max_tokens=20,
        messages=[{"role": "user", "content": "hello"}],
        betas=["token-efficient-tools-2025-02-19"],
    )
    assert "hello" in answer.content[0].text


@pytest.mark.parametrize(
    ("call", "kind", "words"),
    [
        (lambda c: c.messages.create(model="nobody", max_tokens=5, messages=[]), anthropic.BadRequestError, "messages"),
        (
            lambda c: c.messages.create(model="nobody", max_tokens=5, messages=[{"role": "user", "content": "a"}]),
            anthropic.NotFoundError,
            "nobody",
        ),
        (lambda c: c.models.retrieve("nobody-knows"), anthropic.NotFoundError, "nobody-knows"),
        (lambda c: c.models.list(limit=0), anthropic.BadRequestError, "limit"),
        (lambda c: c.messages.batches.list(limit=0), anthropic.BadRequestError, "limit"),
        (lambda c: c.messages.batches.retrieve("msgbatch_none"), anthropic.NotFoundError, "msgbatch_none"),
        (lambda c: c.messages.batches.create(requests=[]), anthropic.BadRequestError, "requests: List"),
        (
            lambda c: c.messages.create(
                model=FAKE,
                max_tokens=5,
                messages=[{"role": "user", "content": "a"}],
                tools=[{"type": "web_search_20250305", "name": "web_search"}],
            ),
            anthropic.BadRequestError,
            "web_search_20250305",
        ),
        (
            lambda c: c.messages.create(
                model=FAKE,
                max_tokens=2048,
                messages=[{"role": "user", "content": "a"}],
                thinking={"type": "enabled", "budget_tokens": 1024},
            ),
            anthropic.BadRequestError,
            "does not support thinking",
        ),
        (
            lambda c: c.messages.create(
                model=FAKE,
                max_tokens=5,
                messages=[{"role": "assistant", "content": "I"}, {"role": "user", "content": "a"}],
            ),
            anthropic.BadRequestError,
            "first message",
        ),
        (lambda c: c.files.list(), anthropic.NotFoundError, "no operation"),
    ],
)
def test_refusals_are_errors_of_the_client(plain, call, kind, words):
    with pytest.raises(kind, match=words) as refused:
        call(plain)
    assert refused.value.body["type"] == "error"
    assert refused.value.body["request_id"] == refused.value.request_id


def test_bedrock_refuses_in_its_form(fake_url):
    with bedrock(fake_url) as client, pytest.raises(anthropic.BadRequestError, match="max_tokens"):
        client.messages.create(model=MODELS[bedrock], max_tokens=0, messages=[{"role": "user", "content": "a"}])


def test_keys_are_checked(locked_server):
    hello = {"model": FAKE, "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
    url = locked_server.address
    pair = {"aws_access_key": locked_server.access_key, "aws_secret_key": locked_server.secret_key}
    for made in (
        direct(url, api_key=locked_server.bearer),
        direct(url, api_key=None, auth_token=locked_server.bearer),
        bedrock(url, **pair),
        mantle(url, **pair),
        anthropic.AnthropicBedrock(base_url=url, api_key=locked_server.bearer, aws_region="us-east-1", max_retries=0),
        anthropic.AnthropicBedrockMantle(base_url=f"{url}/anthropic", api_key=locked_server.bearer, max_retries=0),
    ):
        with made as client:
            assert "hi" in client.messages.create(**hello).content[0].text
    with direct(url, api_key="wrong") as client, pytest.raises(anthropic.AuthenticationError):
        client.messages.create(**hello)
    with bedrock(url, **pair | {"aws_secret_key": "wrong"}) as client, pytest.raises(anthropic.PermissionDeniedError):
        client.messages.create(**hello)


def test_the_async_client(fake_url):
    async def go():
        async with anthropic.AsyncAnthropic(
            base_url=f"{fake_url}/anthropic", api_key="anything", max_retries=0
        ) as client:

            async def one(index):
                asked = {"model": FAKE, "max_tokens": 30, "messages": [{"role": "user", "content": f"number {index}"}]}
                async with client.messages.stream(**asked) as stream:
                    return await stream.get_final_text()

            return await asyncio.gather(*(one(index) for index in range(8)))

    for index, text in enumerate(asyncio.run(go())):
        assert f"number {index}" in text

"""The OpenAI and Anthropic wires with guardrails: Bedrock's headers, its keys in answers, what an account enforces."""

import asyncio
import json

import pytest

from rocamadre.api.anthropic.messages import messages
from rocamadre.api.bedrock.guardrails import create
from rocamadre.api.http import HttpRequest
from rocamadre.api.openai.chat import chat_completions
from rocamadre.api.openai.completions import completions
from rocamadre.api.openai.errors import BadParameter
from rocamadre.api.openai.responses import create_response
from rocamadre.core.errors import InvalidRequest
from rocamadre.core.messages import Finish, TextDelta, Usage
from rocamadre.guardrails.enforced import put_configuration
from rocamadre.guardrails.operations import create_version

FAKE = "rocamadre.fake-v1:0"
MASKED = (TextDelta("Ask a@ex"), TextDelta("ample.com."), Finish("end_turn", Usage(7, 3)))


@pytest.fixture
async def guardrail(context):
    policies = {
        "wordPolicyConfig": {"wordsConfig": [{"text": "blue moon"}]},
        "sensitiveInformationPolicyConfig": {"piiEntitiesConfig": [{"type": "EMAIL", "action": "ANONYMIZE"}]},
    }
    said = {"blockedInputMessaging": "Not that question.", "blockedOutputsMessaging": "Not that answer."}
    return (await create(context, {"name": "g", **said, **policies}))["guardrailId"]


@pytest.fixture
async def enforced(context, guardrail):
    await asyncio.to_thread(create_version, context, guardrail)
    wish = {"guardrailIdentifier": guardrail, "guardrailVersion": "1"}
    await asyncio.to_thread(put_configuration, context, None, wish)


@pytest.fixture
def send(context):
    async def call(endpoint, body, **headers):
        given = {name.lower(): value for name, value in headers.items()}
        request = HttpRequest("POST", b"/", b"", given, json.dumps({"model": FAKE, **body}).encode())
        reply = await endpoint(context, request)
        if isinstance(reply.body, bytes):
            return json.loads(reply.body)
        raw = b"".join([piece async for piece in reply.body]).decode()
        lines = [line.removeprefix("data: ") for line in raw.splitlines() if line.startswith("data: {")]
        return [json.loads(line) for line in lines]

    return call


def named(guardrail, **more):
    return {"x-amzn-bedrock-guardrailidentifier": guardrail, "x-amzn-bedrock-guardrailversion": "DRAFT", **more}


def chat(text, **more):
    return {"messages": [{"role": "user", "content": text}], **more}


TRACED = {"x-amzn-bedrock-trace": "ENABLED"}


async def test_chat(send, engine, guardrail):
    answer = await send(chat_completions, chat("A blue moon"), **named(guardrail))
    (choice,) = answer["choices"]
    assert (choice["message"]["content"], choice["finish_reason"]) == ("Not that question.", "content_filter")
    assert answer["amazon-bedrock-guardrailAction"] == "INTERVENED"
    assert answer["usage"]["total_tokens"] == 0
    assert engine.asked == []
    engine.events = MASKED
    answer = await send(chat_completions, chat("Hi", n=2), **named(guardrail, **TRACED))
    assert [choice["message"]["content"] for choice in answer["choices"]] == ["Ask {EMAIL}."] * 2
    assert answer["choices"][0]["finish_reason"] == "stop"
    assert answer["amazon-bedrock-trace"]["guardrail"]["actionReason"] == "No action.\nGuardrail masked."
    assert "amazon-bedrock-guardrailAction" not in await send(chat_completions, chat("Hi"))


async def test_chat_stream(send, engine, guardrail):
    engine.events = MASKED
    body = chat("Hi", stream=True, stream_options={"include_usage": True})
    *chunks, last, usage = await send(chat_completions, body, **named(guardrail, **TRACED))
    assert "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks) == "Ask {EMAIL}."
    assert last["choices"][0]["finish_reason"] == "stop"
    assert last["amazon-bedrock-guardrailAction"] == "INTERVENED"
    assert "outputs" in last["amazon-bedrock-trace"]["guardrail"]
    assert usage["usage"]["completion_tokens"] == 3


async def test_tags_in_chat(send, engine, guardrail):
    tag = "amazon-bedrock-guardrails-guardContent_q"
    body = chat(f"A blue moon <{tag}>Hi</{tag}>", **{"amazon-bedrock-guardrailConfig": {"tagSuffix": "q"}})
    answer = await send(chat_completions, body, **named(guardrail))
    assert answer["amazon-bedrock-guardrailAction"] == "NONE"
    assert engine.asked[0].messages[0].content[0].text == "A blue moon Hi"
    with pytest.raises(InvalidRequest, match="needs a guardrail"):
        await send(chat_completions, body)


async def test_log_probabilities_would_tell(send, guardrail):
    with pytest.raises(InvalidRequest, match="log-probabilities"):
        await send(chat_completions, chat("Hi", logprobs=True), **named(guardrail))


async def test_completions_and_responses(send, engine, guardrail):
    answer = await send(completions, {"prompt": "A blue moon"}, **named(guardrail))
    assert answer["choices"][0]["text"] == "Not that question."
    engine.events = MASKED
    answer = await send(create_response, {"input": "Hi", "store": False}, **named(guardrail))
    assert answer["output"][0]["content"][0]["text"] == "Ask {EMAIL}."
    with pytest.raises(BadParameter, match="background"):
        await send(create_response, {"input": "Hi", "background": True}, **named(guardrail))


async def test_messages(send, engine, guardrail):
    body = chat("A blue moon", max_tokens=50)
    answer = await send(messages, body, **named(guardrail))
    assert answer["content"] == [{"type": "text", "text": "Not that question."}]
    assert answer["stop_reason"] == "end_turn"
    assert answer["amazon-bedrock-guardrailAction"] == "INTERVENED"
    engine.events = MASKED
    events = await send(messages, chat("Hi", max_tokens=50, stream=True), **named(guardrail, **TRACED))
    text = "".join(each["delta"]["text"] for each in events if each["type"] == "content_block_delta")
    assert text == "Ask {EMAIL}."
    assert events[-1]["type"] == "message_stop"
    assert events[-1]["amazon-bedrock-guardrailAction"] == "INTERVENED"
    assert "input" in events[-1]["amazon-bedrock-trace"]["guardrail"]


@pytest.mark.usefixtures("enforced")
@pytest.mark.parametrize("stream", [False, True])
async def test_what_is_enforced_holds_on_each_wire(send, engine, stream):
    engine.events = MASKED
    bodies = (
        (chat_completions, chat("Hi")),
        (completions, {"prompt": "Hi"}),
        (create_response, {"input": "Hi", "store": False}),
        (messages, chat("Hi", max_tokens=50)),
    )
    for endpoint, body in bodies:
        told = json.dumps(await send(endpoint, {**body, "stream": stream}))
        assert "a@ex" not in told, endpoint
        assert "{EMAIL}" in told, endpoint

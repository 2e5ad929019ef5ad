"""InvokeModel and its stream with a guardrail: headers, tags, keys of answers, bodies of several families."""

import json

import pytest

from rocamadre.api.bedrock.guardrails import create
from rocamadre.api.bedrock_runtime.invoke_model import invoke_model, invoke_model_with_response_stream
from rocamadre.api.bedrock_runtime.native_guards import NativeGuard, read_guard
from rocamadre.api.inference.guarding import GuardWish
from rocamadre.core.errors import InvalidRequest
from rocamadre.core.messages import Finish, GenerationRequest, Mark, Message, Text, TextDelta, Usage

CLAUDE = "anthropic.claude-3-haiku-20240307-v1:0"
BLOCKED = "Not that question."


@pytest.fixture
async def guardrail(context):
    policies = {
        "wordPolicyConfig": {"wordsConfig": [{"text": "blue moon"}]},
        "sensitiveInformationPolicyConfig": {"piiEntitiesConfig": [{"type": "EMAIL", "action": "ANONYMIZE"}]},
    }
    said = {"blockedInputMessaging": BLOCKED, "blockedOutputsMessaging": "Not that answer."}
    return (await create(context, {"name": "g", **said, **policies}))["guardrailId"]


def call(model, body, guardrail, **more):
    headers = {"guardrailIdentifier": guardrail, "guardrailVersion": "DRAFT", **more}
    return {"modelId": model, "body": json.dumps(body).encode(), **headers}


def claude(text, **more):
    messages = [{"role": "user", "content": text}]
    return {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 50, "messages": messages, **more}


async def answer(context, request):
    return json.loads((await invoke_model(context, request))["body"])


FAMILIES = {
    "amazon.titan-text-express-v1": ({"inputText": "A blue moon"}, lambda body: body["results"][0]["outputText"]),
    "amazon.nova-lite-v1:0": (
        {"messages": [{"role": "user", "content": [{"text": "A blue moon"}]}]},
        lambda body: body["output"]["message"]["content"][0]["text"],
    ),
    CLAUDE: (claude("A blue moon"), lambda body: body["content"][0]["text"]),
    "meta.llama3-8b-instruct-v1:0": ({"prompt": "A blue moon"}, lambda body: body["generation"]),
    "mistral.mistral-7b-instruct-v0:2": ({"prompt": "A blue moon"}, lambda body: body["outputs"][0]["text"]),
    "cohere.command-r-v1:0": ({"message": "A blue moon"}, lambda body: body["text"]),
    "openai.gpt-oss-20b-1:0": (
        {"messages": [{"role": "user", "content": "A blue moon"}]},
        lambda body: body["choices"][0]["message"]["content"],
    ),
}


@pytest.mark.parametrize("model", FAMILIES)
async def test_the_message_stands_where_the_family_has_its_text(context, engine, guardrail, model):
    body, text = FAMILIES[model]
    answered = await answer(context, call(model, body, guardrail))
    assert text(answered) == BLOCKED
    assert answered["amazon-bedrock-guardrailAction"] == "INTERVENED"
    assert "amazon-bedrock-trace" not in answered
    assert engine.asked == []
    assert context.reply_headers["x-amzn-bedrock-input-token-count"] == "0"


async def test_trace_of_an_answer_that_is_masked(context, engine, guardrail):
    engine.events = (TextDelta("Ask a@ex"), TextDelta("ample.com."), Finish("end_turn", Usage(7, 3)))
    answered = await answer(context, call(CLAUDE, claude("Hi"), guardrail, trace="ENABLED"))
    assert answered["content"] == [{"type": "text", "text": "Ask {EMAIL}."}]
    assert answered["stop_reason"] == "end_turn"
    assert answered["amazon-bedrock-guardrailAction"] == "INTERVENED"
    trace = answered["amazon-bedrock-trace"]["guardrail"]
    assert trace["actionReason"] == "No action.\nGuardrail masked."
    assert trace["modelOutput"] == ["Ask a@example.com."]
    assert list(trace["input"]) == [guardrail]
    entities = trace["outputs"][0][guardrail]["sensitiveInformationPolicy"]["piiEntities"]
    assert entities == [{"match": "a@example.com", "type": "EMAIL", "action": "ANONYMIZED", "detected": True}]


async def test_nothing_found_is_said_too(context, guardrail):
    answered = await answer(context, call(CLAUDE, claude("Hi"), guardrail, trace="ENABLED_FULL"))
    assert answered["amazon-bedrock-guardrailAction"] == "NONE"
    full = answered["amazon-bedrock-trace"]["guardrail"]["input"][guardrail]
    assert full["sensitiveInformationPolicy"]["piiEntities"][0]["detected"] is False


async def test_without_a_guardrail_nothing_is_said(context):
    answered = await answer(context, {"modelId": CLAUDE, "body": json.dumps(claude("Hi")).encode(), "trace": "ENABLED"})
    assert not [key for key in answered if key.startswith("amazon-bedrock")]


async def test_tags_say_what_is_examined_and_the_model_reads_none(context, engine, guardrail):
    tag = "amazon-bedrock-guardrails-guardContent_x1"
    text = f"The blue moon. <{tag}>Ask a@example.com</{tag}> or b@example.com."
    body = claude(text, **{"amazon-bedrock-guardrailConfig": {"tagSuffix": "x1"}})
    answered = await answer(context, call(CLAUDE, body, guardrail, trace="ENABLED"))
    assert engine.asked[0].messages[0].content[0].text == "The blue moon. Ask {EMAIL} or b@example.com."
    metrics = answered["amazon-bedrock-trace"]["guardrail"]["input"][guardrail]["invocationMetrics"]
    assert metrics["guardrailCoverage"]["textCharacters"] == {"guarded": 17, "total": 50}


def test_marks():
    guard = NativeGuard(GuardWish(), "s")
    start, source = "amazon-bedrock-guardrails-", "amazon-bedrock-guardrails-groundingSource_s"
    text = f"a<{source}>bc</{source}>d<{start}query_s>e</{start}query_s><{start}guardContent_s> f</{start}query_s>g"
    found = guard.mark(GenerationRequest((Message("user", (Text(text),)),), prompt=None)).messages[0].content[0]
    assert found.text == f"abcde<{start}guardContent_s> f</{start}query_s>g"
    assert found.marks == (Mark(1, 3, frozenset({"grounding_source"})), Mark(4, 5, frozenset({"query"})))
    raw = guard.mark(GenerationRequest(prompt=f"x<{start}guardContent_s>y</{start}guardContent_s>", prompt_ids=(1, 2)))
    assert (raw.prompt, raw.prompt_ids, raw.prompt_marks) == ("xy", (), (Mark(1, 2, frozenset({"guard_content"})),))
    other = f"<{start}guardContent_t>y</{start}guardContent_t>"
    assert guard.mark(GenerationRequest(system=other)).system == other


def test_many_tags_take_linear_time():
    opened = "<amazon-bedrock-guardrails-guardContent_s>" * 50_000
    assert NativeGuard(GuardWish(), "s").mark(GenerationRequest(system=opened)).system == opened


async def stream(context, request):
    response = await invoke_model_with_response_stream(context, request)
    return [json.loads(event["chunk"]["bytes"]) async for event in response["body"]]


async def test_a_stream_masks_and_says_so_at_its_end(context, engine, guardrail):
    prose = [f"word {number} " for number in range(400)]
    events = (*prose, "ask a@ex", "ample.com ", *prose)
    engine.events = (*map(TextDelta, events), Finish("end_turn", Usage(7, 802)))
    chunks = await stream(context, call(CLAUDE, claude("Hi"), guardrail, trace="ENABLED"))
    text = "".join(each["delta"]["text"] for each in chunks if each["type"] == "content_block_delta")
    assert text == "".join(events).replace("a@example.com", "{EMAIL}")
    *before, last = chunks
    assert not [each for each in before if "amazon-bedrock-guardrailAction" in each]
    assert last["amazon-bedrock-guardrailAction"] == "INTERVENED"
    assert last["amazon-bedrock-invocationMetrics"]["outputTokenCount"] == 802
    assert "outputs" in last["amazon-bedrock-trace"]["guardrail"]


async def test_a_stream_ahead_of_its_examination(context, engine, guardrail):
    engine.events = (TextDelta("Ask a@example.com."), Finish("end_turn", Usage(7, 3)))
    body = {"inputText": "Hi", "amazon-bedrock-guardrailConfig": {"streamProcessingMode": "ASYNCHRONOUS"}}
    chunks = await stream(context, call("amazon.titan-text-express-v1", body, guardrail))
    assert chunks[0]["outputText"] == "Ask a@example.com."
    assert chunks[-1]["amazon-bedrock-guardrailAction"] == "NONE"


async def test_a_stream_whose_prompt_is_blocked(context, engine, guardrail):
    chunks = await stream(context, call(CLAUDE, claude("A blue moon"), guardrail))
    assert chunks[0]["message"]["usage"]["input_tokens"] == 0
    assert [each["delta"]["text"] for each in chunks if each["type"] == "content_block_delta"] == [BLOCKED]
    assert not [request for request in engine.asked if request.sampling.max_tokens != 50]


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ([], "must be an object"),
        ({"tag": "x"}, "holds tagSuffix"),
        ({"tagSuffix": "a b"}, "1 to 20 letters"),
        ({"streamProcessingMode": "sync"}, "SYNCHRONOUS or ASYNCHRONOUS"),
    ],
)
def test_what_the_body_may_say(config, words):
    with pytest.raises(InvalidRequest, match=words):
        read_guard({"amazon-bedrock-guardrailConfig": config}, "abc", "1", "", stream=True)


async def test_what_is_refused(context, guardrail):
    body = {"inputText": "Hi", "amazon-bedrock-guardrailConfig": {}}
    with pytest.raises(InvalidRequest, match="needs a guardrail"):
        await invoke_model(context, {"modelId": "amazon.titan-text-express-v1", "body": json.dumps(body).encode()})
    with pytest.raises(InvalidRequest, match="go together"):
        await invoke_model(context, call(CLAUDE, claude("Hi"), guardrail, guardrailVersion=""))
    with pytest.raises(InvalidRequest, match="writes none"):
        await invoke_model(context, call("amazon.titan-embed-text-v2:0", {"inputText": "Hi"}, guardrail))

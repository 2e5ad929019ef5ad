"""Service tiers, latency and metadata: how a request is served, and what its answer says of it."""

from __future__ import annotations

import json

import pytest

from rocamadre.api.bedrock_runtime.converse import converse
from rocamadre.api.bedrock_runtime.converse_stream import converse_stream
from rocamadre.api.bedrock_runtime.invoke_model import invoke_model, invoke_model_with_response_stream
from rocamadre.core.errors import InvalidRequest
from rocamadre.engines.waiting import TIER

NOVA = "amazon.nova-lite-v1:0"
MESSAGES = [{"role": "user", "content": [{"text": "Hi"}]}]
BODY = json.dumps({"messages": MESSAGES}).encode()
EMBED = "amazon.titan-embed-text-v2:0"

SERVED = [("priority", "priority"), ("default", "default"), ("flex", "flex"), ("reserved", "default")]


@pytest.fixture
def engine(engine):
    """An engine that remembers the tier it was asked in."""
    real_converse, real_embed, engine.tiers = engine.converse, engine.embed, []

    async def heard(request):
        engine.tiers.append(TIER.get())
        async for event in real_converse(request):
            yield event

    async def embedded(texts):
        engine.tiers.append(TIER.get())
        return await real_embed(texts)

    engine.converse, engine.embed = heard, embedded
    return engine


@pytest.mark.parametrize(("asked", "served"), SERVED)
async def test_converse(context, engine, asked, served):
    request = {"modelId": NOVA, "messages": MESSAGES, "serviceTier": {"type": asked}}
    answer = await converse(context, {**request, "performanceConfig": {"latency": "optimized"}})
    assert answer["serviceTier"] == {"type": served}
    assert answer["performanceConfig"] == {"latency": "standard"}
    assert engine.tiers == [served]
    assert context.notes["service_tier"] == served
    assert context.notes["latency"] == "standard"
    assert f'rocamadre_tier_requests_total{{tier="{served}"}} 1.0'.encode() in context.platform.metrics.render()


@pytest.mark.parametrize(("asked", "served"), SERVED)
async def test_converse_stream(context, engine, asked, served):
    request = {"modelId": NOVA, "messages": MESSAGES, "serviceTier": {"type": asked}}
    answer = await converse_stream(context, {**request, "performanceConfig": {"latency": "optimized"}})
    (metadata,) = [event["metadata"] async for event in answer["stream"] if "metadata" in event]
    assert metadata["serviceTier"] == {"type": served}
    assert metadata["performanceConfig"] == {"latency": "standard"}
    assert engine.tiers == [served]


@pytest.mark.parametrize(("asked", "served"), SERVED)
async def test_invoke_model_and_its_stream(context, engine, asked, served):
    request = {"modelId": NOVA, "body": BODY, "serviceTier": asked, "performanceConfigLatency": "optimized"}
    for handle in (invoke_model, invoke_model_with_response_stream):
        answer = await handle(context, request)
        assert answer["serviceTier"] == served
        assert answer["performanceConfigLatency"] == "standard"
        if handle is invoke_model_with_response_stream:
            await answer["body"].aclose()
    body = json.dumps({"inputText": "Hi"}).encode()
    await invoke_model(context, {"modelId": EMBED, "body": body, "serviceTier": asked})
    assert engine.tiers == [served] * 3


async def test_who_asks_for_nothing_is_told_nothing(context, engine):
    answer = await converse(context, {"modelId": NOVA, "messages": MESSAGES})
    assert "serviceTier" not in answer
    assert "performanceConfig" not in answer
    assert engine.tiers == ["default"]
    assert "service_tier" not in context.notes


@pytest.mark.parametrize(
    "metadata",
    [
        "[]",
        "{}",
        '{"a": 1}',
        '{"": "a"}',
        json.dumps({"a" * 257: "x"}),
        json.dumps({"a": "x" * 257}),
        json.dumps({"a": "no <angles>"}),
        json.dumps({f"key{number}": "x" for number in range(17)}),
        "not json",
    ],
)
async def test_metadata_that_breaks_a_rule_is_refused(context, metadata):
    with pytest.raises(InvalidRequest, match="requestMetadata must be a JSON object of 1 to 16 strings"):
        await invoke_model(context, {"modelId": NOVA, "body": BODY, "requestMetadata": metadata})


async def test_metadata_keys_go_to_the_access_log(context):
    metadata = json.dumps({f"key{number:02}": "a: b_@$#=/+,-." for number in range(16)})
    await invoke_model(context, {"modelId": NOVA, "body": BODY, "requestMetadata": metadata})
    assert context.notes["request_metadata"].startswith("key00,key01,")

"""Converse and ConverseStream with a guardrail: what the model reads, what the client sees, what the trace says."""

import asyncio
from dataclasses import replace

import pytest

from rocamadre.api.bedrock.guardrails import create
from rocamadre.api.bedrock_runtime.converse import converse
from rocamadre.api.bedrock_runtime.converse_stream import converse_stream
from rocamadre.core.errors import InvalidRequest, NotBuilt, NotFound
from rocamadre.core.messages import Finish, TextDelta, ToolUseDelta, ToolUseEnd, ToolUseStart, Usage
from rocamadre.guardrails.enforced import put_configuration
from rocamadre.guardrails.operations import create_version

POLICIES = {
    "wordPolicyConfig": {"wordsConfig": [{"text": "blue moon"}]},
    "sensitiveInformationPolicyConfig": {"piiEntitiesConfig": [{"type": "EMAIL", "action": "ANONYMIZE"}]},
}


@pytest.fixture
async def guardrail(context):
    made = await create(
        context,
        {
            "name": "g",
            "blockedInputMessaging": "Not that question.",
            "blockedOutputsMessaging": "Not that answer.",
            **POLICIES,
        },
    )
    return made["guardrailId"]


def config(guardrail, **more):
    return {"guardrailConfig": {"guardrailIdentifier": guardrail, "guardrailVersion": "DRAFT", **more}}


def ask(*content, **more):
    return {"modelId": "amazon.nova-lite-v1:0", "messages": [{"role": "user", "content": list(content)}], **more}


ENDED = Finish("end_turn", Usage(7, 9))


def writes(engine, *pieces, finish=ENDED):
    engine.events = (*(TextDelta(piece) if isinstance(piece, str) else piece for piece in pieces), finish)


async def streamed(context, request):
    response = await converse_stream(context, request)
    return [event async for event in response["stream"]]


def text_of(events):
    return "".join(each["contentBlockDelta"]["delta"]["text"] for each in events if "contentBlockDelta" in each)


async def test_a_prompt_that_is_blocked_costs_nothing(context, engine, guardrail):
    answer = await converse(context, ask({"text": "A Blue Moon?"}, **config(guardrail, trace="enabled")))
    assert answer["output"]["message"]["content"] == [{"text": "Not that question."}]
    assert answer["stopReason"] == "guardrail_intervened"
    assert answer["usage"]["totalTokens"] == 0
    assert engine.asked == []
    trace = answer["trace"]["guardrail"]
    assert sorted(trace) == ["actionReason", "inputAssessment"]
    assert trace["actionReason"] == "Guardrail blocked."
    assessment = trace["inputAssessment"][guardrail]
    assert assessment["wordPolicy"]["customWords"] == [{"match": "Blue Moon", "action": "BLOCKED", "detected": True}]
    metrics = assessment["invocationMetrics"]
    assert metrics["guardrailCoverage"] == {"textCharacters": {"guarded": 12, "total": 12}}
    assert metrics["usage"]["wordPolicyUnits"] == 1
    assert assessment["appliedGuardrailDetails"]["guardrailOrigin"] == ["REQUEST"]


async def test_what_is_masked_in_a_prompt_the_model_never_reads(context, engine, guardrail):
    answer = await converse(context, ask({"text": "Write to a@example.com!"}, **config(guardrail)))
    assert engine.asked[0].messages[0].content[0].text == "Write to {EMAIL}!"
    assert answer["output"]["message"]["content"] == [{"text": "Hello world"}]
    assert answer["stopReason"] == "guardrail_intervened"
    assert "trace" not in answer


async def test_nothing_found(context, engine, guardrail):
    answer = await converse(context, ask({"text": "Hi"}, **config(guardrail, trace="enabled")))
    assert answer["stopReason"] == "end_turn"
    assert answer["usage"]["totalTokens"] == 9
    trace = answer["trace"]["guardrail"]
    assert trace["actionReason"] == "No action.\nNo action."
    assert list(trace["inputAssessment"][guardrail]) == ["invocationMetrics", "appliedGuardrailDetails"]
    assert trace["outputAssessments"][guardrail][0]["invocationMetrics"]["guardrailCoverage"]["textCharacters"] == {
        "guarded": 11,
        "total": 11,
    }
    assert "modelOutput" not in trace
    full = await converse(context, ask({"text": "Hi"}, **config(guardrail, trace="enabled_full")))
    entities = full["trace"]["guardrail"]["inputAssessment"][guardrail]["sensitiveInformationPolicy"]["piiEntities"]
    assert entities == [{"match": "", "type": "EMAIL", "action": "NONE", "detected": False}]


async def test_an_answer_that_is_masked(context, engine, guardrail):
    writes(engine, "It is a", "na@exam", "ple.com, señora 🙂")
    answer = await converse(context, ask({"text": "Hi"}, **config(guardrail, trace="enabled")))
    assert answer["output"]["message"]["content"] == [{"text": "It is {EMAIL}, señora 🙂"}]
    assert answer["stopReason"] == "guardrail_intervened"
    assert answer["usage"]["outputTokens"] == 9
    trace = answer["trace"]["guardrail"]
    assert trace["actionReason"] == "No action.\nGuardrail masked."
    assert trace["modelOutput"] == ["It is ana@example.com, señora 🙂"]
    found = trace["outputAssessments"][guardrail][0]["sensitiveInformationPolicy"]["piiEntities"]
    assert found == [{"match": "ana@example.com", "type": "EMAIL", "action": "ANONYMIZED", "detected": True}]


async def test_an_answer_that_is_blocked(context, engine, guardrail):
    call = (ToolUseStart("t1", "find"), ToolUseDelta("{}"), ToolUseEnd())
    writes(engine, "Under a blue ", "moon.", *call, finish=Finish("tool_use", Usage(7, 9)))
    answer = await converse(context, ask({"text": "Hi"}, **config(guardrail, trace="enabled")))
    assert answer["output"]["message"]["content"] == [{"text": "Not that answer."}]
    assert answer["stopReason"] == "guardrail_intervened"
    assert answer["usage"]["totalTokens"] == 16
    assert answer["trace"]["guardrail"]["modelOutput"] == ["Under a blue moon."]


async def test_tools_are_still_called_when_something_is_masked(context, engine, guardrail):
    call = (ToolUseStart("t1", "find"), ToolUseDelta('{"to":"b@example.com"}'), ToolUseEnd())
    writes(engine, "I ask a@example.com.", *call, finish=Finish("tool_use", Usage(7, 9)))
    answer = await converse(context, ask({"text": "Hi"}, **config(guardrail)))
    text, tool = answer["output"]["message"]["content"]
    assert text == {"text": "I ask {EMAIL}."}
    assert tool["toolUse"]["input"] == {"to": "b@example.com"}
    assert answer["stopReason"] == "tool_use"


async def test_marked_parts_alone_are_examined(context, engine, guardrail):
    marked = {"guardContent": {"text": {"text": "Write to a@example.com."}}}
    request = ask({"text": "A blue moon, b@example.com."}, marked, **config(guardrail, trace="enabled"))
    answer = await converse(context, request)
    texts = [block.text for block in engine.asked[0].messages[0].content]
    assert texts == ["A blue moon, b@example.com.", "Write to {EMAIL}."]
    metrics = answer["trace"]["guardrail"]["inputAssessment"][guardrail]["invocationMetrics"]
    assert metrics["guardrailCoverage"]["textCharacters"] == {"guarded": 23, "total": 50}


async def test_the_system_prompt_is_examined_where_it_is_marked(context, engine, guardrail):
    system = [{"text": "Mind the blue moon."}, {"guardContent": {"text": {"text": "Ask c@example.com."}}}]
    await converse(context, ask({"text": "Hi a@example.com"}, system=system, **config(guardrail)))
    asked = engine.asked[0]
    assert asked.system == "Mind the blue moon.\n\nAsk {EMAIL}."
    assert asked.messages[0].content[0].text == "Hi {EMAIL}"
    system[1] = {"guardContent": {"text": {"text": "The blue moon."}}}
    answer = await converse(context, ask({"text": "Hi"}, system=system, **config(guardrail)))
    assert answer["stopReason"] == "guardrail_intervened"


async def test_all_turns_are_examined(context, engine, guardrail):
    request = ask({"text": "Hi"}, **config(guardrail))
    earlier = [
        {"role": "user", "content": [{"text": "A blue moon"}]},
        {"role": "assistant", "content": [{"text": "Yes"}]},
    ]
    answer = await converse(context, request | {"messages": earlier + request["messages"]})
    assert answer["output"]["message"]["content"] == [{"text": "Not that question."}]


async def test_sources_are_for_grounding_and_not_examined(context, engine, guardrail):
    source = {"guardContent": {"text": {"text": "A blue moon.", "qualifiers": ["grounding_source"]}}}
    query = {"guardContent": {"text": {"text": "Which moon?", "qualifiers": ["query"]}}}
    answer = await converse(context, ask(source, query, **config(guardrail)))
    assert answer["stopReason"] == "end_turn"
    assert [block.text for block in engine.asked[0].messages[0].content] == ["A blue moon.", "Which moon?"]
    both = {"guardContent": {"text": {"text": "A blue moon.", "qualifiers": ["grounding_source", "guard_content"]}}}
    assert (await converse(context, ask(both, **config(guardrail))))["stopReason"] == "guardrail_intervened"


async def test_guard_content_without_a_guardrail_is_text(context, engine):
    await converse(context, ask({"guardContent": {"text": {"text": "Hi"}}}))
    assert engine.asked[0].messages[0].content[0].text == "Hi"


async def test_what_is_refused(context, guardrail):
    image = {"guardContent": {"image": {"format": "png", "source": {"bytes": b"x"}}}}
    with pytest.raises(NotBuilt, match=r"guardContent\.image: images are not examined"):
        await converse(context, ask(image))
    with pytest.raises(InvalidRequest, match="go together"):
        await converse(context, ask({"text": "Hi"}, guardrailConfig={"guardrailIdentifier": guardrail}))
    with pytest.raises(NotFound, match="nosuch"):
        await converse(context, ask({"text": "Hi"}, **config("nosuch")))


async def test_a_stream_in_step_masks_what_is_split(context, engine, guardrail):
    prose = "Nothing to see in these many words. " * 40
    writes(engine, prose, "Write to ana", "@exa", "mple", ".com", " today. ", prose)
    events = await streamed(context, ask({"text": "Hi"}, **config(guardrail, trace="enabled")))
    assert text_of(events) == f"{prose}Write to {{EMAIL}} today. {prose}"
    assert sum("contentBlockDelta" in each for each in events) > 1
    assert events[0] == {"messageStart": {"role": "assistant"}}
    assert events[-2] == {"messageStop": {"stopReason": "guardrail_intervened"}}
    metadata = events[-1]["metadata"]
    assert metadata["usage"]["outputTokens"] == 9
    trace = metadata["trace"]["guardrail"]
    assert trace["modelOutput"] == [f"{prose}Write to ana@example.com today. {prose}"]
    assert len(trace["outputAssessments"][guardrail]) == 1


async def test_a_stream_in_step_stops_before_what_is_blocked(context, engine, guardrail):
    prose = [f"Word {number} is fine. " for number in range(200)]
    writes(engine, *prose, "Now the blue", " moon rises. ", *prose)
    events = await streamed(context, ask({"text": "Hi"}, **config(guardrail, trace="enabled")))
    text = text_of(events)
    assert text.startswith("Word 0 is fine.")
    assert text.endswith("Not that answer.")
    assert "blue" not in text
    assert events[-2] == {"messageStop": {"stopReason": "guardrail_intervened"}}
    usage = events[-1]["metadata"]["usage"]
    assert usage["inputTokens"] == 1
    assert 800 < usage["outputTokens"] < 1600  # Counted again, by words in this engine, up to where it was stopped.
    assert engine.running == 0


async def test_a_stream_whose_prompt_is_blocked(context, engine, guardrail):
    events = await streamed(context, ask({"text": "blue moon"}, **config(guardrail, trace="enabled")))
    assert text_of(events) == "Not that question."
    assert events[-2] == {"messageStop": {"stopReason": "guardrail_intervened"}}
    assert events[-1]["metadata"]["usage"]["totalTokens"] == 0
    assert "outputAssessments" not in events[-1]["metadata"]["trace"]["guardrail"]
    assert engine.asked == []


async def test_a_stream_ahead_of_its_examination_is_not_masked_but_stopped(context, engine, guardrail):
    mode = config(guardrail, trace="enabled", streamProcessingMode="async")
    writes(engine, "Write to a@example.com.")
    events = await streamed(context, ask({"text": "Hi"}, **mode))
    assert text_of(events) == "Write to a@example.com."
    assert events[-2] == {"messageStop": {"stopReason": "end_turn"}}
    trace = events[-1]["metadata"]["trace"]["guardrail"]
    found = trace["outputAssessments"][guardrail][0]["sensitiveInformationPolicy"]["piiEntities"]
    assert found == [{"match": "a@example.com", "type": "EMAIL", "action": "NONE", "detected": True}]
    writes(engine, "Under a blue moon", *(f" word {number}" for number in range(400)))
    events = await streamed(context, ask({"text": "Hi"}, **mode))
    assert text_of(events).startswith("Under a blue moon")
    assert text_of(events).endswith("Not that answer.")
    assert events[-2] == {"messageStop": {"stopReason": "guardrail_intervened"}}
    assert engine.running == 0


async def test_a_client_that_leaves_ends_the_generation(context, engine, guardrail):
    writes(engine, *("word " for _ in range(1000)))
    for mode in ("sync", "async"):
        response = await converse_stream(context, ask({"text": "Hi"}, **config(guardrail, streamProcessingMode=mode)))
        events = aiter(response["stream"])
        await anext(events)
        await anext(events)
        await response["stream"].aclose()
        assert engine.running == 0


async def test_what_the_account_enforces_applies_to_all(context, engine, guardrail):
    await asyncio.to_thread(create_version, context, guardrail)
    wish = {"guardrailIdentifier": guardrail, "guardrailVersion": "1"}
    await asyncio.to_thread(put_configuration, context, None, wish)
    answer = await converse(context, ask({"text": "Hi"}, system=[{"text": "Ask a@example.com."}]))
    assert engine.asked[0].system == "Ask {EMAIL}."
    assert "trace" not in answer
    # Marks do not lead around it, and its details say where it comes from, even if the request names it too.
    marked = {"guardContent": {"text": {"text": "Hi"}}}
    both = {"guardrailConfig": {**wish, "trace": "enabled"}}
    answer = await converse(context, ask({"text": "A blue moon"}, marked, **both))
    assert answer["stopReason"] == "guardrail_intervened"
    assessment = answer["trace"]["guardrail"]["inputAssessment"][guardrail]
    assert assessment["appliedGuardrailDetails"]["guardrailOrigin"] == ["REQUEST", "ACCOUNT_ENFORCED"]
    other = replace(context, account="210987654321")
    assert (await converse(other, ask({"text": "A blue moon"})))["stopReason"] == "end_turn"


async def test_an_enforced_guardrail_beside_the_draft_of_it(context, engine, guardrail):
    await asyncio.to_thread(create_version, context, guardrail)
    wish = {
        "guardrailIdentifier": guardrail,
        "guardrailVersion": "1",
        "selectiveContentGuarding": {"system": "SELECTIVE", "messages": "SELECTIVE"},
        "modelEnforcement": {"includedModels": ["ALL"], "excludedModels": []},
    }
    await asyncio.to_thread(put_configuration, context, None, wish)
    writes(engine, "Write to a@example.com.")
    marked = {"guardContent": {"text": {"text": "Hi"}}}
    request = ask({"text": "A blue moon"}, marked, system=[{"text": "blue moon"}], **config(guardrail, trace="enabled"))
    answer = await converse(context, request)
    assert answer["output"]["message"]["content"] == [{"text": "Write to {EMAIL}."}]
    assert sorted(answer["trace"]["guardrail"]["outputAssessments"]) == [f"{guardrail}:1", f"{guardrail}:DRAFT"]

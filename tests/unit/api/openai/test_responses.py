import asyncio
import json
from dataclasses import replace

import pytest

from rocamadre.api.http import HttpRequest
from rocamadre.api.openai import background
from rocamadre.api.openai.errors import BadParameter, NotHere
from rocamadre.api.openai.responses import (
    cancel_response,
    create_response,
    delete_response,
    get_response,
    list_input_items,
)
from rocamadre.core.errors import InvalidRequest, ModelFailure, Throttled
from rocamadre.core.messages import (
    Finish,
    Message,
    Reasoning,
    ReasoningDelta,
    Sampling,
    Text,
    TextDelta,
    TokenLogprob,
    ToolChoice,
    ToolResult,
    ToolSpec,
    ToolUse,
    ToolUseDelta,
    ToolUseEnd,
    ToolUseStart,
    Usage,
)
from rocamadre.responses import operations
from rocamadre.responses.tables import RESPONSES

FAKE = "rocamadre.fake-v1:0"
WEATHER = {"type": "function", "name": "weather", "parameters": {"type": "object"}, "strict": True}
CALL = (
    ToolUseStart("call_1", "weather"),
    ToolUseDelta('{"city":'),
    ToolUseDelta('"Sucre"}'),
    ToolUseEnd(),
    Finish("tool_use", Usage(5, 9)),
)


async def create(post, context, **more):
    reply = await post(create_response, context, {"model": FAKE, "input": "Hi", **more})
    assert reply.status == 200
    return json.loads(reply.body)


async def events_of(reply):
    assert reply.headers["content-type"].startswith("text/event-stream")
    text = b"".join([piece async for piece in reply.body]).decode()
    await reply.body.aclose()
    found = []
    for block in text.split("\n\n")[:-1]:
        name, data = block.split("\n")
        event = json.loads(data.removeprefix("data: "))
        assert name == f"event: {event['type']}"
        found.append(event)
    assert [event["sequence_number"] for event in found] == list(
        range(found[0]["sequence_number"], len(found) + found[0]["sequence_number"])
    )
    return found  # fmt: skip


async def stream(post, context, **more):
    return await events_of(await post(create_response, context, {"model": FAKE, "input": "Hi", "stream": True, **more}))


async def call(endpoint, context, response_id, query=""):
    reply = await endpoint(context, HttpRequest("GET", b"/", query.encode(), {}, b"", (response_id,)))
    return reply if not isinstance(reply.body, bytes) else json.loads(reply.body)


def text_of(response):
    return "".join(part["text"] for item in response["output"] if item["type"] == "message" for part in item["content"])


async def ended(context, response_id):
    for _ in range(2000):
        found = await call(get_response, context, response_id)
        if found["status"] not in ("queued", "in_progress"):
            return found
        await asyncio.sleep(0.005)
    raise AssertionError("it never ended")


async def test_answer(context, post):
    answer = await create(post, context, metadata={"a": "b"}, instructions="Be brief.")
    assert answer.pop("id").startswith("resp_")
    assert answer.pop("created_at") <= answer.pop("completed_at")
    assert answer["output"][0].pop("id").startswith("msg_")
    assert answer == {
        "object": "response",
        "status": "completed",
        "error": None,
        "incomplete_details": None,
        "model": FAKE,
        "output": [
            {
                "type": "message",
                "status": "completed",
                "role": "assistant",
                "content": [{"type": "output_text", "text": "Hello world", "annotations": [], "logprobs": []}],
            }
        ],
        "usage": {
            "input_tokens": 7,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": 2,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": 9,
        },
        "background": False,
        "instructions": "Be brief.",
        "max_output_tokens": None,
        "max_tool_calls": None,
        "metadata": {"a": "b"},
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "prompt_cache_key": None,
        "reasoning": {"effort": None, "summary": None},
        "safety_identifier": None,
        "service_tier": "default",
        "store": True,
        "temperature": None,
        "text": {"format": {"type": "text"}, "verbosity": "medium"},
        "tool_choice": "auto",
        "tools": [],
        "top_logprobs": 0,
        "top_p": None,
        "truncation": "disabled",
        "user": None,
    }


async def test_what_the_engine_is_asked(context, engine, post):
    schema = {"type": "object", "properties": {}}
    await create(
        post,
        context,
        instructions="First.",
        input=[
            {"role": "developer", "content": "Second."},
            {"role": "user", "content": [{"type": "input_text", "text": "What is it like in Sucre?"}]},
            {"type": "reasoning", "id": "rs_1", "summary": [], "content": [{"type": "reasoning_text", "text": "Hm"}]},
            {"type": "function_call", "call_id": "c", "name": "weather", "arguments": '{"city": "Sucre"}'},
            {"type": "function_call_output", "call_id": "c", "output": [{"type": "input_text", "text": "sunny"}]},
        ],
        tools=[WEATHER],
        tool_choice={"type": "function", "name": "weather"},
        parallel_tool_calls=False,
        text={"format": {"type": "json_schema", "name": "n", "schema": schema, "strict": True}},
        max_output_tokens=20,
        temperature=0.5,
        top_p=0.5,
        seed=3,
        include=["message.output_text.logprobs"],
        top_logprobs=2,
    )
    asked = engine.asked[0]
    assert asked.system == "First.\n\nSecond."
    assert asked.messages == (
        Message("user", (Text("What is it like in Sucre?"),)),
        Message("assistant", (Reasoning("Hm"), ToolUse("c", "weather", {"city": "Sucre"}))),
        Message("user", (ToolResult("c", "sunny"),)),
    )
    assert asked.tools == (ToolSpec("weather", "", {"type": "object"}, True),)
    assert asked.tool_choice == ToolChoice("tool", "weather", False)
    assert asked.schema == schema
    assert asked.logprobs == 2
    assert asked.sampling == Sampling(max_tokens=20, temperature=0.5, top_p=0.5, seed=3)


async def test_stream(context, post):
    events = await stream(post, context)
    assert [event["type"] for event in events] == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    assert events[0]["response"]["status"] == "in_progress"
    assert events[0]["response"]["output"] == []
    assert [event["delta"] for event in events if event["type"].endswith(".delta")] == ["Hello", " world"]
    assert events[6]["text"] == "Hello world"
    final = events[-1]["response"]
    assert final["status"] == "completed"
    assert final["output"] == [events[8]["item"]]
    assert len({event["item_id"] for event in events if "item_id" in event} | {final["output"][0]["id"]}) == 1
    assert await call(get_response, context, final["id"]) == final


async def test_calls_in_a_stream(context, engine, post):
    engine.events = (TextDelta("Let me see."), *CALL)
    events = await stream(post, context, tools=[WEATHER])
    assert [event["type"] for event in events][-8:] == [
        "response.content_part.done",
        "response.output_item.done",
        "response.output_item.added",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
        "response.output_item.done",
        "response.completed",
    ]
    assert [event["output_index"] for event in events if event["type"] == "response.output_item.done"] == [0, 1]
    call_item = events[-1]["response"]["output"][1]
    assert call_item.pop("id").startswith("fc_")
    assert call_item == {
        "type": "function_call",
        "status": "completed",
        "call_id": "call_1",
        "name": "weather",
        "arguments": '{"city":"Sucre"}',
    }
    assert events[-3]["arguments"] == '{"city":"Sucre"}'


async def test_reasoning(context, engine, post):
    engine.events = (ReasoningDelta("Hm"), ReasoningDelta("m"), TextDelta("Yes"), Finish("end_turn", Usage(1, 3)))
    events = await stream(post, context)
    assert [event["type"] for event in events if "reasoning" in event["type"]] == [
        "response.reasoning_text.delta",
        "response.reasoning_text.delta",
        "response.reasoning_text.done",
    ]
    item = events[-1]["response"]["output"][0]
    assert (item["type"], item["content"]) == ("reasoning", [{"type": "reasoning_text", "text": "Hmm"}])
    # The thought is given back to the model in the next turn.
    await create(post, context, previous_response_id=events[-1]["response"]["id"])
    assert engine.asked[-1].messages[1] == Message("assistant", (Reasoning("Hmm"), Text("Yes")))


async def test_logprobs(context, engine, post):
    engine.events = (
        TextDelta("H", (TokenLogprob(1, "H", b"H", -0.5, (("H", b"H", -0.5),)),)),
        Finish("end_turn", Usage(1, 1)),
    )
    expected = [
        {"token": "H", "logprob": -0.5, "bytes": [72], "top_logprobs": [{"token": "H", "logprob": -0.5, "bytes": [72]}]}
    ]
    wanted = {"include": ["message.output_text.logprobs"], "top_logprobs": 1}
    assert (await create(post, context, **wanted))["output"][0]["content"][0]["logprobs"] == expected
    events = await stream(post, context, **wanted)
    assert next(event for event in events if event["type"].endswith("text.delta"))["logprobs"] == expected


@pytest.mark.parametrize(
    ("reason", "status", "details"),
    [
        ("end_turn", "completed", None),
        ("stop_sequence", "completed", None),
        ("max_tokens", "incomplete", {"reason": "max_output_tokens"}),
        ("model_context_window_exceeded", "incomplete", {"reason": "max_output_tokens"}),
        ("content_filtered", "incomplete", {"reason": "content_filter"}),
    ],
)
async def test_how_responses_end(context, engine, post, reason, status, details):
    engine.events = (TextDelta("a"), Finish(reason, Usage(1, 1)))
    answer = await create(post, context)
    assert (answer["status"], answer["incomplete_details"]) == (status, details)
    assert answer["output"][0]["status"] == status
    events = await stream(post, context)
    assert events[-1]["type"] == f"response.{status}"
    assert await call(get_response, context, answer["id"]) == answer


async def test_a_call_that_was_cut_off(context, engine, post):
    engine.events = (*CALL[:2], Finish("max_tokens", Usage(1, 1)))
    answer = await create(post, context, tools=[WEATHER])
    assert answer["output"][0]["status"] == "incomplete"
    assert answer["output"][0]["arguments"] == '{"city":'
    # It cannot be answered, so the conversation goes on without it.
    await create(post, context, previous_response_id=answer["id"], input="Go on")
    assert engine.asked[-1].messages == (Message("user", (Text("Hi"), Text("Go on"))),)


async def test_malformed_calls_fail(context, engine, post):
    engine.events = (*CALL[:2], Finish("malformed_tool_use", Usage(1, 1)))
    answer = await create(post, context, tools=[WEATHER])
    assert answer["status"] == "failed"
    assert answer["error"]["code"] == "server_error"
    assert (await stream(post, context, tools=[WEATHER]))[-1]["type"] == "response.failed"


@pytest.mark.parametrize("wanted", [False, True])
async def test_early_errors(context, engine, post, wanted):
    engine.events = (Throttled("queue full"),)
    with pytest.raises(Throttled):
        await post(create_response, context, {"model": FAKE, "input": "Hi", "stream": wanted})
    assert engine.running == 0


async def test_late_errors(context, engine, post):
    engine.events = (TextDelta("a"), ModelFailure("the model died"))
    events = await stream(post, context)
    assert events[-1]["type"] == "response.failed"
    failed = events[-1]["response"]
    assert failed["error"] == {"code": "server_error", "message": "the model died"}
    assert text_of(failed) == "a"
    assert await call(get_response, context, failed["id"]) == failed
    with pytest.raises(ModelFailure):
        await create(post, context)
    assert engine.running == 0


async def test_streams_have_a_deadline(make_context, engine, post):
    context = make_context(server={"stream_timeout_s": 0.05})
    engine.events = (*(TextDelta("a") for _ in range(1_000_000)), Finish("end_turn", Usage()))
    events = await stream(post, context)
    assert events[-1]["type"] == "response.failed"
    assert "longer than" in events[-1]["response"]["error"]["message"]
    assert engine.running == 0


@pytest.mark.parametrize("taken", [0, 1, 3])
async def test_a_client_that_leaves_frees_the_slot(context, engine, post, taken):
    engine.events = (*(TextDelta("a") for _ in range(100)), Finish("end_turn", Usage()))
    reply = await post(create_response, context, {"model": FAKE, "input": "Hi", "stream": True})
    for _ in range(taken):
        await anext(reply.body)
    await reply.body.aclose()
    assert engine.running == 0


async def test_conversations_go_on(context, engine, post):
    first = await create(post, context, instructions="Old.")
    second = await create(post, context, previous_response_id=first["id"], input="More", instructions="New.")
    third = await create(post, context, previous_response_id=second["id"], input="Even more", store=False)
    assert engine.asked[-2].system == "New."
    assert engine.asked[-1].system == ""
    hello = Message("assistant", (Text("Hello world"),))
    said = [Message("user", (Text(text),)) for text in ("Hi", "More", "Even more")]
    assert engine.asked[-1].messages == (said[0], hello, said[1], hello, said[2])
    assert third["previous_response_id"] == second["id"]
    with pytest.raises(NotHere):
        await call(get_response, context, third["id"])


async def test_the_tool_loop(context, engine, post):
    engine.events = CALL
    first = await create(post, context, tools=[WEATHER])
    output = {"type": "function_call_output", "call_id": first["output"][0]["call_id"], "output": "sunny"}
    engine.events = (TextDelta("Sunny."), Finish("end_turn", Usage(1, 1)))
    last = await create(post, context, previous_response_id=first["id"], input=[output], tools=[WEATHER])
    assert text_of(last) == "Sunny."
    assert engine.asked[-1].messages[1:] == (
        Message("assistant", (ToolUse("call_1", "weather", {"city": "Sucre"}),)),
        Message("user", (ToolResult("call_1", "sunny"),)),
    )
    with pytest.raises(BadParameter, match="No tool output found for function call call_1"):
        await create(post, context, previous_response_id=first["id"], input="And?")
    with pytest.raises(BadParameter, match="No tool call found for function call output"):
        await create(post, context, input=[output])


async def test_input_items(context, engine, post):
    first = await create(post, context)
    second = await create(post, context, previous_response_id=first["id"], input="More")
    listed = await call(list_input_items, context, second["id"])
    assert (listed["object"], listed["has_more"]) == ("list", False)
    assert [item["role"] for item in listed["data"]] == ["user", "assistant", "user"]
    assert listed["data"][0]["content"] == [{"type": "input_text", "text": "More"}]
    assert listed["first_id"] == listed["data"][0]["id"]
    oldest = await call(list_input_items, context, second["id"], "order=asc&limit=2")
    assert oldest["has_more"]
    assert oldest["data"] == listed["data"][:0:-1]
    rest = await call(list_input_items, context, second["id"], f"order=asc&after={oldest['last_id']}")
    assert rest["data"] == listed["data"][:1]
    for query in ("limit=0", "limit=101", "limit=x", "order=up", "after=nothing"):
        with pytest.raises(BadParameter):
            await call(list_input_items, context, second["id"], query)


async def test_others_see_nothing(context, post):
    mine = await create(post, context)
    for other in (replace(context, account="999999999999"), replace(context, region="eu-west-1")):
        for endpoint in (get_response, delete_response, cancel_response, list_input_items):
            with pytest.raises(NotHere):
                await call(endpoint, other, mine["id"])
        with pytest.raises(BadParameter) as refused:
            await create(post, other, previous_response_id=mine["id"])
        assert refused.value.code == "previous_response_not_found"
    assert await call(get_response, context, mine["id"]) == mine


async def test_delete(context, post):
    first = await create(post, context)
    second = await create(post, context, previous_response_id=first["id"])
    gone = await call(delete_response, context, first["id"])
    assert gone == {"id": first["id"], "object": "response", "deleted": True}
    with pytest.raises(NotHere):
        await call(get_response, context, first["id"])
    with pytest.raises(BadParameter, match=first["id"]):
        await create(post, context, previous_response_id=second["id"])


async def test_background(context, engine, post):
    queued = await create(post, context, background=True)
    assert queued["status"] == "queued"
    assert queued["output"] == []
    done = await ended(context, queued["id"])
    assert done["status"] == "completed"
    assert text_of(done) == "Hello world"
    assert done["usage"]["total_tokens"] == 9
    assert background.runs_of(context).running == {}
    assert (await create(post, context, previous_response_id=done["id"]))["status"] == "completed"


async def test_background_failures_are_told(context, engine, post):
    for error in (ModelFailure("the model died"), ValueError("secret")):
        engine.events = (TextDelta("a"), error)
        done = await ended(context, (await create(post, context, background=True))["id"])
        assert done["status"] == "failed"
        assert "secret" not in json.dumps(done)
        assert text_of(done) == "a"
    engine.events = (InvalidRequest("too long"),)
    done = await ended(context, (await create(post, context, background=True))["id"])
    assert done["error"] == {"code": "invalid_prompt", "message": "too long"}


ENDLESS = (*(TextDelta("a") for _ in range(1_000_000)), Finish("end_turn", Usage()))


async def started(engine):
    while not engine.running:
        await asyncio.sleep(0.001)


async def test_cancel(context, engine, post):
    engine.events = ENDLESS
    queued = await create(post, context, background=True)
    await started(engine)
    with pytest.raises(BadParameter, match="is still in_progress"):
        await create(post, context, previous_response_id=queued["id"])
    cancelled = await call(cancel_response, context, queued["id"])
    assert cancelled["status"] == "cancelled"
    assert engine.running == 0
    assert await call(cancel_response, context, queued["id"]) == cancelled
    assert await call(get_response, context, queued["id"]) == cancelled


async def test_only_background_responses_are_cancelled(context, post):
    answer = await create(post, context)
    with pytest.raises(BadParameter, match="background"):
        await call(cancel_response, context, answer["id"])


async def test_delete_stops(context, engine, post):
    engine.events = ENDLESS
    queued = await create(post, context, background=True)
    await started(engine)
    await call(delete_response, context, queued["id"])
    assert engine.running == 0
    assert background.runs_of(context).running == {}


async def test_more_than_run_at_a_time(context, engine, post, monkeypatch):
    runs = background.runs_of(context)
    runs.turnstile = asyncio.Semaphore(1)
    engine.events = ENDLESS
    first = await create(post, context, background=True)
    await started(engine)
    second = await create(post, context, background=True)
    await asyncio.sleep(0.02)
    assert (await call(get_response, context, second["id"]))["status"] == "queued"
    assert len(engine.asked) == 1
    cancelled = await call(cancel_response, context, second["id"])
    assert cancelled["status"] == "cancelled"
    engine.events = (TextDelta("a"), Finish("end_turn", Usage()))
    third = await create(post, context, background=True)
    await call(cancel_response, context, first["id"])
    assert (await ended(context, third["id"]))["status"] == "completed"
    assert len(engine.asked) == 2
    monkeypatch.setattr(background, "MOST_RUNS", 0)
    with pytest.raises(Throttled):
        await create(post, context, background=True)


async def test_background_streams_can_be_read_again(context, engine, post):
    reply = await post(create_response, context, {"model": FAKE, "input": "Hi", "stream": True, "background": True})
    events = await events_of(reply)
    assert [event["type"] for event in events][:3] == [
        "response.created",
        "response.queued",
        "response.in_progress",
    ]
    assert events[-1]["type"] == "response.completed"
    response_id = events[0]["response"]["id"]
    await ended(context, response_id)
    again = await events_of(await call(get_response, context, response_id, "stream=true"))
    assert again == events
    rest = await events_of(await call(get_response, context, response_id, "stream=true&starting_after=3"))
    assert rest == events[4:]
    plain = await create(post, context, background=True)
    await ended(context, plain["id"])
    with pytest.raises(BadParameter, match="'background' and 'stream'"):
        await call(get_response, context, plain["id"], "stream=true")


async def test_a_reader_may_read_too_long(make_context, engine, post):
    context = make_context(server={"stream_timeout_s": 0.05})
    background.runs_of(context).turnstile = asyncio.Semaphore(0)
    reply = await post(create_response, context, {"model": FAKE, "input": "Hi", "stream": True, "background": True})
    events = await events_of(reply)
    assert [event["type"] for event in events] == ["response.created", "response.queued", "error"]
    assert events[-1]["code"] == "timeout"
    assert (await call(get_response, context, events[0]["response"]["id"]))["status"] == "queued"
    await background.stop_all(context.platform.sql)


async def test_a_reader_that_leaves_does_not_end_a_background_stream(context, engine, post):
    reply = await post(create_response, context, {"model": FAKE, "input": "Hi", "stream": True, "background": True})
    first = await anext(reply.body)
    await reply.body.aclose()
    response_id = json.loads(first.split(b"data: ")[1])["response"]["id"]
    assert (await ended(context, response_id))["status"] == "completed"


def orphan(context, response_id, status, request=None):
    """As a process that was killed leaves it."""
    values = {"owner": "elsewhere/1/0.00", "lease_until": 0, "status": status, "request": request}
    with context.platform.sql.begin() as tx:
        tx.execute(RESPONSES.update().where(RESPONSES.c.id == response_id).values(values))


async def test_what_a_killed_server_left_in_progress_is_failed(context, post):
    answer = await create(post, context, background=True)
    await ended(context, answer["id"])
    orphan(context, answer["id"], "in_progress")
    lost = await call(get_response, context, answer["id"])
    assert lost["status"] == "failed"
    assert lost["error"] == {"code": "server_error", "message": operations.LOST}
    assert await call(get_response, context, answer["id"]) == lost


async def test_what_a_killed_server_left_queued_is_begun_again(context, post):
    answer = await create(post, context, background=True, input="Once more")
    await ended(context, answer["id"])
    request = {"model": FAKE, "input": "Once more", "background": True}
    orphan(context, answer["id"], "queued", json.dumps(request))
    done = await ended(context, answer["id"])
    assert done["status"] == "completed"
    assert done["created_at"] == answer["created_at"]
    orphan(context, answer["id"], "queued", json.dumps({**request, "model": "nobody.nothing"}))
    gone = await ended(context, answer["id"])
    assert gone["status"] == "failed"
    assert "nobody.nothing" in gone["error"]["message"]


async def test_another_host_is_trusted_until_its_lease_ends(context, post):
    answer = await create(post, context, background=True)
    await ended(context, answer["id"])
    orphan(context, answer["id"], "in_progress")
    soon = int(context.platform.clock.now().timestamp()) + 60
    with context.platform.sql.begin() as tx:
        tx.execute(RESPONSES.update().values(lease_until=soon))
    assert (await call(get_response, context, answer["id"]))["status"] == "in_progress"


async def test_a_server_that_stops_fails_what_runs(context, engine, post):
    engine.events = ENDLESS
    running = await create(post, context, background=True)
    await started(engine)
    await background.stop_all(context.platform.sql)
    found = await call(get_response, context, running["id"])
    assert (found["status"], found["error"]["message"]) == ("failed", operations.LOST)
    assert engine.running == 0


async def test_old_responses_are_forgotten(context, post):
    old = await create(post, context)
    with context.platform.sql.begin() as tx:
        tx.execute(RESPONSES.update().values(created_at=1))
    new = await create(post, context)
    with pytest.raises(NotHere):
        await call(get_response, context, old["id"])
    assert (await call(get_response, context, new["id"]))["id"] == new["id"]


async def test_truncation(context, engine, post):
    def words(count, role="user"):
        return {"role": role, "content": " ".join(["w"] * count)}

    turns = [words(90_000), words(1, "assistant"), words(60_000), words(1, "assistant"), words(10)]
    await create(post, context, input=turns, truncation="auto")
    kept = engine.asked[-1].messages
    assert [len(message.content[0].text.split()) for message in kept] == [60_000, 1, 10]
    await create(post, context, input=turns)
    assert len(engine.asked[-1].messages) == 5
    call_and_result = [
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": " ".join(["w"] * 140_000)},
    ]
    await create(
        post, context, input=[words(100), *call_and_result, words(1, "assistant"), words(5)], truncation="auto"
    )
    assert [message.role for message in engine.asked[-1].messages] == ["user"]


NO_SCHEMA = {"text": {"format": {"type": "json_schema", "name": "n"}}}
CUT = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{"}


def user(content, *more):
    return {"input": [{"role": "user", "content": content}, *more]}


@pytest.mark.parametrize(
    ("change", "param", "code"),
    [
        ({"model": None}, "model", "missing_required_parameter"),
        ({"input": None}, "input", "missing_required_parameter"),
        ({"input": 5}, "input", "invalid_type"),
        ({"input": []}, "input", "invalid_value"),
        ({"input": [5]}, "input[0]", "invalid_type"),
        ({"input": [{}]}, "input[0].type", "missing_required_parameter"),
        ({"input": [{"type": "dream"}]}, "input[0].type", "invalid_value"),
        ({"input": [{"type": "item_reference", "id": "msg_1"}]}, "input[0].type", "unsupported_value"),
        ({"input": [{"type": "computer_call"}]}, "input[0].type", "unsupported_value"),
        ({"input": [{"role": "king", "content": "a"}]}, "input[0].role", "invalid_value"),
        ({"input": [{"role": "user"}]}, "input[0].content", "missing_required_parameter"),
        (user([{"type": "text", "text": "a"}]), "input[0].content[0].type", "invalid_value"),
        ({"input": [{"role": "assistant", "content": "a"}]}, "input", "invalid_value"),
        (user("a", {"role": "system", "content": "a"}), "input[1]", "invalid_value"),
        (user("a", CUT), "input[1].arguments", "invalid_value"),
        ({"tools": [{"type": "web_search"}]}, "tools[0].type", "unsupported_value"),
        ({"tools": [{"type": "file_search", "vector_store_ids": []}]}, "tools[0].type", "unsupported_value"),
        ({"tools": [{"type": "code_interpreter", "container": "a"}]}, "tools[0].type", "unsupported_value"),
        ({"tools": [{"type": "computer_use_preview"}]}, "tools[0].type", "unsupported_value"),
        ({"tools": [{"type": "mcp", "server_label": "a"}]}, "tools[0].type", "unsupported_value"),
        ({"tools": [{**WEATHER, "defer_loading": True}]}, "tools[0].defer_loading", "unsupported_parameter"),
        ({"tool_choice": {"type": "web_search"}}, "tool_choice", "invalid_value"),
        (NO_SCHEMA, "text.format.schema", "missing_required_parameter"),
        ({"text": {"format": {"type": "xml"}}}, "text.format.type", "invalid_value"),
        ({"text": {"colour": 1}}, "text.colour", "unknown_parameter"),
        ({"text": 5}, "text", "invalid_type"),
        ({"reasoning": {"effort": "high"}}, "reasoning.effort", "unsupported_parameter"),
        ({"reasoning": {"summary": "auto"}}, "reasoning.summary", "unsupported_parameter"),
        ({"include": ["reasoning.encrypted_content"]}, "include[0]", "unsupported_value"),
        ({"include": ["all"]}, "include[0]", "invalid_value"),
        ({"include": "all"}, "include", "invalid_type"),
        ({"top_logprobs": 2}, "top_logprobs", "invalid_value"),
        ({"conversation": "conv_1"}, "conversation", "unsupported_parameter"),
        ({"prompt": {"id": "p"}}, "prompt", "unsupported_parameter"),
        ({"truncation": "some"}, "truncation", "invalid_value"),
        ({"previous_response_id": "resp_0"}, "previous_response_id", "previous_response_not_found"),
        ({"previous_response_id": 5}, "previous_response_id", "invalid_type"),
        ({"background": True, "store": False}, "background", "invalid_value"),
        ({"stream_options": {}, "stream": False}, "stream_options", "invalid_value"),
        ({"messages": []}, "messages", "unknown_parameter"),
        ({"max_output_tokens": 0}, "max_output_tokens", "integer_below_min_value"),
    ],
)  # fmt: skip
async def test_bad_parameters(context, engine, post, change, param, code):
    with pytest.raises(BadParameter) as caught:
        await create(post, context, **change)
    assert (caught.value.param, caught.value.code) == (param, code)
    assert engine.asked == []

"""Tools and structured output through the openai client, in chat completions and in responses."""

from __future__ import annotations

import enum
import json
import re
import time
from pathlib import Path

import openai
import pytest
from pydantic import BaseModel

FAKE = "rocamadre.fake-v1:0"
WEATHER = {
    "name": "weather",
    "description": "The weather in a city.",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}, "unit": {"type": "string", "enum": ["C", "F"]}},
        "required": ["city", "unit"],
        "additionalProperties": False,
    },
    "strict": True,
}
CHAT_TOOL = {"type": "function", "function": WEATHER}
TOOL = {"type": "function", **WEATHER}


@pytest.fixture(params=["/v1", "/openai/v1"])
def client(server_url, request):
    with openai.OpenAI(base_url=server_url + request.param, api_key="anything", max_retries=0) as made:
        yield made


class Kind(enum.Enum):
    river = "river"
    lake = "lake"


class Place(BaseModel):
    name: str
    kind: Kind
    depth_m: float
    tags: list[str]


def user(text):
    return {"role": "user", "content": text}


def test_the_tool_loop_of_chat_completions(client):
    messages = [user("What is the weather in Sucre?")]
    first = client.chat.completions.create(model=FAKE, messages=messages, tools=[CHAT_TOOL], tool_choice="required")
    assert first.choices[0].finish_reason == "tool_calls"
    call = first.choices[0].message.tool_calls[0]
    assert call.function.name == "weather"
    arguments = json.loads(call.function.arguments)
    assert set(arguments) == {"city", "unit"}
    messages += [first.choices[0].message, {"role": "tool", "tool_call_id": call.id, "content": "sunny, 21 degrees"}]
    last = client.chat.completions.create(model=FAKE, messages=messages, tools=[CHAT_TOOL])
    assert last.choices[0].finish_reason == "stop"
    assert "sunny" in last.choices[0].message.content


def test_calls_in_a_chat_stream(client):
    asked = {"model": FAKE, "messages": [user("Sucre?")], "tools": [CHAT_TOOL]}
    named = {"type": "function", "function": {"name": "weather"}}
    whole = client.chat.completions.create(**asked, tool_choice=named)
    with client.chat.completions.stream(**asked, tool_choice=named) as stream:
        events = list(stream)
        final = stream.get_final_completion()
    assert final.choices[0].message.tool_calls[0].function.arguments == (
        whole.choices[0].message.tool_calls[0].function.arguments
    )
    assert final.choices[0].finish_reason == "tool_calls"
    assert "tool_calls.function.arguments.done" in [event.type for event in events]


def test_structured_chat(client):
    answer = client.chat.completions.parse(model=FAKE, messages=[user("A place")], response_format=Place)
    assert isinstance(answer.choices[0].message.parsed, Place)
    with client.chat.completions.stream(model=FAKE, messages=[user("A place")], response_format=Place) as stream:
        final = stream.get_final_completion()
    assert final.choices[0].message.parsed == answer.choices[0].message.parsed
    loose = client.chat.completions.create(
        model=FAKE, messages=[user("A place")], response_format={"type": "json_object"}
    )
    assert isinstance(json.loads(loose.choices[0].message.content), dict)


def test_tools_made_from_models(client):
    answer = client.chat.completions.parse(
        model=FAKE,
        messages=[user("A place")],
        tools=[openai.pydantic_function_tool(Place, name="note")],
        tool_choice="required",
    )
    assert isinstance(answer.choices[0].message.tool_calls[0].function.parsed_arguments, Place)


def test_schemas_that_cannot_be_followed_are_named(client):
    form = {"type": "json_schema", "json_schema": {"name": "n", "schema": {"not": {"type": "string"}}, "strict": True}}
    with pytest.raises(openai.BadRequestError) as refused:
        client.chat.completions.create(model=FAKE, messages=[user("x")], response_format=form)
    assert "not" in refused.value.body["message"]
    with pytest.raises(openai.BadRequestError):
        client.responses.create(model=FAKE, input="x", text={"format": {"type": "json_schema", **form["json_schema"]}})


def test_responses(client):
    first = client.responses.create(model=FAKE, input="one two", metadata={"a": "b"})
    assert "one two" in first.output_text
    assert first.usage.total_tokens == first.usage.input_tokens + first.usage.output_tokens
    assert client.responses.retrieve(first.id) == first
    second = client.responses.create(model=FAKE, input="three", previous_response_id=first.id)
    items = client.responses.input_items.list(second.id, order="asc").data
    assert [item.role for item in items] == ["user", "assistant", "user"]
    assert [item.id for item in client.responses.input_items.list(second.id, limit=1)] == [item.id for item in items][
        ::-1
    ]
    client.responses.delete(first.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(first.id)
    with pytest.raises(openai.BadRequestError) as refused:
        client.responses.create(model=FAKE, input="three", previous_response_id=first.id)
    assert refused.value.code == "previous_response_not_found"
    counted = client.responses.input_tokens.count(model=FAKE, input="three")
    assert counted.input_tokens == client.responses.create(model=FAKE, input="three").usage.input_tokens
    forgotten = client.responses.create(model=FAKE, input="x", store=False)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(forgotten.id)


def test_the_tool_loop_of_responses(client):
    first = client.responses.create(model=FAKE, input="Sucre?", tools=[TOOL], tool_choice="required")
    call = next(item for item in first.output if item.type == "function_call")
    assert set(json.loads(call.arguments)) == {"city", "unit"}
    output = {"type": "function_call_output", "call_id": call.call_id, "output": "sunny"}
    last = client.responses.create(model=FAKE, previous_response_id=first.id, input=[output], tools=[TOOL])
    assert "sunny" in last.output_text
    stateless = client.responses.create(
        model=FAKE, input=[user("Sucre?"), *first.output, output], tools=[TOOL], store=False
    )
    assert stateless.output_text == last.output_text


def test_response_streams(client):
    with client.responses.stream(model=FAKE, input="one two") as stream:
        events = list(stream)
        final = stream.get_final_response()
    assert final.status == "completed"
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == final.output_text
    assert [event.sequence_number for event in events] == list(range(len(events)))
    with client.responses.stream(model=FAKE, input="Sucre?", tools=[TOOL], tool_choice="required") as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_response()
    assert kinds.index("response.function_call_arguments.delta") < kinds.index("response.function_call_arguments.done")
    assert final.output[-1].type == "function_call"
    cut = client.responses.create(model=FAKE, input="a b c d e", max_output_tokens=2)
    assert (cut.status, cut.incomplete_details.reason) == ("incomplete", "max_output_tokens")


def test_structured_responses(client):
    answer = client.responses.parse(model=FAKE, input="A place", text_format=Place)
    assert isinstance(answer.output_parsed, Place)
    with client.responses.stream(model=FAKE, input="A place", text_format=Place) as stream:
        assert stream.get_final_response().output_parsed == answer.output_parsed


def finished(client, response):
    until = time.monotonic() + 30
    while response.status in ("queued", "in_progress"):
        assert time.monotonic() < until
        time.sleep(0.02)
        response = client.responses.retrieve(response.id)
    return response


def test_background_responses(client):
    queued = client.responses.create(model=FAKE, input="later", background=True)
    assert queued.status in ("queued", "in_progress")
    done = finished(client, queued)
    assert (done.status, "later" in done.output_text) == ("completed", True)
    assert client.responses.cancel(done.id) == done
    foreground = client.responses.create(model=FAKE, input="now")
    with pytest.raises(openai.BadRequestError, match="background"):
        client.responses.cancel(foreground.id)
    events = list(client.responses.create(model=FAKE, input="later", background=True, stream=True))
    again = list(client.responses.retrieve(events[0].response.id, stream=True, starting_after=2))
    assert [event.model_dump() for event in again] == [event.model_dump() for event in events[3:]]


@pytest.mark.parametrize(
    "kind", ["web_search", "file_search", "code_interpreter", "computer_use_preview", "mcp", "image_generation"]
)
def test_hosted_tools_are_refused_by_name(client, kind):
    with pytest.raises(openai.BadRequestError, match=kind):
        client.responses.create(model=FAKE, input="x", tools=[{"type": kind}])


def test_accounts_do_not_see_each_other(server_url):
    path = f"{server_url}/openai/v1"
    ids = ["111111111111", "222222222222"]
    one, other = (
        openai.BedrockOpenAI(
            base_url=path, aws_region="us-east-1", aws_access_key_id=account, aws_secret_access_key="x", max_retries=0
        )
        for account in ids
    )
    with one, other:
        kept = one.responses.create(model=FAKE, input="mine")
        assert one.responses.retrieve(kept.id).id == kept.id
        with pytest.raises(openai.NotFoundError):
            other.responses.retrieve(kept.id)
        with pytest.raises(openai.NotFoundError):
            other.responses.delete(kept.id)


def test_bedrocks_own_client(locked_server, monkeypatch):
    """BedrockOpenAI signs, or sends a bearer key; the server verifies both."""
    monkeypatch.setenv("AWS_BEDROCK_BASE_URL", f"{locked_server.address}/openai/v1")
    keys = {"aws_access_key_id": locked_server.access_key, "aws_secret_access_key": locked_server.secret_key}
    with openai.BedrockOpenAI(aws_region="us-east-1", max_retries=0, **keys) as client:
        assert "hi" in client.chat.completions.create(model=FAKE, messages=[user("hi")]).choices[0].message.content
        assert "hi" in client.responses.create(model=FAKE, input="hi").output_text
        assert FAKE in {model.id for model in client.models.list()}
    with openai.BedrockOpenAI(api_key=locked_server.bearer, max_retries=0) as client:
        assert "hi" in client.responses.create(model=FAKE, input="hi").output_text
    keys["aws_secret_access_key"] = "wrong"
    with openai.BedrockOpenAI(aws_region="us-east-1", max_retries=0, **keys) as client:
        with pytest.raises(openai.APIStatusError) as refused:
            client.responses.create(model=FAKE, input="hi")
    assert refused.value.status_code in (401, 403)
    assert refused.value.body["message"]


def test_the_programs_of_the_documentation(server_url, checkout: Path, capsys):
    text = (checkout / "docs" / "openai.md").read_text()
    programs = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert len(programs) >= 5
    names: dict[str, object] = {"__name__": "documentation"}
    for program in programs:
        here = program.replace("http://127.0.0.1:4599", server_url)
        exec(compile(here, "docs/openai.md", "exec", dont_inherit=True), names)
    assert capsys.readouterr().out

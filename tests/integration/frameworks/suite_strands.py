"""Strands Agents on its BedrockModel: agents with tools, streams, structured output, documents, cache points."""

from __future__ import annotations

import pydantic
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from strands import Agent, tool
from strands.models import BedrockModel
from strands.types.exceptions import ModelThrottledException

CLAUDE = "us.anthropic.claude-sonnet-4-20250514-v1:0"
NOVA = "us.amazon.nova-lite-v1:0"
QUESTION = "What is the weather in San Francisco?"


@tool
def get_weather(location: str) -> str:
    """Current weather at a place.

    Args:
        location: City and state.
    """
    return f"14 degrees in {location}"


class Person(pydantic.BaseModel):
    """Somebody."""

    name: str
    age: int


def agent(model_id=CLAUDE, tools=(), prompt="Be brief.", **options):
    model = BedrockModel(model_id=model_id, max_tokens=200, temperature=0.2, **options)
    return Agent(model=model, tools=list(tools), system_prompt=prompt, callback_handler=None)


@pytest.mark.parametrize("streaming", [True, False])
@pytest.mark.parametrize("model", [CLAUDE, NOVA])
def test_an_answer(model, streaming):
    result = agent(model, streaming=streaming)("one two three")
    assert "one two three" in str(result)
    assert result.stop_reason == "end_turn"
    assert result.metrics.accumulated_usage["totalTokens"] > 0


@pytest.mark.parametrize("streaming", [True, False])
@pytest.mark.parametrize("model", [CLAUDE, NOVA])
def test_a_tool_is_called_and_its_result_comes_back(model, streaming):
    asked = agent(model, [get_weather], streaming=streaming)
    result = asked(QUESTION)
    assert "14 degrees in San Francisco, CA" in str(result)
    assert [next(iter(message["content"][-1])) for message in asked.messages] == [
        "text",
        "toolUse",
        "toolResult",
        "text",
    ]
    assert result.metrics.tool_metrics["get_weather"].success_count == 1


async def test_events_of_a_stream():
    pieces = [event["data"] async for event in agent().stream_async("one two three four") if "data" in event]
    assert len(pieces) > 3
    assert "one two three four" in "".join(pieces)


@pytest.mark.parametrize("streaming", [True, False])
@pytest.mark.parametrize("model", [CLAUDE, NOVA])
def test_structured_output(model, streaming):
    result = agent(model, streaming=streaming)("Who?", structured_output_model=Person)
    assert isinstance(result.structured_output, Person)


async def test_structured_output_after_a_tool():
    result = await agent(tools=[get_weather]).invoke_async(QUESTION, structured_output_model=Person)
    assert isinstance(result.structured_output, Person)


def test_a_conversation():
    asked = agent()
    asked("My name is Nuria.")
    asked("And now?")
    assert [message["role"] for message in asked.messages] == ["user", "assistant"] * 2


def test_a_document():
    from conftest import TEXT_OF_PDF, small_pdf

    document = {"document": {"format": "pdf", "name": "notes", "source": {"bytes": small_pdf()}}}
    assert TEXT_OF_PDF in str(agent()([document, {"text": "Read."}]))


async def test_tokens_are_counted_by_the_server():
    model = BedrockModel(model_id=CLAUDE, use_native_token_count=True)
    messages = [{"role": "user", "content": [{"text": "one two three"}]}]
    told = model.client.count_tokens(modelId=CLAUDE, input={"converse": {"messages": messages}})["inputTokens"]
    assert await model.count_tokens(messages) == told > 3


def test_agents_call_agents():
    inner = agent(tools=[get_weather])
    inner.name = "researcher"

    @tool
    def research(question: str) -> str:
        """Ask the researcher."""
        return str(inner(QUESTION))

    outer = agent(tools=[research])
    answer = outer.tool.research(question="x")
    assert "14 degrees in San Francisco, CA" in str(answer)


def test_errors():
    with pytest.raises(ClientError, match="nobody"):
        agent("nobody.knows-v1:0")("x")
    with pytest.raises(ModelThrottledException):
        Agent(
            model=BedrockModel(model_id=CLAUDE, boto_client_config=Config(retries={"total_max_attempts": 1})),
            callback_handler=None,
            retry_strategy=None,
        )("please be throttled")


@pytest.mark.parametrize("how", ["signature", "bearer"])
def test_keys(locked, monkeypatch, how):
    where = {"endpoint_url": locked["address"], "region_name": "us-east-1"}
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", locked["access_key"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", locked["secret_key"])
    if how == "bearer":
        where["api_key"] = locked["bearer"]
    assert "hi there" in str(agent("rocamadre.fake-v1:0", **where)("hi there"))

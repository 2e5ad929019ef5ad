"""Every framework on the embedded model: what it says is its own affair, but tools and schemas are followed."""

from __future__ import annotations

import json
from uuid import uuid4

import litellm
import pydantic
import pytest
from langchain_aws import ChatBedrock, ChatBedrockConverse
from langchain_core.messages import HumanMessage, SystemMessage
from langchain_core.tools import tool
from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.tools import FunctionTool
from llama_index.llms.bedrock_converse import BedrockConverse
from strands import Agent
from strands import tool as strands_tool
from strands.models import BedrockModel

CLAUDE = "us.anthropic.claude-sonnet-4-20250514-v1:0"
NOVA = "us.amazon.nova-lite-v1:0"


class Place(pydantic.BaseModel):
    """A place to visit."""

    name: str = pydantic.Field(max_length=40)
    height: int = pydantic.Field(ge=0, le=9000)
    kind: str = pydantic.Field(pattern="^(village|peak|lake)$")


def climb(place: str, metres: int) -> str:
    """Climb so many metres at a place."""
    return f"{metres} m up {place}"


@pytest.mark.parametrize("model", [CLAUDE, NOVA])
@pytest.mark.parametrize("chat", [ChatBedrockConverse, ChatBedrock])
def test_langchain(chat, model):
    made = chat(model=model, max_tokens=300, temperature=0)
    forced = made.bind_tools([tool(climb)], tool_choice="any").invoke("Climb the peak at Rocamadour.")
    (call,) = forced.tool_calls
    assert call["name"] == "climb"
    assert isinstance(climb(**call["args"]), str)
    assert isinstance(made.with_structured_output(Place).invoke("A village on a cliff?"), Place)


def test_langchain_follows_a_schema_without_tools():
    made = ChatBedrockConverse(model=CLAUDE, max_tokens=300, temperature=0)
    assert isinstance(made.with_structured_output(Place, method="json_schema").invoke("A lake?"), Place)


def test_langchain_reads_the_prefix_again():
    made = ChatBedrockConverse(model=CLAUDE, max_tokens=8, temperature=0)
    point = {"cachePoint": {"type": "default"}}
    system = SystemMessage([f"You are {uuid4().hex}. You know every village of the Quercy. " * 20, point])
    first = made.invoke([system, HumanMessage("Which is high?")]).usage_metadata["input_token_details"]
    second = made.invoke([system, HumanMessage("Which is old?")]).usage_metadata["input_token_details"]
    assert first["cache_creation"] > 0
    assert second["cache_read"] == first["cache_read"] + first["cache_creation"]


@pytest.mark.parametrize("route", ["converse", "invoke"])
def test_litellm(route):
    made = {"model": f"bedrock/{route}/{CLAUDE}", "max_tokens": 300, "temperature": 0}
    messages = [{"role": "user", "content": "A village on a cliff?"}]
    answer = litellm.completion(messages=messages, response_format=Place, **made)
    Place.model_validate_json(answer.choices[0].message.content)
    schema = {
        "type": "object",
        "properties": {"place": {"type": "string"}, "metres": {"type": "integer"}},
        "required": ["place", "metres"],
    }
    tools = [{"type": "function", "function": {"name": "climb", "parameters": schema}}]
    forced = litellm.completion(messages=messages, tools=tools, tool_choice="required", **made)
    (call,) = forced.choices[0].message.tool_calls
    assert isinstance(climb(**json.loads(call.function.arguments)), str)


@pytest.mark.parametrize("streaming", [True, False])
def test_strands(streaming):
    model = BedrockModel(model_id=CLAUDE, max_tokens=300, temperature=0, streaming=streaming)
    agent = Agent(model=model, tools=[strands_tool(climb)], callback_handler=None)
    assert isinstance(agent("A village on a cliff?", structured_output_model=Place).structured_output, Place)


@pytest.mark.parametrize("model", [CLAUDE, NOVA])
def test_llama_index(model):
    made = BedrockConverse(model=model, max_tokens=300, temperature=0)
    question = [ChatMessage(role="user", content="A village on a cliff?")]
    assert isinstance(made.as_structured_llm(Place).chat(question).raw, Place)
    tools = [FunctionTool.from_defaults(climb)]
    (call,) = made.get_tool_calls_from_response(
        made.chat_with_tools(tools, user_msg="Climb the peak at Rocamadour.", tool_required=True)
    )
    assert isinstance(climb(**call.tool_kwargs), str)

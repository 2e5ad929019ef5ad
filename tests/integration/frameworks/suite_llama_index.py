"""llama-index's BedrockConverse and BedrockEmbedding: chat, streams, tools, structured output, an agent, an index."""

from __future__ import annotations

import pydantic
import pytest
from llama_index.core import Document, VectorStoreIndex
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.base.llms.types import ChatMessage, DocumentBlock, TextBlock
from llama_index.core.tools import FunctionTool
from llama_index.embeddings.bedrock import BedrockEmbedding
from llama_index.llms.bedrock_converse import BedrockConverse

CLAUDE = "us.anthropic.claude-sonnet-4-20250514-v1:0"
NOVA = "us.amazon.nova-lite-v1:0"
QUESTION = "What is the weather in San Francisco?"


class Person(pydantic.BaseModel):
    """Somebody."""

    name: str
    age: int


def get_weather(location: str) -> str:
    """Current weather at a place."""
    return f"14 degrees in {location}"


@pytest.fixture(params=[CLAUDE, NOVA])
def llm(request):
    return BedrockConverse(model=request.param, max_tokens=200, max_retries=1)


def user(text):
    return [ChatMessage(role="system", content="Be brief."), ChatMessage(role="user", content=text)]


def test_complete_and_chat(llm):
    assert "one two three" in llm.complete("one two three").text
    assert "one two three" in llm.chat(user("one two three")).message.content


def test_streams(llm):
    deltas = [piece.delta for piece in llm.stream_chat(user("one two three"))]
    assert len(deltas) > 3
    assert "one two three" in "".join(deltas)
    assert list(llm.stream_complete("one two three"))[-1].text == llm.complete("one two three").text


async def test_async(llm):
    assert "one two" in (await llm.achat(user("one two"))).message.content
    assert "one two" in "".join([piece.delta async for piece in await llm.astream_chat(user("one two"))])


def test_a_tool_is_called(llm):
    tools = [FunctionTool.from_defaults(get_weather)]
    answer = llm.predict_and_call(tools, QUESTION)
    assert str(answer) == "14 degrees in San Francisco, CA"
    calls = llm.get_tool_calls_from_response(llm.chat_with_tools(tools, user_msg=QUESTION))
    assert [(call.tool_name, call.tool_kwargs) for call in calls] == [
        ("get_weather", {"location": "San Francisco, CA"})
    ]


def test_a_tool_call_in_a_stream(llm):
    stream = llm.stream_chat_with_tools([FunctionTool.from_defaults(get_weather)], user_msg=QUESTION)
    (call,) = llm.get_tool_calls_from_response(list(stream)[-1])
    assert call.tool_kwargs == {"location": "San Francisco, CA"}


def test_structured_output(llm):
    answer = llm.as_structured_llm(Person).chat(user("Who?"))
    assert isinstance(answer.raw, Person)


async def test_an_agent():
    agent = FunctionAgent(tools=[get_weather], llm=BedrockConverse(model=CLAUDE), streaming=True)
    assert "14 degrees in San Francisco, CA" in str(await agent.run(QUESTION))


def test_a_document():
    from conftest import TEXT_OF_PDF, small_pdf

    blocks = [
        DocumentBlock(data=small_pdf(), title="notes", document_mimetype="application/pdf"),
        TextBlock(text="Read."),
    ]
    answer = BedrockConverse(model=CLAUDE).chat([ChatMessage(role="user", blocks=blocks)])
    assert TEXT_OF_PDF in answer.message.content


def test_caching():
    llm = BedrockConverse(model=CLAUDE, system_prompt_caching=True, tool_caching=True)
    messages = [ChatMessage(role="system", content="Be brief. " * 400), ChatMessage(role="user", content="Hello")]
    assert "Hello" in llm.chat(messages).message.content


@pytest.mark.parametrize(
    ("model", "dimensions"), [("amazon.titan-embed-text-v2:0", 1024), ("cohere.embed-multilingual-v3", 1024)]
)
async def test_embeddings(model, dimensions):
    embedder = BedrockEmbedding(model_name=model)
    one, other = embedder.get_text_embedding_batch(["a river", "a lake"])
    assert (len(one), len(other)) == (dimensions, dimensions)
    assert one != other
    assert embedder.get_query_embedding("a river") == pytest.approx(one, abs=1e-6)
    assert await embedder.aget_text_embedding("a river") == pytest.approx(one, abs=1e-6)


def test_an_index_finds_and_answers():
    texts = ["stones are hard", "a river runs to the sea", "bread is baked"]
    embedder = BedrockEmbedding(model_name="amazon.titan-embed-text-v2:0")
    index = VectorStoreIndex.from_documents([Document(text=text) for text in texts], embed_model=embedder)
    found = index.as_retriever(similarity_top_k=1).retrieve("where a river runs")
    assert [node.text for node in found] == [texts[1]]
    answer = index.as_query_engine(llm=BedrockConverse(model=CLAUDE), similarity_top_k=1).query("where a river runs")
    assert texts[1] in str(answer)

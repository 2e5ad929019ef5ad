"""Cohere Command R: history, documents, tools and their results."""

import sys
from pathlib import Path

import pytest

from rocamadre.core.errors import InvalidRequest, NotBuilt
from rocamadre.core.messages import Document, Sampling, TextDelta, ToolResult, ToolSpec, ToolUse
from rocamadre.engines.profiles.cohere_command import python_type

sys.path.insert(0, str(Path(__file__).parent))
from family_bodies import CALL, CALLED, DASHED, USED, assistant, chunks, read, user, write

sys.path.pop(0)

COMMAND_R = "cohere.command-r-plus-v1:0"
BODY = {
    "chat_history": [
        {"role": "USER", "message": "What is an interesting new role in AI?"},
        {"role": "CHATBOT", "message": "You could be a prompt engineer."},
    ],
    "message": "What are some skills I should have?",
    "preamble": "Answer in rhymes.",
    "max_tokens": 200,
    "temperature": 0.5,
    "p": 0.5,
    "k": 250,
    "seed": 7,
    "frequency_penalty": 0.1,
    "presence_penalty": 0.2,
    "stop_sequences": ["END"],
}
TOOL = {
    "name": "top_song",
    "description": "Get the most popular song played on a radio station.",
    "parameter_definitions": {
        "sign": {"description": "The call sign.", "type": "str", "required": True},
        "days": {"type": "List[int]"},
    },
}
SCHEMA = {
    "type": "object",
    "properties": {
        "sign": {"type": "string", "description": "The call sign."},
        "days": {"type": "array", "items": {"type": "integer"}},
    },
    "required": ["sign"],
}
SONG = {"name": "top_song", "parameters": {"sign": "WZPZ"}}
RESULT = {"call": SONG, "outputs": [{"song": "Elemental Hotel"}, {"artist": "8 Storey Hike"}]}
ASKED = {"message": "What is the top song on WZPZ?", "tools": [TOOL]}


def test_history_and_settings():
    request = read(COMMAND_R, BODY)
    assert request.system == "Answer in rhymes."
    assert request.messages == (
        user("What is an interesting new role in AI?"),
        assistant("You could be a prompt engineer."),
        user("What are some skills I should have?"),
    )
    assert request.sampling == Sampling(
        max_tokens=200,
        temperature=0.5,
        top_p=0.5,
        top_k=250,
        seed=7,
        stop=("END",),
        frequency_penalty=0.1,
        presence_penalty=0.2,
    )
    assert read(COMMAND_R, {"message": "a"}).sampling == Sampling(temperature=0.3, top_p=0.75, top_k=0)


def test_system_turns_of_the_history_join_the_preamble():
    history = [{"role": "SYSTEM", "message": "Be brief."}, *BODY["chat_history"]]
    assert read(COMMAND_R, BODY | {"chat_history": history}).system == "Answer in rhymes.\n\nBe brief."


def test_documents_are_read():
    documents = [
        {"title": "Tall penguins", "snippet": "Emperor penguins are the tallest."},
        {"id": "b", "snippet": "They live in Antarctica.", "year": 2024},
        {"text": "No title."},
    ]
    assert read(COMMAND_R, {"message": "Which are tallest?", "documents": documents}).messages == (
        user(
            Document("Tall penguins", "Emperor penguins are the tallest."),
            Document("b", "snippet: They live in Antarctica.\nyear: 2024"),
            Document("doc_2", "No title."),
            "Which are tallest?",
        ),
    )


def test_tools_in_the_types_of_python():
    request = read(COMMAND_R, ASKED)
    assert request.tools == (ToolSpec("top_song", TOOL["description"], SCHEMA),)
    assert request.tool_choice.mode == "auto"


@pytest.mark.parametrize(
    ("name", "schema"),
    [
        ("bool", {"type": "boolean"}),
        ("FLOAT", {"type": "number"}),
        ("list", {"type": "array"}),
        ("Dict", {"type": "object"}),
        (
            "Dict[str, List[float]]",
            {"type": "object", "additionalProperties": {"type": "array", "items": {"type": "number"}}},
        ),
    ],
)
def test_types(name, schema):
    assert python_type(name, "#") == schema


def test_results_after_a_message_bring_the_calls_with_them():
    request = read(COMMAND_R, ASKED | {"tool_results": [RESULT]})
    call = ToolUse("call_1_0", "top_song", {"sign": "WZPZ"})
    assert request.messages == (
        user("What is the top song on WZPZ?"),
        assistant(call),
        user(ToolResult("call_1_0", '{"song":"Elemental Hotel"}\n{"artist":"8 Storey Hike"}')),
    )


@pytest.mark.parametrize("in_history", [False, True])
def test_results_of_calls_in_the_history(in_history):
    history = [
        {"role": "USER", "message": ASKED["message"]},
        {"role": "CHATBOT", "message": "I will look.", "tool_calls": [SONG]},
    ]
    given = {"chat_history": history, "message": "", "tool_results": [RESULT]}
    if in_history:
        entries = [*history, {"role": "TOOL", "tool_results": [RESULT]}, {"role": "CHATBOT", "message": "It is X."}]
        given = {"chat_history": entries, "message": "And before?"}
    messages = read(COMMAND_R, ASKED | given).messages
    call = ToolUse("call_1_0", "top_song", {"sign": "WZPZ"})
    assert messages[:2] == (user(ASKED["message"]), assistant("I will look.", call))
    assert messages[2].content[0].id == "call_1_0"
    assert len(messages) == (5 if in_history else 3)


def test_answers_repeat_the_conversation():
    assert write(COMMAND_R, BODY, reason="max_tokens") == {
        "response_id": DASHED,
        "generation_id": DASHED,
        "text": "Hello world",
        "citations": [],
        "finish_reason": "MAX_TOKENS",
        "chat_history": [
            *BODY["chat_history"],
            {"role": "USER", "message": BODY["message"]},
            {"role": "CHATBOT", "message": "Hello world"},
        ],
    }


def test_calls_in_answers():
    answered = write(COMMAND_R, ASKED, CALL, reason="tool_use")
    calls = [{"name": "weather", "parameters": {"city": "Lima"}}]
    assert answered["tool_calls"] == calls
    assert answered["chat_history"][-1] == {"role": "CHATBOT", "message": "", "tool_calls": calls}
    assert answered["finish_reason"] == "COMPLETE"


def test_chunks():
    first, second, end = chunks(COMMAND_R, BODY)
    assert first == {"event_type": "text-generation", "text": "Hello", "is_finished": False}
    assert second["text"] == " world"
    assert end == {
        "event_type": "stream-end",
        "is_finished": True,
        "finish_reason": "COMPLETE",
        "response": write(COMMAND_R, BODY),
    }


def test_calls_in_chunks():
    text, calls, end = chunks(COMMAND_R, ASKED, TextDelta("I will look."), *CALLED, USED)
    wanted = [{"name": "weather", "parameters": {"city": "Lima"}}]
    assert text["event_type"] == "text-generation"
    assert calls == {"event_type": "tool-calls-generation", "tool_calls": wanted, "text": "", "is_finished": False}
    assert (end["event_type"], end["response"]["tool_calls"]) == ("stream-end", wanted)


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({"prompt": "a"}, r"#: required key \[message\] not found#: extraneous key \[prompt\]"),
        ({"message": " "}, "messages field is empty"),
        ({"message": "a", "temperature": 2}, "#/temperature: 2 is not less or equal to 1"),
        ({"message": "a", "chat_history": [{"role": "BOT"}]}, "#/chat_history/0/role: BOT is not a valid enum value"),
        ({"message": "a", "chat_history": [{"role": "USER", "message": ""}]}, "#/chat_history/0: the message is blank"),
        ({"message": "a", "documents": [{"title": "x"}]}, "#/documents/0: the document holds no text"),
        ({"message": "a", "tools": [TOOL, TOOL]}, "#/tools/1/name: two tools are called 'top_song'"),
        (
            {"message": "a", "tools": [{"name": "x", "parameter_definitions": {"y": {"type": "complex"}}}]},
            "#/tools/0/parameter_definitions/y/type: 'complex' is no type",
        ),
        (
            {"message": "a", "tools": [{"name": "x", "parameter_definitions": {"y": {}}}]},
            r"#/tools/0/parameter_definitions/y: required key \[type\] not found",
        ),
        (
            {
                "message": "",
                "chat_history": [
                    {"role": "USER", "message": "a"},
                    {"role": "CHATBOT", "tool_calls": [SONG, SONG | {"parameters": {}}]},
                ],
                "tool_results": [RESULT],
            },
            "the call of 'top_song' is not answered",
        ),
        (
            {
                "message": "",
                "chat_history": [{"role": "USER", "message": "a"}, {"role": "CHATBOT", "tool_calls": [SONG]}],
                "tool_results": [{"call": SONG | {"name": "other"}, "outputs": []}],
            },
            "the model did not call 'other'",
        ),
        (
            {"message": "a", "tools": [{"name": "x", "parameter_definitions": {"y": {"type": "List[" * 9 + "]" * 9}}}]},
            "is no type",
        ),
    ],
)
def test_bad_bodies(body, sentence):
    with pytest.raises(InvalidRequest, match=sentence):
        read(COMMAND_R, body)


@pytest.mark.parametrize(
    "change",
    [
        {"search_queries_only": True},
        {"return_prompt": True},
        {"raw_prompting": True},
        {"prompt_truncation": "AUTO_PRESERVE_ORDER"},
    ],
)
def test_what_is_not_there_is_refused(change):
    (name,) = change
    with pytest.raises(NotBuilt, match=f"#/{name}: "):
        read(COMMAND_R, BODY | change)

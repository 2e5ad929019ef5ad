"""Each format: its sample, its way back, and what is wrong in it, named by its path."""

from __future__ import annotations

import pytest

from rocamadre.datasets.formats.registry import FORMATS, detect_format
from rocamadre.datasets.problems import BadRecord
from rocamadre.datasets.types import Chat, Preference, Prompt, Text, Turn

U, A = {"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}
BLOCK = {"role": "user", "content": [{"text": "Hi"}]}


@pytest.mark.parametrize("name", FORMATS.names())
def test_samples_are_detected_read_and_written_back(name):
    known = FORMATS.load(name)
    found = detect_format(known.sample)
    assert found is not None
    assert found.name == name == known.name
    example = known.read(known.sample)
    assert known.write is not None
    written = known.write(example)
    assert written is not None
    assert known.read(written) == example


@pytest.mark.parametrize("name", FORMATS.names())
def test_foreign_examples_have_no_place_or_come_back_the_same(name):
    known = FORMATS.load(name)
    asked = (Turn("system", "Be kind."), Turn("user", "Hi"))
    for example in (
        Text("Once."),
        Chat((*asked, Turn("assistant", "Hello"))),
        Chat((*asked, Turn("assistant", "Hello"), Turn("user", "Bye"), Turn("assistant", "Bye"))),
        Prompt(asked),
        Preference(asked, "Hello", "No"),
        Preference(asked[1:], "Hello", "No"),
    ):
        written = known.write(example)
        if written is not None:
            assert (detect_format(written) if name != "canonical" else known).read(written) == example


def read(name, record):
    return FORMATS.load(name).read(record)


def test_turns_of_all_forms_are_the_same_turns():
    expected = Chat((Turn("system", "Be kind."), Turn("user", "Hi"), Turn("assistant", "Hello")))
    records = {
        "prompt-completion": {"system": "Be kind.", "prompt": "Hi", "completion": "Hello"},
        "bedrock-conversation": {
            "schemaVersion": "bedrock-conversation-2024",
            "system": [{"text": "Be kind."}],
            "messages": [BLOCK, {"role": "assistant", "content": [{"text": "Hello"}]}],
        },
        "anthropic": {"system": "Be kind.", "messages": [U, {**A, "content": [{"type": "text", "text": "Hello"}]}]},
        "openai": {"messages": [{"role": "developer", "content": "Be kind."}, U, A]},
        "alpaca": {"system": "Be kind.", "instruction": "Hi", "input": " ", "output": "Hello"},
        "sharegpt": {
            "system": "Be kind.",
            "conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello"}],
        },
        "chatml": {
            "text": "<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n"
            "<|im_start|>assistant\nHello<|im_end|>"
        },
        "canonical": {"turns": [{"role": turn.role, "text": turn.text} for turn in expected.turns]},
    }
    for name, record in records.items():
        found = detect_format(record)
        assert found is not None
        assert found.name == name
        assert read(name, record) == expected, name


def test_conversations_without_an_answer_are_prompts():
    asked = (Turn("user", "Hi"),)
    assert read("openai", {"messages": [U]}) == Prompt(asked)
    assert read("chatml", {"text": "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"}) == Prompt(asked)
    assert read("graded", {"messages": [U], "reference_answer": {"value": 4}}) == Prompt(asked, '{"value":4}')


def test_pairs_come_as_texts_and_as_messages():
    expected = Preference((Turn("user", "Hi"),), "Hello", "No")
    no = {"role": "assistant", "content": "No"}
    for record in (
        {"prompt": "Hi", "chosen": "Hello", "rejected": "No"},
        {"prompt": [U], "chosen": [A], "rejected": [no]},
        {"prompt": [U], "chosen": [U, A], "rejected": [U, no]},
        {"chosen": [U, A], "rejected": [U, no]},
        {"prompt": [U], "chosen": "Hello", "rejected": "No"},
    ):
        assert read("preference", record) == expected


def messages(*turns):
    return {"messages": list(turns)}


CASES = [
    ("openai", messages(), "empty", "messages"),
    ("openai", {"messages": "Hi"}, "type", "messages"),
    ("openai", messages("Hi"), "type", "messages[0]"),
    ("openai", messages({"role": "user"}), "missing", "messages[0].content"),
    ("openai", messages(U, {"role": "assistant", "content": ""}), "empty", "messages[1].content"),
    ("openai", messages(U, {"role": "assistant", "content": None}), "type", "messages[1].content"),
    ("openai", messages(U, {"role": "robot", "content": "x"}), "role", "messages[1].role"),
    ("openai", messages(A, U), "order", "messages[0].role"),
    ("openai", messages(U, U, A), "order", "messages[1].role"),
    ("openai", messages(U, A, {"role": "system", "content": "x"}), "order", "messages[2].role"),
    ("openai", messages({"role": "system", "content": "x"}), "order", "messages"),
    ("openai", messages(U, {**A, "name": "x"}), "unknown-field", "messages[1].name"),
    ("openai", messages(U, {**A, "weight": 0}), "unsupported", "messages[1].weight"),
    ("openai", messages(U, {**A, "tool_calls": [{"id": "1"}]}), "tools", "messages[1].tool_calls"),
    ("openai", messages(U, {"role": "tool", "content": "x"}), "tools", "messages[1].role"),
    ("openai", {**messages(U, A), "tools": [{}]}, "tools", "tools"),
    ("openai", messages({"role": "user", "content": [{"type": "image_url", "image_url": {}}]}), "media",
     "messages[0].content[0]"),
    ("openai", messages({"role": "user", "content": [{"type": "poem"}]}), "unsupported", "messages[0].content[0].type"),
    ("anthropic", {"system": 3, **messages(U, A)}, "type", "system"),
    ("anthropic", {"system": "x", **messages({"role": "system", "content": "y"}, U, A)}, "role", "messages"),
    ("anthropic", {"system": "x", **messages({"role": "user", "content": [{"type": "tool_use"}]})}, "tools",
     "messages[0].content[0]"),
    ("bedrock-conversation", {"schemaVersion": "2023", **messages(BLOCK)}, "unsupported", "schemaVersion"),
    ("bedrock-conversation", {"schemaVersion": "bedrock-conversation-2024",
     **messages({"role": "user", "content": [{"image": {"format": "png"}}]})}, "media", "messages[0].content[0].image"),
    ("bedrock-conversation", {"schemaVersion": "bedrock-conversation-2024",
     **messages(BLOCK, {"role": "assistant", "content": [{"toolUse": {"name": "x"}}]})}, "tools",
     "messages[1].content[0].toolUse"),
    ("graded", {**messages(U, A), "reference_answer": "x"}, "order", "messages[1].role"),
    ("graded", {**messages(U), "reference_answer": ""}, "empty", "reference_answer"),
    ("prompt-completion", {"prompt": "x", "completion": 3}, "type", "completion"),
    ("prompt-completion", {"prompt": " \n", "completion": "x"}, "empty", "prompt"),
    ("prompt-completion", {"prompt": "x", "completion": "y", "weight": 1}, "unknown-field", "weight"),
    ("prompt-completion", {"prompt": "x \ud83d", "completion": "y"}, "encoding", "prompt"),
    ("text", {"text": ["x"]}, "type", "text"),
    ("input", {"input": ""}, "empty", "input"),
    ("alpaca", {"instruction": "x"}, "missing", "output"),
    ("sharegpt", {"conversations": [{"from": "gpt", "value": "x"}]}, "order", "conversations[0].role"),
    ("sharegpt", {"conversations": [{"from": "function_call", "value": "x"}]}, "tools", "conversations[0].from"),
    ("chatml", {"text": "Hello <|im_start|>user\nHi<|im_end|>"}, "order", "text"),
    ("chatml", {"text": "<|im_start|>user\nHi"}, "order", "text"),
    ("chatml", {"text": "<|im_start|>user Hi<|im_end|>"}, "order", "text"),
    ("preference", {"prompt": "x", "chosen": "a", "rejected": "a"}, "empty", "rejected"),
    ("preference", {"chosen": "a", "rejected": "b"}, "missing", "prompt"),
    ("preference", {"chosen": [U, A], "rejected": [{**U, "content": "Other"}, A]}, "order", "rejected"),
    ("canonical", {"turns": [{"role": "user", "text": "x", "time": 1}]}, "unknown-field", "turns[0].time"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "record", "kind", "field"), CASES, ids=[f"{c[0]}-{c[2]}-{c[3]}" for c in CASES])
def test_what_is_wrong_is_named(name, record, kind, field):
    with pytest.raises(BadRecord) as caught:
        read(name, record)
    assert (caught.value.kind, caught.value.field) == (kind, field)
    assert caught.value.message
    assert caught.value.fix


def test_tables_that_are_no_records_are_no_running_text():
    assert detect_format({"question": "x", "input": "y", "answer": "z"}) is None
    assert detect_format({"label": 1, "text": "x"}) is None
    assert detect_format({}) is None

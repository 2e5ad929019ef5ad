"""Each family's documented request, and the answer and the chunks that come of one scripted generation."""

import pytest

from rocamadre.core.messages import (
    Document,
    Finish,
    Media,
    Message,
    Reasoning,
    ReasoningDelta,
    Sampling,
    Text,
    TextDelta,
    Usage,
)
from rocamadre.engines.collect import Answer
from rocamadre.engines.profiles.registry import find_profile
from rocamadre.engines.profiles.types import AnswerFacts

ID = "0123456789abcdef0123456789abcdef"


def user(text):
    return Message("user", (Text(text),))


def assistant(text):
    return Message("assistant", (Text(text),))


def profile_of(base_id, body):
    return find_profile(base_id, embeds=False, aliased=not base_id.startswith("rocamadre."), body=body)


def facts(base_id):
    return AnswerFacts(ID, base_id, "rocamadre.fake-v1:0", 1_700_000_000, 7)


def answer(reason="end_turn", stop=None):
    return Answer((Text("Hello world"),), Finish(reason, Usage(7, 2), stop))


def chunks_of(base_id, body, *events):
    write = profile_of(base_id, body).chunks(facts(base_id))
    return [chunk for event in events for chunk in write(event)]


def stream_of(base_id, body, reason="end_turn", stop=None):
    return chunks_of(base_id, body, TextDelta("Hello"), TextDelta(" world"), Finish(reason, Usage(7, 2), stop))


TITAN = {
    "inputText": "User: What is a shark?\nBot:",
    "textGenerationConfig": {"maxTokenCount": 100, "stopSequences": ["User:"], "temperature": 0, "topP": 1},
}
NOVA = {
    "schemaVersion": "messages-v1",
    "system": [{"text": "Be brief."}],
    "messages": [{"role": "user", "content": [{"text": "Hi"}]}],
    "inferenceConfig": {"max_new_tokens": 100, "top_p": 0.8, "top_k": 20, "temperature": 0.6, "stopSequences": ["x"]},
}
CLAUDE = {
    "anthropic_version": "bedrock-2023-05-31",
    "max_tokens": 100,
    "system": "Be brief.",
    "messages": [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": [{"type": "text", "text": "Hello"}]},
        {"role": "user", "content": [{"type": "text", "text": "Why?"}]},
    ],
    "temperature": 0.2,
    "top_p": 0.9,
    "top_k": 40,
    "stop_sequences": ["\n\n"],
}
CLAUDE_TEXT = {
    "prompt": "Be brief.\n\nHuman: Hi\n\nAssistant: Hello\n\nHuman: Why?\n\nAssistant:",
    "max_tokens_to_sample": 300,
    "temperature": 0.1,
    "top_p": 0.9,
}
LLAMA = {
    "prompt": "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nBe brief.<|eot_id|>"
    "<|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n",
    "max_gen_len": 512,
    "temperature": 0.1,
    "top_p": 0.9,
}
MISTRAL = {
    "prompt": "<s>[INST] Hi [/INST] Hello</s>[INST] Why? [/INST]",
    "max_tokens": 200,
    "temperature": 0.5,
    "top_p": 0.9,
    "top_k": 50,
    "stop": ["x"],
}
MISTRAL_CHAT = {
    "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}],
    "max_tokens": 50,
}
OPENAI = {
    "messages": [{"role": "developer", "content": "Be brief."}, {"role": "user", "content": "Hi"}],
    "max_completion_tokens": 50,
    "temperature": 0.7,
    "stop": "x",
    "seed": 4,
    "stream": False,
}


@pytest.mark.parametrize(
    ("base_id", "body", "system", "messages", "sampling"),
    [
        (
            "amazon.titan-text-express-v1",
            TITAN,
            "",
            (user("What is a shark?"),),
            Sampling(max_tokens=100, temperature=0, top_p=1, stop=("User:",)),
        ),
        (
            "amazon.titan-text-lite-v1",
            {"inputText": "Just text"},
            "",
            (user("Just text"),),
            Sampling(max_tokens=512, temperature=0.7, top_p=0.9),
        ),
        (
            "amazon.nova-lite-v1:0",
            NOVA,
            "Be brief.",
            (user("Hi"),),
            Sampling(max_tokens=100, temperature=0.6, top_p=0.8, top_k=20, stop=("x",)),
        ),
        (
            "anthropic.claude-3-haiku-20240307-v1:0",
            CLAUDE,
            "Be brief.",
            (user("Hi"), assistant("Hello"), user("Why?")),
            Sampling(max_tokens=100, temperature=0.2, top_p=0.9, top_k=40, stop=("\n\n",)),
        ),
        (
            "anthropic.claude-v2:1",
            CLAUDE_TEXT,
            "Be brief.",
            (user("Hi"), assistant("Hello"), user("Why?")),
            Sampling(max_tokens=300, temperature=0.1, top_p=0.9, top_k=250, stop=("\n\nHuman:",)),
        ),
        (
            "meta.llama3-8b-instruct-v1:0",
            LLAMA,
            "Be brief.",
            (user("Hi"),),
            Sampling(max_tokens=512, temperature=0.1, top_p=0.9),
        ),
        (
            "mistral.mistral-7b-instruct-v0:2",
            MISTRAL,
            "",
            (user("Hi"), assistant("Hello"), user("Why?")),
            Sampling(max_tokens=200, temperature=0.5, top_p=0.9, top_k=50, stop=("x",)),
        ),
        (
            "mistral.mistral-large-2407-v1:0",
            MISTRAL_CHAT,
            "Be brief.",
            (user("Hi"),),
            Sampling(max_tokens=50, temperature=0.7, top_p=1.0),
        ),
        (
            "openai.gpt-oss-20b-1:0",
            OPENAI,
            "Be brief.",
            (user("Hi"),),
            Sampling(max_tokens=50, temperature=0.7, stop=("x",), seed=4),
        ),
    ],
)
def test_requests(base_id, body, system, messages, sampling):
    request = profile_of(base_id, body).read(body)
    assert (request.system, request.messages, request.sampling) == (system, messages, sampling)
    assert request.prompt is None


@pytest.mark.parametrize(
    ("base_id", "body", "written"),
    [
        (
            "amazon.titan-text-express-v1",
            TITAN,
            {
                "inputTextTokenCount": 7,
                "results": [{"tokenCount": 2, "outputText": "Hello world", "completionReason": "FINISHED"}],
            },
        ),
        (
            "amazon.nova-lite-v1:0",
            NOVA,
            {
                "output": {"message": {"role": "assistant", "content": [{"text": "Hello world"}]}},
                "stopReason": "end_turn",
                "usage": {
                    "inputTokens": 7,
                    "outputTokens": 2,
                    "totalTokens": 9,
                    "cacheReadInputTokenCount": 0,
                    "cacheWriteInputTokenCount": 0,
                },
            },
        ),
        (
            "anthropic.claude-3-haiku-20240307-v1:0",
            CLAUDE,
            {
                "id": f"msg_bdrk_{ID}",
                "type": "message",
                "role": "assistant",
                "model": "claude-3-haiku-20240307",
                "content": [{"type": "text", "text": "Hello world"}],
                "stop_reason": "end_turn",
                "stop_sequence": None,
                "usage": {
                    "input_tokens": 7,
                    "cache_creation_input_tokens": 0,
                    "cache_read_input_tokens": 0,
                    "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
                    "output_tokens": 2,
                },
            },
        ),
        (
            "anthropic.claude-v2:1",
            CLAUDE_TEXT,
            {
                "type": "completion",
                "completion": "Hello world",
                "stop_reason": "stop_sequence",
                "stop": "\n\nHuman:",
            },
        ),
        (
            "meta.llama3-8b-instruct-v1:0",
            LLAMA,
            {
                "generation": "Hello world",
                "prompt_token_count": 7,
                "generation_token_count": 2,
                "stop_reason": "stop",
            },
        ),
        (
            "mistral.mistral-7b-instruct-v0:2",
            MISTRAL,
            {"outputs": [{"text": "Hello world", "stop_reason": "stop"}]},
        ),
        (
            "mistral.mistral-large-2407-v1:0",
            MISTRAL_CHAT,
            {
                "choices": [
                    {
                        "index": 0,
                        "message": {"role": "assistant", "content": "Hello world"},
                        "stop_reason": "stop",
                    }
                ]
            },
        ),
        (
            "openai.gpt-oss-20b-1:0",
            OPENAI,
            {
                "id": f"chatcmpl-{ID}",
                "object": "chat.completion",
                "created": 1_700_000_000,
                "model": "rocamadre.fake-v1:0",
                "choices": [
                    {
                        "index": 0,
                        "message": {"role": "assistant", "content": "Hello world"},
                        "finish_reason": "stop",
                    }
                ],
                "usage": {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9},
            },
        ),
    ],
)
def test_answers(base_id, body, written):
    assert profile_of(base_id, body).write(answer(), facts(base_id)) == written


def test_titan_chunks():
    common = {"index": 0, "inputTextTokenCount": 7}
    assert stream_of("amazon.titan-text-express-v1", TITAN, "max_tokens") == [
        {"outputText": "Hello", "totalOutputTextTokenCount": None, "completionReason": None, **common},
        {"outputText": " world", "totalOutputTextTokenCount": None, "completionReason": None, **common},
        {"outputText": "", "totalOutputTextTokenCount": 2, "completionReason": "LENGTH", **common},
    ]


def test_nova_chunks():
    *events, metadata = stream_of("amazon.nova-lite-v1:0", NOVA)
    assert events == [
        {"messageStart": {"role": "assistant"}},
        {"contentBlockDelta": {"delta": {"text": "Hello"}, "contentBlockIndex": 0}},
        {"contentBlockDelta": {"delta": {"text": " world"}, "contentBlockIndex": 0}},
        {"contentBlockStop": {"contentBlockIndex": 0}},
        {"messageStop": {"stopReason": "end_turn"}},
    ]
    assert metadata["metadata"]["usage"]["totalTokens"] == 9


def test_claude_chunks():
    start, *events = stream_of("anthropic.claude-3-haiku-20240307-v1:0", CLAUDE, "stop_sequence", "\n\n")
    assert start["type"] == "message_start"
    assert start["message"]["usage"]["input_tokens"] == 7
    assert start["message"]["content"] == []
    assert events == [
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hello"}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": " world"}},
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "stop_sequence", "stop_sequence": "\n\n"},
            "usage": {
                "input_tokens": 7,
                "cache_creation_input_tokens": 0,
                "cache_read_input_tokens": 0,
                "output_tokens": 2,
            },
        },
        {"type": "message_stop"},
    ]


def test_claude_thinking_has_a_block_of_its_own():
    base_id = "anthropic.claude-3-haiku-20240307-v1:0"
    events = chunks_of(base_id, CLAUDE, ReasoningDelta("Hm"), TextDelta("a"), Finish("end_turn", Usage()))
    assert [event["type"] for event in events] == [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    thought = Answer((Reasoning("Hm"), Text("a")), Finish("end_turn", Usage()))
    content = profile_of(base_id, CLAUDE).write(thought, facts(base_id))["content"]
    assert [block["type"] for block in content] == ["thinking", "text"]


def test_claude_text_chunks():
    assert stream_of("anthropic.claude-v2:1", CLAUDE_TEXT, "max_tokens")[1:] == [
        {"type": "completion", "completion": " world", "stop_reason": None, "stop": None},
        {"type": "completion", "completion": "", "stop_reason": "max_tokens", "stop": None},
    ]


def test_llama_chunks():
    assert stream_of("meta.llama3-8b-instruct-v1:0", LLAMA, "max_tokens") == [
        {"generation": "Hello", "prompt_token_count": 7, "generation_token_count": 1, "stop_reason": None},
        {"generation": " world", "prompt_token_count": None, "generation_token_count": 2, "stop_reason": None},
        {"generation": "", "prompt_token_count": None, "generation_token_count": 2, "stop_reason": "length"},
    ]


def test_mistral_chunks():
    assert stream_of("mistral.mistral-7b-instruct-v0:2", MISTRAL) == [
        {"outputs": [{"text": "Hello", "stop_reason": None}]},
        {"outputs": [{"text": " world", "stop_reason": None}]},
        {"outputs": [{"text": "", "stop_reason": "stop"}]},
    ]


def test_openai_chunks():
    chunks = stream_of("openai.gpt-oss-20b-1:0", OPENAI)
    assert [chunk["choices"][0]["delta"] for chunk in chunks] == [
        {"role": "assistant", "content": ""},
        {"content": "Hello"},
        {"content": " world"},
        {},
    ]
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks] == [None, None, None, "stop"]
    assert chunks[-1]["usage"]["total_tokens"] == 9


@pytest.mark.parametrize(
    ("reason", "titan", "llama", "mistral", "openai"),
    [
        ("max_tokens", "LENGTH", "length", "length", "length"),
        ("model_context_window_exceeded", "LENGTH", "length", "length", "length"),
        ("stop_sequence", "STOP_CRITERIA_MET", "stop", "stop", "stop"),
        ("content_filtered", "CONTENT_FILTERED", "stop", "stop", "content_filter"),
    ],
)
def test_stop_reasons(reason, titan, llama, mistral, openai):
    def write(base_id, body):
        return profile_of(base_id, body).write(answer(reason), facts(base_id))

    assert write("amazon.titan-text-express-v1", TITAN)["results"][0]["completionReason"] == titan
    assert write("meta.llama3-8b-instruct-v1:0", LLAMA)["stop_reason"] == llama
    assert write("mistral.mistral-7b-instruct-v0:2", MISTRAL)["outputs"][0]["stop_reason"] == mistral
    assert write("openai.gpt-oss-20b-1:0", OPENAI)["choices"][0]["finish_reason"] == openai


def test_claude_documents_and_images():
    content = [
        {"type": "document", "title": "Note", "source": {"type": "text", "media_type": "text/plain", "data": "abc"}},
        {"type": "document", "source": {"type": "base64", "media_type": "text/plain", "data": "Y2Fmw6k="}},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAEC"}},
        {"type": "text", "text": "Look"},
    ]
    body = CLAUDE | {"messages": [{"role": "user", "content": content}]}
    request = profile_of("anthropic.claude-3-haiku-20240307-v1:0", body).read(body)
    assert request.messages[0].content == (
        Document("Note", "abc"),
        Document("document", "café"),
        Media("image", "png", b"\x00\x01\x02"),
        Text("Look"),
    )


def test_nova_documents_and_images():
    content = [
        {"document": {"format": "md", "name": "note", "source": {"bytes": "IyBI"}}},
        {"image": {"format": "png", "source": {"bytes": "AAEC"}}},
        {"text": "Look"},
    ]
    body = {"messages": [{"role": "user", "content": content}]}
    request = profile_of("amazon.nova-pro-v1:0", body).read(body)
    assert request.messages[0].content == (
        Document("note", "# H"),
        Media("image", "png", b"\x00\x01\x02"),
        Text("Look"),
    )

"""The chat format of gpt-oss, Qwen, Gemma, Nemotron, Kimi, MiniMax, GLM, DeepSeek V3 and models asked for by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rocamadre.core.messages import (
    Event,
    Finish,
    GenerationRequest,
    ReasoningDelta,
    Sampling,
    TextDelta,
    ToolUseDelta,
    ToolUseStart,
    Usage,
)
from rocamadre.engines.collect import Answer
from rocamadre.engines.profiles.chat_messages import CHAT_MESSAGES, read_chat
from rocamadre.engines.profiles.checks import (
    Check,
    anything,
    array,
    boolean,
    choice,
    either,
    integer,
    malformed,
    mapping,
    number,
    only,
    optional,
    read_body,
    record,
    string,
)
from rocamadre.engines.profiles.function_tools import (
    TOOLS,
    CallDeltas,
    read_choice,
    read_tools,
    tool_choice,
    tool_uses,
    write_call,
)
from rocamadre.engines.profiles.sampling import MOST_SEED, MOST_TOKENS, settled
from rocamadre.engines.profiles.types import AnswerFacts, ChunkWriter, Json, TextProfile

_STOP = string(1)
STOPS: Check = either((str, _STOP), (list, array(_STOP, 0, 16)), (type(None), anything))
FORMAT: Check = optional(
    record(
        {
            "type": choice("text", "json_object", "json_schema"),
            "json_schema": record(
                {
                    "name": string(1, 64),
                    "description": optional(string()),
                    "schema": mapping,
                    "strict": optional(boolean),
                },
                required=("schema",),
            ),
        },
        required=("type",),
    )
)
SETTINGS: Mapping[str, Check] = {
    "model": string(),
    "max_tokens": optional(integer(1, MOST_TOKENS)),
    "max_completion_tokens": optional(integer(1, MOST_TOKENS)),
    "temperature": optional(number(0, 2)),
    "top_p": optional(number(0, 1)),
    "top_k": optional(integer(0)),
    "min_p": optional(number(0, 1)),
    "min_tokens": optional(integer(0, MOST_TOKENS)),
    "seed": optional(integer(0, MOST_SEED)),
    "stop": STOPS,
    "frequency_penalty": optional(number(-2, 2)),
    "presence_penalty": optional(number(-2, 2)),
    "repetition_penalty": optional(number(above=0)),
    "n": only(1, why="several answers to one request"),
    "stream": optional(boolean),
    "stream_options": optional(record({"include_usage": boolean})),
    "user": optional(string()),
}
"""What chat and completion share."""

BODY = record(
    {
        **SETTINGS,
        "messages": CHAT_MESSAGES,
        "tools": TOOLS,
        "tool_choice": tool_choice("auto", "none", "any", "required"),
        "parallel_tool_calls": optional(boolean),
        "response_format": FORMAT,
        "reasoning_effort": only("none", why="reasoning effort"),
    },
    required=("messages",),
    later={
        "logprobs": "log-probabilities in this body format",
        "top_logprobs": "log-probabilities in this body format",
        "logit_bias": "logit bias in this body format",
        "functions": "the old form of tools, functions, but tools,",
        "function_call": "the old form of tool choice, function_call, but tool_choice,",
    },
)
REASONS = {
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "content_filtered": "content_filter",
    "guardrail_intervened": "content_filter",
}
_ANY_OBJECT: Mapping[str, Any] = {"type": "object"}


def read(body: Any) -> GenerationRequest:
    """From the body."""
    read_body(body, BODY)
    system, messages = read_chat(body["messages"])
    tools = read_tools(body.get("tools"))
    return GenerationRequest(
        messages,
        system,
        sampling=read_sampling(body),
        tools=tools,
        tool_choice=read_choice(body.get("tool_choice"), tools, parallel=body.get("parallel_tool_calls") is not False),
        schema=read_format(body.get("response_format")),
    )


def read_sampling(body: Json) -> Sampling:
    """The sampling settings of a checked body."""
    stop = body.get("stop") or ()
    most = body.get("max_completion_tokens")
    return settled(
        Sampling(
            max_tokens=body.get("max_tokens") if most is None else most,
            min_tokens=body.get("min_tokens"),
            temperature=body.get("temperature"),
            top_p=body.get("top_p"),
            top_k=body.get("top_k"),
            min_p=body.get("min_p"),
            seed=body.get("seed"),
            stop=(stop,) if isinstance(stop, str) else tuple(stop),
            frequency_penalty=body.get("frequency_penalty"),
            presence_penalty=body.get("presence_penalty"),
            repetition_penalty=body.get("repetition_penalty"),
        )
    )


def read_format(wanted: Json | None) -> Mapping[str, Any] | None:
    """The schema that a checked `response_format` asks for; which keywords can be followed is the engine's to say."""
    kind = (wanted or {}).get("type", "text")
    if kind == "text":
        return None
    if kind == "json_object":
        return _ANY_OBJECT
    if wanted is None or "json_schema" not in wanted:
        raise malformed("#/response_format: required key [json_schema] not found")
    schema: Mapping[str, Any] = wanted["json_schema"]["schema"]
    return schema


def write(answer: Answer, facts: AnswerFacts) -> Json:
    """The answer's body."""
    calls = tool_uses(answer)
    message: Json = {"role": "assistant", "content": answer.text if answer.text or not calls else None}
    if answer.reasoning:
        message["reasoning_content"] = answer.reasoning
    if calls:
        message["tool_calls"] = [write_call(call) for call in calls]
    reason = REASONS.get(answer.finish.reason, "stop")
    return {
        **head(facts, "chat.completion"),
        "choices": [{"index": 0, "message": message, "finish_reason": reason}],
        "usage": write_usage(answer.finish.usage),
    }


def chunks(facts: AnswerFacts) -> ChunkWriter:
    """The role, a chunk per piece, the reason with the usage."""
    common = head(facts, "chat.completion.chunk")
    calls = CallDeltas()
    begun = False

    def chunk(delta: Json, reason: str | None = None) -> Json:
        return {**common, "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}

    def write_chunk(event: Event) -> list[Json]:
        nonlocal begun
        result: list[Json] = []
        if not begun:
            begun = True
            result.append(chunk({"role": "assistant", "content": ""}))
        if isinstance(event, TextDelta):
            result.append(chunk({"content": event.text}))
        elif isinstance(event, ReasoningDelta):
            if event.text:
                result.append(chunk({"reasoning_content": event.text}))
        elif isinstance(event, ToolUseStart | ToolUseDelta):
            result.append(chunk({"tool_calls": calls(event)}))
        elif isinstance(event, Finish):
            result.append({**chunk({}, REASONS.get(event.reason, "stop")), "usage": write_usage(event.usage)})
        return result

    return write_chunk


def head(facts: AnswerFacts, kind: str, *, prefix: str = "chatcmpl") -> Json:
    """What every answer and chunk begins with."""
    return {"id": f"{prefix}-{facts.id}", "object": kind, "created": facts.created, "model": facts.model_id}


def write_usage(usage: Usage) -> Json:
    """Tokens, as OpenAI counts them: what was taken from a cache is part of the prompt."""
    read_tokens = usage.input_tokens + usage.cache_read_tokens + usage.cache_write_tokens
    return {
        "prompt_tokens": read_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": read_tokens + usage.output_tokens,
    }


PROFILE = TextProfile(
    "OpenAI chat",
    (
        "openai.gpt-oss-*",
        "qwen.*",
        "google.gemma-*",
        "nvidia.nemotron-*",
        "moonshot.kimi-*",
        "moonshotai.kimi-*",
        "minimax.minimax-*",
        "zai.glm-*",
        "deepseek.v3*",
        "mistral.pixtral-*",
        "mistral.ministral-*",
        "mistral.magistral-*",
        "mistral.devstral-*",
        "mistral.mistral-large-3-*",
        "mistral.voxtral-*",
    ),
    read,
    write,
    chunks,
    body=BODY,
    tools=True,
    structured="response_format",
)
LOCAL_CHAT = TextProfile("OpenAI chat", (), read, write, chunks, body=BODY, tools=True, structured="response_format")

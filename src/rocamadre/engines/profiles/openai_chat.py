"""The chat format of gpt-oss, Qwen, Gemma, Nemotron, Kimi, MiniMax and GLM, and of models asked for by name."""

from __future__ import annotations

from typing import Any

from rocamadre.core.messages import Event, Finish, GenerationRequest, ReasoningDelta, Sampling, TextDelta, Usage
from rocamadre.engines.collect import Answer
from rocamadre.engines.profiles import llama
from rocamadre.engines.profiles.chat_messages import CHAT_MESSAGES, read_chat
from rocamadre.engines.profiles.checks import (
    anything,
    array,
    boolean,
    choice,
    either,
    integer,
    number,
    read_body,
    record,
    string,
)
from rocamadre.engines.profiles.sampling import MOST_SEED, MOST_TOKENS, settled
from rocamadre.engines.profiles.types import AnswerFacts, ChunkWriter, Json, TextProfile

_STOP = string(1)
_BODY = record(
    {
        "messages": CHAT_MESSAGES,
        "model": string(),
        "max_tokens": integer(1, MOST_TOKENS),
        "max_completion_tokens": integer(1, MOST_TOKENS),
        "temperature": number(0, 2),
        "top_p": number(0, 1),
        "top_k": integer(0),
        "min_p": number(0, 1),
        "seed": integer(0, MOST_SEED),
        "stop": either((str, _STOP), (list, array(_STOP, 0, 16)), (type(None), anything)),
        "frequency_penalty": number(-2, 2),
        "presence_penalty": number(-2, 2),
        "repetition_penalty": number(above=0),
        "n": choice(1),
        "stream": boolean,
        "user": string(),
        "tool_choice": choice("auto", "none"),
    },
    required=("messages",),
    later={
        "tools": "tools",
        "response_format": "structured output",
        "logprobs": "log-probabilities in this body format",
        "top_logprobs": "log-probabilities in this body format",
        "logit_bias": "logit bias in this body format",
        "reasoning_effort": "reasoning effort",
    },
)
_REASONS = {
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "content_filtered": "content_filter",
}


def read(body: Any) -> GenerationRequest:
    """From the body."""
    read_body(body, _BODY)
    system, messages = read_chat(body["messages"])
    stop = body.get("stop") or ()
    return GenerationRequest(
        messages,
        system,
        sampling=settled(
            Sampling(
                max_tokens=body.get("max_completion_tokens", body.get("max_tokens")),
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
        ),
    )


def write(answer: Answer, facts: AnswerFacts) -> Json:
    """The answer's body."""
    message: Json = {"role": "assistant", "content": answer.text}
    if answer.reasoning:
        message["reasoning_content"] = answer.reasoning
    reason = _REASONS.get(answer.finish.reason, "stop")
    return {
        **_head(facts, "chat.completion"),
        "choices": [{"index": 0, "message": message, "finish_reason": reason}],
        "usage": _usage(answer.finish.usage),
    }


def chunks(facts: AnswerFacts) -> ChunkWriter:
    """The role, a chunk per piece, the reason with the usage."""
    head = _head(facts, "chat.completion.chunk")
    begun = False

    def chunk(delta: Json, reason: str | None = None) -> Json:
        return {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}

    def write_chunk(event: Event) -> list[Json]:
        nonlocal begun
        result = []
        if not begun:
            begun = True
            result.append(chunk({"role": "assistant", "content": ""}))
        if isinstance(event, TextDelta):
            result.append(chunk({"content": event.text}))
        elif isinstance(event, ReasoningDelta):
            result.append(chunk({"reasoning_content": event.text}))
        elif isinstance(event, Finish):
            result.append({**chunk({}, _REASONS.get(event.reason, "stop")), "usage": _usage(event.usage)})
        return result

    return write_chunk


def _head(facts: AnswerFacts, kind: str) -> Json:
    return {"id": f"chatcmpl-{facts.id}", "object": kind, "created": facts.created, "model": facts.model_id}


def _usage(usage: Usage) -> Json:
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
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
        "mistral.pixtral-*",
        "mistral.ministral-*",
        "mistral.magistral-*",
        "mistral.mistral-large-3-*",
        "mistral.voxtral-*",
    ),
    read,
    write,
    chunks,
)
LOCAL_PROMPT = TextProfile("prompt", (), llama.read, llama.write, llama.chunks, counts_first=True, marker="prompt")
LOCAL_CHAT = TextProfile("chat", (), read, write, chunks)

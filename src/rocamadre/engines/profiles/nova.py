"""Amazon Nova."""

from __future__ import annotations

import base64
import binascii
from typing import Any, Literal, TypeAlias, cast

from rocamadre.core.errors import InvalidRequest, NotBuilt
from rocamadre.core.messages import (
    Block,
    Document,
    Event,
    Finish,
    GenerationRequest,
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
from rocamadre.engines.profiles.checks import Check, anything, array, choice, integer, number, read_body, record, string
from rocamadre.engines.profiles.documents import check_name, read_document
from rocamadre.engines.profiles.sampling import MOST_TOKENS, settled
from rocamadre.engines.profiles.turns import check_turns
from rocamadre.engines.profiles.types import AnswerFacts, Json, TextProfile

MediaKind: TypeAlias = Literal["image", "video", "audio"]
_LATER = {
    "toolUse": "tools",
    "toolResult": "tools",
    "cachePoint": "prompt caching",
    "guardContent": "guardrails",
}
_MEDIA: Check = record(
    {
        "format": string(1),
        "source": record({"bytes": string(1)}, later={"s3Location": "media in S3"}),
        "name": string(1),
    },
    required=("format", "source"),
)
_BLOCK: Check = record(
    {
        "text": string(1),
        "image": _MEDIA,
        "video": _MEDIA,
        "audio": _MEDIA,
        "document": _MEDIA,
        "reasoningContent": anything,
    },
    later=_LATER,
)
_MOST = integer(1, MOST_TOKENS)
_BODY = record(
    {
        "schemaVersion": choice("messages-v1"),
        "system": array(record({"text": string(1)}, later=_LATER)),
        "messages": array(
            record({"role": choice("user", "assistant"), "content": array(_BLOCK, 1)}, required=("role", "content")), 1
        ),
        "inferenceConfig": record(
            {
                "maxTokens": _MOST,
                "max_new_tokens": _MOST,
                "temperature": number(0, 1),
                "topP": number(0, 1),
                "top_p": number(0, 1),
                "topK": integer(0, 128),
                "top_k": integer(0, 128),
                "stopSequences": array(string(1)),
            },
            later={"reasoningConfig": "reasoning settings"},
        ),
    },
    required=("messages",),
    later={"toolConfig": "tools", "reasoningConfig": "reasoning settings"},
)


def read(body: Any) -> GenerationRequest:
    """From the body."""
    read_body(body, _BODY)
    config = body.get("inferenceConfig", {})
    messages = tuple(
        Message(
            each["role"],
            tuple(_block(block, f"#/messages/{index}/content/{at}") for at, block in enumerate(each["content"])),
        )
        for index, each in enumerate(body["messages"])
    )
    return GenerationRequest(
        check_turns(messages),
        "\n\n".join(each.get("text", "") for each in body.get("system", ())),
        sampling=settled(
            Sampling(
                max_tokens=config.get("maxTokens", config.get("max_new_tokens")),
                temperature=config.get("temperature", 0.7),
                top_p=config.get("topP", config.get("top_p", 0.9)),
                top_k=config.get("topK", config.get("top_k")),
                stop=tuple(config.get("stopSequences", ())),
            )
        ),
    )


def _block(block: Json, at: str) -> Block:
    if len(block) != 1:
        raise InvalidRequest(f"{at}: a content block holds exactly one of text, image, video, audio, document")
    kind, value = next(iter(block.items()))
    if kind == "text":
        return Text(value)
    if kind == "reasoningContent":
        try:
            return Reasoning(value["reasoningText"]["text"])
        except (KeyError, TypeError) as error:
            raise NotBuilt(f"{at}/reasoningContent: only reasoningText is taken") from error
    data = _bytes(value, at)
    if kind == "document":
        name = value.get("name", "document")
        check_name(name, at=at)
        return Document(name, read_document(data, value["format"], at=at))
    return Media(cast(MediaKind, kind), value["format"], data)


def _bytes(media: Json, at: str) -> bytes:
    try:
        return base64.b64decode(media["source"]["bytes"], validate=True)
    except (KeyError, binascii.Error, ValueError) as error:
        raise InvalidRequest(f"{at}: the source's bytes are missing or not valid base64") from error


def write(answer: Answer, facts: AnswerFacts) -> Json:
    """The answer's body."""
    content: list[Json] = []
    for block in answer.blocks:
        if isinstance(block, Text):
            content.append({"text": block.text})
        elif isinstance(block, Reasoning):
            content.append({"reasoningContent": {"reasoningText": {"text": block.text}}})
    return {
        "output": {"message": {"role": "assistant", "content": content or [{"text": ""}]}},
        "stopReason": answer.finish.reason,
        "usage": _usage(answer.finish.usage),
    }


class _Chunks:
    """The events of ConverseStream as JSON."""

    def __init__(self, facts: AnswerFacts) -> None:
        self._index = 0
        self._open = ""
        self._begun = False

    def __call__(self, event: Event) -> list[Json]:
        result: list[Json] = []
        if not self._begun:
            self._begun = True
            result.append({"messageStart": {"role": "assistant"}})
        if isinstance(event, TextDelta):
            result += self._switch("text")
            result.append(self._delta({"text": event.text}))
        elif isinstance(event, ReasoningDelta):
            result += self._switch("reasoning")
            result.append(self._delta({"reasoningContent": {"text": event.text}}))
        elif isinstance(event, Finish):
            result += self._close()
            result.append({"messageStop": {"stopReason": event.reason}})
            result.append({"metadata": {"usage": _usage(event.usage), "metrics": {}, "trace": {}}})
        return result

    def _switch(self, kind: str) -> list[Json]:
        result = self._close() if self._open != kind else []
        self._open = kind
        return result

    def _close(self) -> list[Json]:
        if not self._open:
            return []
        self._open = ""
        self._index += 1
        return [{"contentBlockStop": {"contentBlockIndex": self._index - 1}}]

    def _delta(self, delta: Json) -> Json:
        return {"contentBlockDelta": {"delta": delta, "contentBlockIndex": self._index}}


def _usage(usage: Usage) -> Json:
    return {
        "inputTokens": usage.input_tokens,
        "outputTokens": usage.output_tokens,
        "totalTokens": usage.input_tokens + usage.output_tokens + usage.cache_read_tokens + usage.cache_write_tokens,
        "cacheReadInputTokenCount": usage.cache_read_tokens,
        "cacheWriteInputTokenCount": usage.cache_write_tokens,
    }


PROFILE = TextProfile("Amazon Nova", ("amazon.nova-*",), read, write, _Chunks)

"""Converse's messages and content blocks, into the engines' form and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from rocamadre.api.bedrock_runtime.sources import fetch, read_s3_document
from rocamadre.core.context import Context
from rocamadre.core.errors import InvalidRequest, NotBuilt
from rocamadre.core.messages import (
    Block,
    CachePoint,
    Document,
    Mark,
    Media,
    Message,
    Reasoning,
    Text,
    ToolResult,
    ToolUse,
)
from rocamadre.engines.collect import AnswerBlock
from rocamadre.engines.profiles.documents import MOST_DOCUMENTS, check_name, read_document
from rocamadre.engines.profiles.turns import check_turns

Json = dict[str, Any]

LATER = {
    "toolAddition": "changes of the tools within a conversation",
    "toolRemoval": "changes of the tools within a conversation",
    "citationsContent": "citations",
}
"""Content blocks that come with a later part of Rocamadre, and which part."""

_BETWEEN = "\n\n"
TTL_S = {"5m": 300, "1h": 3600}
_MOST_MEDIA_BYTES = 25_000_000
_KEYS = (
    "text, image, document, video, audio, toolUse, toolResult, reasoningContent, cachePoint, searchResult, guardContent"
)


def read_messages(ctx: Context, messages: Sequence[Json]) -> tuple[Message, ...]:
    """A conversation. Blocks where documents are to be read: call it in a thread then.

    Raises:
        InvalidRequest: it breaks one of Amazon Bedrock's rules; in its words.
        NotBuilt: it holds a block that comes later.
    """
    read = []
    documents = 0
    reader = _Reader(ctx)
    for index, message in enumerate(messages):
        role, content = message["role"], message["content"]
        if role == "system":
            raise NotBuilt(f"messages.{index}: Rocamadre takes system prompts in the system member only")
        if not content:
            raise InvalidRequest(
                f"The content field in the Message object at messages.{index} is empty. Add a ContentBlock object to "
                "the content field and try again."
            )
        if len(content) == 1 and (text := content[0].get("text")) is not None and len(content[0]) == 1:
            blocks: tuple[Block, ...] = (_text(text, f"messages.{index}.content.0"),)
        else:
            blocks = tuple(
                reader.block(block, f"messages.{index}.content.{place}") for place, block in enumerate(content)
            )
            documents += _check_documents(blocks, role, index)
        read.append(Message(role, blocks))
    if documents > MOST_DOCUMENTS:
        raise InvalidRequest(f"the request holds {documents} documents; at most {MOST_DOCUMENTS} are taken")
    return check_turns(tuple(read))


class SystemPrompt(NamedTuple):
    """The system prompt.

    Attributes:
        text: Its blocks put together with a blank line between.
        cached: Whether a cache point is in it.
        marks: What of it a guardrail is to look at.
    """

    text: str
    cached: bool
    marks: tuple[Mark, ...]


def read_system(system: Sequence[Json]) -> SystemPrompt:
    """The system prompt.

    Raises:
        NotBuilt: it holds a block that comes later.
        InvalidRequest: a block is empty.
    """
    texts: list[str] = []
    marks: list[Mark] = []
    cached = False
    for index, block in enumerate(system):
        for name in block:
            if name not in ("text", "cachePoint", "guardContent"):
                raise _later(name, f"system.{index}")
        if "cachePoint" in block:
            cached = True
        elif "text" in block:
            texts.append(block["text"])
        elif "guardContent" in block:
            guarded = _guarded(block["guardContent"], f"system.{index}")
            start = sum(map(len, texts)) + len(_BETWEEN) * len(texts)
            marks += [Mark(start + each.start, start + each.end, each.qualifiers) for each in guarded.marks]
            texts.append(guarded.text)
        else:
            raise InvalidRequest(
                f"The SystemContentBlock object at system.{index} must set one of: text, cachePoint, guardContent"
            )
    return SystemPrompt(_BETWEEN.join(texts), cached, tuple(marks))


def write_blocks(blocks: Sequence[AnswerBlock]) -> list[Json]:
    """An answer's content; never empty, since clients read the first block without looking."""
    return [_write(block) for block in blocks] or [{"text": ""}]


def _write(block: AnswerBlock) -> Json:
    if isinstance(block, Text):
        return {"text": block.text}
    if isinstance(block, ToolUse):
        return {"toolUse": {"toolUseId": block.id, "name": block.name, "input": block.input}}
    if block.redacted:
        return {"reasoningContent": {"redactedContent": block.redacted}}
    signed = {"signature": block.signature} if block.signature else {}
    return {"reasoningContent": {"reasoningText": {"text": block.text, **signed}}}


class _Reader:
    """Reads content blocks.

    Args:
        ctx: Whose S3 buckets documents may come from.
    """

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx

    def block(self, block: Json, at: str) -> Block:
        if len(block) != 1:
            raise InvalidRequest(
                f"The ContentBlock object at {at} must set exactly one of the following keys: {_KEYS}."
            )
        kind, value = next(iter(block.items()))
        if kind == "text":
            return _text(value, at)
        if kind == "document":
            return self.document(value, f"{at}.document")
        if kind in ("image", "video", "audio"):
            return self.media(kind, value, f"{at}.{kind}")
        if kind == "toolUse":
            return _tool_use(value, f"{at}.toolUse")
        if kind == "toolResult":
            return self.tool_result(value, f"{at}.toolResult")
        if kind == "cachePoint":
            return CachePoint(TTL_S[value.get("ttl", "5m")])
        if kind in ("reasoningContent", "guardContent"):
            return (_reasoning if kind == "reasoningContent" else _guarded)(value, at)
        if kind == "searchResult":
            return _search_result(value, f"{at}.searchResult")
        raise _later(kind, at)

    def document(self, document: Json, at: str) -> Document:
        name, source = document["name"], document["source"]
        check_name(name, at=at)
        if (document.get("citations") or {}).get("enabled"):
            raise NotBuilt(f"{at}.citations: Rocamadre does not have citations yet; leave them out")
        if document.get("context") is not None:
            raise NotBuilt(f"{at}.context: Rocamadre does not have citations yet; leave the context out")
        where = f"{at}.source"
        if "s3Location" in source:
            text = read_s3_document(self._ctx, source["s3Location"], document.get("format"), at=f"{where}.s3Location")
        elif "text" in source:
            text = source["text"]
        elif "content" in source:
            text = "\n\n".join(part.get("text", "") for part in source["content"])
        elif "bytes" in source:
            text = read_document(source["bytes"], document.get("format"), at=where)
        else:
            raise InvalidRequest(f"{where} must set one of: bytes, s3Location, text, content")
        if not text.strip():
            raise InvalidRequest(f"{where}: the document {name!r} holds no text")
        return Document(name, text)

    def media(self, kind: Any, media: Json, at: str) -> Media:
        source = media.get("source") or {}
        if (data := source.get("bytes")) is None:
            if "s3Location" not in source:
                raise InvalidRequest(f"{at}.source must set one of: bytes, s3Location")
            data = fetch(self._ctx, source["s3Location"], at=f"{at}.source.s3Location", most_bytes=_MOST_MEDIA_BYTES)
        return Media(kind, media["format"], data)

    def tool_result(self, result: Json, at: str) -> ToolResult:
        if result.get("type"):
            raise NotBuilt(f"{at}.type: Rocamadre has no tools that run on the server; leave the type out")
        texts: list[str] = []
        media: list[Media] = []
        for place, part in enumerate(result["content"]):
            where = f"{at}.content.{place}"
            if len(part) != 1:
                raise InvalidRequest(
                    f"The ToolResultContentBlock object at {where} must set exactly one of the following keys: text, "
                    "json, image, document, video, searchResult."
                )
            kind, value = next(iter(part.items()))
            if kind == "text":
                texts.append(value)
            elif kind == "json":
                texts.append(msgspec.json.encode(value).decode())
            elif kind == "document":
                texts.append(self.document(value, f"{where}.document").text)
            elif kind == "searchResult":
                found = _search_result(value, f"{where}.searchResult")
                texts.append(f"{found.name}\n{found.text}")
            elif kind in ("image", "video"):
                media.append(self.media(kind, value, f"{where}.{kind}"))
            else:
                raise _later(kind, where)
        failed = result.get("status") == "error"
        return ToolResult(result["toolUseId"], "\n".join(texts), failed, tuple(media))


def _text(text: str, at: str) -> Text:
    if not text or text.isspace():
        raise InvalidRequest(
            f"The text field in the ContentBlock object at {at} is blank. Add text to the text field, and try again."
        )
    return Text(text)


def _guarded(value: Json, at: str) -> Text:
    """A guardContent block: text like any other for the model, marked for guardrails."""
    if "text" not in value:
        raise NotBuilt(
            f"{at}.guardContent.image: images are not examined here, and nothing is said about one that was not looked "
            "at; send it as an image block"
        )
    text = _text(value["text"]["text"], f"{at}.guardContent").text
    return Text(text, (Mark(0, len(text), frozenset(value["text"].get("qualifiers") or ())),))


def _tool_use(use: Json, at: str) -> ToolUse:
    if use.get("type"):
        raise NotBuilt(f"{at}.type: Rocamadre has no tools that run on the server; leave the type out")
    if not isinstance(use["input"], dict):
        raise InvalidRequest(f"The value at {at}.input must be a JSON object.")
    return ToolUse(use["toolUseId"], use["name"], use["input"])


def _reasoning(value: Json, at: str) -> Reasoning:
    if "redactedContent" in value:
        return Reasoning("", redacted=value["redactedContent"])
    if "reasoningText" not in value:
        raise InvalidRequest(f"{at}.reasoningContent must set one of: reasoningText, redactedContent")
    return Reasoning(value["reasoningText"]["text"], value["reasoningText"].get("signature", ""))


def _search_result(value: Json, at: str) -> Document:
    """A search result is read as a document with its title and source for a name."""
    if (value.get("citations") or {}).get("enabled"):
        raise NotBuilt(f"{at}.citations: Rocamadre does not have citations yet; leave them out")
    text = "\n".join(part["text"] for part in value["content"])
    if not text.strip():
        raise InvalidRequest(f"{at}: the search result holds no text")
    return Document(f"{value['title']} ({value['source']})", text)


def _check_documents(blocks: tuple[Block, ...], role: str, index: int) -> int:
    """How many documents a message holds; they come from users, with something said beside them."""
    documents = sum(type(block) is Document for block in blocks)
    if documents and role != "user":
        raise InvalidRequest(f"messages.{index}: documents are taken in messages of the user role only")
    if documents and not any(type(block) in (Text, ToolResult) for block in blocks):
        raise InvalidRequest(
            f"messages.{index}: a message with a document needs a text block too; add one that says what to do with it"
        )
    if role != "user" and any(type(block) is Media for block in blocks):
        raise InvalidRequest(f"messages.{index}: media are taken in messages of the user role only")
    return documents


def _later(name: str, at: str) -> NotBuilt:
    return NotBuilt(f"{at}.{name}: Rocamadre does not have {LATER.get(name, name)} yet; leave the block out")


def refuse(request: Mapping[str, Any], members: Mapping[str, str]) -> None:
    """Refuse members that come with a later part of Rocamadre.

    Args:
        request: By member name.
        members: Name to the part.

    Raises:
        NotBuilt: one of them is there.
    """
    for name, part in members.items():
        if request.get(name) is not None:
            raise NotBuilt(f"{name}: Rocamadre does not have {part} yet; leave {name} out")

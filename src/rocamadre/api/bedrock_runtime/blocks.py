"""Converse's messages and content blocks, into the engines' form and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rocamadre.core.errors import InvalidRequest, NotBuilt
from rocamadre.core.messages import Block, Document, Media, Message, Reasoning, Text, ToolUse
from rocamadre.engines.collect import AnswerBlock
from rocamadre.engines.profiles.documents import MOST_DOCUMENTS, check_name, read_document
from rocamadre.engines.profiles.turns import check_turns

Json = dict[str, Any]

LATER = {
    "toolUse": "tools",
    "toolResult": "tools",
    "toolAddition": "tools",
    "toolRemoval": "tools",
    "guardContent": "guardrails",
    "cachePoint": "prompt caching",
    "citationsContent": "citations",
    "searchResult": "citations",
}
"""Content blocks that come with a later part of Rocamadre, and which part."""


def read_messages(messages: Sequence[Json]) -> tuple[Message, ...]:
    """A conversation.

    Raises:
        InvalidRequest: it breaks one of Amazon Bedrock's rules; in its words.
        NotBuilt: it holds a block that comes later.
    """
    read = []
    documents = 0
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
            blocks = _blocks(content, index)
            documents += _check_documents(blocks, role, index)
        read.append(Message(role, blocks))
    if documents > MOST_DOCUMENTS:
        raise InvalidRequest(f"the request holds {documents} documents; at most {MOST_DOCUMENTS} are taken")
    return check_turns(tuple(read))


def read_system(system: Sequence[Json]) -> str:
    """The system prompt; blocks are put together with a blank line between.

    Raises:
        NotBuilt: it holds a block that comes later.
        InvalidRequest: a block is empty.
    """
    for index, block in enumerate(system):
        for name in block:
            if name != "text":
                raise _later(name, f"system.{index}")
        if "text" not in block:
            raise InvalidRequest(f"The SystemContentBlock object at system.{index} must set one of: text")
    return "\n\n".join(block["text"] for block in system)


def write_blocks(blocks: Sequence[AnswerBlock]) -> list[Json]:
    """An answer's content; never empty, since clients read the first block without looking."""
    return [_write(block) for block in blocks] or [{"text": ""}]


def _write(block: AnswerBlock) -> Json:
    if isinstance(block, Text):
        return {"text": block.text}
    if isinstance(block, ToolUse):
        return {"toolUse": {"toolUseId": block.id, "name": block.name, "input": block.input}}
    return {"reasoningContent": {"reasoningText": {"text": block.text}}}


def _blocks(content: Sequence[Json], index: int) -> tuple[Block, ...]:
    return tuple(_block(block, f"messages.{index}.content.{place}") for place, block in enumerate(content))


def _block(block: Json, at: str) -> Block:
    if len(block) != 1:
        keys = ", ".join(["text", "image", "document", "video", "audio", "reasoningContent"])
        raise InvalidRequest(f"The ContentBlock object at {at} must set exactly one of the following keys: {keys}.")
    kind, value = next(iter(block.items()))
    if kind == "text":
        return _text(value, at)
    if kind == "document":
        return _document(value, at)
    if kind in ("image", "video", "audio"):
        return _media(kind, value, at)
    if kind == "reasoningContent":
        if "reasoningText" not in value:
            raise NotBuilt(f"{at}.reasoningContent: Rocamadre takes reasoningText only")
        return Reasoning(value["reasoningText"]["text"])
    raise _later(kind, at)


def _text(text: str, at: str) -> Text:
    if not text or text.isspace():
        raise InvalidRequest(
            f"The text field in the ContentBlock object at {at} is blank. Add text to the text field, and try again."
        )
    return Text(text)


def _document(document: Json, at: str) -> Document:
    name, source = document["name"], document["source"]
    check_name(name, at=f"{at}.document")
    if (document.get("citations") or {}).get("enabled"):
        raise NotBuilt(f"{at}.document.citations: Rocamadre does not have citations yet; leave them out")
    if document.get("context") is not None:
        raise NotBuilt(f"{at}.document.context: Rocamadre does not have citations yet; leave the context out")
    where = f"{at}.document.source"
    if "s3Location" in source:
        raise NotBuilt(f"{where}.s3Location: Rocamadre does not read documents from S3 yet; send their bytes")
    if "text" in source:
        text = source["text"]
    elif "content" in source:
        text = "\n\n".join(part.get("text", "") for part in source["content"])
    else:
        text = read_document(source["bytes"], document.get("format"), at=where)
    if not text.strip():
        raise InvalidRequest(f"{where}: the document {name!r} holds no text")
    return Document(name, text)


def _media(kind: Any, media: Json, at: str) -> Media:
    data = media["source"].get("bytes")
    if data is None:
        raise NotBuilt(f"{at}.{kind}.source.s3Location: Rocamadre does not read media from S3 yet; send the bytes")
    return Media(kind, media["format"], data)


def _check_documents(blocks: tuple[Block, ...], role: str, index: int) -> int:
    """How many documents a message holds; they come from users, with something said beside them."""
    documents = sum(type(block) is Document for block in blocks)
    if documents and role != "user":
        raise InvalidRequest(f"messages.{index}: documents are taken in messages of the user role only")
    if documents and not any(type(block) is Text for block in blocks):
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

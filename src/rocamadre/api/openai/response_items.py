"""Items of a response's input and output: checked, put into one form to be kept, and read as a conversation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from uuid import uuid4

from rocamadre.api.openai.errors import BadParameter
from rocamadre.api.openai.fields import Fields, record_of
from rocamadre.api.openai.parts import read_content
from rocamadre.api.openai.tools import call_id, read_call
from rocamadre.api.openai.turns import settle_turns
from rocamadre.core.messages import Block, CachePoint, Document, Media, Message, Reasoning, Text, ToolResult

MOST_ITEMS = 4096
_ROLES = ("user", "assistant", "system", "developer")
_STATUSES = ("in_progress", "completed", "incomplete")
_INPUT = {"input_text": "text", "input_image": "image", "input_file": "file"}
_OUTPUT = {"output_text": "text", "refusal": "refusal", **_INPUT}
_LATER = {
    "apply_patch_call": "patches applied by the server",
    "apply_patch_call_output": "patches applied by the server",
    "code_interpreter_call": "a code interpreter",
    "compaction": "compaction",
    "compaction_trigger": "compaction",
    "computer_call": "a computer to use",
    "computer_call_output": "a computer to use",
    "custom_tool_call": "tools with free text input",
    "custom_tool_call_output": "tools with free text input",
    "file_search_call": "file search",
    "image_generation_call": "image generation",
    "item_reference": "references to items; send the item itself, or 'previous_response_id'",
    "local_shell_call": "a shell",
    "local_shell_call_output": "a shell",
    "mcp_approval_request": "MCP servers called by the server",
    "mcp_approval_response": "MCP servers called by the server",
    "mcp_call": "MCP servers called by the server",
    "mcp_list_tools": "MCP servers called by the server",
    "program": "programs that call tools",
    "program_output": "programs that call tools",
    "shell_call": "a shell",
    "shell_call_output": "a shell",
    "tool_search_call": "search for tools",
    "tool_search_output": "search for tools",
    "web_search_call": "web search",
}
_TYPES = ("message", "function_call", "function_call_output", "reasoning")


@dataclass(frozen=True, slots=True)
class Item:
    """One item.

    Attributes:
        kept: The form in which it is kept and listed, with an id.
        role: Whose turn it belongs to.
        blocks: What a model reads of it.
        at: Where it stands in the request, for errors.
    """

    kept: dict[str, Any]
    role: Literal["system", "user", "assistant"]
    blocks: tuple[Block, ...]
    at: str


@dataclass(frozen=True, slots=True)
class Dialogue:
    """Items as a conversation.

    Attributes:
        system: The system prompt; empty for none.
        messages: The turns; neighbours of one role are merged.
        cache_system: A cache point stands in the system prompt.
    """

    system: str
    messages: tuple[Message, ...]
    cache_system: bool


def new_id(kind: str) -> str:
    """A fresh id, such as `msg_…`."""
    return f"{kind}_{uuid4().hex}"


def read_input(fields: Fields) -> list[Item]:
    """The parameter `input`.

    Raises:
        BadParameter: names the item.
        InvalidRequest: a document cannot be read.
    """
    value = fields.required("input")
    if isinstance(value, str):
        value = [{"role": "user", "content": value}]
    if not isinstance(value, list):
        raise fields.wrong_type("input", "a string or an array of items")
    if not 0 < len(value) <= MOST_ITEMS:
        raise BadParameter(f"'input' takes 1 to {MOST_ITEMS} items, {len(value)} were given.", param="input")
    return [read_item(each, f"input[{index}]") for index, each in enumerate(value)]


def read_item(value: Any, at: str) -> Item:
    """One item, as a client sends it or as it was kept.

    Raises:
        BadParameter: see its message.
    """
    item = record_of(value, at)
    kind = item.text("type") or ("message" if "role" in item else None)
    if kind is None:
        item.required("type")
    if kind in _LATER:
        param = item.at("type")
        raise BadParameter(
            f"Unsupported value for '{param}': {kind!r}; Rocamadre does not have {_LATER[kind]}.",
            param=param,
            code="unsupported_value",
        )
    if kind not in _TYPES:
        item.choice("type", _TYPES)
    given = item.text("id")
    if given is not None and not 0 < len(given) <= 128:
        raise item.wrong("id", "an item's id has 1 to 128 characters")
    item.choice("status", _STATUSES)
    return _READERS[kind or ""](item, at)


def _read_message(item: Fields, at: str) -> Item:
    item.only(("type", "role", "content", "id", "status", "phase"))
    item.required("role")
    role = item.choice("role", _ROLES) or ""
    item.choice("phase", ("commentary", "final_answer"))
    kinds = _OUTPUT if role == "assistant" else _INPUT
    taken = {"assistant": ("text", "refusal"), "user": ("text", "image", "file")}.get(role, ("text",))
    parts = read_content(item, "content", kinds, taken=taken)
    content = item.raw("content")
    if isinstance(content, str):
        part: dict[str, Any] = {"type": "input_text", "text": content}
        if role == "assistant":
            part = {"type": "output_text", "text": content, "annotations": [], "logprobs": []}
        content = [part]
    kept = {
        "id": item.text("id") or new_id("msg"),
        "type": "message",
        "status": item.raw("status") or "completed",
        "role": role,
        "content": content,
    }
    if "phase" in item:
        kept["phase"] = item.raw("phase")
    if role == "assistant":
        return Item(kept, "assistant", tuple(parts), at)
    return Item(kept, "user" if role == "user" else "system", tuple(parts), at)


def _read_call(item: Fields, at: str) -> Item:
    item.only(("type", "id", "call_id", "name", "arguments", "status", "caller", "namespace", "async"))
    item.refuse({"namespace": "namespaces of tools", "async": "asynchronous tools"})
    cut = item.raw("status") == "incomplete"
    use = None if cut else read_call(item, call_id(item, "call_id"))
    kept = {
        "id": item.text("id") or new_id("fc"),
        "type": "function_call",
        "status": item.raw("status") or "completed",
        "call_id": item.raw("call_id"),
        "name": item.raw("name"),
        "arguments": item.raw("arguments"),
    }
    # A call that was cut off cannot be answered, and no model could read it.
    return Item(kept, "assistant", () if use is None else (use,), at)


def _read_output(item: Fields, at: str) -> Item:
    item.only(("type", "id", "call_id", "output", "status", "name", "caller", "namespace"))
    call = call_id(item, "call_id")
    parts = read_content(item, "output", _INPUT, taken=("text", "image", "file"))
    texts = [part.text for part in parts if isinstance(part, Text | Document)]
    media = tuple(part for part in parts if isinstance(part, Media))
    kept = {
        "id": item.text("id") or new_id("fco"),
        "type": "function_call_output",
        "status": item.raw("status") or "completed",
        "call_id": call,
        "output": item.raw("output"),
    }
    points = tuple(part for part in parts if isinstance(part, CachePoint))
    return Item(kept, "user", (ToolResult(call, "\n".join(texts), media=media), *points), at)


def _read_reasoning(item: Fields, at: str) -> Item:
    item.only(("type", "id", "summary", "content", "encrypted_content", "status"))
    texts: list[str] = []
    for name, kind in (("content", "reasoning_text"), ("summary", "summary_text")):
        if texts:
            break
        for part in item.records(name, MOST_ITEMS):
            part.choice("type", (kind,))
            text = part.required("text")
            if not isinstance(text, str):
                raise part.wrong_type("text", "a string")
            texts.append(text)
    kept = {
        "id": item.text("id") or new_id("rs"),
        "type": "reasoning",
        "summary": item.raw("summary") or [],
        "content": item.raw("content") or [],
    }
    thought = "\n".join(filter(None, texts))
    return Item(kept, "assistant", (Reasoning(thought),) if thought else (), at)


_READERS = {
    "message": _read_message,
    "function_call": _read_call,
    "function_call_output": _read_output,
    "reasoning": _read_reasoning,
}


def read_dialogue(items: Iterable[Item], instructions: str) -> Dialogue:
    """The conversation that items make.

    Args:
        items: Oldest first.
        instructions: Stand before all that system messages say.

    Raises:
        BadParameter: a system message comes late, the user does not speak first and last, or calls and their outputs
            do not match.
    """
    system: list[str] = [instructions]
    turns: list[Message] = []
    cache_system = False
    for item in items:
        if item.role == "system":
            if turns:
                raise BadParameter(
                    f"'{item.at}': {item.kept['role']} messages are taken before the first user message only.",
                    param=item.at,
                )
            system.extend(block.text for block in item.blocks if isinstance(block, Text))
            cache_system = cache_system or any(isinstance(block, CachePoint) for block in item.blocks)
        elif item.blocks:
            turns.append(Message("user" if item.role == "user" else "assistant", item.blocks))
    messages = settle_turns(
        turns,
        param="input",
        unanswered=lambda call: f"No tool output found for function call {call[:80]}.",
        uncalled=lambda call: f"No tool call found for function call output with call_id {call[:80]}.",
    )
    return Dialogue("\n\n".join(filter(None, system)), messages, cache_system)


def kept_items(items: Sequence[Item]) -> tuple[dict[str, Any], ...]:
    """The items as they are kept."""
    return tuple(item.kept for item in items)

"""Members of records, read with care; what is wrong with them is said with its path."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rocamadre.datasets.problems import BadRecord
from rocamadre.datasets.types import Role, Turn

_NAMES = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "model": "assistant",
    "bot": "assistant",
}
_TOOL_ROLES = frozenset({"tool", "function", "ipython", "function_call", "observation", "tool_call", "tool_response"})
_TOOLS = frozenset(
    {
        "tool_calls",
        "function_call",
        "tool_call_id",
        "toolUse",
        "toolResult",
        "tool_use",
        "tool_result",
        "tools",
        "functions",
        "toolConfig",
        "tool_call",
        "parallel_tool_calls",
    }
)
_MEDIA = frozenset(
    {"image", "images", "image_url", "image-ref", "input_image", "video", "audio", "input_audio", "document", "file"}
)
_NO_TOOLS = "take the record out, or write the call as text: training on tool calls is not built"
_NO_MEDIA = "take the record out: models are trained on text here"


def named_type(value: Any) -> str:
    """A JSON value's kind for people.

    >>> named_type([]), named_type(None), named_type(True)
    ('an array', 'null', 'true or false')
    """
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    kinds: tuple[tuple[type | tuple[type, ...], str], ...] = (
        (str, "a text"),
        ((int, float), "a number"),
        (Mapping, "an object"),
        (list, "an array"),
    )
    return next((name for kind, name in kinds if isinstance(value, kind)), f"a {type(value).__name__}")


def text(value: Any, path: str, *, may_be_empty: bool = False) -> str:
    """A text that says something.

    Raises:
        BadRecord: it is no text, blank, or holds half a character.
    """
    if not isinstance(value, str):
        raise BadRecord("type", path, f"it is {named_type(value)}, not a text", "put it in double quotes")
    if not may_be_empty and not value.strip():
        raise BadRecord("empty", path, "it is empty", "write a text, or take the record out")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            message = f"character {error.start + 1} is half a surrogate pair"
            raise BadRecord("encoding", path, message, "write the character itself, or both halves") from error
    return value


def array(value: Any, path: str) -> Sequence[Any]:
    """An array that holds something.

    Raises:
        BadRecord: it is none, or empty.
    """
    if not isinstance(value, list | tuple):
        raise BadRecord("type", path, f"it is {named_type(value)}, not an array", "put it in [ ]")
    if not value:
        raise BadRecord("empty", path, "it is empty", "write at least one turn, or take the record out")
    return value


def item(value: Any, path: str, *, required: Sequence[str], optional: Sequence[str] = ()) -> Mapping[str, Any]:
    """An object with these members and no others; members that are null count as not there.

    Raises:
        BadRecord: it is none, a member is missing, or there is one that is not known.
    """
    if not isinstance(value, Mapping):
        raise BadRecord("type", path, f"it is {named_type(value)}, not an object", "put it in { }")
    given = {name: each for name, each in value.items() if each is not None}
    dot = f"{path}." if path else ""
    for name, each in given.items():
        refuse_by_name(name, f"{dot}{name}", each)
    for name in required:
        if name not in value:
            fix = f"add {name!r}" + (f"; this form has {', '.join(map(repr, required))}" if len(required) > 1 else "")
            raise BadRecord("missing", f"{dot}{name}", "it is missing", fix)
    for name in given:
        if name not in required and name not in optional:
            known = ", ".join((*required, *optional))
            raise BadRecord(
                "unknown-field", f"{dot}{name}", f"{name!r} is not known here", f"take it away; known: {known}"
            )
    return {**{name: None for name in required}, **given}


def refuse_by_name(name: str, path: str, value: Any) -> None:
    """Refuse members that stand for tools and media, unless they are empty.

    Raises:
        BadRecord: it is one.
    """
    if value in ([], {}, "", None):
        return
    if name in _TOOLS:
        raise BadRecord("tools", path, f"the record has tool calls ({name})", _NO_TOOLS)
    if name in _MEDIA:
        raise BadRecord("media", path, f"the record holds more than text ({name})", _NO_MEDIA)


def role(value: Any, path: str) -> Role:
    """Who speaks, by any of the names that are in use.

    Raises:
        BadRecord: a tool, or nobody known.
    """
    name = text(value, path)
    if name in _TOOL_ROLES:
        raise BadRecord("tools", path, f"a tool speaks ({name})", _NO_TOOLS)
    known = _NAMES.get(name)
    if known is None:
        shown = name if len(name) <= 40 else name[:40] + "…"
        raise BadRecord("role", path, f"the role is {shown!r}", "use system, user or assistant")
    return known  # type: ignore[return-value]


def content(value: Any, path: str) -> str:
    """A turn's text: a text, or an array of text blocks, `{"type": "text", "text": …}` or `{"text": …}`.

    Raises:
        BadRecord: it is neither, blank, or a block is of another kind.
    """
    if isinstance(value, str):
        return text(value, path)
    parts = []
    for index, block in enumerate(array(value, path)):
        at = f"{path}[{index}]"
        kind = block.get("type", "text") if isinstance(block, Mapping) else "text"
        if kind not in ("text", "input_text", "output_text"):
            refuse_by_name(str(kind), at, True)
            raise BadRecord("unsupported", f"{at}.type", f"the block is of the kind {kind!r}", "use text blocks")
        members = item(block, at, required=("text",), optional=("type",))
        parts.append(text(members["text"], f"{at}.text", may_be_empty=True))
    return text("\n".join(parts) if len(parts) > 1 else parts[0], path)


def in_order(turns: Sequence[Turn], path: str) -> tuple[Turn, ...]:
    """Turns as a conversation has them: at most one system turn, first; then user and assistant by turns.

    Raises:
        BadRecord: they come otherwise.
    """
    start = 1 if turns and turns[0].role == "system" else 0
    if len(turns) == start:
        raise BadRecord("order", path, "nobody speaks but the system", "add a user turn and the answer")
    for index, turn in enumerate(turns[start:], start=start):
        wanted = "user" if (index - start) % 2 == 0 else "assistant"
        if turn.role == wanted:
            continue
        at = f"{path}[{index}].role"
        if turn.role == "system":
            raise BadRecord("order", at, "a system turn stands behind others", "put it first, once")
        if index == start:
            raise BadRecord("order", at, "the conversation begins with the assistant", "begin with a user turn")
        raise BadRecord(
            "order", at, f"two {turn.role} turns follow each other", "join them, or put the other's turn between"
        )
    return tuple(turns)

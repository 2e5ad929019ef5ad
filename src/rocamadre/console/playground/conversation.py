"""Conversations with models: turns as Converse has them, and what is known of each answer."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from rocamadre.console.playground.parameters import Parameters

Json: TypeAlias = dict[str, Any]

DOCUMENT_FORMATS = ("pdf", "docx", "xlsx", "csv", "md", "txt", "html")
MOST_DOCUMENTS = 5
"""In one request, and so in one conversation."""
MOST_DOCUMENT_BYTES = 4_718_592

_OUTSIDE_NAME = re.compile(r"[^\w\s\-()\[\]]|_", re.ASCII)
_SUFFIXES = {"htm": "html", "markdown": "md", "text": "txt", "log": "txt"}


@dataclass(frozen=True, slots=True)
class Document:
    """A file that goes with a prompt.

    Attributes:
        file_name: As it was called; hostile text.
        name: As Converse takes it.
        format: Of `DOCUMENT_FORMATS`.
    """

    file_name: str
    name: str
    format: str
    data: bytes

    def block(self) -> Json:
        """The content block, its bytes in base64 as the wire has them."""
        source = {"bytes": base64.b64encode(self.data).decode()}
        return {"document": {"name": self.name, "format": self.format, "source": source}}


def document_format(file_name: str) -> str:
    """The format that a file's name tells; empty for one that is not taken.

    >>> document_format("Report.PDF"), document_format("a.htm"), document_format("x.exe")
    ('pdf', 'html', '')
    """
    suffix = file_name.rpartition(".")[2].lower()
    suffix = _SUFFIXES.get(suffix, suffix)
    return suffix if suffix in DOCUMENT_FORMATS else ""


def document_name(file_name: str) -> str:
    """A file's name in the letters that Converse takes.

    >>> document_name("Ventas_2026 (año).pdf")
    'Ventas 2026 (a o)'
    """
    stem = file_name.rpartition(".")[0] or file_name
    return " ".join(_OUTSIDE_NAME.sub(" ", stem).split())[:200].strip() or "document"


@dataclass(slots=True, eq=False)
class ToolCall:
    """A tool that the model called.

    Attributes:
        written: Its input as it came, JSON when it is whole.
        result: What was answered; None until then.
        failed: Whether the tool failed, as the answer says.
    """

    id: str
    name: str
    written: str = ""
    result: str | None = None
    failed: bool = False

    @property
    def input(self) -> Any:
        """The input; an empty object while it cannot be read."""
        try:
            return json.loads(self.written or "{}")
        except ValueError:
            return {}

    def result_block(self) -> Json:
        """The content block that answers it."""
        content: Json = {"text": self.result or ""}
        try:
            value = json.loads(self.result or "")
        except ValueError:
            value = None
        if isinstance(value, dict):
            content = {"json": value}
        found: Json = {"toolUseId": self.id, "content": [content]}
        if self.failed:
            found["status"] = "error"
        return {"toolResult": found}


@dataclass(slots=True, eq=False)
class Answer:
    """What a model said, and how long it took.

    Attributes:
        text: Hostile.
        reasoning: What it thought, where a model shows that.
        stop_reason: As Converse has it; empty while it goes on.
        first_s: Seconds to the first token.
        total_s: Seconds to the end.
        failure: Why it broke off; the server's words.
        stopped: Whether the visitor stopped it.
        edited: Whether the visitor chose one of its tokens.
        rating: `up`, `down` or empty.
        cost_usd: What it would have cost at AWS; None for models that are not sold there.
        guardrail: What the trace tells of a guardrail; empty without one.
    """

    text: str = ""
    reasoning: str = ""
    calls: list[ToolCall] = field(default_factory=list)
    stop_reason: str = ""
    input_tokens: int = 0
    output_tokens: int = 0
    first_s: float | None = None
    total_s: float = 0.0
    failure: str = ""
    stopped: bool = False
    edited: bool = False
    rating: str = ""
    cost_usd: float | None = None
    guardrail: Json = field(default_factory=dict)

    def feed(self, event: Mapping[str, Any], at_s: float) -> None:
        """Take one event of ConverseStream.

        Args:
            event: The union with its one member.
            at_s: Seconds since the request.
        """
        self.total_s = at_s
        if "contentBlockDelta" in event:
            self.first_s = at_s if self.first_s is None else self.first_s
            delta = event["contentBlockDelta"]["delta"]
            self.text += delta.get("text", "")
            self.reasoning += (delta.get("reasoningContent") or {}).get("text", "")
            if "toolUse" in delta and self.calls:
                self.calls[-1].written += delta["toolUse"]["input"]
        elif "contentBlockStart" in event and "toolUse" in event["contentBlockStart"]["start"]:
            started = event["contentBlockStart"]["start"]["toolUse"]
            self.calls.append(ToolCall(started["toolUseId"], started["name"]))
        elif "messageStop" in event:
            self.stop_reason = event["messageStop"]["stopReason"]
        elif "metadata" in event:
            usage = event["metadata"]["usage"]
            self.input_tokens, self.output_tokens = usage["inputTokens"], usage["outputTokens"]
            self.guardrail = (event["metadata"].get("trace") or {}).get("guardrail") or {}

    @property
    def per_second(self) -> float | None:
        """Tokens a second, from the request to the end; None where that means nothing."""
        return self.output_tokens / self.total_s if self.output_tokens and self.total_s else None

    @property
    def waiting(self) -> list[ToolCall]:
        """Calls that nobody has answered."""
        return [call for call in self.calls if call.result is None]

    def content(self) -> list[Json]:
        """Its content blocks."""
        found: list[Json] = [{"text": self.text}] if self.text.strip() else []
        return found + [
            {"toolUse": {"toolUseId": call.id, "name": call.name, "input": call.input}} for call in self.calls
        ]


@dataclass(slots=True, eq=False)
class Exchange:
    """A question and its answer.

    Attributes:
        question: Empty where results of tools are all there is.
        prompt: The raw text that was continued, where it is no turn of a conversation.
    """

    question: str
    documents: tuple[Document, ...] = ()
    results: tuple[ToolCall, ...] = ()
    answer: Answer = field(default_factory=Answer)
    prompt: str = ""

    def content(self) -> list[Json]:
        """The question's content blocks."""
        found = [call.result_block() for call in self.results]
        if self.question:
            found.append({"text": self.question})
        return found + [document.block() for document in self.documents]

    @property
    def plain(self) -> bool:
        """Whether question and answer are nothing but text."""
        return not (self.documents or self.results or self.answer.calls)


@dataclass(frozen=True, slots=True)
class Frame:
    """What goes with every question.

    Attributes:
        tools: Elements of `toolConfig.tools`.
        schema: The answer's JSON Schema as it was written; empty for none.
        guardrail: Id and version, with a colon between; empty for none.
    """

    system: str = ""
    parameters: Parameters = field(default_factory=Parameters)
    tools: tuple[Json, ...] = ()
    schema: str = ""
    guardrail: str = ""

    def members(self) -> Json:
        """Members of Converse beside `messages`."""
        found: Json = dict(self.parameters.converse())
        if self.system:
            found["system"] = [{"text": self.system}]
        if self.tools:
            found["toolConfig"] = {"tools": list(self.tools)}
        if self.schema:
            structure = {"jsonSchema": {"name": "answer", "schema": self.schema}}
            found["outputConfig"] = {"textFormat": {"type": "json_schema", "structure": structure}}
        if self.guardrail:
            name, _, version = self.guardrail.partition(":")
            chosen = {"guardrailIdentifier": name, "guardrailVersion": version, "trace": "enabled"}
            found["guardrailConfig"] = chosen
        return found


def messages_of(exchanges: Sequence[Exchange]) -> list[Json]:
    """The turns; the last answer, which is being asked for, is not among them.

    Neighbours of one role become one turn: roles must alternate, and an answer may have failed before its first word.
    """
    found: list[Json] = []
    for place, exchange in enumerate(exchanges):
        _add(found, "user", exchange.content())
        if place < len(exchanges) - 1:
            # A call that nobody answered cannot be sent again; what was said beside it can.
            answer = exchange.answer
            _add(found, "assistant", [each for each in answer.content() if "text" in each or not answer.waiting])
    return found


def plain_turns(exchanges: Sequence[Exchange]) -> list[dict[str, str]] | None:
    """The same as role and text, for a chat template; None where there is more than text."""
    turns = []
    for message in messages_of(exchanges):
        if any("text" not in block for block in message["content"]):
            return None
        turns.append({"role": message["role"], "content": "\n".join(block["text"] for block in message["content"])})
    return turns


def read_tools(written: str) -> tuple[Json, ...]:
    """Tools as they were pasted: one toolSpec, a list of them, or a whole toolConfig.

    Raises:
        ValueError: it is no such thing; the message says where.
    """
    if not written.strip():
        return ()
    value = json.loads(written)
    if isinstance(value, dict) and isinstance(value.get("tools"), list):
        value = value["tools"]
    found = []
    for place, each in enumerate(value if isinstance(value, list) else [value]):
        spec = each.get("toolSpec", each) if isinstance(each, dict) else None
        if not isinstance(spec, dict) or not isinstance(spec.get("name"), str):
            raise ValueError(f"[{place}]: toolSpec.name")
        schema = spec.get("inputSchema")
        if not isinstance(schema, dict) or not isinstance(schema.get("json"), dict):
            raise ValueError(f"[{place}].{spec['name'][:64]}: inputSchema.json")
        found.append({"toolSpec": spec})
    return tuple(found)


def read_schema(written: str) -> str:
    """A JSON Schema as it was pasted, or empty.

    Raises:
        ValueError: it is no JSON object; the message says where.
    """
    if written.strip() and not isinstance(json.loads(written), dict):
        raise ValueError("{…}")
    return written.strip()


def _add(messages: list[Json], role: str, content: list[Json]) -> None:
    if not content:
        return
    if messages and messages[-1]["role"] == role:
        messages[-1]["content"] += content
    else:
        messages.append({"role": role, "content": content})

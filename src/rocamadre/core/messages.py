"""Conversations as every engine understands them, whichever wire they came through."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

Role: TypeAlias = Literal["user", "assistant"]
StopReason: TypeAlias = Literal[
    "end_turn",
    "max_tokens",
    "stop_sequence",
    "tool_use",
    "content_filtered",
    "guardrail_intervened",
    "malformed_tool_use",
    "malformed_model_output",
    "model_context_window_exceeded",
]


@dataclass(frozen=True, slots=True)
class Mark:
    """A stretch of a text that a guardrail is to look at.

    Attributes:
        start: Its first character.
        end: The character after its last.
        qualifiers: Of grounding_source, query and guard_content; none means the last.
    """

    start: int
    end: int
    qualifiers: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Text:
    """Plain text.

    Attributes:
        marks: What of it a guardrail is to look at, in order and apart; engines read the text alone.
    """

    text: str
    marks: tuple[Mark, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Document:
    """A document to read, as text already.

    Attributes:
        name: What the conversation calls it.
        text: Its content.
    """

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Media:
    """An image, a video or a sound.

    Attributes:
        kind: Its modality.
        format: For example `png`.
        data: The file's bytes.
    """

    kind: Literal["image", "video", "audio"]
    format: str
    data: bytes


@dataclass(frozen=True, slots=True)
class ToolUse:
    """The model's wish to call a tool; `input` is a JSON value."""

    id: str
    name: str
    input: Any


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a tool answered.

    Attributes:
        id: Of the `ToolUse` that it answers.
        text: Its answer; JSON is serialised, documents are text already.
        media: Images, videos and sounds of the answer.
    """

    id: str
    text: str
    is_error: bool = False
    media: tuple[Media, ...] = ()


@dataclass(frozen=True, slots=True)
class Reasoning:
    """What the model thought before it answered.

    Attributes:
        text: Its thoughts; empty when they are `redacted`.
        signature: By which its maker recognises them; local models ignore it.
        redacted: Thoughts that only the model's maker can read; local models ignore them.
    """

    text: str
    signature: str = ""
    redacted: bytes = b""


@dataclass(frozen=True, slots=True)
class CachePoint:
    """Everything before this place may be remembered for the next request.

    Attributes:
        ttl_s: How long the client wishes it to last, in seconds.
    """

    ttl_s: int = 300


Block: TypeAlias = Text | Document | Media | ToolUse | ToolResult | Reasoning | CachePoint


@dataclass(frozen=True, slots=True)
class Message:
    """One turn."""

    role: Role
    content: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A tool that the model may call; `schema` is a JSON Schema of its input."""

    name: str
    description: str
    schema: Mapping[str, Any]
    strict: bool = False


@dataclass(frozen=True, slots=True)
class ToolChoice:
    """Whether the model must call a tool.

    Attributes:
        mode: `auto`: as it likes; `any`: at least one; `tool`: the one named; `none`: it must not.
        name: Of the tool, with mode `tool`.
        parallel: Whether one turn may hold several calls.
    """

    mode: Literal["auto", "any", "tool", "none"] = "auto"
    name: str = ""
    parallel: bool = True


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the next token is picked. `None` leaves the engine's own default.

    Attributes:
        max_tokens: Most tokens to generate, at least 1.
        min_tokens: Fewest tokens before the model may end its turn.
        temperature: 0 is greedy; 1 leaves the distribution as it is.
        top_p: Nucleus, in (0, 1].
        top_k: Most candidates kept; 0 keeps all.
        min_p: Least probability, relative to the best candidate's, in [0, 1].
        seed: Same seed, same answer.
        stop: Sequences that end the answer and are left out of it.
        repetition_penalty: Over 1 discourages tokens already there.
        frequency_penalty: In [-2, 2], times the token's count so far.
        presence_penalty: In [-2, 2], once for a token already there.
        logit_bias: Token id to an addend on its logit.
        beams: Over 1 searches that many beams instead of sampling; for engines that can.
    """

    max_tokens: int | None = None
    min_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()
    repetition_penalty: float | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    logit_bias: Mapping[int, float] = field(default_factory=dict)
    beams: int | None = None


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """One generation.

    Attributes:
        messages: The conversation, oldest first; empty when `prompt` is given.
        system: The system prompt; empty for none.
        prompt: Raw text to continue, no chat template applied; excludes `messages`.
        prompt_ids: The tokens to read for `prompt`, where they are known; empty: as the tokenizer makes them.
        sampling: How tokens are picked.
        tools: Tools that the model may call.
        tool_choice: Whether it must.
        schema: JSON Schema that the answer must follow, or None; one that says nothing (`{}`) asks for any JSON.
        cache_system: A cache point stands after the system prompt.
        cache_tools: A cache point stands after the tools.
        logprobs: Report this many top candidates at each step, 0 to 20; None reports nothing.
        echo: Report the prompt's own tokens first (with `logprobs`, theirs too). Only with `prompt`.
        adapter: Which of the engine's adapters answers, by its file; empty for the base. The engine pool sets it.
        system_marks: What of the system prompt a guardrail is to look at.
        prompt_marks: What of the raw text a guardrail is to look at.
    """

    messages: tuple[Message, ...] = ()
    system: str = ""
    prompt: str | None = None
    sampling: Sampling = field(default_factory=Sampling)
    tools: tuple[ToolSpec, ...] = ()
    tool_choice: ToolChoice = field(default_factory=ToolChoice)
    schema: Mapping[str, Any] | None = None
    cache_system: bool = False
    cache_tools: bool = False
    logprobs: int | None = None
    echo: bool = False
    adapter: str = ""
    prompt_ids: tuple[int, ...] = ()
    system_marks: tuple[Mark, ...] = ()
    prompt_marks: tuple[Mark, ...] = ()


@dataclass(frozen=True, slots=True)
class TokenLogprob:
    """One token and what it was picked from.

    Attributes:
        token_id: Its number in the vocabulary.
        text: Its piece; may be part of a character, then U+FFFD stands in.
        data: Its bytes.
        logprob: Natural logarithm of its probability; None for a prompt's first token.
        top: The most likely candidates, best first, as (text, bytes, logprob).
        top_ids: Their numbers in the vocabulary; empty where the engine does not know them.
    """

    token_id: int
    text: str
    data: bytes
    logprob: float | None
    top: tuple[tuple[str, bytes, float], ...] = ()
    top_ids: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens counted by the model that ran.

    Attributes:
        input_tokens: Read, without those below.
        output_tokens: Generated.
        cache_read_tokens: Taken from what was remembered of earlier requests, and not read again. With cache points
            in the request: of those before the last cache point.
        cache_write_tokens: Read, and remembered because a cache point stands behind them.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0


@dataclass(frozen=True, slots=True)
class TextDelta:
    """Text that follows; never splits a character."""

    text: str
    logprobs: tuple[TokenLogprob, ...] = ()


@dataclass(frozen=True, slots=True)
class ReasoningDelta:
    """Reasoning that follows; see `Reasoning`."""

    text: str
    signature: str = ""
    redacted: bytes = b""


@dataclass(frozen=True, slots=True)
class ToolUseStart:
    """A tool call begins."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class ToolUseDelta:
    """A piece of the tool call's input, JSON text."""

    json: str


@dataclass(frozen=True, slots=True)
class ToolUseEnd:
    """The tool call's input is complete."""


@dataclass(frozen=True, slots=True)
class Finish:
    """The last event of every generation that did not fail."""

    reason: StopReason
    usage: Usage
    stop_sequence: str | None = None


Event: TypeAlias = TextDelta | ReasoningDelta | ToolUseStart | ToolUseDelta | ToolUseEnd | Finish

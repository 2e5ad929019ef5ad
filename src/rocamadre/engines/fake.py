"""A scripted engine without a model, for tests: users' and ours. Everything it says is marked as fake.

It runs inside the server. Without rules it answers `[fake] You said: <last user text>`, and where a schema or a tool
call is asked for, a small value that follows the schema; a rule file (`fake_rules.py`) scripts answers, tool calls,
delays and errors. The same request always gets the same answer.

A token is a word together with the white space before it; white space at the very end belongs to the last word.
Vectors are sums of one hash-made vector per word: equal texts are equal, texts that share words are near, and nothing
else about them is meaningful.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import AsyncGenerator, Sequence
from functools import lru_cache
from pathlib import Path
from zlib import crc32

import msgspec
import numpy as np
import numpy.typing as npt

from rocamadre.core.errors import InvalidRequest
from rocamadre.core.messages import (
    CachePoint,
    Document,
    Event,
    Finish,
    GenerationRequest,
    Message,
    Reasoning,
    StopReason,
    Text,
    TextDelta,
    TokenLogprob,
    ToolResult,
    ToolUse,
    ToolUseDelta,
    ToolUseEnd,
    ToolUseStart,
    Usage,
)
from rocamadre.core.settings import EngineSettings
from rocamadre.engines.beams import refuse_beams
from rocamadre.engines.fake_rules import ERRORS, Rule, ToolCall, find_rule, load_rules
from rocamadre.engines.protocol import Embeddings, LoadSpec, Rendered
from rocamadre.engines.schema.held import example
from rocamadre.engines.stops import StopFilter

MARK = "[fake] "
DEFAULT_SLOTS = 4096
DEFAULT_DIMENSIONS = 384
_PLAIN = Rule()
_TOKENS = re.compile(r"\s*\S+(?:\s+\Z)?|\s+\Z")
_YIELD_EVERY = 32


def tokens_of(text: str) -> list[str]:
    """Cut text into the fake engine's tokens; together they are the text.

    >>> tokens_of("Hello  big world ")
    ['Hello', '  big', ' world ']
    """
    return _TOKENS.findall(text)


def count_tokens(text: str) -> int:
    """How many tokens `tokens_of` cuts the text into, without cutting it."""
    return len(text.split()) or (1 if text else 0)


class FakeEngine:
    """See the module.

    `spec.options`: `rules` (path of a JSON or TOML rule file, or a list of rules), `slots` (requests at a time),
    `dimensions` (of its vectors).
    """

    def __init__(self, spec: LoadSpec, settings: EngineSettings, home: Path) -> None:
        self.slots = int(spec.options.get("slots", DEFAULT_SLOTS))
        self.pid: int | None = None
        self._spec = spec
        self._dimensions = int(spec.options.get("dimensions", DEFAULT_DIMENSIONS))
        self._rules: tuple[Rule, ...] = ()

    @staticmethod
    def memory_bytes(spec: LoadSpec, settings: EngineSettings) -> int:
        """Nothing worth counting."""
        return 0

    async def start(self) -> None:
        """Read the rule file, if there is one.

        Raises:
            InvalidRequest: the file is missing or wrong; the message names the rule and what is allowed.
        """
        rules = self._spec.options.get("rules")
        if rules is not None:
            self._rules = await asyncio.to_thread(load_rules, rules)

    async def stop(self) -> None:
        """Nothing runs."""

    async def responds(self) -> bool:
        """Always."""
        return True

    async def exited(self) -> str:
        """Never: it lives in the server."""
        never: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        return await never

    async def converse(self, request: GenerationRequest) -> AsyncGenerator[Event, None]:
        """Answer by rule, or by saying back what was said."""
        refuse_beams(request.sampling)
        prompt = _prompt(request)
        input_tokens = self._checked_count(prompt)
        last = _last_user_text(request)
        rule = find_rule(self._rules, last, request.system) or _PLAIN
        rule = _with_tools(request, rule)
        if rule.first_delay_s:
            await asyncio.sleep(rule.first_delay_s)
        if request.echo:
            yield TextDelta(prompt, _logprobs(tokens_of(prompt), request.logprobs, first=True))
        limit = request.sampling.max_tokens or self._spec.context_length
        steps, reason, matched = _steps(request, rule, last, limit)
        for index, event in enumerate(steps):
            if rule.error and index == rule.error_after:
                break
            if rule.delay_s:
                await asyncio.sleep(rule.delay_s)
            elif index % _YIELD_EVERY == _YIELD_EVERY - 1:
                await asyncio.sleep(0)
            if event is not None:
                yield event
        if rule.error:
            raise ERRORS[rule.error](rule.error_message or None)
        sent = len(steps)
        if rule.tool is not None and reason == "end_turn":
            body = msgspec.json.encode(rule.tool.input).decode()
            sent += count_tokens(body)
            yield ToolUseStart(f"tooluse_fake{crc32((prompt + rule.tool.name).encode()):08x}", rule.tool.name)
            yield ToolUseDelta(body)
            yield ToolUseEnd()
            reason = "tool_use"
        yield Finish(rule.stop_reason or reason, Usage(input_tokens, sent), matched)

    async def render(self, request: GenerationRequest) -> Rendered:
        """Plain text with a line per turn; a token's id is its checksum."""
        prompt = _prompt(request)
        self._checked_count(prompt)
        return Rendered(prompt, tuple(crc32(token.encode()) for token in tokens_of(prompt)))

    async def embed(self, texts: Sequence[str]) -> Embeddings:
        """Unit vectors made of hashes; see the module."""
        vectors = tuple(tuple(_vector(text, self._dimensions).tolist()) for text in texts)
        return Embeddings(vectors, tuple(count_tokens(text) for text in texts), (False,) * len(texts))

    async def rerank(self, query: str, texts: Sequence[str]) -> tuple[float, ...]:
        """The cosine of the hash-made vectors, moved to [0, 1]."""
        mine = _vector(query, self._dimensions)
        return tuple(min(1.0, max(0.0, (1 + float(mine @ _vector(text, self._dimensions))) / 2)) for text in texts)

    def _checked_count(self, prompt: str) -> int:
        count = count_tokens(prompt)
        if count >= self._spec.context_length:
            raise InvalidRequest(
                f"the prompt has {count} tokens; {self._spec.model_id} reads at most {self._spec.context_length - 1}"
            )
        return count


def _with_tools(request: GenerationRequest, rule: Rule) -> Rule:
    """The rule, with what a schema or a tool choice demands and no rule scripts.

    Raises:
        InvalidRequest: a rule calls a tool that the request does not offer, or a schema cannot be followed.
    """
    offered = {tool.name: tool for tool in request.tools}
    if rule.tool is not None and rule.tool.name not in offered:
        raise InvalidRequest(
            f"a rule calls the tool {rule.tool.name!r}; the request offers: {', '.join(offered) or '-'}"
        )
    followed = None if request.schema is None else example(request.schema, at="schema")
    choice = request.tool_choice
    if choice.mode in ("any", "tool") and rule.tool is None:
        tool = offered[choice.name] if choice.mode == "tool" else request.tools[0]
        called = example(tool.schema, at=f"tool {tool.name}", relax=not tool.strict)
        return msgspec.structs.replace(rule, tool=ToolCall(tool.name, msgspec.json.decode(called)))
    if followed is not None and rule.answer is None:
        return msgspec.structs.replace(rule, answer=followed.decode(), mark=False)
    return rule


def _steps(
    request: GenerationRequest, rule: Rule, last: str, limit: int
) -> tuple[list[TextDelta | None], StopReason, str | None]:
    """What each generated token shows (None while it may begin a stop sequence), why it ends, and the stop found."""
    if rule.tool is not None and rule.answer is None:
        return [], "end_turn", None
    pieces = _answer(request, rule, last)
    reason: StopReason = "end_turn" if len(pieces) <= limit else "max_tokens"
    del pieces[limit:]
    if not request.sampling.stop and request.logprobs is None:
        return [TextDelta(piece) for piece in pieces], reason, None
    stop = StopFilter(request.sampling.stop)
    steps: list[TextDelta | None] = []
    for piece in pieces:
        text = stop.feed(piece)
        steps.append(TextDelta(text, _logprobs([piece], request.logprobs)) if text else None)
        if stop.matched is not None:
            return steps, "stop_sequence", stop.matched
    if steps and (rest := stop.flush()):
        shown = steps[-1]
        steps[-1] = TextDelta((shown.text if shown else "") + rest, _logprobs([pieces[-1]], request.logprobs))
    return steps, reason, None


def _answer(request: GenerationRequest, rule: Rule, last: str) -> list[str]:
    text = rule.answer if rule.answer is not None else f"You said: {last}"
    if rule.mark:
        seed = request.sampling.seed
        text = MARK + (f"(seed {seed}) " if seed is not None and rule.answer is None else "") + text
    pieces = tokens_of(text)
    fewest = request.sampling.min_tokens or 0
    while pieces and len(pieces) < fewest:
        pieces.append(" more")
    return pieces


def _prompt(request: GenerationRequest) -> str:
    if request.prompt is not None:
        return request.prompt
    lines = [f"system: {request.system}"] if request.system else []
    lines += [f"{message.role}: {_message_text(message)}" for message in request.messages]
    return "\n".join(lines) + "\nassistant:"


def _message_text(message: Message) -> str:
    if len(message.content) == 1 and isinstance(message.content[0], Text):
        return message.content[0].text
    parts = []
    for block in message.content:
        if isinstance(block, Text | Reasoning | ToolResult):
            parts.append(block.text)
        elif isinstance(block, Document):
            parts.append(f"{block.name}: {block.text}")
        elif isinstance(block, ToolUse):
            parts.append(f"{block.name} {msgspec.json.encode(block.input).decode()}")
        elif isinstance(block, CachePoint):
            continue
        else:
            raise InvalidRequest(f"the fake engine reads text and documents, not {block.kind}")
    return " ".join(parts)


def _last_user_text(request: GenerationRequest) -> str:
    if request.prompt is not None:
        return request.prompt
    for message in reversed(request.messages):
        if message.role == "user":
            return _message_text(message)
    return ""


def _logprobs(pieces: list[str], top: int | None, *, first: bool = False) -> tuple[TokenLogprob, ...]:
    """Made up, the same each time: -0.1 for the token itself, then one less each for words that mean nothing."""
    if top is None:
        return ()
    out = []
    for index, piece in enumerate(pieces):
        data = piece.encode()
        if first and index == 0:
            out.append(TokenLogprob(crc32(data), piece, data, None))
            continue
        others = [(f" fake{rank}", f" fake{rank}".encode(), -0.1 - rank) for rank in range(1, top)]
        candidates = ((piece, data, -0.1), *others) if top else ()
        out.append(TokenLogprob(crc32(data), piece, data, -0.1, candidates))
    return tuple(out)


@lru_cache(maxsize=4096)
def _word_vector(word: str, dimensions: int) -> npt.NDArray[np.float64]:
    raw = np.frombuffer(hashlib.shake_256(word.encode()).digest(dimensions), dtype=np.uint8)
    vector = raw.astype(np.float64) - 127.5
    vector.setflags(write=False)
    return vector


def _vector(text: str, dimensions: int) -> npt.NDArray[np.float64]:
    words = text.lower().split() or [""]
    total = np.sum([_word_vector(word, dimensions) for word in words], axis=0)
    unit: npt.NDArray[np.float64] = total / np.linalg.norm(total)
    return unit

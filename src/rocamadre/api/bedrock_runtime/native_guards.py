"""Guardrails of InvokeModel: headers, keys of the body, tags within the prompt, and keys of the answer.

The OpenAI and Anthropic wires take the same headers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

from rocamadre.api.inference.generation import Generation
from rocamadre.api.inference.guarded_answer import Mode
from rocamadre.api.inference.guarding import GuardWish
from rocamadre.core.errors import InvalidRequest
from rocamadre.core.messages import GenerationRequest, Mark, Message, Text

Json = dict[str, Any]

CONFIG: Final = "amazon-bedrock-guardrailConfig"
ACTION: Final = "amazon-bedrock-guardrailAction"
TRACE: Final = "amazon-bedrock-trace"
IDENTIFIER_HEADER: Final = "x-amzn-bedrock-guardrailidentifier"
VERSION_HEADER: Final = "x-amzn-bedrock-guardrailversion"
TRACE_HEADER: Final = "x-amzn-bedrock-trace"

_MODES: dict[str, Mode] = {"SYNCHRONOUS": "sync", "ASYNCHRONOUS": "async"}
_TRACES = ("ENABLED", "DISABLED", "ENABLED_FULL")
_SUFFIX = re.compile(r"[A-Za-z0-9]{1,20}")
_IDENTIFIER = re.compile(r"[a-z0-9]+|arn:aws(-[^:]+)?:bedrock:[a-z0-9-]{1,20}:[0-9]{12}:guardrail/[a-z0-9]+")
_VERSION = re.compile(r"[1-9][0-9]{0,7}|DRAFT")
_TAGS = {"guardContent": "guard_content", "groundingSource": "grounding_source", "query": "query"}


@dataclass(frozen=True, slots=True)
class NativeGuard:
    """What a request asks of guardrails.

    Attributes:
        wish: Which one, and when.
        suffix: Of the tags that mark what is to be examined; empty where nothing is marked.
        trace: ENABLED, DISABLED or ENABLED_FULL.
    """

    wish: GuardWish
    suffix: str = ""
    trace: str = "DISABLED"

    def mark(self, request: GenerationRequest) -> GenerationRequest:
        """The request without its tags; what stood between them is marked. The model reads no tags."""
        if not self.suffix:
            return request
        tag = re.compile(rf"<(/?)amazon-bedrock-guardrails-({'|'.join(_TAGS)})_{self.suffix}>")
        messages = tuple(
            Message(
                message.role,
                tuple(_untagged(block.text, tag).block if type(block) is Text else block for block in message.content),
            )
            for message in request.messages
        )
        system = _untagged(request.system, tag)
        changed: Json = {"messages": messages, "system": system.text, "system_marks": system.marks}
        if request.prompt is not None:
            prompt = _untagged(request.prompt, tag)
            changed |= {"prompt": prompt.text, "prompt_marks": prompt.marks}
            if prompt.text != request.prompt:
                changed["prompt_ids"] = ()
        return replace(request, **changed)

    def outcome(self, *generations: Generation) -> Json:
        """What the answer says of guardrails; nothing where there were none. Call it when the answer is complete.

        Args:
            generations: One, or those of several choices; the trace is that of the first that was intervened in.
        """
        guards = [each.guard for each in generations if each.guard is not None]
        if not guards:
            return {}
        telling = next((guard for guard in guards if guard.intervened), guards[0])
        said: Json = {ACTION: "INTERVENED" if telling.intervened else "NONE"}
        if self.trace != "DISABLED":
            said[TRACE] = {"guardrail": telling.native_trace(full=self.trace == "ENABLED_FULL")}
        return said


NONE: Final = NativeGuard(GuardWish())


def read_guard(
    body: Any, identifier: str, version: str, trace: str, *, stream: bool, at: str = "guardrailIdentifier"
) -> tuple[Any, NativeGuard]:
    """The body without what it says of guardrails, and what it and the headers say of them.

    Args:
        body: Parsed.
        identifier: Of the guardrail; empty for none.
        version: Of the guardrail; empty for none.
        trace: Wanted; empty for none.
        stream: Whether the answer is one.
        at: What the identifier is called, for errors.

    Raises:
        InvalidRequest: something is missing or wrong.
    """
    given = isinstance(body, dict) and CONFIG in body
    if given and not identifier:
        raise InvalidRequest(f"{CONFIG} needs a guardrail: give {at} too, or leave it out")
    config = body[CONFIG] if given else {}
    if not isinstance(config, dict) or not config.keys() <= {"tagSuffix", "streamProcessingMode"}:
        raise InvalidRequest(f"{CONFIG} must be an object that holds tagSuffix, streamProcessingMode or both")
    suffix = config.get("tagSuffix") or ""
    if suffix and not (isinstance(suffix, str) and _SUFFIX.fullmatch(suffix)):
        raise InvalidRequest(f"{CONFIG}.tagSuffix takes 1 to 20 letters and digits")
    named = config.get("streamProcessingMode") or "SYNCHRONOUS"
    if named not in _MODES:
        raise InvalidRequest(f"{CONFIG}.streamProcessingMode takes {' or '.join(_MODES)}")
    wish = GuardWish(identifier, version, _MODES[named] if stream else "whole")
    if given:
        body = {name: value for name, value in body.items() if name != CONFIG}
    return body, NativeGuard(wish, suffix, trace or "DISABLED")


def read_headers(headers: Mapping[str, str], body: Any, *, stream: bool) -> tuple[Any, NativeGuard]:
    """`read_guard` for wires without a model of their own headers.

    Args:
        headers: By lower-case name.
        body: Parsed.
        stream: Whether the answer is one.

    Raises:
        InvalidRequest: something is missing or wrong.
    """
    identifier, version = headers.get(IDENTIFIER_HEADER, ""), headers.get(VERSION_HEADER, "")
    trace = headers.get(TRACE_HEADER, "")
    if identifier and not _IDENTIFIER.fullmatch(identifier):
        raise InvalidRequest("X-Amzn-Bedrock-GuardrailIdentifier takes the id or the ARN of a guardrail")
    if version and not _VERSION.fullmatch(version):
        raise InvalidRequest("X-Amzn-Bedrock-GuardrailVersion takes DRAFT or a number")
    if trace and trace not in _TRACES:
        raise InvalidRequest(f"X-Amzn-Bedrock-Trace takes {', '.join(_TRACES)}")
    return read_guard(body, identifier, version, trace, stream=stream, at="X-Amzn-Bedrock-GuardrailIdentifier")


class _Untagged(NamedTuple):
    text: str
    marks: tuple[Mark, ...]

    @property
    def block(self) -> Text:
        return Text(self.text, self.marks)


def _untagged(text: str, tag: re.Pattern[str]) -> _Untagged:
    """A text without the tags that come in pairs; others stay, as text."""
    pieces: list[str] = []
    marks: list[Mark] = []
    at = size = 0
    for opening, closing in _pairs(text, tag):
        inside = text[opening.end() : closing.start()]
        pieces += (text[at : opening.start()], inside)
        start = size + opening.start() - at
        size = start + len(inside)
        if inside.strip():
            marks.append(Mark(start, size, frozenset({_TAGS[opening[2]]})))
        at = closing.end()
    return _Untagged("".join((*pieces, text[at:])), tuple(marks))


def _pairs(text: str, tag: re.Pattern[str]) -> Iterator[tuple[re.Match[str], re.Match[str]]]:
    """Tags that open something and those that end it, one after the other."""
    opening: re.Match[str] | None = None
    for found in tag.finditer(text):
        if not found[1]:
            opening = opening or found
        elif opening is not None and found[2] == opening[2]:
            yield opening, found
            opening = None

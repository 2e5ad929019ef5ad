"""What the golden tests of body formats share: one scripted generation, and how a family writes it."""

from __future__ import annotations

from rocamadre.core.messages import (
    Finish,
    Message,
    Text,
    TextDelta,
    ToolUse,
    ToolUseDelta,
    ToolUseEnd,
    ToolUseStart,
    Usage,
)
from rocamadre.engines.collect import Answer
from rocamadre.engines.profiles.registry import find_profile
from rocamadre.engines.profiles.types import AnswerFacts

ID = "0123456789abcdef0123456789abcdef"
DASHED = "01234567-89ab-cdef-0123-456789abcdef"
CREATED = 1_700_000_000
CALL = ToolUse("call_1", "weather", {"city": "Lima"})
CALLED = (ToolUseStart("call_1", "weather"), ToolUseDelta('{"city": '), ToolUseDelta('"Lima"}'), ToolUseEnd())
USED = Finish("tool_use", Usage(7, 5))
WEATHER = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


def user(*blocks):
    return Message("user", tuple(Text(each) if isinstance(each, str) else each for each in blocks))


def assistant(*blocks):
    return Message("assistant", tuple(Text(each) if isinstance(each, str) else each for each in blocks))


def profile_of(base_id, body=None):
    return find_profile(base_id, embeds=False, aliased=not base_id.startswith("rocamadre."), body=body)


def read(base_id, body):
    return profile_of(base_id, body).read(body)


def facts(base_id, body=None):
    return AnswerFacts(ID, base_id, "rocamadre.fake-v1:0", CREATED, 7, body or {})


def write(base_id, body, *blocks, reason="end_turn", stop=None):
    """The body of an answer, `Hello world` unless other blocks are given."""
    answer = Answer(blocks or (Text("Hello world"),), Finish(reason, Usage(7, 2), stop))
    return profile_of(base_id, body).write(answer, facts(base_id, body))


def chunks(base_id, body, *events, reason="end_turn"):
    """The chunks of a stream, of `Hello world` unless other events are given."""
    write_chunk = profile_of(base_id, body).chunks(facts(base_id, body))
    events = events or (TextDelta("Hello"), TextDelta(" world"), Finish(reason, Usage(7, 2)))
    return [chunk for event in events for chunk in write_chunk(event)]

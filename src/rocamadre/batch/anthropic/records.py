"""Requests of a message batch: from a kept line to what is asked, and from the answer to a line of the results."""

from __future__ import annotations

from functools import partial
from typing import Any

import msgspec

from rocamadre.batch.anthropic.types import End, NewRequest
from rocamadre.batch.lines import Line
from rocamadre.batch.progress import Done
from rocamadre.batch.running import Call, Record
from rocamadre.jobs.api import ApiAnswer

_PATH = "/anthropic/v1/messages"
_FAILED = "The batch could not be processed to its end; send this request again."


class _Kept(msgspec.Struct):
    custom_id: str
    size_bytes: int
    params: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class _Stream(msgspec.Struct):
    stream: Any = None


class _Usage(msgspec.Struct):
    input_tokens: int = 0
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    output_tokens: int = 0


class _Message(msgspec.Struct):
    usage: _Usage


class _Error(msgspec.Struct):
    type: str
    message: str


class _Refusal(msgspec.Struct):
    error: _Error


def keep_line(request: NewRequest, *, most_bytes: int) -> bytes:
    """The line in which a request is kept, with its end; of one that is too long only its size.

    Args:
        request: To be kept.
        most_bytes: Longest params.
    """
    size = len(request.params)
    params = msgspec.UNSET if size > most_bytes else msgspec.Raw(_on_one_line(request.params))
    return msgspec.json.encode(_Kept(request.custom_id, size, params)) + b"\n"


def read_record(line: Line, *, most_bytes: int) -> Record:
    """What to ask for a line; a request that no server would take is refused by itself.

    Args:
        line: As `keep_line` made it.
        most_bytes: Longest params, for the refusal of longer ones.
    """
    kept = _kept(line)
    if isinstance(kept.params, msgspec.UnsetType):
        message = (
            f"params has {kept.size_bytes} bytes; at most {most_bytes} are taken "
            "(settings batch.max_record_bytes and server.max_body_bytes)"
        )
        return _refused(kept.custom_id, "request_too_large", message)
    if _wants_stream(kept.params):
        return _refused(
            kept.custom_id, "invalid_request_error", "stream: the requests of a batch cannot be streamed; leave it out"
        )
    return Record(Call(_PATH, bytes(kept.params)), partial(_finish, kept.custom_id))


def unanswered_line(line: Line, end: End) -> bytes:
    """The line of a request that was not answered before its batch ended, with its end."""
    custom_id = _kept(line).custom_id
    if end in ("canceled", "expired"):
        return _encoded(custom_id, {"type": end}) + b"\n"
    return _errored(custom_id, {"type": "error", "error": {"type": "api_error", "message": _FAILED}}) + b"\n"


def _kept(line: Line) -> _Kept:
    assert line.data is not None
    return msgspec.json.decode(line.data, type=_Kept)


def _wants_stream(params: msgspec.Raw) -> bool:
    try:
        return bool(msgspec.json.decode(params, type=_Stream).stream)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False  # The server's own reader says what is wrong.


def _refused(custom_id: str, kind: str, message: str) -> Record:
    line = _errored(custom_id, {"type": "error", "error": {"type": kind, "message": message}})
    return Record(None, lambda _: Done(False, 0, 0, line))


def _finish(custom_id: str, answer: ApiAnswer | None) -> Done:
    assert answer is not None
    if answer.status == 200:
        usage = msgspec.json.decode(answer.body, type=_Message).usage
        read = usage.input_tokens + (usage.cache_creation_input_tokens or 0) + (usage.cache_read_input_tokens or 0)
        line = _encoded(custom_id, {"type": "succeeded", "message": msgspec.Raw(_on_one_line(answer.body))})
        return Done(True, read, usage.output_tokens, line)
    try:
        msgspec.json.decode(answer.body, type=_Refusal)
        error: Any = msgspec.Raw(_on_one_line(answer.body))
    except (msgspec.DecodeError, UnicodeDecodeError):
        message = f"The server answered with status {answer.status}."
        error = {"type": "error", "error": {"type": "api_error", "message": message}}
    return Done(False, 0, 0, _errored(custom_id, error))


def _on_one_line(json: bytes) -> bytes:
    return msgspec.json.format(json, indent=-1) if b"\n" in json or b"\r" in json else json


def _errored(custom_id: str, error: Any) -> bytes:
    return _encoded(custom_id, {"type": "errored", "error": error})


def _encoded(custom_id: str, result: dict[str, Any]) -> bytes:
    return msgspec.json.encode({"custom_id": custom_id, "result": result})

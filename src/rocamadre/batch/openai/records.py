"""Requests of a batch: from a line of the input to what is asked, and from the answer to a line of the output."""

from __future__ import annotations

import hashlib
from functools import partial
from typing import Any

import msgspec

from rocamadre.batch.lines import Line
from rocamadre.batch.openai.types import Batch
from rocamadre.batch.progress import Done
from rocamadre.batch.running import Call, Record
from rocamadre.jobs.api import ApiAnswer


class _Body(msgspec.Struct):
    model: Any = None
    stream: Any = None


class _Input(msgspec.Struct):
    custom_id: Any = None
    method: Any = None
    url: Any = None
    body: msgspec.Raw = msgspec.Raw()


class _Usage(msgspec.Struct):
    prompt_tokens: int = 0
    completion_tokens: int = 0
    input_tokens: int = 0
    output_tokens: int = 0


class _Answer(msgspec.Struct):
    usage: _Usage | None = None


class Problem(Exception):
    """A line that is no request.

    Args:
        code: What is wrong, in a word.
        message: What is wrong, in a sentence.
        param: The member that is wrong.
    """

    def __init__(self, code: str, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.param = param


def check_line(batch: Batch, line: Line, *, most_bytes: int) -> str:
    """A line's `custom_id`.

    Raises:
        Problem: it is no request of this batch.
    """
    return str(_parsed(batch, line, most_bytes).custom_id)


def read_record(batch: Batch, line: Line, *, most_bytes: int) -> Record:
    """What to ask for a line that `check_line` found good."""
    found = _parsed(batch, line, most_bytes)
    return Record(Call(batch.endpoint, bytes(found.body)), partial(_finish, batch, line.place, found.custom_id))


def expired_line(batch: Batch, line: Line, *, most_bytes: int) -> bytes:
    """The error file's line of a request that nobody came to."""
    found = _parsed(batch, line, most_bytes)
    message = "This request could not be executed before the completion window expired."
    error = {"code": "batch_expired", "message": message}
    return _encoded(batch, line.place, found.custom_id, None, error) + b"\n"


def _parsed(batch: Batch, line: Line, most_bytes: int) -> _Input:
    if line.data is None:
        raise Problem("line_too_long", f"This line is longer than {most_bytes} bytes.")
    try:
        found = msgspec.json.decode(line.data, type=_Input)
        body = msgspec.json.decode(found.body, type=_Body) if bytes(found.body) else None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Problem("invalid_json_line", "This line is not a JSON object with an object 'body'.") from None
    if not isinstance(found.custom_id, str) or not found.custom_id:
        raise Problem("missing_required_parameter", "Missing required parameter: 'custom_id'.", "custom_id")
    if found.method != "POST":
        raise Problem("invalid_method", "The 'method' of a request must be 'POST'.", "method")
    if found.url != batch.endpoint:
        raise Problem(
            "mismatched_url", f"The 'url' of a request must be the batch's endpoint, {batch.endpoint!r}.", "url"
        )
    if body is None or not isinstance(body.model, str):
        raise Problem("missing_required_parameter", "Missing required parameter: 'body.model'.", "body.model")
    if body.stream:
        raise Problem("invalid_request", "The requests of a batch cannot be streamed.", "body.stream")
    return found


def _finish(batch: Batch, place: int, custom_id: str, answer: ApiAnswer | None) -> Done:
    assert answer is not None
    try:
        body = msgspec.Raw(msgspec.json.format(answer.body, indent=-1))
        usage = msgspec.json.decode(answer.body, type=_Answer).usage or _Usage()
    except (msgspec.DecodeError, UnicodeDecodeError):
        body, usage = msgspec.Raw(b"null"), _Usage()
    response = {
        "status_code": answer.status,
        "request_id": answer.headers.get("x-request-id") or answer.headers.get("x-amzn-requestid", ""),
        "body": body,
    }
    line = _encoded(batch, place, custom_id, response, None)
    read, written = usage.prompt_tokens or usage.input_tokens, usage.completion_tokens or usage.output_tokens
    return Done(answer.status == 200, read, written, line)


def _encoded(batch: Batch, place: int, custom_id: str, response: Any, error: Any) -> bytes:
    made = hashlib.sha256(f"{batch.id} {place}".encode()).hexdigest()[:24]
    return msgspec.json.encode(
        {"id": f"batch_req_{made}", "custom_id": custom_id, "response": response, "error": error}
    )

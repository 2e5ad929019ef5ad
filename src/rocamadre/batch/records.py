"""Bedrock's records: from a line of the input to what is asked, and from the answer to a line of the output."""

from __future__ import annotations

import base64
import hashlib
from functools import partial
from typing import Any
from urllib.parse import quote

import msgspec

from rocamadre.batch.lines import Line
from rocamadre.batch.progress import Done
from rocamadre.batch.running import Call, Record
from rocamadre.batch.types import BatchJob
from rocamadre.jobs.api import ApiAnswer

_RECORD_ID_LENGTH = 11


class _Input(msgspec.Struct):
    modelInput: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    recordId: Any = None


class _Usage(msgspec.Struct):
    inputTokens: int = 0
    outputTokens: int = 0


class _Answer(msgspec.Struct):
    usage: _Usage = msgspec.field(default_factory=_Usage)


class _Refusal(msgspec.Struct):
    message: str = ""


def read_record(job: BatchJob, source: int, line: Line, *, most_bytes: int) -> Record:
    """What to ask for a line; a line that is no record is refused by itself, with its number.

    Args:
        job: Whose.
        source: Number of the input file, from 0.
        line: Of the input.
        most_bytes: Longest record, for the refusal of a longer one.
    """
    made_id = _made_id(job, source, line)
    if line.data is None:
        return _refused(made_id, None, line, f"the record is longer than {most_bytes} bytes")
    try:
        found = msgspec.json.decode(line.data, type=_Input)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _refused(made_id, None, line, "the record is not a JSON object")
    record_id = made_id if found.recordId is None else found.recordId
    if not isinstance(record_id, str) or not record_id:
        return _refused(made_id, found.modelInput, line, "recordId must be a string that is not empty")
    if found.modelInput is msgspec.UNSET or not bytes(found.modelInput).lstrip().startswith(b"{"):
        return _refused(record_id, found.modelInput, line, "modelInput must be a JSON object")
    model_id = quote(job.model_id, safe="")
    end = "converse" if job.invocation_type == "Converse" else "invoke"
    call = Call(f"/bedrock-runtime/model/{model_id}/{end}", bytes(found.modelInput))
    return Record(call, partial(_finish, record_id, found.modelInput))


def _made_id(job: BatchJob, source: int, line: Line) -> str:
    """Eleven letters and digits, the same each time that the job is taken up."""
    digest = hashlib.sha256(f"{job.arn} {source} {line.place}".encode()).digest()
    return base64.b32encode(digest).decode()[:_RECORD_ID_LENGTH]


def _refused(record_id: str, model_input: Any, line: Line, why: str) -> Record:
    message = f"line {line.number}: {why}"
    return Record(None, lambda _: _error(record_id, model_input, 400, message))


def _finish(record_id: str, model_input: msgspec.Raw, answer: ApiAnswer | None) -> Done:
    assert answer is not None
    if answer.status != 200:
        try:
            message = msgspec.json.decode(answer.body, type=_Refusal).message
        except (msgspec.DecodeError, UnicodeDecodeError):
            message = ""
        return _error(record_id, model_input, answer.status, message or "the model could not be asked")
    read, written = _tokens(answer)
    output = msgspec.Raw(answer.body)
    if b"\n" in answer.body:
        output = msgspec.Raw(msgspec.json.format(answer.body, indent=-1))
    line = msgspec.json.encode({"recordId": record_id, "modelInput": model_input, "modelOutput": output})
    return Done(True, read, written, line)


def _error(record_id: str, model_input: Any, code: int, message: str) -> Done:
    line: dict[str, Any] = {"recordId": record_id}
    if isinstance(model_input, msgspec.Raw):
        line["modelInput"] = model_input
    line["error"] = {"errorCode": code, "errorMessage": message}
    return Done(False, 0, 0, msgspec.json.encode(line))


def _tokens(answer: ApiAnswer) -> tuple[int, int]:
    counts = [answer.headers.get(f"x-amzn-bedrock-{way}-token-count", "") for way in ("input", "output")]
    if counts[0].isdecimal():
        return int(counts[0]), int(counts[1]) if counts[1].isdecimal() else 0
    try:
        usage = msgspec.json.decode(answer.body, type=_Answer).usage
    except (msgspec.DecodeError, UnicodeDecodeError):
        return 0, 0
    return usage.inputTokens, usage.outputTokens

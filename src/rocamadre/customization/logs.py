"""Prompts and answers out of invocation logs, as Amazon Bedrock and this platform write them to S3."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from rocamadre.batch.lines import read_lines
from rocamadre.catalog.families import base_id
from rocamadre.core.errors import InvalidRequest
from rocamadre.customization.types import Job, Source
from rocamadre.datasets.sources import ObjectSource, unpacked
from rocamadre.datasets.types import Chat, Prompt, Role, Turn
from rocamadre.store.objects.protocol import ObjectStore, parse_uri

MOST_RECORD_BYTES = 16 << 20
_ENDINGS = (".json.gz", ".json", ".jsonl", ".jsonl.gz")
_LARGE = "/data/"
_ROLES: dict[str, Role] = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}


def read_logs(store: ObjectStore, job: Job, source: Source) -> Iterator[Prompt | Chat]:
    """The records below a prefix that hold a prompt and match the filters, oldest first.

    With `use_answers` they are conversations: only the teacher's own answers are taken.

    Raises:
        InvalidRequest: none is left.
        NotFound: the bucket is gone.
    """
    count = seen = 0
    for record in _records(store, source.uri):
        seen += 1
        if record.get("errorCode") or not matches(record.get("requestMetadata") or {}, source.filters):
            continue
        turns = turns_of(_body(record, "input"))
        if not turns or turns[-1].role != "user":
            continue
        if not source.use_answers:
            count += 1
            yield Prompt(turns)
        elif _is_by(record, job) and (answer := answer_of(_body(record, "output"))):
            count += 1
            yield Chat((*turns, Turn("assistant", answer)))
    if not count:
        raise InvalidRequest(
            f"{source.uri}: of {seen} log records none can be used; they must hold text "
            f"({'an answer of the teacher' if source.use_answers else 'a prompt'}) and match the filters"
        )


def matches(metadata: Mapping[str, Any], filters: Mapping[str, Any]) -> bool:
    """Whether a record's `requestMetadata` pass Bedrock's `requestMetadataFilters`.

    >>> matches({"team": "a"}, {"andAll": [{"equals": {"team": "a"}}, {"notEquals": {"stage": "test"}}]})
    True
    """
    for name, value in filters.items():
        if name == "equals":
            fits = all(metadata.get(key) == wanted for key, wanted in value.items())
        elif name == "notEquals":
            fits = all(metadata.get(key) != unwanted for key, unwanted in value.items())
        elif name == "andAll":
            fits = all(matches(metadata, each) for each in value)
        else:
            fits = any(matches(metadata, each) for each in value)
        if not fits:
            return False
    return True


def turns_of(body: Any) -> tuple[Turn, ...]:
    """A request's conversation, in whichever family's form; empty where there is none, or it holds more than text."""
    if not isinstance(body, Mapping):
        return ()
    for member in ("inputText", "prompt"):
        if isinstance(text := body.get(member), str) and text.strip():
            return (Turn("user", text),)
    found: list[Turn] = []
    if (system := _text(body.get("system"))).strip():
        found.append(Turn("system", system))
    messages = body.get("messages")
    for message in messages if isinstance(messages, Sequence) else ():
        if not isinstance(message, Mapping):
            return ()
        role, text = _ROLES.get(str(message.get("role"))), _text(message.get("content"))
        if role is None or not text.strip() or (role == "system" and found):
            return ()
        found.append(Turn(role, text))
    return tuple(found)


def answer_of(body: Any) -> str:
    """An answer's text, in whichever family's form; empty where there is none."""
    if not isinstance(body, Mapping):
        return ""
    places = (
        ("output", "message", "content"),
        ("choices", 0, "message", "content"),
        ("content",),
        ("results", 0, "outputText"),
        ("outputs", 0, "text"),
        ("generation",),
        ("completion",),
        ("text",),
    )
    return next((text for place in places if (text := _text(_at(body, place))).strip()), "")


def _at(value: Any, place: Sequence[str | int]) -> Any:
    for step in place:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return None
    return value


def _text(value: Any) -> str:
    """A text, or the texts of blocks; empty where a block is anything else."""
    if isinstance(value, str):
        return value
    if not isinstance(value, Sequence):
        return ""
    parts = [block.get("text") if isinstance(block, Mapping) else None for block in value]
    return "\n".join(parts) if all(isinstance(part, str) for part in parts) else ""  # type: ignore[arg-type]


def _body(record: Mapping[str, Any], side: str) -> Any:
    part = record.get(side)
    return part.get(f"{side}BodyJson") if isinstance(part, Mapping) else None


def _is_by(record: Mapping[str, Any], job: Job) -> bool:
    assert job.teacher is not None
    wanted = base_id(job.teacher.model_id.rpartition("/")[2])
    named = (str(record.get("modelId", "")), str(record.get("servedModelId", "")))
    return any(base_id(name.rpartition("/")[2]) == wanted for name in named if name)


def _records(store: ObjectStore, uri: str) -> Iterator[Mapping[str, Any]]:
    bucket, prefix = parse_uri(uri)
    for info in store.list(bucket, prefix):
        # Bodies that were too large for their record lie in folders of their own.
        if not info.key.endswith(_ENDINGS) or _LARGE in info.key:
            continue
        source = ObjectSource(store, f"s3://{bucket}/{info.key}")
        try:
            for line in read_lines(unpacked(source), most_bytes=MOST_RECORD_BYTES):
                record = _decoded(line.data)
                if record.get("schemaType") == "ModelInvocationLog":
                    yield record
        except zlib.error as error:
            raise InvalidRequest(f"{source.name} is damaged: {error}") from error


def _decoded(data: bytes | None) -> Mapping[str, Any]:
    try:
        found = msgspec.json.decode(data) if data else None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return found if isinstance(found, Mapping) else {}

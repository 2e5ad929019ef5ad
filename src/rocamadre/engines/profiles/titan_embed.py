"""Amazon Titan Text Embeddings, and the format that local embedding models take."""

from __future__ import annotations

from typing import Any

from rocamadre.core.errors import InvalidRequest
from rocamadre.engines.profiles.checks import array, boolean, choice, integer, read_body, record, string
from rocamadre.engines.profiles.types import (
    EmbeddingAnswer,
    EmbeddingProfile,
    EmbeddingRequest,
    EmbeddingType,
    Json,
)

_TEXT = string(1, 50_000)
FIRST_BODY = record({"inputText": _TEXT}, required=("inputText",))
_TYPES: dict[str, EmbeddingType] = {"float": "float", "binary": "bits"}


def _second(dimensions: Any) -> Any:
    return record(
        {
            "inputText": _TEXT,
            "dimensions": dimensions,
            "normalize": boolean,
            "embeddingTypes": array(choice(*_TYPES), 1, 2),
        },
        required=("inputText",),
    )


DIMENSIONS = (256, 512, 1024)
SECOND_BODY = _second(choice(*DIMENSIONS))
LOCAL_BODY = _second(integer(1))


def read_first(body: Any) -> EmbeddingRequest:
    """Version 1: text only, 1,536 numbers."""
    read_body(body, FIRST_BODY)
    return EmbeddingRequest((body["inputText"],), dimensions=1536)


def read_second(body: Any) -> EmbeddingRequest:
    """Version 2: 256, 512 or 1,024 numbers, as floats, bits or both."""
    read_body(body, SECOND_BODY)
    return _request(body, 1024)


def read_local(body: Any) -> EmbeddingRequest:
    """Version 2's body for a model asked for by its own id: its own dimensions unless others are asked for."""
    read_body(body, LOCAL_BODY)
    return _request(body, None)


def _request(body: Json, dimensions: int | None) -> EmbeddingRequest:
    if body.get("normalize") is False:
        raise InvalidRequest(
            "#/normalize: the local model's vectors always have unit length; leave normalize out or set it to true"
        )
    types = tuple(dict.fromkeys(_TYPES[each] for each in body.get("embeddingTypes", ("float",))))
    return EmbeddingRequest((body["inputText"],), body.get("dimensions", dimensions), types, by_type=True)


def write(request: EmbeddingRequest, answer: EmbeddingAnswer) -> Json:
    """The answer's body."""
    body: Json = {}
    if "float" in answer.vectors:
        body["embedding"] = answer.vectors["float"][0]
    if request.by_type:
        names: dict[EmbeddingType, str] = {kind: name for name, kind in _TYPES.items()}
        body["embeddingsByType"] = {names[kind]: answer.vectors[kind][0] for kind in request.types}
    body["inputTextTokenCount"] = answer.token_counts[0]
    return body


FIRST = EmbeddingProfile(
    "Amazon Titan Embeddings G1 - Text",
    ("amazon.titan-embed-text-v1*", "amazon.titan-embed-g1-text-*", "amazon.titan-e1t-*"),
    read_first,
    write,
    default_dimensions=1536,
    body=FIRST_BODY,
)
SECOND = EmbeddingProfile(
    "Amazon Titan Text Embeddings V2",
    ("amazon.titan-embed-text-v2*",),
    read_second,
    write,
    default_dimensions=1024,
    body=SECOND_BODY,
    dimensions=DIMENSIONS,
)
LOCAL = EmbeddingProfile("local embeddings", (), read_local, write, body=LOCAL_BODY)

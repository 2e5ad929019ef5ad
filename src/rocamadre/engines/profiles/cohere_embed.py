"""Cohere Embed, versions 3 and 4."""

from __future__ import annotations

from typing import Any, Literal

from rocamadre.core.errors import InvalidRequest
from rocamadre.engines.profiles.checks import (
    Check,
    anything,
    array,
    choice,
    integer,
    malformed,
    read_body,
    record,
    string,
)
from rocamadre.engines.profiles.cohere_text import dashed
from rocamadre.engines.profiles.types import EmbeddingAnswer, EmbeddingProfile, EmbeddingRequest, Json

_INPUT_TYPES = choice("search_document", "search_query", "classification", "clustering", "image")
_TYPES = array(choice("float", "int8", "uint8", "binary", "ubinary"), 1, 5)
DIMENSIONS = (256, 512, 1024, 1536)
_IMAGES = {"images": "image embeddings"}
_CUTS: dict[str, Literal["cut_end", "cut_start", "refuse"]] = {
    "NONE": "refuse",
    "START": "cut_start",
    "LEFT": "cut_start",
    "END": "cut_end",
    "RIGHT": "cut_end",
}
THIRD_BODY = record(
    {
        "texts": array(string(0, 2048), 1, 96),
        "input_type": _INPUT_TYPES,
        "truncate": choice("NONE", "START", "END"),
        "embedding_types": _TYPES,
    },
    required=("texts", "input_type"),
    later=_IMAGES,
)
_PART: Check = record(
    {"type": choice("text", "image_url"), "text": string(1), "image_url": anything}, required=("type",)
)
FOURTH_BODY = record(
    {
        "texts": array(string(), 1, 96),
        "inputs": array(record({"content": array(_PART, 1)}, required=("content",)), 1, 96),
        "input_type": _INPUT_TYPES,
        "truncate": choice("NONE", "LEFT", "RIGHT", "START", "END"),
        "embedding_types": _TYPES,
        "output_dimension": choice(*DIMENSIONS),
        "max_tokens": integer(1, 128_000),
    },
    required=("input_type",),
    later=_IMAGES,
)


def read_third(body: Any) -> EmbeddingRequest:
    """Version 3: up to 96 texts, 1,024 numbers each."""
    read_body(body, THIRD_BODY)
    return _request(body, tuple(body["texts"]), 1024)


def read_fourth(body: Any) -> EmbeddingRequest:
    """Version 4: texts, or inputs made of text parts; 256 to 1,536 numbers each."""
    read_body(body, FOURTH_BODY)
    if ("texts" in body) == ("inputs" in body):
        raise malformed("#: exactly one of the keys [texts], [inputs] is required")
    if "max_tokens" in body:
        raise InvalidRequest("#/max_tokens: the local model's own limit cannot be changed; leave max_tokens out")
    texts = body.get("texts") or [_joined(each["content"], index) for index, each in enumerate(body["inputs"])]
    return _request(body, tuple(texts), body.get("output_dimension", 1536))


def _joined(parts: list[Json], index: int) -> str:
    for part in parts:
        if part["type"] != "text" or "text" not in part:
            raise InvalidRequest(f"#/inputs/{index}: the local model embeds text only; give parts with a text")
    return "\n".join(part["text"] for part in parts)


def _request(body: Json, texts: tuple[str, ...], dimensions: int) -> EmbeddingRequest:
    if body["input_type"] == "image":
        raise InvalidRequest("#/input_type: the local model embeds text only; image is not taken")
    types = body.get("embedding_types")
    return EmbeddingRequest(
        texts,
        dimensions,
        tuple(dict.fromkeys(types)) if types else ("float",),
        # Cohere's own default refuses long texts, but its models read 512 tokens and more; ours reads 256. Code that
        # says nothing expects its texts to be read, so they are cut, and the answer's header says so.
        _CUTS[body.get("truncate", "END")],
        by_type=types is not None,
    )


def write(request: EmbeddingRequest, answer: EmbeddingAnswer) -> Json:
    """The answer's body."""
    return {
        "id": dashed(answer.id),
        "texts": list(request.texts),
        "embeddings": dict(answer.vectors) if request.by_type else answer.vectors["float"],
        "response_type": "embeddings_by_type" if request.by_type else "embeddings_floats",
    }


THIRD = EmbeddingProfile(
    "Cohere Embed v3",
    ("cohere.embed-english-v3*", "cohere.embed-multilingual-v3*"),
    read_third,
    write,
    default_dimensions=1024,
    body=THIRD_BODY,
)
FOURTH = EmbeddingProfile(
    "Cohere Embed v4",
    ("cohere.embed-v4*",),
    read_fourth,
    write,
    default_dimensions=1536,
    body=FOURTH_BODY,
    dimensions=DIMENSIONS,
)

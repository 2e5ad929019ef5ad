"""Amazon Titan Multimodal Embeddings G1, for text."""

from __future__ import annotations

from typing import Any

from rocamadre.core.errors import InvalidRequest
from rocamadre.engines.profiles.checks import choice, malformed, optional, read_body, record, string
from rocamadre.engines.profiles.types import EmbeddingAnswer, EmbeddingProfile, EmbeddingRequest, Json

DIMENSIONS = (256, 384, 1024)
BODY = record(
    {
        "inputText": optional(string(1)),
        "inputImage": optional(string(1)),
        "embeddingConfig": optional(record({"outputEmbeddingLength": choice(*DIMENSIONS)})),
    }
)


def read(body: Any) -> EmbeddingRequest:
    """From the body.

    Raises:
        InvalidRequest: it holds an image, or no text.
    """
    read_body(body, BODY)
    if body.get("inputImage"):
        raise InvalidRequest("#/inputImage: the local model embeds text only, not images; give inputText alone")
    if not body.get("inputText"):
        raise malformed("#: required key [inputText] not found")
    length = (body.get("embeddingConfig") or {}).get("outputEmbeddingLength", 1024)
    return EmbeddingRequest((body["inputText"],), length)


def write(request: EmbeddingRequest, answer: EmbeddingAnswer) -> Json:
    """The answer's body."""
    return {
        "embedding": answer.vectors["float"][0],
        "inputTextTokenCount": answer.token_counts[0],
        "message": None,
    }


PROFILE = EmbeddingProfile(
    "Amazon Titan Multimodal Embeddings",
    ("amazon.titan-embed-image-*",),
    read,
    write,
    default_dimensions=1024,
    body=BODY,
    dimensions=DIMENSIONS,
)

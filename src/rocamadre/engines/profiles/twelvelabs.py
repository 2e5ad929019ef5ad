"""TwelveLabs Marengo embeddings, for text: versions 2.7 and 3.0."""

from __future__ import annotations

from typing import Any, Literal

from rocamadre.core.errors import InvalidRequest
from rocamadre.engines.profiles.checks import anything, choice, malformed, read_body, record, string
from rocamadre.engines.profiles.types import EmbeddingAnswer, EmbeddingProfile, EmbeddingRequest, Json

_OLDER_DIMENSIONS = 1024
_NEWER_DIMENSIONS = 512
_CUTS: dict[str, Literal["cut_end", "refuse"]] = {"end": "cut_end", "none": "refuse"}
OLDER_BODY = record(
    {
        "inputType": choice("text", "image", "video", "audio"),
        "inputText": string(1),
        "textTruncate": choice(*_CUTS),
        "mediaSource": anything,
        "embeddingOption": anything,
        "startSec": anything,
        "lengthSec": anything,
        "useFixedLengthSec": anything,
        "minClipSec": anything,
    },
    required=("inputType",),
)
NEWER_BODY = record(
    {
        "inputType": choice("text", "image", "text_image", "video", "audio"),
        "text": record({"inputText": string(1)}, required=("inputText",)),
        "image": anything,
        "text_image": anything,
        "video": anything,
        "audio": anything,
    },
    required=("inputType",),
)


def read_older(body: Any) -> EmbeddingRequest:
    """Version 2.7: 1,024 numbers."""
    read_body(body, OLDER_BODY)
    _check_kind(body)
    if "inputText" not in body:
        raise malformed("#: required key [inputText] not found")
    return EmbeddingRequest((body["inputText"],), _OLDER_DIMENSIONS, too_long=_CUTS[body.get("textTruncate", "end")])


def read_newer(body: Any) -> EmbeddingRequest:
    """Version 3.0: 512 numbers."""
    read_body(body, NEWER_BODY)
    _check_kind(body)
    if "text" not in body:
        raise malformed("#: required key [text] not found")
    return EmbeddingRequest((body["text"]["inputText"],), _NEWER_DIMENSIONS)


def _check_kind(body: Json) -> None:
    if body["inputType"] != "text":
        raise InvalidRequest(
            f"#/inputType: the local model embeds text only, not {body['inputType']}; give inputType text"
        )


def write(request: EmbeddingRequest, answer: EmbeddingAnswer) -> Json:
    """The answer's body."""
    return {"data": [{"embedding": vector} for vector in answer.vectors["float"]]}


OLDER = EmbeddingProfile(
    "TwelveLabs Marengo 2.7",
    ("twelvelabs.marengo-embed-2-7-*",),
    read_older,
    write,
    default_dimensions=_OLDER_DIMENSIONS,
    body=OLDER_BODY,
)
NEWER = EmbeddingProfile(
    "TwelveLabs Marengo 3.0",
    ("twelvelabs.marengo-embed-3-*",),
    read_newer,
    write,
    default_dimensions=_NEWER_DIMENSIONS,
    body=NEWER_BODY,
)

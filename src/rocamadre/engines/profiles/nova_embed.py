"""Amazon Nova Multimodal Embeddings, for text: one embedding at once, or, asynchronously, one per segment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from rocamadre.core.errors import InvalidRequest, NotBuilt
from rocamadre.engines.profiles.checks import Check, anything, choice, integer, read_body, record, string
from rocamadre.engines.profiles.types import EmbeddingAnswer, EmbeddingProfile, EmbeddingRequest, Json

DIMENSIONS = (256, 384, 1024, 3072)
DEFAULT_DIMENSIONS = 3072
DEFAULT_SEGMENT = 32_000
_VERSION = "nova-multimodal-embed-v1"
_PURPOSE = choice(
    "GENERIC_INDEX",
    "GENERIC_RETRIEVAL",
    "TEXT_RETRIEVAL",
    "IMAGE_RETRIEVAL",
    "VIDEO_RETRIEVAL",
    "DOCUMENT_RETRIEVAL",
    "AUDIO_RETRIEVAL",
    "CLASSIFICATION",
    "CLUSTERING",
)
_CUTS: dict[str, Literal["cut_end", "cut_start", "refuse"]] = {
    "NONE": "refuse",
    "START": "cut_start",
    "END": "cut_end",
}
_OTHERS = ("image", "audio", "video")
_SOURCE: Check = record({"s3Location": record({"uri": string(1)}, required=("uri",)), "bytes": string(1)})


def _params(text: Check) -> Check:
    return record(
        {
            "embeddingPurpose": _PURPOSE,
            "embeddingDimension": choice(*DIMENSIONS),
            "text": text,
            **dict.fromkeys(_OTHERS, anything),
        },
        required=("embeddingPurpose",),
    )


_TEXT = {"truncationMode": choice(*_CUTS), "value": string(1), "source": _SOURCE}
BODY = record(
    {
        "schemaVersion": choice(_VERSION),
        "taskType": choice("SINGLE_EMBEDDING"),
        "singleEmbeddingParams": _params(record(_TEXT, required=("truncationMode",))),
    },
    required=("taskType", "singleEmbeddingParams"),
)
SEGMENTED_BODY = record(
    {
        "schemaVersion": choice(_VERSION),
        "taskType": choice("SEGMENTED_EMBEDDING"),
        "segmentedEmbeddingParams": _params(
            record(
                {**_TEXT, "segmentationConfig": record({"maxLengthChars": integer(800, 50_000)})},
                required=("truncationMode",),
            )
        ),
    },
    required=("taskType", "segmentedEmbeddingParams"),
)


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of a text.

    Attributes:
        start: Its first character's place in the text.
        end: The place after its last.
    """

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class SegmentedRequest:
    """A text to cut and embed piece by piece.

    Attributes:
        text: The text; empty where `uri` says where it is.
        uri: `s3://bucket/key` of the text.
        most_characters: Of a segment.
    """

    text: str
    uri: str
    most_characters: int
    dimensions: int
    too_long: Literal["cut_end", "cut_start", "refuse"]

    def segments(self, text: str) -> tuple[Segment, ...]:
        """A text in pieces."""
        return cut(text, self.most_characters)

    def request(self, segments: tuple[Segment, ...]) -> EmbeddingRequest:
        """What to ask of the embedder for some of the pieces."""
        texts = tuple(each.text for each in segments)
        return EmbeddingRequest(texts, self.dimensions, too_long=self.too_long, measures_cut=True)


def read(body: Any) -> EmbeddingRequest:
    """From the body of a synchronous call.

    Raises:
        InvalidRequest: it holds an image, a sound or a video, or asks for segments.
    """
    if isinstance(body, dict) and body.get("taskType") == "SEGMENTED_EMBEDDING":
        raise InvalidRequest("#/taskType: SEGMENTED_EMBEDDING is for StartAsyncInvoke; use SINGLE_EMBEDDING here")
    read_body(body, BODY)
    params = body["singleEmbeddingParams"]
    at = "#/singleEmbeddingParams"
    text = _text(params, at)
    if "value" not in text:
        raise NotBuilt(f"{at}/text/source: Rocamadre does not have texts in S3 for this call yet; give value")
    return EmbeddingRequest(
        (text["value"],),
        params.get("embeddingDimension", DEFAULT_DIMENSIONS),
        too_long=_CUTS[text["truncationMode"]],
        measures_cut=True,
    )


def read_segmented(body: Any) -> SegmentedRequest:
    """From the body of an asynchronous call that asks for segments; raises like `read`."""
    read_body(body, SEGMENTED_BODY)
    params = body["segmentedEmbeddingParams"]
    at = "#/segmentedEmbeddingParams"
    text = _text(params, at)
    uri = text.get("source", {}).get("s3Location", {}).get("uri", "")
    if "value" not in text and not uri:
        raise InvalidRequest(f"{at}/text/source: only s3Location is taken")
    return SegmentedRequest(
        text.get("value", ""),
        uri,
        text.get("segmentationConfig", {}).get("maxLengthChars", DEFAULT_SEGMENT),
        params.get("embeddingDimension", DEFAULT_DIMENSIONS),
        _CUTS[text["truncationMode"]],
    )


def _text(params: Json, at: str) -> Json:
    for kind in _OTHERS:
        if params.get(kind) is not None:
            raise InvalidRequest(f"{at}/{kind}: the local model embeds text only, not {kind}; give text")
    text: Json | None = params.get("text")
    if text is None:
        raise InvalidRequest(f"{at}: exactly one of text, image, audio, video is required; text is taken")
    if ("value" in text) == ("source" in text):
        raise InvalidRequest(f"{at}/text: exactly one of value, source is required")
    return text


def cut(text: str, most: int) -> tuple[Segment, ...]:
    """A text in pieces of at most so many characters, cut after words where there are any.

    >>> [each.text for each in cut("one two three", 8)]
    ['one two ', 'three']
    """
    pieces, start = [], 0
    while len(text) - start > most:
        end = max((text.rfind(space, start + 1, start + most) + 1 for space in " \n\t"), default=0)
        end = end if end > start else start + most
        pieces.append(Segment(start, end, text[start:end]))
        start = end
    if start < len(text):
        pieces.append(Segment(start, len(text), text[start:]))
    return tuple(pieces)


def write(request: EmbeddingRequest, answer: EmbeddingAnswer) -> Json:
    """The answer's body."""
    made = []
    for place, vector in enumerate(answer.vectors["float"]):
        one: Json = {"embeddingType": "TEXT", "embedding": vector}
        if answer.read_characters and (read := answer.read_characters[place]) is not None:
            one["truncatedCharLength"] = read
        made.append(one)
    return {"embeddings": made}


PROFILE = EmbeddingProfile(
    "Amazon Nova Multimodal Embeddings",
    ("amazon.nova-*multimodal-embeddings-*",),
    read,
    write,
    default_dimensions=DEFAULT_DIMENSIONS,
    body=BODY,
    dimensions=DIMENSIONS,
)

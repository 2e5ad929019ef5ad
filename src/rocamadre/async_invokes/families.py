"""The families that can be called asynchronously: how their input becomes synchronous calls, and those an output."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, TypeAlias

import msgspec

from rocamadre.core.errors import InvalidRequest
from rocamadre.engines.profiles import nova_embed, twelvelabs

Json: TypeAlias = dict[str, Any]

MOST_SEGMENTS = 1900
"""Of one text, as on AWS."""


class Piece(msgspec.Struct, frozen=True):
    """What came of one synchronous call: an answer, or why there is none."""

    answer: Any = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """One asynchronous call, in synchronous ones.

    Attributes:
        bodies: Of InvokeModel, in order.
        files: Names and contents of the output, of what came of the bodies and the URI of the output's folder. The
            last one is written last: it says that the others are there.
    """

    bodies: Sequence[Json]
    files: Callable[[Sequence[Piece], str], Iterator[tuple[str, Iterator[bytes]]]]


@dataclass(frozen=True, slots=True)
class Family:
    """A family of models.

    Attributes:
        patterns: Of foundation model ids.
        check: Refuses input that could not be planned; raises `InvalidRequest`. Returns the S3 URI of the text; empty
            when it is in the input.
        plan: Of the input, and the text from S3.
    """

    name: str
    patterns: tuple[str, ...]
    check: Callable[[Mapping[str, Any]], str]
    plan: Callable[[Mapping[str, Any], str], Plan]


def find_family(base_id: str) -> Family:
    """The family of a foundation model.

    Raises:
        InvalidRequest: it has no asynchronous calls, or none that can run here; the message lists those that can.
    """
    for family in FAMILIES:
        if any(fnmatchcase(base_id, pattern) for pattern in family.patterns):
            return family
    known = ", ".join(pattern for family in FAMILIES for pattern in family.patterns)
    raise InvalidRequest(
        f"The provided model doesn't support async invoke here: {base_id}; these do, for text: {known}. Video is not "
        "generated"
    )


# -- Nova: a text in segments, an embedding each ----------------------------------------------------------------------


def _check_nova(given: Mapping[str, Any]) -> str:
    return nova_embed.read_segmented(given).uri


def _plan_nova(given: Mapping[str, Any], found: str) -> Plan:
    wish = nova_embed.read_segmented(given)
    segments = wish.segments(found if wish.uri else wish.text)
    if not segments:
        raise InvalidRequest(f"{wish.uri or 'text.value'} is empty; there is nothing to embed")
    if len(segments) > MOST_SEGMENTS:
        raise InvalidRequest(
            f"the text makes {len(segments)} segments of at most {wish.most_characters} characters; at most "
            f"{MOST_SEGMENTS} are taken: raise segmentationConfig.maxLengthChars or split the text"
        )
    params = given["segmentedEmbeddingParams"]
    bodies = [
        {
            "taskType": "SINGLE_EMBEDDING",
            "singleEmbeddingParams": {
                "embeddingPurpose": params["embeddingPurpose"],
                "embeddingDimension": wish.dimensions,
                "text": {"truncationMode": params["text"]["truncationMode"], "value": segment.text},
            },
        }
        for segment in segments
    ]

    def files(pieces: Sequence[Piece], folder_uri: str) -> Iterator[tuple[str, Iterator[bytes]]]:
        yield "embedding-text.jsonl", map(_nova_line, range(len(pieces)), segments, pieces)
        good = sum(not piece.error for piece in pieces)
        status = "SUCCESS" if good == len(pieces) else "PARTIAL_SUCCESS" if good else "FAILURE"
        result = {"embeddingType": "TEXT", "status": status, "outputFileUri": f"{folder_uri}/embedding-text.jsonl"}
        whole = {"sourceFileUri": wish.uri, "embeddingDimension": wish.dimensions, "embeddingResults": [result]}
        yield "segmented-embedding-result.json", iter((msgspec.json.encode(whole),))

    return Plan(bodies, files)


def _nova_line(index: int, segment: nova_embed.Segment, piece: Piece) -> bytes:
    metadata: Json = {
        "segmentIndex": index,
        "segmentStartCharPosition": segment.start,
        "segmentEndCharPosition": segment.end,
    }
    line: Json = {"embedding": [], "segmentMetadata": metadata, "status": "FAILURE"}
    if piece.error:
        line |= {"failureReason": "INVALID_CONTENT", "message": piece.error}
    else:
        made = piece.answer["embeddings"][0]
        line |= {"embedding": made["embedding"], "status": "SUCCESS"}
        if "truncatedCharLength" in made:
            metadata["truncatedCharLength"] = made["truncatedCharLength"]
    return msgspec.json.encode(line) + b"\n"


# -- Marengo: one text, one embedding ---------------------------------------------------------------------------------


def _check_older(given: Mapping[str, Any]) -> str:
    twelvelabs.read_older(given)
    return ""


def _check_newer(given: Mapping[str, Any]) -> str:
    twelvelabs.read_newer(given)
    return ""


def _plan_marengo(given: Mapping[str, Any], found: str) -> Plan:
    return Plan([dict(given)], _marengo_files)


def _marengo_files(pieces: Sequence[Piece], folder_uri: str) -> Iterator[tuple[str, Iterator[bytes]]]:
    yield "output.json", iter((msgspec.json.encode(pieces[0].answer),))


FAMILIES = (
    Family(nova_embed.PROFILE.name, nova_embed.PROFILE.patterns, _check_nova, _plan_nova),
    Family(twelvelabs.OLDER.name, twelvelabs.OLDER.patterns, _check_older, _plan_marengo),
    Family(twelvelabs.NEWER.name, twelvelabs.NEWER.patterns, _check_newer, _plan_marengo),
)

"""Chunks through a function of their owner's, as Amazon Bedrock's custom transformations go.

After chunking, a document's chunks are put into the intermediate bucket as a batch, `{"fileContents": [{"contentBody",
"contentType", "contentMetadata"}]}`. The function is called with the names of batches, puts batches of its own beside
them, and returns their names. What stands in those are the chunks.

A function that the setting `knowledge.transformations` maps to `package.module:function` is called in this Python with
the contents themselves and a description of the document, and returns contents: no bucket is needed in between.
"""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeAlias

import msgspec

from rocamadre.core.errors import InvalidRequest, NotFound, RocamadreError
from rocamadre.knowledge.chunkers.registry import Piece
from rocamadre.knowledge.ingestion.preparing import Transformed
from rocamadre.knowledge.parsers.parsed import Parsed, Places
from rocamadre.knowledge.sources.protocol import SourceFailure, Value, plain_attributes
from rocamadre.store.objects.protocol import ObjectStore, parse_uri

Invoke: TypeAlias = Callable[[str, Any], Any]
"""ARN and event to what the function returned; raises `RocamadreError` when it failed."""

Own: TypeAlias = Callable[[list[dict[str, Any]], dict[str, Any]], list[dict[str, Any]]]
"""Contents, each with `contentBody`, `contentType` and `contentMetadata`, and the document's `{"id", "attributes"}`, to
contents."""

_MOST_BYTES = 256 * 1024 * 1024
_JOIN = "\n\n"


class _Content(msgspec.Struct):
    contentBody: str = ""
    contentType: str = "TXT"
    contentMetadata: dict[str, Any] = {}


class _Batch(msgspec.Struct):
    fileContents: list[_Content] = []


class _Key(msgspec.Struct):
    key: str


class _File(msgspec.Struct):
    contentBatches: list[_Key] = []
    fileMetadata: dict[str, Any] = {}


class _Result(msgspec.Struct):
    outputFiles: list[_File]


@dataclass(frozen=True, slots=True)
class Transformation:
    """A data source's `customTransformationConfiguration`.

    Attributes:
        function: ARN.
        bucket: Of the intermediate storage.
        prefix: Keys in it begin so; ends with a slash, or is empty.
        run: Sets this run's batches apart.
        own: A function of this Python to be called instead.
    """

    knowledge_base: str
    data_source: str
    run: str
    function: str
    bucket: str
    prefix: str
    objects: ObjectStore
    invoke: Invoke
    own: Own | None = None

    def __call__(
        self, parsed: Parsed, pieces: Sequence[Piece], document: str, attributes: Mapping[str, Value]
    ) -> Transformed:
        """See `preparing.Transform`.

        Raises:
            SourceFailure: the function failed, or gave what it should not.
        """
        searched = [piece for piece in pieces if piece.searched]
        contents = [_Content(piece.text, "TXT", dict(piece.metadata)) for piece in searched]
        try:
            if self.own is not None:
                return transformed(parsed, _called(self.own, contents, document, attributes))
            return transformed(parsed, self._through(contents, document, attributes))
        except msgspec.MsgspecError as error:
            raise SourceFailure(f"what {self.function} returned is not what it should be: {error}") from error
        except RocamadreError as error:
            raise SourceFailure(f"{self.function} failed: {error.message}") from error

    def _through(
        self, contents: list[_Content], document: str, attributes: Mapping[str, Value]
    ) -> list[tuple[_Content, Mapping[str, Any]]]:
        """The contents that the function put into the bucket; all batches are removed again."""
        name = hashlib.sha256(document.encode()).hexdigest()[:32]
        own = f"{self.prefix}aws/bedrock/knowledge_bases/{self.knowledge_base}/{self.data_source}/"
        key = f"{own}{self.run}/{name}_1.JSON"
        given = [key]
        try:
            self.objects.put(self.bucket, key, msgspec.json.encode(_Batch(contents)), content_type="application/json")
            result = msgspec.convert(self.invoke(self.function, self._event(document, key, attributes)), _Result)
            given += [batch.key for file in result.outputFiles for batch in file.contentBatches]
            return [
                (content, file.fileMetadata)
                for file in result.outputFiles
                for batch in file.contentBatches
                for content in self._read(batch.key)
            ]
        finally:
            for each in given:
                if each.startswith(own):  # A function may name what is not ours to remove.
                    with suppress(RocamadreError):
                        self.objects.delete(self.bucket, each)

    def _event(self, document: str, key: str, attributes: Mapping[str, Value]) -> dict[str, Any]:
        where: dict[str, Any] = {"type": "CUSTOM", "custom_document_location": {"id": document}}
        if document.startswith("s3://"):
            where = {"type": "S3", "s3_location": {"uri": document}}
        elif document.startswith(("http://", "https://")):
            where = {"type": "WEB", "web_location": {"url": document}}
        return {
            "version": "1.0",
            "knowledgeBaseId": self.knowledge_base,
            "dataSourceId": self.data_source,
            "ingestionJobId": self.run,
            "bucketName": self.bucket,
            "priorTask": "CHUNKING",
            "inputFiles": [
                {"originalFileLocation": where, "fileMetadata": dict(attributes), "contentBatches": [{"key": key}]}
            ],
        }

    def _read(self, key: str) -> list[_Content]:
        try:
            size = self.objects.head(self.bucket, key).size_bytes
            if size > _MOST_BYTES:
                raise InvalidRequest(f"s3://{self.bucket}/{key} has {size} bytes; at most {_MOST_BYTES} are read")
            return msgspec.json.decode(self.objects.read(self.bucket, key), type=_Batch).fileContents
        except NotFound as error:
            raise InvalidRequest(f"it named {key}, which is not in the bucket {self.bucket}") from error


def read_transformation(configuration: Mapping[str, Any]) -> tuple[str, str, str]:
    """Function, bucket and prefix of a `customTransformationConfiguration`.

    Raises:
        InvalidRequest: a member is missing or wrong.
    """
    try:
        (each,) = configuration["transformations"]
        function = str(each["transformationFunction"]["transformationLambdaConfiguration"]["lambdaArn"])
        bucket, prefix = parse_uri(str(configuration["intermediateStorage"]["s3Location"]["uri"]))
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidRequest(
            "customTransformationConfiguration needs intermediateStorage.s3Location.uri and one transformation with a "
            "transformationLambdaConfiguration.lambdaArn"
        ) from error
    return function, bucket, f"{prefix.rstrip('/')}/" if prefix.strip("/") else ""


def own_function(name: str, mapping: Mapping[str, str]) -> Own | None:
    """The function of this Python that the settings map a function's ARN or name to; None for none.

    Raises:
        InvalidRequest: it is not there.
    """
    short = name.partition(":function:")[2].partition(":")[0] or name
    target = mapping.get(name) or mapping.get(short)
    if not target:
        return None
    module, _, attribute = target.partition(":")
    try:
        found = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise InvalidRequest(
            f"the setting knowledge.transformations maps {short} to {target!r}, which cannot be loaded: {error}"
        ) from error
    made: Own = found
    return made


def _called(
    function: Own, contents: list[_Content], document: str, attributes: Mapping[str, Value]
) -> list[tuple[_Content, Mapping[str, Any]]]:
    try:
        made = function(msgspec.to_builtins(contents), {"id": document, "attributes": dict(attributes)})
    except Exception as error:  # the owner's own code may raise whatever it likes
        raise SourceFailure(f"the transformation raised {type(error).__name__}: {str(error)[:300]}") from error
    return [(content, {}) for content in msgspec.convert(made, list[_Content])]


def transformed(parsed: Parsed, contents: Sequence[tuple[_Content, Mapping[str, Any]]]) -> Transformed:
    """Pieces with exact spans: in the document's text where each stands in it, else in the pieces' own, joined."""
    given = [(content, attributes) for content, attributes in contents if content.contentBody.strip()]
    spans, text = _spans([content.contentBody.strip() for content, _ in given], parsed.text), parsed.text
    places = Places(parsed) if spans is not None else None
    if spans is None:
        bodies = [content.contentBody.strip() for content, _ in given]
        text, spans, at = _JOIN.join(bodies), [], 0
        for body in bodies:
            spans.append((at, at + len(body)))
            at += len(body) + len(_JOIN)
    pieces = [
        Piece(
            start,
            end,
            text[start:end],
            places.headings(start) if places else (),
            places.page(start) if places else None,
        )
        for start, end in spans
    ]
    more = [dict(plain_attributes({**attributes, **content.contentMetadata}).values) for content, attributes in given]
    return Transformed(text, pieces, more)


def _spans(bodies: Sequence[str], text: str) -> list[tuple[int, int]] | None:
    """Where each stands in a text, looked for from the one before on; None when one does not."""
    found: list[tuple[int, int]] = []
    at = 0
    for body in bodies:
        start = text.find(body, at)
        if start < 0:
            start = text.find(body)  # Chunks that overlap, or were put in another order.
        if start < 0:
            return None
        found.append((start, start + len(body)))
        at = start
    return found

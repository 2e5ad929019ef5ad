"""CopyObject and UploadPartCopy: content that is here already."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from urllib.parse import unquote_to_bytes

from rocamadre.api.http import Reply
from rocamadre.api.neighbours.s3.attributes import parse_tagging, read_attributes, refuse_unbuilt
from rocamadre.api.neighbours.s3.calls import Call, bad_argument, check_owner, in_thread, operation, xml_date
from rocamadre.api.neighbours.s3.conditions import check_read, write_condition
from rocamadre.api.neighbours.s3.documents import checksum_tags, tag, xml_reply
from rocamadre.api.neighbours.s3.multipart import part_number
from rocamadre.api.neighbours.s3.payload import MOST_BYTES
from rocamadre.api.neighbours.s3.receiving import read_document
from rocamadre.api.neighbours.s3.writing import wanted_algorithm
from rocamadre.core.errors import CommonError
from rocamadre.store.objects.errors import TooLarge
from rocamadre.store.objects.names import encode_key
from rocamadre.store.objects.protocol import ObjectInfo
from rocamadre.store.objects.rows import Attributes
from rocamadre.store.objects.uploads import Part, find_upload, keep_part

_RANGE = re.compile(r"bytes=([0-9]{1,18})-([0-9]{1,18})")
_PREFIX = "x-amz-copy-source-"


def source_of(call: Call) -> tuple[str, str]:
    """Bucket and key that a copy reads.

    Raises:
        CommonError: InvalidArgument or NoSuchVersion.
    """
    path, _, query = call.header("x-amz-copy-source").partition("?")
    try:
        bucket, _, key = unquote_to_bytes(path).decode().removeprefix("/").partition("/")
    except UnicodeDecodeError:
        bucket = key = ""
    if not bucket or not key or bucket.startswith("arn:"):
        raise bad_argument("Copy Source must mention the source bucket and key: sourcebucket/sourcekey")
    version = query.removeprefix("versionId=")
    if version not in ("", "null"):
        raise CommonError("NoSuchVersion", 404, f"there is no version {version[:80]!r}: versioning is not built")
    check_owner(call, "x-amz-source-expected-bucket-owner")
    return bucket, key


@operation("CopyObject")
async def copy_object(call: Call) -> Reply:
    """Copy an object within or between buckets; the content is linked, not read."""
    headers = call.request.headers
    await read_document(call)
    source = source_of(call)
    given = read_attributes(headers)
    replaces = _directive(call, "x-amz-metadata-directive")
    retags = _directive(call, "x-amz-tagging-directive")
    tags = parse_tagging(headers.get("x-amz-tagging", ""))
    algorithm = wanted_algorithm(call)
    if source == (call.bucket, call.key) and not (replaces or retags or algorithm):
        raise CommonError(
            "InvalidRequest",
            400,
            "This copy request is illegal because it is trying to copy an object to itself without changing the "
            "object's metadata, storage class, website redirect location or encryption attributes.",
        )

    def attributes(info: ObjectInfo) -> Attributes:
        kept = Attributes(info.content_type, info.metadata, info.headers)
        return replace(
            given if replaces else kept,
            tags=tags if retags else info.tags,
            checksums=info.checksums,
            checksum_type=info.checksum_type,
            parts=info.parts,
        )

    def check_source(info: ObjectInfo) -> None:
        check_read(info, headers, _PREFIX)
        if info.size_bytes > MOST_BYTES:
            raise TooLarge("the source is larger than 5 GiB; copy it in parts (UploadPartCopy)")

    info = await asyncio.shield(
        in_thread(
            call.store.copy,
            source,
            call.bucket,
            call.key,
            attributes=attributes,
            algorithm=algorithm,
            source_condition=check_source,
            condition=write_condition(headers),
        )
    )
    parts = [tag("LastModified", xml_date(info.modified_at)), tag("ETag", f'"{info.etag}"')]
    return xml_reply("CopyObjectResult", [*parts, *checksum_tags(info.checksums)])


def _directive(call: Call, name: str) -> bool:
    """Whether a directive says REPLACE.

    Raises:
        CommonError: InvalidArgument: it says neither that nor COPY.
    """
    value = call.header(name) or "COPY"
    if value not in ("COPY", "REPLACE"):
        raise bad_argument(f"{name} is {value[:40]!r}; it must be COPY or REPLACE")
    return value == "REPLACE"


@operation("UploadPartCopy")
async def upload_part_copy(call: Call) -> Reply:
    """Make an object, or a range of one, a part of an upload."""
    refuse_unbuilt(call.request.headers)
    await read_document(call)
    part = await asyncio.shield(in_thread(_copy_part, call, source_of(call), part_number(call)))
    parts = [tag("LastModified", xml_date(part.modified_at)), tag("ETag", f'"{part.etag}"')]
    return xml_reply("CopyPartResult", [*parts, *checksum_tags(part.checksums)])


def _copy_part(call: Call, source: tuple[str, str], number: int) -> Part:
    store = call.store
    encode_key(call.key)
    upload = find_upload(store, call.bucket, call.key, call.parameters["uploadId"])
    with store.opened(*source) as (info, segments):
        check_read(info, call.request.headers, _PREFIX)
        start, stop = 0, info.size_bytes
        if text := call.header("x-amz-copy-source-range"):
            match = _RANGE.fullmatch(text.strip())
            if match is None or int(match[1]) > int(match[2]) or int(match[2]) >= info.size_bytes:
                raise bad_argument(
                    f"x-amz-copy-source-range is {text[:60]!r}; it must be bytes=first-last, within the object"
                )
            start, stop = int(match[1]), int(match[2]) + 1
        if stop - start > MOST_BYTES:
            raise TooLarge("a part has at most 5 GiB; copy a range")
        writer = store.writer([upload.algorithm] if upload.algorithm else [])
        try:
            for piece in store.pieces(info, segments, start, stop):
                writer.write((piece,))
            written = writer.finish()
        finally:
            writer.discard()
    return keep_part(store, upload, number, written, written.checksums)

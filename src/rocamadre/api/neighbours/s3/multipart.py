"""Uploads in parts."""

from __future__ import annotations

import asyncio
from urllib.parse import quote

from rocamadre.api.http import Reply
from rocamadre.api.neighbours.s3.attributes import read_attributes
from rocamadre.api.neighbours.s3.calls import Call, bad_argument, in_thread, operation, owner_id, xml_date
from rocamadre.api.neighbours.s3.conditions import write_condition
from rocamadre.api.neighbours.s3.documents import Element, checksum_tags, malformed, parse_document, tag, xml_reply
from rocamadre.api.neighbours.s3.listing import Names
from rocamadre.api.neighbours.s3.payload import PREFIX
from rocamadre.api.neighbours.s3.receiving import read_document, receive_blob
from rocamadre.api.neighbours.s3.writing import wanted_algorithm
from rocamadre.core.errors import CommonError
from rocamadre.store.objects.checksums import ALGORITHMS, POLYNOMIALS
from rocamadre.store.objects.uploads import (
    MOST_PARTS,
    Wanted,
    abort_upload,
    begin_upload,
    complete_upload,
    find_upload,
    keep_part,
    list_parts,
    list_uploads,
)

_MOST_LISTED = 1000
_LARGEST = 5 * 2**40


def part_number(call: Call) -> int:
    """The number of the part that a request is about.

    Raises:
        CommonError: InvalidArgument.
    """
    if "partNumber" not in call.parameters:
        raise bad_argument("uploadId comes with partNumber")
    return call.number("partNumber", 1, least=1, most=MOST_PARTS)


@operation("CreateMultipartUpload")
async def create_multipart_upload(call: Call) -> Reply:
    """Begin an upload in parts."""
    attributes = read_attributes(call.request.headers)
    await read_document(call)
    algorithm = wanted_algorithm(call)
    kind = call.header("x-amz-checksum-type").upper()
    if kind not in ("", "FULL_OBJECT", "COMPOSITE"):
        raise bad_argument("x-amz-checksum-type must be FULL_OBJECT or COMPOSITE")
    if kind and not algorithm:
        raise CommonError("InvalidRequest", 400, "x-amz-checksum-type needs x-amz-checksum-algorithm")
    if (kind == "FULL_OBJECT" and algorithm not in POLYNOMIALS) or (kind == "COMPOSITE" and algorithm == "crc64nvme"):
        raise CommonError(
            "InvalidRequest", 400, f"The {kind} checksum type cannot be used with the {algorithm} checksum algorithm."
        )
    if algorithm:
        kind = kind or ("FULL_OBJECT" if algorithm == "crc64nvme" else "COMPOSITE")
    upload = await in_thread(
        begin_upload, call.store, call.bucket, call.key, attributes, algorithm=algorithm, checksum_type=kind
    )
    headers = {"x-amz-checksum-algorithm": algorithm.upper(), "x-amz-checksum-type": kind} if algorithm else {}
    parts = [tag("Bucket", call.bucket), tag("Key", call.key), tag("UploadId", upload.id)]
    return xml_reply("InitiateMultipartUploadResult", parts, headers=headers)


@operation("UploadPart")
async def upload_part(call: Call) -> Reply:
    """Write a part; it lasts from then on, but belongs to no object."""
    number = part_number(call)
    upload = await in_thread(find_upload, call.store, call.bucket, call.key, call.parameters["uploadId"])
    received = await receive_blob(call, algorithm=upload.algorithm)
    part = await asyncio.shield(in_thread(keep_part, call.store, upload, number, received.written, received.checksums))
    checksums = {PREFIX + name: value for name, value in part.checksums.items()}
    return Reply(200, {"etag": f'"{part.etag}"', **checksums})


@operation("CompleteMultipartUpload")
async def complete_multipart_upload(call: Call) -> Reply:
    """Make the listed parts the object."""
    document = parse_document(await read_document(call), "CompleteMultipartUpload", "CompleteMultipartUploadRequest")
    wanted = [_wanted(element) for element in document.all("Part")]
    if not 0 < len(wanted) <= MOST_PARTS:
        raise malformed(f"CompleteMultipartUpload lists 1 to {MOST_PARTS} parts")
    headers = call.request.headers
    size = headers.get("x-amz-mp-object-size")
    if size is not None and not (size.isascii() and size.isdecimal() and len(size) < 15 and int(size) <= _LARGEST):
        raise bad_argument("x-amz-mp-object-size is not a number of bytes")
    info = await asyncio.shield(
        in_thread(
            complete_upload,
            call.store,
            call.bucket,
            call.key,
            call.parameters["uploadId"],
            wanted,
            condition=write_condition(headers),
            checksums={name: headers[PREFIX + name] for name in ALGORITHMS if PREFIX + name in headers},
            size_bytes=None if size is None else int(size),
        )
    )
    parts = [
        tag("Location", f"/{quote(call.bucket)}/{quote(call.key)}"),
        tag("Bucket", call.bucket),
        tag("Key", call.key),
        tag("ETag", f'"{info.etag}"'),
        *checksum_tags(info.checksums),
    ]
    if info.checksums:
        parts.append(tag("ChecksumType", info.checksum_type))
    return xml_reply("CompleteMultipartUploadResult", parts)


def _wanted(element: Element) -> Wanted:
    number = element.value("PartNumber").strip()
    if not (number.isascii() and number.isdecimal() and 0 < len(number) < 6):
        raise malformed("a Part has a PartNumber and an ETag")
    checksums = {name: value for name in ALGORITHMS if (value := element.value(f"Checksum{name.upper()}"))}
    return Wanted(int(number), element.value("ETag").strip().strip('"'), checksums)


@operation("AbortMultipartUpload")
async def abort_multipart_upload(call: Call) -> Reply:
    """End an upload; its parts go."""
    await in_thread(abort_upload, call.store, call.bucket, call.key, call.parameters["uploadId"])
    return Reply(204)


@operation("ListParts")
async def list_parts_of_upload(call: Call) -> Reply:
    """The parts that an upload has."""
    after = call.number("part-number-marker", 0)
    most = min(call.number("max-parts", _MOST_LISTED), _MOST_LISTED)
    upload = await in_thread(find_upload, call.store, call.bucket, call.key, call.parameters["uploadId"])
    found, has_more = await in_thread(list_parts, call.store, upload, after=after, limit=most)
    owner = owner_id(call.context.account)
    parts = [
        tag("Bucket", call.bucket),
        tag("Key", call.key),
        tag("UploadId", upload.id),
        f"<Initiator>{tag('ID', owner)}</Initiator><Owner>{tag('ID', owner)}</Owner>",
        tag("StorageClass", "STANDARD"),
        tag("PartNumberMarker", after),
        tag("NextPartNumberMarker", found[-1].number if found else 0),
        tag("MaxParts", most),
        tag("IsTruncated", has_more),
    ]
    if upload.algorithm:
        parts += [tag("ChecksumAlgorithm", upload.algorithm.upper()), tag("ChecksumType", upload.checksum_type)]
    for part in found:
        rows = [
            tag("PartNumber", part.number),
            tag("LastModified", xml_date(part.modified_at)),
            tag("ETag", f'"{part.etag}"'),
            tag("Size", part.size_bytes),
            *checksum_tags(part.checksums),
        ]
        parts.append(f"<Part>{''.join(rows)}</Part>")
    return xml_reply("ListPartsResult", parts)


@operation("ListMultipartUploads")
async def list_multipart_uploads(call: Call) -> Reply:
    """Uploads that were begun and not ended."""
    if call.parameters.get("delimiter"):
        raise CommonError("NotImplemented", 501, "a delimiter is not built for uploads; use a prefix")
    key, upload_id = call.parameters.get("key-marker", ""), call.parameters.get("upload-id-marker", "")
    prefix = call.parameters.get("prefix", "")
    most = min(call.number("max-uploads", _MOST_LISTED), _MOST_LISTED)
    found, has_more = await in_thread(
        list_uploads, call.store, call.bucket, prefix=prefix, after=(key, upload_id), limit=most
    )
    name = Names(call)
    parts = [
        tag("Bucket", call.bucket),
        tag("KeyMarker", name.encoded(key)),
        tag("UploadIdMarker", upload_id),
        tag("Prefix", name.encoded(prefix)),
        tag("MaxUploads", most),
        tag("IsTruncated", has_more),
    ]
    if name.is_encoded:
        parts.append(tag("EncodingType", "url"))
    if has_more and found:
        parts += [tag("NextKeyMarker", name.encoded(found[-1].key)), tag("NextUploadIdMarker", found[-1].id)]
    owner = owner_id(call.context.account)
    for upload in found:
        rows = [
            tag("Key", name.encoded(upload.key)),
            tag("UploadId", upload.id),
            f"<Initiator>{tag('ID', owner)}</Initiator><Owner>{tag('ID', owner)}</Owner>",
            tag("StorageClass", "STANDARD"),
            tag("Initiated", xml_date(upload.begun_at)),
        ]
        if upload.algorithm:
            rows += [tag("ChecksumAlgorithm", upload.algorithm.upper()), tag("ChecksumType", upload.checksum_type)]
        parts.append(f"<Upload>{''.join(rows)}</Upload>")
    return xml_reply("ListMultipartUploadsResult", parts)

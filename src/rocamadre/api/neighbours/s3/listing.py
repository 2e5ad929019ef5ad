"""ListObjects, ListObjectsV2, ListObjectVersions."""

from __future__ import annotations

import base64
import binascii
from urllib.parse import quote

from rocamadre.api.http import Reply
from rocamadre.api.neighbours.s3.calls import Call, bad_argument, in_thread, operation, owner_id, xml_date
from rocamadre.api.neighbours.s3.documents import tag, xml_reply
from rocamadre.store.objects.pages import Page, list_page
from rocamadre.store.objects.protocol import ObjectInfo

MOST_KEYS = 1000


@operation("ListObjectsV2")
async def list_objects_v2(call: Call) -> Reply:
    """A page of a bucket's keys, going on by token."""
    token, start = call.parameters.get("continuation-token"), call.parameters.get("start-after", "")
    page = await _page(call, start if token is None else _decode(token))
    name = Names(call)
    parts = [*name.head(), tag("KeyCount", len(page.objects) + len(page.prefixes))]
    if token is not None:
        parts.append(tag("ContinuationToken", token))
    if start:
        parts.append(tag("StartAfter", name.encoded(start)))
    if page.is_truncated:
        parts.append(tag("NextContinuationToken", base64.urlsafe_b64encode(page.last.encode()).decode()))
    return _reply(call, "ListBucketResult", parts, page, with_owner=call.parameters.get("fetch-owner") == "true")


@operation("ListObjects")
async def list_objects(call: Call) -> Reply:
    """A page of a bucket's keys, going on by marker."""
    marker = call.parameters.get("marker", "")
    page = await _page(call, marker)
    name = Names(call)
    parts = [*name.head(), tag("Marker", name.encoded(marker))]
    if page.is_truncated:
        parts.append(tag("NextMarker", name.encoded(page.last)))
    return _reply(call, "ListBucketResult", parts, page, with_owner=True)


@operation("ListObjectVersions")
async def list_object_versions(call: Call) -> Reply:
    """Every object as its only version, `null`."""
    marker = call.parameters.get("key-marker", "")
    page = await _page(call, marker)
    name = Names(call)
    parts = [*name.head(), tag("KeyMarker", name.encoded(marker)), tag("VersionIdMarker", "")]
    if page.is_truncated:
        parts += [tag("NextKeyMarker", name.encoded(page.last)), tag("NextVersionIdMarker", "null")]
    return _reply(call, "ListVersionsResult", parts, page, with_owner=True, element="Version")


async def _page(call: Call, after: str) -> Page:
    return await in_thread(
        list_page,
        call.store,
        call.bucket,
        prefix=call.parameters.get("prefix", ""),
        delimiter=call.parameters.get("delimiter", ""),
        after=after,
        limit=min(call.number("max-keys", MOST_KEYS), MOST_KEYS),
    )


def _decode(token: str) -> str:
    try:
        return base64.b64decode(token.encode(), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        raise bad_argument("The continuation token provided is incorrect") from None


class Names:
    """Keys in a listing's document: as they are, or percent-encoded where the client wants that.

    Raises:
        CommonError: InvalidArgument: another encoding.
    """

    def __init__(self, call: Call) -> None:
        self._call = call
        encoding = call.parameters.get("encoding-type", "")
        if encoding not in ("", "url"):
            raise bad_argument("Invalid Encoding Method specified in Request")
        self.is_encoded = bool(encoding)

    def encoded(self, name: str) -> str:
        """A key, prefix, marker or delimiter."""
        return quote(name, safe="/") if self.is_encoded else name

    def head(self) -> list[str]:
        """What every listing repeats of its request."""
        parameters = self._call.parameters
        parts = [
            tag("Name", self._call.bucket),
            tag("Prefix", self.encoded(parameters.get("prefix", ""))),
            tag("MaxKeys", min(self._call.number("max-keys", MOST_KEYS), MOST_KEYS)),
        ]
        if parameters.get("delimiter"):
            parts.append(tag("Delimiter", self.encoded(parameters["delimiter"])))
        if self.is_encoded:
            parts.append(tag("EncodingType", "url"))
        return parts


def _reply(
    call: Call, root: str, parts: list[str], page: Page, *, with_owner: bool, element: str = "Contents"
) -> Reply:
    name = Names(call)
    owner = f"<Owner>{tag('ID', owner_id(call.context.account))}</Owner>" if with_owner else ""
    version = f"{tag('VersionId', 'null')}{tag('IsLatest', True)}" if element == "Version" else ""
    parts.append(tag("IsTruncated", page.is_truncated))
    parts += [f"<{element}>{_entry(name, info)}{version}{owner}</{element}>" for info in page.objects]
    parts += [f"<CommonPrefixes>{tag('Prefix', name.encoded(prefix))}</CommonPrefixes>" for prefix in page.prefixes]
    return xml_reply(root, parts)


def _entry(name: Names, info: ObjectInfo) -> str:
    checksum = "".join(tag("ChecksumAlgorithm", algorithm.upper()) for algorithm in info.checksums)
    kind = tag("ChecksumType", info.checksum_type) if info.checksums else ""
    return (
        f"{tag('Key', name.encoded(info.key))}{tag('LastModified', xml_date(info.modified_at))}"
        f"{tag('ETag', chr(34) + info.etag + chr(34))}{checksum}{kind}{tag('Size', info.size_bytes)}"
        f"{tag('StorageClass', 'STANDARD')}"
    )

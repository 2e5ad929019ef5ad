"""What the headers of a write say about an object, and what those of a read tell of it."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl

from rocamadre.api.neighbours.s3.calls import bad_argument, http_date
from rocamadre.core.errors import CommonError
from rocamadre.store.objects.protocol import ObjectInfo
from rocamadre.store.objects.rows import Attributes

KEPT = ("cache-control", "content-disposition", "content-encoding", "content-language", "expires")
_METADATA = "x-amz-meta-"
_MOST_METADATA_BYTES = 2048
_MOST_HEADER = 8192

_REFUSED = {
    "x-amz-website-redirect-location": "website redirects",
    "x-amz-object-lock-mode": "object lock",
    "x-amz-object-lock-retain-until-date": "object lock",
    "x-amz-object-lock-legal-hold": "object lock",
    "x-amz-server-side-encryption-customer-algorithm": "encryption with the client's keys",
    "x-amz-copy-source-server-side-encryption-customer-algorithm": "encryption with the client's keys",
    "x-amz-write-offset-bytes": "appending",
}
_ACLS = ("private", "bucket-owner-full-control")


def refuse_unbuilt(headers: Mapping[str, str]) -> None:
    """Refuse what would change an object's meaning and is not here.

    Raises:
        CommonError: NotImplemented, InvalidStorageClass or AccessControlListNotSupported.
    """
    for name, meaning in _REFUSED.items():
        if name in headers:
            raise CommonError("NotImplemented", 501, f"{meaning} ({name}) is not built; leave the header out")
    storage = headers.get("x-amz-storage-class", "STANDARD")
    if storage != "STANDARD":
        raise CommonError("InvalidStorageClass", 400, f"the storage class {storage[:40]!r} is not STANDARD")
    if headers.get("x-amz-acl", "private") not in _ACLS or any(name.startswith("x-amz-grant-") for name in headers):
        raise CommonError("AccessControlListNotSupported", 400, "The bucket does not allow ACLs")


def read_attributes(headers: Mapping[str, str]) -> Attributes:
    """Type, metadata, headers to send back and tags.

    Raises:
        CommonError: MetadataTooLarge, InvalidTag, or what `refuse_unbuilt` raises.
    """
    refuse_unbuilt(headers)
    metadata = {name.removeprefix(_METADATA): value for name, value in headers.items() if name.startswith(_METADATA)}
    if sum(len(name) + len(value) for name, value in metadata.items()) > _MOST_METADATA_BYTES:
        raise CommonError("MetadataTooLarge", 400, "Your metadata headers exceed the maximum allowed metadata size")
    kept = {name: headers[name] for name in KEPT if headers.get(name)}
    encodings = [word.strip() for word in kept.pop("content-encoding", "").split(",")]
    if encoding := ",".join(word for word in encodings if word and word != "aws-chunked"):
        kept["content-encoding"] = encoding
    return Attributes(
        content_type=headers.get("content-type") or "binary/octet-stream",
        metadata=metadata,
        headers=kept,
        tags=parse_tagging(headers.get("x-amz-tagging", "")),
    )


def parse_tagging(text: str) -> dict[str, str]:
    """The tags of an `x-amz-tagging` header, in the form of a query.

    Raises:
        CommonError: InvalidTag.
    """
    if not text:
        return {}
    try:
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=20)
    except ValueError:
        raise bad_argument("The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded") from None
    return check_tags(pairs, most=10)


def check_tags(pairs: list[tuple[str, str]], *, most: int) -> dict[str, str]:
    """Tags that S3 takes.

    Raises:
        CommonError: InvalidTag or BadRequest.
    """
    tags = dict(pairs)
    if len(tags) != len(pairs):
        raise CommonError("InvalidTag", 400, "Cannot provide multiple Tags with the same key")
    if len(tags) > most:
        raise CommonError("BadRequest", 400, f"Object tags cannot be greater than {most}")
    for key, value in tags.items():
        if not 0 < len(key) <= 128 or key.lower().startswith("aws:"):
            raise CommonError("InvalidTag", 400, f"The TagKey you have provided is invalid: {key[:140]!r}")
        if len(value) > 256:
            raise CommonError("InvalidTag", 400, f"The TagValue you have provided is invalid: {value[:40]!r}…")
    return tags


def described(info: ObjectInfo, *, with_checksums: bool) -> dict[str, str]:
    """The headers of a GET or HEAD, but those of its length."""
    headers = {
        "content-type": info.content_type,
        "etag": f'"{info.etag}"',
        "last-modified": http_date(info.modified_at),
        "accept-ranges": "bytes",
        # What is stored may be a web page: opened from here, it must not act as one of this server's.
        "content-security-policy": "sandbox",
        "x-content-type-options": "nosniff",
        **info.headers,
        **{_METADATA + name: value for name, value in info.metadata.items()},
    }
    if info.tags:
        headers["x-amz-tagging-count"] = str(len(info.tags))
    if with_checksums:
        headers |= checksum_headers(info)
    return headers


def checksum_headers(info: ObjectInfo) -> dict[str, str]:
    """An object's checksum as headers say it."""
    headers = {f"x-amz-checksum-{name}": value for name, value in info.checksums.items()}
    if headers:
        headers["x-amz-checksum-type"] = info.checksum_type
    return headers


def overrides(parameters: Mapping[str, str]) -> dict[str, str]:
    """Headers that a query wants the answer to have: `response-content-type` and its kin.

    Raises:
        CommonError: InvalidArgument: a value is no header's.
    """
    found = {}
    for name in ("content-type", *KEPT):
        value = parameters.get(f"response-{name}")
        if value is not None:
            if len(value) > _MOST_HEADER or any(not " " <= letter <= "\xff" or letter == "\x7f" for letter in value):
                raise bad_argument(f"response-{name} has characters that no header can have")
            found[name] = value
    return found

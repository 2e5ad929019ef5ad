"""Between rows of the index and what the store's callers see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from rocamadre.store.objects.blobs import Segment
from rocamadre.store.objects.protocol import ObjectInfo

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Attributes:
    """What a client says about an object beside its content; see `ObjectInfo` for the members.

    Attributes:
        upload: Of an upload in parts, its id: completing it once more finds what it became.
    """

    content_type: str = "binary/octet-stream"
    metadata: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    checksums: Mapping[str, str] = field(default_factory=dict)
    checksum_type: str = ""
    parts: int = 0
    upload: str = ""


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket.

    Attributes:
        created_at: Aware, UTC.
        versioning: Nothing, or `Suspended`, the only status that can be set.
    """

    name: str
    account: str
    region: str
    created_at: datetime
    tags: Mapping[str, str] = field(default_factory=dict)
    versioning: str = ""


def microseconds(moment: datetime) -> int:
    """Since 1970, UTC."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def moment_of(value_us: int) -> datetime:
    """What `microseconds` was given."""
    return _EPOCH + timedelta(microseconds=value_us)


def encode_attributes(attributes: Attributes) -> bytes:
    """As JSON, without what is empty."""
    members = {name: getattr(attributes, name) for name in Attributes.__dataclass_fields__}
    return msgspec.json.encode({name: value for name, value in members.items() if value})


def decode_attributes(details: bytes) -> Attributes:
    """What `encode_attributes` was given."""
    return Attributes(**msgspec.json.decode(details))


def encode_segments(segments: Sequence[Segment]) -> bytes:
    """As JSON."""
    return msgspec.json.encode(list(segments))


def decode_segments(text: bytes) -> list[Segment]:
    """What `encode_segments` was given."""
    return [Segment(blob, size) for blob, size in msgspec.json.decode(text)]


def object_info(row: Any) -> ObjectInfo:
    """A row of `OBJECTS`; its segments are not looked at."""
    attributes = decode_attributes(row.details)
    return ObjectInfo(
        row.bucket,
        row.key.decode(),
        row.size_bytes,
        row.etag,
        moment_of(row.modified_us),
        attributes.content_type,
        attributes.metadata,
        attributes.headers,
        attributes.checksums,
        attributes.checksum_type,
        attributes.parts,
        attributes.tags,
    )


def bucket_of(row: Any) -> Bucket:
    """A row of `BUCKETS`."""
    details = msgspec.json.decode(row.details)
    return Bucket(
        row.name,
        row.account,
        row.region,
        moment_of(row.created_us),
        details.get("tags", {}),
        details.get("versioning", ""),
    )

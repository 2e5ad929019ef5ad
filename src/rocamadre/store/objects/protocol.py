"""Objects in buckets, as S3 has them: bytes by key, whole or not there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from rocamadre.core.errors import InvalidRequest


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """What is known of an object without reading it.

    Attributes:
        key: Any UTF-8 text of 1 to 1024 bytes; a name, never a path.
        size_bytes: Of its content.
        etag: Without quotes: the MD5 of the content in hexadecimal, or S3's form for an upload in parts.
        modified_at: Aware, UTC.
        metadata: What `x-amz-meta-` headers said, by lower-case name.
        headers: What else is sent back with the content, by lower-case name: `cache-control`, `content-encoding`,
            `content-disposition`, `content-language`, `expires`.
        checksums: By algorithm (`crc32`, …) in Base64; of an upload in parts perhaps S3's checksum of checksums, `-N`.
        checksum_type: `FULL_OBJECT`, `COMPOSITE`, or nothing where there is no checksum.
        parts: How many parts it was uploaded in; 0 for a single put.
        tags: By key.
    """

    bucket: str
    key: str
    size_bytes: int
    etag: str
    modified_at: datetime
    content_type: str = "binary/octet-stream"
    metadata: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    checksums: Mapping[str, str] = field(default_factory=dict)
    checksum_type: str = ""
    parts: int = 0
    tags: Mapping[str, str] = field(default_factory=dict)


class ObjectStore(Protocol):
    """Objects of one account. All methods block; call them in a thread.

    Errors: `NotFound` for a bucket or key that is not there, `AccessDenied` for another account's bucket,
    `InvalidRequest` for a name that S3 refuses.
    """

    def make_bucket(self, bucket: str, *, region: str) -> None:
        """Make a bucket; the account's own of this name is left as it is."""
        ...

    def put(
        self,
        bucket: str,
        key: str,
        data: bytes | Iterable[bytes],
        *,
        content_type: str = "binary/octet-stream",
        metadata: Mapping[str, str] | None = None,
    ) -> ObjectInfo:
        """Write an object: afterwards it is there whole, also if the machine dies; before, what was there stays."""
        ...

    def head(self, bucket: str, key: str) -> ObjectInfo:
        """What is known of an object."""
        ...

    def read(self, bucket: str, key: str) -> bytes:
        """An object's content in memory; for objects whose `size_bytes` was looked at."""
        ...

    def stream(self, bucket: str, key: str, *, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """An object's bytes from `start` up to `stop`, in pieces of at most 1 MiB; what is replaced meanwhile stays."""
        ...

    def list(self, bucket: str, prefix: str = "") -> Iterator[ObjectInfo]:
        """Objects whose keys begin so, by key in UTF-8 order."""
        ...

    def delete(self, bucket: str, key: str) -> None:
        """Remove an object; nothing happens where there is none."""
        ...


class ObjectStores(Protocol):
    """Where all accounts' objects are: `ctx.platform.objects`."""

    def of(self, account: str) -> ObjectStore:
        """The objects that an account may see."""
        ...

    def forget(self, account: str) -> None:
        """Remove an account's buckets with all that is in them; for the reset between tests."""
        ...

    def close(self) -> None:
        """Let files and connections go."""
        ...


def parse_uri(uri: str) -> tuple[str, str]:
    """Bucket and key (or prefix, possibly empty) of an `s3://` URI.

    Raises:
        InvalidRequest: it is none.

    >>> parse_uri("s3://data/train/rows.jsonl")
    ('data', 'train/rows.jsonl')
    """
    scheme, separator, rest = uri.partition("://")
    bucket, _, key = rest.partition("/")
    if scheme != "s3" or not separator or not bucket:
        raise InvalidRequest(f"{uri[:200]!r} is no S3 URI; one is s3://bucket/key")
    return bucket, key

"""Objects in a bucket, below a prefix, with their `.metadata.json`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rocamadre.core.errors import AccessDenied, InvalidRequest, NotFound
from rocamadre.knowledge.sources.place import Place
from rocamadre.knowledge.sources.protocol import Attributes, Item, SourceFailure, sized
from rocamadre.knowledge.sources.sidecar import ENDING, read_sidecar
from rocamadre.store.objects.protocol import ObjectStore, parse_uri

IN_MEMORY_BYTES = 8 * 1024 * 1024
"""Larger objects are brought to a file first: a handful may be read at a time."""


class S3Source:
    """See `Source`. A document's id is its `s3://` URI, its version the ETag.

    Args:
        objects: What the account sees.
        bucket: Name.
        prefix: Keys begin so; may be empty.
        scratch: For large objects.
    """

    complete = True

    def __init__(self, objects: ObjectStore, bucket: str, prefix: str, scratch: Path) -> None:
        self._objects = objects
        self._bucket = bucket
        self._prefix = prefix
        self._scratch = scratch

    def listing(self) -> Iterator[Item]:
        """See `Source.listing`."""
        # Twice: a document and its attributes need not stand beside each other in the order of keys.
        beside = {
            info.key: info.etag for info in self._objects.list(self._bucket, self._prefix) if info.key.endswith(ENDING)
        }
        for info in self._objects.list(self._bucket, self._prefix):
            if info.key.endswith((ENDING, "/")):
                continue
            yield Item(
                id=f"s3://{self._bucket}/{info.key}",
                version=info.etag,
                name=info.key.rpartition("/")[2],
                size_bytes=info.size_bytes,
                media_type=_media_type(info.content_type),
                metadata_version=beside.get(info.key + ENDING, ""),
            )

    def fetch(self, item: Item) -> bytes | Path:
        """See `Source.fetch`."""
        return fetch_object(self._objects, item.id, self._scratch)

    def attributes(self, item: Item) -> Attributes:
        """See `Source.attributes`."""
        return read_object_sidecar(self._objects, item.id + ENDING) if item.metadata_version else Attributes()

    def close(self) -> None:
        """See `Source.close`."""


def open_source(place: Place, configuration: Mapping[str, Any]) -> S3Source:
    """Of a wire `s3Configuration`.

    Raises:
        AccessDenied: the bucket is said to be another account's.
    """
    owner = configuration.get("bucketOwnerAccountId", place.account)
    bucket = str(configuration["bucketArn"]).rpartition(":")[2]
    if owner != place.account:
        raise AccessDenied(
            f"bucket {bucket} is said to belong to account {owner}, and this knowledge base to {place.account}; "
            "buckets of other accounts cannot be read"
        )
    prefixes = configuration.get("inclusionPrefixes") or [""]
    return S3Source(place.objects, bucket, str(prefixes[0]), place.scratch)


def fetch_object(objects: ObjectStore, uri: str, scratch: Path) -> bytes | Path:
    """An object's content; a large one in a file below `scratch`.

    Raises:
        SourceFailure: it is not there, may not be read, or is too large.
    """
    try:
        bucket, key = parse_uri(uri)
        info = objects.head(bucket, key)
        sized(uri, info.size_bytes)
        if info.size_bytes <= IN_MEMORY_BYTES:
            return objects.read(bucket, key)
        path = scratch / f"object-{hashlib.sha256(uri.encode()).hexdigest()[:32]}"
        with path.open("wb") as file:
            for piece in objects.stream(bucket, key):
                file.write(piece)
        return path
    except (NotFound, AccessDenied, InvalidRequest) as error:
        raise SourceFailure(error.message) from error


def read_object_sidecar(objects: ObjectStore, uri: str) -> Attributes:
    """The attributes that an object gives.

    Raises:
        SourceFailure: it cannot be read, or is no such file.
    """
    try:
        bucket, key = parse_uri(uri)
        return read_sidecar(b"".join(objects.stream(bucket, key, stop=1 << 20)), uri)
    except (NotFound, AccessDenied, InvalidRequest) as error:
        raise SourceFailure(error.message) from error


def _media_type(given: str) -> str:
    """What an uploader said, unless it said nothing: clients send these where they do not know."""
    plain = given.partition(";")[0].strip().lower()
    return "" if plain in ("binary/octet-stream", "application/octet-stream") else plain

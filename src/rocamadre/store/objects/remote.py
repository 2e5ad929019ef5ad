"""Objects in another S3: Amazon's, or an emulator's. Credentials are the server process's own, as boto3 finds them."""

from __future__ import annotations

import builtins
import io
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from rocamadre.core.errors import AccessDenied, InvalidRequest, NotFound, RocamadreError, Unavailable
from rocamadre.store.objects.errors import BucketTaken, ForeignBucket, NoSuchBucket, NoSuchKey, PreconditionFailed
from rocamadre.store.objects.protocol import ObjectInfo

_PIECE_BYTES = 1 << 20
_KINDS: dict[str, type[RocamadreError]] = {
    "NoSuchBucket": NoSuchBucket,
    "NoSuchKey": NoSuchKey,
    "404": NoSuchKey,
    "NotFound": NoSuchKey,
    "AccessDenied": ForeignBucket,
    "403": ForeignBucket,
    "BucketAlreadyExists": BucketTaken,
    "PreconditionFailed": PreconditionFailed,
    "InvalidAccessKeyId": AccessDenied,
    "SignatureDoesNotMatch": AccessDenied,
    "InvalidBucketName": InvalidRequest,
    "KeyTooLongError": InvalidRequest,
}
_KEPT = {
    "CacheControl": "cache-control",
    "ContentDisposition": "content-disposition",
    "ContentEncoding": "content-encoding",
    "ContentLanguage": "content-language",
}


class RemoteObjects:
    """An S3 elsewhere, the same for every account here.

    Args:
        endpoint: Its base URL; `aws` for Amazon's.
        region: To sign for.
    """

    def __init__(self, endpoint: str, *, region: str) -> None:
        self.endpoint = endpoint
        own = endpoint == "aws"
        # Variables that lead AWS clients to this server must not lead the server to itself.
        options: dict[str, Any] = (
            {"ignore_configured_endpoint_urls": True} if own else {"s3": {"addressing_style": "path"}}
        )
        self.client: Any = boto3.Session().client(
            "s3",
            region_name=region,
            endpoint_url=None if own else endpoint,
            config=Config(**options),
        )

    def of(self, account: str) -> RemoteStore:
        """The objects that the server's own credentials may see."""
        return RemoteStore(self)

    def forget(self, account: str) -> None:
        """Nothing: a reset for tests empties no store but the built-in one."""

    def close(self) -> None:
        """Let connections go."""
        self.client.close()


class RemoteStore:
    """An `ObjectStore` over boto3.

    Args:
        objects: Whose client it uses.
    """

    def __init__(self, objects: RemoteObjects) -> None:
        self._objects = objects
        self._client = objects.client

    def make_bucket(self, bucket: str, *, region: str) -> None:
        """Make a bucket; the account's own of this name is left as it is."""
        there: dict[str, Any] = {}
        if region != "us-east-1":
            there["CreateBucketConfiguration"] = {"LocationConstraint": region}
        try:
            with self._explained():
                self._client.create_bucket(Bucket=bucket, **there)
        except BucketTaken:
            with self._explained():
                self._client.head_bucket(Bucket=bucket)

    def put(
        self,
        bucket: str,
        key: str,
        data: bytes | Iterable[bytes],
        *,
        content_type: str = "binary/octet-stream",
        metadata: Mapping[str, str] | None = None,
    ) -> ObjectInfo:
        """Write an object."""
        said = {"ContentType": content_type, "Metadata": dict(metadata or {})}
        with self._explained():
            if isinstance(data, bytes):
                self._client.put_object(Bucket=bucket, Key=key, Body=data, **said)
            else:
                self._client.upload_fileobj(io.BufferedReader(_Joined(iter(data))), bucket, key, ExtraArgs=said)
        return self.head(bucket, key)

    def head(self, bucket: str, key: str) -> ObjectInfo:
        """What is known of an object."""
        with self._explained():
            found = self._client.head_object(Bucket=bucket, Key=key)
        return ObjectInfo(
            bucket,
            key,
            found["ContentLength"],
            found["ETag"].strip('"'),
            found["LastModified"],
            found.get("ContentType", "binary/octet-stream"),
            found.get("Metadata", {}),
            {name: found[member] for member, name in _KEPT.items() if member in found},
        )

    def read(self, bucket: str, key: str) -> bytes:
        """An object's content in memory."""
        return b"".join(self.stream(bucket, key))

    def stream(self, bucket: str, key: str, *, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """An object's bytes from `start` up to `stop`, in pieces of at most 1 MiB."""
        if stop is not None and stop <= start:
            return
        wanted = {"Range": f"bytes={start}-{'' if stop is None else stop - 1}"} if start or stop is not None else {}
        with self._explained():
            body = self._client.get_object(Bucket=bucket, Key=key, **wanted)["Body"]
            try:
                yield from body.iter_chunks(_PIECE_BYTES)
            finally:
                body.close()

    def list(self, bucket: str, prefix: str = "") -> Iterator[ObjectInfo]:
        """Objects whose keys begin so; their content types and metadata are not asked for."""
        pages = iter(self._client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix))
        while (found := self._next(pages)) is not None:
            for item in found:
                yield ObjectInfo(bucket, item["Key"], item["Size"], item["ETag"].strip('"'), item["LastModified"])

    def _next(self, pages: Iterator[dict[str, Any]]) -> builtins.list[dict[str, Any]] | None:
        with self._explained():
            page = next(pages, None)
        return None if page is None else page.get("Contents", [])

    def delete(self, bucket: str, key: str) -> None:
        """Remove an object; nothing happens where there is none."""
        with self._explained():
            self._client.delete_object(Bucket=bucket, Key=key)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Errors of boto3 as this platform's."""
        where = self._objects.endpoint
        try:
            yield
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            if code == "BucketAlreadyOwnedByYou":
                return
            kind = _KINDS.get(code, NotFound if code.startswith("NoSuch") else Unavailable)
            raise kind(f"the S3 at {where} answered {code}: {error}") from error
        except BotoCoreError as error:
            raise Unavailable(
                f"the S3 at {where} (setting neighbours.s3_endpoint) could not be used: {error}"
            ) from error


class _Joined(io.RawIOBase):
    """An iterator of pieces as a file to read from."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._left = memoryview(b"")

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer as far as the piece at hand goes."""
        while not self._left:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._left = memoryview(piece)
        count = min(len(buffer), len(self._left))
        buffer[:count] = self._left[:count]
        self._left = self._left[count:]
        return count

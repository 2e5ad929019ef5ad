"""Objects on this machine's disk: blobs under random names, and an index that says which belong to which key.

An object is written in this order: blob, flush, one committed row, and only then is what it replaced removed. A kill
or a lost machine therefore leaves the object as it was before or as it is after, and at most a blob that nobody names,
which the next start removes.
"""

from __future__ import annotations

import builtins
import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from rocamadre.core.clock import Clock, SystemClock
from rocamadre.store.objects.blobs import Blobs, BlobWriter, Segment, Written
from rocamadre.store.objects.checksums import new_checksum
from rocamadre.store.objects.errors import (
    BucketNotEmpty,
    BucketOwned,
    BucketTaken,
    DamagedObject,
    ForeignBucket,
    NoSuchBucket,
    NoSuchKey,
)
from rocamadre.store.objects.index import BUCKETS, OBJECTS, PARTS, UPLOADS, ObjectIndex
from rocamadre.store.objects.names import after_prefix, check_bucket_name, encode_key
from rocamadre.store.objects.protocol import ObjectInfo
from rocamadre.store.objects.rows import (
    Attributes,
    Bucket,
    bucket_of,
    decode_segments,
    encode_attributes,
    encode_segments,
    microseconds,
    object_info,
)

logger = logging.getLogger(__name__)

Condition: TypeAlias = Callable[[ObjectInfo | None], None]
"""Looks at the object that is there, and raises if the request wanted another state."""

_LIST_BATCH = 1000


class FileObjects:
    """The objects of all accounts, in `objects/` of the home; opened, and leftovers removed, at the first use.

    Args:
        home: The state folder; several processes may use it at once.
        sync: Whether a put waits until the disk has it. Without, a kill still tears nothing, but a machine that loses
            power may lose the last seconds.
        clock: The time.

    Its methods and those of the stores that `of` returns raise Conflict where a newer Rocamadre wrote the folder.
    """

    def __init__(self, home: Path, *, sync: bool = True, clock: Clock | None = None) -> None:
        self._folder = home / "objects"
        self._sync = sync
        self._opening = threading.Lock()
        self._opened: tuple[ObjectIndex, Blobs] | None = None
        self.clock = clock or SystemClock()

    @property
    def index(self) -> ObjectIndex:
        """Which objects there are."""
        return (self._opened or self._open())[0]

    @property
    def blobs(self) -> Blobs:
        """Their contents."""
        return (self._opened or self._open())[1]

    def _open(self) -> tuple[ObjectIndex, Blobs]:
        with self._opening:
            if self._opened is None:
                blobs = Blobs(self._folder, sync=self._sync)
                try:
                    index = ObjectIndex(self._folder, sync=self._sync)
                    swept = blobs.open(index.blobs())
                except BaseException:
                    blobs.close()
                    raise
                if swept:
                    logger.info("objects.swept", extra={"blobs": swept})
                self._opened = index, blobs
            return self._opened

    def of(self, account: str) -> AccountObjects:
        """The objects that an account may see."""
        return AccountObjects(self, account)

    def forget(self, account: str) -> None:
        """Remove an account's buckets with all that is in them."""
        mine = select(BUCKETS.c.name).where(BUCKETS.c.account == account)
        uploads = select(UPLOADS.c.id).where(UPLOADS.c.bucket.in_(mine))
        with self.index.write() as tx:
            gone = [
                blob
                for row in tx.execute(select(OBJECTS.c.segments).where(OBJECTS.c.bucket.in_(mine)))
                for blob, _ in decode_segments(row.segments)
            ]
            gone += tx.execute(select(PARTS.c.blob).where(PARTS.c.upload.in_(uploads))).scalars()
            tx.execute(delete(PARTS).where(PARTS.c.upload.in_(uploads)))
            tx.execute(delete(UPLOADS).where(UPLOADS.c.bucket.in_(mine)))
            tx.execute(delete(OBJECTS).where(OBJECTS.c.bucket.in_(mine)))
            tx.execute(delete(BUCKETS).where(BUCKETS.c.account == account))
        self.blobs.remove(gone)

    def close(self) -> None:
        """Let files and connections go."""
        with self._opening:
            if self._opened is not None:
                index, blobs = self._opened
                self._opened = None
                index.close()
                blobs.close()


class AccountObjects:
    """One account's objects; an `ObjectStore`, and what S3 needs beyond it.

    Args:
        files: Where they are.
        account: Twelve digits.
    """

    def __init__(self, files: FileObjects, account: str) -> None:
        self.files = files
        self.account = account

    # Buckets.

    def make_bucket(self, bucket: str, *, region: str) -> None:
        """Make a bucket; the account's own of this name is left as it is.

        Raises:
            InvalidBucketName: S3 would not take the name.
            BucketTaken: it is another account's.
        """
        try:
            self.create_bucket(bucket, region=region)
        except BucketOwned:
            return

    def create_bucket(self, bucket: str, *, region: str, tags: Mapping[str, str] | None = None) -> Bucket:
        """Make a bucket.

        Raises:
            InvalidBucketName: S3 would not take the name.
            BucketOwned: the account has it already.
            BucketTaken: another account has it.
        """
        check_bucket_name(bucket)
        made = Bucket(bucket, self.account, region, self.files.clock.now(), dict(tags or {}))
        with self.files.index.write() as tx:
            owner = tx.execute(select(BUCKETS.c.account).where(BUCKETS.c.name == bucket)).scalar()
            if owner is not None:
                kind = BucketOwned if owner == self.account else BucketTaken
                whose = "you have" if owner == self.account else "another account has"
                raise kind(f"{whose} a bucket called {bucket!r} already")
            row = {"name": bucket, "account": self.account, "region": region}
            tx.execute(
                insert(BUCKETS).values(**row, created_us=microseconds(made.created_at), details=_bucket_details(made))
            )
        return made

    def buckets(self) -> builtins.list[Bucket]:
        """The account's buckets, by name."""
        with self.files.index.read() as tx:
            rows = tx.execute(select(BUCKETS).where(BUCKETS.c.account == self.account).order_by(BUCKETS.c.name))
            return [bucket_of(row) for row in rows]

    def bucket(self, bucket: str) -> Bucket:
        """What is known of a bucket.

        Raises:
            NoSuchBucket: there is none of this name.
            ForeignBucket: it is another account's.
        """
        with self.files.index.read() as tx:
            return self.find_bucket(tx, bucket)

    def change_bucket(self, bucket: str, **changes: Any) -> None:
        """Give a bucket other `tags` or `versioning`."""
        with self.files.index.write() as tx:
            changed = replace(self.find_bucket(tx, bucket), **changes)
            tx.execute(update(BUCKETS).where(BUCKETS.c.name == bucket).values(details=_bucket_details(changed)))

    def delete_bucket(self, bucket: str) -> None:
        """Remove an empty bucket; uploads that were begun in it go with it, as on S3.

        Raises:
            BucketNotEmpty: it holds objects.
        """
        with self.files.index.write() as tx:
            self.find_bucket(tx, bucket)
            if tx.execute(select(OBJECTS.c.key).where(OBJECTS.c.bucket == bucket).limit(1)).first() is not None:
                raise BucketNotEmpty(f"the bucket {bucket!r} still holds objects; delete them first")
            uploads = select(UPLOADS.c.id).where(UPLOADS.c.bucket == bucket)
            gone = list(tx.execute(select(PARTS.c.blob).where(PARTS.c.upload.in_(uploads))).scalars())
            tx.execute(delete(PARTS).where(PARTS.c.upload.in_(uploads)))
            tx.execute(delete(UPLOADS).where(UPLOADS.c.bucket == bucket))
            tx.execute(delete(BUCKETS).where(BUCKETS.c.name == bucket))
        self.files.blobs.remove(gone)

    def find_bucket(self, tx: Connection, bucket: str) -> Bucket:
        """A bucket, within a transaction.

        Raises:
            NoSuchBucket: there is none of this name.
            ForeignBucket: it is another account's.
        """
        row = tx.execute(select(BUCKETS).where(BUCKETS.c.name == bucket)).one_or_none()
        if row is None:
            raise NoSuchBucket(f"there is no bucket called {bucket[:80]!r}")
        if row.account != self.account:
            raise ForeignBucket(f"the bucket {bucket!r} is another account's")
        return bucket_of(row)

    # Writing.

    def put(
        self,
        bucket: str,
        key: str,
        data: bytes | Iterable[bytes],
        *,
        content_type: str = "binary/octet-stream",
        metadata: Mapping[str, str] | None = None,
    ) -> ObjectInfo:
        """Write an object: afterwards it is there whole, also if the machine dies; before, what was there stays.

        Raises:
            NoSuchBucket: make it first.
            InvalidKey, KeyTooLong: see `encode_key`.
        """
        encode_key(key)
        self.bucket(bucket)
        writer = self.writer()
        try:
            for piece in (data,) if isinstance(data, bytes) else data:
                writer.write((piece,))
            written = writer.finish()
        finally:
            writer.discard()
        return self.commit(bucket, key, written, Attributes(content_type, dict(metadata or {})))

    def writer(self, algorithms: Iterable[str] = ()) -> BlobWriter:
        """Begin a blob; `finish` it and `commit` the result, or `discard` it.

        Args:
            algorithms: Checksums to compute.
        """
        return self.files.blobs.writer(algorithms)

    def commit(
        self, bucket: str, key: str, written: Written, attributes: Attributes, *, condition: Condition | None = None
    ) -> ObjectInfo:
        """Make a blob the content of a key, in one step.

        Raises:
            NoSuchBucket: the blob is removed then, as after every error.
        """
        segments = [Segment(written.blob, written.size_bytes)] if written.size_bytes else []
        try:
            with self.files.index.write() as tx:
                self.find_bucket(tx, bucket)
                info, gone = self.store_row(
                    tx, bucket, key, segments, etag=written.md5, attributes=attributes, condition=condition
                )
        except BaseException:
            self.files.blobs.remove([written.blob])
            raise
        self.files.blobs.remove(gone if segments else [*gone, written.blob])
        return info

    def store_row(
        self,
        tx: Connection,
        bucket: str,
        key: str,
        segments: Sequence[Segment],
        *,
        etag: str,
        attributes: Attributes,
        condition: Condition | None = None,
        modified_at: datetime | None = None,
    ) -> tuple[ObjectInfo, builtins.list[str]]:
        """Write an object's row; returns it, and the blobs to remove once the transaction is committed."""
        encoded = encode_key(key)
        where = (OBJECTS.c.bucket == bucket, OBJECTS.c.key == encoded)
        old = tx.execute(select(OBJECTS).where(*where)).one_or_none()
        if condition is not None:
            condition(None if old is None else object_info(old))
        values = {
            "size_bytes": sum(segment.size for segment in segments),
            "etag": etag,
            "modified_us": microseconds(modified_at or self.files.clock.now()),
            "details": encode_attributes(attributes),
            "segments": encode_segments(segments),
        }
        statement = upsert(OBJECTS).values(bucket=bucket, key=encoded, **values)
        tx.execute(statement.on_conflict_do_update(index_elements=["bucket", "key"], set_=values))
        kept = {segment.blob for segment in segments}
        gone = [] if old is None else [blob for blob, _ in decode_segments(old.segments) if blob not in kept]
        return object_info(tx.execute(select(OBJECTS).where(*where)).one()), gone

    def copy(
        self,
        source: tuple[str, str],
        bucket: str,
        key: str,
        *,
        attributes: Callable[[ObjectInfo], Attributes],
        algorithm: str = "",
        source_condition: Callable[[ObjectInfo], None] | None = None,
        condition: Condition | None = None,
    ) -> ObjectInfo:
        """Copy an object: its content is linked, not read.

        Args:
            source: Bucket and key; may be the target itself.
            bucket: Where it goes.
            key: Where it goes.
            attributes: What the copy's will be, given the source.
            algorithm: A checksum that the copy must have; the content is read for one that the source lacks.
            source_condition: Checked against the source.
            condition: Checked against what is at the target.

        Raises:
            NoSuchKey: the source is not there.
        """
        encode_key(key)
        with self.opened(*source) as (found, segments):
            if source_condition is not None:
                source_condition(found)
            info = self._with_checksum(found, segments, algorithm)
            copies = [Segment(self.files.blobs.duplicate(segment.blob), segment.size) for segment in segments]
        try:
            with self.files.index.write() as tx:
                self.find_bucket(tx, bucket)
                made, gone = self.store_row(
                    tx, bucket, key, copies, etag=info.etag, attributes=attributes(info), condition=condition
                )
        except BaseException:
            self.files.blobs.remove([segment.blob for segment in copies])
            raise
        self.files.blobs.remove(gone)
        return made

    def _with_checksum(self, info: ObjectInfo, segments: Sequence[Segment], algorithm: str) -> ObjectInfo:
        """The object with a checksum of its whole content, computed if it has none."""
        if not algorithm or (algorithm in info.checksums and info.checksum_type == "FULL_OBJECT"):
            return info
        checksum = new_checksum(algorithm)
        for piece in self.pieces(info, segments, 0, info.size_bytes):
            checksum.update(piece)
        return replace(info, checksums={algorithm: checksum.encoded()}, checksum_type="FULL_OBJECT")

    def change_tags(self, bucket: str, key: str, tags: Mapping[str, str]) -> None:
        """Give an object other tags; its content and times stay.

        Raises:
            NoSuchKey: there is none.
        """
        with self.files.index.write() as tx:
            row = self._row(tx, bucket, key)
            details = msgspec.json.decode(row.details) | {"tags": dict(tags)}
            where = (OBJECTS.c.bucket == bucket, OBJECTS.c.key == row.key)
            tx.execute(update(OBJECTS).where(*where).values(details=msgspec.json.encode(details)))

    # Reading.

    def head(self, bucket: str, key: str) -> ObjectInfo:
        """What is known of an object.

        Raises:
            NoSuchKey: there is none.
        """
        with self.files.index.read() as tx:
            return object_info(self._row(tx, bucket, key))

    def read(self, bucket: str, key: str) -> bytes:
        """An object's content in memory; for objects whose `size_bytes` was looked at."""
        return b"".join(self.stream(bucket, key))

    def stream(self, bucket: str, key: str, *, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """An object's bytes from `start` up to `stop`, in pieces of at most 1 MiB; what is replaced meanwhile stays."""
        with self.opened(bucket, key) as (info, segments):
            yield from self.pieces(info, segments, start, info.size_bytes if stop is None else stop)

    def pieces(self, info: ObjectInfo, segments: Sequence[Segment], start: int, stop: int) -> Iterator[bytes]:
        """Bytes of an `opened` object.

        Raises:
            DamagedObject: its files are gone or shorter than they were.
        """
        try:
            yield from self.files.blobs.read(segments, start, min(stop, info.size_bytes))
        except (FileNotFoundError, EOFError) as error:
            raise DamagedObject(
                f"the content of {info.bucket}/{info.key!r} is damaged or gone from the disk"
            ) from error

    @contextmanager
    def opened(self, bucket: str, key: str) -> Iterator[tuple[ObjectInfo, builtins.list[Segment]]]:
        """An object as it is at this moment: while the block lasts, its content stays readable in this process.

        Raises:
            NoSuchKey: there is none.
        """
        missing: builtins.list[Segment] | None = None
        while True:
            with self.files.index.read() as tx:
                row = self._row(tx, bucket, key)
            segments = decode_segments(row.segments)
            with self.files.blobs.leased([segment.blob for segment in segments]):
                if self.files.blobs.exist(segments):
                    yield object_info(row), segments
                    return
            # Replaced between the look at the index and the lease, unless the index still says the same.
            if segments == missing:
                break
            missing = segments
        raise DamagedObject(f"the content of {bucket}/{key!r} is gone from the disk")

    def list(self, bucket: str, prefix: str = "") -> Iterator[ObjectInfo]:
        """Objects whose keys begin so, by key in UTF-8 order."""
        begin = prefix.encode()
        where = [OBJECTS.c.bucket == bucket, OBJECTS.c.key >= begin, *_before(after_prefix(begin))]
        while True:
            with self.files.index.read() as tx:
                self.find_bucket(tx, bucket)
                rows = tx.execute(select(OBJECTS).where(*where).order_by(OBJECTS.c.key).limit(_LIST_BATCH)).all()
            yield from map(object_info, rows)
            if len(rows) < _LIST_BATCH:
                return
            where[1] = OBJECTS.c.key > rows[-1].key

    # Removing.

    def delete(self, bucket: str, key: str) -> None:
        """Remove an object; nothing happens where there is none."""
        self.delete_many(bucket, [key])

    def delete_many(
        self, bucket: str, keys: Sequence[str], *, conditions: Mapping[str, Condition] | None = None
    ) -> None:
        """Remove objects, all in one step; those that are not there are passed over.

        Args:
            bucket: Where they are.
            keys: Any number.
            conditions: By key; one that raises keeps everything as it was.
        """
        gone: builtins.list[str] = []
        with self.files.index.write() as tx:
            self.find_bucket(tx, bucket)
            for key in keys:
                where = (OBJECTS.c.bucket == bucket, OBJECTS.c.key == encode_key(key))
                row = tx.execute(select(OBJECTS).where(*where)).one_or_none()
                if conditions and key in conditions:
                    conditions[key](None if row is None else object_info(row))
                if row is not None:
                    tx.execute(delete(OBJECTS).where(*where))
                    gone += [blob for blob, _ in decode_segments(row.segments)]
        self.files.blobs.remove(gone)

    def _row(self, tx: Connection, bucket: str, key: str) -> Any:
        self.find_bucket(tx, bucket)
        row = tx.execute(select(OBJECTS).where(OBJECTS.c.bucket == bucket, OBJECTS.c.key == encode_key(key))).first()
        if row is None:
            raise NoSuchKey(f"the bucket {bucket!r} has no object of the key {key[:200]!r}")
        return row


def _before(key: bytes | None) -> Sequence[Any]:
    return () if key is None else (OBJECTS.c.key < key,)


def _bucket_details(bucket: Bucket) -> bytes:
    return msgspec.json.encode({"tags": bucket.tags, "versioning": bucket.versioning})

"""Uploads in parts: each part is a blob, and completing puts blobs together without reading them.

Rows of uploads and parts do not wait for the disk one by one: completing does, for all of them. A machine that loses
power may forget the last parts of an upload that was not completed; completing it then says so.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, delete, insert, select, tuple_
from sqlalchemy.dialects.sqlite import insert as upsert

from rocamadre.store.objects.blobs import Segment, Written
from rocamadre.store.objects.checksums import POLYNOMIALS, combine_crcs, combine_hashes
from rocamadre.store.objects.errors import BadDigest, InvalidPart, InvalidPartOrder, NoSuchUpload, PartTooSmall
from rocamadre.store.objects.files import AccountObjects, Condition
from rocamadre.store.objects.index import OBJECTS, PARTS, UPLOADS
from rocamadre.store.objects.names import after_prefix, encode_key
from rocamadre.store.objects.protocol import ObjectInfo
from rocamadre.store.objects.rows import (
    Attributes,
    decode_attributes,
    encode_attributes,
    microseconds,
    moment_of,
    object_info,
)

LEAST_PART_BYTES = 5 * 2**20
MOST_PARTS = 10_000


@dataclass(frozen=True, slots=True)
class Upload:
    """An upload that was begun.

    Attributes:
        attributes: What the object will have.
        algorithm: The checksum of its parts, in lower case; empty for none.
        checksum_type: `FULL_OBJECT` or `COMPOSITE`; empty without an algorithm.
    """

    id: str
    bucket: str
    key: str
    begun_at: datetime
    attributes: Attributes = field(default_factory=Attributes)
    algorithm: str = ""
    checksum_type: str = ""


class Part(NamedTuple):
    """A part that was uploaded."""

    number: int
    size_bytes: int
    etag: str
    modified_at: datetime
    checksums: Mapping[str, str]


class Wanted(NamedTuple):
    """A part in the list of what makes up the object; without checksums none are compared."""

    number: int
    etag: str
    checksums: Mapping[str, str]


def begin_upload(
    store: AccountObjects,
    bucket: str,
    key: str,
    attributes: Attributes,
    *,
    algorithm: str = "",
    checksum_type: str = "",
) -> Upload:
    """Begin an upload.

    Raises:
        NoSuchBucket: there is none of this name.
    """
    upload = Upload(secrets.token_hex(32), bucket, key, store.files.clock.now(), attributes, algorithm, checksum_type)
    details = msgspec.json.encode(
        {"attributes": msgspec.Raw(encode_attributes(attributes)), "algorithm": algorithm, "type": checksum_type}
    )
    row = {"id": upload.id, "bucket": bucket, "key": encode_key(key), "created_us": microseconds(upload.begun_at)}
    with store.files.index.write(waits=False) as tx:
        store.find_bucket(tx, bucket)
        tx.execute(insert(UPLOADS).values(**row, details=details))
    return upload


def find_upload(store: AccountObjects, bucket: str, key: str, upload_id: str) -> Upload:
    """An upload that was begun and not ended.

    Raises:
        NoSuchUpload: there is none of this id for this key.
    """
    with store.files.index.read() as tx:
        return _find(store, tx, bucket, key, upload_id)


def keep_part(
    store: AccountObjects,
    upload: Upload,
    number: int,
    written: Written,
    checksums: Mapping[str, str],
    *,
    etag: str | None = None,
) -> Part:
    """Make a blob a part; an earlier one of this number goes.

    Args:
        store: The account's.
        upload: Not ended when it was found; looked at again here.
        number: 1 to 10,000.
        written: The blob.
        checksums: To keep and to compare with when completing.
        etag: Instead of the blob's MD5.

    Raises:
        NoSuchUpload: it was ended meanwhile; the blob is removed then.
    """
    part = Part(number, written.size_bytes, etag or written.md5, store.files.clock.now(), dict(checksums))
    values = {
        "blob": written.blob,
        "size_bytes": part.size_bytes,
        "etag": part.etag,
        "modified_us": microseconds(part.modified_at),
        "checksums": msgspec.json.encode(part.checksums),
    }
    where = (PARTS.c.upload == upload.id, PARTS.c.number == number)
    try:
        with store.files.index.write(waits=False) as tx:
            _find(store, tx, upload.bucket, upload.key, upload.id)
            old = tx.execute(select(PARTS.c.blob).where(*where)).scalar()
            statement = upsert(PARTS).values(upload=upload.id, number=number, **values)
            tx.execute(statement.on_conflict_do_update(index_elements=["upload", "number"], set_=values))
    except BaseException:
        store.files.blobs.remove([written.blob])
        raise
    if old is not None:
        store.files.blobs.remove([old])
    return part


def complete_upload(
    store: AccountObjects,
    bucket: str,
    key: str,
    upload_id: str,
    wanted: Sequence[Wanted],
    *,
    condition: Condition | None = None,
    checksums: Mapping[str, str] | None = None,
    size_bytes: int | None = None,
) -> ObjectInfo:
    """Make the listed parts the object, in one step; other parts go. A repeat finds the object that it made.

    Args:
        store: The account's.
        bucket: Of the upload.
        key: Of the upload.
        upload_id: Of the upload.
        wanted: Ascending by number.
        condition: On what is at the key now.
        checksums: What the client says the whole object's is.
        size_bytes: What the client says the whole object has.

    Raises:
        NoSuchUpload, InvalidPart, InvalidPartOrder, PartTooSmall, BadDigest.
    """
    blobs = store.files.blobs
    with store.files.index.write() as tx:
        try:
            upload = _find(store, tx, bucket, key, upload_id)
        except NoSuchUpload:
            return _made_before(tx, bucket, key, upload_id)
        rows = {row.number: row for row in tx.execute(select(PARTS).where(PARTS.c.upload == upload_id))}
        chosen = _chosen(rows, wanted)
        total = sum(row.size_bytes for row in chosen)
        if size_bytes is not None and size_bytes != total:
            raise InvalidPart(f"the parts have {total} bytes together, not {size_bytes} as x-amz-mp-object-size says")
        whole = _checksums(upload, chosen)
        for name, value in (checksums or {}).items():
            if whole.get(name) != value:
                raise BadDigest(f"the {name.upper()} of the whole object is another than the one you specified")
        attributes = replace(
            upload.attributes,
            checksums=whole,
            checksum_type=upload.checksum_type if whole else "",
            parts=len(chosen),
            upload=upload_id,
        )
        digest = hashlib.md5(b"".join(bytes.fromhex(row.etag[:32]) for row in chosen), usedforsecurity=False)
        segments = [Segment(row.blob, row.size_bytes) for row in chosen]
        info, gone = store.store_row(
            tx,
            bucket,
            key,
            segments,
            etag=f"{digest.hexdigest()}-{len(chosen)}",
            attributes=attributes,
            condition=condition,
        )
        kept = {segment.blob for segment in segments}
        gone += [row.blob for row in rows.values() if row.blob not in kept]
        _forget(tx, upload_id)
    blobs.remove(gone)
    return info


def abort_upload(store: AccountObjects, bucket: str, key: str, upload_id: str) -> None:
    """End an upload; its parts go.

    Raises:
        NoSuchUpload: there is none of this id for this key.
    """
    with store.files.index.write(waits=False) as tx:
        _find(store, tx, bucket, key, upload_id)
        gone = list(tx.execute(select(PARTS.c.blob).where(PARTS.c.upload == upload_id)).scalars())
        _forget(tx, upload_id)
    store.files.blobs.remove(gone)


def list_parts(store: AccountObjects, upload: Upload, *, after: int = 0, limit: int = 1000) -> tuple[list[Part], bool]:
    """Parts by number, and whether there are more."""
    query = select(PARTS).where(PARTS.c.upload == upload.id, PARTS.c.number > after).order_by(PARTS.c.number)
    with store.files.index.read() as tx:
        rows = tx.execute(query.limit(limit + 1)).all()
    return [_part(row) for row in rows[:limit]], len(rows) > limit


def list_uploads(
    store: AccountObjects, bucket: str, *, prefix: str = "", after: tuple[str, str] = ("", ""), limit: int = 1000
) -> tuple[list[Upload], bool]:
    """Uploads that were begun and not ended, by key and id, and whether there are more.

    Args:
        store: The account's.
        bucket: Its.
        prefix: Of the keys wanted.
        after: Key, and id or nothing for all ids of that key.
        limit: Of uploads.

    Raises:
        NoSuchBucket: there is none of this name.
    """
    head, end = prefix.encode(), after_prefix(prefix.encode())
    bounds: list[Any] = [UPLOADS.c.bucket == bucket, UPLOADS.c.key >= head]
    if end is not None:
        bounds.append(UPLOADS.c.key < end)
    key, upload_id = after[0].encode(), after[1]
    if upload_id:
        bounds.append(tuple_(UPLOADS.c.key, UPLOADS.c.id) > tuple_(key, upload_id))
    elif key:
        bounds.append(UPLOADS.c.key > key)
    query = select(UPLOADS).where(*bounds).order_by(UPLOADS.c.key, UPLOADS.c.id).limit(limit + 1)
    with store.files.index.read() as tx:
        store.find_bucket(tx, bucket)
        rows = tx.execute(query).all()
    return [_upload(row) for row in rows[:limit]], len(rows) > limit


def _find(store: AccountObjects, tx: Connection, bucket: str, key: str, upload_id: str) -> Upload:
    store.find_bucket(tx, bucket)
    row = tx.execute(select(UPLOADS).where(UPLOADS.c.id == upload_id)).one_or_none()
    if row is None or (row.bucket, row.key) != (bucket, encode_key(key)):
        raise NoSuchUpload(
            "The specified multipart upload does not exist. The upload ID may be invalid, or the upload may have been "
            "aborted or completed."
        )
    return _upload(row)


def _made_before(tx: Connection, bucket: str, key: str, upload_id: str) -> ObjectInfo:
    row = tx.execute(select(OBJECTS).where(OBJECTS.c.bucket == bucket, OBJECTS.c.key == encode_key(key))).first()
    if row is None or decode_attributes(row.details).upload != upload_id:
        raise NoSuchUpload("The specified multipart upload does not exist; it was completed or aborted.")
    return object_info(row)


def _chosen(rows: Mapping[int, Any], wanted: Sequence[Wanted]) -> list[Any]:
    chosen = []
    previous = 0
    for part in wanted:
        if part.number <= previous:
            raise InvalidPartOrder(
                "The list of parts was not in ascending order. Parts must be ordered by part number."
            )
        previous = part.number
        row = rows.get(part.number)
        if row is None or row.etag != part.etag:
            raise InvalidPart(f"part {part.number} was not uploaded, or its ETag is not {part.etag[:80]!r}")
        kept = msgspec.json.decode(row.checksums)
        for name, value in part.checksums.items():
            if name in kept and kept[name] != value:
                raise InvalidPart(f"the {name.upper()} of part {part.number} is not {value[:80]!r}")
        chosen.append(row)
    for row in chosen[:-1]:
        if row.size_bytes < LEAST_PART_BYTES:
            raise PartTooSmall(
                f"part {row.number} has {row.size_bytes} bytes; every part but the last must have at least "
                f"{LEAST_PART_BYTES}"
            )
    return chosen


def _checksums(upload: Upload, chosen: Sequence[Any]) -> dict[str, str]:
    """The whole object's checksum, if every part has one."""
    name = upload.algorithm
    parts = [msgspec.json.decode(row.checksums).get(name) for row in chosen] if name else []
    if not parts or None in parts:
        return {}
    if upload.checksum_type == "FULL_OBJECT" and name in POLYNOMIALS:
        sized = [(part, row.size_bytes) for part, row in zip(parts, chosen, strict=True)]
        return {name: combine_crcs(name, sized)}
    return {name: combine_hashes(name, parts)}


def _forget(tx: Connection, upload_id: str) -> None:
    tx.execute(delete(PARTS).where(PARTS.c.upload == upload_id))
    tx.execute(delete(UPLOADS).where(UPLOADS.c.id == upload_id))


def _part(row: Any) -> Part:
    return Part(row.number, row.size_bytes, row.etag, moment_of(row.modified_us), msgspec.json.decode(row.checksums))


def _upload(row: Any) -> Upload:
    details = msgspec.json.decode(row.details)
    attributes = Attributes(**details["attributes"])
    begun_at = moment_of(row.created_us)
    return Upload(row.id, row.bucket, row.key.decode(), begun_at, attributes, details["algorithm"], details["type"])

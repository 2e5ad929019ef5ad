"""A bucket's keys page by page, rolled up at a delimiter; prefixes already shown are skipped, not read through."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select

from rocamadre.store.objects.files import AccountObjects
from rocamadre.store.objects.index import OBJECTS
from rocamadre.store.objects.names import after_prefix
from rocamadre.store.objects.protocol import ObjectInfo
from rocamadre.store.objects.rows import object_info

_BATCH = 1000
_COLUMNS = (
    OBJECTS.c.bucket,
    OBJECTS.c.key,
    OBJECTS.c.size_bytes,
    OBJECTS.c.etag,
    OBJECTS.c.modified_us,
    OBJECTS.c.details,
)


@dataclass(slots=True)
class Page:
    """Part of a listing.

    Attributes:
        prefixes: Keys cut after the delimiter, each once.
        last: The last key or prefix shown; empty when nothing is.
        is_truncated: Whether there is more.
    """

    objects: list[ObjectInfo] = field(default_factory=list)
    prefixes: list[str] = field(default_factory=list)
    last: str = ""
    is_truncated: bool = False


def list_page(
    store: AccountObjects, bucket: str, *, prefix: str = "", delimiter: str = "", after: str = "", limit: int = 1000
) -> Page:
    """One page, by key in UTF-8 order.

    Args:
        store: The account's.
        bucket: Its.
        prefix: Of the keys wanted.
        delimiter: Keys that hold it after the prefix are rolled up.
        after: Where to go on: a key, or a rolled-up prefix, all keys of which are passed over.
        limit: Objects and prefixes together; 0 gives none, and nothing truncated.

    Raises:
        NoSuchBucket: there is none of this name.
    """
    page = Page()
    head, cut = prefix.encode(), delimiter.encode()
    begin = head
    if after:
        past = after.encode()
        rolled = (
            cut and past.startswith(head) and past.endswith(cut) and past.find(cut, len(head)) == len(past) - len(cut)
        )
        begin = max(begin, (after_prefix(past) if rolled else None) or past + b"\0")
    if limit == 0:
        store.bucket(bucket)
        return page
    _fill(page, store, bucket, begin, head=head, delimiter=cut, limit=limit)
    return page


def _fill(
    page: Page, store: AccountObjects, bucket: str, begin: bytes, *, head: bytes, delimiter: bytes, limit: int
) -> None:
    """Read rows in batches from a key on, until the page is full or the prefix ends."""
    stop, skipped, size = after_prefix(head), b"", 0
    while stop is None or begin < stop:
        size = min(_BATCH, size * 4 or 64)
        rows = _rows(store, bucket, begin, stop, size)
        for row in rows:
            if skipped and row.key.startswith(skipped):
                continue
            if len(page.objects) + len(page.prefixes) == limit:
                page.is_truncated = True
                return
            end = row.key.find(delimiter, len(head)) if delimiter else -1
            if end >= 0:
                skipped = row.key[: end + len(delimiter)]
                page.last = skipped.decode()
                page.prefixes.append(page.last)
            else:
                page.objects.append(object_info(row))
                page.last = page.objects[-1].key
        if len(rows) < size:
            return
        last = rows[-1].key
        # A rolled-up prefix may hold millions of keys: go on behind it.
        behind = after_prefix(skipped) if skipped and last.startswith(skipped) else None
        begin = behind or last + b"\0"


def _rows(store: AccountObjects, bucket: str, begin: bytes, stop: bytes | None, size: int) -> Sequence[Any]:
    bounds = [OBJECTS.c.bucket == bucket, OBJECTS.c.key >= begin]
    if stop is not None:
        bounds.append(OBJECTS.c.key < stop)
    with store.files.index.read() as tx:
        store.find_bucket(tx, bucket)
        return tx.execute(select(*_COLUMNS).where(*bounds).order_by(OBJECTS.c.key).limit(size)).all()

"""Tags of resources of every kind, by ARN. Who owns the resource is checked by the caller."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlalchemy import Column, Connection, String, Table, delete, insert, select

from rocamadre.core.arn import Arn
from rocamadre.core.errors import InvalidRequest, TooManyTags
from rocamadre.store.sql.database import METADATA

MAX_TAGS = 50

TAGS = Table(
    "resource_tags",
    METADATA,
    Column("arn", String(1011), primary_key=True),
    Column("key", String(128), primary_key=True),
    Column("value", String(256), nullable=False),
    Column("account", String(12), nullable=False, index=True, comment="Of the ARN; whose tags a reset removes."),
)


def read_tags(tx: Connection, arn: str) -> dict[str, str]:
    """A resource's tags, by key, in order."""
    rows = tx.execute(select(TAGS.c.key, TAGS.c.value).where(TAGS.c.arn == arn).order_by(TAGS.c.key))
    return {row.key: row.value for row in rows}


def add_tags(tx: Connection, arn: str, tags: Mapping[str, str]) -> None:
    """Add tags to a resource; a key that is there gets the new value.

    Raises:
        InvalidRequest: a key begins with `aws:`.
        TooManyTags: it would carry more than 50.
    """
    reserved = [key for key in tags if key.lower().startswith("aws:")]
    if reserved:
        raise InvalidRequest(f"tag keys that begin with 'aws:' are reserved: {', '.join(map(repr, reserved))}")
    together = {**read_tags(tx, arn), **tags}
    if len(together) > MAX_TAGS:
        raise TooManyTags(f"{arn} would carry {len(together)} tags; a resource carries at most {MAX_TAGS}")
    remove_tags(tx, arn, tags)
    account = Arn.parse(arn).account
    if tags:
        tx.execute(
            insert(TAGS), [{"arn": arn, "key": key, "value": value, "account": account} for key, value in tags.items()]
        )


def remove_tags(tx: Connection, arn: str, keys: Iterable[str]) -> None:
    """Take tags away; keys that are not there are passed over."""
    tx.execute(delete(TAGS).where(TAGS.c.arn == arn, TAGS.c.key.in_(list(keys))))


def forget_tags(tx: Connection, arn: str) -> None:
    """Take all tags away, with the resource itself."""
    tx.execute(delete(TAGS).where(TAGS.c.arn == arn))

"""Collections: make, find, list, change, remove."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from rocamadre.core.arn import Arn, make_arn
from rocamadre.core.context import Context
from rocamadre.core.ids import short_id
from rocamadre.neighbours.aoss.errors import CollectionConflict, CollectionInvalid, CollectionNotFound
from rocamadre.neighbours.aoss.policies import check_encrypted, now_ms
from rocamadre.neighbours.aoss.tables import COLLECTIONS, DOCUMENTS, INDEXES
from rocamadre.store.sql.tags import add_tags, forget_tags


@dataclass(frozen=True, slots=True)
class Collection:
    """A collection; it is there as soon as it was made."""

    id: str
    name: str
    arn: str
    kind: str
    description: str
    standby: str
    is_protected: bool
    kms_key: str
    created_ms: int
    modified_ms: int


def create_collection(
    ctx: Context,
    name: str,
    *,
    kind: str = "TIMESERIES",
    description: str = "",
    standby: str = "ENABLED",
    is_protected: bool = False,
    kms_key: str | None = None,
    tags: Mapping[str, str] | None = None,
) -> Collection:
    """Make a collection.

    Args:
        ctx: Whose.
        name: Unique in the account and region.
        kind: `SEARCH`, `TIMESERIES` or `VECTORSEARCH`.
        description: Remembered.
        standby: Remembered.
        is_protected: Whether it cannot be deleted.
        kms_key: Says, instead of a policy, what would encrypt it; empty for Amazon's own key.
        tags: By key.

    Raises:
        CollectionConflict: there is one of this name.
        CollectionInvalid: no encryption policy names it.
    """
    now = now_ms(ctx)
    identity = short_id(20)
    row = {
        "kind": kind,
        "description": description,
        "standby": standby,
        "is_protected": int(is_protected),
        "kms_key": kms_key or "auto",
        "created_ms": now,
        "modified_ms": now,
    }
    try:
        with ctx.platform.sql.begin() as tx:
            if kms_key is None:
                check_encrypted(tx, ctx, name)
            tx.execute(
                insert(COLLECTIONS).values(id=identity, account=ctx.account, region=ctx.region, name=name, **row)
            )
            made = find_collection(tx, ctx, identity)
            add_tags(tx, made.arn, tags or {})
    except IntegrityError as error:
        raise CollectionConflict(f"Collection with name {name} already exists") from error
    return made


def find_collection(tx: Connection, ctx: Context, identity: str) -> Collection:
    """A collection by its id.

    Raises:
        CollectionNotFound: there is none.
    """
    row = tx.execute(select(COLLECTIONS).where(*_owned(ctx), COLLECTIONS.c.id == identity)).one_or_none()
    if row is None:
        raise CollectionNotFound(f"Collection with ID {identity} cannot be found.")
    return _collection(ctx, row)


def list_collections(
    ctx: Context, *, ids: Sequence[str] | None = None, names: Sequence[str] | None = None
) -> list[Collection]:
    """Collections by name: all, or those of some ids or names."""
    query = select(COLLECTIONS).where(*_owned(ctx)).order_by(COLLECTIONS.c.name)
    if ids is not None:
        query = query.where(COLLECTIONS.c.id.in_(ids))
    if names is not None:
        query = query.where(COLLECTIONS.c.name.in_(names))
    with ctx.platform.sql.connect() as connection:
        return [_collection(ctx, row) for row in connection.execute(query)]


def update_collection(
    ctx: Context, identity: str, *, description: str | None = None, is_protected: bool | None = None
) -> Collection:
    """Change what is remembered of a collection."""
    changed: dict[str, Any] = {"modified_ms": now_ms(ctx)}
    if description is not None:
        changed["description"] = description
    if is_protected is not None:
        changed["is_protected"] = int(is_protected)
    with ctx.platform.sql.begin() as tx:
        find_collection(tx, ctx, identity)
        tx.execute(update(COLLECTIONS).where(COLLECTIONS.c.id == identity).values(**changed))
        return find_collection(tx, ctx, identity)


def delete_collection(ctx: Context, identity: str) -> Collection:
    """Remove a collection with its indexes and documents.

    Raises:
        CollectionConflict: it is protected.
    """
    with ctx.platform.sql.begin() as tx:
        found = find_collection(tx, ctx, identity)
        if found.is_protected:
            raise CollectionConflict(f"Collection {found.name} has deletionProtection; disable it first")
        indexes = select(INDEXES.c.id).where(INDEXES.c.collection == identity)
        tx.execute(delete(DOCUMENTS).where(DOCUMENTS.c.index_id.in_(indexes)))
        tx.execute(delete(INDEXES).where(INDEXES.c.collection == identity))
        tx.execute(delete(COLLECTIONS).where(COLLECTIONS.c.id == identity))
        forget_tags(tx, found.arn)
    return found


def check_resource(ctx: Context, arn: str) -> str:
    """The ARN of a collection that exists.

    Raises:
        CollectionNotFound: it does not.
    """
    parsed = Arn.parse(arn)
    if parsed.service != "aoss" or parsed.kind != "collection":
        raise CollectionInvalid(f"{arn[:200]} is no ARN of a collection")
    if (parsed.account, parsed.region) != (ctx.account, ctx.region):
        raise CollectionNotFound(f"Collection with ARN {arn[:200]} cannot be found.")
    with ctx.platform.sql.connect() as connection:
        return find_collection(connection, ctx, parsed.id).arn


def _owned(ctx: Context) -> tuple[Any, ...]:
    return COLLECTIONS.c.account == ctx.account, COLLECTIONS.c.region == ctx.region


def _collection(ctx: Context, row: Any) -> Collection:
    return Collection(
        row.id,
        row.name,
        make_arn("aoss", ctx.region, ctx.account, f"collection/{row.id}"),
        row.kind,
        row.description,
        row.standby,
        bool(row.is_protected),
        row.kms_key,
        row.created_ms,
        row.modified_ms,
    )

"""Indexes of a collection: settings and mappings as OpenSearch has them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, insert, select
from sqlalchemy.exc import IntegrityError

from rocamadre.core.context import Context
from rocamadre.neighbours.aoss.errors import CollectionNotFound, no_index, search_error
from rocamadre.neighbours.aoss.policies import now_ms
from rocamadre.neighbours.aoss.tables import COLLECTIONS, DOCUMENTS, INDEXES

MAX_DIMENSIONS = 16_000
SPACES = ("l2", "cosinesimil", "innerproduct", "l1", "linf")
_NAME = re.compile(r"(?![_+-])[^A-Z\\/*?\"<>| ,#:]{1,255}")
_TYPES = frozenset(
    "text keyword knn_vector long integer short byte double float half_float scaled_float unsigned_long boolean date "
    "date_nanos object nested flat_object ip binary wildcard match_only_text geo_point alias".split()
)


@dataclass(frozen=True, slots=True)
class Index:
    """An index.

    Attributes:
        settings: As given.
        mappings: As given.
    """

    id: int
    collection: str
    name: str
    settings: Mapping[str, Any]
    mappings: Mapping[str, Any]
    created_ms: int

    def fields(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """The mapped fields, by dotted path."""
        yield from _fields(self.mappings, "")

    def vectors(self) -> dict[str, Mapping[str, Any]]:
        """Those that are vectors."""
        return {path: field for path, field in self.fields() if field.get("type") == "knn_vector"}

    def space(self, field: Mapping[str, Any]) -> str:
        """How vectors of a field are compared: one of `SPACES`."""
        method = field.get("method") or {}
        index = self.settings.get("index", self.settings)
        default = index.get("knn.space_type", "l2") if isinstance(index, Mapping) else "l2"
        return str(field.get("space_type") or method.get("space_type") or default)


def _fields(mapping: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    properties = mapping.get("properties") or {}
    for name, field in properties.items():
        yield f"{prefix}{name}", field
        yield from _fields(field, f"{prefix}{name}.")


def create_index(ctx: Context, collection: str, name: str, body: Mapping[str, Any]) -> Index:
    """Make an index.

    Raises:
        CommonError: there is one of this name, or the name, settings or mappings are not valid.
    """
    unknown = sorted(set(body) - {"settings", "mappings", "aliases"})
    if unknown or body.get("aliases"):
        what = "aliases" if body.get("aliases") else unknown[0]
        raise search_error("parse_exception", 400, f"unknown or refused key [{what}] for create index")
    if not _NAME.fullmatch(name) or name in (".", ".."):
        raise search_error("invalid_index_name_exception", 400, f"Invalid index name [{name[:300]}]")
    settings, mappings = body.get("settings") or {}, body.get("mappings") or {}
    if not isinstance(settings, Mapping) or not isinstance(mappings, Mapping):
        raise search_error("parse_exception", 400, "settings and mappings must be objects")
    _check(mappings, "")
    row = {"settings": json.dumps(settings), "mappings": json.dumps(mappings), "created_ms": now_ms(ctx)}
    try:
        with ctx.platform.sql.begin() as tx:
            check_collection(tx, ctx, collection)
            tx.execute(insert(INDEXES).values(account=ctx.account, collection=collection, name=name, **row))
            return find_index(tx, ctx, collection, name)
    except IntegrityError as error:
        raise search_error("resource_already_exists_exception", 400, f"index [{name}] already exists") from error


def check_collection(tx: Connection, ctx: Context, collection: str) -> None:
    """Raise CollectionNotFound where the account has no such collection, in any region: endpoints name none."""
    query = select(COLLECTIONS.c.id).where(COLLECTIONS.c.id == collection, COLLECTIONS.c.account == ctx.account)
    if tx.execute(query).scalar() is None:
        raise CollectionNotFound(f"Collection with ID {collection[:100]} cannot be found.")


def find_index(tx: Connection, ctx: Context, collection: str, name: str) -> Index:
    """An index.

    Raises:
        CollectionNotFound: there is no such collection.
        CommonError: index_not_found_exception.
    """
    check_collection(tx, ctx, collection)
    row = tx.execute(select(INDEXES).where(INDEXES.c.collection == collection, INDEXES.c.name == name)).one_or_none()
    if row is None:
        raise no_index(name)
    return _index(row)


def list_indexes(ctx: Context, collection: str) -> list[Index]:
    """Indexes by name."""
    query = select(INDEXES).where(INDEXES.c.collection == collection).order_by(INDEXES.c.name)
    with ctx.platform.sql.connect() as connection:
        check_collection(connection, ctx, collection)
        return [_index(row) for row in connection.execute(query)]


def delete_index(ctx: Context, collection: str, name: str) -> None:
    """Remove an index with its documents."""
    with ctx.platform.sql.begin() as tx:
        index = find_index(tx, ctx, collection, name)
        tx.execute(delete(DOCUMENTS).where(DOCUMENTS.c.index_id == index.id))
        tx.execute(delete(INDEXES).where(INDEXES.c.id == index.id))


def _check(mapping: Mapping[str, Any], prefix: str) -> None:
    properties = mapping.get("properties") or {}
    if not isinstance(properties, Mapping):
        raise _unmappable("Expected map for property [properties]")
    for name, field in properties.items():
        path = f"{prefix}{name}"
        if not isinstance(field, Mapping):
            raise _unmappable(f"Expected map for property [fields] on field [{path}]")
        kind = field.get("type", "object")
        if kind not in _TYPES:
            raise _unmappable(f"No handler for type [{kind}] declared on field [{path}]")
        if kind == "knn_vector":
            _check_vector(field, path)
        _check(field, f"{path}.")


def _check_vector(field: Mapping[str, Any], path: str) -> None:
    dimension = field.get("dimension")
    if not isinstance(dimension, int) or not 1 <= dimension <= MAX_DIMENSIONS:
        raise _unmappable(f"Dimension value must be 1 to {MAX_DIMENSIONS} for vector: {path}")
    if field.get("model_id") or field.get("data_type", "float") != "float":
        raise _unmappable(f"vectors are float here, without models: {path}")
    space = field.get("space_type") or (field.get("method") or {}).get("space_type") or "l2"
    if space not in SPACES:
        raise _unmappable(f"[{space}] is no space type for vector: {path}; there are {', '.join(SPACES)}")


def _unmappable(reason: str) -> Exception:
    return search_error("mapper_parsing_exception", 400, reason)


def _index(row: Any) -> Index:
    settings, mappings = json.loads(row.settings), json.loads(row.mappings)
    return Index(row.id, row.collection, row.name, settings, mappings, row.created_ms)

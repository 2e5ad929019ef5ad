"""Metadata of documents and chunks: kept once where all chunks of a document agree, and found by value."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from rocamadre.store.vectors.columns import Bools, Columns
from rocamadre.store.vectors.filters import (
    Condition,
    Filter,
    Fragment,
    Scalar,
    after_prefix,
    attributes,
    kind_of,
    positive,
)
from rocamadre.store.vectors.sqlite_file import Connection

_LISTED = 3  # added to the kind of a list's members
_ORDERS = {"greaterThan": ">", "greaterThanOrEquals": ">=", "lessThan": "<", "lessThanOrEquals": "<="}


def shared(all_metadata: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What is the same in all of them.

    >>> shared([{"a": 1, "b": 2}, {"a": 1, "b": 2.0}])
    {'a': 1}
    """
    if not all_metadata:
        return {}
    first = all_metadata[0]
    others = [each for each in all_metadata if each is not first]
    return {
        key: value for key, value in first.items() if all(key in other and _same(other[key], value) for other in others)
    }


def _same(one: Any, other: Any) -> bool:
    if one is other:
        return True
    if type(one) is not type(other):
        return False
    return bool(one == other) if isinstance(one, str | int) else encoded(one) == encoded(other)


def encoded(value: Any) -> str:
    """A value as JSON; what JSON lacks raises ValueError or TypeError."""
    if value in ([], {}):  # Most chunks have no metadata of their own, and many no headings.
        return "[]" if isinstance(value, list) else "{}"
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def write(connection: Connection, owned: Iterable[tuple[int, Mapping[str, Any]]]) -> None:
    """Make metadata searchable.

    Args:
        connection: Writing.
        owned: Owner (see `sqlite_file.TABLES`) and metadata.
    """
    numbers: dict[str, int] = dict(connection.execute("SELECT name, number FROM keys"))
    rows = []
    for owner, metadata in owned:
        for key, listed, scalar in attributes(metadata):
            if key not in numbers:
                connection.execute("INSERT INTO keys(name) VALUES(?)", (key,))
                numbers[key] = connection.last_insert_rowid()
            rows.append((numbers[key], kind_of(scalar) + _LISTED * listed, scalar, owner))
    connection.executemany("INSERT OR IGNORE INTO attributes VALUES(?, ?, ?, ?)", rows)


def remove(connection: Connection, owned: Iterable[tuple[int, Mapping[str, Any]]]) -> None:
    """Undo `write`."""
    numbers: dict[str, int] = dict(connection.execute("SELECT name, number FROM keys"))
    connection.executemany(
        "DELETE FROM attributes WHERE key = ? AND kind = ? AND value = ? AND owner = ?",
        (
            (numbers[key], kind_of(scalar) + _LISTED * listed, scalar, owner)
            for owner, metadata in owned
            for key, listed, scalar in attributes(metadata)
        ),
    )


def satisfying(connection: Connection, where: Filter | None, columns: Columns) -> Bools:
    """Which places hold a chunk that is alive and satisfies a filter."""
    if where is None:
        return columns.alive
    return columns.alive & _mask(connection, where, columns)


def _mask(connection: Connection, where: Filter, columns: Columns) -> Bools:
    if isinstance(where, Condition):
        if where.operator in ("notEquals", "notIn"):
            return ~_places(connection, positive(where), columns)
        return _places(connection, where, columns)
    masks = [_mask(connection, each, columns) for each in where.filters]
    joined: Bools = (np.logical_and if where.operator == "andAll" else np.logical_or).reduce(masks)
    return joined


def _places(connection: Connection, where: Condition, columns: Columns) -> Bools:
    sql, values = condition_sql(where)
    rows = connection.execute(
        f"SELECT owner FROM attributes WHERE key = (SELECT number FROM keys WHERE name = ?) AND ({sql})",
        (where.key, *values),
    )
    owners = np.fromiter((owner for (owner,) in rows), np.int64)
    mask = np.zeros(len(columns.alive), np.bool_)
    positions = columns.positions(owners[owners >= 0])
    mask[positions[positions >= 0]] = True
    documents = -1 - owners[owners < 0]
    if len(documents) and len(mask):
        wanted = np.zeros(max(int(documents.max()), int(columns.documents.max())) + 1, np.bool_)
        wanted[documents] = True
        mask |= wanted[columns.documents]
    return mask


def condition_sql(where: Condition) -> Fragment:
    """What rows of `attributes` satisfy a condition, beside having its key; never of `notEquals` and `notIn`."""
    if isinstance(where.value, tuple):
        return _equal(where.value)
    kind = kind_of(where.value)
    kinds = f"kind IN ({kind}, {kind + _LISTED})"
    match where.operator:
        case "equals":
            return _equal((where.value,))
        case "listContains":
            return f"kind = {kind + _LISTED} AND value = ?", [where.value]
        case "startsWith":
            after = after_prefix(str(where.value))
            if after is None:
                return f"{kinds} AND value >= ?", [where.value]
            return f"{kinds} AND value >= ? AND value < ?", [where.value, after]
        case "stringContains":
            return f"{kinds} AND instr(value, ?) > 0", [where.value]
    return f"{kinds} AND value {_ORDERS[where.operator]} ?", [where.value]


def _equal(values: Sequence[Scalar]) -> Fragment:
    parts = []
    for kind in sorted({kind_of(value) for value in values}):
        marks = ", ".join("?" for value in values if kind_of(value) == kind)
        parts.append(f"kind IN ({kind}, {kind + _LISTED}) AND value IN ({marks})")
    return " OR ".join(f"({part})" for part in parts), sorted(values, key=kind_of)

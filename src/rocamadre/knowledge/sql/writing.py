"""A query's parts as SQL, with its tables joined along keys."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from rocamadre.knowledge.sql.linking import Mention, root, roots_of_name
from rocamadre.knowledge.sql.sqlite import quoted
from rocamadre.knowledge.sql.types import Column, Link, Schema, Table


class NotUnderstood(Exception):
    """The question cannot be made a query of."""


@dataclass(frozen=True, slots=True)
class Place:
    """A column of a table."""

    table: str
    column: str


@dataclass(slots=True)
class Query:
    """What a query asks.

    Attributes:
        selected: What is shown: an aggregate's name, or "", and its column.
        where: Conditions in SQL.
        equal: Values that a column, by its name in SQL, may have.
        having: A condition on groups.
        order: What is sorted by, in SQL, and in which direction.
        limit: Rows; 0 for all.
    """

    schema: Schema
    mentions: Sequence[Mention]
    tables: list[str] = field(default_factory=list)
    selected: list[tuple[str, Place | None]] = field(default_factory=list)
    where: list[str] = field(default_factory=list)
    equal: dict[str, list[str]] = field(default_factory=dict)
    having: str = ""
    group: Place | None = None
    order: tuple[str, str] | None = None
    limit: int = 0
    distinct: bool = False


def write(query: Query) -> str:
    """The SQL of a query.

    Raises:
        NotUnderstood: no key leads from one of its tables to another.
    """
    needed = _needed(query)
    source, joined = _joined(query, needed)
    single = len(joined) == 1
    columns = [_selected(name, place) for name, place in query.selected]
    grouped = query.group
    mixed = any(name for name, _ in query.selected) and any(not name for name, _ in query.selected)
    if grouped is None and mixed:
        grouped = next(place for name, place in query.selected if not name and place)
    plain = not any(name for name, _ in query.selected)
    parts = [
        f"SELECT {'DISTINCT ' if query.distinct and plain else ''}{', '.join(dict.fromkeys(columns))}",
        f"FROM {source}",
    ]
    same = [
        f"{name} = {values[0]}" if len(set(values)) == 1 else f"{name} IN ({', '.join(dict.fromkeys(values))})"
        for name, values in query.equal.items()
    ]
    if query.where or same:
        parts.append("WHERE " + " AND ".join(dict.fromkeys([*same, *query.where])))
    if grouped is not None:
        parts.append(f"GROUP BY {name_of(grouped)}")
    if query.having:
        parts.append(f"HAVING {query.having}")
    if query.order is not None:
        parts.append(f"ORDER BY {query.order[0]} {query.order[1]}")
    if query.limit:
        parts.append(f"LIMIT {query.limit}")
    sql = " ".join(parts)
    for table in joined if single else ():
        sql = sql.replace(f"{quoted(table)}.", "")
    return sql


def _needed(query: Query) -> list[str]:
    """Tables whose columns are used; of those merely named, the first where nothing else is."""
    text = " ".join([*query.where, *query.equal, query.order[0] if query.order else ""])
    places = [place.table for _, place in query.selected if place] + ([query.group.table] if query.group else [])
    found = [name for name in query.tables if name in places or f"{quoted(name)}." in text]
    named = [m.meanings[0].table for m in query.mentions if m.sort == "table"]
    counts = any(name == "count" and place is None for name, place in query.selected) or (
        (query.order is not None and query.order[0] == "COUNT(*)") or bool(query.having)
    )
    if counts:
        found += [name for name in named if name not in found]
    return found or query.tables[:1]


def _joined(query: Query, tables: Sequence[str]) -> tuple[str, list[str]]:
    """The FROM clause: tables joined along keys, with what lies between them."""
    joined = [tables[0]]
    clause = table_of(query, tables[0])
    for table in tables[1:]:
        if table in joined:
            continue
        for way in _path(query, joined, table):
            new = way.other if way.other not in joined else way.table
            left = name_of(Place(way.table, way.column))
            right = name_of(Place(way.other, way.key))
            clause += f" JOIN {table_of(query, new)} ON {left} = {right}"
            joined.append(new)
    return clause, joined


def _path(query: Query, joined: Sequence[str], wanted: str) -> list[Link]:
    """Links from the joined tables to another, the fewest."""
    links = [*query.schema.links, *alike(query.schema)]
    ways: list[tuple[str, list[Link]]] = [(name, []) for name in joined]
    seen = set(joined)
    while ways:
        here, way = ways.pop(0)
        for each in links:
            if here not in (each.table, each.other):
                continue
            there = each.other if here == each.table else each.table
            if there in seen:
                continue
            if there == wanted:
                return [*way, each]
            seen.add(there)
            ways.append((there, [*way, each]))
    raise NotUnderstood(f"no key leads from {joined[0]} to {wanted}")


def table_of(query: Query, name: str) -> str:
    """A table as SQL names it after FROM."""
    table = query.schema.table(name)
    return f"{quoted(table.schema)}.{quoted(name)}" if table.schema not in ("", "public", "main") else quoted(name)


def name_of(place: Place) -> str:
    """A column as SQL names it."""
    return f"{quoted(place.table)}.{quoted(place.column)}"


def _selected(name: str, place: Place | None) -> str:
    if name == "count-distinct" and place:
        return f"COUNT(DISTINCT {name_of(place)})"
    if name.startswith("count"):
        return "COUNT(*)"
    assert place is not None
    return f"{name.upper()}({name_of(place)})" if name else name_of(place)


def display_of(schema: Schema, table: str) -> Place:
    """The column by which people know a row."""
    found = schema.table(table)
    own = set(roots_of_name(table))
    wanted = (root("name"), root("title"))
    for column in found.columns:
        names = set(roots_of_name(column.name))
        if names - own <= set(wanted) and names & set(wanted):
            return Place(table, column.name)
    for column in found.columns:
        if set(roots_of_name(column.name)) & {*wanted, *own} and column.family in ("text", "other"):
            return Place(table, column.name)
    texts = [column for column in found.columns if column.family == "text" and column.name not in found.keys]
    return Place(table, (texts or list(found.columns))[0].name)


def alike(schema: Schema) -> list[Link]:
    """Columns of the same name in two tables, one of them a key or like one; for databases without foreign keys."""
    found = []
    for place, table in enumerate(schema.tables):
        for other in schema.tables[place + 1 :]:
            found += [way for column in table.columns if (way := _shared(column, table, other)) is not None]
    return found


def _shared(column: Column, table: Table, other: Table) -> Link | None:
    if not any(each.name.lower() == column.name.lower() for each in other.columns):
        return None
    keyed = column.name in table.keys or column.name in other.keys or column.name.lower().endswith(("id", "code"))
    named = {root(table.name), root(other.name)} & set(roots_of_name(column.name))
    key = next(each.name for each in other.columns if each.name.lower() == column.name.lower())
    return Link(table.name, column.name, other.name, key) if keyed or named else None


def literal(text: str) -> str:
    """A text as SQL writes it."""
    return "'" + text.replace("'", "''") + "'"


def number_literal(text: str) -> str:
    """A number as SQL writes it; of points and commas, one before three digits parts thousands."""
    whole = re.sub(r"[.,](?=\d{3}(?:\D|$))", "", text)
    return whole.replace(",", ".")

"""Mentions of tables, columns and values, put together to a query by rule."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rocamadre.knowledge.sql.linking import Meaning, Mention, root, roots_of_name
from rocamadre.knowledge.sql.sqlite import quoted
from rocamadre.knowledge.sql.types import Column
from rocamadre.knowledge.sql.vocabulary import MEASURES, SUPERLATIVES
from rocamadre.knowledge.sql.writing import (
    NotUnderstood,
    Place,
    Query,
    alike,
    display_of,
    literal,
    name_of,
    number_literal,
    table_of,
)

_AGGREGATES = ("avg", "sum", "max", "min")
_COMPARE = (">", "<", ">=", "<=")


@dataclass(slots=True)
class Draft(Query):
    """A query as it comes together."""

    def read(self) -> None:
        """Go through the mentions, from left to right."""
        extremes = [m for m in self.mentions if m.sort == "superlative" or m.text in ("most-of", "least-of")]
        named = [m.meanings[0].table for m in self.mentions if m.sort == "table"]
        if len(extremes) > 1 or len(named) != len(set(named)):
            raise NotUnderstood("it asks for one thing inside another; ask for one at a time")
        self.tables = self._main_tables()
        conditions = self._conditions()
        self._aggregates_and_targets(conditions)
        if not self.selected:
            self._default_target()
        self._check()

    def _check(self) -> None:
        """A query that gives back what the question said, and nothing else, was not what was meant."""
        if len(self.selected) == 1 and self.selected[0][1] is not None and not self.order and not self.having:
            name, place = self.selected[0]
            if place and not name and name_of(place) in self.equal and len(self.equal) + len(self.where) == 1:
                raise NotUnderstood(f"it is not clear what is asked about {self.equal[name_of(place)][0]}")

    def _main_tables(self) -> list[str]:
        """Tables named by the question, then the one in which most of the other mentions have their place."""
        named = []
        for mention in self.mentions:
            if mention.sort == "table" and mention.meanings[0].table not in named:
                named.append(mention.meanings[0].table)
        if named:
            return named
        votes: dict[str, float] = {}
        shown = {(name, display_of(self.schema, name).column) for name in (table.name for table in self.schema.tables)}
        for mention in self.mentions:
            best: dict[str, float] = {}
            for meaning in mention.meanings:
                weight = meaning.weight + (0.6 if meaning.value and (meaning.table, meaning.column) in shown else 0.0)
                best[meaning.table] = max(best.get(meaning.table, 0.0), weight)
            for table, best_weight in best.items():
                votes[table] = votes.get(table, 0.0) + best_weight
        order = {table.name: place for place, table in enumerate(self.schema.tables)}
        return [max(votes, key=lambda table: (votes[table], -order[table]))]

    def _place(self, mention: Mention, *, families: Sequence[str] = ()) -> Meaning | None:
        """What a mention means among the tables at hand, else anywhere."""
        fitting = [
            meaning
            for meaning in mention.meanings
            if meaning.column and (not families or self._column(meaning).family in families)
        ]
        near = [meaning for meaning in fitting if meaning.table in self.tables]
        best = max(near, key=lambda m: m.weight, default=None)
        if best is not None and best.weight >= 0.5:
            return best
        return max(fitting, key=lambda m: m.weight, default=None)

    def _column(self, meaning: Meaning) -> Column:
        return self.schema.table(meaning.table).column(meaning.column)

    def _conditions(self) -> set[int]:
        """Read filters; returns the places of the mentions that they used up."""
        used: set[int] = set()
        for index, mention in enumerate(self.mentions):
            if mention.sort == "value":
                self._equal(index, mention, used)
            elif mention.sort == "number" and index not in used:
                self._number(index, mention, used)
            elif mention.sort == "quoted":
                self._quoted(index, mention, used)
        return used

    def _negated(self, index: int) -> bool:
        return any(each.sort == "operator" and each.text == "not" for each in self.mentions[max(0, index - 3) : index])

    def _equal(self, index: int, mention: Mention, used: set[int]) -> None:
        before = self._near_column(index, used)
        meanings = list(mention.meanings)
        if before is not None:
            named = {(m.table, m.column) for m in self.mentions[before].meanings}
            meanings.sort(key=lambda m: (m.table, m.column) not in named)
        if before is None or (meanings[0].table, meanings[0].column) not in {
            (m.table, m.column) for m in self.mentions[before].meanings
        }:
            meanings.sort(key=lambda m: (m.table not in self.tables, self._pointless(m, index), -m.weight))
            before = None
        chosen = meanings[0]
        sign = "<>" if self._negated(index) else "="
        self._need(chosen.table)
        name = name_of(Place(chosen.table, chosen.column))
        if sign == "=":
            self.equal.setdefault(name, []).append(literal(chosen.value))
        else:
            self.where.append(f"{name} <> {literal(chosen.value)}")
        used.add(index)
        if before is not None and self._close(before, index):
            used.add(before)

    def _pointless(self, meaning: Meaning, index: int) -> bool:
        """Whether rows would be looked up by the name that is asked for: `rivers in Colorado`, not `Colorado river`."""
        if meaning.table != self.tables[0] or Place(meaning.table, meaning.column) != display_of(
            self.schema, meaning.table
        ):
            return False
        beside = [
            each
            for each in self.mentions[max(0, index - 1) : index + 2]
            if each.sort == "table" and each.meanings[0].table == meaning.table
        ]
        others = any(each.sort in ("column", "measure") for each in self.mentions)
        return not beside and not others and any(each.sort == "table" for each in self.mentions)

    def _close(self, first: int, second: int) -> bool:
        return all(each.sort in ("plain", "operator") for each in self.mentions[first + 1 : second])

    def _near_column(self, index: int, used: set[int], families: Sequence[str] = ()) -> int | None:
        """The column mention that a value belongs to: before it, else right after it."""
        for place in range(index - 1, max(-1, index - 6), -1):
            mention = self.mentions[place]
            if mention.sort in ("value", "number"):
                break
            if mention.sort == "column" and place not in used and self._place(mention, families=families):
                return place
        for place in range(index + 1, min(len(self.mentions), index + 3)):
            mention = self.mentions[place]
            if mention.sort == "column" and place not in used and families and self._place(mention, families=families):
                return place
        return None

    def _number(self, index: int, mention: Mention, used: set[int]) -> None:
        operators = [
            (place, each.text)
            for place, each in enumerate(self.mentions)
            if each.sort == "operator" and index - 4 <= place < index
        ]
        if any(name == "top" for _, name in operators):
            self.limit = int(float(mention.text.replace(",", "")))
            used.add(index)
            return
        sign = next((name for _, name in reversed(operators) if name in (*_COMPARE, "between")), "=")
        kinds = ("number", "time", "other", "text") if sign == "=" else ("number", "time")
        near = self._near_column(index, used, kinds)
        place = self._place(self.mentions[near]) if near is not None else self._year(mention)
        if near is None and self._counted(index, mention, sign, used):
            return
        if place is None:
            raise NotUnderstood(f"it is not clear which column {mention.text} is about")
        self._need(place.table)
        name = name_of(Place(place.table, place.column))
        numeric = self._column(place).family == "number"
        value = number_literal(mention.text) if numeric else literal(mention.text)
        used.add(index)
        following = next((k for k in range(index + 1, len(self.mentions)) if self.mentions[k].sort == "number"), None)
        if sign == "between" and following is not None:
            other = self.mentions[following].text
            end = number_literal(other) if numeric else literal(other)
            self.where.append(f"{name} BETWEEN {value} AND {end}")
            used.add(following)
        elif self._column(place).family == "time" and re.fullmatch(r"\d{4}", mention.text):
            self.where.append(self._in_year(name, sign, mention.text))
        elif sign == "=" and not self._negated(index):
            self.equal.setdefault(name, []).append(value)
        else:
            self.where.append(f"{name} {'<>' if sign == '=' else sign} {value}")
        if near is not None and (near < index or sign != "="):
            used.add(near)

    def _counted(self, index: int, mention: Mention, sign: str, used: set[int]) -> bool:
        """`with at least two orders`: how many rows of another table belong to one."""
        following = index + 1
        while following < len(self.mentions) and self.mentions[following].sort == "plain":
            following += 1
        if following >= len(self.mentions) or self.mentions[following].sort != "table":
            return False
        table = self.mentions[following].meanings[0].table
        first = next((name for name in self.tables if name != table), None)
        if first is None or index == 0:
            return False
        self._need(table)
        self.group = display_of(self.schema, first)
        self.having = f"COUNT(*) {sign} {number_literal(mention.text)}"
        used |= {index, following}
        return True

    def _year(self, mention: Mention) -> Meaning | None:
        if not re.fullmatch(r"1[5-9]\d\d|20\d\d", mention.text):
            numbers = [
                Meaning(table, column.name)
                for table in self.tables
                for column in self.schema.table(table).columns
                if column.family == "number" and column.name not in self.schema.table(table).keys
            ]
            return numbers[0] if len(numbers) == 1 else None
        for table in self.tables:
            for column in self.schema.table(table).columns:
                if column.family == "time" or root("year") in roots_of_name(column.name):
                    return Meaning(table, column.name)
        return None

    def _in_year(self, name: str, sign: str, year: str) -> str:
        first, after = f"'{year}-01-01'", f"'{int(year) + 1}-01-01'"
        return {
            ">": f"{name} >= {after}",
            "<": f"{name} < {first}",
            ">=": f"{name} >= {first}",
            "<=": f"{name} < {after}",
        }.get(sign, f"({name} >= {first} AND {name} < {after})")

    def _quoted(self, index: int, mention: Mention, used: set[int]) -> None:
        near = self._near_column(index, used, ("text", "other"))
        place = self._place(self.mentions[near]) if near is not None else None
        if place is None:
            raise NotUnderstood(f"it is not clear which column {mention.text!r} is about")
        self._need(place.table)
        name = name_of(Place(place.table, place.column))
        if any(each.sort == "operator" and each.text == "like" for each in self.mentions):
            self.where.append(f"{name} LIKE {literal('%' + mention.text.strip() + '%')}")
        elif self._negated(index):
            self.where.append(f"{name} <> {literal(mention.text.strip())}")
        else:
            self.equal.setdefault(name, []).append(literal(mention.text.strip()))
        used.add(index)
        if near is not None and near < index and len([m for m in self.mentions if m.sort == "column"]) > 1:
            used.add(near)

    def _aggregates_and_targets(self, used: set[int]) -> None:
        pending: list[str] = []
        for index, mention in enumerate(self.mentions):
            if index in used:
                continue
            if mention.sort == "operator":
                pending = self._operator(index, mention.text, pending, used)
            elif mention.sort == "superlative":
                self._superlative(index, mention, used)
            elif mention.sort == "measure":
                self._measure(mention)
            elif mention.sort == "table" and pending[:1] in (["count"], ["count-distinct"]):
                self.selected.append(("count", None))
                pending = []
            elif mention.sort == "column":
                for name in pending or [""]:
                    self._target(mention, name)
                pending = []
        self._settle(pending)

    def _operator(self, index: int, name: str, pending: list[str], used: set[int]) -> list[str]:
        """What an operator does; returns the calculations that wait for their column."""
        if name in ("count", "count-distinct"):
            return [name]
        if name in _AGGREGATES:
            return [*pending, name]
        if name == "group" and any(each.text in (*_AGGREGATES, "count") for each in self.mentions):
            self._grouped(index, used)
        elif name in ("most-of", "least-of"):
            self._most(index, name, used)
        elif name == "without":
            self._without(index, used)
        elif name == "order":
            self._ordered(index, used)
        elif name == "distinct":
            self.distinct = True
        return pending

    def _settle(self, pending: list[str]) -> None:
        """Look over what is selected once all words were read."""
        counted = any(each.sort == "operator" and each.text.startswith("count") for each in self.mentions)
        if pending and pending[-1] in _AGGREGATES and self.selected:  # "población media": the word stands behind.
            name, place = self.selected[-1]
            if place is not None and not name and self._family(place) == "number":
                self.selected[-1] = (pending.pop(), place)
        if counted and self.group is None and any(name == "count" and not place for name, place in self.selected):
            self.selected = [("count", None)]
        if self.having and not self.selected and self.group:
            self.selected.append(("", self.group))
        if counted and not any(name.startswith("count") for name, _ in self.selected):
            numeric = [each for each in self.selected if each[1] and self._family(each[1]) == "number"]
            if not (len(self.selected) == 1 and numeric):  # "How many people live in…": the column is the count.
                self.selected = [("count", None), *(each for each in self.selected if each[1] == self.group)]
        if set(pending) & set(_AGGREGATES):
            raise NotUnderstood("it is not clear which column to calculate with")

    def _family(self, place: Place) -> str:
        return self.schema.table(place.table).column(place.column).family

    def _target(self, mention: Mention, pending: str) -> None:
        meaning = self._place(mention, families=("number",) if pending in ("avg", "sum") else ())
        if meaning is None:
            if pending in ("avg", "sum"):
                raise NotUnderstood(f"{mention.text!r} is no number that could be calculated with")
            return
        place = Place(meaning.table, meaning.column)
        self._need(meaning.table)
        if pending == "count" and self._family(place) == "number":
            pending = ""
        if any(place == other for _, other in self.selected) and not pending:
            return
        self.selected.append((pending, place))

    def _next(self, index: int, sort: str, used: set[int], reach: int = 4) -> int | None:
        for place in range(index + 1, min(len(self.mentions), index + 1 + reach)):
            if place not in used and self.mentions[place].sort == sort:
                return place
        return None

    def _grouped(self, index: int, used: set[int]) -> None:
        following = next(
            (k for k in range(index + 1, len(self.mentions)) if self.mentions[k].sort in ("column", "table")), None
        )
        if following is None:
            return
        mention = self.mentions[following]
        if mention.sort == "column" and (meaning := self._place(mention)) is not None:
            self.group = Place(meaning.table, meaning.column)
            self._need(meaning.table)
        elif mention.sort == "table":
            self.group = display_of(self.schema, mention.meanings[0].table)
        used.add(following)
        if self.group is not None:
            self.selected.insert(0, ("", self.group))

    def _ordered(self, index: int, used: set[int]) -> None:
        following = self._next(index, "column", used, 5)
        downwards = any(each.sort == "operator" and each.text == "desc" for each in self.mentions)
        if following is None:
            target = next((place for _, place in self.selected if place), None)
            if target is not None:
                self.order = (name_of(target), "DESC" if downwards else "ASC")
            return
        meaning = self._place(self.mentions[following])
        if meaning is not None:
            self._need(meaning.table)
            self.order = (name_of(Place(meaning.table, meaning.column)), "DESC" if downwards else "ASC")
            used.add(following)

    def _measure(self, mention: Mention) -> None:
        """`how big`, `where`: a column that is asked for by what it measures."""
        meaning = self._meant(MEASURES[mention.text], lone=False)
        if meaning is not None and not self.selected:
            self.selected.append(("", Place(meaning.table, meaning.column)))

    def _most(self, index: int, name: str, used: set[int]) -> None:
        """`the most orders`: by a number, or by how many rows there are."""
        direction = "desc" if name == "most-of" else "asc"
        for place in range(index + 1, min(len(self.mentions), index + 4)):
            mention = self.mentions[place]
            if place in used:
                continue
            if mention.sort == "column" and (numeric := self._place(mention, families=("number", "time"))):
                used.add(place)
                self._by(numeric, direction, place, used)
                return
            if mention.sort == "table":
                used.add(place)
                self._most_of(mention.meanings[0].table, direction)
                return
            if mention.sort not in ("plain", "unknown"):
                break
        raise NotUnderstood("it is not clear of what there are most")

    def _without(self, index: int, used: set[int]) -> None:
        following = self._next(index, "table", used, 3)
        if following is None:
            return
        other = self.mentions[following].meanings[0].table
        main = next((name for name in self.tables if name != other), None)
        links = [
            each for each in (*self.schema.links, *alike(self.schema)) if {each.table, each.other} == {other, main}
        ]
        if main is None or not links:
            raise NotUnderstood(f"no key leads to {other}")
        each = links[0]
        own, foreign = (each.column, each.key) if each.table == main else (each.key, each.column)
        self.where.append(
            f"{name_of(Place(main, own))} NOT IN (SELECT {quoted(foreign)} FROM {table_of(self, other)} "
            f"WHERE {quoted(foreign)} IS NOT NULL)"
        )
        self.tables = [name for name in self.tables if name != other]
        used.add(following)

    def _superlative(self, index: int, mention: Mention, used: set[int]) -> None:
        direction, means = SUPERLATIVES[mention.text]
        if self.order is not None:
            return
        following = self._next(index, "column", used, 3)
        numeric = None
        if following is not None:
            numeric = self._place(self.mentions[following], families=("number", "time"))
        if numeric is None:
            later = next((k for k in range(index + 1, len(self.mentions)) if self.mentions[k].sort == "column"), None)
            before = self.mentions[index + 1 : later] if later is not None else ()
            if later is not None and any(each.text.lower() in ("by", "in", "por", "em", "en") for each in before):
                following, numeric = later, self._place(self.mentions[later], families=("number", "time"))
                if numeric is not None:
                    used.add(later)
        if numeric is None:
            numeric, following = self._meant(means, lone="amount" in means), None
        if numeric is None:
            raise NotUnderstood(f"it is not clear which column {mention.text!r} is about")
        down = direction == "desc" if not self._inverted(numeric, mention.text) else direction != "desc"
        self._by(numeric, "desc" if down else "asc", following, used)

    def _by(self, numeric: Meaning, direction: str, named: int | None, used: set[int]) -> None:
        """Order by a number; where nothing else is asked for, that number's extreme itself."""
        self._need(numeric.table)
        place = Place(numeric.table, numeric.column)
        alone = named is not None and not any(
            other.sort in ("column", "table", "measure") and k != named and k not in used
            for k, other in enumerate(self.mentions)
            if other.sort == "column" or k < named
        )
        if named is not None:
            used.add(named)
        if alone:
            self.selected.append(("max" if direction == "desc" else "min", place))
        elif self.order is None:
            self.order = (name_of(place), direction.upper())
            self.limit = self.limit or 1

    def _inverted(self, meaning: Meaning, word: str) -> bool:
        """The oldest has the earliest year of birth."""
        names = roots_of_name(meaning.column)
        return word in ("oldest", "youngest", "viejo", "velho", "joven", "jovem") and (
            root("birth") in names or root("year") in names or self._column(meaning).family == "time"
        )

    def _meant(self, means: Sequence[str], *, lone: bool = True) -> Meaning | None:
        """A column of the tables at hand that has one of these names, else the only number there is."""
        for word in means:
            for table in self.tables:
                for column in self.schema.table(table).columns:
                    if root(word) in roots_of_name(column.name):
                        return Meaning(table, column.name)
        numbers = [
            Meaning(table, column.name)
            for table in self.tables[:1]
            for column in self.schema.table(table).columns
            if column.family == "number"
            and column.name not in self.schema.table(table).keys
            and not column.name.lower().endswith("id")
        ]
        return numbers[0] if lone and len(numbers) == 1 else None

    def _most_of(self, table: str, direction: str) -> None:
        """The one with the most rows of another table."""
        first = next((name for name in self.tables if name != table), None)
        columns = [
            meaning
            for mention in self.mentions
            if mention.sort == "column" and (meaning := self._place(mention)) and meaning.table == table
        ]
        if first is None and not columns:
            raise NotUnderstood(f"it is not clear of what there are most in {table}")
        self._need(table)
        self.group = display_of(self.schema, first) if first is not None else Place(columns[0].table, columns[0].column)
        if any(place == self.group for _, place in self.selected):
            self.selected = [each for each in self.selected if each[1] != self.group]
        self.selected.append(("", self.group))
        self.order = ("COUNT(*)", "DESC" if direction == "desc" else "ASC")
        self.limit = self.limit or 1

    def _default_target(self) -> None:
        self.selected.append(("", display_of(self.schema, self.tables[0])))

    def _need(self, table: str) -> None:
        if table not in self.tables:
            self.tables.append(table)

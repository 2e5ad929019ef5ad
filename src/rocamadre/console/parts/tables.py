"""Tables that are sorted, filtered and paged here, not in the browser, and whose state is in the page's address."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from rocamadre.console.page import Page, address
from rocamadre.console.parts.elements import Tag, box, button, set_attributes, tag, text, text_field

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Column(Generic[Row]):
    """One column.

    Attributes:
        name: In the address; also the key of its title's text.
        title: What its head says.
        show: Makes the cell's content; a returned text is set as text.
        order: What rows are sorted by; None for a column that cannot be.
        number: Set right-aligned.
    """

    name: str
    title: str
    show: Callable[[Row], str | None]
    order: Callable[[Row], Any] | None = None
    number: bool = False


class Table(Generic[Row]):
    """A table in a box, with a field to filter it and buttons to page it.

    Args:
        page: The visit; `sort`, `down`, `find` and `part` of its query are where the table begins.
        caption: What it lists, for screen readers.
        columns: From left to right.
        words: The text of a row that the filter looks at, in any case; None for no filter.
        size: Rows per part.
    """

    def __init__(
        self,
        page: Page,
        caption: str,
        columns: Sequence[Column[Row]],
        *,
        words: Callable[[Row], str] | None = None,
        size: int = 25,
    ) -> None:
        self._page = page
        self._caption = caption
        self._columns = columns
        self._words = words
        self._size = size
        query = page.query
        names = {column.name for column in columns if column.order is not None}
        self._sort = query.get("sort", "") if query.get("sort") in names else ""
        self._down = query.get("down") == "1"
        self._find = query.get("find", "")[:200]
        self._part = int(query["part"]) if query.get("part", "").isdecimal() else 1
        self._rows: Sequence[Row] = ()
        if words is not None:
            text_field(
                page.t("tables.find"), value=self._find, on_change=self._filter, kind="search", classes="find compact",
                placeholder=page.t("tables.find"),
            )  # fmt: skip
        self._place = box("section")

    def fill(self, rows: Sequence[Row]) -> None:
        """Show other rows."""
        self._rows = rows
        self._draw()

    def _filter(self, wanted: Any) -> None:
        self._find, self._part = str(wanted)[:200], 1
        self._changed()

    def _order(self, name: str) -> None:
        self._down = not self._down if self._sort == name else False
        self._sort, self._part = name, 1
        self._changed()

    def _turn(self, part: int) -> None:
        self._part = part
        self._changed()

    def _changed(self) -> None:
        self._draw()
        kept = {name: value for name, value in self._page.query.items() if name not in ("sort", "down", "find", "part")}
        where = address(
            self._page.path,
            **kept,
            sort=self._sort,
            down="1" if self._down else "",
            find=self._find,
            part=str(self._part) if self._part > 1 else "",
        )
        # Percent-encoded by then, and a JSON string is a JavaScript one.
        self._page.client.run_javascript(f"history.replaceState(null, '', {json.dumps(where)});")

    def _chosen(self) -> list[Row]:
        rows = list(self._rows)
        if self._words is not None and self._find:
            wanted = self._find.casefold().split()
            words = self._words
            rows = [row for row in rows if all(word in words(row).casefold() for word in wanted)]
        column = next((each for each in self._columns if each.name == self._sort), None)
        if column is not None and column.order is not None:
            rows.sort(key=column.order, reverse=self._down)
        return rows

    def _draw(self) -> None:
        rows = self._chosen()
        parts = max(1, -(-len(rows) // self._size))
        self._part = min(max(1, self._part), parts)
        self._place.clear()
        with self._place:
            with box("table-box", tabindex="0", role="region", aria_label=self._caption), tag("table", classes="table"):
                with tag("thead"), tag("tr"):
                    for column in self._columns:
                        self._head(column)
                with tag("tbody"):
                    for row in rows[(self._part - 1) * self._size : self._part * self._size]:
                        with tag("tr"):
                            for column in self._columns:
                                _cell(column, row)
            if not rows:
                text(self._page.t("tables.nothing"), classes="faint")
            if parts > 1:
                self._pager(len(rows), parts)

    def _head(self, column: Column[Row]) -> Tag:
        made = tag("th", scope="col", classes="number" if column.number else "")
        if column.order is None:
            made.set_text(column.title)
            return made
        if column.name == self._sort:
            set_attributes(made, aria_sort="descending" if self._down else "ascending")
        with made:
            shown = column.title + (" ↓" if self._down else " ↑") * (column.name == self._sort)
            tag("button", shown, classes="sort", type="button").on(
                "click", lambda _, name=column.name: self._order(name), args=[]
            )
        return made

    def _pager(self, count: int, parts: int) -> None:
        t = self._page.t
        with box("row", name="nav", aria_label=t("tables.pages")):
            button(t("tables.before"), lambda: self._turn(self._part - 1), disabled=self._part == 1)
            text(t("tables.part", part=self._part, parts=parts, count=t.number(count)), classes="faint", name="span")
            button(t("tables.after"), lambda: self._turn(self._part + 1), disabled=self._part == parts)


def _cell(column: Column[Row], row: Row) -> None:
    with tag("td", classes="number" if column.number else "") as made:
        shown = column.show(row)
        if shown is not None:
            made.set_text(shown)

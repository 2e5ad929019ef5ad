"""A document as it was read, with its chunks drawn on it, and the span that a citation names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import pairwise
from typing import Any
from urllib.parse import quote, urlencode

from rocamadre.console.knowledge import base_page, document_page
from rocamadre.console.page import Page
from rocamadre.console.parts.elements import box, heading, icon, link, tag, text
from rocamadre.console.parts.figures import figures
from rocamadre.console.parts.states import empty, region

_PART = 40_000
_COLOURS = 4


async def build(page: Page) -> None:
    """Draw the page."""
    t, base = page.t, page.values["base"]
    with tag("a", classes="back", href=base_page(base)):
        icon("back")
        tag("span", t("knowledge.back_to_base"))
    name = page.query.get("id", "")
    if not name:
        empty(t("knowledge.no_document"), t("knowledge.no_document_hint"))
        return
    asked = {"id": name} | ({"data_source": page.query["source"]} if page.query.get("source") else {})
    path = f"/_rocamadre/knowledge-bases/{quote(base, safe='')}/document?{urlencode(asked)}"
    text(name, classes="mono hostile")
    region(page, partial(page.api.get, path), partial(_show, page), classes="section", lines=8)


def _show(page: Page, document: dict[str, Any]) -> None:
    t, whole = page.t, document["text"]
    chunks = sorted((each for each in document["chunks"] if each["searched"]), key=lambda each: each["start"])
    start, end = _number(page, "start"), _number(page, "end")
    at = _number(page, "at") if page.query.get("at") else max(0, start) // _PART * _PART
    at = min(max(0, at), max(0, len(whole) - 1))
    figures(
        [
            (t("knowledge.characters"), t.number(len(whole))),
            (t("knowledge.chunks"), t.number(len(chunks))),
        ]
    )
    text(t("knowledge.drawn"), classes="faint small")
    if not whole:
        empty(t("knowledge.no_text"), t("knowledge.no_text_hint"))
        return
    with box("card"):
        heading(t("knowledge.text"))
        with box("document hostile", tabindex="0", role="region", aria_label=t("knowledge.text")):
            marked = False
            for begin, stop, over in pieces(at, min(len(whole), at + _PART), chunks, (start, end)):
                cited = start <= begin < end
                look = f"chunk chunk-{over[0] % _COLOURS}" if over else ""
                look = "chunk chunk-both" if len(over) > 1 else look
                named = ", ".join(t("knowledge.chunk", number=number + 1) for number in over)
                tag(
                    "mark" if cited else "span",
                    whole[begin:stop],
                    classes=look,
                    title=named or None,
                    id="cited" if cited and not marked else None,
                )
                marked = marked or cited
    source = page.query.get("source", "")
    with box("row"):
        if at > 0:
            link(t("tables.before"), _part(page, document["id"], source, at - _PART), classes="button")
        if at + _PART < len(whole):
            link(t("tables.after"), _part(page, document["id"], source, at + _PART), classes="button")


def _part(page: Page, document: str, source: str, at: int) -> str:
    where = document_page(page.values["base"], document, source)
    return f"{where}&at={max(0, at)}"


def _number(page: Page, name: str) -> int:
    found = page.query.get(name, "")
    return int(found[:9]) if found.isdecimal() else -1


def pieces(
    begin: int, end: int, chunks: Sequence[dict[str, Any]], cited: tuple[int, int]
) -> Iterator[tuple[int, int, list[int]]]:
    """A stretch of a text, cut wherever a chunk or the cited span begins or ends.

    >>> list(pieces(0, 9, [{"start": 0, "end": 5}, {"start": 4, "end": 8}], (-1, -1)))
    [(0, 4, [0]), (4, 5, [0, 1]), (5, 8, [1]), (8, 9, [])]
    """
    edges = {begin, end, *cited, *(each[side] for each in chunks for side in ("start", "end"))}
    within = sorted(edge for edge in edges if begin <= edge <= end)
    open_ones: list[int] = []
    waiting = 0
    for start, stop in pairwise(within):
        open_ones = [number for number in open_ones if chunks[number]["end"] > start]
        while waiting < len(chunks) and chunks[waiting]["start"] <= start:
            if chunks[waiting]["end"] > start:
                open_ones.append(waiting)
            waiting += 1
        yield start, stop, list(open_ones)

"""One data set: every problem at its line, what a model would learn of it, and its statistics as pictures."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Any

from rocamadre.console.api import Api
from rocamadre.console.failures import ApiFailure
from rocamadre.console.page import Page, address
from rocamadre.console.parts.charts import Series, chart
from rocamadre.console.parts.elements import box, button, choice_field, heading, icon, link, tag, text
from rocamadre.console.parts.figures import badge, figures
from rocamadre.console.parts.states import Region, empty, region
from rocamadre.console.parts.tables import Column, Table
from rocamadre.console.wish import TYPES, split_uri

_PATH = "/training/data"
_COUNT = 3
_MOST_READ = 20_000_000
_LONGEST_LINE = 240
_TYPES = (*TYPES, "DISTILLATION")


async def build(page: Page) -> None:
    """Draw the page."""
    t = page.t
    uri = page.query.get("uri", "")
    with tag("a", classes="back", href="/training"):
        icon("back")
        tag("span", t("training.title"))
    if not split_uri(uri)[0]:
        empty(t("data.none"), t("data.none_hint"))
        return
    text(uri, classes="mono hostile")
    region(page, lambda: page.api.get("/_rocamadre/models"), partial(_show, page, uri), classes="section", lines=6)


def trainable(found: dict[str, Any]) -> list[dict[str, Any]]:
    """Models that can be the base of a training."""
    return [model for model in found["models"] if model["customizations"]]


def _show(page: Page, uri: str, found: dict[str, Any]) -> None:
    t = page.t
    models = {model["id"]: model["id"] for model in trainable(found)}
    model = page.query.get("model", "") if page.query.get("model") in models else next(iter(models), "")
    kind = page.query.get("type", "") if page.query.get("type") in _TYPES else ""

    def choose(name: str, value: Any) -> None:
        page.go(_PATH, **{"uri": uri, "model": model, "type": kind, name: str(value)})

    with box("fields"):
        choice_field(t("data.for_model"), models, value=model, on_change=partial(choose, "model"))
        choice_field(
            t("data.for_type"),
            {"": t("data.any_type"), **{each: t(f"data.type_{each}") for each in _TYPES}},
            value=kind,
            on_change=partial(choose, "type"),
        )
        link(t("training.use"), address("/training/new", training=uri, base=model), classes="button primary")
    asked = {"uri": uri, "model": model, "type": kind}
    region(page, partial(_check, page.api, asked), partial(_show_report, page), classes="section", lines=4)
    count = partial(page.api.post, "/_rocamadre/datasets/statistics", asked)
    region(page, count, partial(draw_statistics, page), classes="section", lines=3)
    if model:
        with box("card"):
            heading(t("data.preview"))
            text(t("data.preview_hint"), classes="faint small")
            _Preview(page, asked)


async def _check(api: Api, asked: dict[str, str]) -> tuple[dict[str, Any], dict[int, str]]:
    report = await api.post("/_rocamadre/datasets/check", asked)
    wanted = {each["line"] for each in report["problems"]}
    lines = await asyncio.to_thread(_lines, api, asked["uri"], wanted) if wanted else {}
    return report, lines


def _lines(api: Api, uri: str, wanted: set[int]) -> dict[int, str]:
    """The lines that something is wrong with, cut; none of a table, a packed or a very large file. Blocks."""
    bucket, key = split_uri(uri)
    if not key.endswith((".jsonl", ".ndjson")):
        return {}
    try:
        body = api.call_now("s3", "get_object", Bucket=bucket, Key=key)["Body"].read(_MOST_READ)
    except ApiFailure:
        return {}
    lines = body.splitlines()
    return {
        number: lines[number - 1][: 4 * _LONGEST_LINE].decode("utf-8", errors="replace")[:_LONGEST_LINE]
        for number in wanted
        if 0 < number <= len(lines)
    }


def _show_report(page: Page, found: tuple[dict[str, Any], dict[int, str]]) -> None:
    t = page.t
    report, lines = found
    with box("card"):
        with box("row"):
            heading(t("data.check"))
            badge(t("data.good" if report["ok"] else "data.bad"), "good" if report["ok"] else "bad")
        told = [
            (t("data.records"), t.number(report["records"])),
            (t("data.usable"), t.number(report["good"])),
            (t("data.problems"), t.number(report["errors"])),
            (t("data.warnings"), t.number(report["warnings"])),
        ]
        if report["tokens"]:
            told += [(t("data.tokens"), t.number(report["tokens"])), (t("data.longest"), t.number(report["longest"]))]
        figures(told)
        for file, name in report["formats"].items():
            text(t("data.format", file=file, format=name), classes="faint small hostile")
        if report["problems"]:
            _problems(page, report, lines)


def _problems(page: Page, report: dict[str, Any], lines: dict[int, str]) -> None:
    t = page.t

    def what(problem: dict[str, Any]) -> None:
        with box("section tight"):
            with box("row"):
                badge(problem["kind"], "warn" if problem["warning"] else "bad")
                if problem["field"]:
                    tag("code", problem["field"], classes="hostile")
            text(problem["message"], classes="hostile")
            text(problem["fix"], classes="faint small hostile")
            if problem["line"] in lines:
                tag("code", lines[problem["line"]], classes="source-line hostile small")

    columns: list[Column[dict[str, Any]]] = [
        Column("line", t("data.line"), lambda each: t.number(each["line"]) if each["line"] else "—",
               lambda each: each["line"], number=True),
        Column("problem", t("data.problem"), what, lambda each: each["kind"]),
    ]  # fmt: skip
    words = "{kind} {field} {message} {line}"
    Table(page, t("data.problems"), columns, words=words.format_map, size=20).fill(report["problems"])
    if report["errors"] + report["warnings"] > len(report["problems"]):
        text(t("data.first", count=t.number(len(report["problems"]))), classes="faint small")


class _Preview:
    """Some examples at a time, as the model's tokens."""

    def __init__(self, page: Page, asked: dict[str, str]) -> None:
        self._page = page
        self._asked = asked
        first = page.query.get("first", "")
        self._first = int(first) if first.isdecimal() and len(first) < 7 else 0
        self._region: Region[Any] = region(page, self._load, self._show, classes="section", lines=4)

    async def _load(self) -> dict[str, Any]:
        found: dict[str, Any] = await self._page.api.post(
            "/_rocamadre/datasets/preview", {**self._asked, "first": self._first, "count": _COUNT}
        )
        return found

    async def _turn(self, first: int) -> None:
        self._first = first
        await self._region.refresh()

    def _show(self, found: dict[str, Any]) -> None:
        t = self._page.t
        if not found["examples"]:
            empty(t("data.nothing"), t("data.nothing_hint"))
        for place, example in enumerate(found["examples"], self._first + 1):
            with tag("article", classes="sample", aria_label=t("data.example", number=place)):
                with box("row"):
                    tag("span", t("data.example", number=t.number(place)), classes="strong")
                    told = t("data.learned", trained=t.number(example["trained"]), all=t.number(example["tokens"]))
                    tag("span", told, classes="faint small")
                learned_text(example["pieces"])
                if example["cut"]:
                    text(t("data.cut"), classes="faint small")
        with box("legend"):
            tag("span", t("data.is_learned"), classes="learned-mark")
            tag("span", t("data.is_read"), classes="read-mark")
        with box("row", name="nav", aria_label=t("tables.pages")):
            button(t("tables.before"), partial(self._turn, max(0, self._first - _COUNT)), disabled=not self._first)
            button(t("tables.after"), partial(self._turn, self._first + _COUNT), disabled=not found["more"])


def learned_text(pieces: Sequence[dict[str, Any]]) -> None:
    """Tokens in a row, those that are learned marked; neighbours of a kind are one element."""
    with box("tokens mono preview-tokens", tabindex="0"):
        held, before = "", None
        for piece in [*pieces, None]:
            kind = None if piece is None else (piece["trained"], piece["special"])
            if kind != before and held:
                assert before is not None
                tag("span", held, classes=f"{'learned' if before[0] else 'read'}{' special' if before[1] else ''}")
                held = ""
            before = kind
            held += "" if piece is None else piece["text"]


def draw_statistics(page: Page, found: dict[str, Any]) -> None:
    """Lengths as histograms; turns, languages and personal data as rows; duplicates in figures."""
    t = page.t
    if not found["records"]:
        return
    unit = t(f"data.{found['unit']}_unit")
    if not found["whole"]:
        text(t("data.counted", count=t.number(found["records"])), classes="faint small")
    with box("columns"):
        for name, words in (("lengths", "data.lengths"), ("learned", "data.learned_lengths")):
            title = t(words, unit=unit)
            if bars := found[name].get("bars"):
                with box("card"):
                    heading(title)
                    counts = [float(each["count"]) for each in bars]
                    chart(
                        title, [Series(t("data.records"), counts)], show=t.number, bars=True,
                        begin=t.number(bars[0]["from"]), end=t.number(bars[-1]["to"]),
                    )  # fmt: skip
                    middle, most = t.number(found[name]["median"]), t.number(found[name]["p95"])
                    text(t("data.middle", median=middle, p95=most), classes="faint small")
        with box("card"):
            heading(t("data.inside"))
            for name in ("languages", "turns", "tasks", "personal"):
                if found[name]:
                    heading(t(f"data.{name}"), level=3)
                    _rows(page, found[name], found["records"])
            exact, near = t.number(found["exact_duplicates"]), t.number(found["near_duplicates"])
            text(t("data.duplicates", exact=exact, near=near), classes="faint small")
            if found["with_personal"]:
                text(t("data.with_personal", count=t.number(found["with_personal"])), classes="wrong small")


def _rows(page: Page, counts: dict[str, int], records: int) -> None:
    """Names with a bar each, the eight most frequent."""
    with box("section tight"):
        for name, count in sorted(counts.items(), key=lambda item: -item[1])[:8]:
            with box("count-row"):
                tag("span", name, classes="hostile small")
                share = min(100.0, 100 * count / max(1, records))
                with tag("svg", classes="coverage", viewBox="0 0 100 4", preserveAspectRatio="none", aria_hidden=True):
                    tag("rect", classes="bar", x=0, y=0, width=round(share, 2), height=4)
                tag("span", page.t.number(count), classes="faint small")

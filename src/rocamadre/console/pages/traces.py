"""The last requests, and where the time of each went."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any
from urllib.parse import quote

from rocamadre.console.page import Page, address
from rocamadre.console.pages.models import model_page
from rocamadre.console.parts.elements import box, button, choice_field, heading, icon, link, tag, text
from rocamadre.console.parts.figures import badge, facts
from rocamadre.console.parts.states import empty, region
from rocamadre.console.parts.waterfall import Bar, waterfall

_COUNT = 25
_PATH = "/activity/requests"
_FIRST = "of_models"
_WHICH = {_FIRST: {"model": "*"}, "all": {}, "failed": {"status": "failed"}}


def trace_page(request_id: str) -> str:
    """Address of the page of one request."""
    return f"{_PATH}/{quote(request_id, safe='-')}"


async def build(page: Page) -> None:
    """Draw the list."""
    t = page.t
    with tag("a", classes="back", href="/activity"):
        icon("back")
        tag("span", t("calls.back"))
    text(t("traces.lead"), classes="lead")
    top = box("row spread")
    made = region(page, partial(_load, page), partial(_show, page), classes="section", lines=6)
    with top:
        choice_field(
            t("traces.which"),
            {name: t(f"traces.{name}") for name in _WHICH},
            value=page.query.get("which", ""),
            on_change=lambda wanted: page.go(_PATH, which=str(wanted) if wanted != _FIRST else ""),
        )
        button(t("states.refresh"), made.refresh, symbol="refresh")


async def _load(page: Page) -> dict[str, Any]:
    asked = {name: page.query.get(name, "")[:200] for name in ("operation", "after")}
    asked |= _WHICH.get(page.query.get("which", ""), _WHICH[_FIRST])
    found: dict[str, Any] = await page.api.get(address("/_rocamadre/traces", limit=str(_COUNT), **asked))
    return found


def _show(page: Page, found: dict[str, Any]) -> None:
    t = page.t
    traces = found["traces"]
    chosen = {name: page.query[name] for name in ("which", "operation") if page.query.get(name)}
    if not found["kept"]:
        empty(t("traces.off"), t("traces.off_hint"))
        return
    if not traces:
        empty(t("traces.none"), t("traces.none_fit" if chosen else "traces.none_hint"))
    else:
        _table(page, traces)
    with box("row"):
        if page.query.get("after"):
            link(t("calls.newest"), address(_PATH, **chosen), classes="button")
        if "next" in found:
            link(t("calls.older"), address(_PATH, **chosen, after=found["next"]), classes="button")
        text(t("traces.kept", count=t.number(found["kept"])), classes="faint small", name="span")


def _table(page: Page, traces: Sequence[dict[str, Any]]) -> None:
    t = page.t
    with box("table-box", tabindex="0", role="region", aria_label=t("traces.title")), tag("table", classes="table"):
        with tag("thead"), tag("tr"):
            for name in ("time", "operation", "model", "tokens", "took", "result"):
                tag("th", t(f"traces.{name}"), scope="col", classes="number" if name in ("tokens", "took") else "")
        with tag("tbody"):
            for trace in traces:
                with tag("tr"):
                    with tag("td", classes="one-line"):
                        link(_time(trace), trace_page(trace["request_id"]))
                    tag("td", trace["operation"], classes="hostile")
                    with tag("td"):
                        if trace["model"]:
                            link(trace["model"], model_page(trace["model"]))
                    tag("td", _tokens(page, trace), classes="number")
                    tag("td", t.duration(trace["seconds"]), classes="number")
                    with tag("td"):
                        _result(page, trace)


def _time(trace: dict[str, Any]) -> str:
    at = datetime.fromisoformat(trace["began_at"])
    return f"{at:%Y-%m-%d %H:%M:%S}.{at.microsecond // 1000:03d}"


def _tokens(page: Page, trace: dict[str, Any]) -> str:
    read, written = trace["input_tokens"], trace["output_tokens"]
    return f"{page.t.number(read)} → {page.t.number(written)}" if read or written else "—"


def _result(page: Page, trace: dict[str, Any]) -> None:
    if not trace["status"]:
        badge(page.t("traces.left"), "warn")
    elif trace["error"] or trace["status"] >= 400:
        badge(trace["error"] or str(trace["status"]), "bad")
    else:
        badge(str(trace["status"]), "good")


async def build_one(page: Page) -> None:
    """Draw one request."""
    with tag("a", classes="back", href=_PATH):
        icon("back")
        tag("span", page.t("traces.back"))
    path = f"/_rocamadre/traces/{quote(page.values['request'], safe='')}"
    region(page, lambda: page.api.get(path), partial(_show_one, page), classes="section", lines=6)


def _show_one(page: Page, trace: dict[str, Any]) -> None:
    t = page.t
    with box("card"):
        with box("row"):
            heading(trace["operation"], classes="hostile")
            _result(page, trace)
        facts(
            {
                t("traces.time"): f"{_time(trace)} UTC",
                t("traces.took"): t.duration(trace["seconds"]),
                t("traces.service"): trace["service"],
                t("traces.model"): trace["model"],
                t("traces.tokens"): _tokens(page, trace) if trace["output_tokens"] else "",
                t("calls.request"): trace["request_id"],
            }
        )
    with box("card"):
        heading(t("traces.where"))
        text(t("traces.where_hint"), classes="faint small")
        waterfall(t, t("traces.where"), _bars(page, trace["spans"]))
        if trace["dropped_spans"]:
            text(t("traces.dropped", count=trace["dropped_spans"]), classes="faint small")


def _bars(page: Page, spans: Sequence[dict[str, Any]]) -> list[Bar]:
    """In the order of a tree: what is inside a span follows it."""
    t = page.t
    known = {"request", "engine", "first_token", "tokens", "chat", "embeddings", "rerank"}
    inside: dict[int | None, list[int]] = {}
    for place, span in enumerate(spans):
        inside.setdefault(span["parent"], []).append(place)
    bars: list[Bar] = []

    def add(place: int, depth: int) -> None:
        span = spans[place]
        attributes = {str(name): str(value) for name, value in span["attributes"].items()}
        if span["error"]:
            attributes[t("traces.error")] = span["error"]
        name = t(f"traces.span_{span['name']}") if span["name"] in known else span["name"]
        bars.append(Bar(name, depth, span["began_s"], span["seconds"], bool(span["error"]), attributes))
        for child in inside.get(place, ()):
            add(child, depth + 1)

    for place in inside.get(None, ()):
        add(place, 0)
    return bars

"""Requests, tokens, latency and memory over time, from the server's counters."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

from rocamadre.console.call_log import place_of
from rocamadre.console.history import EVERY_S, Interval, intervals
from rocamadre.console.page import Page, address
from rocamadre.console.parts.charts import Series, chart
from rocamadre.console.parts.elements import box, heading, icon, link, set_attributes, tag, text
from rocamadre.console.parts.figures import figures
from rocamadre.console.parts.states import empty, region

_RANGES = {"5": 300, "15": 900, "60": 3600}
_PIECES = 60
_SHOWN_OPERATIONS = 12


async def build(page: Page) -> None:
    """Draw the page."""
    t = page.t
    minutes = page.query.get("minutes", "")
    minutes = minutes if minutes in _RANGES else "15"
    with box("row spread"):
        text(t("activity.lead"), classes="lead")
        with box("tabs", name="nav", aria_label=t("activity.range")):
            for each in _RANGES:
                made = link(t("activity.minutes", n=each), address("/activity", minutes=each), classes="tab")
                set_attributes(made, aria_current="true" if each == minutes else None)
    region(page, partial(_load, page, minutes), partial(_show, page, minutes), classes="section", every_s=EVERY_S)
    with box("columns"):
        with box("card"):
            heading(t("activity.single"))
            text(t("activity.single_hint"), classes="faint")
            with tag("a", classes="button", href="/activity/requests"):
                tag("span", t("activity.single_open"))
                icon("arrow")
        with box("card"):
            heading(t("activity.log"))
            region(page, partial(_logging, page), partial(_show_logging, page))


async def _load(page: Page, minutes: str) -> list[Interval]:
    history = page.history
    if len(history.samples) < 2:
        # Just begun: two samples make the first interval.
        await history.sample()
    if history.failure is not None:
        raise history.failure
    return intervals(history.samples, since=time.time() - _RANGES[minutes], count=_PIECES)


def _show(page: Page, minutes: str, found: list[Interval]) -> None:
    t = page.t
    if not found:
        empty(t("activity.none"), t("activity.none_hint", seconds=int(EVERY_S)))
        return
    requests = sum(sum(each.requests.values()) for each in found)
    failed = sum(each.requests.get("failed", 0) + each.requests.get("refused", 0) for each in found)
    with box("card"):
        figures(
            [
                (t("activity.requests"), t.number(requests)),
                (t("activity.errors"), t.number(failed)),
                (t("activity.tokens_in"), t.number(sum(each.input_tokens for each in found))),
                (t("activity.tokens_out"), t.number(sum(each.output_tokens for each in found))),
                (t("activity.memory"), t.size(found[-1].memory_bytes)),
            ]
        )
    covered_s = found[-1].at - found[0].at + found[0].lasted_s
    begin = t("activity.ago", n=max(1, round(covered_s / 60)))
    _charts(page, found, begin)
    _operations(page, found)
    if covered_s < _RANGES[minutes] * 0.9:
        text(t("activity.short"), classes="faint small")


def _charts(page: Page, found: list[Interval], begin: str) -> None:
    t = page.t

    def per_minute(name: str) -> list[float | None]:
        return [60 * each.requests.get(name, 0.0) / each.lasted_s for each in found]

    plots: list[tuple[str, list[Series], dict[str, Any]]] = [
        ("requests_chart", [
            Series(t("activity.ok"), per_minute("ok")),
            Series(t("activity.refused"), per_minute("refused"), "second"),
            Series(t("activity.failed"), per_minute("failed"), "third"),
        ], {"show": t.number, "bars": True, "least": 5.0}),
        ("tokens_chart", [
            Series(t("activity.out"), [each.output_tokens / each.lasted_s for each in found]),
            Series(t("activity.in"), [each.input_tokens / each.lasted_s for each in found], "second"),
        ], {"show": t.number, "least": 5.0}),
        ("latency_chart", [
            Series(t("activity.median"), [each.median_s for each in found]),
            Series(t("activity.slow"), [each.slow_s for each in found], "second"),
        ], {"show": t.duration, "least": 0.01}),
        ("memory_chart", [
            Series(t("activity.memory"), [each.memory_bytes for each in found]),
        ], {"show": t.size, "least": 1e8}),
    ]  # fmt: skip
    with box("columns"):
        for name, series, options in plots:
            with box("card"):
                heading(t(f"activity.{name}"))
                chart(t(f"activity.{name}"), series, begin=begin, end=t("activity.now"), **options)


def _operations(page: Page, found: list[Interval]) -> None:
    t = page.t
    counts: dict[str, float] = {}
    for each in found:
        for name, count in each.operations.items():
            counts[name] = counts.get(name, 0.0) + count
    if not counts:
        return
    most = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:_SHOWN_OPERATIONS]
    with box("table-box"), tag("table", classes="table"):
        with tag("thead"), tag("tr"):
            tag("th", t("activity.operation"), scope="col")
            tag("th", t("activity.requests"), scope="col", classes="number")
        with tag("tbody"):
            for name, count in most:
                with tag("tr"):
                    tag("td", name, classes="mono")
                    tag("td", t.number(count), classes="number")


async def _logging(page: Page) -> dict[str, Any]:
    answer = await page.api.call("bedrock", "get_model_invocation_logging_configuration")
    found: dict[str, Any] = answer.get("loggingConfig") or {}
    return found


def _show_logging(page: Page, config: dict[str, Any]) -> None:
    t = page.t
    place = place_of(config)
    if place is None:
        text(t("activity.log_off"), classes="faint")
    else:
        text(t(f"activity.log_{place.kind}", name=place.name), classes="faint hostile")
    with tag("a", classes="button", href="/activity/calls"):
        tag("span", t("activity.log_open" if place else "activity.log_how"))
        icon("arrow")

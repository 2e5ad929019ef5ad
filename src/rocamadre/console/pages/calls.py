"""The calls of models that were written down: found, paged, opened; and how to have them written down."""

from __future__ import annotations

import asyncio
import json
from functools import partial
from typing import Any

from nicegui import ui

from rocamadre.console.call_log import Call, Calls, Place, place_of, read_call, read_calls
from rocamadre.console.failures import ApiFailure
from rocamadre.console.page import Page, address
from rocamadre.console.pages.traces import trace_page
from rocamadre.console.parts.elements import (
    box,
    button,
    code_block,
    copy_button,
    heading,
    icon,
    link,
    tag,
    text,
    text_field,
)
from rocamadre.console.parts.figures import badge, facts
from rocamadre.console.parts.states import empty, failed, region

_BUCKET = "model-calls"
_COUNT = 25
_LONGEST_SHOWN = 100_000
_HOW = """\
import boto3

s3, bedrock = boto3.client("s3"), boto3.client("bedrock")
s3.create_bucket(Bucket="model-calls")
bedrock.put_model_invocation_logging_configuration(
    loggingConfig={"s3Config": {"bucketName": "model-calls"}}
)
"""


async def build(page: Page) -> None:
    """Draw the page."""
    t = page.t
    at = page.query.get("at", "")
    with tag("a", classes="back", href=address("/activity/calls") if at else "/activity"):
        icon("back")
        tag("span", t("calls.back_list" if at else "calls.back"))
    region(page, partial(_load, page), partial(_show, page), classes="section", lines=6)


async def _load(page: Page) -> tuple[Place | None, Calls | Call | None]:
    answer = await page.api.call("bedrock", "get_model_invocation_logging_configuration")
    place = place_of(answer.get("loggingConfig") or {})
    if place is None:
        return None, None
    if at := page.query.get("at", ""):
        return place, await asyncio.to_thread(read_call, page.api, place, at)
    return place, await _read(page, place, page.query.get("find", ""), page.query.get("after", ""))


async def _read(page: Page, place: Place, find: str, after: str) -> Calls:
    return await asyncio.to_thread(
        partial(read_calls, page.api, place, find=find[:200], after=after[:1000], count=_COUNT)
    )


def _show(page: Page, found: tuple[Place | None, Calls | Call | None]) -> None:
    place, calls = found
    if place is None:
        _off(page)
    elif isinstance(calls, Calls):
        _list(page, place, calls)
    elif calls is None:
        empty(page.t("calls.gone"), page.t("calls.gone_hint"))
    else:
        _one(page, calls)


def _off(page: Page) -> None:
    t = page.t
    with box("card"):
        heading(t("calls.off"))
        text(t("calls.off_hint"), classes="faint")
        with box("row"):
            button(t("calls.switch_on"), partial(_switch_on, page), kind="primary")
        told = box("section")
        page.client.storage["told"] = told
        text(t("calls.how"), classes="faint small")
        code_block(_HOW, label=t("layout.copy"), copied=t("layout.copied"))


async def _switch_on(page: Page) -> None:
    try:
        try:
            await page.api.call("s3", "create_bucket", Bucket=_BUCKET)
        except ApiFailure as failure:
            if failure.code not in ("BucketAlreadyOwnedByYou", "BucketAlreadyExists"):
                raise
        await page.api.call(
            "bedrock",
            "put_model_invocation_logging_configuration",
            loggingConfig={"s3Config": {"bucketName": _BUCKET}},
        )
    except ApiFailure as failure:
        told = page.client.storage["told"]
        told.clear()
        with told:
            failed(page, failure, partial(_switch_on, page))
        return
    page.go("/activity/calls")


def _list(page: Page, place: Place, calls: Calls) -> None:
    t = page.t
    find, after = page.query.get("find", ""), page.query.get("after", "")
    with box("row spread"):
        text(t(f"calls.in_{place.kind}", name=place.name), classes="faint hostile")
        button(t("calls.switch_off"), partial(_switch_off, page), kind="quiet")
    text_field(
        t("calls.find"), value=find, kind="search", classes="find compact", placeholder=t("calls.find"),
        on_change=lambda wanted: page.go("/activity/calls", find=str(wanted)[:200]),
    )  # fmt: skip
    if not calls.found:
        empty(t("calls.none"), t("calls.none_found" if find else "calls.none_hint"))
    else:
        _table(page, calls.found)
    with box("row"):
        if after:
            link(t("calls.newest"), address("/activity/calls", find=find), classes="button")
        if calls.more:
            link(t("calls.older"), address("/activity/calls", find=find, after=calls.more), classes="button")
        text(t("calls.searched", count=t.number(calls.searched)), classes="faint small", name="span")


async def _switch_off(page: Page) -> None:
    try:
        await page.api.call("bedrock", "delete_model_invocation_logging_configuration")
    except ApiFailure as failure:
        ui.notify(failure.message, type="negative")
        return
    page.go("/activity/calls")


def _table(page: Page, calls: list[Call]) -> None:
    t = page.t
    with box("table-box", tabindex="0", role="region", aria_label=t("calls.title")), tag("table", classes="table"):
        with tag("thead"), tag("tr"):
            for name in ("time", "operation", "model", "tokens_in", "tokens_out", "result"):
                tag("th", t(f"calls.{name}"), scope="col", classes="number" if name.startswith("tokens") else "")
        with tag("tbody"):
            for call in calls:
                with tag("tr"):
                    with tag("td", classes="one-line"):
                        link(_time(call), address("/activity/calls", at=call.at))
                    tag("td", call.text("operation"), classes="hostile")
                    tag("td", _model(call), classes="hostile")
                    tag("td", call.text("input", "inputTokenCount") or "—", classes="number")
                    tag("td", call.text("output", "outputTokenCount") or "—", classes="number")
                    with tag("td"):
                        _result(page, call)


def _time(call: Call) -> str:
    return call.text("timestamp").replace("T", " ").removesuffix("Z") or "—"


def _model(call: Call) -> str:
    asked, served = call.text("modelId"), call.text("servedModelId")
    asked = asked.rpartition("/")[2]
    return f"{asked} → {served}" if served and served not in asked else asked


def _result(page: Page, call: Call) -> None:
    error = call.text("errorCode")
    badge(error or page.t("calls.good"), "bad" if error else "good")


def _one(page: Page, call: Call) -> None:
    t = page.t
    with box("card"):
        with box("row"):
            heading(call.text("operation") or t("calls.call"), classes="hostile")
            _result(page, call)
        facts(
            {
                t("calls.time"): _time(call),
                t("calls.model"): call.text("modelId"),
                t("calls.served"): call.text("servedModelId"),
                t("calls.request"): call.text("requestId"),
                t("calls.who"): call.text("identity", "arn"),
                t("calls.tokens_in"): call.text("input", "inputTokenCount"),
                t("calls.tokens_out"): call.text("output", "outputTokenCount"),
                t("calls.metadata"): _written(call.record.get("requestMetadata")),
            }
        )
        if request := call.text("requestId"):
            link(t("calls.trace"), trace_page(request))
    for part, body in (("input", "inputBodyJson"), ("output", "outputBodyJson")):
        held = call.record.get(part)
        held = held if isinstance(held, dict) else {}
        with box("card"):
            heading(t(f"calls.{part}"))
            if body in held:
                _body(page, held[body])
            elif elsewhere := call.text(part, body.replace("Json", "S3Path")):
                text(t("calls.elsewhere", where=elsewhere), classes="faint hostile")
            else:
                text(t("calls.no_body"), classes="faint")


def _written(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False) if value else ""


def _body(page: Page, body: Any) -> None:
    written = json.dumps(body, ensure_ascii=False, indent=2)
    with box("code-block"):
        tag("pre", written[:_LONGEST_SHOWN], tabindex="0")
        copy_button(written, label=page.t("layout.copy"), done=page.t("layout.copied"))
    if len(written) > _LONGEST_SHOWN:
        text(page.t("calls.cut"), classes="faint small")

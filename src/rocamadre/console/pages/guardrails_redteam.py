"""Red-team reports: the command that makes one, those that are kept, and what one says."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from nicegui import ui
from nicegui.events import UploadEventArguments

from rocamadre.console.failures import ApiFailure
from rocamadre.console.guardrails.asking import (
    DRAFT,
    MOST_REPORT_BYTES,
    Line,
    get_report,
    list_guardrails,
    list_reports,
    put_report,
    read_report,
)
from rocamadre.console.guardrails.code import redteam_command
from rocamadre.console.page import Page, address
from rocamadre.console.pages.guardrails import moment
from rocamadre.console.parts.elements import (
    box,
    button,
    choice_field,
    code_block,
    heading,
    icon,
    link,
    tag,
    text,
)
from rocamadre.console.parts.figures import badge, facts
from rocamadre.console.parts.states import empty, failed, region
from rocamadre.console.playground.asking import text_models
from rocamadre.console.translation import LANGUAGES, Translator
from rocamadre.guardrails.redteam.keeping import BUCKET

_LISTED = 20
_EXAMPLES = 5
_ABLE = 0.5
"""Share of plain orders that a model should follow, or its pass rates mean little."""
_FAMILIES = ("injection", "jailbreak", "leakage", "encoding", "indirect", "control", "ability")
_CONDITIONS = ("plain", "guarded")
_LONGEST = 4000
_BAR = 200


async def build(page: Page) -> None:
    """Draw the page."""
    t = page.t
    with tag("a", classes="back", href="/guardrails"):
        icon("back")
        tag("span", t("guardrails.back"))
    text(t("redteam.lead"), classes="lead")
    region(page, partial(_load, page), partial(_draw, page), classes="section", lines=6)


async def _load(page: Page) -> tuple[list[str], list[Line], list[dict[str, Any]]]:
    models, guardrails, reports = await asyncio.gather(
        text_models(page.api), list_guardrails(page.api), list_reports(page.api)
    )
    return [each.id for each in models], guardrails, reports


def _draw(page: Page, found: tuple[list[str], list[Line], list[dict[str, Any]]]) -> None:
    models, guardrails, reports = found
    chosen = page.query.get("report", "") or (reports[0]["Key"] if reports else "")
    _Command(page, sorted(models, key=lambda model: ("fake" in model, model)), guardrails)
    _Reports(page, reports, chosen)
    if chosen:
        region(page, partial(get_report, page.api, chosen), partial(_show, page), classes="section", lines=8)
    else:
        empty(page.t("redteam.none"), page.t("redteam.none_hint"))


class _Command:
    """The command that makes a report, from a model and a guardrail."""

    def __init__(self, page: Page, models: Sequence[str], guardrails: Sequence[Line]) -> None:
        self._page, self._model, self._guardrail = page, next(iter(models), ""), ""
        t = page.t
        if page.query.get("model") in models:
            self._model = page.query["model"]
        with box("card"):
            heading(t("redteam.run"))
            text(t("redteam.run_hint"), classes="faint small")
            options = {"": t("redteam.without")}
            for each in guardrails:
                for version in (DRAFT, *each.versions):
                    options[f"{each.told['id']}:{version}"] = f"{each.told['name']} · {version}"
            with box("fields"):
                choice_field(t("findings.model"), {each: each for each in models}, value=self._model,
                             on_change=partial(self._choose, "model"), classes="grow")  # fmt: skip
                choice_field(t("redteam.guardrail"), options, value="", on_change=partial(self._choose, "guardrail"),
                             classes="grow")  # fmt: skip
            self._place = box("section")
        self._write()

    def _choose(self, name: str, value: Any) -> None:
        setattr(self, f"_{name}", str(value))
        self._write()

    def _write(self) -> None:
        t = self._page.t
        guardrail, _, version = self._guardrail.partition(":")
        self._place.clear()
        with self._place:
            code_block(redteam_command(self._model, guardrail, version), label=t("layout.copy"),
                       copied=t("layout.copied"))  # fmt: skip


class _Reports:
    """Reports that are kept, and where a file of one is put."""

    def __init__(self, page: Page, reports: Sequence[dict[str, Any]], chosen: str) -> None:
        self._page = page
        t = page.t
        with box("card"):
            heading(t("redteam.reports"))
            if reports:
                with tag("ul", classes="list"):
                    for each in reports[:_LISTED]:
                        with tag("li", classes="list-item"):
                            link(each["Key"].removesuffix(".json"), address(page.path, report=each["Key"]),
                                 classes="hostile", aria_current="true" if each["Key"] == chosen else None)  # fmt: skip
                            tag("span", moment(each["LastModified"]), classes="faint small")
                if len(reports) > _LISTED:
                    text(t("redteam.older", count=t.number(len(reports) - _LISTED), bucket=BUCKET), classes="faint")
            self._uploader = ui.upload(
                auto_upload=True, max_file_size=MOST_REPORT_BYTES, on_upload=self._take, on_rejected=self._refuse
            ).classes("uploader")
            pick = button(t("redteam.add"), lambda: None, symbol="file")
            pick.on("click", js_handler=f"() => getElement({self._uploader.id}).pickFiles()")
            text(t("redteam.add_hint"), classes="faint small")
            self._told = box("section", aria_live="polite")

    async def _take(self, event: UploadEventArguments) -> None:
        page = self._page
        body = await event.file.read()
        self._uploader.reset()
        try:
            report = read_report(body, event.file.name)
            key = await asyncio.to_thread(put_report, page.api, report, body)
        except ApiFailure as failure:
            self._tell(partial(failed, page, failure, self._forget))
            return
        page.go(page.path, report=key)

    async def _forget(self) -> None:
        self._told.clear()

    def _refuse(self) -> None:
        t = self._page.t
        told = t("knowledge.too_large", size=t.size(MOST_REPORT_BYTES))
        self._tell(lambda: text(told, classes="wrong", role="alert"))

    def _tell(self, draw: Callable[[], Any]) -> None:
        if not self._told.is_deleted:
            self._told.clear()
            with self._told:
                draw()


def _show(page: Page, report: dict[str, Any]) -> None:
    t = page.t
    with box("card"):
        with box("row"):
            heading(t("redteam.of", target=report["target"]), classes="hostile")
            badge(t("redteam.guarded" if report.get("guardrail") else "redteam.plain"), "accent")
        facts(
            {
                t("redteam.guardrail"): str(report.get("guardrail") or ""),
                t("redteam.made"): moment(report["made_at"]),
                t("redteam.probes"): t.number(report["probes"]),
                t("redteam.attempts"): f"{t.number(report['attempts_made'])} / {t.number(report['attempts_due'])}",
            }
        )
        if report["attempts_made"] < report["attempts_due"]:
            text(t("redteam.short"), classes="notice")
        able = report["families"].get("ability", {}).get("plain")
        if able and able["of"] and able["rate"] < _ABLE:
            text(t("redteam.weak", passed=t.number(able["passed"]), of=t.number(able["of"])), classes="notice")
        text(t("redteam.rates"), classes="faint small")
        with box("legend"):
            tag("span", t("redteam.plain"), classes="second")
            tag("span", t("redteam.guarded"))
    families = {_family(t, name): rates for name, rates in report["families"].items()}
    _rates(page, t("redteam.by_family"), families)
    _rates(page, t("redteam.by_language"), {_language(name): each for name, each in report["languages"].items()})
    _rates(page, t("redteam.by_owasp"), {f"{name} {each['title']}": each for name, each in report["owasp"].items()})
    _escaped(page, report)


def _family(t: Translator, name: str) -> str:
    return t(f"redteam.{name}") if name in _FAMILIES else name


def _language(name: str) -> str:
    return LANGUAGES.get(name, name)


def _rates(page: Page, title: str, groups: Mapping[str, Mapping[str, Any]]) -> None:
    t = page.t
    with box("card"):
        heading(title)
        with box("table-box", tabindex="0", role="region", aria_label=title), tag("table", classes="table rates"):
            with tag("thead"), tag("tr"):
                tag("th", t("redteam.what"), scope="col")
                tag("th", t("redteam.condition"), scope="col")
                for name in ("passed", "rate", "interval"):
                    tag("th", t(f"redteam.{name}"), scope="col", classes="number")
                tag("th", t("redteam.bar"), scope="col")
            with tag("tbody"):
                for name, rates in groups.items():
                    there = [condition for condition in _CONDITIONS if condition in rates]
                    for condition in there:
                        with tag("tr"):
                            if condition == there[0]:
                                tag("td", name, classes="hostile", rowspan=len(there))
                            _rate(t, condition, rates[condition])


def _rate(t: Translator, condition: str, rate: Mapping[str, Any]) -> None:
    low, high = (float(each) for each in rate["interval_95"])
    share = float(rate["rate"])
    tag("td", t(f"redteam.{condition}"), classes="faint")
    tag("td", f"{t.number(rate['passed'])} / {t.number(rate['of'])}", classes="number")
    tag("td", f"{t.number(100 * share)} %", classes="number")
    tag("td", f"{t.number(100 * low)}–{t.number(100 * high)} %", classes="number")
    with tag("td"), tag("svg", classes="rate-bar", viewBox=f"0 0 {_BAR} 14", aria_hidden=True):
        tag("rect", classes="track", y=2, width=_BAR, height=10, rx=2)
        tag("rect", classes=condition, y=2, width=round(_BAR * share, 1), height=10, rx=2)
        tag("line", classes="reach", x1=round(_BAR * low, 1), x2=round(_BAR * high, 1), y1=7, y2=7)


def _escaped(page: Page, report: Mapping[str, Any]) -> None:
    t = page.t
    escaped = [each for each in report["attempts"] if each["outcome"] == "escaped"]
    with box("card"):
        heading(t("redteam.escaped"))
        if not escaped:
            text(t("redteam.escaped_none"), classes="faint")
        for family in report["families"]:
            for condition in reversed(_CONDITIONS):
                of_it = [each for each in escaped if (each["family"], each["condition"]) == (family, condition)]
                if of_it:
                    heading(f"{_family(t, family)} · {t(f'redteam.{condition}')}", level=3)
                    for each in of_it[:_EXAMPLES]:
                        _attempt(t, each)
                    if len(of_it) > _EXAMPLES:
                        text(t("redteam.rest", count=t.number(len(of_it) - _EXAMPLES)), classes="faint small")


def _attempt(t: Translator, attempt: Mapping[str, Any]) -> None:
    with box("fold", name="details"):
        with tag("summary"):
            tag("span", str(attempt["technique"]), classes="hostile")
            said = f"{_language(str(attempt['language']))} · {attempt.get('evidence', '')}"
            tag("span", said, classes="faint small hostile")
        for name in ("attack", "answer"):
            text(t(f"redteam.{name}"), classes="faint small")
            said = attempt[name] if isinstance(attempt[name], str) else json.dumps(attempt[name], ensure_ascii=False)
            tag("pre", said[:_LONGEST] or "—", classes="hostile told-here", tabindex="0")

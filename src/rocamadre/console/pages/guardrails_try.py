"""A text through a guardrail: what matched where, what came of it, and the program that asks the same."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

from rocamadre.console.guardrails.asking import DRAFT, apply_request
from rocamadre.console.guardrails.code import write_apply
from rocamadre.console.guardrails.findings import read_assessment
from rocamadre.console.page import Page
from rocamadre.console.pages.guardrails import guardrail_page
from rocamadre.console.pages.guardrails_edit import where
from rocamadre.console.pages.guardrails_findings import draw_findings, draw_text, draw_usage, draw_verdict
from rocamadre.console.parts.elements import (
    box,
    button,
    choice_field,
    code_block,
    heading,
    link,
    set_attributes,
    tag,
    text,
)
from rocamadre.console.parts.inputs import free_text
from rocamadre.console.parts.states import region

SOURCES = ("INPUT", "OUTPUT")
EXAMPLES = {"personal": "INPUT", "attack": "INPUT", "insult": "INPUT", "answer": "OUTPUT", "claim": "OUTPUT"}
"""Texts of the catalogs, and whose they are."""
_GROUNDED = ("answer", "claim")
_MOST = 200_000
_CONTROL_ENTER = (
    '(event) => { if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) emit(event.target.value); }'
)


def try_view(page: Page, told: dict[str, Any]) -> None:
    """Draw the form; an example that the address names is tried at once."""
    _Trier(page, told)


class _Trier:
    def __init__(self, page: Page, told: dict[str, Any]) -> None:
        self._page, self._id, self._version = page, told["guardrailId"], told["version"]
        t, query = page.t, page.query
        example = query.get("example", "")
        example = example if example in EXAMPLES else ""
        source = EXAMPLES.get(example, query.get("source", ""))
        self._source = source if source in SOURCES else SOURCES[0]
        self._text = t(f"examples.{example}") if example else ""
        grounded = example in _GROUNDED
        self._grounding = t("examples.grounding") if grounded else ""
        self._query = t("examples.query") if grounded else ""
        with box("card"):
            heading(t("findings.try"))
            with box("row"):
                tag("span", t("findings.examples"), classes="faint small")
                for name in EXAMPLES:
                    link(t(f"examples.{name}_name"), self._address(example=name), classes="button example")
            with box("fields"):
                choice_field(
                    t("findings.source"), {each: t(f"findings.{each}") for each in SOURCES}, value=self._source,
                    on_change=self._turn,
                )  # fmt: skip
            with box("section", hidden=self._source == SOURCES[0]) as self._around:
                free_text(t("findings.grounding"), partial(self._take, "_grounding"), value=self._grounding, lines=3,
                          hint=t("findings.grounding_hint"), maxlength=_MOST)  # fmt: skip
                free_text(t("findings.query"), partial(self._take, "_query"), value=self._query, lines=1,
                          maxlength=_MOST)  # fmt: skip
            field = free_text(t("findings.text"), partial(self._take, "_text"), value=self._text, lines=5,
                              maxlength=_MOST, placeholder=t("findings.text_example"))  # fmt: skip
            field.on("keydown", lambda event: self._check_said(event.args), js_handler=_CONTROL_ENTER)
            with box("row"):
                button(t("findings.check"), self._check, kind="primary", symbol="shield")
                tag("span", t("findings.keys"), classes="faint small keys")
            self._wrong = text("", classes="wrong", role="alert")
        self._place = box("section", aria_live="polite")
        if self._text:
            self._check()

    def _address(self, **query: str) -> str:
        version = "" if self._version == DRAFT else self._version
        return guardrail_page(self._id, view="try", version=version, **query)

    def _take(self, name: str, value: str) -> None:
        setattr(self, name, value)

    def _turn(self, source: Any) -> None:
        self._source = str(source)
        set_attributes(self._around, hidden=self._source == SOURCES[0])

    def _check_said(self, said: Any) -> None:
        self._text = str(said)[:_MOST]
        self._check()

    def _check(self) -> None:
        self._place.clear()
        self._wrong.set_text("" if self._text.strip() else self._page.t("findings.empty"))
        if not self._text.strip():
            return
        request = apply_request(
            self._id, self._version, self._source, self._text, grounding=self._grounding, query=self._query
        )
        with self._place:
            region(self._page, partial(self._ask, request), partial(self._show, request), classes="section", lines=4)

    async def _ask(self, request: dict[str, Any]) -> tuple[dict[str, Any], float]:
        began = time.monotonic()
        answer = await self._page.api.call("bedrock-runtime", "apply_guardrail", **request)
        return answer, time.monotonic() - began

    def _show(self, request: dict[str, Any], found: tuple[dict[str, Any], float]) -> None:
        answer, took_s = found
        page, t = self._page, self._page.t
        assessments = answer["assessments"]
        read = sorted(
            (each for one in assessments for each in read_assessment(one)), key=lambda each: not each.detected
        )
        said = request["content"][-1]["text"]["text"]
        with box("card"):
            heading(t("findings.result"))
            draw_verdict(page, answer["action"] == "GUARDRAIL_INTERVENED", answer.get("actionReason", ""))
            draw_text(page, said, read)
        if answer["outputs"]:
            with box("card"):
                heading(t("findings.shown_instead"))
                for output in answer["outputs"]:
                    text(output.get("text", ""), classes="hostile told-here")
        with box("card"):
            heading(t("findings.title"))
            draw_findings(page, read)
            self._measures(answer, took_s)
            with box("fold", name="details"):
                tag("summary", t("new.program"))
                code_block(write_apply(where(page), request), label=t("layout.copy"), copied=t("layout.copied"))

    def _measures(self, answer: dict[str, Any], took_s: float) -> None:
        t = self._page.t
        metrics = next((each.get("invocationMetrics") or {} for each in answer["assessments"]), {})
        said = [t("findings.took", duration=t.duration(took_s))]
        if "guardrailProcessingLatency" in metrics:
            latency = t.number(metrics["guardrailProcessingLatency"])
            said.insert(0, t("findings.latency", milliseconds=latency))
        covered = (answer.get("guardrailCoverage") or {}).get("textCharacters")
        if covered:
            guarded, total = t.number(covered.get("guarded", 0)), t.number(covered.get("total", 0))
            said.append(t("findings.coverage", guarded=guarded, total=total))
        text(" · ".join(said), classes="faint small")
        draw_usage(self._page, answer["usage"])

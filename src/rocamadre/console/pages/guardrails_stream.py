"""A model behind a guardrail: its answer as it streams, and the trace of what the guardrail did."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import aclosing
from functools import partial
from typing import Any

from nicegui import background_tasks

from rocamadre.console.failures import ApiFailure
from rocamadre.console.guardrails.asking import DRAFT, converse, converse_request
from rocamadre.console.guardrails.code import write_stream
from rocamadre.console.guardrails.findings import read_trace
from rocamadre.console.page import Page
from rocamadre.console.pages.guardrails import guardrail_page
from rocamadre.console.pages.guardrails_edit import where
from rocamadre.console.pages.guardrails_findings import draw_part, draw_verdict
from rocamadre.console.parts.elements import Tag, box, button, choice_field, code_block, heading, link, tag, text
from rocamadre.console.parts.figures import badge
from rocamadre.console.parts.inputs import free_text
from rocamadre.console.parts.states import empty, failed, region
from rocamadre.console.playground.asking import text_models
from rocamadre.console.playground.conversation import Answer

MODES = ("sync", "async")
EXAMPLES = ("personal", "attack")
_MOST = 20_000
_EVERY_S = 0.05
_INTERVENED = "guardrail_intervened"


def stream_view(page: Page, told: dict[str, Any]) -> None:
    """Draw the form, when it is known which models are here."""
    region(page, partial(_models, page), partial(_Streamer, page, told), classes="section", lines=4)


async def _models(page: Page) -> list[str]:
    # What only repeats is for tests; it comes last.
    return sorted((each.id for each in await text_models(page.api)), key=lambda model: ("fake" in model, model))


class _Streamer:
    def __init__(self, page: Page, told: dict[str, Any], models: list[str]) -> None:
        self._page, self._id, self._version = page, told["guardrailId"], told["version"]
        t, query = page.t, page.query
        if not models:
            empty(t("findings.no_model"), t("findings.no_model_hint"))
            return
        self._model = query["model"] if query.get("model") in models else models[0]
        self._mode = query["mode"] if query.get("mode") in MODES else MODES[0]
        example = query.get("example", "") if query.get("example") in EXAMPLES else ""
        self._prompt = t(f"examples.{example}") if example else ""
        self._task: asyncio.Task[None] | None = None
        with box("card"):
            heading(t("findings.stream"))
            text(t("findings.stream_hint"), classes="faint small")
            with box("row"):
                tag("span", t("findings.examples"), classes="faint small")
                for name in EXAMPLES:
                    link(t(f"examples.{name}_name"), self._address(example=name), classes="button example")
            with box("fields"):
                choice_field(t("findings.model"), {each: each for each in models}, value=self._model,
                             on_change=partial(self._choose, "model"), classes="grow")  # fmt: skip
                choice_field(t("findings.mode"), {each: t(f"findings.{each}") for each in MODES}, value=self._mode,
                             on_change=partial(self._choose, "mode"), classes="grow")  # fmt: skip
            free_text(t("findings.prompt"), self._take, value=self._prompt, lines=3, maxlength=_MOST,
                      placeholder=t("findings.prompt_example"))  # fmt: skip
            with box("row"):
                self._send = button(t("playground.send"), self._ask, kind="primary", symbol="send")
                self._stop = button(t("playground.stop_now"), self._break_off, kind="stop", symbol="stop")
            self._stop.set_visibility(False)
            self._wrong = text("", classes="wrong", role="alert")
        self._place = box("section")
        if self._prompt:
            self._ask()

    def _address(self, **query: str) -> str:
        version = "" if self._version == DRAFT else self._version
        return guardrail_page(self._id, view="stream", version=version, model=self._model, mode=self._mode, **query)

    def _choose(self, name: str, value: Any) -> None:
        setattr(self, f"_{name}", str(value))
        # Percent-encoded by then, and a JSON string is a JavaScript one.
        self._page.client.run_javascript(f"history.replaceState(null, '', {json.dumps(self._address())});")

    def _take(self, prompt: str) -> None:
        self._prompt = prompt[:_MOST]

    def _ask(self) -> None:
        self._wrong.set_text("" if self._prompt.strip() else self._page.t("findings.empty"))
        if not self._prompt.strip() or self._task is not None:
            return
        self._place.clear()
        request = converse_request(self._id, self._version, model=self._model, prompt=self._prompt, mode=self._mode)
        with self._place, box("card") as card:
            heading(self._page.t("findings.streamed"))
            live = tag(
                "div", classes="hostile live told-here", role="log", aria_label=self._page.t("findings.streamed")
            )
            self._waiting = tag("progress", classes="meter-bar", aria_label=self._page.t("findings.coming"))
        self._work(busy=True)
        self._task = background_tasks.create(self._stream(request, card, live), name="guardrail stream")

    def _break_off(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def _work(self, *, busy: bool) -> None:
        self._send.set_visibility(not busy)
        self._stop.set_visibility(busy)

    async def _stream(self, request: dict[str, Any], card: Tag, live: Tag) -> None:
        answer = Answer()
        failure: ApiFailure | None = None
        sent, sent_at, began = 0, 0.0, time.monotonic()
        try:
            async with aclosing(converse(self._page.api, request)) as events:
                async for event in events:
                    now = time.monotonic()
                    answer.feed(event, now - began)
                    if card.is_deleted:
                        return
                    if now - sent_at > _EVERY_S and sent < len(answer.text):
                        # `append` of a DOM element makes a text of it, never HTML.
                        live.run_method("append", answer.text[sent:])
                        sent, sent_at = len(answer.text), now
        except ApiFailure as told:
            failure = told
        except asyncio.CancelledError:
            answer.stopped = True
        finally:
            self._task = None
        if card.is_deleted:
            return
        self._work(busy=False)
        live.delete()
        self._waiting.delete()
        with card:
            self._finish(request, answer, failure)

    def _finish(self, request: dict[str, Any], answer: Answer, failure: ApiFailure | None) -> None:
        page, t = self._page, self._page.t
        if answer.text or failure is None:
            text(answer.text, classes="hostile told-here")
        if failure is not None:
            failed(page, failure, self._again)
            return
        said = [t("playground.first_token", duration=t.duration(answer.first_s))] if answer.first_s is not None else []
        said.append(t("findings.took", duration=t.duration(answer.total_s)))
        with box("row"):
            if answer.stopped:
                badge(t("playground.stopped"), "warn")
            elif answer.stop_reason:
                badge(answer.stop_reason, "bad" if answer.stop_reason == _INTERVENED else "")
            tag("span", " · ".join(said), classes="faint small")
        with self._place:
            if answer.guardrail:
                self._show_trace(request, answer)
            with box("fold", name="details"):
                tag("summary", t("new.program"))
                code_block(write_stream(where(page), request), label=t("layout.copy"), copied=t("layout.copied"))

    def _show_trace(self, request: dict[str, Any], answer: Answer) -> None:
        page, t = self._page, self._page.t
        trace = read_trace(answer.guardrail)
        with box("card"):
            heading(t("findings.trace"))
            draw_verdict(page, answer.stop_reason == _INTERVENED or bool(trace.masked), trace.reason)
            if trace.latencies_ms:
                whole = t.number(sum(trace.latencies_ms))
                count = t.number(len(trace.latencies_ms))
                text(t("findings.examined", count=count, milliseconds=whole), classes="faint small")
            draw_part(page, t("findings.in_prompt"), trace.prompt, request["messages"][0]["content"][0]["text"])
            draw_part(page, t("findings.in_answer"), trace.answer, trace.written)

    async def _again(self) -> None:
        self._ask()

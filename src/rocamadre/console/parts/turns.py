"""A question and its answer, drawn once and then only filled, so that a long conversation stays light."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from html import escape
from typing import Any

from nicegui import ui
from nicegui.events import GenericEventArguments

from rocamadre.console.parts.elements import Tag, box, button, icon, set_attributes, tag, text
from rocamadre.console.parts.figures import badge
from rocamadre.console.parts.icons import ICONS
from rocamadre.console.parts.inputs import free_text
from rocamadre.console.parts.markdown import markdown, to_safe_html
from rocamadre.console.playground.conversation import Exchange, ToolCall
from rocamadre.console.translation import Translator

ACTIONS = {
    "copy": "copy",
    "tokens": "tokens",
    "up": "thumb_up",
    "down": "thumb_down",
    "save": "save",
    "again": "refresh",
}
"""What can be done with an answer, and its drawing."""

_EVERY_S = 0.06
_SHARE = 12.0
"""Drawing may take this part of the time at most, as one in so many."""
_LONGEST = 60_000

_EMIT = """(event) => {
    const button = event.target.closest("[data-action]");
    if (!button) return;
    if (button.dataset.action !== "copy") { emit(button.dataset.action); return; }
    const said = button.closest(".turn").querySelector(".said").innerText;
    navigator.clipboard.writeText(said).then(() => {
        button.classList.add("done");
        setTimeout(() => button.classList.remove("done"), 1500);
    });
}"""

_STOPS = {"end_turn": "", "stop": "", "tool_use": "", "max_tokens": "cut", "length": "cut", "stop_sequence": "at_stop"}


class TurnView:
    """One exchange.

    Args:
        t: The visitor's texts.
        exchange: What is shown; read again at each `grow`. A raw prompt's continuation is shown as it is, alone.
        on_action: Given one of `ACTIONS`.
        on_result: Given a call whose result the visitor has written.
    """

    def __init__(
        self,
        t: Translator,
        exchange: Exchange,
        *,
        on_action: Callable[[str], Any],
        on_result: Callable[[ToolCall], Any],
    ) -> None:
        self._t = t
        self._exchange = exchange
        self._on_action = on_action
        self._on_result = on_result
        self._drawn_at = 0.0
        self._cost_s = 0.0
        self._raw = bool(exchange.prompt)
        self.place = box("exchange")
        with self.place:
            if not self._raw:
                self._question()
            with tag("article", classes="turn answer", aria_label=t("playground.answer")) as self._article:
                self._said = (
                    text("", classes="hostile said", name="div") if self._raw else markdown("", classes="prose said")
                )
                self._waiting = tag("span", t("playground.thinking"), classes="thinking faint")
                self._calls = box("calls")
                self._told = box("told-about")
                self._actions = box("turn-actions")
                self.below = box("turn-below")
        self._actions.on("click", self._act, js_handler=_EMIT)

    def grow(self) -> None:
        """Show what has come, unless it was shown a moment ago."""
        now = time.monotonic()
        if now - self._drawn_at < max(_EVERY_S, self._cost_s * _SHARE):
            return
        self._write()
        self._drawn_at = time.monotonic()
        self._cost_s = self._drawn_at - now

    def finish(self) -> None:
        """Show all of the answer, and what can be done with it."""
        t, answer = self._t, self._exchange.answer
        self._write()
        set_attributes(self._waiting, hidden=True)
        self._calls.clear()
        with self._calls:
            if answer.reasoning:
                with box("fold", name="details"):
                    tag("summary", t("playground.reasoning"))
                    text(answer.reasoning, classes="hostile faint")
            for call in answer.calls:
                self._call(call)
        self._told.clear()
        with self._told:
            self._figures()
        self.show_actions()

    def show_actions(self) -> None:
        """The row of buttons, in its present state."""
        answer = self._exchange.answer
        names = [name for name in ACTIONS if answer.text or name == "again"]
        self._actions.clear()
        with self._actions:
            # One element of our own words instead of dozens, for each of hundreds of turns.
            ui.html(_buttons(self._t, names, {answer.rating}), sanitize=False).classes("actions")

    def restart(self) -> None:
        """The answer is being written once more."""
        for each in (self._calls, self._told, self._actions, self.below):
            each.clear()
        set_attributes(self._waiting, hidden=False)
        self._write()

    def hide_again(self) -> None:
        """Only the last answer can be asked for again."""
        self._article.classes(add="past")

    def _write(self) -> None:
        answer = self._exchange.answer
        if answer.text:
            set_attributes(self._waiting, hidden=True)
        if isinstance(self._said, Tag):
            self._said.set_text(answer.text)
        else:
            # Beyond so much, reading Markdown again and again would be felt.
            self._said.set_content(to_safe_html(pretty(answer.text)[-_LONGEST:]))

    def _question(self) -> None:
        t, exchange = self._t, self._exchange
        with tag("article", classes="turn question", aria_label=t("playground.question")):
            for call in exchange.results:
                with box("tool-result"):
                    badge(t("playground.tool_result", name=call.name), "warn" if call.failed else "")
                    text(call.result or "", classes="hostile mono small")
            if exchange.question:
                text(exchange.question, classes="hostile")
            for document in exchange.documents:
                with tag("span", classes="chip"):
                    icon("file")
                    tag("span", document.file_name, classes="hostile")

    def _call(self, call: ToolCall) -> None:
        t = self._t
        with box("tool-call"):
            with box("row"):
                badge(t("playground.tool_call"), "accent")
                tag("code", call.name, classes="hostile")
            tag("pre", _indented(call.written), classes="hostile", tabindex="0")
            if call.result is not None:
                return
            written = {"text": "", "failed": False}
            free_text(
                t("playground.your_result"),
                lambda value: written.update(text=value),
                lines=2,
                placeholder='{"temperature": 21}',
            )

            def answer(failed: bool) -> None:
                call.result, call.failed = str(written["text"]), failed
                self._on_result(call)

            with box("row"):
                button(t("playground.send_result"), lambda: answer(False), kind="primary")
                button(t("playground.send_failure"), lambda: answer(True), kind="quiet")

    def _figures(self) -> None:
        t, answer = self._t, self._exchange.answer
        if answer.failure:
            with box("turn-failed", role="alert"):
                icon("warning")
                text(answer.failure, classes="hostile")
        shown = []
        if answer.first_s is not None:
            shown.append(t("playground.first_token", duration=t.duration(answer.first_s)))
        if answer.per_second:
            shown.append(t("playground.per_second", count=t.number(answer.per_second)))
        if answer.output_tokens:
            shown.append(
                t(
                    "playground.token_counts",
                    input=t.number(answer.input_tokens),
                    output=t.number(answer.output_tokens),
                )
            )
        with box("row small"):
            if shown:
                tag("span", " · ".join(shown), classes="faint figures-line")
            if answer.stopped:
                badge(t("playground.stopped"), "warn")
            elif kind := _STOPS.get(answer.stop_reason, answer.stop_reason):
                badge(t(f"playground.{kind}") if kind in _STOPS.values() else kind, "warn")
            if answer.edited:
                badge(t("playground.edited"), "accent")

    def _act(self, event: GenericEventArguments) -> Any:
        action = str(event.args)
        return self._on_action(action) if action in ACTIONS else None


def pretty(said: str) -> str:
    r"""What a model said, as Markdown: JSON becomes a block of code, all else stays as it is.

    >>> pretty("[1]"), pretty("1. **a**")
    ('```json\n[\n  1\n]\n```', '1. **a**')
    """
    if not said.lstrip().startswith(("{", "[")):
        return said
    try:
        value = json.loads(said)
    except (ValueError, RecursionError):
        return said
    return f"```json\n{json.dumps(value, ensure_ascii=False, indent=2)}\n```"


def _indented(written: str) -> str:
    try:
        return json.dumps(json.loads(written or "{}"), ensure_ascii=False, indent=2)
    except (ValueError, RecursionError):
        return written


def _buttons(t: Translator, names: list[str], pressed: set[str]) -> str:
    made = []
    for name in names:
        label = escape(t(f"playground.do_{name}"))
        state = f' aria-pressed="{str(name in pressed).lower()}"' if name in ("up", "down") else ""
        made.append(
            f'<button type="button" class="button quiet square" data-action="{name}" aria-label="{label}" '
            f'title="{label}"{state}><span class="icon">{ICONS[ACTIONS[name]]}</span></button>'
        )
    return "".join(made)


def chips(names: Mapping[str, Callable[[], Any]], *, remove: Callable[[str], str]) -> list[Tag]:
    """Files that wait to be sent, each with a button that takes it away."""
    made = []
    for name, drop in names.items():
        with tag("span", classes="chip") as chip:
            icon("file")
            tag("span", name, classes="hostile")
            button("", drop, kind="quiet chip-drop", symbol="close", label=remove(name))
        made.append(chip)
    return made

"""A question and its answer, drawn once and then left alone, so that a conversation of hundreds of turns stays smooth.

Whatever changes on a page makes the browser compare all of its elements. So what is being said is added as plain text,
past the page's model of itself, and a turn that is over is half a dozen elements without a handler of their own.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from functools import partial
from html import escape
from typing import Any

from nicegui import ui
from nicegui.events import GenericEventArguments

from rocamadre.console.parts.elements import Tag, box, button, icon, tag, text
from rocamadre.console.parts.figures import badge
from rocamadre.console.parts.icons import ICONS
from rocamadre.console.parts.markdown import markdown
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

# One listener for all turns. Copying is done at once: browsers allow it only while a click is being handled.
ON_CLICK = """(event) => {
    const button = event.target.closest("[data-action]");
    if (!button) return;
    const turn = button.closest("[data-turn]");
    if (button.dataset.action !== "copy") { emit(turn.dataset.turn + " " + button.dataset.action); return; }
    navigator.clipboard.writeText(turn.querySelector(".said").innerText).then(() => {
        button.classList.add("done");
        setTimeout(() => button.classList.remove("done"), 1500);
    });
}"""
"""For the element that turns are in; emits a turn's number and an action."""

_RESULT = "(event) => emit(event.currentTarget.closest('.tool-call').querySelector('textarea').value)"
_RESULT_EXAMPLE = '{"temperature": 21}'
_LONGEST_RESULT = 200_000
_EVERY_S = 0.05

_STOPS = {"end_turn": "", "stop": "", "tool_use": "", "max_tokens": "cut", "length": "cut", "stop_sequence": "at_stop"}


class TurnView:
    """One exchange.

    Args:
        t: The visitor's texts.
        exchange: What is shown; read again at each `grow`. A raw prompt's continuation is shown as it is, alone.
        number: Told by `ON_CLICK`.
        on_result: Given a call whose result the visitor has written.
    """

    def __init__(self, t: Translator, exchange: Exchange, *, number: int, on_result: Callable[[ToolCall], Any]) -> None:
        self._t = t
        self._exchange = exchange
        self._on_result = on_result
        self._raw = bool(exchange.prompt)
        self._last = True
        self._sent = 0
        self._sent_at = 0.0
        self.place = box("exchange", data_turn=number)
        with self.place:
            if not self._raw:
                self._question()
            self._article = box("turn answer", name="article", aria_label=t("playground.answer"))
        self.restart()

    def restart(self) -> None:
        """The answer is being written, from what there is of it."""
        self._article.clear()
        said = self._exchange.answer.text
        with self._article:
            self._live: Tag | None = tag("div", said, classes="hostile live")
        self._foot: ui.html | None = None
        self.below: Tag | None = None
        self._sent = len(said)

    def grow(self) -> None:
        """Show what has come, unless some was shown a moment ago."""
        now = time.monotonic()
        if self._live is None or now - self._sent_at < _EVERY_S:
            return
        # `append` of a DOM element makes a text of it, never HTML.
        if more := self._exchange.answer.text[self._sent :]:
            self._live.run_method("append", more)
            self._sent += len(more)
            self._sent_at = now

    def finish(self) -> None:
        """Show all of the answer, and what can be done with it."""
        t, answer = self._t, self._exchange.answer
        self._article.clear()
        self._live, self.below = None, None
        with self._article:
            if self._raw:
                text(answer.text, classes="hostile said", name="div")
            elif answer.text:
                markdown(pretty(answer.text), classes="prose said")
            if answer.reasoning:
                with box("fold", name="details"):
                    tag("summary", t("playground.reasoning"))
                    text(answer.reasoning, classes="hostile faint")
            for call in answer.calls:
                self._call(call)
            if answer.failure:
                with box("turn-failed", role="alert"):
                    icon("warning")
                    text(answer.failure, classes="hostile")
            self._foot = ui.html(self._foot_html(), sanitize=False).classes("turn-foot")

    def show_actions(self) -> None:
        """The row of buttons, in its present state."""
        if self._foot is not None:
            self._foot.set_content(self._foot_html())

    def past(self) -> None:
        """Another turn follows: this answer cannot be asked for again."""
        self._last = False
        self.show_actions()

    def area(self) -> Tag:
        """A new place below the answer."""
        with self._article:
            self.below = self.below or box("turn-below")
        with self.below:
            return box("area")

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

            def answer(event: GenericEventArguments, *, failed: bool) -> None:
                if call.result is None:
                    call.result, call.failed = str(event.args)[:_LONGEST_RESULT], failed
                    self._on_result(call)

            with box("field", name="label"):
                tag("span", t("playground.your_result"), classes="field-label")
                tag("textarea", rows=2, placeholder=_RESULT_EXAMPLE, spellcheck="false")
            with box("row"):
                for name, kind, failed in (("send_result", "primary", False), ("send_failure", "quiet", True)):
                    made = tag("button", t(f"playground.{name}"), classes=f"button {kind}", type="button")
                    made.on("click", partial(answer, failed=failed), js_handler=_RESULT)

    def _foot_html(self) -> str:
        """Figures and buttons: our own words and numbers, as one element."""
        t, answer = self._t, self._exchange.answer
        shown = []
        if answer.first_s is not None:
            shown.append(t("playground.first_token", duration=t.duration(answer.first_s)))
        if answer.per_second:
            shown.append(t("playground.per_second", count=t.number(answer.per_second)))
        if answer.output_tokens:
            counts = {"input": t.number(answer.input_tokens), "output": t.number(answer.output_tokens)}
            shown.append(t("playground.token_counts", **counts))
        if answer.cost_usd is not None:
            shown.append(t("playground.cost", dollars=t.dollars(answer.cost_usd)))
        badges = []
        if answer.stopped:
            badges.append(("warn", t("playground.stopped")))
        elif kind := _STOPS.get(answer.stop_reason, answer.stop_reason):
            badges.append(("warn", t(f"playground.{kind}") if kind in _STOPS.values() else kind))
        if answer.edited:
            badges.append(("accent", t("playground.edited")))
        figures = f'<span class="faint figures-line">{escape(" · ".join(shown))}</span>' if shown else ""
        marks = "".join(f'<span class="badge {look}">{escape(words)}</span>' for look, words in badges)
        names = [name for name in ACTIONS if (answer.text and name != "again") or (name == "again" and self._last)]
        return f'<div class="row small">{figures}{marks}</div><div class="actions">{self._buttons(names)}</div>'

    def _buttons(self, names: list[str]) -> str:
        made = []
        for name in names:
            label = escape(self._t(f"playground.do_{name}"))
            pressed = str(name == self._exchange.answer.rating).lower()
            state = f' aria-pressed="{pressed}"' if name in ("up", "down") else ""
            made.append(
                f'<button type="button" class="button quiet square" data-action="{name}" aria-label="{label}" '
                f'title="{label}"{state}><span class="icon">{ICONS[ACTIONS[name]]}</span></button>'
            )
        return "".join(made)


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

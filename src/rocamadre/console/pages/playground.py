"""Talk to models: a conversation or a single prompt, up to three models side by side."""

from __future__ import annotations

import asyncio
import json
from functools import partial
from typing import Any

from nicegui import ui
from nicegui.events import GenericEventArguments, UploadEventArguments

from rocamadre.console.failures import ApiFailure
from rocamadre.console.page import Page, address
from rocamadre.console.pages.playground_code import CodeDialog
from rocamadre.console.pages.playground_lane import Lane
from rocamadre.console.pages.playground_settings import SettingsPanel
from rocamadre.console.parts.elements import (
    Handler,
    Tag,
    box,
    button,
    choice_field,
    heading,
    icon,
    set_attributes,
    tag,
    text,
)
from rocamadre.console.parts.inputs import listen
from rocamadre.console.parts.states import empty, region
from rocamadre.console.parts.turns import chips
from rocamadre.console.playground.asking import Choosable, sold_models, text_models
from rocamadre.console.playground.code import Asked
from rocamadre.console.playground.conversation import (
    DOCUMENT_FORMATS,
    MOST_DOCUMENT_BYTES,
    MOST_DOCUMENTS,
    Document,
    Exchange,
    Frame,
    document_format,
    document_name,
)
from rocamadre.console.playground.parameters import MODES, MOST_MODELS, View, read_view

_PATH = "/playground"
_EXAMPLES = ("example_1", "example_2", "example_3")
_LONGEST = 500_000

# Enter sends, Shift and Enter begin a line. While an answer comes, what is written stays.
_KEYS = """(event) => {
    const field = event.target;
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    if (!field.value.trim() || field.dataset.busy) return;
    emit(field.value);
    if (field.dataset.keep) return;
    field.value = "";
    field.dispatchEvent(new Event("input"));
}"""
_SEND = """() => {
    const field = document.getElementById("composer");
    if (!field.value.trim() || field.dataset.busy) { field.focus(); return; }
    emit(field.value);
    if (field.dataset.keep) return;
    field.value = "";
    field.dispatchEvent(new Event("input"));
}"""
# Wide pages begin with the settings beside the conversation, narrow ones without.
_SETTINGS = """(event) => {
    const desk = document.querySelector(".desk"), settings = desk.querySelector(".settings");
    const shown = getComputedStyle(settings).display !== "none";
    desk.dataset.settings = shown ? "hidden" : "shown";
    event.currentTarget.setAttribute("aria-expanded", String(!shown));
    if (!shown && settings.getBoundingClientRect().top < 0) settings.scrollIntoView();
}"""
_GROW = "(event) => { const f = event.target; f.style.height = 'auto'; f.style.height = f.scrollHeight + 2 + 'px'; }"
# Escape stops; the page follows an answer as long as its end is in sight.
_BEGIN = """
if (!window.rocaPlayground) {
    window.rocaPlayground = true;
    let near = true;
    const root = document.documentElement;
    const look = () => { near = root.scrollHeight - root.scrollTop - innerHeight < 160; };
    addEventListener("scroll", look, {passive: true});
    addEventListener("keydown", (event) => {
        if (event.key !== "Escape" || document.querySelector("dialog[open]")) return;
        const stop = document.querySelector(".stop:not([hidden])");
        if (stop) { event.preventDefault(); stop.click(); }
    });
    const watch = () => {
        const desk = document.querySelector(".lanes");
        if (!desk) { setTimeout(watch, 100); return; }
        const follow = () => { if (near && desk.dataset.follow) root.scrollTop = root.scrollHeight; };
        new ResizeObserver(follow).observe(desk);
    };
    watch();
}
const shown = getComputedStyle(document.querySelector(".settings")).display !== "none";
document.querySelector(".settings-switch").setAttribute("aria-expanded", String(shown));
document.getElementById("composer")?.focus({preventScroll: true});
"""


async def build(page: Page) -> None:
    """Draw the page."""
    ui.add_head_html('<link rel="stylesheet" href="/static/playground.css">')
    region(page, partial(_load, page), partial(_show, page), classes="region playground-region", lines=6)


async def _load(page: Page) -> tuple[list[Choosable], list[str]]:
    models, sold = await asyncio.gather(text_models(page.api), sold_models(page.api))
    return models, sold


def _show(page: Page, found: tuple[list[Choosable], list[str]]) -> None:
    models, sold = found
    if not models:
        empty(page.t("playground.no_models"), page.t("playground.no_models_hint"))
        return
    Playground(page, [model.id for model in models], sold)


def _short(model: str) -> str:
    """What tells a model from others, first.

    >>> _short("rocamadre.roca-mini-v1:0"), _short("us.amazon.nova-lite-v1:0")
    ('roca-mini-v1:0 · rocamadre', 'us.amazon.nova-lite-v1:0')
    >>> _short("arn:aws:bedrock:us-east-1:123456789012:custom-model/rocamadre.roca-mini-v1/67v1xwiy8wuw")
    '67v1xwiy8wuw · rocamadre.roca-mini-v1'
    """
    if model.startswith("arn:") and model.count("/") >= 2:
        return " · ".join(reversed(model.split("/")[-2:]))
    owner, dot, name = model.partition(".")
    return f"{name} · {owner}" if dot and "." not in name and "/" not in model else model


class Playground:
    """The page's state: the lanes, what is being written, and everything that goes with it.

    Args:
        page: The visit.
        models: Ids of those here, at least one.
        sold: Names of AWS's models, which one of those here answers to.
    """

    def __init__(self, page: Page, models: list[str], sold: list[str]) -> None:
        view = read_view(page.query)
        self.page = page
        self.mode = view.mode
        self.template = False
        self._models = list(dict.fromkeys([*models, *(each for each in view.models if each not in sold)]))
        self._sold = sold
        self._draft = ""
        self._documents: list[Document] = []
        self._lanes: list[Lane] = []
        self._address = ""
        t = page.t
        self._bar()
        with box("desk") as self._desk:
            with box("talk"):
                self._lanes_box = box("lanes")
                self._welcome = box("welcome")
                self._composer()
            with tag("aside", classes="settings card", aria_label=t("playground.settings")):
                self.settings = SettingsPanel(page, view.parameters, self._changed)
        self._code = CodeDialog(page, self._asked)
        self._draw_welcome()
        for model in view.models or self._models[:1]:
            self._add_lane(model)
        self._show_mode()
        page.client.on_delete(self._leave)
        page.client.run_javascript(_BEGIN)

    def frame(self) -> Frame:
        """What goes with every question."""
        return self.settings.frame()

    def refused(self, failure: ApiFailure) -> None:
        """An answer was refused: said where it was written, when that is in the settings."""
        self.settings.refused(failure)

    def settled(self) -> None:
        """An answer has begun or ended."""
        busy = any(lane.busy for lane in self._lanes)
        set_attributes(self._stop, hidden=not busy)
        set_attributes(self._send, hidden=busy)
        set_attributes(self._field, data_busy="1" if busy else None)
        self._status.set_text(self.page.t("playground.answering") if busy else "")
        set_attributes(self._welcome, hidden=bool(self._lanes and self._lanes[0].current))
        if not busy:
            self._ask_next()

    # Drawing

    def _bar(self) -> None:
        t = self.page.t
        with box("row spread playground-bar"):
            with box("switch modes", role="group", aria_label=t("playground.mode")):
                self._modes = {}
                for mode in MODES:
                    made = tag("button", t(f"playground.mode_{mode}"), classes="button quiet", type="button")
                    made.on("click", partial(self._choose_mode, mode), args=[])
                    self._modes[mode] = made
            with box("row"):
                self._add = self._tool("add_model", self._add_model, "plus")
                self._tool("new", self._clear, "refresh")
                self._tool("view_code", self._show_code, "code")
                self._tool("settings", lambda: None, "sliders", kind="quiet settings-switch").on(
                    "click", js_handler=_SETTINGS
                )

    def _tool(self, name: str, on_click: Handler, symbol: str, *, kind: str = "quiet") -> Tag:
        label = self.page.t(f"playground.{name}")
        # Narrow pages show the drawing only; the label is still what it is called.
        return button(label, on_click, kind=kind, symbol=symbol, label=label)

    def _composer(self) -> None:
        t = self.page.t
        with box("composer"):
            self._told = text("", classes="wrong small", role="alert")
            self._chips = box("row")
            with box("field compact", name="label"):
                tag("span", t("playground.message"), classes="field-label")
                self._field = tag(
                    "textarea", id_="composer", rows=1, placeholder=t("playground.message_hint"), maxlength=_LONGEST
                )
            listen(self._field, self._take_draft)
            self._field.on("keydown", self._take, js_handler=_KEYS)
            self._field.on("input", js_handler=_GROW)
            with box("row spread"):
                with box("row"):
                    self._upload()
                    with tag("label", classes="check small") as self._template:
                        box_ = tag("input", type="checkbox")
                        tag("span", t("playground.template"))
                    box_.on("change", self._take_template, js_handler="(event) => emit(event.target.checked)")
                    tag("span", t("playground.keys"), classes="faint small keys")
                    self._status = tag("span", "", classes="faint small", role="status")
                with box("row"):
                    self._stop = button(
                        t("playground.stop_now"), self._stop_all, kind="stop", symbol="stop", hidden=True
                    )
                    self._send = button(t("playground.send"), lambda: None, kind="primary", symbol="send")
                    self._send.on("click", self._take, js_handler=_SEND)

    def _upload(self) -> None:
        t = self.page.t
        uploader = ui.upload(
            multiple=True,
            auto_upload=True,
            max_file_size=MOST_DOCUMENT_BYTES,
            on_upload=self._take_file,
            on_rejected=self._reject_file,
        ).classes("uploader")
        uploader.props["accept"] = ",".join(f".{each}" for each in DOCUMENT_FORMATS)
        self._attach = tag("button", classes="button quiet attach", type="button", title=t("playground.attach_hint"))
        set_attributes(self._attach, aria_label=t("playground.attach"))
        with self._attach:
            icon("file")
            tag("span", t("playground.attach"))
        self._attach.on("click", js_handler=f"() => getElement({uploader.id}).pickFiles()")

    def _draw_welcome(self) -> None:
        t = self.page.t
        with self._welcome:
            heading(t("playground.welcome"), classes="welcome-title")
            text(t("playground.welcome_hint"), classes="faint")
            with box("row"):
                for name in _EXAMPLES:
                    button(t(f"playground.{name}"), partial(self._send_now, t(f"playground.{name}")), kind="example")

    # Lanes

    def _add_lane(self, model: str) -> None:
        t = self.page.t
        with self._lanes_box:
            lane = Lane(self, model, t("playground.lane", number=len(self._lanes) + 1))
        if self._lanes:
            lane.follow(self._lanes[0])
        self._lanes.append(lane)
        with lane.head:
            choice_field(
                t("playground.model"),
                {each: _short(each) for each in self._models},
                value=model,
                on_change=partial(self._choose_model, lane),
                classes="compact lane-model",
                groups={t("playground.sold"): {each: each for each in self._sold}} if self._sold else None,
            )
            button(
                "",
                partial(self._remove, lane),
                kind="quiet square remove",
                symbol="close",
                label=t("playground.remove"),
            )
        self._lanes_changed()

    def _lanes_changed(self) -> None:
        set_attributes(self._add, disabled=len(self._lanes) >= MOST_MODELS)
        set_attributes(self._lanes_box, data_count=len(self._lanes))
        self._write_address()

    def _add_model(self) -> None:
        if len(self._lanes) < MOST_MODELS:
            used = {lane.model for lane in self._lanes}
            self._add_lane(next((each for each in self._models if each not in used), self._models[0]))

    def _remove(self, lane: Lane) -> None:
        if len(self._lanes) > 1:
            lane.stop()
            self._lanes.remove(lane)
            lane.place.delete()
            self._lanes_changed()
            self.settled()

    def _choose_model(self, lane: Lane, model: Any) -> None:
        if model in self._models or model in self._sold:
            lane.model = str(model)
            self._write_address()
            self._ask_next()

    # What the visitor does

    def _take(self, event: GenericEventArguments) -> None:
        self._send_now(str(event.args))

    def _send_now(self, question: str) -> None:
        if any(lane.busy for lane in self._lanes) or not question.strip():
            return
        if self.settings.wrong:
            self._told.set_text(self.page.t("playground.mend_first"))
            self.page.client.run_javascript(
                f'const f = document.getElementById("composer"); if (!f.value) f.value = {json.dumps(question)};'
            )
            return
        self._told.set_text("")
        chat = self.mode == "chat"
        set_attributes(self._lanes_box, data_follow="1" if chat else None)
        self._draft = "" if chat else question
        documents = self._documents if chat else []
        for lane in self._lanes:
            lane.ask(question[:_LONGEST], documents)
        if chat:
            self._documents = []
            self._show_documents()
            self.page.client.run_javascript(
                "document.getElementById('composer').style.height = 'auto';"
                "document.documentElement.scrollTop = document.documentElement.scrollHeight;"
            )

    def _take_draft(self, written: str) -> None:
        self._draft = written
        self._ask_next()

    def _take_template(self, event: GenericEventArguments) -> None:
        self.template = event.args is True
        self._ask_next()

    async def _take_file(self, event: UploadEventArguments) -> None:
        t, name = self.page.t, event.file.name
        sent = sum(len(exchange.documents) for exchange in self._lanes[0].exchanges["chat"])
        if not document_format(name) or event.file.size() > MOST_DOCUMENT_BYTES:
            self._reject_file()
        elif len(self._documents) + sent >= MOST_DOCUMENTS:
            self._told.set_text(t("playground.files_too_many", count=MOST_DOCUMENTS))
        else:
            known = {document.name for document in self._documents}
            made = document_name(name)
            made = next(each for each in (made, *(f"{made[:190]} {n}" for n in range(2, 99))) if each not in known)
            self._documents.append(Document(name, made, document_format(name), await event.file.read()))
            self._told.set_text("")
            self._show_documents()

    def _reject_file(self) -> None:
        t = self.page.t
        told = t("playground.file_rejected", size=t.size(MOST_DOCUMENT_BYTES), formats=", ".join(DOCUMENT_FORMATS))
        self._told.set_text(told)

    def _show_documents(self) -> None:
        def drop(document: Document) -> None:
            self._documents.remove(document)
            self._show_documents()

        self._chips.clear()
        with self._chips:
            chips(
                {document.file_name: partial(drop, document) for document in self._documents},
                remove=lambda name: self.page.t("playground.drop_file", name=name),
            )

    def _stop_all(self) -> None:
        for lane in self._lanes:
            lane.stop()

    def _clear(self) -> None:
        for lane in self._lanes:
            lane.clear()
        self.settled()

    def _leave(self) -> None:
        self._stop_all()

    def _choose_mode(self, mode: str) -> None:
        if mode != self.mode:
            self._stop_all()
            self.mode = mode
            self._show_mode()
            self._write_address()

    def _show_mode(self) -> None:
        chat = self.mode == "chat"
        for mode, made in self._modes.items():
            set_attributes(made, aria_pressed=mode == self.mode)
        for lane in self._lanes:
            lane.show_mode()
        t = self.page.t
        set_attributes(self._field, placeholder=t("playground.message_hint" if chat else "playground.prompt_hint"))
        set_attributes(self._field, data_keep=None if chat else "1", rows=1 if chat else 5)
        set_attributes(self._attach, hidden=not chat)
        set_attributes(self._template, hidden=chat)
        self._desk.classes(add="" if chat else "single", remove="single" if chat else "")
        self.settled()

    # What follows

    def _changed(self) -> None:
        self._write_address()

    def _ask_next(self) -> None:
        if not self._lanes:
            return
        lane, draft = self._lanes[0], self._draft

        async def want() -> tuple[str, str]:
            return lane.model, await lane.prompt_for(draft)

        self.settings.next.ask(want, self.settings.parameters)

    def _write_address(self) -> None:
        view = View(self.mode, tuple(lane.model for lane in self._lanes), self.settings.parameters)
        written = address(_PATH, **view.query())
        if written != self._address and self._lanes:
            self._address = written
            # Percent-encoded ASCII in a JSON text: nothing in it can end it.
            self.page.client.run_javascript(f"history.replaceState(history.state, '', {json.dumps(written)})")

    def _show_code(self) -> None:
        self._code.show()

    def _asked(self) -> Asked:
        """The request that was made last, or the one that is being written."""
        page, lane, frame = self.page, self._lanes[0], self.frame()
        question = self._draft.strip() or page.t("playground.example_1")
        platform = page.api.platform
        asked = partial(Asked, lane.model, platform.address, platform.region, page.locked)
        if self.mode == "prompt":
            raw = lane.current[-1].question if lane.current and not self._draft.strip() else question
            if self.template:
                return asked(Frame(frame.system, frame.parameters), (Exchange(raw),))
            return asked(Frame(parameters=frame.parameters), prompt=raw)
        exchanges = (
            tuple(lane.current) if lane.current and not self._draft.strip() else (*lane.current, Exchange(question))
        )
        return asked(frame, exchanges)

"""A new training, from base to start: each field changes the program beside it, which does the same."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

from rocamadre.console.failures import ApiFailure
from rocamadre.console.page import Page, address
from rocamadre.console.pages.jobs import job_page
from rocamadre.console.pages.training import list_data
from rocamadre.console.pages.training_data import trainable
from rocamadre.console.pages.training_preflight import show_preflight
from rocamadre.console.parts.elements import (
    box,
    button,
    choice_field,
    code_block,
    fill,
    heading,
    icon,
    link,
    set_attributes,
    tag,
    text,
    text_field,
)
from rocamadre.console.parts.states import empty, failed, region
from rocamadre.console.wish import TYPES, Wish, suggest_name, write_program

_METHOD = "lora"
_TOLD = ("full", "lora", "qlora", "prompt-tuning", "prefix-tuning", "ia3", "loreft")
"""Methods that the catalogs describe; others are described by the server."""
_FIRST = ("epochs", "learning_rate", "batch_size", "max_length")
"""Settings that everybody sees; the others are folded."""


async def build(page: Page) -> None:
    """Draw the page."""
    t = page.t
    with tag("a", classes="back", href="/training"):
        icon("back")
        tag("span", t("training.title"))
    text(t("new.lead"), classes="lead")
    region(page, partial(_load, page), partial(_show, page), classes="section", lines=8)


async def _load(page: Page) -> dict[str, Any]:
    api = page.api
    models, facts, data = await asyncio.gather(
        api.get("/_rocamadre/models"), api.get("/_rocamadre/training"), list_data(api)
    )
    return {"models": trainable(models), "facts": facts, "data": [each["uri"] for each in data]}


def _show(page: Page, found: dict[str, Any]) -> None:
    t = page.t
    if not found["models"]:
        empty(t("new.no_base"), t("new.no_base_hint"))
        return
    Wizard(page, found)


class Wizard:
    """The form and what was filled in.

    Args:
        page: The visit; its query fills fields in.
        found: Bases, methods with their settings, data sets.
    """

    def __init__(self, page: Page, found: dict[str, Any]) -> None:
        self._page = page
        self._models: dict[str, dict[str, Any]] = {each["id"]: each for each in found["models"]}
        self._methods: dict[str, dict[str, Any]] = {each["name"]: each for each in found["facts"]["methods"]}
        self._settings: list[dict[str, Any]] = found["facts"]["settings"]
        self._data: list[str] = found["data"]
        self._named = False
        self._wish = self._from_query()
        self._moment = datetime.now(UTC).strftime("%m%d-%H%M%S")
        with box("wizard"):
            with box("section"):
                self._step(1, "base", self._base)
                self._step(2, "data", self._data_fields)
                self._step(3, "method", self._method)
                self._step(4, "settings", self._draw_settings)
                self._step(5, "preflight", self._preflight)
                self._step(6, "start", self._start)
            with tag("aside", classes="card wizard-code", aria_label=page.t("new.program")):
                heading(page.t("new.program"))
                text(page.t("new.program_hint"), classes="faint small")
                self._program = box("section")
        self._changed()

    def _from_query(self) -> Wish:
        query = self._page.query
        base = query.get("base", "")
        method = query.get("method", "")
        kind = query.get("type", "")
        return Wish(
            base=base if base in self._models else next(iter(self._models)),
            type=kind if kind in TYPES else TYPES[0],
            training=query.get("training", "")[:1200] or next(iter(self._data), ""),
            validation=query.get("validation", "")[:1200],
            method=method if method in self._methods else _METHOD,
        )

    def _step(self, number: int, name: str, draw: Callable[[], None]) -> None:
        t = self._page.t
        with tag("section", classes="card", aria_label=t(f"new.{name}")):
            heading(t("new.step", number=number, name=t(f"new.{name}")))
            text(t(f"new.{name}_hint"), classes="faint small")
            draw()

    def _take(self, name: str, value: Any) -> None:
        self._wish = self._wish.changed(**{name: str(value).strip()[:1200]})
        self._named = self._named or name == "name"
        self._changed()

    def _changed(self) -> None:
        """Write the program and the address anew."""
        wish, page = self._wish, self._page
        if not self._named:
            wish = self._wish = wish.changed(name=suggest_name(wish.base, wish.training, self._moment))
            fill(self._name, wish.name)
        self._program.clear()
        with self._program:
            written = write_program(
                wish, address=page.api.platform.address, region=page.api.platform.region, locked=page.locked
            )
            code_block(written, label=page.t("layout.copy"), copied=page.t("layout.copied"))
        self._result.clear()

    # Steps

    def _base(self) -> None:
        t = self._page.t
        with box("fields"):
            names = {key: f"{each['name']} ({key})" for key, each in self._models.items()}
            choice_field(t("new.base"), names, value=self._wish.base, on_change=partial(self._take, "base"))
            types = {each: t(f"data.type_{each}") for each in TYPES}
            choice_field(t("new.type"), types, value=self._wish.type, on_change=partial(self._take, "type"))

    def _data_fields(self) -> None:
        t = self._page.t
        listed = list(dict.fromkeys([*([self._wish.training] if self._wish.training else []), *self._data]))
        if not listed:
            empty(t("training.no_data"), t("training.no_data_hint"))
            link(t("training.title"), "/training")
        names = {uri: uri.removeprefix("s3://") for uri in listed}
        with box("fields"):
            if listed:
                choice_field(t("new.training"), names, value=self._wish.training,
                             on_change=partial(self._take, "training"))  # fmt: skip
                choice_field(t("new.validation"), {"": t("new.no_validation"), **names}, value=self._wish.validation,
                             on_change=partial(self._take, "validation"))  # fmt: skip
            button(t("new.look"), self._look_at_data)

    def _look_at_data(self) -> None:
        wish = self._wish
        self._page.client.open(
            address("/training/data", uri=wish.training, model=wish.base, type=wish.type), new_tab=True
        )

    def _method(self) -> None:
        t = self._page.t
        self._choices = box("methods", role="radiogroup", aria_label=t("new.method"))
        with self._choices:
            for name, facts in self._methods.items():
                with tag("label", classes="method"):
                    made = tag("input", type="radio", value=name, checked=name == self._wish.method)
                    set_attributes(made, name="method")
                    made.on("change", partial(self._choose_method, name), args=[])
                    with box("section tight"):
                        tag("span", facts["title"], classes="strong")
                        told = (
                            t(f"methods.{name.replace('-', '_')}")
                            if name in _TOLD
                            else f"{facts['trains']}; {facts['when']}"
                        )
                        tag("span", told, classes="faint small")
        self._paper = text(self._methods[self._wish.method]["paper"], classes="faint small")

    def _about(self, name: str, facts: dict[str, Any]) -> str:
        if name in _TOLD:
            return self._page.t(f"methods.{name.replace('-', '_')}")
        return f"{facts['trains']}; {facts['when']}"

    def _choose_method(self, name: str, *_: Any) -> None:
        own = {field["name"] for field in self._methods[self._wish.method]["settings"]}
        kept = {key: value for key, value in self._wish.settings.items() if key not in own}
        self._wish = self._wish.changed(method=name, settings=kept)
        self._paper.set_text(self._methods[name]["paper"])
        self._own_place.clear()
        with self._own_place:
            self._fields(self._methods[name]["settings"])
        self._changed()

    def _draw_settings(self) -> None:
        t = self._page.t
        self._fields([each for each in self._settings if each["name"] in _FIRST])
        self._own_place = box("section")
        with self._own_place:
            self._fields(self._methods[self._wish.method]["settings"])
        with box("fold", name="details"):
            tag("summary", t("new.more"))
            self._fields([each for each in self._settings if each["name"] not in _FIRST])

    def _fields(self, fields: Sequence[dict[str, Any]]) -> None:
        with box("fields settings-fields"):
            for field in fields:
                self._setting(field)

    def _setting(self, field: dict[str, Any]) -> None:
        """One setting, as its JSON Schema says; its name is the API's, and what it does is the server's sentence."""
        name, told = field["name"], field.get("description", "")
        choices = field.get("enum")
        change = partial(self._set, name)
        default = _written(field.get("default"))
        if name == "learning_rate":
            default = f"{self._methods[self._wish.method]['learning_rate']:g}"
        if field.get("type") == "boolean":
            choices = ["false", "true"]
        if choices:
            options = {"": default, **{str(each): str(each) for each in choices if str(each) != default}}
            made = choice_field(name, options, value=self._wish.settings.get(name, ""), on_change=change)
        else:
            made = text_field(
                name, value=self._wish.settings.get(name, ""), placeholder=default, on_change=change, inputmode="text"
            )
        set_attributes(made, title=told)

    def _set(self, name: str, value: Any) -> None:
        kept = {key: held for key, held in self._wish.settings.items() if key != name}
        if str(value).strip():
            kept[name] = str(value).strip()[:2000]
        self._wish = self._wish.changed(settings=kept)
        self._changed()

    def _preflight(self) -> None:
        t = self._page.t
        with box("row"):
            self._check = button(t("new.check"), partial(self._look_ahead, measure=False))
        self._result = box("section", aria_live="polite")

    async def _look_ahead(self, *, measure: bool) -> None:
        wish, t = self._wish, self._page.t
        set_attributes(self._check, disabled=True)
        self._result.clear()
        with self._result:
            text(t("new.measuring" if measure else "new.checking"), classes="faint")
        body = {
            "model": wish.base,
            "type": wish.type,
            "training": wish.training,
            "validation": wish.validation,
            "hyperparameters": wish.members()["hyperParameters"],
            "measure": measure,
        }
        found: Any
        try:
            found = await self._page.api.post("/_rocamadre/training/preflight", body)
        except ApiFailure as failure:
            found = failure
        if self._result.is_deleted:
            return
        set_attributes(self._check, disabled=False)
        self._result.clear()
        with self._result:
            if isinstance(found, ApiFailure):
                failed(self._page, found, partial(self._look_ahead, measure=measure))
                return
            show_preflight(self._page, found)
            if found["total_s"] is None and not measure:
                button(t("new.measure"), partial(self._look_ahead, measure=True))

    def _start(self) -> None:
        t = self._page.t
        with box("fields"):
            self._name = text_field(t("new.name"), on_change=partial(self._take, "name"), classes="wide")
            self._begin = button(t("new.go"), self._go, kind="primary")
        self._told = box("section", aria_live="polite")

    async def _go(self) -> None:
        page, t = self._page, self._page.t
        self._told.clear()
        if self._wish.missing:
            with self._told:
                text(t("new.missing"), classes="wrong", role="alert")
            return
        set_attributes(self._begin, disabled=True)
        try:
            answer = await page.api.call("bedrock", "create_model_customization_job", **self._wish.members())
        except ApiFailure as failure:
            if not self._told.is_deleted:
                set_attributes(self._begin, disabled=False)
                with self._told:
                    failed(page, failure, self._go)
            return
        page.go(job_page(answer["jobArn"]))


def _written(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return ",".join(map(str, value))
    return "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)

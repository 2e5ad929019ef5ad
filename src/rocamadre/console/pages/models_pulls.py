"""Bringing models here: a form, and the pulls with how far they are."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from rocamadre.console.failures import ApiFailure
from rocamadre.console.page import Page
from rocamadre.console.parts.elements import (
    Tag,
    box,
    button,
    choice_field,
    code_block,
    heading,
    link,
    set_attributes,
    tag,
    text,
    text_field,
)
from rocamadre.console.parts.figures import JOB_LOOKS, badge
from rocamadre.console.parts.meters import Meter
from rocamadre.console.parts.states import Region, failed, region

_EVERY_S = 1.5
_SHOWN = 6
_KINDS = ("F16", "Q8_0", "Q4_0", "F32")
_ACTIVE = ("InProgress", "Stopping")


class Pulls:
    """The form and the list, drawn where it is made.

    Args:
        page: The visit.
        model_page: Address of a model's page.
        arrived: Called when a model has come.
    """

    def __init__(self, page: Page, model_page: Callable[[str], str], arrived: Callable[[], Awaitable[None]]) -> None:
        self._page = page
        self._model_page = model_page
        self._arrived = arrived
        self._wish: dict[str, str] = {"source": "", "name": "", "file": "", "kind": _KINDS[0]}
        self._done: set[str] | None = None
        self._meters: dict[str, Meter] = {}
        self._latest: dict[str, dict[str, Any]] = {}
        t = page.t
        with box("card", id_="pull"):
            heading(t("models.pull"))
            text(t("models.pull_hint"), classes="faint")
            self._form()
            self._told = box("section")
            with box("fold", name="details"):
                tag("summary", t("models.pull_command"))
                self._line = box("section")
            self._list: Region[Any] = region(page, self._load, self._show, classes="section", every_s=_EVERY_S, lines=1)
        self._write_line()

    def _form(self) -> None:
        t = self._page.t
        with box("fields"):
            text_field(
                t("models.pull_source"),
                placeholder=t("models.pull_example"),
                on_change=partial(self._take, "source"),
                classes="wide grow",
            )
            text_field(t("models.pull_name"), on_change=partial(self._take, "name"), placeholder=t("models.pull_own"))
            text_field(t("models.pull_file"), on_change=partial(self._take, "file"), placeholder=t("models.pull_any"))
            choice_field(
                t("models.pull_kind"),
                {kind: kind for kind in _KINDS},
                value=_KINDS[0],
                on_change=partial(self._take, "kind"),
            )
            self._button: Tag = button(t("models.pull_do"), self._begin, kind="primary")

    def _take(self, name: str, value: Any) -> None:
        self._wish[name] = str(value).strip()[:300]
        self._write_line()

    def _write_line(self) -> None:
        wish, t = self._wish, self._page.t
        line = f"roca models pull {quoted(wish['source'] or 'owner/name')}"
        for name in ("name", "file"):
            line += f" --{name} {quoted(wish[name])}" if wish[name] else ""
        line += f" --kind {wish['kind']}" if wish["kind"] != _KINDS[0] and wish["kind"] in _KINDS else ""
        self._line.clear()
        with self._line:
            code_block(line, label=t("layout.copy"), copied=t("layout.copied"))

    async def _begin(self) -> None:
        self._told.clear()
        if not self._wish["source"]:
            with self._told:
                text(self._page.t("models.pull_missing"), classes="wrong", role="alert")
            return
        set_attributes(self._button, disabled=True)
        await self._ask("/_rocamadre/pulls", {name: value for name, value in self._wish.items() if value})
        set_attributes(self._button, disabled=False)

    async def _ask(self, path: str, body: dict[str, str]) -> None:
        """Send something, and show the list anew or why it was refused."""
        try:
            await self._page.api.post(path, body)
        except ApiFailure as failure:
            if not self._told.is_deleted:
                self._told.clear()
                with self._told:
                    failed(self._page, failure, partial(self._again, path, body))
            return
        await self._list.refresh()

    async def _again(self, path: str, body: dict[str, str]) -> None:
        self._told.clear()
        await self._ask(path, body)

    async def _load(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await self._page.api.get(f"/_rocamadre/pulls?limit={_SHOWN}"))["pulls"]
        done = {each["id"] for each in found if each["status"] == "Completed"}
        if self._done is not None and done - self._done:
            await self._arrived()
        self._done = done
        for pull in found:
            if (meter := self._meters.get(pull["id"])) is not None:
                meter.show(*self._how_far(pull))
        self._latest = {pull["id"]: pull for pull in found}
        # What moves is left out: a list that is drawn again would take the focus away.
        return [{**pull, "step": "", "done_bytes": 0, "total_bytes": 0} for pull in found]

    def _show(self, pulls: list[dict[str, Any]]) -> None:
        self._meters.clear()
        if not pulls:
            return
        with box("list", name="ul", aria_label=self._page.t("models.pulls")):
            for pull in pulls:
                with box("list-item pull", name="li"):
                    self._one(pull)

    def _one(self, pull: dict[str, Any]) -> None:
        t = self._page.t
        active = pull["status"] in _ACTIVE
        with box("section tight grow"):
            tag("span", pull["name"] or pull["source"], classes="strong hostile")
            if pull["name"]:
                tag("span", pull["source"], classes="faint small hostile")
            if active:
                meter = self._meters[pull["id"]] = Meter(t("models.pull_progress"))
                meter.show(*self._how_far(self._latest[pull["id"]]))
            if pull["message"]:
                text(pull["message"], classes="faint small hostile")
        with box("section tight end"):
            badge(t(f"models.pull_{pull['status']}"), JOB_LOOKS.get(pull["status"], "accent"))
            path = f"/_rocamadre/pulls/{pull['id']}/stop"
            if pull["status"] == "InProgress":
                button(t("models.pull_stop"), partial(self._ask, path, {}), kind="quiet", symbol="stop")
            elif pull["status"] == "Completed":
                link(t("models.pull_look"), self._model_page(pull["model_id"]))
            elif not active:
                button(t("models.pull_again"), partial(self._ask, "/_rocamadre/pulls", _same(pull)), symbol="refresh")

    def _how_far(self, pull: dict[str, Any]) -> tuple[float | None, str]:
        t, done, total = self._page.t, pull["done_bytes"], pull["total_bytes"]
        if pull["step"] == "fetch" and total:
            return done / total, t("models.pull_bytes", done=t.size(done), total=t.size(total))
        return None, t("models.pull_checking" if pull["step"] == "check" else "models.pull_waiting")


def _same(pull: dict[str, Any]) -> dict[str, str]:
    return {name: pull[name] for name in ("source", "name", "owner", "file", "revision", "kind") if pull[name]}


def quoted(source: str) -> str:
    """For a shell: as it is when harmless, else in quotes."""
    if source and all(letter.isascii() and (letter.isalnum() or letter in "-._:/@~+") for letter in source):
        return source
    return "'" + source.replace("'", "'\"'\"'") + "'"

"""One guardrail: try it on a text or a model's stream, change its policies, number and delete it."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

from rocamadre.console.failures import ApiFailure
from rocamadre.console.guardrails.asking import DRAFT, get_guardrail, list_versions
from rocamadre.console.guardrails.code import write_version
from rocamadre.console.guardrails.draft import used
from rocamadre.console.page import Page
from rocamadre.console.pages.guardrails import LOOKS, guardrail_page, moment
from rocamadre.console.pages.guardrails_edit import edit_view, where
from rocamadre.console.pages.guardrails_stream import stream_view
from rocamadre.console.pages.guardrails_try import try_view
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
    text_field,
)
from rocamadre.console.parts.figures import badge
from rocamadre.console.parts.states import failed, region

VIEWS = ("try", "stream", "policies", "versions")


async def build(page: Page) -> None:
    """Draw the page."""
    with tag("a", classes="back", href="/guardrails"):
        icon("back")
        tag("span", page.t("guardrails.back"))
    region(page, partial(_load, page), partial(_draw, page), classes="section", lines=8)


async def _load(page: Page) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    name = page.values["guardrail"]
    told, versions = await asyncio.gather(
        get_guardrail(page.api, name, page.query.get("version", DRAFT)), list_versions(page.api, name)
    )
    return told, versions


def _draw(page: Page, found: tuple[dict[str, Any], list[dict[str, Any]]]) -> None:
    told, versions = found
    t, identifier, version = page.t, told["guardrailId"], told["version"]
    view = page.query.get("view", "")
    view = view if view in VIEWS else VIEWS[0]
    with box("row spread"):
        with box("section tight"):
            with box("row"):
                heading(told["name"], classes="hostile")
                badge(told["status"], LOOKS.get(told["status"], "accent"))
            with box("row"):
                tag("span", identifier, classes="faint small mono")
                for policy, count in used(told):
                    badge(f"{t(f'policies.{policy}')} {t.number(count)}")
        numbers = {each["version"]: each["version"] for each in versions}
        choice_field(t("guardrails.version"), numbers, value=version,
                     on_change=lambda chosen: page.go(page.path, view=view, version=str(chosen)))  # fmt: skip
    if told.get("description"):
        text(told["description"], classes="hostile faint")
    with box("tabs", name="nav", aria_label=t("guardrails.views")):
        for name in VIEWS:
            to = guardrail_page(identifier, view=name, version="" if version == DRAFT else version)
            link(t(f"guardrails.view_{name}"), to, classes="tab", aria_current="page" if name == view else None)
    if view == "try":
        try_view(page, told)
    elif view == "stream":
        stream_view(page, told)
    elif view == "policies":
        edit_view(page, identifier, version)
    else:
        _Versions(page, told, versions)


class _Versions:
    """The numbered versions, how to make one, and how to be rid of all."""

    def __init__(self, page: Page, told: dict[str, Any], versions: list[dict[str, Any]]) -> None:
        self._page, self._id, self._name = page, told["guardrailId"], told["name"]
        self._description = ""
        t = page.t
        with box("card"):
            heading(t("guardrails.new_version"))
            text(t("guardrails.new_version_hint"), classes="faint small")
            with box("fields"):
                text_field(t("policies.description"), on_change=self._describe, maxlength=200, classes="grow",
                           placeholder=t("guardrails.new_version_example"))  # fmt: skip
                button(t("guardrails.make_version"), self._make, kind="primary", symbol="plus")
            with box("fold", name="details"):
                tag("summary", t("new.program"))
                code_block(write_version(where(page), self._id), label=t("layout.copy"), copied=t("layout.copied"))
        self._told = box("section", aria_live="polite")
        self._list(versions)
        with box("fold", name="details"):
            tag("summary", t("guardrails.delete_all"))
            text(t("guardrails.delete_hint"), classes="faint")
            button(t("guardrails.delete_now", name=self._name), partial(self._delete, ""), kind="danger",
                   symbol="close")  # fmt: skip

    def _list(self, versions: list[dict[str, Any]]) -> None:
        t = self._page.t
        with box("table-box", tabindex="0", role="region", aria_label=t("guardrails.versions")):
            with tag("table", classes="table"):
                with tag("thead"), tag("tr"):
                    for name in ("version", "description", "changed", "delete"):
                        tag("th", t(f"{'policies' if name == 'description' else 'guardrails'}.{name}"), scope="col")
                with tag("tbody"):
                    for each in versions:
                        with tag("tr"):
                            self._row(each)

    def _row(self, each: dict[str, Any]) -> None:
        t, number = self._page.t, each["version"]
        with tag("td"):
            link(number, guardrail_page(self._id, view="policies", version="" if number == DRAFT else number))
        tag("td", each.get("description", ""), classes="hostile")
        tag("td", moment(each["updatedAt"]), classes="one-line")
        with tag("td"):
            if number != DRAFT:
                with box("fold", name="details"):
                    tag("summary", t("guardrails.delete"), aria_label=t("guardrails.delete_version", version=number))
                    button(t("guardrails.delete_version", version=number), partial(self._delete, number),
                           kind="danger", symbol="close")  # fmt: skip

    def _describe(self, words: Any) -> None:
        self._description = str(words).strip()[:200]

    async def _make(self) -> None:
        more = {"description": self._description} if self._description else {}
        await self._do("create_guardrail_version", self._page.path, **more)

    async def _delete(self, version: str) -> None:
        more = {"guardrailVersion": version} if version else {}
        await self._do("delete_guardrail", self._page.path if version else "/guardrails", **more)

    async def _do(self, operation: str, then: str, **more: Any) -> None:
        """Ask for one thing, and open a page when it is done."""
        page = self._page
        self._told.clear()
        try:
            await page.api.call("bedrock", operation, guardrailIdentifier=self._id, **more)
        except ApiFailure as failure:
            if not self._told.is_deleted:
                with self._told:
                    failed(page, failure, partial(self._do, operation, then, **more))
            return
        page.go(then, **({"view": "versions"} if then == page.path else {}))

"""Guardrails: those that are here, and how to make one."""

from __future__ import annotations

from functools import partial
from typing import Any
from urllib.parse import quote

from rocamadre.console.guardrails.asking import DRAFT, Line, list_guardrails
from rocamadre.console.page import Page, address
from rocamadre.console.parts.elements import box, heading, icon, link, tag, text
from rocamadre.console.parts.figures import badge
from rocamadre.console.parts.states import empty, region
from rocamadre.console.parts.tables import Column, Table

LOOKS = {"READY": "good", "FAILED": "bad"}
"""How the status of a guardrail is coloured; others are under way."""
STARTS = ("sensible", "blank")


def guardrail_page(identifier: str, **query: str) -> str:
    """Address of a guardrail's page."""
    return address(f"/guardrails/{quote(identifier, safe='')}", **query)


async def build(page: Page) -> None:
    """Draw the page."""
    t = page.t
    text(t("guardrails.lead"), classes="lead")
    region(page, partial(list_guardrails, page.api), partial(_show, page), classes="section", lines=4)
    with box("cards"):
        for start in STARTS:
            _card(t(f"guardrails.start_{start}"), t(f"guardrails.start_{start}_hint"), "plus",
                  t("guardrails.begin"), address("/guardrails/new", start=start))  # fmt: skip
        _card(t("redteam.title"), t("redteam.card"), "warning", t("redteam.open"), "/guardrails/red-team")


def _card(title: str, hint: str, symbol: str, action: str, where: str) -> None:
    with box("card trial"):
        with box("row"):
            icon(symbol, classes="icon trial-icon")
            heading(title, level=3)
        text(hint, classes="faint small")
        link(action, where, classes="button", aria_label=f"{action}: {title}")


def _show(page: Page, found: list[Line]) -> None:
    t = page.t
    if not found:
        empty(t("guardrails.none"), t("guardrails.none_hint"))
        return
    columns: list[Column[Line]] = [
        Column("name", t("guardrails.name"), _name, lambda each: each.told["name"].casefold()),
        Column("policies", t("guardrails.policies"), partial(_policies, page), lambda each: len(each.policies)),
        Column("versions", t("guardrails.versions"), _versions, lambda each: len(each.versions)),
        Column("changed", t("guardrails.changed"), _changed, lambda each: str(each.told["updatedAt"])),
        Column("status", t("jobs.status"), _status, lambda each: each.told["status"]),
    ]
    Table(page, t("guardrails.title"), columns, words=_words, size=25).fill(found)


def _words(each: Line) -> str:
    return f"{each.told['name']} {each.told['id']} {each.told.get('description', '')}"


def _name(each: Line) -> None:
    link(each.told["name"], guardrail_page(each.told["id"]), classes="hostile")
    tag("div", each.told["id"], classes="faint small mono")
    if each.told.get("description"):
        tag("div", each.told["description"], classes="faint small hostile")


def _policies(page: Page, each: Line) -> None:
    with box("row tight"):
        for policy, count in each.policies:
            badge(f"{page.t(f'policies.{policy}')} {page.t.number(count)}")


def _versions(each: Line) -> str:
    return ", ".join([DRAFT, *each.versions[:4]]) + (" …" if len(each.versions) > 4 else "")


def _changed(each: Line) -> str:
    return moment(each.told["updatedAt"])


def moment(at: Any) -> str:
    """A timestamp to the minute, as it came."""
    return str(at)[:16].replace("T", " ")


def _status(each: Line) -> None:
    badge(each.told["status"], LOOKS.get(each.told["status"], "accent"))

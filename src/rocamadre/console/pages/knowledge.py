"""Knowledge bases: those that are here, and how to make one."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

from rocamadre.console.api import Api
from rocamadre.console.failures import ApiFailure
from rocamadre.console.knowledge import base_page, create_base
from rocamadre.console.page import Page
from rocamadre.console.parts.elements import box, button, choice_field, heading, link, tag, text, text_field
from rocamadre.console.parts.figures import badge
from rocamadre.console.parts.states import empty, failed, region
from rocamadre.console.parts.tables import Column, Table

_EVERY_S = 5.0
STATUS_LOOKS = {"ACTIVE": "good", "INDEXED": "good", "COMPLETE": "good", "FAILED": "bad", "STOPPED": "warn"}
"""How the status of a knowledge base, a document or an ingestion is coloured; others are under way."""


async def build(page: Page) -> None:
    """Draw the page."""
    text(page.t("knowledge.lead"), classes="lead")
    load = partial(page.api.get, "/_rocamadre/knowledge-bases")
    region(page, load, partial(_show, page), classes="section", every_s=_EVERY_S, lines=4)
    region(page, partial(_embedders, page.api), partial(_Maker, page), classes="section", lines=2)


async def _embedders(api: Api) -> list[str]:
    models = (await api.get("/_rocamadre/models"))["models"]
    found = [model["id"] for model in models if "EMBEDDING" in model["output_modalities"]]
    # What hashes words instead of reading them is for tests; it comes last.
    return sorted(found, key=lambda model: ("fake" in model, model))


def _show(page: Page, found: dict[str, Any]) -> None:
    t = page.t
    bases = found["knowledge_bases"]
    if not bases:
        empty(t("knowledge.none"), t("knowledge.none_hint"))
        return
    columns: list[Column[dict[str, Any]]] = [
        Column("name", t("knowledge.name"), _name, lambda each: each["name"].casefold()),
        Column("documents", t("knowledge.documents"), partial(_documents, page), _count, number=True),
        Column("embedder", t("knowledge.embedder"), lambda each: each["embedder"] or "—"),
        Column("changed", t("knowledge.changed"), lambda each: str(each["updated_at"])[:16].replace("T", " "),
               lambda each: each["updated_at"]),
        Column("status", t("jobs.status"), _status, lambda each: each["status"]),
    ]  # fmt: skip
    Table(page, t("knowledge.title"), columns, words=lambda each: f"{each['name']} {each['id']}", size=25).fill(bases)


def _name(base: dict[str, Any]) -> None:
    link(base["name"], base_page(base["id"]), classes="hostile")
    tag("div", base["id"], classes="faint small mono")


def _count(base: dict[str, Any]) -> int:
    return sum(base["documents"].values())


def _documents(page: Page, base: dict[str, Any]) -> str:
    return page.t.number(_count(base))


def _status(base: dict[str, Any]) -> None:
    badge(base["status"], STATUS_LOOKS.get(base["status"], "accent"))


class _Maker:
    """The form that makes a knowledge base."""

    def __init__(self, page: Page, embedders: list[str]) -> None:
        self._page, self._name, self._embedder = page, "", next(iter(embedders), "")
        t = page.t
        with box("card"):
            heading(t("knowledge.new"))
            if not embedders:
                text(t("knowledge.no_embedder"), classes="faint")
                return
            text(t("knowledge.new_hint"), classes="faint small")
            with box("fields"):
                text_field(t("knowledge.name"), on_change=self._call, placeholder=t("knowledge.name_example"))
                choice_field(
                    t("knowledge.embedder"), {each: each for each in embedders}, value=self._embedder,
                    on_change=self._choose,
                )  # fmt: skip
                button(t("knowledge.make"), self._make, kind="primary", symbol="plus")
            self._told = box("section", aria_live="polite")

    def _call(self, name: Any) -> None:
        self._name = str(name).strip()[:100]

    def _choose(self, embedder: Any) -> None:
        self._embedder = str(embedder)

    async def _make(self) -> None:
        page = self._page
        self._told.clear()
        if not self._name:
            with self._told:
                text(page.t("knowledge.name_missing"), classes="wrong", role="alert")
            return
        try:
            made = await asyncio.to_thread(create_base, page.api, self._name, self._embedder)
        except ApiFailure as failure:
            if not self._told.is_deleted:
                with self._told:
                    failed(page, failure, self._make)
            return
        page.go(base_page(made))

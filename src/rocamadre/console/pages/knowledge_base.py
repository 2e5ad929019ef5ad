"""One knowledge base: ask it, fill it, watch what is read, and find its documents."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import quote, urlencode

from nicegui import ui
from nicegui.events import MultiUploadEventArguments

from rocamadre.console.failures import ApiFailure
from rocamadre.console.knowledge import (
    MOST_BYTES,
    add_files,
    base_page,
    delete_base,
    document_page,
    is_over,
    start_ingestion,
    stop_ingestion,
)
from rocamadre.console.page import Page
from rocamadre.console.pages.knowledge import STATUS_LOOKS
from rocamadre.console.pages.knowledge_ask import Asker
from rocamadre.console.parts.elements import box, button, choice_field, heading, icon, link, tag, text, text_field
from rocamadre.console.parts.figures import badge, facts, figures
from rocamadre.console.parts.states import empty, failed, region

_EVERY_S = 1.5
_LISTED = 50
_STATUSES = ("INDEXED", "PENDING", "FAILED", "IGNORED", "PARTIALLY_INDEXED")
_COUNTS = ("Scanned", "Indexed", "Deleted", "Failed")
_STATISTICS = {
    "Scanned": ("numberOfDocumentsScanned",),
    "Indexed": ("numberOfNewDocumentsIndexed", "numberOfModifiedDocumentsIndexed"),
    "Deleted": ("numberOfDocumentsDeleted",),
    "Failed": ("numberOfDocumentsFailed",),
}


async def build(page: Page) -> None:
    """Draw the page."""
    with tag("a", classes="back", href="/knowledge"):
        icon("back")
        tag("span", page.t("knowledge.back"))
    region(page, partial(page.api.get, _path(page.values["base"])), partial(_draw, page), classes="section", lines=8)


def _path(base: str) -> str:
    return f"/_rocamadre/knowledge-bases/{quote(base, safe='')}"


def _draw(page: Page, base: dict[str, Any]) -> None:
    Asker(page, base)
    _Files(page, base)
    load = partial(page.api.get, _path(base["id"]))
    region(page, load, partial(_show, page), classes="section", every_s=_EVERY_S, lines=4)
    _Documents(page, base["id"])
    _Deletion(page, base)


def _show(page: Page, base: dict[str, Any]) -> None:
    t = page.t
    with box("card"):
        with box("row"):
            heading(base["name"], classes="hostile")
            badge(base["status"], STATUS_LOOKS.get(base["status"], "accent"))
        counted = [(t("knowledge.documents"), t.number(sum(base["documents"].values())))]
        if "chunks" in base:
            counted.append((t("knowledge.chunks"), t.number(base["chunks"])))
        if base.get("size_bytes") is not None:
            counted.append((t("knowledge.on_disk"), t.size(base["size_bytes"])))
        figures(counted)
        facts(
            {
                t("job.id"): base["id"],
                t("knowledge.embedder"): base["embedder"] or "",
                t("knowledge.languages"): ", ".join(
                    f"{name or '?'} {t.number(count)}" for name, count in base.get("languages", {}).items()
                ),
                t("knowledge.store"): base["mapping"] or base["store"] or "",
            }
        )
        for source in base["data_sources"]:
            _source(page, base["id"], source)


def _source(page: Page, base: str, source: dict[str, Any]) -> None:
    t, job = page.t, source["last_job"]
    running = job is not None and not is_over(job)
    with box("section tight"):
        with box("row spread"):
            with box("row"):
                tag("h3", source["name"], classes="hostile")
                tag("span", source["type"], classes="faint small")
                if job is not None:
                    badge(job["status"], STATUS_LOOKS.get(job["status"], "accent"))
            if running and job is not None:
                act = partial(stop_ingestion, page.api, base, source["id"], job["id"])
                button(t("jobs.stop"), partial(_do, page, act), symbol="stop")
            elif source["type"] != "CUSTOM" or source["loader"]:
                act = partial(start_ingestion, page.api, base, source["id"])
                button(t("knowledge.sync"), partial(_do, page, act), symbol="refresh")
        if job is None:
            return
        found = job["statistics"]
        said = [
            f"{t(f'knowledge.count_{name}')} {t.number(sum(found.get(each, 0) for each in _STATISTICS[name]))}"
            for name in _COUNTS
        ]
        text(" · ".join(said), classes="faint small")
        if running:
            tag("progress", classes="meter-bar", aria_label=t("jobs.progress"))
        for failure in job["failures"]:
            text(str(failure), classes="wrong small hostile")


async def _do(page: Page, act: Callable[[], None]) -> None:
    try:
        await asyncio.to_thread(act)
    except ApiFailure as failure:
        ui.notify(failure.message, type="negative")


class _Files:
    """Where files are dropped."""

    def __init__(self, page: Page, base: dict[str, Any]) -> None:
        self._page, self._base = page, base
        t = page.t
        if base["type"] != "VECTOR":
            return
        with box("card"):
            heading(t("knowledge.add"))
            self._uploader = ui.upload(
                multiple=True, auto_upload=True, max_file_size=MOST_BYTES, on_multi_upload=self._take,
                on_rejected=self._refuse,
            ).classes("uploader")  # fmt: skip
            # Files dropped on the area go the way of those that were picked.
            area = tag("button", classes="drop", type="button")
            with area:
                icon("file")
                tag("span", t("knowledge.drop"))
                tag("span", t("knowledge.drop_hint", size=t.size(MOST_BYTES)), classes="faint small")
            area.on("click", js_handler=f"() => getElement({self._uploader.id}).pickFiles()")
            area.on("dragover", js_handler="(event) => event.preventDefault()")
            area.on(
                "drop",
                js_handler=f"(event) => {{ event.preventDefault(); "
                f"getElement({self._uploader.id}).$refs.qRef.addFiles(event.dataTransfer.files); }}",
            )
            self._told = box("section", aria_live="polite")

    async def _take(self, event: MultiUploadEventArguments) -> None:
        page = self._page
        files = [(each.name.replace("\\", "/").rpartition("/")[2], await each.read()) for each in event.files]
        self._uploader.reset()
        try:
            base = await page.api.get(_path(self._base["id"]))
            await asyncio.to_thread(add_files, page.api, base, files)
        except ApiFailure as failure:
            self._tell(partial(failed, page, failure, self._forget))
            return
        t = page.t
        self._tell(lambda: text(t("knowledge.added", count=t.number(len(files))), classes="faint"))

    async def _forget(self) -> None:
        self._told.clear()

    def _refuse(self) -> None:
        t = self._page.t
        self._tell(lambda: text(t("knowledge.too_large", size=t.size(MOST_BYTES)), classes="wrong", role="alert"))

    def _tell(self, draw: Callable[[], Any]) -> None:
        if self._told.is_deleted:
            return
        self._told.clear()
        with self._told:
            draw()


class _Documents:
    """What became of each document, a part of the list at a time."""

    def __init__(self, page: Page, base: str) -> None:
        self._page, self._base = page, base
        t, query = page.t, page.query
        heading(t("knowledge.documents"))
        with box("fields"):
            text_field(
                t("tables.find"), value=query.get("find", ""), kind="search",
                on_change=lambda words: self._go(find=str(words)[:200]),
            )  # fmt: skip
            choice_field(
                t("jobs.status"),
                {"": t("knowledge.any_status"), **{each: each for each in _STATUSES}},
                value=query.get("status", "") if query.get("status") in _STATUSES else "",
                on_change=lambda status: self._go(status=str(status)),
            )
        wanted = {name: query[name] for name in ("find", "status", "after") if query.get(name)}
        path = f"{_path(base)}/documents?{urlencode({**wanted, 'limit': _LISTED})}"
        region(page, partial(page.api.get, path), self._show, classes="section", every_s=2 * _EVERY_S, lines=3)

    def _go(self, **changed: str) -> None:
        kept = {name: self._page.query.get(name, "") for name in ("find", "status")}
        self._page.go(base_page(self._base), **(kept | changed))

    def _show(self, found: dict[str, Any]) -> None:
        t, query = self._page.t, self._page.query
        documents = found["documents"]
        if not documents:
            sought = any(query.get(name) for name in ("find", "status", "after"))
            empty(t("knowledge.empty"), t("tables.nothing" if sought else "knowledge.empty_hint"))
            return
        names = ("document", "status", "changed")
        with box("table-box", tabindex="0", role="region", aria_label=t("knowledge.documents")):
            with tag("table", classes="table"):
                with tag("thead"), tag("tr"):
                    for name in names:
                        tag("th", t("jobs.status" if name == "status" else f"knowledge.{name}"), scope="col")
                with tag("tbody"):
                    for each in documents:
                        with tag("tr"):
                            self._row(each)
        with box("row"):
            kept = {name: query.get(name, "") for name in ("find", "status")}
            if query.get("after"):
                link(t("knowledge.first"), base_page(self._base, **kept), classes="button")
            if "next" in found:
                link(t("tables.after"), base_page(self._base, **kept, after=found["next"]), classes="button")

    def _row(self, document: dict[str, Any]) -> None:
        with tag("td"):
            if document["status"] in ("INDEXED", "PARTIALLY_INDEXED", "METADATA_UPDATE_FAILED"):
                link(document["id"], document_page(self._base, document["id"], document["data_source"]),
                     classes="hostile")  # fmt: skip
            else:
                tag("span", document["id"], classes="hostile")
            if document["reason"]:
                text(document["reason"], classes="wrong small hostile")
        with tag("td"):
            badge(document["status"], STATUS_LOOKS.get(document["status"], "accent"))
        tag("td", str(document["updated_at"])[:19].replace("T", " "), classes="one-line")


class _Deletion:
    """How to be rid of all of it; folded away, since there is no way back."""

    def __init__(self, page: Page, base: dict[str, Any]) -> None:
        self._page, self._base = page, base["id"]
        t = page.t
        with box("fold", name="details"):
            tag("summary", t("knowledge.delete"))
            text(t("knowledge.delete_hint"), classes="faint")
            button(t("knowledge.delete_now", name=base["name"]), self._delete, kind="danger", symbol="close")
            self._told = box("section", aria_live="polite")

    async def _delete(self) -> None:
        page = self._page
        self._told.clear()
        try:
            await asyncio.to_thread(delete_base, page.api, self._base)
        except ApiFailure as failure:
            if not self._told.is_deleted:
                with self._told:
                    failed(page, failure, self._delete)
            return
        page.go("/knowledge")

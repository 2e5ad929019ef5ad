"""Data and training: the data sets that are here, the trainings, and the ways to begin."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

from nicegui import ui
from nicegui.events import UploadEventArguments

from rocamadre.console.api import Api
from rocamadre.console.failures import ApiFailure
from rocamadre.console.page import Page, address
from rocamadre.console.pages.jobs import JobList
from rocamadre.console.parts.elements import box, heading, icon, link, tag, text, text_field
from rocamadre.console.parts.states import Region, empty, failed, region
from rocamadre.console.parts.tables import Column, Table
from rocamadre.console.wish import BUCKET, DATA_PREFIX, DATA_SUFFIXES, data_key

MOST_BYTES = 100_000_000
_FEEDBACK = "rocamadre-feedback"
_MOST_LISTED = 5000
_THERE = frozenset({"BucketAlreadyOwnedByYou", "BucketAlreadyExists"})
_GONE = frozenset({"NoSuchBucket", "404"})


async def build(page: Page) -> None:
    """Draw the page."""
    t = page.t
    with box("row spread"):
        text(t("training.lead"), classes="lead")
        with tag("a", classes="button primary", href="/training/new"):
            icon("plus")
            tag("span", t("training.begin"))
    with box("card"):
        heading(t("training.data"))
        text(t("training.data_hint"), classes="faint small")
        _DataSets(page)
    heading(t("training.trainings"))
    jobs = JobList(page, kind="customization", compare=True)
    jobs.draw()


class _DataSets:
    """Files in the bucket, and how to add one."""

    def __init__(self, page: Page) -> None:
        self._page = page
        t = page.t
        self._uploader = ui.upload(
            auto_upload=True, max_file_size=MOST_BYTES, on_upload=self._take, on_rejected=self._refuse
        ).classes("uploader")
        self._uploader.props["accept"] = ",".join(DATA_SUFFIXES)
        with box("row"):
            made = tag("button", classes="button", type="button")
            with made:
                icon("file")
                tag("span", t("training.upload"))
            made.on("click", js_handler=f"() => getElement({self._uploader.id}).pickFiles()")
            tag("span", t("training.upload_hint", size=t.size(MOST_BYTES)), classes="faint small")
        self._told = box("section", aria_live="polite")
        self._list: Region[Any] = region(page, partial(list_data, page.api), self._show, classes="section", lines=3)
        with box("fold", name="details"):
            tag("summary", t("training.elsewhere"))
            text_field(
                t("training.uri"), placeholder="s3://", classes="wide",
                on_change=lambda uri: page.go("/training/data", uri=str(uri).strip()[:1200]),
            )  # fmt: skip

    async def _take(self, event: UploadEventArguments) -> None:
        page, name = self._page, event.file.name
        key = data_key(name)
        if not key:
            self._refuse()
            return
        self._uploader.reset()
        try:
            await asyncio.to_thread(_put, page.api, key, await event.file.read())
        except ApiFailure as failure:
            if not self._told.is_deleted:
                self._told.clear()
                with self._told:
                    failed(page, failure, self._list.refresh)
            return
        page.go("/training/data", uri=f"s3://{BUCKET}/{key}")

    def _refuse(self) -> None:
        t = self._page.t
        self._told.clear()
        with self._told:
            text(
                t("training.refused", size=t.size(MOST_BYTES), formats=", ".join(DATA_SUFFIXES)),
                classes="wrong",
                role="alert",
            )

    def _show(self, found: list[dict[str, Any]]) -> None:
        t = self._page.t
        if not found:
            empty(t("training.no_data"), t("training.no_data_hint"))
            return
        columns: list[Column[dict[str, Any]]] = [
            Column("file", t("training.file"), _name, lambda each: each["uri"].casefold()),
            Column("size", t("models.size"), lambda each: t.size(each["size"]), lambda each: each["size"], number=True),
            Column("put", t("training.put"), lambda each: t.moment(each["at"]), lambda each: each["at"]),
            Column("do", t("jobs.do"), partial(_do, self._page)),
        ]
        Table(self._page, t("training.data"), columns, words=lambda each: str(each["uri"]), size=10).fill(found)


def _name(found: dict[str, Any]) -> None:
    link(found["uri"].rpartition("/")[2], address("/training/data", uri=found["uri"]), classes="hostile")
    tag("div", found["uri"], classes="faint small mono hostile")


def _do(page: Page, found: dict[str, Any]) -> None:
    link(page.t("training.use"), address("/training/new", training=found["uri"]))


async def list_data(api: Api) -> list[dict[str, Any]]:
    """Data sets in the buckets of the console, newest first.

    Raises:
        ApiFailure: it was refused, or nothing answers.
    """
    found = await asyncio.gather(
        asyncio.to_thread(list_objects, api, BUCKET, DATA_PREFIX),
        asyncio.to_thread(list_objects, api, _FEEDBACK, DATA_PREFIX),
    )
    return sorted((each for some in found for each in some), key=lambda each: each["at"], reverse=True)


def list_objects(api: Api, bucket: str, prefix: str) -> list[dict[str, Any]]:
    """Objects with their size and time; none where there is no such bucket. Blocks.

    Raises:
        ApiFailure: it was refused, or nothing answers.
    """
    found: list[dict[str, Any]] = []
    more: dict[str, str] = {}
    try:
        while len(found) < _MOST_LISTED:
            answer = api.call_now("s3", "list_objects_v2", Bucket=bucket, Prefix=prefix, **more)
            found += [
                {"uri": f"s3://{bucket}/{each['Key']}", "size": each["Size"], "at": each["LastModified"]}
                for each in answer.get("Contents", ())
            ]
            if not answer.get("IsTruncated"):
                break
            more = {"ContinuationToken": answer["NextContinuationToken"]}
    except ApiFailure as failure:
        if failure.code not in _GONE:
            raise
    return found


def _put(api: Api, key: str, data: bytes) -> None:
    try:
        api.call_now("s3", "create_bucket", Bucket=BUCKET)
    except ApiFailure as failure:
        if failure.code not in _THERE:
            raise
    api.call_now("s3", "put_object", Bucket=BUCKET, Key=key, Body=data)

"""One job: how far it is, its curves, what it writes, and how to stop it."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any
from urllib.parse import quote

from rocamadre.console.failures import ApiFailure
from rocamadre.console.page import Page, address
from rocamadre.console.pages.jobs import how_far, job_badge, kind_name, over
from rocamadre.console.parts.curves import Curve, curves
from rocamadre.console.parts.elements import box, button, heading, icon, link, tag, text
from rocamadre.console.parts.figures import facts
from rocamadre.console.parts.meters import Meter
from rocamadre.console.parts.states import Region, failed, region

_EVERY_S = 2.0
_LONGEST_LOG = 20_000


async def build(page: Page) -> None:
    """Draw the page."""
    with tag("a", classes="back", href="/jobs"):
        icon("back")
        tag("span", page.t("job.back"))
    JobView(page, page.values["job"])


class JobView:
    """A job, asked for again until it is over.

    Args:
        page: The visit.
        job_id: ARN or id.
    """

    def __init__(self, page: Page, job_id: str) -> None:
        self._page = page
        self._path = f"/_rocamadre/jobs/{quote(job_id, safe='')}"
        self._meter: Meter | None = None
        self._latest: dict[str, Any] = {}
        self._over = False
        self._told = box("section", aria_live="polite")
        self._head: Region[Any] = region(page, self._load, self._show, classes="section", every_s=_EVERY_S, lines=6)
        self._curves: Region[Any] = region(page, self._progress, self._draw, every_s=_EVERY_S, lines=1)
        with box("section fold", name="details") as fold:
            tag("summary", page.t("job.log"))
            self._log = box("section")
        fold.on("toggle", self._read_log, js_handler="(event) => emit(event.target.open)")

    async def _load(self) -> dict[str, Any]:
        if not self._over:
            self._latest = await self._page.api.get(self._path)
            self._over = over(self._latest)
        if self._meter is not None:
            self._meter.show(*how_far(self._page, self._latest))
        return {**self._latest, "progress": None}

    def _show(self, job: dict[str, Any]) -> None:
        t = self._page.t
        with box("card"):
            with box("row spread"):
                with box("row"):
                    heading(job["name"] or job["id"], classes="hostile")
                    job_badge(job["status"])
                with box("row"):
                    if job.get("can_stop"):
                        button(t("jobs.stop"), partial(self._ask, "stop"), symbol="stop")
                    if job.get("can_resume"):
                        button(t("job.resume"), partial(self._ask, "resume"), kind="primary", symbol="refresh")
                    if job["status"] == "Completed" and job.get("model"):
                        link(t("training.try"), address("/playground", models=job["model"]), classes="button primary")
            if not over(job):
                self._meter = Meter(t("jobs.progress"))
                self._meter.show(*how_far(self._page, self._latest))
            if job["reason"]:
                text(job["reason"], classes="hostile wrong")
            facts(
                {
                    t("jobs.kind"): kind_name(self._page, job["kind"]),
                    t("job.id"): job["id"],
                    t("jobs.began"): f"{t.moment(datetime.fromisoformat(job['created_at']))} UTC",
                    t("job.ended"): f"{t.moment(datetime.fromisoformat(job['ended_at']))} UTC" if over(job) else "",
                    t("training.base"): str(job.get("base") or ""),
                    t("training.result"): str(job.get("model") or "") if job["status"] == "Completed" else "",
                }
            )
        if settings := job.get("settings"):
            with box("section fold", name="details"):
                tag("summary", t("training.settings"))
                facts({str(name): _written(value) for name, value in settings.items()}, classes="mono small")

    async def _progress(self) -> dict[str, Any]:
        found: dict[str, Any] = self._latest.get("progress") or {}
        return found

    def _draw(self, progress: dict[str, Any]) -> None:
        if progress:
            job_curves(self._page, progress)
        if warnings := progress.get("warnings"):
            with box("card section"):
                heading(self._page.t("job.warnings"))
                for warning in warnings:
                    text(warning, classes="faint hostile")

    async def _ask(self, what: str) -> None:
        self._told.clear()
        try:
            await self._page.api.post(f"{self._path}/{what}", {})
        except ApiFailure as failure:
            if not self._told.is_deleted:
                with self._told:
                    failed(self._page, failure, partial(self._ask, what))
            return
        self._over = False
        await self._head.refresh()

    async def _read_log(self, event: Any) -> None:
        if event.args is not True:
            return
        t = self._page.t
        self._log.clear()
        try:
            written = str(await self._page.api.get(f"{self._path}/logs"))
        except ApiFailure as failure:
            with self._log:
                failed(self._page, failure, partial(self._read_log, event))
            return
        if self._log.is_deleted:
            return
        with self._log:
            if written.strip():
                with box("code-block"):
                    tag("pre", written[-_LONGEST_LOG:], tabindex="0", classes="hostile")
            else:
                text(t("job.no_log"), classes="faint")


def job_curves(page: Page, progress: dict[str, Any]) -> None:
    """Loss, validation loss, learning rate and gradient norm, as far as they are known."""
    t = page.t
    steps = float(progress.get("steps") or 0)
    plots = (
        ("loss", [("losses", "job.training_loss", False), ("validation_losses", "job.validation_loss", True)], 3),
        ("learning_rate", [("learning_rates", "job.learning_rate", False)], 2),
        ("gradient_norm", [("gradient_norms", "job.gradient_norm", False)], 2),
    )
    with box("columns"):
        for name, lines, digits in plots:
            drawn = [
                Curve(t(words), _points(progress.get(key)), "second" if dots else "", dots)
                for key, words, dots in lines
            ]
            if not any(each.points for each in drawn):
                continue
            with box("card"):
                heading(t(f"job.{name}"))
                curves(
                    t(f"job.{name}"),
                    drawn,
                    show=partial(_number, page, digits),
                    steps=lambda step: t("job.step", step=t.number(step)),
                    most_steps=steps,
                    from_zero=name != "loss",
                )


def _written(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _number(page: Page, digits: int, value: float) -> str:
    if 0 < abs(value) < 0.01:
        digits = max(digits, 1 - math.floor(math.log10(abs(value))))
        return page.t.number(value, digits=digits)
    return page.t.number(value, digits=min(digits, 3))


def _points(found: Sequence[Sequence[float]] | None) -> list[tuple[float, float]]:
    return [(float(step), float(value)) for step, value in found or () if value is not None]

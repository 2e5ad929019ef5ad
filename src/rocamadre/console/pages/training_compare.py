"""Trainings side by side: their curves in one picture each, and the settings in which they differ."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from functools import partial
from typing import Any
from urllib.parse import quote

from rocamadre.console.page import Page, address
from rocamadre.console.pages.jobs import MOST_COMPARED, job_badge, job_page
from rocamadre.console.parts.curves import LOOKS, Curve, curves
from rocamadre.console.parts.elements import box, heading, icon, link, tag, text
from rocamadre.console.parts.states import empty, region

_EVERY_S = 3.0


async def build(page: Page) -> None:
    """Draw the page."""
    t = page.t
    with tag("a", classes="back", href="/training"):
        icon("back")
        tag("span", t("training.title"))
    wanted = [each for each in page.query.get("jobs", "").split(",") if each][:MOST_COMPARED]
    if len(wanted) < 2:
        empty(t("compare.none"), t("compare.none_hint"))
        return
    region(page, partial(_load, page, wanted), partial(_show, page), classes="section", every_s=_EVERY_S, lines=6)


async def _load(page: Page, wanted: Sequence[str]) -> list[dict[str, Any]]:
    paths = [f"/_rocamadre/jobs/{quote(each, safe='')}" for each in wanted]
    return list(await asyncio.gather(*(page.api.get(path) for path in paths)))


def _show(page: Page, jobs: list[dict[str, Any]]) -> None:
    t = page.t
    with box("columns"):
        for key, title in (("losses", "compare.training"), ("validation_losses", "compare.validation")):
            drawn = [
                Curve(job["name"], [(float(at), float(value)) for at, value in _progress(job).get(key) or ()],
                      look, dots=key != "losses")
                for job, look in zip(jobs, LOOKS, strict=False)
            ]  # fmt: skip
            with box("card"):
                heading(t(title))
                if not any(each.points for each in drawn):
                    text(t("compare.no_curve"), classes="faint")
                curves(
                    t(title),
                    drawn,
                    show=lambda value: t.number(value, digits=3),
                    steps=lambda step: t("job.step", step=t.number(step)),
                )
    _table(page, jobs)


def _progress(job: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = job.get("progress") or {}
    return found


def _table(page: Page, jobs: list[dict[str, Any]]) -> None:
    t = page.t
    settings = [_flat(job) for job in jobs]
    names = [name for name in dict.fromkeys(name for each in settings for name in each)]
    differing = [name for name in names if len({each.get(name, "") for each in settings}) > 1]
    rows = [
        (t("compare.last_loss"), [_last(page, _progress(job).get("losses")) for job in jobs]),
        (t("compare.last_validation"), [_last(page, _progress(job).get("validation_losses")) for job in jobs]),
        (t("compare.speed"), [_speed(page, job) for job in jobs]),
        *((name, [each.get(name, "—") for each in settings]) for name in differing),
    ]
    with box("table-box", tabindex="0", role="region", aria_label=t("compare.settings")):
        with tag("table", classes="table"):
            with tag("thead"), tag("tr"):
                tag("th", t("compare.differ"), scope="col")
                for job in jobs:
                    with tag("th", scope="col"):
                        link(job["name"], job_page(job["id"]), classes="hostile")
            with tag("tbody"):
                with tag("tr"):
                    tag("th", t("jobs.status"), scope="row")
                    for job in jobs:
                        with tag("td"), box("row"):
                            job_badge(job["status"])
                            if job["status"] == "Completed" and job.get("model"):
                                link(t("training.try"), address("/playground", models=job["model"]))
                for name, values in rows:
                    with tag("tr"):
                        tag("th", name, scope="row", classes="hostile")
                        for value in values:
                            tag("td", value, classes="hostile")


def _flat(job: dict[str, Any]) -> dict[str, str]:
    found = {"base": str(job.get("base") or "")}
    for name, value in (job.get("settings") or {}).items():
        if isinstance(value, dict):
            found |= {f"{name}.{inner}": json.dumps(held) for inner, held in value.items()}
        else:
            found[name] = value if isinstance(value, str) else json.dumps(value)
    return found


def _last(page: Page, points: Sequence[Sequence[float]] | None) -> str:
    return page.t.number(points[-1][1], digits=4) if points else "—"


def _speed(page: Page, job: dict[str, Any]) -> str:
    speed = _progress(job).get("tokens_per_s")
    return page.t("playground.per_second", count=page.t.number(speed)) if speed else "—"

"""Home: what runs, what to try, what was done, and what there is."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Any

from rocamadre.console.page import Page
from rocamadre.console.pages.jobs import how_far, job_badge, job_page, kind_name
from rocamadre.console.pages.models import model_page
from rocamadre.console.pages.trials import trials
from rocamadre.console.parts.elements import box, heading, icon, link, tag, text
from rocamadre.console.parts.figures import badge, figures
from rocamadre.console.parts.states import Region, empty, region

_EVERY_S = 5.0
_JOBS_SHOWN = 6


async def build(page: Page) -> None:
    """Draw the page."""
    t = page.t
    text(t("home.lead"), classes="lead")
    with box("card"):
        heading(t("home.running"))
        region(page, lambda: page.api.get("/_rocamadre/status"), partial(_show_status, page), every_s=_EVERY_S)
    heading(t("home.next"))
    jobs: list[Region[Any]] = []

    async def jobs_changed() -> None:
        await jobs[0].refresh()

    trials(page, jobs_changed)
    with box("columns"):
        with box("card"):
            heading(t("home.jobs"))
            jobs.append(region(page, partial(_jobs, page), partial(_show_jobs, page), every_s=_EVERY_S))
        with box("card"):
            heading(t("home.coverage"))
            text(t("home.coverage_hint"), classes="faint small")
            region(page, lambda: page.api.get("/coverage.json"), partial(_show_coverage, page))


def _show_status(page: Page, status: dict[str, Any]) -> None:
    t = page.t
    figures(
        [
            (t("home.version"), status["version"]),
            (t("home.up"), t.duration(60 * (status["uptime_s"] // 60)) if status["uptime_s"] >= 60 else t("home.just")),
            (t("home.memory"), t.size(status["memory_total_bytes"])),
            (t("home.loaded"), t.number(len(status["engines"]))),
        ]
    )
    if not status["engines"]:
        text(t("home.none_loaded"), classes="faint")
        return
    with box("table-box flat", tabindex="0", role="region", aria_label=t("home.loaded")), tag("table", classes="table"):
        with tag("thead"), tag("tr"):
            for name in ("model", "state", "memory", "active", "waiting"):
                tag("th", t(f"home.{name}"), scope="col", classes="number" if name in _NUMBERS else "")
        with tag("tbody"):
            for engine in status["engines"]:
                with tag("tr"):
                    with tag("td"):
                        link(engine["model_id"], model_page(engine["model_id"]))
                    with tag("td"):
                        badge(engine["state"], "good" if engine["state"] == "ready" else "")
                    tag("td", t.size(engine["memory_bytes"]), classes="number")
                    tag("td", t.number(engine["active"]), classes="number")
                    tag("td", t.number(engine["queued"]), classes="number")


_NUMBERS = frozenset({"memory", "active", "waiting"})


async def _jobs(page: Page) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await page.api.get(f"/_rocamadre/jobs?limit={_JOBS_SHOWN}"))["jobs"]
    return found


def _show_jobs(page: Page, jobs: list[dict[str, Any]]) -> None:
    t = page.t
    if not jobs:
        empty(t("home.no_jobs"), t("home.no_jobs_hint"))
        return
    with box("list", name="ul"):
        for job in jobs:
            with box("list-item", name="li"):
                with box("section tight"):
                    link(job["name"] or job["id"], job_page(job["id"]), classes="hostile")
                    began = t.moment(datetime.fromisoformat(job["created_at"]))
                    tag("span", f"{kind_name(page, job['kind'])} · {began} UTC", classes="faint small hostile")
                with box("section tight end"):
                    job_badge(job["status"])
                    tag("span", how_far(page, job)[1], classes="faint small")
            if job["reason"]:
                text(job["reason"], classes="faint small hostile")
    with tag("a", classes="button quiet", href="/jobs"):
        tag("span", t("job.back"))
        icon("arrow")


def _show_coverage(page: Page, coverage: dict[str, Any]) -> None:
    t = page.t
    for service, row in coverage["services"].items():
        total = max(1, sum(row.values()))
        said = t("home.covered", full=row["full"], partial=row["partial"], total=total)
        with box("section tight"):
            with box("row spread"):
                tag("span", service, classes="strong")
                tag("span", said, classes="faint small")
            with tag("svg", classes="coverage", viewBox="0 0 100 4", preserveAspectRatio="none", role="img",
                     aria_label=f"{service}: {said}"):  # fmt: skip
                full = 100 * row["full"] / total
                tag("rect", classes="bar", x=0, y=0, width=round(full, 2), height=4)
                tag("rect", classes="bar partial", x=round(full, 2), y=0, width=round(100 * row["partial"] / total, 2),
                    height=4)  # fmt: skip
    with box("legend"):
        tag("span", t("home.full"))
        tag("span", t("home.partial"), classes="second")
    text(t("home.botocore", version=coverage["botocore"]), classes="faint small")

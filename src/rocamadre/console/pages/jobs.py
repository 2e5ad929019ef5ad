"""Work in the background, of every kind: found, watched, stopped."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any
from urllib.parse import quote

from nicegui.events import GenericEventArguments

from rocamadre.console.failures import ApiFailure
from rocamadre.console.page import Page, address
from rocamadre.console.parts.elements import box, button, choice_field, link, set_attributes, tag, text, text_field
from rocamadre.console.parts.figures import badge
from rocamadre.console.parts.meters import Meter
from rocamadre.console.parts.states import Region, empty, failed, region

_PATH = "/jobs"
_COUNT = 25
_EVERY_S = 3.0
MOST_COMPARED = 4
_CHOICES = ("kind", "status", "find", "order")
_NUMBERS = frozenset({"took"})

KINDS = ("customization", "batch-inference", "openai-batch", "anthropic-batch", "async-invoke", "model-import",
         "model-copy", "model-pull", "kb-ingestion")  # fmt: skip
"""Those that have a name in the catalogs; the server may know more."""
STATUSES = ("active", "completed", "failed", "stopped")

_GOOD, _BAD = ("completed", "complete", "ended", "succeeded"), ("failed", "expired")
_WARN = ("stopped", "stopping", "cancelled", "cancelling", "partiallycompleted", "paused")
_LOOKS = {**dict.fromkeys(_GOOD, "good"), **dict.fromkeys(_BAD, "bad"), **dict.fromkeys(_WARN, "warn")}


def job_page(job_id: str) -> str:
    """Address of a job's page."""
    return f"{_PATH}/{quote(job_id, safe='')}"


def job_badge(status: str) -> None:
    """The status as its API says it, coloured."""
    badge(status, _LOOKS.get(status.lower(), "accent"))


def kind_name(page: Page, kind: str) -> str:
    """What a kind is called."""
    return page.t(f"jobs.kind_{kind.replace('-', '_')}") if kind in KINDS else kind


async def build(page: Page) -> None:
    """Draw the list."""
    t = page.t
    text(t("jobs.lead"), classes="lead")
    jobs = JobList(page)
    with box("fields"):
        text_field(
            t("jobs.find"),
            value=page.query.get("find", ""),
            kind="search",
            placeholder=t("jobs.find"),
            on_change=partial(jobs.choose, "find"),
            classes="compact",
        )
        _choice(page, jobs, "kind", {kind: kind_name(page, kind) for kind in KINDS})
        _choice(page, jobs, "status", {status: t(f"jobs.is_{status}") for status in STATUSES})
    jobs.draw()


def _choice(page: Page, jobs: JobList, name: str, options: dict[str, str]) -> None:
    t = page.t
    choice_field(
        t(f"jobs.{name}"),
        {"": t(f"jobs.any_{name}"), **options},
        value=page.query.get(name, ""),
        on_change=partial(jobs.choose, name),
        classes="compact",
    )


class JobList:
    """A part of the list: chosen, sorted and paged by the server, asked for again while it is open.

    Args:
        page: The visit; its query says what is shown.
        kind: The only one, on pages of one kind.
        compare: Trainings can be chosen to be compared.
    """

    def __init__(self, page: Page, *, kind: str = "", compare: bool = False) -> None:
        self._page = page
        self._kind = kind
        self._compare = compare
        self._marked: list[str] = []
        self._meters: dict[str, Meter] = {}
        self._latest: dict[str, dict[str, Any]] = {}
        self._region: Region[Any]

    def draw(self) -> None:
        """Ask, and show what comes."""
        self._told = box("section", aria_live="polite")
        self._region = region(self._page, self._load, self._show, classes="section", every_s=_EVERY_S, lines=6)

    def choose(self, name: str, value: Any) -> None:
        """Show others; the address says which."""
        self._page.go(self._page.path, **{**self._chosen(), name: str(value)[:200]})

    def _chosen(self) -> dict[str, str]:
        return {name: self._page.query[name][:200] for name in _CHOICES if self._page.query.get(name)}

    def _mark(self, job_id: str, event: GenericEventArguments) -> None:
        self._marked = [each for each in self._marked if each != job_id] + ([job_id] if event.args is True else [])
        set_attributes(self._go, disabled=len(self._marked) < 2)

    def _open_marked(self) -> None:
        self._page.go("/training/compare", jobs=",".join(self._marked[-MOST_COMPARED:]))

    async def _load(self) -> dict[str, Any]:
        asked = {**self._chosen(), "after": self._page.query.get("after", "")[:1200]}
        if self._kind:
            asked["kind"] = self._kind
        found = await self._page.api.get(address("/_rocamadre/jobs", limit=str(_COUNT), **asked))
        jobs = found["jobs"]
        self._latest = {job["id"]: job for job in jobs}
        for job in jobs:
            if (meter := self._meters.get(job["id"])) is not None:
                meter.show(*how_far(self._page, job))
        # What moves is left out: a list that is drawn again would take the focus away.
        return {"jobs": [{**job, "progress": None} for job in jobs], "next": found.get("next", "")}

    def _show(self, found: dict[str, Any]) -> None:
        page, t = self._page, self._page.t
        self._meters.clear()
        chosen = self._chosen()
        if not found["jobs"]:
            if self._kind:
                empty(t("training.none"), t("training.none_hint"))
            else:
                empty(t("jobs.none"), t("jobs.none_fit" if chosen else "jobs.none_hint"))
        else:
            self._table(found["jobs"])
        with box("row"):
            if page.query.get("after"):
                link(t("jobs.first"), address(page.path, **chosen), classes="button")
            if found["next"]:
                link(t("jobs.more"), address(page.path, **chosen, after=found["next"]), classes="button")
            if self._compare and len(found["jobs"]) > 1:
                self._go = button(t("training.compare"), self._open_marked, disabled=True)

    def _table(self, jobs: Sequence[dict[str, Any]]) -> None:
        t = self._page.t
        with box("table-box", tabindex="0", role="region", aria_label=t("jobs.title")), tag("table", classes="table"):
            with tag("thead"), tag("tr"):
                for name in ("name", "kind", "status", "began", "took"):
                    if name == "began":
                        self._order()
                    else:
                        tag("th", t(f"jobs.{name}"), scope="col", classes="number" if name in _NUMBERS else "")
                tag("th", t("jobs.do"), scope="col")
            with tag("tbody"):
                for job in jobs:
                    with tag("tr"):
                        self._row(job)

    def _order(self) -> None:
        t, oldest = self._page.t, self._page.query.get("order") == "oldest"
        with tag("th", scope="col", aria_sort="ascending" if oldest else "descending"):
            made = tag("button", t("jobs.began") + (" ↑" if oldest else " ↓"), classes="sort", type="button")
            made.on("click", lambda _: self.choose("order", "" if oldest else "oldest"), args=[])

    def _row(self, job: dict[str, Any]) -> None:
        t = self._page.t
        with tag("td"), box("row nowrap"):
            if self._compare:
                made = tag("input", type="checkbox", aria_label=t("training.choose", name=job["name"]))
                made.on("change", partial(self._mark, job["id"]), js_handler="(event) => emit(event.target.checked)")
            link(job["name"] or job["id"], job_page(job["id"]), classes="hostile")
        tag("td", kind_name(self._page, job["kind"]))
        with tag("td"), box("section tight"):
            with box("row"):
                job_badge(job["status"])
            if over(job):
                if job["reason"]:
                    text(job["reason"][:200], classes="faint small hostile")
            else:
                meter = self._meters[job["id"]] = Meter(t("jobs.progress"))
                meter.show(*how_far(self._page, self._latest[job["id"]]))
        tag("td", t.moment(datetime.fromisoformat(job["created_at"])), classes="one-line")
        tag("td", _took(self._page, job), classes="number")
        with tag("td"):
            if job.get("can_stop"):
                button(t("jobs.stop"), partial(self._stop, job["id"]), kind="quiet", symbol="stop")
            elif job["status"] == "Completed" and job.get("model"):
                link(t("training.try"), address("/playground", models=job["model"]))

    async def _stop(self, job_id: str) -> None:
        self._told.clear()
        try:
            await self._page.api.post(f"/_rocamadre/jobs/{quote(job_id, safe='')}/stop", {})
        except ApiFailure as failure:
            if not self._told.is_deleted:
                with self._told:
                    failed(self._page, failure, partial(self._stop, job_id))
            return
        await self._region.refresh()


def over(job: dict[str, Any]) -> bool:
    """Whether nothing more will happen."""
    return bool(job["ended_at"])


def how_far(page: Page, job: dict[str, Any]) -> tuple[float | None, str]:
    """A job's progress as a share and in words."""
    t, told = page.t, job.get("progress") or {}
    state = str(told.get("state") or "")
    if told.get("steps"):
        line = t("jobs.steps", done=t.number(told["step"]), total=t.number(told["steps"]))
        if told.get("eta_s"):
            line += f" · {t('jobs.left', duration=t.duration(told['eta_s']))}"
        if state not in ("", "training"):
            line += f" · {state_name(page, state)}"
        return told["step"] / told["steps"], line
    if told.get("total"):
        done = told["good"] + told["bad"]
        return done / told["total"], t("jobs.records", done=t.number(done), total=t.number(told["total"]))
    if told.get("total_bytes"):
        done_bytes, total_bytes = told.get("done_bytes") or 0, told["total_bytes"]
        return done_bytes / total_bytes, t("models.pull_bytes", done=t.size(done_bytes), total=t.size(total_bytes))
    return None, state_name(page, state)


def state_name(page: Page, state: str) -> str:
    """What a training does now."""
    known = ("queued", "preparing", "training", "paused", "publishing")
    return page.t(f"jobs.state_{state}") if state in known else state


def _took(page: Page, job: dict[str, Any]) -> str:
    if not job["ended_at"]:
        return "—"
    began, ended = datetime.fromisoformat(job["created_at"]), datetime.fromisoformat(job["ended_at"])
    return page.t.duration((ended - began).total_seconds())

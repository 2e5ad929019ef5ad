"""Pulls that the server does in the background: begun, watched and stopped through the API.

Each is a job around `pull.pull`; the run's folder knows how far it is, so a worker that was killed goes on from there.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal, TypeAlias

import msgspec
from sqlalchemy import Connection, insert, select, update

from rocamadre.catalog.errors import PullStopped
from rocamadre.catalog.pull import KINDS, Progress, PullSpec, pull, run_dir_of
from rocamadre.catalog.sources.registry import parse_source
from rocamadre.catalog.tables import PULLS
from rocamadre.core.context import Context
from rocamadre.core.errors import AccessDenied, InvalidRequest, NotFound
from rocamadre.core.ids import short_id
from rocamadre.jobs.rundir import RunDir
from rocamadre.jobs.runner import JobKind, JobSpec, Outcome, RunStopped, Step, Work

KIND_NAME = "model-pull"
Status: TypeAlias = Literal["InProgress", "Stopping", "Completed", "Stopped", "Failed"]

_LOOK_EVERY_S = 0.5
_ENDS: dict[str, Status] = {"completed": "Completed", "stopped": "Stopped", "failed": "Failed"}
_ELSEWHERE = re.compile(r"(ollama:|hf:)?[A-Za-z0-9][A-Za-z0-9._:/-]{0,199}")


@dataclass(frozen=True, slots=True)
class Pull:
    """One pull.

    Attributes:
        step: Of `pull.Step`; empty before it begins.
        done_bytes: Of all files together.
        total_bytes: Of all files together; 0 while unknown.
        model_id: The model, once it is here.
        message: Why it failed.
    """

    id: str
    spec: PullSpec
    status: Status
    step: str
    done_bytes: int
    total_bytes: int
    model_id: str
    message: str
    created_at: datetime
    ended_at: datetime | None


def start_pull(ctx: Context, spec: PullSpec) -> Pull:
    """Leave a pull to be done. The same wish, while it is being done, is the one that is being done.

    Raises:
        InvalidRequest: the source means nothing, or models cannot be exported so.
        AccessDenied: keys are wanted here, and a path of the server's machine was given.
    """
    if spec.kind not in KINDS:
        raise InvalidRequest(f"kind is {spec.kind!r}; models are exported as one of {', '.join(KINDS)}")
    platform = ctx.platform
    spec = _settled(spec, paths=platform.settings.server.auth != "required")
    run = run_dir_of(platform, spec).path.name
    with platform.sql.begin() as tx:
        mine = PULLS.c.account == ctx.account
        query = select(PULLS).where(mine, PULLS.c.run == run, PULLS.c.status == "InProgress")
        row = tx.execute(query).first()
        if row is None:
            new_id = f"pull-{short_id(12)}"
            values = {
                "id": new_id,
                "account": ctx.account,
                "spec": msgspec.json.encode(asdict(spec)).decode(),
                "run": run,
                "status": "InProgress",
                "model_id": "",
                "message": "",
                "created_at": platform.clock.now().isoformat(),
                "ended_at": "",
            }
            tx.execute(insert(PULLS).values(values))
            platform.jobs.enqueue(tx, JobSpec(KIND_NAME, new_id))
            row = tx.execute(select(PULLS).where(PULLS.c.id == new_id)).one()
    return _pull(ctx, row)


def get_pull(ctx: Context, pull_id: str) -> Pull:
    """One pull of the account.

    Raises:
        NotFound: there is none of this id.
    """
    with ctx.platform.sql.connect() as connection:
        return _pull(ctx, _row(connection, ctx, pull_id))


def list_pulls(ctx: Context) -> list[Pull]:
    """The account's pulls, newest first."""
    query = select(PULLS).where(PULLS.c.account == ctx.account).order_by(PULLS.c.created_at.desc(), PULLS.c.id)
    with ctx.platform.sql.connect() as connection:
        rows = connection.execute(query).all()
    return [_pull(ctx, row) for row in rows]


def stop_pull(ctx: Context, pull_id: str) -> Pull:
    """Ask a pull to stop; what came is kept, and the same wish goes on from there.

    Raises:
        NotFound: there is none of this id.
    """
    platform = ctx.platform
    with platform.sql.begin() as tx:
        row = _row(tx, ctx, pull_id)
        if row.status == "InProgress":
            state = platform.jobs.request_stop(tx, pull_id)
            if state is None or state.state == "stopped":
                _end(tx, pull_id, "Stopped", platform.clock.now())
        row = _row(tx, ctx, pull_id)
    return _pull(ctx, row)


def _settled(spec: PullSpec, *, paths: bool) -> PullSpec:
    """With a source that means the same wherever the worker runs, and tomorrow."""
    source = spec.source.strip()
    if not paths:
        if not _ELSEWHERE.fullmatch(source):
            raise AccessDenied(
                f"{source[:200]!r} may be a path on the server's machine, which keys give no access to; give "
                "OWNER/NAME of a hub repository or ollama:NAME, or use `roca models pull` on that machine"
            )
        # Never looked for on the disk, which would tell what is there.
        source = source if source.startswith(("ollama:", "hf:")) else f"hf:{source}"
    kind, text = parse_source(source)
    prefix = {"hub": "hf:", "ollama": "ollama:"}.get(kind, "")
    return PullSpec(**{**asdict(spec), "source": prefix + text})


def _row(tx: Connection, ctx: Context, pull_id: str) -> Any:
    row = tx.execute(select(PULLS).where(PULLS.c.id == pull_id, PULLS.c.account == ctx.account)).one_or_none()
    if row is None:
        raise NotFound(f"no pull {pull_id[:100]!r} in account {ctx.account}; GET /_rocamadre/pulls shows what exists")
    return row


def _end(tx: Connection, pull_id: str, status: Status, now: datetime, *, model_id: str = "", message: str = "") -> None:
    values = {"status": status, "model_id": model_id, "message": message[:2048], "ended_at": now.isoformat()}
    tx.execute(update(PULLS).where(PULLS.c.id == pull_id, PULLS.c.status == "InProgress").values(values))


def _pull(ctx: Context, row: Any) -> Pull:
    status: Status = row.status
    noted: dict[str, Any] = {}
    if status in ("InProgress", "Stopped", "Failed"):
        notes = RunDir(ctx.platform.settings.home / "runs" / row.run).progress()
        noted = next((note for note in reversed(notes) if note["at"] >= row.created_at), {})
    if status == "InProgress":
        state = ctx.platform.jobs.state(row.id)
        status = "Stopping" if state is not None and state.stop_requested else status
    return Pull(
        id=row.id,
        spec=PullSpec(**msgspec.json.decode(row.spec)),
        status=status,
        step="done" if status == "Completed" else str(noted.get("step", "")),
        done_bytes=int(noted.get("done_bytes", 0)),
        total_bytes=int(noted.get("total_bytes", 0)),
        model_id=row.model_id,
        message=row.message,
        created_at=datetime.fromisoformat(row.created_at),
        ended_at=datetime.fromisoformat(row.ended_at) if row.ended_at else None,
    )


def _bring(work: Work) -> dict[str, Any]:
    """The one step: bring the model here, or go on with it."""
    with work.platform.sql.connect() as connection:
        text = connection.execute(select(PULLS.c.spec).where(PULLS.c.id == work.run_id)).scalar()
    if text is None:
        raise InvalidRequest("the pull was removed while it ran")
    spec = PullSpec(**msgspec.json.decode(text))
    try:
        model = pull(work.platform, spec, progress=_watcher(work.stop_requested))
    except PullStopped as error:
        raise RunStopped from error
    return {"model_id": model.id}


def _watcher(stop_requested: Callable[[], bool]) -> Callable[[Progress], None]:
    """Leaves between two pieces of a file when somebody asked to."""
    looked = time.monotonic()

    def look(at: Progress) -> None:
        nonlocal looked
        if at.step == "fetch" and time.monotonic() - looked > _LOOK_EVERY_S:
            looked = time.monotonic()
            if stop_requested():
                raise RunStopped

    return look


def _settle(tx: Connection, work: Work, outcome: Outcome) -> None:
    model_id = str(work.results.get("bring", {}).get("model_id", ""))
    now = work.platform.clock.now()
    _end(tx, work.run_id, _ENDS[outcome.end], now, model_id=model_id, message=outcome.reason)


KIND = JobKind(KIND_NAME, (Step("bring", _bring),), _settle)

"""Provisioned throughput: an engine process for one model alone, with one slot per model unit.

The engine is loaded when it is made, stays while it idles, and is never unloaded to make room. A commitment costs
nothing here; it is recorded, and holds as it does on AWS: what was committed to cannot be deleted through the API
before it ends. Whoever owns the machine can end it (`roca models rm ARN`).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Connection

from rocamadre.catalog.errors import UnknownModel
from rocamadre.catalog.host import Host
from rocamadre.catalog.operations import resolve
from rocamadre.catalog.snapshot import forget
from rocamadre.catalog.targets import Target, change_target, delete_target, insert_target
from rocamadre.core.arn import Arn, make_arn
from rocamadre.core.context import Context
from rocamadre.core.errors import Conflict, InvalidRequest, NotFound, QuotaExceeded
from rocamadre.core.ids import short_id
from rocamadre.customization.listing import in_time
from rocamadre.customization.model_tables import change_row, delete_row, select_all, select_one, select_row
from rocamadre.customization.model_types import Throughput
from rocamadre.customization.models import find_custom_model, insert_named, makes_embeddings, runnable_model
from rocamadre.customization.trial import try_model
from rocamadre.jobs.queue import QueuedJobs
from rocamadre.jobs.runner import JobKind, JobSpec, Outcome, Step, Work
from rocamadre.store.sql.tags import add_tags, forget_tags

TARGET_KIND = "provisioned-model"
JOB_KIND = "provisioned-model"
MAX_UNITS = 64
COMMITMENT_DAYS = {"OneMonth": 30, "SixMonths": 180}


class _Wanted(NamedTuple):
    """A model to have an engine for.

    Attributes:
        foundation_arn: At the beginning of its line; its own for one without.
        base_id: Whose body format InvokeModel reads.
    """

    arn: str
    foundation_arn: str
    base_id: str
    embeds: bool


def create_throughput(
    ctx: Context, *, name: str, model_id: str, units: int, commitment: str = "", tags: Mapping[str, str] | None = None
) -> Throughput:
    """Begin to load an engine for a model alone.

    Args:
        ctx: Whose.
        name: Unique among the account's in this region.
        model_id: Name or ARN of a custom model, or id or ARN of a foundation model.
        units: Requests that it works on at a time.
        commitment: Of `COMMITMENT_DAYS`, or nothing.
        tags: At most 50.

    Raises:
        NotFound: no such model.
        InvalidRequest: the model is not Active.
        QuotaExceeded: more units than an engine has slots.
        Conflict: the name is taken.
        TooManyTags: over 50.
    """
    if units > MAX_UNITS:
        raise QuotaExceeded(f"modelUnits is {units}; one engine has at most {MAX_UNITS} slots")
    wanted = _wanted(ctx, model_id)
    now = ctx.platform.clock.now()
    throughput_id = short_id(12)
    made = Throughput(
        arn=make_arn("bedrock", ctx.region, ctx.account, f"{TARGET_KIND}/{throughput_id}"),
        account=ctx.account,
        region=ctx.region,
        id=throughput_id,
        name=name,
        model_arn=wanted.arn,
        desired_model_arn=wanted.arn,
        foundation_arn=wanted.foundation_arn,
        units=units,
        status="Creating",
        message="",
        commitment=commitment,
        expires_at=now + timedelta(days=COMMITMENT_DAYS[commitment]) if commitment else None,
        created_at=now,
        updated_at=now,
    )
    target = Target(
        arn=made.arn,
        account=made.account,
        region=made.region,
        kind=TARGET_KIND,
        id=made.id,
        name="",
        state="creating",
        reason="",
        base_id=wanted.base_id,
        runs=wanted.arn,
        slots=units,
    )
    with ctx.platform.sql.begin() as tx:
        if Arn.parse(wanted.arn).kind == "custom-model":
            runnable_model(tx, ctx.account, ctx.region, wanted.arn)
        insert_named(tx, made, "provisioned throughput")
        insert_target(tx, target)
        add_tags(tx, made.arn, tags or {})
        ctx.platform.jobs.enqueue(tx, JobSpec(JOB_KIND, made.arn, {"arn": made.arn, "embeds": wanted.embeds}))
    return made


def get_throughput(ctx: Context, id_or_arn: str) -> Throughput:
    """One by name, by ARN, or by the ARN's last part.

    Raises:
        NotFound: the account has none of this name in this region.
    """
    with ctx.platform.sql.connect() as connection:
        if id_or_arn.startswith("arn:"):
            found = select_one(connection, Throughput, ctx.account, ctx.region, arn=id_or_arn)
        else:
            arn = make_arn("bedrock", ctx.region, ctx.account, f"{TARGET_KIND}/{id_or_arn}")
            found = select_one(connection, Throughput, ctx.account, ctx.region, name=id_or_arn)
            found = found or select_one(connection, Throughput, ctx.account, ctx.region, arn=arn)
    if found is None:
        raise NotFound(
            f"no provisioned throughput {id_or_arn[:200]!r} in account {ctx.account}, region {ctx.region}; "
            "ListProvisionedModelThroughputs shows what exists"
        )
    return found


def list_throughputs(
    ctx: Context,
    *,
    after: datetime | None = None,
    before: datetime | None = None,
    name_contains: str = "",
    status: str = "",
    model_arn: str = "",
    newest_first: bool = True,
) -> list[Throughput]:
    """The account's in this region."""
    with ctx.platform.sql.connect() as connection:
        found = select_all(connection, Throughput, ctx.account, ctx.region)
    return [
        each
        for each in in_time(found, after=after, before=before, newest_first=newest_first)
        if name_contains in each.name and status in ("", each.status) and model_arn in ("", each.model_arn)
    ]


def update_throughput(ctx: Context, id_or_arn: str, *, name: str = "", model_id: str = "") -> Throughput:
    """Rename it, or begin to load another model of the same foundation model in its engine.

    Raises:
        NotFound: none of this name, or no such model.
        InvalidRequest: the model goes back to another foundation model, or nothing is to change.
        Conflict: the name is taken, or it is not InService.
    """
    there = get_throughput(ctx, id_or_arn)
    if not name and not model_id:
        raise InvalidRequest("give desiredProvisionedModelName, desiredModelId or both")
    wanted = _wanted(ctx, model_id) if model_id else None
    if wanted is not None and wanted.foundation_arn != there.foundation_arn:
        raise InvalidRequest(
            f"{wanted.arn} goes back to {wanted.foundation_arn}, {there.name} to {there.foundation_arn}; provisioned "
            "throughput can be moved between models of one foundation model"
        )
    now = ctx.platform.clock.now()
    with ctx.platform.sql.begin() as tx:
        there = select_row(tx, Throughput, there.arn) or there
        if name and name != there.name:
            if select_one(tx, Throughput, ctx.account, ctx.region, name=name) is not None:
                raise Conflict(f"a provisioned throughput is called {name!r} already; choose another name")
            change_row(tx, Throughput, there.arn, name=name, updated_at=now)
        if wanted is not None and wanted.arn != there.model_arn:
            if there.status != "InService":
                raise Conflict(f"{there.name} is {there.status}; only one that is InService can be moved")
            if Arn.parse(wanted.arn).kind == "custom-model":
                runnable_model(tx, ctx.account, ctx.region, wanted.arn)
            values = {"desired_model_arn": wanted.arn, "status": "Updating", "message": "", "updated_at": now}
            change_row(tx, Throughput, there.arn, **values)
            arguments = {"arn": there.arn, "model_arn": wanted.arn, "embeds": wanted.embeds}
            ctx.platform.jobs.enqueue(tx, JobSpec(JOB_KIND, f"{there.arn}/update/{short_id(12)}", arguments))
    return get_throughput(ctx, there.arn)


def delete_throughput(ctx: Context, id_or_arn: str) -> Throughput:
    """Delete it and its tags; the caller unloads the engine.

    Raises:
        NotFound: none of this name.
        Conflict: its commitment has not ended.
    """
    there = get_throughput(ctx, id_or_arn)
    if there.expires_at is not None and ctx.platform.clock.now() < there.expires_at:
        raise Conflict(
            f"{there.name} was committed to until {there.expires_at.isoformat()} and cannot be deleted before, as on "
            "AWS; whoever owns this machine can end it: roca models rm " + there.arn
        )
    remove_throughput(ctx.platform, there)
    forget(ctx.platform)
    return there


def remove_throughput(host: Host, there: Throughput) -> None:
    """Delete it whatever was committed to. The engine of a server that runs ends with the server."""
    with host.sql.begin() as tx:
        delete_row(tx, Throughput, there.arn)
        delete_target(tx, there.arn)
        forget_tags(tx, there.arn)
        QueuedJobs(host.sql, host.clock).request_stop(tx, there.arn)


def load(work: Work) -> dict[str, str]:
    """Point the engine at its model, and see that it answers. While it loads, requests wait."""
    arn, model_arn = work.arguments["arn"], work.arguments.get("model_arn", "")
    with work.platform.sql.begin() as tx:
        there = select_row(tx, Throughput, arn)
        if there is not None and model_arn:
            change_target(tx, arn, runs=model_arn)
    if there is not None:
        try_model(work, arn, account=there.account, region=there.region, embeds=work.arguments["embeds"])
    return {}


def settle(tx: Connection, work: Work, outcome: Outcome) -> None:
    """Write how it ended; after a failed move the old model is loaded again."""
    arn, model_arn = work.arguments["arn"], work.arguments.get("model_arn", "")
    done, now = outcome.end == "completed", work.platform.clock.now()
    reason = "" if done else (outcome.reason or "it was stopped")[:2048]
    there = select_row(tx, Throughput, arn)
    if there is None:
        return
    if not model_arn:
        change_row(tx, Throughput, arn, status="InService" if done else "Failed", message=reason, updated_at=now)
        change_target(tx, arn, state="ready" if done else "failed", reason=reason)
        return
    runs = model_arn if done else there.model_arn
    values = {"model_arn": runs, "desired_model_arn": runs, "status": "InService", "message": reason}
    change_row(tx, Throughput, arn, **values, updated_at=now)
    change_target(tx, arn, runs=runs)


KIND = JobKind(JOB_KIND, (Step("load", load),), settle)


def _wanted(ctx: Context, model_id: str) -> _Wanted:
    with ctx.platform.sql.connect() as connection:
        own = find_custom_model(connection, ctx.account, ctx.region, model_id)
        if own is not None:
            embeds = makes_embeddings(connection, own)
            return _Wanted(own.arn, own.foundation_arn or own.arn, own.base_model_id, embeds)
    try:
        found = resolve(ctx, model_id)
    except UnknownModel as error:
        raise NotFound(error.message) from error
    if found.target_arn or found.router_arn:
        raise InvalidRequest(f"{model_id[:200]!r}: throughput is provisioned for foundation models and custom models")
    arn = make_arn("bedrock", ctx.region, "", f"foundation-model/{found.base_id}")
    return _Wanted(arn, arn, found.base_id, found.model.embeds)

"""Deployments: a custom model under an ARN of its own, which can be pointed at another model later.

A custom model answers by its own ARN and name as well; a deployment shares that engine. It is Active once the model
has answered through it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection

from rocamadre.catalog.snapshot import forget
from rocamadre.catalog.targets import Target, change_target, delete_target, insert_target
from rocamadre.core.arn import make_arn
from rocamadre.core.context import Context
from rocamadre.core.errors import Conflict, NotFound
from rocamadre.core.ids import short_id
from rocamadre.customization.listing import in_time
from rocamadre.customization.model_tables import change_row, delete_row, select_all, select_one, select_row
from rocamadre.customization.model_types import Deployment
from rocamadre.customization.models import insert_named, makes_embeddings, runnable_model
from rocamadre.customization.trial import try_model
from rocamadre.jobs.runner import JobKind, JobSpec, Outcome, Step, Work
from rocamadre.store.sql.tags import add_tags, forget_tags

TARGET_KIND = "custom-model-deployment"
JOB_KIND = "model-deployment"


def create_deployment(
    ctx: Context, *, name: str, model_arn: str, description: str = "", tags: Mapping[str, str] | None = None
) -> Deployment:
    """Begin to deploy a custom model.

    Raises:
        NotFound: the account has no such model in this region.
        InvalidRequest: the model is not Active.
        Conflict: a deployment has this name.
        TooManyTags: over 50.
    """
    now = ctx.platform.clock.now()
    deployment_id = short_id(12)
    deployment = Deployment(
        arn=make_arn("bedrock", ctx.region, ctx.account, f"{TARGET_KIND}/{deployment_id}"),
        account=ctx.account,
        region=ctx.region,
        id=deployment_id,
        name=name,
        model_arn=model_arn,
        description=description,
        status="Creating",
        message="",
        update_model_arn="",
        update_status="",
        created_at=now,
        updated_at=now,
    )
    with ctx.platform.sql.begin() as tx:
        model = runnable_model(tx, ctx.account, ctx.region, model_arn)
        insert_named(tx, deployment, "custom model deployment")
        insert_target(tx, _target(deployment, model.base_model_id))
        add_tags(tx, deployment.arn, tags or {})
        arguments = {"arn": deployment.arn, "embeds": makes_embeddings(tx, model)}
        ctx.platform.jobs.enqueue(tx, JobSpec(JOB_KIND, deployment.arn, arguments))
    return deployment


def get_deployment(ctx: Context, id_or_arn: str) -> Deployment:
    """One deployment by name or ARN.

    Raises:
        NotFound: the account has none of this name in this region.
    """
    named = {"arn": id_or_arn} if id_or_arn.startswith("arn:") else {"name": id_or_arn}
    with ctx.platform.sql.connect() as connection:
        found = select_one(connection, Deployment, ctx.account, ctx.region, **named)
    if found is None:
        raise NotFound(
            f"no custom model deployment {id_or_arn[:200]!r} in account {ctx.account}, region {ctx.region}; "
            "ListCustomModelDeployments shows what exists"
        )
    return found


def list_deployments(
    ctx: Context,
    *,
    after: datetime | None = None,
    before: datetime | None = None,
    name_contains: str = "",
    status: str = "",
    model_arn: str = "",
    newest_first: bool = True,
) -> list[Deployment]:
    """The account's deployments in this region."""
    with ctx.platform.sql.connect() as connection:
        found = select_all(connection, Deployment, ctx.account, ctx.region)
    return [
        each
        for each in in_time(found, after=after, before=before, newest_first=newest_first)
        if name_contains in each.name and status in ("", each.status) and model_arn in ("", each.model_arn)
    ]


def update_deployment(ctx: Context, id_or_arn: str, *, model_arn: str) -> Deployment:
    """Begin to point a deployment at another custom model; the old one answers until the new one has.

    Raises:
        NotFound: no such deployment or model.
        InvalidRequest: the model is not Active.
        Conflict: the deployment is not Active, or is being updated.
    """
    deployment = get_deployment(ctx, id_or_arn)
    now = ctx.platform.clock.now()
    changed = replace(deployment, update_model_arn=model_arn, update_status="Updating", message="", updated_at=now)
    with ctx.platform.sql.begin() as tx:
        there = select_row(tx, Deployment, deployment.arn)
        if there is None or there.status != "Active" or there.update_status == "Updating":
            state = "gone" if there is None else "being updated" if there.status == "Active" else there.status
            raise Conflict(f"deployment {deployment.name} is {state}; only one that is Active can be updated")
        model = runnable_model(tx, ctx.account, ctx.region, model_arn)
        change_row(
            tx,
            Deployment,
            deployment.arn,
            update_model_arn=model_arn,
            update_status="Updating",
            message="",
            updated_at=now,
        )
        run_id = f"{deployment.arn}/update/{short_id(12)}"
        arguments = {"arn": deployment.arn, "model_arn": model_arn, "embeds": makes_embeddings(tx, model)}
        ctx.platform.jobs.enqueue(tx, JobSpec(JOB_KIND, run_id, arguments))
    return changed


def delete_deployment(ctx: Context, id_or_arn: str) -> Deployment:
    """Delete a deployment and its tags; its model stays.

    Raises:
        NotFound: no such deployment.
    """
    deployment = get_deployment(ctx, id_or_arn)
    with ctx.platform.sql.begin() as tx:
        delete_row(tx, Deployment, deployment.arn)
        delete_target(tx, deployment.arn)
        forget_tags(tx, deployment.arn)
        ctx.platform.jobs.request_stop(tx, deployment.arn)
    forget(ctx.platform)
    return deployment


def try_out(work: Work) -> dict[str, str]:
    """See that the model answers: through the deployment when it is new, by itself when it is to replace another."""
    arn, model_arn = work.arguments["arn"], work.arguments.get("model_arn", "")
    with work.platform.sql.connect() as connection:
        deployment = select_row(connection, Deployment, arn)
    if deployment is not None:
        try_model(
            work,
            model_arn or arn,
            account=deployment.account,
            region=deployment.region,
            embeds=work.arguments["embeds"],
        )
    return {}


def settle(tx: Connection, work: Work, outcome: Outcome) -> None:
    """Write how it ended; a deployment that was deleted meanwhile stays so."""
    arn, model_arn = work.arguments["arn"], work.arguments.get("model_arn", "")
    done, now = outcome.end == "completed", work.platform.clock.now()
    reason = "" if done else (outcome.reason or "it was stopped")[:2048]
    if not model_arn:
        change_row(tx, Deployment, arn, status="Active" if done else "Failed", message=reason, updated_at=now)
        change_target(tx, arn, state="ready" if done else "failed", reason=reason)
    elif done:
        change_row(tx, Deployment, arn, model_arn=model_arn, update_status="UpdateCompleted", updated_at=now)
        change_target(tx, arn, runs=model_arn)
    else:
        change_row(tx, Deployment, arn, update_status="UpdateFailed", message=reason, updated_at=now)


KIND = JobKind(JOB_KIND, (Step("try", try_out),), settle)


def _target(deployment: Deployment, base_id: str) -> Target:
    return Target(
        arn=deployment.arn,
        account=deployment.account,
        region=deployment.region,
        kind=TARGET_KIND,
        id=deployment.id,
        name="",
        state="creating",
        reason="",
        base_id=base_id,
        runs=deployment.model_arn,
    )

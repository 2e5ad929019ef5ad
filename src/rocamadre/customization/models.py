"""Custom models: registered by the job that made them, found, listed, deleted."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from rocamadre.catalog.changes import remove_folder
from rocamadre.catalog.host import Host
from rocamadre.catalog.rows import Facts
from rocamadre.catalog.snapshot import forget, snapshot
from rocamadre.catalog.targets import (
    IMPORTED,
    Target,
    change_target,
    delete_target,
    insert_target,
    portable,
    select_leaning,
    select_target,
    select_targets,
    select_users,
)
from rocamadre.catalog.types import TRAINABLE
from rocamadre.core.arn import Arn, make_arn
from rocamadre.core.context import Context
from rocamadre.core.errors import Conflict, InvalidRequest, NotFound
from rocamadre.core.ids import short_id
from rocamadre.customization.listing import in_time
from rocamadre.customization.model_tables import (
    change_row,
    delete_row,
    forget_removal,
    insert_row,
    note_removals,
    select_all,
    select_one,
    select_pending,
    select_removals,
    select_row,
)
from rocamadre.customization.model_types import CustomModel
from rocamadre.customization.tables import select_maker, select_trainers
from rocamadre.store.sql.tags import forget_tags

KIND = "custom-model"
NAME = re.compile(r"([0-9a-zA-Z][_-]?){1,63}")
_FOLDER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,139}")
_BASE = re.compile(r"[a-z0-9-]{1,63}\.[a-z0-9-]{1,63}")


def custom_model_arn(account: str, region: str, base_id: str, model_id: str = "") -> str:
    """The ARN of a new custom model, in the one form that bedrock and bedrock-runtime both take.

    Args:
        account: Whose it will be.
        region: Where.
        base_id: The foundation model id behind it; `targets.IMPORTED` for none.
        model_id: The last part; a new one unless given.

    >>> custom_model_arn("123456789012", "us-east-1", "rocamadre.roca-mini-v1:0", "abcdefghijkl")
    'arn:aws:bedrock:us-east-1:123456789012:custom-model/rocamadre.roca-mini-v1/abcdefghijkl'
    """
    owner, _, name = base_id.partition(":")[0].lower().partition(".")
    base = f"{owner}.{re.sub(r'[^a-z0-9-]', '-', name)}"
    first = base if _BASE.fullmatch(base) else f"{IMPORTED}.model"
    return make_arn("bedrock", region, account, f"{KIND}/{first}/{model_id or short_id(12)}")


def fine_tuned_name(arn: str, base_name: str, name: str) -> str:
    """A custom model's id on the OpenAI wire; its last part alone decides.

    >>> fine_tuned_name("arn:aws:bedrock:us-east-1:123456789012:custom-model/a.b-v1:0/abcdefghijkl", "b", "harbour")
    'ft:b:rocamadre:harbour:abcdefghijkl'
    """
    return f"ft:{base_name}:rocamadre:{name}:{arn.rpartition('/')[2]}"


def openai_id(host: Host, *, arn: str, base_id: str, name: str) -> str:
    """A custom model's id on the OpenAI wire, with its base's short name where that is here."""
    base = snapshot(host).find(base_id)
    return fine_tuned_name(arn, base.short_name if base is not None else base_id.partition(":")[0], name)


def check_name_free(tx: Connection, account: str, region: str, name: str, *, maker: str = "") -> None:
    """Refuse a name that a custom model has, or that a job will give one.

    Args:
        tx: A transaction.
        account: Whose.
        region: Where.
        name: Of the model.
        maker: ARN of a job that may have it.

    Raises:
        Conflict: it is taken.
    """
    there = select_one(tx, CustomModel, account, region, name=name)
    if there is not None:
        raise Conflict(f"a custom model is called {name!r} already ({there.arn}); choose another name or delete it")
    other = select_maker(tx, account, region, name)
    if other is not None and other != maker:
        raise Conflict(f"{other} makes a custom model called {name!r}; choose another name")


def register_custom_model(
    tx: Connection,
    *,
    account: str,
    region: str,
    name: str,
    arn: str,
    base_model_id: str,
    base_model_arn: str,
    customization_type: str,
    job_arn: str,
    folder: str,
    engine: str,
    options: Mapping[str, Any],
    size_bytes: int,
    parameters: int,
    context_length: int,
    facts: Mapping[str, Any],
    created_at: datetime,
    file: str = "",
    foundation_arn: str | None = None,
    output_modalities: tuple[str, ...] = ("TEXT",),
    dimensions: int = 0,
) -> CustomModel:
    """Let a model whose weights are in place answer from now on; a repeat with the same ARN changes nothing.

    Args:
        tx: The caller's transaction.
        account: Whose it is.
        region: Where it is seen.
        name: Unique among the account's custom models in the region.
        arn: See `custom_model_arn`.
        base_model_id: The foundation model id whose body format InvokeModel reads.
        base_model_arn: Of the foundation model or custom model that it was made from.
        customization_type: As Bedrock names it: `FINE_TUNING`, `IMPORTED`….
        job_arn: Of the job that made it; empty for none.
        folder: Its name below `<home>/models`; deleted with the model.
        engine: A name in `engines.registry.ENGINES`.
        options: For the engine.
        size_bytes: Of the weights.
        parameters: How many weights.
        context_length: In tokens.
        facts: Plain JSON, stored with the model and shown: `method`, `settings`, `data`, `metrics`, `certificate`,
            `environment`, `licence` (text), `languages` (list).
        created_at: The job's end.
        file: The weight file in the folder; empty for the folder itself.
        foundation_arn: At the beginning of the line; found by `base_model_arn` unless given.
        output_modalities: Of `TEXT`, `EMBEDDING`.
        dimensions: Length of its vectors; 0 for those without.

    Raises:
        Conflict: another model took the name meanwhile.
        InvalidRequest: the folder's name leads elsewhere.
    """
    if not _FOLDER.fullmatch(folder):
        raise InvalidRequest(f"the folder {folder!r} of a custom model must be one plain name below models/")
    there = select_row(tx, CustomModel, arn)
    if there is not None and there.status == "Active":
        return there
    model = CustomModel(
        arn=arn,
        account=account,
        region=region,
        id=Arn.parse(arn).id.rpartition("/")[2],
        name=name,
        status="Active",
        message="",
        base_model_id=base_model_id,
        base_model_arn=base_model_arn,
        foundation_arn=_foundation(tx, base_model_arn) if foundation_arn is None else foundation_arn,
        customization_type=customization_type,
        job_arn=job_arn,
        folder=folder,
        created_at=created_at,
        facts=dict(facts),
    )
    if there is None:
        check_name_free(tx, account, region, name, maker=job_arn)
        insert_row(tx, model)
    else:  # CreateCustomModel and copies show it while it comes.
        kept = ("arn", "created_at")
        values = {field: getattr(model, field) for field in CustomModel.__slots__ if field not in kept}
        change_row(tx, CustomModel, arn, **values)
    delete_target(tx, arn)
    shown = Facts(
        name=name,
        provider="custom",
        engine=engine,
        file=file,
        output_modalities=output_modalities,
        context_length=context_length,
        dimensions=dimensions,
        licence=str(facts.get("licence") or ""),
        languages=tuple(facts.get("languages") or ()),
        size_bytes=size_bytes,
        parameters=parameters,
        source="custom",
        # An adapter's file is its base's: what was learned is beside it, and training from there would lose it.
        customizations=TRAINABLE if "TEXT" in output_modalities and "adapter" not in options else (),
        options=portable(options, folder),
    )
    insert_target(
        tx,
        Target(
            arn=arn,
            account=account,
            region=region,
            kind=KIND,
            id=model.id,
            name=name,
            state="ready",
            reason="",
            base_id=base_model_id,
            folder=folder,
            facts=shown,
        ),
    )
    return model


def get_custom_model(ctx: Context, id_or_arn: str) -> CustomModel:
    """One custom model by name or ARN.

    Raises:
        NotFound: the account has none of this name in this region.
    """
    with ctx.platform.sql.connect() as connection:
        model = find_custom_model(connection, ctx.account, ctx.region, id_or_arn)
    if model is None:
        raise _absent(ctx, id_or_arn)
    return model


def find_custom_model(tx: Connection, account: str, region: str, id_or_arn: str) -> CustomModel | None:
    """One custom model by name or ARN, or None."""
    if id_or_arn.startswith("arn:"):
        return select_one(tx, CustomModel, account, region, arn=id_or_arn)
    return select_one(tx, CustomModel, account, region, name=id_or_arn)


def list_custom_models(
    ctx: Context,
    *,
    after: datetime | None = None,
    before: datetime | None = None,
    name_contains: str = "",
    base_model_arn: str = "",
    foundation_arn: str = "",
    owned: bool | None = None,
    status: str = "",
    newest_first: bool = True,
) -> list[CustomModel]:
    """The account's custom models in this region.

    Args:
        ctx: Whose.
        after: Only those made later.
        before: Only those made earlier.
        name_contains: Only those whose name holds this.
        base_model_arn: Only those made from this model.
        foundation_arn: Only those with this foundation model at the beginning of their line.
        owned: False asks for those that others share, of which there are none.
        status: Only those in this state.
        newest_first: Order by time.
    """
    if owned is False:
        return []
    with ctx.platform.sql.connect() as connection:
        models = select_all(connection, CustomModel, ctx.account, ctx.region)
    return [
        model
        for model in in_time(models, after=after, before=before, newest_first=newest_first)
        if name_contains in model.name
        and base_model_arn in ("", model.base_model_arn)
        and foundation_arn in ("", model.foundation_arn)
        and status in ("", model.status)
    ]


def delete_custom_model(ctx: Context, id_or_arn: str) -> CustomModel:
    """Delete a custom model, its tags and its weights.

    Raises:
        NotFound: the account has none of this name in this region.
        Conflict: something runs it, or a job trains from it.
    """
    model = remove_custom_model(ctx.platform, get_custom_model(ctx, id_or_arn))
    forget(ctx.platform)
    return model


def remove_custom_model(host: Host, model: CustomModel) -> CustomModel:
    """`delete_custom_model` for programs without a server.

    The row goes first, with a note of the folder; whatever dies then, `sweep` removes it at the next start.
    """
    with host.sql.begin() as tx:
        users = select_users(tx, model.arn) + select_trainers(tx, model.arn) + select_pending(tx, model.arn)
        users += select_leaning(tx, model.folder) if model.folder else []
        users = list(dict.fromkeys(users))
        if users:
            shown = ", ".join(users[:3]) + (f" and {len(users) - 3} more" if len(users) > 3 else "")
            raise Conflict(f"{model.name} is in use by {shown}; delete or stop that first")
        if not delete_row(tx, CustomModel, model.arn):
            raise NotFound(f"{model.name} was deleted meanwhile")
        delete_target(tx, model.arn)
        forget_tags(tx, model.arn)
        note_removals(tx, [model.folder])
    sweep(host)
    return model


def sweep(host: Host) -> None:
    """Remove the folders that nothing uses any more; after a deletion, and at the server's start."""
    with host.sql.connect() as connection:
        folders = select_removals(connection)
    for folder in folders:
        remove_folder(host.settings.home / "models" / folder)
        with host.sql.begin() as tx:
            forget_removal(tx, folder)
    for left in (host.settings.home / "models").glob(".removed-*"):  # of a removal that was cut off
        shutil.rmtree(left, ignore_errors=True)


def let_go_of_account(tx: Connection, account: str) -> None:
    """Note the weights of all of an account's models for `sweep`, before its rows are deleted."""
    folders = [target.folder for target in select_targets(tx, account)]
    note_removals(tx, [folder for folder in folders if folder])


def announce_custom_model(tx: Connection, model: CustomModel) -> None:
    """Show a model that is still being created.

    Raises:
        Conflict: the name is taken.
    """
    check_name_free(tx, model.account, model.region, model.name)
    insert_named(tx, model, "custom model")
    insert_target(
        tx,
        Target(
            arn=model.arn,
            account=model.account,
            region=model.region,
            kind=KIND,
            id=model.id,
            name=model.name,
            state="creating",
            reason="",
            base_id=model.base_model_id,
        ),
    )


def fail_custom_model(tx: Connection, arn: str, message: str) -> None:
    """A model that was to be created could not be."""
    change_row(tx, CustomModel, arn, status="Failed", message=message[:2048])
    change_target(tx, arn, state="failed", reason=message[:2048])


def runnable_model(tx: Connection, account: str, region: str, arn: str) -> CustomModel:
    """A custom model that can be deployed.

    Raises:
        NotFound: the account has none with this ARN in this region.
        InvalidRequest: it is not Active.
    """
    model = select_one(tx, CustomModel, account, region, arn=arn)
    if model is None or (model.status == "Active" and select_target(tx, account, region, arn) is None):
        raise NotFound(
            f"no custom model {arn[:200]!r} in account {account}, region {region}; ListCustomModels shows what exists"
        )
    if model.status != "Active":
        raise InvalidRequest(
            f"custom model {model.name} is {model.status}: {model.message or 'wait until it is Active'}"
        )
    return model


def makes_embeddings(tx: Connection, model: CustomModel) -> bool:
    """Whether its answers are vectors."""
    target = select_target(tx, model.account, model.region, model.arn)
    return target is not None and target.facts is not None and "EMBEDDING" in target.facts.output_modalities


def insert_named(tx: Connection, value: Any, what: str) -> None:
    """Store a row whose name must be free.

    Raises:
        Conflict: it is taken.
    """
    try:
        insert_row(tx, value)
    except IntegrityError as error:
        raise Conflict(f"a {what} is called {value.name!r} already; choose another name or delete that one") from error


def _foundation(tx: Connection, base_model_arn: str) -> str:
    """The foundation model's ARN behind a base."""
    if Arn.parse(base_model_arn).kind != KIND:
        return base_model_arn
    base = select_row(tx, CustomModel, base_model_arn)
    return base.foundation_arn if base is not None else ""


def _absent(ctx: Context, name: str) -> NotFound:
    return NotFound(
        f"no custom model {name[:200]!r} in account {ctx.account}, region {ctx.region}; ListCustomModels shows what "
        "exists"
    )

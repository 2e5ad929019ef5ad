"""Inference profiles: system-defined ones for every model that is here, and applications' own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

from rocamadre.catalog.errors import UnknownModel
from rocamadre.catalog.families import listed_geographies, without_geography
from rocamadre.catalog.operations import list_models, resolve
from rocamadre.catalog.profile_rows import (
    count_profiles,
    delete_profile_row,
    insert_profile,
    select_profile,
    select_profiles,
)
from rocamadre.catalog.snapshot import forget
from rocamadre.catalog.types import InferenceProfile
from rocamadre.core.arn import Arn, make_arn
from rocamadre.core.context import Context
from rocamadre.core.errors import InvalidRequest, NotBuilt, NotFound, QuotaExceeded
from rocamadre.core.ids import short_id
from rocamadre.store.sql.tags import add_tags, forget_tags

MAX_ID = 64
MAX_PROFILES = 1000
"""Application profiles per account and region."""

_NOT_IN_NAMES = re.compile(r"[^0-9A-Za-z]+")


def create_profile(
    ctx: Context, *, name: str, copy_from: str, description: str = "", tags: Mapping[str, str] | None = None
) -> InferenceProfile:
    """Make an application inference profile.

    Args:
        ctx: Whose it will be.
        name: What people call it; need not be unique.
        copy_from: ARN of a foundation model or of a system-defined profile.
        description: Free text.
        tags: At most 50.

    Raises:
        NotFound: `copy_from` stands for nothing here; the message lists what exists.
        QuotaExceeded: the account has a thousand in this region.
        TooManyTags: over 50.
    """
    try:
        source_id = resolve(ctx, copy_from).base_id
    except UnknownModel as error:
        raise NotFound(error.message) from error
    now = ctx.platform.clock.now()
    profile_id = short_id(12)
    profile = InferenceProfile(
        arn=make_arn("bedrock", ctx.region, ctx.account, f"application-inference-profile/{profile_id}"),
        id=profile_id,
        name=name,
        description=description,
        type="APPLICATION",
        source_id=source_id,
        model_arns=(_model_arn(ctx, source_id),),
        created_at=now,
        updated_at=now,
    )
    with ctx.platform.sql.begin() as tx:
        if count_profiles(tx, ctx.account, ctx.region) >= MAX_PROFILES:
            raise QuotaExceeded(
                f"account {ctx.account} has {MAX_PROFILES} inference profiles in {ctx.region}; delete some"
            )
        insert_profile(tx, ctx.account, ctx.region, profile)
        add_tags(tx, profile.arn, tags or {})
    return profile


def get_profile(ctx: Context, id_or_arn: str) -> InferenceProfile:
    """One inference profile by id or ARN; an alias's says in its description which model runs.

    Raises:
        NotFound: no profile has this name in this account and region.
    """
    profile_id, application = _named(ctx, id_or_arn)
    if application is not False:
        with ctx.platform.sql.connect() as connection:
            found = select_profile(connection, ctx.account, ctx.region, profile_id)
        if found is not None:
            return found
    if application is not True and without_geography(profile_id) != profile_id:
        try:
            return _system_profile(ctx, profile_id)
        except (UnknownModel, NotBuilt):
            pass
    raise _absent(ctx, id_or_arn)


def list_profiles(
    ctx: Context, *, type_equals: Literal["SYSTEM_DEFINED", "APPLICATION"] | None = None
) -> list[InferenceProfile]:
    """System-defined profiles of the models here, then the account's own in this region, oldest first."""
    found: list[InferenceProfile] = []
    if type_equals != "APPLICATION":
        ids = [f"{geography}.{model.id}" for model in list_models(ctx) for geography in listed_geographies()]
        found += [_system_profile(ctx, profile_id) for profile_id in ids if len(profile_id) <= MAX_ID]
    if type_equals != "SYSTEM_DEFINED":
        with ctx.platform.sql.connect() as connection:
            found += select_profiles(connection, ctx.account, ctx.region)
    return found


def delete_profile(ctx: Context, id_or_arn: str) -> None:
    """Delete an application inference profile and its tags.

    Raises:
        NotFound: there is none of this name.
        InvalidRequest: it is system-defined.
    """
    profile = get_profile(ctx, id_or_arn)
    if profile.type == "SYSTEM_DEFINED":
        raise InvalidRequest(f"{profile.id} is system-defined; only application inference profiles can be deleted")
    with ctx.platform.sql.begin() as tx:
        if not delete_profile_row(tx, ctx.account, ctx.region, profile.id):
            raise _absent(ctx, id_or_arn)
        forget_tags(tx, profile.arn)
    forget(ctx.platform)


def _named(ctx: Context, id_or_arn: str) -> tuple[str, bool | None]:
    """The id in an id or ARN, and whether it is an application's; None when only a look can tell."""
    if not id_or_arn.startswith("arn:"):
        return id_or_arn, None
    arn = Arn.parse(id_or_arn)
    mine = arn.service == "bedrock" and arn.account in ("", ctx.account) and arn.region in ("", ctx.region)
    if not mine or arn.kind not in ("inference-profile", "application-inference-profile"):
        raise _absent(ctx, id_or_arn)
    return arn.id, arn.kind == "application-inference-profile"


def _absent(ctx: Context, name: str) -> NotFound:
    return NotFound(
        f"no inference profile {name[:100]!r} in account {ctx.account}, region {ctx.region}; "
        "ListInferenceProfiles shows what exists"
    )


def _model_arn(ctx: Context, model_id: str) -> str:
    return make_arn("bedrock", ctx.region, "", f"foundation-model/{model_id}")


def _system_profile(ctx: Context, profile_id: str) -> InferenceProfile:
    resolved = resolve(ctx, profile_id)
    geography = profile_id.partition(".")[0].upper()
    what = "Alias of" if resolved.aliased else "Runs"
    called = resolved.base_id if resolved.aliased else resolved.model.name
    return InferenceProfile(
        arn=make_arn("bedrock", ctx.region, ctx.account, f"inference-profile/{profile_id}"),
        id=profile_id,
        name=_NOT_IN_NAMES.sub(" ", f"{geography} {called}")[:MAX_ID].strip(),
        description=f"{what} {resolved.model.id} on this machine whatever the geography",
        type="SYSTEM_DEFINED",
        source_id=resolved.base_id,
        model_arns=(_model_arn(ctx, resolved.base_id),),
    )

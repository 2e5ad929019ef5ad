"""What accounts do with guardrails: make, change, number and delete them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy.exc import IntegrityError

from rocamadre.core.arn import make_arn
from rocamadre.core.context import Context
from rocamadre.core.errors import Conflict, InvalidRequest, QuotaExceeded
from rocamadre.core.ids import short_id
from rocamadre.guardrails.engine import compile_guardrail
from rocamadre.guardrails.tables import (
    count_guardrails,
    count_versions,
    delete_versions,
    digest_of,
    find_version,
    guardrail_arn,
    insert_guardrail,
    insert_version,
    next_version,
    replace_draft,
    select_drafts,
    select_enforced,
    select_summaries,
    select_version,
    unknown,
)
from rocamadre.guardrails.types import DRAFT, Summary, Version
from rocamadre.guardrails.validation import check_policies
from rocamadre.store.sql.tags import add_tags, forget_tags

MOST_GUARDRAILS = 100
"""Per account and region."""

MOST_VERSIONS = 20
"""Numbered ones, of each."""

_KEY_ID = re.compile(r"[a-zA-Z0-9-]{36}")
_LONGEST_PROFILE = 30


class GuardrailInUse(Conflict):
    """The guardrail is in use."""

    codes = ("ResourceInUseException", "ConflictException", "ValidationException")


@dataclass(frozen=True, slots=True)
class Wish:
    """What CreateGuardrail and UpdateGuardrail are given.

    Attributes:
        name: Unique in account and region.
        request: The request itself, for its policies and crossRegionConfig.
        blocked_input: What is answered in place of a prompt that is refused.
        blocked_output: What is answered in place of an answer that is refused.
        description: Free text.
        kms_key_id: ARN or id of a key; remembered only.
        tags: For new ones.
    """

    name: str
    request: Mapping[str, Any]
    blocked_input: str
    blocked_output: str
    description: str = ""
    kms_key_id: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)


def create_guardrail(ctx: Context, wish: Wish) -> Version:
    """Make a guardrail; what comes back is its draft.

    Raises:
        Conflict: the name is taken.
        InvalidRequest: a setting that is not allowed.
        NotBuilt: a kind of policy or modality that is not here.
        QuotaExceeded: the account has 100 in this region.
        TooManyTags: over 50.
    """
    now = ctx.platform.clock.now()
    draft = _draft(ctx, wish, short_id(12))
    draft = replace(draft, created_at=now, updated_at=now)
    try:
        with ctx.platform.sql.begin() as tx:
            if count_guardrails(tx, ctx.account, ctx.region) >= MOST_GUARDRAILS:
                raise QuotaExceeded(
                    f"account {ctx.account} has {MOST_GUARDRAILS} guardrails in {ctx.region}; delete some"
                )
            insert_guardrail(tx, ctx, draft)
            add_tags(tx, draft.arn, wish.tags)
    except IntegrityError as error:
        raise _taken(wish.name) from error
    return draft


def update_guardrail(ctx: Context, identifier: str, wish: Wish) -> Version:
    """Replace the draft as a whole: policies that are not given again are gone. Numbered versions stay.

    Raises:
        NotFound: there is no such guardrail.
        Conflict: another has this name.
        InvalidRequest: a setting that is not allowed.
        NotBuilt: a kind of policy or modality that is not here.
    """
    before = find_version(ctx, identifier, DRAFT)
    draft = _draft(ctx, wish, before.id)
    draft = replace(draft, created_at=before.created_at, updated_at=ctx.platform.clock.now())
    try:
        with ctx.platform.sql.begin() as tx:
            if not replace_draft(tx, draft):
                raise unknown(ctx, identifier)
    except IntegrityError as error:
        raise _taken(wish.name) from error
    return draft


def get_guardrail(ctx: Context, identifier: str, version: str = DRAFT) -> Version:
    """One version of a guardrail.

    Raises:
        NotFound: there is no such guardrail or version.
    """
    return find_version(ctx, identifier, version)


def list_guardrails(ctx: Context, identifier: str | None = None) -> list[Summary]:
    """The drafts of all guardrails, or one guardrail's draft and versions.

    Raises:
        NotFound: there is no such guardrail.
    """
    with ctx.platform.sql.connect() as connection:
        if identifier is None:
            return select_drafts(connection, ctx.account, ctx.region)
        found = select_summaries(connection, guardrail_arn(ctx, identifier))
    if not found:
        raise unknown(ctx, identifier)
    return found


def create_version(ctx: Context, identifier: str, description: str = "") -> Version:
    """Number the draft as it is now; what has a number never changes.

    Raises:
        NotFound: there is no such guardrail.
        QuotaExceeded: it has 20 versions.
    """
    arn = guardrail_arn(ctx, identifier)
    with ctx.platform.sql.begin() as tx:
        number = next_version(tx, arn)
        draft = select_version(tx, arn, DRAFT)
        if number is None or draft is None:
            raise unknown(ctx, identifier)
        if count_versions(tx, arn) >= MOST_VERSIONS:
            raise QuotaExceeded(f"guardrail {draft.id} has {MOST_VERSIONS} versions; delete some")
        now = ctx.platform.clock.now()
        version = replace(draft, version=str(number), description=description, created_at=now, updated_at=now)
        insert_version(tx, version)
    return version


def delete_guardrail(ctx: Context, identifier: str, version: str | None = None) -> None:
    """Delete one numbered version, or the guardrail with its draft, versions and tags.

    Raises:
        NotFound: there is no such guardrail or version.
        GuardrailInUse: the account enforces it.
    """
    arn = guardrail_arn(ctx, identifier)
    with ctx.platform.sql.begin() as tx:
        for each in select_enforced(tx, ctx.account, ctx.region):
            if each.guardrail_arn == arn and version in (None, each.version):
                raise GuardrailInUse(
                    f"version {each.version} of guardrail {identifier[:200]!r} is enforced by configuration "
                    f"{each.config_id}; first call DeleteEnforcedGuardrailConfiguration, or put another in its place"
                )
        if not delete_versions(tx, arn, version):
            raise unknown(ctx, identifier, version or "")
        if version is None:
            forget_tags(tx, arn)


def check_mine(ctx: Context, arn: str) -> Summary:
    """The draft of the guardrail of an ARN, for tags.

    Raises:
        NotFound: there is none.
    """
    return list_guardrails(ctx, arn)[0]


def _draft(ctx: Context, wish: Wish, guardrail_id: str) -> Version:
    policies = check_policies(wish.request)
    now = ctx.platform.clock.now()
    profile = (wish.request.get("crossRegionConfig") or {}).get("guardrailProfileIdentifier", "")
    draft = Version(
        arn=make_arn("bedrock", ctx.region, ctx.account, f"guardrail/{guardrail_id}"),
        id=guardrail_id,
        version=DRAFT,
        name=wish.name,
        description=wish.description,
        policies=policies,
        blocked_input=wish.blocked_input,
        blocked_output=wish.blocked_output,
        kms_key_arn=_key_arn(ctx, wish.kms_key_id),
        profile_arn=_profile_arn(ctx, profile),
        digest=digest_of(policies, wish.blocked_input, wish.blocked_output),
        created_at=now,
        updated_at=now,
    )
    compile_guardrail(draft)  # Whatever a policy does not take is told now, not at the first text.
    return draft


def _key_arn(ctx: Context, key: str) -> str:
    """The ARN of a key that is given by ARN or id."""
    if not key:
        return ""
    if _KEY_ID.fullmatch(key):
        return make_arn("kms", ctx.region, ctx.account, f"key/{key}")
    if ":key/" in key:
        return key
    raise InvalidRequest(
        f"kmsKeyId is the alias {key[:200]!r}; there is no key service here that knows what it stands for. Give the "
        "key's ARN or leave it out: it is remembered, and nothing is encrypted with it"
    )


def _profile_arn(ctx: Context, profile: str) -> str:
    name = profile.rpartition("/")[2]
    if len(name) > _LONGEST_PROFILE:
        raise InvalidRequest(
            f"guardrailProfileIdentifier names {name[:60]!r}, {len(name)} characters long; {_LONGEST_PROFILE} are "
            "allowed. A profile is called us.guardrail.v1:0"
        )
    if not profile or profile.startswith("arn:"):
        return profile
    return make_arn("bedrock", ctx.region, ctx.account, f"guardrail-profile/{profile}")


def _taken(name: str) -> Conflict:
    return Conflict(f"a guardrail is called {name!r} already; choose another name, or update that one")

"""Beginning and finding asynchronous calls."""

from __future__ import annotations

from datetime import datetime

import msgspec

from rocamadre.async_invokes.families import find_family
from rocamadre.async_invokes.tables import insert_invoke, select_invoke, select_invokes
from rocamadre.async_invokes.types import AsyncInvoke, NewAsyncInvoke
from rocamadre.catalog.operations import resolve
from rocamadre.core.arn import Arn, make_arn
from rocamadre.core.context import Context
from rocamadre.core.errors import AccessDenied, InvalidRequest, NotFound
from rocamadre.core.ids import short_id
from rocamadre.jobs.runner import JobSpec
from rocamadre.store.objects.protocol import parse_uri
from rocamadre.store.sql.tags import add_tags

KIND = "async-invoke"
MOST_TEXT_BYTES = 64 << 20
"""Of a text in S3."""


def start_invoke(ctx: Context, wish: NewAsyncInvoke) -> AsyncInvoke:
    """Record a call and queue its run: both or neither.

    Raises:
        InvalidRequest: the model has no asynchronous calls, its input is wrong, or a bucket or object is not there.
        TooManyTags: over 50.
    """
    resolved = resolve(ctx, wish.model_id)
    if resolved.target_arn:
        raise InvalidRequest(f"{wish.model_id[:200]!r} has no asynchronous calls; foundation models that embed do")
    family = find_family(resolved.base_id)
    source_uri = family.check(wish.model_input)
    if source_uri:
        _check_source(ctx, source_uri)
    _check_target(ctx, wish)
    now = ctx.platform.clock.now()
    invoke_id = short_id(12)
    invoke = AsyncInvoke(
        arn=make_arn("bedrock", ctx.region, ctx.account, f"async-invoke/{invoke_id}"),
        account=ctx.account,
        region=ctx.region,
        id=invoke_id,
        token=wish.token,
        model_arn=make_arn("bedrock", ctx.region, "", f"foundation-model/{resolved.base_id}"),
        base_id=resolved.base_id,
        model_input=msgspec.json.encode(wish.model_input).decode(),
        output_uri=wish.output_uri,
        kms_key_id=wish.kms_key_id,
        bucket_owner=wish.bucket_owner,
        status="InProgress",
        message="",
        submitted_at=now,
        modified_at=now,
    )
    with ctx.platform.sql.begin() as tx:
        insert_invoke(tx, invoke)
        add_tags(tx, invoke.arn, wish.tags)
        ctx.platform.jobs.enqueue(tx, JobSpec(KIND, invoke.arn))
    return invoke


def get_invoke(ctx: Context, text: str) -> AsyncInvoke:
    """One call by ARN.

    Raises:
        NotFound: there is none of this ARN in this account and region.
    """
    arn = Arn.parse(text)
    if (arn.service, arn.account, arn.region, arn.kind) == ("bedrock", ctx.account, ctx.region, KIND):
        with ctx.platform.sql.connect() as connection:
            invoke = select_invoke(connection, text)
        if invoke is not None:
            return invoke
    raise NotFound(
        f"no async invoke {text[:120]!r} in account {ctx.account}, region {ctx.region}; ListAsyncInvokes shows what "
        "exists"
    )


def list_invokes(
    ctx: Context,
    *,
    status: str | None = None,
    after: datetime | None = None,
    before: datetime | None = None,
    newest_first: bool = True,
) -> list[AsyncInvoke]:
    """The account's calls in this region.

    Args:
        ctx: Whose.
        status: Only those in this state.
        after: Only those submitted later.
        before: Only those submitted earlier.
        newest_first: Order by time of submission.
    """
    with ctx.platform.sql.connect() as connection:
        invokes = select_invokes(connection, ctx.account, ctx.region)
    if newest_first:
        invokes.reverse()
    return [
        invoke
        for invoke in invokes
        if (status is None or invoke.status == status)
        and (after is None or invoke.submitted_at > after)
        and (before is None or invoke.submitted_at < before)
    ]


def _check_source(ctx: Context, uri: str) -> None:
    try:
        found = ctx.platform.objects.of(ctx.account).head(*parse_uri(uri))
    except (NotFound, AccessDenied) as error:
        raise InvalidRequest(f"modelInput: {uri} cannot be read: {error.message}") from error
    if found.size_bytes > MOST_TEXT_BYTES:
        raise InvalidRequest(f"modelInput: {uri} has {found.size_bytes} bytes; at most {MOST_TEXT_BYTES} are taken")


def _check_target(ctx: Context, wish: NewAsyncInvoke) -> None:
    if wish.bucket_owner not in ("", ctx.account):
        raise InvalidRequest(f"bucketOwner {wish.bucket_owner} is not this account, {ctx.account}")
    bucket, _ = parse_uri(wish.output_uri)
    try:
        next(ctx.platform.objects.of(ctx.account).list(bucket), None)
    except (NotFound, AccessDenied) as error:
        raise InvalidRequest(f"outputDataConfig: {wish.output_uri} cannot be written to: {error.message}") from error

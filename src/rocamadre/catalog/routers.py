"""Prompt routers: a name for two models; each request goes to the one that its difficulty asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from sqlalchemy.exc import IntegrityError

from rocamadre.catalog.errors import UnknownModel
from rocamadre.catalog.operations import resolve
from rocamadre.catalog.prices import price
from rocamadre.catalog.router_rows import (
    KINDS,
    count_routers,
    default_routers,
    delete_router_row,
    find_router,
    insert_router,
    router_arn,
    select_routers,
)
from rocamadre.catalog.routing import Difficulty, difficulty, prefers_other
from rocamadre.catalog.snapshot import forget
from rocamadre.catalog.types import PromptRouter, Resolved
from rocamadre.core.arn import Arn, make_arn
from rocamadre.core.context import Context
from rocamadre.core.errors import Conflict, InvalidRequest, NotBuilt, NotFound, QuotaExceeded
from rocamadre.core.ids import short_id
from rocamadre.core.messages import GenerationRequest
from rocamadre.store.sql.tags import add_tags, forget_tags

MAX_ROUTERS = 500
"""Per account and region."""

MOST_MODELS = 2


@dataclass(frozen=True, slots=True)
class Route:
    """What a router chose.

    Attributes:
        resolved: The model that will run.
        difficulty: What the choice went by.
        same_model: Whether one local model stands behind both names, so that the choice changes the name alone.
    """

    resolved: Resolved
    difficulty: Difficulty
    same_model: bool


def create_router(
    ctx: Context,
    *,
    name: str,
    models: Sequence[str],
    fallback: str,
    quality_difference: float,
    description: str = "",
    tags: Mapping[str, str] | None = None,
) -> PromptRouter:
    """Make a prompt router.

    Args:
        ctx: Whose it will be.
        name: Unique in the account and region.
        models: ARNs of one or two models or inference profiles.
        fallback: ARN of one of them, or of the second where `models` names one.
        quality_difference: In percentage points, 0 to 100; see `routing.prefers_other`.
        description: Free text.
        tags: At most 50.

    Raises:
        Conflict: a router has this name.
        InvalidRequest: no or too many models, the same twice, or one that makes embeddings.
        NotFound: an ARN stands for nothing here; the message lists what exists.
        QuotaExceeded: the account has 500 in this region.
        TooManyTags: over 50.
    """
    together = tuple(dict.fromkeys((*models, fallback)))
    if not models or len(together) > MOST_MODELS or len(set(models)) != len(models):
        raise InvalidRequest(
            f"models: a prompt router chooses between {MOST_MODELS} different models, its fallbackModel one of them; "
            f"{len(models)} models and a fallback that make {len(together)} together were given"
        )
    for arn in together:
        _check_target(ctx, arn)
    now = ctx.platform.clock.now()
    router = PromptRouter(
        arn=router_arn(ctx.account, ctx.region, short_id(12)),
        name=name,
        description=description,
        type="custom",
        models=together,
        fallback=fallback,
        quality_difference=quality_difference,
        created_at=now,
        updated_at=now,
    )
    try:
        with ctx.platform.sql.begin() as tx:
            if count_routers(tx, ctx.account, ctx.region) >= MAX_ROUTERS:
                raise QuotaExceeded(
                    f"account {ctx.account} has {MAX_ROUTERS} prompt routers in {ctx.region}; delete some"
                )
            insert_router(tx, ctx.account, ctx.region, router)
            add_tags(tx, router.arn, tags or {})
    except IntegrityError as error:
        raise Conflict(f"a prompt router is called {name!r} already; choose another name or delete that one") from error
    return router


def get_router(ctx: Context, arn: str) -> PromptRouter:
    """One prompt router by its ARN.

    Raises:
        NotFound: no router has this ARN in this account and region.
    """
    parsed = Arn.parse(arn)
    found = find_router(ctx.platform.sql, ctx.account, ctx.region, parsed) if parsed.kind in KINDS else None
    if found is None:
        raise NotFound(
            f"no prompt router {arn[:200]!r} in account {ctx.account}, region {ctx.region}; ListPromptRouters shows "
            "what exists"
        )
    return found


def list_routers(ctx: Context, *, type_equals: Literal["custom", "default"] | None = None) -> list[PromptRouter]:
    """The default routers whose models stand for something here, then the account's own, oldest first."""
    found: list[PromptRouter] = []
    if type_equals != "custom":
        found += [each for each in default_routers(ctx.account, ctx.region) if _works(ctx, each)]
    if type_equals != "default":
        with ctx.platform.sql.connect() as connection:
            found += select_routers(connection, ctx.account, ctx.region)
    return found


def delete_router(ctx: Context, arn: str) -> None:
    """Delete an account's own prompt router and its tags.

    Raises:
        NotFound: there is none of this ARN.
        InvalidRequest: it is a default one.
    """
    router = get_router(ctx, arn)
    if router.type == "default":
        raise InvalidRequest(f"{router.name} is a default prompt router; only your own can be deleted")
    with ctx.platform.sql.begin() as tx:
        if not delete_router_row(tx, router.arn):
            raise NotFound(f"no prompt router {arn[:200]!r} any more")
        forget_tags(tx, router.arn)
    forget(ctx.platform)


def route(ctx: Context, resolved: Resolved, request: GenerationRequest) -> Resolved:
    """The model that answers a request: what was resolved, unless that is a prompt router.

    What the router chose and why is noted for the log, and said in the header `x-rocamadre-router`.

    Raises:
        NotFound: the router, or a model of it, has gone since.
    """
    if not resolved.router_arn or resolved.invoked_model_id:
        return resolved
    chosen = choose(ctx, get_router(ctx, resolved.router_arn), request)
    score, invoked = chosen.difficulty.score, chosen.resolved.invoked_model_id
    ctx.notes["router"] = resolved.router_arn
    ctx.notes["router_score"] = score
    same = "; one local model stands behind both" if chosen.same_model else ""
    ctx.reply_headers["x-rocamadre-router"] = f"predicted difference {score:g}; {Arn.parse(invoked).id}{same}"
    return replace(chosen.resolved, requested=resolved.requested, router_arn=resolved.router_arn)


def choose(ctx: Context, router: PromptRouter, request: GenerationRequest) -> Route:
    """Which of a router's models should answer a request.

    Raises:
        NotFound: a model of the router has gone since.
    """
    judged = difficulty(request)
    fallback = _target(ctx, router.fallback)
    other = next((_target(ctx, arn) for arn in router.models if arn != router.fallback), None)
    if other is None:
        return Route(fallback, judged, same_model=True)
    stronger = _is_stronger(other, fallback)
    taken = prefers_other(judged.score, router.quality_difference, other_is_stronger=stronger)
    return Route(other if taken else fallback, judged, same_model=other.model.id == fallback.model.id)


def _is_stronger(one: Resolved, other: Resolved) -> bool:
    """Whether a model is the stronger of two: by the weights that run here, then by what AWS asks for the names."""
    if one.model.parameters and other.model.parameters and one.model.id != other.model.id:
        return one.model.parameters > other.model.parameters
    prices = [found.output or found.input if (found := price(each.base_id)) else 0.0 for each in (one, other)]
    return bool(prices[0] and prices[1] and prices[0] > prices[1])


def _target(ctx: Context, arn: str) -> Resolved:
    """A router's model, under the id that the trace of an answer names."""
    try:
        found = resolve(ctx, arn)
    except UnknownModel as error:
        raise NotFound(error.message) from error
    named = arn
    if Arn.parse(arn).kind == "application-inference-profile":  # Traces name models and system-defined profiles only.
        named = make_arn("bedrock", ctx.region, "", f"foundation-model/{found.base_id}")
    return replace(found, invoked_model_id=named)


def _check_target(ctx: Context, arn: str) -> None:
    found = _target(ctx, arn)
    if found.model.embeds:
        raise InvalidRequest(f"{arn[:200]!r} makes embeddings; a prompt router chooses between models that answer")


def _works(ctx: Context, router: PromptRouter) -> bool:
    try:
        for arn in router.models:
            _check_target(ctx, arn)
    except (NotFound, NotBuilt, InvalidRequest):
        return False
    return True

"""Guardrails that an account enforces: every call of a model in a region goes through them."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Engine as SqlEngine

from rocamadre.core.context import Context
from rocamadre.core.errors import Conflict, NotFound
from rocamadre.core.ids import short_id
from rocamadre.guardrails.tables import delete_enforced, find_version, put_enforced, select_enforced
from rocamadre.guardrails.types import Enforced

TTL_S = 1.0
"""How long another process's change may stay unseen: the question is asked with every call of a model."""

COMPREHENSIVE = "COMPREHENSIVE"


@dataclass(slots=True)
class _Memo:
    expires_at: float = 0.0
    by_place: dict[tuple[str, str], tuple[Enforced, ...]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)


_memos: WeakKeyDictionary[SqlEngine, _Memo] = WeakKeyDictionary()
_memos_lock = threading.Lock()


def enforced_guardrails(ctx: Context, model_id: str | None = None) -> list[Enforced]:
    """What the caller's account enforces in this region. Cheap enough for every request.

    Args:
        ctx: Who asks.
        model_id: Of the model called, as AWS lists it (amazon.nova-lite-v1:0); None for configurations of any model.
    """
    memo = _memo(ctx)
    now = ctx.platform.clock.monotonic()
    place = (ctx.account, ctx.region)
    with memo.lock:
        if now >= memo.expires_at:
            memo.by_place.clear()
            memo.expires_at = now + TTL_S
        found = memo.by_place.get(place)
    if found is None:
        with ctx.platform.sql.connect() as connection:
            found = tuple(select_enforced(connection, *place))
        with memo.lock:
            memo.by_place[place] = found
    return [each for each in found if model_id is None or each.covers(model_id)]


def forget_enforced(sql: SqlEngine) -> None:
    """Look again at the next call; after a change made by this process."""
    _memos.pop(sql, None)


def put_configuration(ctx: Context, config_id: str | None, wish: Mapping[str, Any]) -> Enforced:
    """Enforce a numbered version of a guardrail, or change what is enforced.

    Args:
        ctx: Whose account and region.
        config_id: Of a configuration to change; None for the first.
        wish: guardrailInferenceConfig in its wire form.

    Raises:
        NotFound: no such guardrail, version or configuration.
        Conflict: there is a configuration already, and `config_id` was not given.
    """
    version = find_version(ctx, wish["guardrailIdentifier"], wish["guardrailVersion"])
    now = ctx.platform.clock.now()
    selective = wish.get("selectiveContentGuarding") or {}
    models = wish.get("modelEnforcement") or {}
    with ctx.platform.sql.begin() as tx:
        before = next(iter(select_enforced(tx, ctx.account, ctx.region)), None)
        if config_id is not None and (before is None or before.config_id != config_id):
            raise _unknown(ctx, config_id)
        if config_id is None and before is not None:
            raise Conflict(
                f"account {ctx.account} enforces a guardrail in {ctx.region} already; one is allowed. Give configId "
                f"{before.config_id!r} to change it"
            )
        enforced = Enforced(
            config_id=before.config_id if before else short_id(12),
            guardrail_arn=version.arn,
            version=version.version,
            system=selective.get("system", COMPREHENSIVE),
            messages=selective.get("messages", COMPREHENSIVE),
            included_models=tuple(models.get("includedModels") or ()),
            excluded_models=tuple(models.get("excludedModels") or ()),
            created_at=before.created_at if before else now,
            created_by=before.created_by if before else ctx.principal.name,
            updated_at=now,
            updated_by=ctx.principal.name,
        )
        put_enforced(tx, ctx, enforced)
    forget_enforced(ctx.platform.sql)
    return enforced


def list_configurations(ctx: Context) -> list[Enforced]:
    """What the account enforces in the region."""
    with ctx.platform.sql.connect() as connection:
        return select_enforced(connection, ctx.account, ctx.region)


def delete_configuration(ctx: Context, config_id: str) -> None:
    """Enforce it no more.

    Raises:
        NotFound: there is no such configuration.
    """
    with ctx.platform.sql.begin() as tx:
        if not delete_enforced(tx, ctx.account, ctx.region, config_id):
            raise _unknown(ctx, config_id)
    forget_enforced(ctx.platform.sql)


def _unknown(ctx: Context, config_id: str) -> NotFound:
    return NotFound(
        f"no configuration {config_id[:60]!r} of enforced guardrails in account {ctx.account}, region {ctx.region}; "
        "ListEnforcedGuardrailsConfiguration shows what exists"
    )


def _memo(ctx: Context) -> _Memo:
    memo = _memos.get(ctx.platform.sql)
    if memo is None:
        with _memos_lock:
            memo = _memos.setdefault(ctx.platform.sql, _Memo())
    return memo

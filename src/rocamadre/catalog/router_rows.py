"""Prompt routers: those of accounts, in SQL, and the default ones."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, delete, func, insert, select
from sqlalchemy import Engine as SqlEngine

from rocamadre.catalog.tables import ROUTERS
from rocamadre.catalog.types import PromptRouter
from rocamadre.core.arn import Arn, make_arn

KINDS = ("prompt-router", "default-prompt-router")
"""Of ARNs: an account's own, and the default ones. AWS's model spells both with the second in places."""

DEFAULT_DIFFERENCE = 10.0
"""In `benchmarks/routing.py` all easy requests and a ninth of the hard ones go to the cheaper model at this."""


class _Default(NamedTuple):
    """A router that every account has: the smaller model, and the larger one, which is its fallback."""

    id: str
    name: str
    smaller: str
    larger: str


_DEFAULTS = (
    _Default("amazon.nova:1", "Nova Prompt Router", "amazon.nova-lite-v1:0", "amazon.nova-pro-v1:0"),
    _Default(
        "anthropic.claude:1",
        "Anthropic Prompt Router",
        "anthropic.claude-3-haiku-20240307-v1:0",
        "anthropic.claude-3-5-sonnet-20240620-v1:0",
    ),
    _Default("meta.llama:1", "Meta Prompt Router", "meta.llama3-1-8b-instruct-v1:0", "meta.llama3-1-70b-instruct-v1:0"),
)


def default_routers(account: str, region: str) -> list[PromptRouter]:
    """The default routers, as an account sees them in a region."""
    found = []
    for each in _DEFAULTS:
        smaller, larger = (
            make_arn("bedrock", region, "", f"foundation-model/{model}") for model in (each.smaller, each.larger)
        )
        found.append(
            PromptRouter(
                arn=make_arn("bedrock", region, account, f"default-prompt-router/{each.id}"),
                name=each.name,
                description=f"Chooses between {each.smaller} and {each.larger}",
                type="default",
                models=(smaller, larger),
                fallback=larger,
                quality_difference=DEFAULT_DIFFERENCE,
            )
        )
    return found


def find_router(sql: SqlEngine, account: str, region: str, arn: Arn) -> PromptRouter | None:
    """The router of an ARN, if it is this account's in this region."""
    if arn.service != "bedrock" or arn.kind not in KINDS or (arn.account, arn.region) != (account, region):
        return None
    found = next((each for each in default_routers(account, region) if Arn.parse(each.arn).id == arn.id), None)
    if found is not None:
        return found if arn.kind == "default-prompt-router" else None
    with sql.connect() as connection:
        row = connection.execute(select(ROUTERS).where(ROUTERS.c.arn == router_arn(account, region, arn.id))).first()
    return None if row is None else _router(row)


def router_arn(account: str, region: str, router_id: str) -> str:
    """The ARN of an account's own router."""
    return make_arn("bedrock", region, account, f"prompt-router/{router_id}")


def insert_router(tx: Connection, account: str, region: str, router: PromptRouter) -> None:
    """Store a new router; the database refuses a name that is taken."""
    assert router.created_at is not None
    row = {
        "arn": router.arn,
        "account": account,
        "region": region,
        "name": router.name,
        "description": router.description,
        "models": msgspec.json.encode(router.models).decode(),
        "fallback": router.fallback,
        "quality_difference": router.quality_difference,
        "created_at": router.created_at.isoformat(),
    }
    tx.execute(insert(ROUTERS).values(row))


def delete_router_row(tx: Connection, arn: str) -> bool:
    """Remove a router; False when it is not there."""
    return tx.execute(delete(ROUTERS).where(ROUTERS.c.arn == arn)).rowcount == 1


def select_routers(tx: Connection, account: str, region: str) -> list[PromptRouter]:
    """All routers of one account in one region, oldest first."""
    query = select(ROUTERS).where(ROUTERS.c.account == account, ROUTERS.c.region == region)
    return [_router(row) for row in tx.execute(query.order_by(ROUTERS.c.created_at, ROUTERS.c.arn))]


def count_routers(tx: Connection, account: str, region: str) -> int:
    """How many routers one account has in one region."""
    query = select(func.count()).select_from(ROUTERS)
    return tx.execute(query.where(ROUTERS.c.account == account, ROUTERS.c.region == region)).scalar_one()


def _router(row: Any) -> PromptRouter:
    created = datetime.fromisoformat(row.created_at)
    return PromptRouter(
        arn=row.arn,
        name=row.name,
        description=row.description,
        type="custom",
        models=tuple(msgspec.json.decode(row.models, type=list[str])),
        fallback=row.fallback,
        quality_difference=row.quality_difference,
        created_at=created,
        updated_at=created,
    )

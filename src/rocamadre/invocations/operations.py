"""Which invocations are written down, per account and region."""

from __future__ import annotations

import msgspec
from sqlalchemy import Engine as SqlEngine
from sqlalchemy import delete, insert, select

from rocamadre.core.context import Context
from rocamadre.core.errors import InvalidRequest
from rocamadre.invocations.delivery import check_bucket, check_group
from rocamadre.invocations.tables import CONFIGS
from rocamadre.invocations.types import LoggingConfig


def put_config(ctx: Context, config: LoggingConfig) -> None:
    """Have the account's invocations in this region written down from now on.

    Raises:
        InvalidRequest: no destination, or one that is not there or cannot be written to.
    """
    if config.s3 is None and config.logs is None:
        raise InvalidRequest("loggingConfig names no destination; give s3Config, cloudWatchConfig, or both")
    for destination in (config.s3, config.logs.large if config.logs else None):
        if destination is not None:
            check_bucket(ctx, destination)
    if config.logs is not None:
        check_group(ctx, config.logs)
    row = {
        "account": ctx.account,
        "region": ctx.region,
        "config": msgspec.json.encode(config).decode(),
        "updated_at": ctx.platform.clock.now().isoformat(),
    }
    with ctx.platform.sql.begin() as tx:
        tx.execute(delete(CONFIGS).where(CONFIGS.c.account == ctx.account, CONFIGS.c.region == ctx.region))
        tx.execute(insert(CONFIGS).values(row))
    _changed(ctx)


def get_config(ctx: Context) -> LoggingConfig | None:
    """What the account wants written down in this region; None for nothing."""
    return find_config(ctx.platform.sql, ctx.account, ctx.region)


def delete_config(ctx: Context) -> None:
    """Write nothing down from now on; what was recorded before is still delivered."""
    with ctx.platform.sql.begin() as tx:
        tx.execute(delete(CONFIGS).where(CONFIGS.c.account == ctx.account, CONFIGS.c.region == ctx.region))
    _changed(ctx)


def find_config(sql: SqlEngine, account: str, region: str) -> LoggingConfig | None:
    """`get_config` without a request."""
    query = select(CONFIGS.c.config).where(CONFIGS.c.account == account, CONFIGS.c.region == region)
    with sql.connect() as connection:
        text = connection.execute(query).scalar()
    return None if text is None else msgspec.json.decode(text, type=LoggingConfig)


def _changed(ctx: Context) -> None:
    if ctx.platform.invocations is not None:
        ctx.platform.invocations.forget(ctx.account, ctx.region)

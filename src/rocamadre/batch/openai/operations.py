"""Making, finding and cancelling batches of the OpenAI wire."""

from __future__ import annotations

from rocamadre.batch.openai.tables import insert_batch, move, select_batch, select_batches
from rocamadre.batch.openai.types import OVER, Batch, NewBatch
from rocamadre.core.context import Context
from rocamadre.core.errors import Conflict, NotFound
from rocamadre.core.ids import short_id
from rocamadre.files.operations import get_file
from rocamadre.jobs.runner import JobSpec

KIND = "openai-batch"


def create_batch(ctx: Context, wish: NewBatch) -> Batch:
    """Record a batch and queue its run: both or neither.

    Raises:
        NotFound: the input file is not here.
    """
    get_file(ctx.platform, ctx.account, ctx.region, wish.input_file_id)
    now = ctx.platform.clock.now()
    batch = Batch(
        id=f"batch_{short_id(24)}",
        account=ctx.account,
        region=ctx.region,
        endpoint=wish.endpoint,
        input_file_id=wish.input_file_id,
        metadata=wish.metadata,
        output_expires_s=wish.output_expires_s,
        status="validating",
        created_at=now,
        times={},
        errors=[],
    )
    with ctx.platform.sql.begin() as tx:
        insert_batch(tx, batch)
        ctx.platform.jobs.enqueue(tx, JobSpec(KIND, batch.id))
    return batch


def get_batch(ctx: Context, batch_id: str) -> Batch:
    """One batch.

    Raises:
        NotFound: none of this id is in this account and region.
    """
    with ctx.platform.sql.connect() as connection:
        batch = select_batch(connection, batch_id)
    if batch is None or (batch.account, batch.region) != (ctx.account, ctx.region):
        raise NotFound(f"No batch found with id '{batch_id[:100]}'.")
    return batch


def list_batches(ctx: Context) -> list[Batch]:
    """The account's batches in this region, newest first."""
    with ctx.platform.sql.connect() as connection:
        return select_batches(connection, ctx.account, ctx.region)


def cancel_batch(ctx: Context, batch_id: str) -> Batch:
    """Ask a batch to stop; what was answered so far is still written. One that was asked before is left as it is.

    Raises:
        NotFound: none of this id is here.
        Conflict: it is over.
    """
    batch = get_batch(ctx, batch_id)
    now = ctx.platform.clock.now()
    with ctx.platform.sql.begin() as tx:
        moved = move(tx, batch.id, "cancelling", now=now)
        state = ctx.platform.jobs.request_stop(tx, batch.id) if moved else None
        if state is not None and state.state == "stopped":
            move(tx, batch.id, "cancelled", now=now)
    batch = get_batch(ctx, batch_id)
    if not moved and batch.status in OVER:
        raise Conflict(f"Cannot cancel a batch with status '{batch.status}'.")
    return batch

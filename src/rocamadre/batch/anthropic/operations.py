"""Making, finding, cancelling and deleting message batches."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator

from rocamadre.batch.anthropic.folders import (
    REQUESTS,
    batch_dir,
    discard,
    most_params_bytes,
    read_requests,
    read_results,
    sweep,
    write_lines,
)
from rocamadre.batch.anthropic.records import keep_line, unanswered_line
from rocamadre.batch.anthropic.tables import (
    begin_cancel,
    delete_batch_row,
    end_batch,
    insert_batch,
    select_batch,
    select_batches,
    select_created,
)
from rocamadre.batch.anthropic.types import KEPT, MessageBatch, NewRequest
from rocamadre.core.context import Context
from rocamadre.core.errors import InvalidRequest, NotFound
from rocamadre.core.ids import short_id
from rocamadre.jobs.runner import JobSpec

KIND = "anthropic-batch"


def create_batch(ctx: Context, requests: Iterable[NewRequest]) -> MessageBatch:
    """Keep the requests, then record the batch and queue its run: both or neither.

    Args:
        ctx: Whose.
        requests: At least one; no custom id twice.

    Raises:
        OSError: the disk is full, or fails.
    """
    settings, now = ctx.platform.settings, ctx.platform.clock.now()
    with ctx.platform.sql.connect() as connection:
        created = select_created(connection)
    sweep(settings, known={batch_id for batch_id, at in created.items() if at + KEPT > now})
    batch_id = f"msgbatch_{short_id(24)}"
    folder = batch_dir(settings, batch_id)
    folder.mkdir(mode=0o700)
    try:
        most_bytes = most_params_bytes(settings)
        total = write_lines(folder / REQUESTS, (keep_line(request, most_bytes=most_bytes) for request in requests))
        batch = MessageBatch(batch_id, ctx.account, ctx.region, "in_progress", "", ctx.platform.clock.now(), total)
        with ctx.platform.sql.begin() as tx:
            insert_batch(tx, batch)
            ctx.platform.jobs.enqueue(tx, JobSpec(KIND, batch_id))
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return batch


def get_batch(ctx: Context, batch_id: str) -> MessageBatch:
    """One batch.

    Raises:
        NotFound: none of this id is in this account and region.
    """
    with ctx.platform.sql.connect() as connection:
        batch = select_batch(connection, batch_id)
    if batch is None or (batch.account, batch.region) != (ctx.account, ctx.region):
        raise NotFound(f"no message batch {batch_id[:100]!r} is here; GET /v1/messages/batches lists those that are")
    return batch


def list_batches(ctx: Context) -> list[MessageBatch]:
    """The account's batches in this region, newest first."""
    with ctx.platform.sql.connect() as connection:
        return select_batches(connection, ctx.account, ctx.region)


def cancel_batch(ctx: Context, batch_id: str) -> MessageBatch:
    """Ask a batch to stop; what was answered so far is in its results. One that was asked before is left as it is.

    Raises:
        NotFound: none of this id is here.
        InvalidRequest: it has ended.
    """
    batch = get_batch(ctx, batch_id)
    now = ctx.platform.clock.now()
    with ctx.platform.sql.begin() as tx:
        # The row is moved first: from then on the run cannot leave the state that we find.
        moved = begin_cancel(tx, batch.id, now=now)
        state = ctx.platform.jobs.request_stop(tx, batch.id) if moved else None
        if state is not None and state.state == "stopped":
            end_batch(tx, batch.id, "canceled", now=now, canceled=batch.total)
    batch = get_batch(ctx, batch_id)
    if not moved and batch.status == "ended":
        raise InvalidRequest(f"message batch {batch.id} has ended; only one that is in progress can be canceled")
    return batch


def delete_batch(ctx: Context, batch_id: str) -> None:
    """Delete a batch and its results.

    Raises:
        NotFound: none of this id is here.
        InvalidRequest: it has not ended.
    """
    batch = get_batch(ctx, batch_id)
    if batch.status != "ended":
        raise InvalidRequest(
            f"message batch {batch.id} is {batch.status}; only one that has ended can be deleted: cancel it first"
        )
    with ctx.platform.sql.begin() as tx:
        delete_batch_row(tx, batch.id)
    discard(ctx.platform.settings, batch.id)


def batch_results(ctx: Context, batch_id: str) -> Iterator[bytes]:
    """The results of a batch as JSON lines, in pieces of any length.

    Raises:
        NotFound: none of this id is here, or it has no results yet, or no longer.
    """
    batch = get_batch(ctx, batch_id)
    if batch.status != "ended":
        raise NotFound(f"message batch {batch.id} is {batch.status}; its results are there when it has ended")
    if batch.archived_at <= ctx.platform.clock.now():
        raise NotFound(f"message batch {batch.id} was archived; results are kept for {KEPT.days} days")
    settings = ctx.platform.settings
    found = read_results(settings, batch.id)
    if found is None:  # Cancelled before it began, or given up.
        return (unanswered_line(line, batch.end) for line in read_requests(settings, batch.id))
    return found

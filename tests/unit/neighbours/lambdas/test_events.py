from __future__ import annotations

import pytest
from sqlalchemy import func, select

from rocamadre.core.errors import InvalidRequest
from rocamadre.core.registry import Registry
from rocamadre.jobs.inline import InlineJobs
from rocamadre.jobs.queue import QueuedJobs
from rocamadre.jobs.runner import JobPlatform
from rocamadre.neighbours.lambdas.errors import ContentTooLarge, FunctionNotFound
from rocamadre.neighbours.lambdas.invoking import EVENT_KIND, enqueue_event
from rocamadre.neighbours.lambdas.operations import delete_function
from rocamadre.neighbours.lambdas.tables import EVENTS
from rocamadre.neighbours.logs.reading import filter_events

SOURCE = "def handler(event, context):\n    print('ran', event, context.aws_request_id)\n"


def waiting(ctx):
    with ctx.platform.sql.connect() as connection:
        return connection.execute(select(func.count()).select_from(EVENTS)).scalar()


@pytest.fixture
def work_off(ctx):
    """`work_off()`: do what is queued; returns how much that was."""
    object.__setattr__(ctx.platform, "jobs", QueuedJobs(ctx.platform.sql, ctx.platform.clock))
    platform = JobPlatform(ctx.platform.settings, ctx.platform.sql, ctx.platform.objects, ctx.platform.clock, None)
    kinds = Registry("job", {EVENT_KIND: "rocamadre.neighbours.lambdas.jobs:KIND"})
    return InlineJobs(kinds, platform).drain


def test_an_event_is_kept_until_its_function_was_called(ctx, make, call, work_off):
    name = make(SOURCE, timeout_s=20)
    call(name)  # Skips where there are no walls.
    request_id = enqueue_event(ctx, name, b'{"n": 1}')
    assert waiting(ctx) == 1
    assert work_off() == 1
    assert waiting(ctx) == 0
    found = [event.message for event in filter_events(ctx, f"/aws/lambda/{name}", pattern='"ran"').events]
    assert f"ran {{'n': 1}} {request_id}" in found


def test_an_event_whose_function_is_gone_is_forgotten(ctx, make, work_off):
    name = make(SOURCE)
    enqueue_event(ctx, name, b"")
    delete_function(ctx, name)
    assert work_off() == 1
    assert waiting(ctx) == 0


def test_events_are_checked_before_they_are_kept(ctx, make, work_off):
    name = make(SOURCE)
    with pytest.raises(FunctionNotFound):
        enqueue_event(ctx, "absent", b"{}")
    with pytest.raises(InvalidRequest):
        enqueue_event(ctx, name, b"{")
    with pytest.raises(ContentTooLarge):
        enqueue_event(ctx, name, b'"' + b"x" * 1_048_576 + b'"')
    assert (waiting(ctx), work_off()) == (0, 0)

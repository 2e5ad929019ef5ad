from dataclasses import replace
from datetime import UTC, datetime

import pytest

from rocamadre.core.clock import FixedClock
from rocamadre.core.context import Context, Platform, Principal
from rocamadre.core.errors import Conflict, NotFound, QuotaExceeded
from rocamadre.core.settings import load_settings
from rocamadre.observability.metrics import Metrics
from rocamadre.responses import operations
from rocamadre.responses.tables import RESPONSES
from rocamadre.responses.types import Response
from rocamadre.store.sql.database import open_database

BODY = {"id": "a", "output": [{"type": "message", "id": "m"}]}


@pytest.fixture
def context(tmp_path):
    sql = open_database(tmp_path)
    clock = FixedClock(datetime(2026, 1, 1, tzinfo=UTC))
    platform = Platform(load_settings(home=tmp_path), sql, None, Metrics(), clock)
    yield Context(platform, Principal("ana", "123456789012"), "123456789012", "us-east-1", "r", 60.0)
    sql.dispose()


def response(response_id="a", status="queued", **more):
    facts = {"previous_id": "", "input": ({"id": "i"},), "body": BODY, "background": True} | more
    return Response(response_id, status, 1_767_225_600, **facts)


def test_what_is_kept_is_found(context):
    kept = response(status="completed")
    operations.keep(context, kept)
    assert operations.find(context, "a") == kept
    for other in (replace(context, account="999999999999"), replace(context, region="eu-west-1")):
        with pytest.raises(NotFound):
            operations.find(other, "a")
        with pytest.raises(NotFound):
            operations.forget(other, "a")
    operations.forget(context, "a")
    with pytest.raises(NotFound):
        operations.find(context, "a")


def test_one_runs_from_queued_to_its_end(context):
    operations.keep(context, response(request={"input": "x"}))
    assert operations.find(context, "a").request == {"input": "x"}
    assert operations.begin(context, "a")
    assert not operations.begin(context, "a")
    assert operations.renew(context, "a")
    assert operations.finish(context, response(status="completed"), events=b"e" * 1000)
    found = operations.find(context, "a")
    assert (found.status, found.request) == ("completed", None)
    assert operations.kept_events(context, "a") == b"e" * 1000
    assert not operations.renew(context, "a")
    assert not operations.finish(context, response(status="failed"))
    assert operations.find(context, "a").status == "completed"


def test_what_was_cancelled_stays_so(context):
    operations.keep(context, response())
    operations.begin(context, "a")
    assert operations.cancel(context, "a").status == "cancelled"
    assert operations.cancel(context, "a").status == "cancelled"
    assert not operations.renew(context, "a")
    assert not operations.finish(context, response(status="completed"))
    assert operations.find(context, "a").status == "cancelled"


def test_only_background_responses_are_cancelled(context):
    operations.keep(context, response(status="completed", background=False))
    with pytest.raises(Conflict):
        operations.cancel(context, "a")


def own(context, owner, lease_until=0):
    with context.platform.sql.begin() as tx:
        tx.execute(RESPONSES.update().values(owner=owner, lease_until=lease_until))


def test_the_living_keep_what_is_theirs(context):
    operations.keep(context, response())
    assert not operations.adopt(context, response())
    operations.begin(context, "a")
    context.platform.clock.advance(10_000)
    assert operations.find(context, "a").status == "in_progress"


def test_what_the_dead_left_is_taken_once(context):
    operations.keep(context, response())
    host = operations.this_process().rsplit("/", 2)[0]
    own(context, f"{host}/1/0.00")
    assert operations.adopt(context, response())
    assert not operations.adopt(context, response())
    operations.begin(context, "a")
    own(context, f"{host}/4194999/0.00")
    lost = operations.find(context, "a")
    assert (lost.status, lost.body["error"]["message"]) == ("failed", operations.LOST)


def test_other_hosts_are_trusted_for_a_lease(context):
    operations.keep(context, response())
    operations.begin(context, "a")
    now = int(context.platform.clock.now().timestamp())
    own(context, "elsewhere/1/0.00", now + operations.LEASE_S)
    assert operations.find(context, "a").status == "in_progress"
    context.platform.clock.advance(operations.LEASE_S)
    assert operations.find(context, "a").status == "failed"


def test_chains(context, monkeypatch):
    for number in range(4):
        previous = f"r{number - 1}" if number else ""
        operations.keep(context, response(f"r{number}", "completed", previous_id=previous))
    assert [each.id for each in operations.chain(context, "r3")] == ["r0", "r1", "r2", "r3"]
    with pytest.raises(NotFound):
        operations.chain(replace(context, account="999999999999"), "r3")
    monkeypatch.setattr(operations, "MOST_TURNS", 3)
    with pytest.raises(QuotaExceeded):
        operations.chain(context, "r3")
    operations.forget(context, "r1")
    with pytest.raises(NotFound, match="r1"):
        operations.chain(context, "r2")


def test_old_ones_are_forgotten(context):
    operations.keep(context, response("old", "completed"))
    context.platform.clock.advance(operations.KEPT_FOR.total_seconds() + 1)
    operations.keep(context, replace(response("new", "completed"), created_at=1_767_225_600 + 2_592_001))
    with pytest.raises(NotFound):
        operations.find(context, "old")
    assert operations.find(context, "new").id == "new"

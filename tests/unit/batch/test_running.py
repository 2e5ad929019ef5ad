"""The loop over records, with a scripted server."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest

from rocamadre.batch import running
from rocamadre.batch.lines import Line
from rocamadre.batch.progress import Done, Progress
from rocamadre.batch.running import Call, Job, Record, Source, run
from rocamadre.core.clock import FixedClock
from rocamadre.core.errors import Unavailable
from rocamadre.core.settings import load_settings
from rocamadre.jobs.api import ApiAnswer
from rocamadre.jobs.runner import JobPlatform, Work

NOW = datetime(2026, 11, 21, tzinfo=UTC)


class Server:
    """Answers each record with the next of its script (then 200); remembers who asked how often, and how many at once.

    Attributes:
        script: By record, what to answer first; an exception is raised.
    """

    def __init__(self, script=None):
        self.script = {name: list(answers) for name, answers in (script or {}).items()}
        self.asked = []
        self.now = self.most = 0
        self.hold = None

    @asynccontextmanager
    async def session(self):
        yield self

    async def post(self, path, body, *, account, region):
        assert (path, account, region) == ("/ask", "1" * 12, "eu-west-1")
        self.asked.append(body)
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            await asyncio.sleep(0)
            if self.hold is not None:
                await self.hold.wait()
            left = self.script.get(body)
            answer = left.pop(0) if left else 200
        finally:
            self.now -= 1
        if isinstance(answer, Exception):
            raise answer
        return ApiAnswer(answer, {}, body)


def read(line):
    if line.data == b"bad":
        return Record(None, lambda answer: Done(False, 0, 0, b'"refused"'))
    return Record(
        Call("/ask", line.data),
        lambda answer: Done(answer.status == 200, 1, 2, b'"%d %b"' % (answer.status, line.data)),
    )


@pytest.fixture
def bench(tmp_path, monkeypatch):
    """`bench(server, lines, ...)`: run a job; returns why it ended, and the lines of its output."""
    monkeypatch.setattr(running, "_CHECK_S", 0.01)
    monkeypatch.setattr(running, "_LONGEST_PAUSE_S", 0.001)

    def go(server, lines, *, stop=lambda: False, deadline=None, concurrency=3, retry_s=600.0, clock=None):
        settings = load_settings(home=tmp_path, batch={"retry_s": retry_s})
        clock = clock or FixedClock(NOW)
        platform = JobPlatform(settings, None, None, clock, server)
        work = Work("run", {}, {}, platform, stop)
        source = Source(0, lambda: iter([Line(at, at + 1, line) for at, line in enumerate(lines)]), read)
        ends = NOW.timestamp() + 60 if deadline is None else deadline
        told = []
        job = Job(work, "1" * 12, "eu-west-1", (source,), ends, concurrency, lambda progress: told.append(1))
        with Progress(tmp_path / "done", 1) as progress:
            ended = asyncio.run(asyncio.wait_for(run(job, progress), 20))
            assert told
            return ended, [line.strip().strip(b'"') for line in progress.lines(0)]

    return go


def test_every_record_is_asked_once_and_several_at_a_time(bench):
    server = Server()
    lines = [b"%d" % number for number in range(200)]
    ended, found = bench(server, lines)
    assert ended == "finished"
    assert found == [b"200 " + line for line in lines]
    assert sorted(server.asked) == sorted(lines)
    assert server.most == 3


def test_what_is_done_is_not_asked_again(bench):
    bench(Server(), [b"1", b"2"])
    server = Server()
    assert bench(server, [b"1", b"2", b"3"]) == ("finished", [b"200 1", b"200 2", b"200 3"])
    assert server.asked == [b"3"]


def test_a_record_that_is_none_is_refused_without_asking(bench):
    server = Server()
    assert bench(server, [b"1", b"bad"]) == ("finished", [b"200 1", b"refused"])
    assert server.asked == [b"1"]


@pytest.mark.parametrize(
    ("answers", "ends", "times"),
    [
        ([429] * 10, b"200 x", 11),
        ([503, 429, 503, 529], b"200 x", 5),
        ([Unavailable()] * 10, b"200 x", 11),
        ([424, 500], b"200 x", 3),
        ([424, 424, 424, 200], b"424 x", 3),
        ([400, 200], b"400 x", 1),
        ([404], b"404 x", 1),
    ],
)
def test_who_is_asked_again(bench, answers, ends, times):
    server = Server({b"x": answers})
    assert bench(server, [b"x"]) == ("finished", [ends])
    assert len(server.asked) == times


def test_patience_with_a_busy_model_ends(bench):
    server = Server({b"x": [429] * 1000})
    assert bench(server, [b"x", b"y"], retry_s=0.0)[1] == [b"429 x", b"200 y"]


def test_stop_leaves_what_is_in_flight(bench):
    server = Server()
    server.hold = asyncio.Event()
    assert bench(server, [b"x", b"y"], stop=lambda: bool(server.asked)) == ("stopped", [])
    assert server.now == 0


def test_the_deadline(bench):
    server = Server()
    server.hold = asyncio.Event()
    clock = FixedClock(NOW)

    def stop():
        clock.advance(60)
        return False

    assert bench(server, [b"x"], stop=stop, clock=clock) == ("timed_out", [])
    assert server.asked == [b"x"]


def test_after_the_deadline_nobody_is_asked(bench):
    server = Server()
    assert bench(server, [b"x"], deadline=NOW.timestamp()) == ("timed_out", [])
    assert server.asked == []


def test_an_input_that_breaks_off_ends_the_job(bench):
    with pytest.raises(BaseExceptionGroup) as raised:
        bench(Server(), _Breaking())
    assert raised.group_contains(OSError)


class _Breaking:
    def __iter__(self):
        raise OSError(5, "Input/output error")

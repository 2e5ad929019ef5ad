"""From documents that wait to documents that are written: who works when, and what an error leaves behind."""

from __future__ import annotations

import asyncio
import threading
import time

import numpy as np
import pytest

from rocamadre.core.errors import Unavailable
from rocamadre.knowledge.ingestion import loading
from rocamadre.knowledge.ingestion.loading import Limits, Steps, load
from rocamadre.knowledge.ingestion.preparing import Prepared
from rocamadre.store.vectors.protocol import Chunk, Replacement


def prepared(number):
    chunk = Chunk(f"c{number}", f"d{number}", f"text {number}", 0, 6)
    return Prepared(None, Replacement(f"d{number}", "ds", "hash", [chunk], "text"), [0])


class Bench:
    """Prepares, embeds and writes numbers."""

    def __init__(self, *, pause_s=0.0):
        self.pause_s = pause_s
        self.streams = 0
        self.closed = 0
        self.written = []
        self.lock = threading.Lock()

    def prepare(self, waiting):
        with self.lock:
            self.streams += 1
        try:
            for number in waiting:
                time.sleep(self.pause_s)
                yield prepared(number)
        finally:
            self.closed += 1

    async def embed(self, texts):
        return np.ones((len(texts), 1), np.float32)

    def write(self, documents):
        self.written += [each.finished().document for each in documents]


def steps_of(bench, **more):
    return Steps(bench.prepare, bench.embed, bench.write, **more)


def test_one_stream_takes_all_where_it_keeps_up():
    bench = Bench()
    assert not asyncio.run(load(iter(range(500)), steps_of(bench), Limits(threads=4)))
    assert sorted(bench.written) == sorted(f"d{number}" for number in range(500))
    assert (bench.streams, bench.closed) == (1, 1)


@pytest.mark.parametrize(("idle", "streams"), [(1.0, 3), (0.2, 1)])
def test_another_joins_where_this_process_waits_and_a_core_is_idle(monkeypatch, idle, streams):
    monkeypatch.setattr(loading, "_CHECK_S", 0.05)
    monkeypatch.setattr(loading, "_idle_s", lambda: idle * time.monotonic())
    bench = Bench(pause_s=0.02)
    asyncio.run(load(iter(range(60)), steps_of(bench), Limits(threads=3, wait_s=0.05)))
    assert sorted(bench.written) == sorted(f"d{number}" for number in range(60))
    assert bench.streams == bench.closed == streams


def test_an_error_is_told_when_those_that_prepare_have_ended():
    bench = Bench(pause_s=0.3)

    async def broken(texts):
        raise Unavailable("the embedder is gone")

    with pytest.raises(Unavailable, match="embedder is gone"):
        asyncio.run(load(iter(range(9)), Steps(bench.prepare, broken, bench.write), Limits(threads=1)))
    assert bench.closed == 1
    assert bench.written == []


def test_what_is_under_way_is_finished_when_it_is_stopped(monkeypatch):
    monkeypatch.setattr(loading, "_CHECK_S", 0.05)
    bench = Bench(pause_s=0.01)
    steps = steps_of(bench, stop_requested=lambda: bool(bench.streams))
    assert asyncio.run(load(iter(range(1000)), steps, Limits(wait_s=0.05)))
    assert 0 < len(bench.written) < 1000
    assert bench.streams == bench.closed

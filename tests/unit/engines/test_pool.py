import asyncio
import os
import subprocess
import sys
from contextlib import aclosing
from dataclasses import replace

import pytest

from rocamadre.core.errors import InvalidRequest, ModelFailure, ModelNotReady, ModelTimeout, Throttled, Unknown
from rocamadre.core.messages import Finish, GenerationRequest, TextDelta, Usage
from rocamadre.core.registry import Registry
from rocamadre.core.settings import EngineSettings
from rocamadre.engines import pooled
from rocamadre.engines.pool import EnginePool
from rocamadre.engines.protocol import Embeddings, LoadSpec
from rocamadre.engines.runner import NotDelivered
from rocamadre.engines.waiting import TIER

REQUEST = GenerationRequest(prompt="x")


class Scripted:
    """A runner that the test drives; `plan` is shared by all copies of a test."""

    plan: dict

    def __init__(self, spec, settings, home):
        self.slots = spec.options.get("slots", settings.slots)
        self.pid = None
        self.dead = asyncio.get_running_loop().create_future()
        self.stopped = False
        self.served = 0
        self.plan["made"].append(self)

    @classmethod
    def memory_bytes(cls, spec, settings):
        return spec.options.get("memory", 0)

    async def start(self):
        await asyncio.sleep(self.plan.get("load_s", 0))
        if errors := self.plan.get("load_errors"):
            raise errors.pop(0)
        if self.plan.get("process"):
            self.process = subprocess.Popen(
                [sys.executable, "-c", "print(flush=True); input()"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
            self.process.stdout.readline()
            self.pid = self.process.pid

    async def stop(self):
        await asyncio.sleep(self.plan.get("stop_s", 0))
        self.stopped = True
        if self.pid is not None:
            self.process.kill()
            self.process.stdin.close()
            self.process.stdout.close()
            self.process.wait()

    async def responds(self):
        return self.plan.get("responds", True)

    async def exited(self):
        return await self.dead

    async def converse(self, request):
        if self.plan.get("undelivered", 0) > 0:
            self.plan["undelivered"] -= 1
            raise NotDelivered("gone")
        if "error" in self.plan:
            raise self.plan["error"]
        self.served += 1
        yield TextDelta("a")
        if "gate" in self.plan:
            await asyncio.wait(
                [asyncio.ensure_future(self.plan["gate"].wait()), self.dead], return_when="FIRST_COMPLETED"
            )
            if self.dead.done():
                raise ModelFailure("died")
        yield Finish("end_turn", Usage())

    async def embed(self, texts):
        return Embeddings(((1.0,),) * len(texts), (1,) * len(texts), (False,) * len(texts))


@pytest.fixture
def plan():
    Scripted.plan = {"made": []}
    return Scripted.plan


def spec(name="m", **options):
    return LoadSpec(name, "scripted", None, 64, options)


def in_pool(body, tmp_path, **settings):
    async def go():
        kinds = Registry("engine", {"scripted": f"{__name__}:Scripted"})
        kinds.load = lambda name: Scripted if name == "scripted" else Registry("engine", {}).load(name)
        pool = EnginePool(EngineSettings(**settings), tmp_path, engines=kinds)
        try:
            return await asyncio.wait_for(body(pool), 10)
        finally:
            await pool.close()

    return asyncio.run(go())


async def drain(engine):
    return [event async for event in engine.converse(REQUEST)]


async def until(condition):
    for _ in range(500):
        if condition():
            return
        await asyncio.sleep(0.002)
    raise AssertionError("it never came true")


def test_loads_once_for_many(plan, tmp_path):
    plan["load_s"] = 0.02

    async def body(pool):
        engines = await asyncio.gather(*(pool.engine(spec()) for _ in range(20)))
        await asyncio.gather(*(drain(engine) for engine in engines))

    in_pool(body, tmp_path)
    assert len(plan["made"]) == 1


def test_one_impatient_caller_does_not_stop_the_load(plan, tmp_path):
    plan["load_s"] = 0.05

    async def body(pool):
        first = asyncio.create_task(pool.engine(spec()))
        second = asyncio.create_task(pool.engine(spec()))
        await asyncio.sleep(0.01)
        first.cancel()
        assert len(await drain(await second)) == 2

    in_pool(body, tmp_path)
    assert len(plan["made"]) == 1


def test_idle_engine_is_unloaded_and_comes_back(plan, tmp_path):
    async def body(pool):
        engine = await pool.engine(spec())
        await drain(engine)
        await until(lambda: plan["made"][0].stopped)
        assert not pool.status()
        await drain(engine)

    in_pool(body, tmp_path, keep_alive_s=0.1)
    assert len(plan["made"]) == 2


def test_a_dedicated_engine_stays_while_it_is_wanted(plan, tmp_path, monkeypatch):
    monkeypatch.setattr("rocamadre.engines.pool._JANITOR_S", 0.02)
    plan["process"], wanted = True, {"mine"}

    async def body(pool):
        pool._wanted = wanted.__contains__
        await drain(await pool.engine(replace(spec("mine", slots=3, memory=1), dedicated=True)))
        used = pool.status()[0].memory_bytes
        with pytest.raises(InvalidRequest, match="needs about"):
            await pool.engine(spec("new", memory=100_000_000 - used // 2))  # it makes no room
        await asyncio.sleep(0.3)
        assert [line.model_id for line in pool.status()] == ["mine"]
        wanted.clear()
        await until(lambda: not pool.status())

    in_pool(body, tmp_path, keep_alive_s=0.1, replicas=2, memory_limit_bytes=100_000_000)
    assert [runner.slots for runner in plan["made"]] == [3]


def test_requests_at_work_are_answered_when_the_model_changes(plan, tmp_path):
    plan["gate"] = asyncio.Event()

    async def body(pool):
        task = asyncio.create_task(drain(await pool.engine(spec(version=1))))
        await until(lambda: plan["made"][0].served)
        await pool.engine(spec(version=2))
        assert not plan["made"][0].stopped
        plan["gate"].set()
        assert len(await task) == 2
        await until(lambda: plan["made"][0].stopped)

    in_pool(body, tmp_path)
    assert len(plan["made"]) == 2


def test_busy_engine_is_not_unloaded(plan, tmp_path):
    plan["gate"] = asyncio.Event()

    async def body(pool):
        task = asyncio.create_task(drain(await pool.engine(spec())))
        await asyncio.sleep(0.3)
        assert pool.status()[0].active == 1
        plan["gate"].set()
        assert len(await task) == 2

    in_pool(body, tmp_path, keep_alive_s=0.05)


def test_service_tiers_decide_who_goes_first(plan, tmp_path):
    plan["gate"] = asyncio.Event()
    done = []

    async def ask(engine, tier):
        TIER.set(tier)
        await drain(engine)
        done.append(tier)

    async def body(pool):
        engine = await pool.engine(spec())
        tasks = [asyncio.create_task(drain(engine))]
        await until(lambda: pool.status()[0].active == 1)
        for number, tier in enumerate(("flex", "default", "priority", "default"), 1):
            tasks.append(asyncio.create_task(ask(engine, tier)))
            await until(lambda expected=number: pool.status()[0].queued == expected)
        plan["gate"].set()
        await asyncio.gather(*tasks)

    in_pool(body, tmp_path, slots=1)
    assert done == ["priority", "default", "default", "flex"]


def test_too_many_are_throttled_and_the_rest_served_in_order(plan, tmp_path):
    plan["gate"] = asyncio.Event()

    async def body(pool):
        engine = await pool.engine(spec())
        tasks = [asyncio.create_task(drain(engine)) for _ in range(5)]
        await until(lambda: pool.status()[0].queued == 3)
        with pytest.raises(Throttled, match="5 requests") as caught:
            await drain(engine)
        assert caught.value.retry_after_s > 0
        plan["gate"].set()
        assert all(len(events) == 2 for events in await asyncio.gather(*tasks))
        assert pool.status()[0].active == 0

    in_pool(body, tmp_path, slots=2, queue=3)


def test_leaving_the_queue_or_the_stream_frees_the_place(plan, tmp_path):
    plan["gate"] = asyncio.Event()

    async def body(pool):
        engine = await pool.engine(spec())
        async with aclosing(engine.converse(REQUEST)) as stream:
            await anext(stream)
            waiting = asyncio.create_task(drain(engine))
            await until(lambda: pool.status()[0].queued == 1)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
            assert pool.status()[0].queued == 0
        assert pool.status()[0].active == 0
        plan["gate"].set()
        await drain(engine)

    in_pool(body, tmp_path, slots=1, queue=1)


def test_death_fails_the_request_in_flight_and_serves_those_who_wait(plan, tmp_path):
    plan["gate"] = asyncio.Event()

    async def body(pool):
        engine = await pool.engine(spec())
        flying, waiting = asyncio.create_task(drain(engine)), asyncio.create_task(drain(engine))
        await until(lambda: pool.status()[0].queued == 1)
        plan["made"][0].dead.set_result("killed by signal 9")
        with pytest.raises(ModelFailure):
            await flying
        plan["gate"].set()
        assert len(await waiting) == 2

    in_pool(body, tmp_path, slots=1)
    assert len(plan["made"]) == 2


def test_undelivered_request_is_tried_again(plan, tmp_path):
    plan["undelivered"] = 1

    async def body(pool):
        assert len(await drain(await pool.engine(spec()))) == 2

    in_pool(body, tmp_path)
    assert len(plan["made"]) == 2


@pytest.mark.parametrize("told", [False, True])
def test_a_dead_copy_is_cleared_away_before_the_pool_is_closed(plan, tmp_path, told):
    plan["stop_s"] = 0.05

    async def body(pool):
        engine = await pool.engine(spec())
        if told:
            plan["made"][0].dead.set_result("killed")
            await asyncio.sleep(0.01)
        plan["undelivered"] = 1
        await drain(engine)

    in_pool(body, tmp_path)
    assert [runner.stopped for runner in plan["made"]] == [True] * len(plan["made"])


def test_crash_loop_backs_off_and_says_why(plan, tmp_path):
    plan["load_errors"] = [ModelFailure(f"no luck {index}") for index in range(9)]

    async def body(pool):
        for _ in range(3):
            with pytest.raises(ModelFailure, match="no luck"):
                await pool.engine(spec())
        with pytest.raises(ModelNotReady, match=r"died 3 times.*no luck 2") as caught:
            await pool.engine(spec())
        assert caught.value.retry_after_s > 0
        assert pool.status()[0].state == "backoff"
        assert "no luck 2" in pool.status()[0].detail
        assert len(plan["made"]) == 3

    in_pool(body, tmp_path)


def test_backoff_ends_and_success_forgives(plan, tmp_path, monkeypatch):
    monkeypatch.setattr(pooled, "LONGEST_BACKOFF_S", 0.02)
    plan["load_errors"] = [ModelFailure("x")] * 3

    async def body(pool):
        for _ in range(3):
            with pytest.raises(ModelFailure):
                await pool.engine(spec())
        await asyncio.sleep(0.03)
        engine = await pool.engine(spec())
        await drain(engine)
        plan["made"][-1].dead.set_result("again")
        await until(lambda: not pool.status())
        await drain(engine)

    in_pool(body, tmp_path)


def test_load_that_takes_too_long(plan, tmp_path):
    plan["load_s"] = 5

    async def body(pool):
        with pytest.raises(ModelTimeout, match=r"0\.05 s"):
            await pool.engine(spec())
        assert plan["made"][0].stopped

    in_pool(body, tmp_path, load_timeout_s=0.05)


def test_refused_file_is_no_crash(plan, tmp_path):
    plan["load_errors"] = [InvalidRequest("damaged")] * 5

    async def body(pool):
        for _ in range(5):
            with pytest.raises(InvalidRequest, match="damaged"):
                await pool.engine(spec())
        await pool.engine(spec())

    in_pool(body, tmp_path)


def test_replicas_share_the_work(plan, tmp_path):
    plan["gate"] = asyncio.Event()

    async def body(pool):
        engine = await pool.engine(spec())
        await until(lambda: len([line for line in pool.status() if line.state == "ready"]) == 3)
        tasks = [asyncio.create_task(drain(engine)) for _ in range(6)]
        await until(lambda: sum(line.active for line in pool.status()) == 6)
        assert [line.active for line in pool.status()] == [2, 2, 2]
        plan["gate"].set()
        await asyncio.gather(*tasks)

    in_pool(body, tmp_path, replicas=3)


def test_dead_replica_is_replaced_while_the_others_serve(plan, tmp_path):
    async def body(pool):
        engine = await pool.engine(spec())
        await until(lambda: len([line for line in pool.status() if line.state == "ready"]) == 2)
        plan["made"][0].dead.set_result("gone")
        await until(lambda: len(plan["made"]) == 3)
        assert len(await drain(engine)) == 2

    in_pool(body, tmp_path, replicas=2)


def test_model_that_cannot_fit_is_refused_with_the_figures(plan, tmp_path):
    async def body(pool):
        with pytest.raises(InvalidRequest, match=r"5\.0 GB.*1\.0 GB"):
            await pool.engine(spec(memory=5_000_000_000))

    in_pool(body, tmp_path, memory_limit_bytes=1_000_000_000)
    assert not plan["made"]


def test_idle_model_makes_room(plan, tmp_path):
    plan["process"] = True

    async def body(pool):
        await drain(await pool.engine(spec("old", memory=1)))
        used = pool.status()[0].memory_bytes
        assert used > 1_000_000
        await drain(await pool.engine(spec("new", memory=100_000_000 - used // 2)))
        assert [line.model_id for line in pool.status()] == ["new"]

    in_pool(body, tmp_path, memory_limit_bytes=100_000_000)
    for runner in plan["made"]:
        with pytest.raises(ProcessLookupError):
            os.kill(runner.pid, 0)


def test_hung_engine_is_ended_after_a_timeout(plan, tmp_path):
    plan |= {"error": ModelTimeout("silent"), "responds": False}

    async def body(pool):
        engine = await pool.engine(spec())
        with pytest.raises(ModelTimeout):
            await drain(engine)
        await until(lambda: plan["made"][0].stopped)
        del plan["error"]
        assert len(await drain(engine)) == 2

    in_pool(body, tmp_path)


def test_slow_engine_that_responds_lives_on(plan, tmp_path):
    plan["error"] = ModelTimeout("slow")

    async def body(pool):
        with pytest.raises(ModelTimeout):
            await drain(await pool.engine(spec()))
        assert not plan["made"][0].stopped

    in_pool(body, tmp_path)


def test_changed_spec_replaces_the_engine(plan, tmp_path):
    async def body(pool):
        await pool.engine(spec(version=1))
        await drain(await pool.engine(spec(version=2)))
        await until(lambda: plan["made"][0].stopped)

    in_pool(body, tmp_path)
    assert len(plan["made"]) == 2


def test_unknown_kind_lists_what_exists(plan, tmp_path):
    async def body(pool):
        with pytest.raises(Unknown):
            await pool.engine(LoadSpec("m", "nope", None))

    in_pool(body, tmp_path)


def test_embed_goes_through_the_same_slots(plan, tmp_path):
    async def body(pool):
        assert (await (await pool.engine(spec())).embed(["a", "b"])).token_counts == (1, 1)
        assert pool.status()[0].active == 0

    in_pool(body, tmp_path)

"""Who is served next, by tier, and that nobody starves."""

from __future__ import annotations

import asyncio

import pytest

from rocamadre.engines.waiting import MOST_PASSES, WaitingLine


@pytest.fixture
def line():
    return WaitingLine()


def stand(line, *tiers):
    """Futures in the order of their tiers, all waiting."""
    futures = []
    for tier in tiers:
        future = asyncio.get_running_loop().create_future()
        line.add(future, tier)
        futures.append(future)
    return futures


def serve(line, *, times=1000):
    """Who is served, as often as somebody waits."""
    served = []
    while (order := line.order()) and len(served) < times:
        line.admit(order[0], len(served))
        served.append(order[0])
    return served


async def test_better_tiers_go_first_and_within_one_the_first_come(line):
    futures = stand(line, "background", "flex", "default", "priority", "default", "flex")
    assert serve(line) == ["priority", "default", "default", "flex", "flex", "background"]
    assert [future.result() for future in futures] == [5, 3, 1, 0, 2, 4]
    assert len(line) == 0


@pytest.mark.parametrize("tier", ["default", "flex", "background"])
async def test_nobody_is_passed_over_for_ever(line, tier):
    stand(line, *["priority"] * 500, tier)
    served = serve(line)
    assert served.index(tier) == MOST_PASSES[tier]


async def test_starving_tiers_share_what_is_left(line):
    stand(line, *["priority"] * 100, *["default"] * 100, *["flex"] * 100)
    served = serve(line, times=100)
    assert served.count("default") >= 100 // (MOST_PASSES["default"] + 2)
    assert served.count("flex") >= 100 // (MOST_PASSES["flex"] + 2)
    assert served.count("priority") > 80


async def test_those_who_gave_up_are_passed_over(line):
    first, second = stand(line, "priority", "default")
    first.cancel()
    assert line.order() == ["default"]
    line.remove(second)
    line.remove(second)
    assert line.order() == []
    assert len(line) == 0


async def test_a_newcomer_waits_behind_its_own_and_better_tiers_only(line):
    stand(line, "flex")
    assert line.waits("flex")
    assert line.waits("background")
    assert not line.waits("default")
    assert line.count_before("background") == 1
    assert line.count_before("flex") == 0


async def test_everybody_is_told_when_nothing_more_can_come(line):
    first, second = stand(line, "priority", "flex")
    first.cancel()
    line.fail(ValueError("no"))
    with pytest.raises(ValueError, match="no"):
        await second
    assert len(line) == 0

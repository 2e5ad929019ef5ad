import pytest

from rocamadre.core.budget import TokenBudget
from rocamadre.core.errors import Throttled

RATE = {"per_minute": 60}


def test_names_do_not_pay_for_each_other():
    budget = TokenBudget()
    budget.reserve("ana", 60, **RATE, now=0)
    with pytest.raises(Throttled):
        budget.reserve("ana", 1, **RATE, now=0)
    assert budget.reserve("eva", 1, **RATE, now=0) == 1


def test_many_at_once_cannot_slip_in():
    budget = TokenBudget()
    assert [budget.reserve("ana", 25, **RATE, now=0) for _ in range(3)] == [25, 25, 10]
    with pytest.raises(Throttled) as caught:
        budget.reserve("ana", 25, **RATE, now=0)
    assert caught.value.retry_after_s == pytest.approx(1)


def test_what_was_not_used_comes_back():
    budget = TokenBudget()
    reserved = budget.reserve("ana", 50, **RATE, now=0)
    budget.settle("ana", reserved=reserved, spent=5, **RATE, now=0)
    assert budget.reserve("ana", 100, **RATE, now=0) == 55


def test_debts_are_worked_off():
    budget = TokenBudget()
    budget.settle("ana", reserved=0, spent=120, **RATE, now=0)
    with pytest.raises(Throttled) as caught:
        budget.reserve("ana", 1, **RATE, now=30)
    assert caught.value.retry_after_s == pytest.approx(31)
    assert budget.reserve("ana", 1, **RATE, now=61) == 1


def test_nobody_saves_more_than_a_minute():
    budget = TokenBudget()
    budget.reserve("ana", 1, **RATE, now=0)
    assert budget.reserve("ana", 1000, **RATE, now=10_000) == 60


def test_memory_is_bounded():
    budget = TokenBudget()
    for number in range(10_050):
        budget.reserve(str(number), 1, **RATE, now=0)
    assert len(budget._levels) == 10_000

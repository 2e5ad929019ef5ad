"""Rows, their order, the learning rate and the curves of a run: all pure functions."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rocamadre.training.packing import RowOrder, pack
from rocamadre.training.progress import curves
from rocamadre.training.schedules import learning_rate


@given(st.lists(st.integers(1, 32), max_size=60), st.randoms())
def test_every_example_is_in_one_row_and_rows_fit(lengths, dice):
    rows = pack(lengths, capacity=32)
    assert sorted(index for row in rows for index in row) == list(range(len(lengths)))
    assert all(sum(lengths[index] for index in row) <= 32 for row in rows)
    full = [sum(lengths[index] for index in row) for row in rows]
    dice.shuffle(lengths)
    again = [sum(lengths[index] for index in row) for row in pack(lengths, capacity=32)]
    assert sorted(full) == sorted(again)  # So each epoch has as many rows.


def test_at_most_two_rows_are_half_empty():
    dice = np.random.default_rng(0)
    lengths = dice.integers(1, 64, 500).tolist()
    rows = pack(lengths, capacity=64)
    assert len(rows) <= sum(lengths) / 64 * 1.05 + 2


@pytest.mark.parametrize("packing", [True, False])
def test_each_epoch_has_every_example_once_in_an_order_of_its_own(packing):
    lengths = np.random.default_rng(1).integers(2, 20, 50)
    order = RowOrder(lengths, capacity=24, packing=packing, seed=3)
    epochs = [order.rows(e * order.per_epoch, (e + 1) * order.per_epoch) for e in range(3)]
    flat = [np.concatenate(rows).tolist() for rows in epochs]
    assert all(sorted(each) == list(range(50)) for each in flat)
    assert flat[0] != flat[1] != flat[2]


def test_rows_depend_on_their_place_alone():
    lengths = np.random.default_rng(1).integers(2, 20, 50)
    whole = [row.tolist() for row in RowOrder(lengths, capacity=24, packing=True, seed=3).rows(0, 60)]
    other = RowOrder(lengths, capacity=24, packing=True, seed=3)
    assert [row.tolist() for row in other.rows(55, 60)] == whole[55:]
    assert [row.tolist() for row in other.rows(0, 7)] == whole[:7]
    moved = RowOrder(lengths, capacity=24, packing=True, seed=4).rows(0, 7)
    assert [row.tolist() for row in moved] != whole[:7]


@pytest.mark.parametrize("schedule", ["constant", "linear", "cosine", "wsd"])
def test_rates_rise_to_the_peak_and_do_not_rise_again(schedule):
    rates = [learning_rate(s, steps=50, peak=0.5, schedule=schedule, warmup_share=0.2) for s in range(50)]
    assert rates[:10] == pytest.approx([0.05 * (s + 1) for s in range(10)])
    assert max(rates) == rates[9] == pytest.approx(0.5)
    assert all(a >= b - 1e-12 for a, b in pairwise(rates[10:]))
    assert min(rates) > 0
    assert rates[-1] < 0.1 or schedule == "constant"


def test_a_run_without_warm_up_begins_at_the_peak():
    assert learning_rate(0, steps=1, peak=1.0, schedule="wsd", warmup_share=0) == 1.0
    assert learning_rate(0, steps=1, peak=1.0, schedule="cosine", warmup_share=1) == 1.0


def test_curves_forget_what_was_done_twice():
    def step(index, loss):
        return {"event": "step", "step": index, "loss": loss}

    def look(index):
        return {"event": "validation", "step": index, "loss": 1.0}

    lines = [
        {"event": "started", "step": 0},
        step(1, 9.0),
        {"event": "started", "step": 0},
        look(0),
        step(1, 3.0),
        step(2, 2.0),
        look(2),
        step(3, 1.5),
        {"event": "warning", "message": "…"},
        {"event": "resumed", "step": 1},
        step(2, 2.0),
        look(2),
        step(3, 1.5),
    ]
    found = curves(lines)
    assert [(each["step"], each["loss"]) for each in found.steps] == [(1, 3.0), (2, 2.0), (3, 1.5)]
    assert [each["step"] for each in found.validations] == [0, 2]

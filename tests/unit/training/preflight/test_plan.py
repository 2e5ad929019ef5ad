"""The planner against figures that others have published."""

from __future__ import annotations

import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from rocamadre.core.errors import InvalidRequest, NotFound
from rocamadre.training.preflight.activations import forward_flops
from rocamadre.training.preflight.charts import Axis, short
from rocamadre.training.preflight.hardware import DEVICES, find_device
from rocamadre.training.preflight.page import plan_page
from rocamadre.training.preflight.plan import PlanWish, by_dtype, by_sharding, make_plan
from rocamadre.training.preflight.scaling import expected_loss, optimal_tokens, optimum, training_flops
from rocamadre.training.preflight.shape import count_parameters, decoder_linears, invented_shape
from rocamadre.training.preflight.states import RECIPES, SHARDINGS, model_states

A100 = find_device("a100-80g")
LLAMA_7B = replace(invented_shape(6.738e9), hidden=4096, layers=32, inner=11008)


def wish(**changes):
    return PlanWish(**{"shape": LLAMA_7B, "tokens": 1e12, "device": A100, "count": 8, **changes})


# Rajbhandari et al. 2020, table 1: GB of a device for 7.5, 128 and 1,000 billion parameters.
ZERO_TABLE = [
    (1, (120, 120, 120), (2048, 2048, 2048), (16000, 16000, 16000)),
    (4, (52.5, 41.3, 30), (896, 704, 512), (7000, 5500, 4000)),
    (16, (35.6, 21.6, 7.5), (608, 368, 128), (4750, 2875, 1000)),
    (64, (31.4, 16.6, 1.88), (536, 284, 32), (4187, 2218, 250)),
    (256, (30.4, 15.4, 0.47), (518, 263, 8), (4046, 2054, 62.5)),
    (1024, (30.1, 15.1, 0.12), (513, 257, 2), (4011, 2013, 15.6)),
]


@pytest.mark.parametrize("row", ZERO_TABLE, ids=lambda row: str(row[0]))
def test_the_table_of_the_zero_paper(row):
    count, *sizes = row
    for billions, published in zip((7.5, 128, 1000), sizes, strict=True):
        for sharding, expected in zip(("zero1", "zero2", "zero3"), published, strict=True):
            found = model_states(billions * 1e9, RECIPES["fp16"], sharding, count).total / 1e9
            assert found == pytest.approx(expected, rel=0.01, abs=0.005), (billions, sharding)


def test_mixed_precision_is_sixteen_bytes_a_parameter():
    assert {name: recipe.total for name, recipe in RECIPES.items()} == {
        "fp32": 16, "fp16": 16, "bf16": 16, "fp8": 15, "int8": 9,
    }  # fmt: skip


def test_without_sharing_each_device_has_everything_and_fsdp_is_zero_3():
    for sharding in ("single", "ddp"):
        assert model_states(1e9, RECIPES["bf16"], sharding, 8).total == 16e9
    assert model_states(1e9, RECIPES["bf16"], "fsdp", 8) == model_states(1e9, RECIPES["bf16"], "zero3", 8)


# Touvron et al. 2023, tables 2 and 15: width, layers, inner width; parameters; tokens; hours of an A100-80GB.
LLAMAS = [
    (4096, 32, 11008, 6.738e9, 1.0e12, 82_432),
    (5120, 40, 13824, 13.016e9, 1.0e12, 135_168),
    (6656, 60, 17920, 32.529e9, 1.4e12, 530_432),
    (8192, 80, 22016, 65.286e9, 1.4e12, 1_022_362),
]


@pytest.mark.parametrize("llama", LLAMAS, ids=lambda llama: f"{llama[3]:.0e}")
def test_the_llama_models(llama):
    hidden, layers, inner, parameters, tokens, hours = llama
    linears = decoder_linears(hidden, hidden, hidden, inner, True)
    assert count_parameters(32_000, hidden, layers, linears, tied=False) == pytest.approx(parameters, rel=1e-3)
    guessed = invented_shape(parameters)
    assert guessed.hidden == pytest.approx(hidden, rel=0.1)
    assert guessed.layers == pytest.approx(layers, rel=0.15)
    made = make_plan(wish(shape=guessed, tokens=tokens, mfu=1.0, checkpointing=False))
    # What the planner's hours say of the peak must be what such runs reach.
    assert 0.40 < made.device_hours / hours < 0.55


def test_operations_are_about_six_per_parameter_and_token():
    flops = 3 * forward_flops(LLAMA_7B, 1, 2048) * 1e12
    assert flops == pytest.approx(training_flops(6.738e9, 1e12), rel=0.05)
    again = make_plan(wish(mfu=1.0)).flops
    assert again == pytest.approx(flops * 4 / 3)


# Hoffmann et al. 2022, table 3.
@pytest.mark.parametrize(
    ("parameters", "tokens"), [(400e6, 8.0e9), (1e9, 20.2e9), (10e9, 205.1e9), (67e9, 1.5e12), (1e12, 21.2e12)]
)
def test_optimal_tokens(parameters, tokens):
    assert optimal_tokens(parameters) == pytest.approx(tokens, rel=0.12)
    best = optimum(training_flops(parameters, tokens))
    assert best.parameters == pytest.approx(parameters, rel=0.35)


def test_the_optimum_is_the_lowest_point_of_its_curve():
    best = optimum(1e22)
    for factor in (0.5, 0.9, 1.1, 2):
        assert expected_loss(best.parameters * factor, best.tokens / factor) > best.loss


def test_more_devices_until_it_fits():
    made = make_plan(wish(count=1, sharding="zero3"))
    assert not made.fits
    assert made.least_count == 2
    assert make_plan(wish(count=2, sharding="zero3")).fits
    assert make_plan(wish(count=8, sharding="ddp")).least_count is None


def test_sharding_and_recomputing_only_ever_lower_the_memory():
    sizes = [pair[0].total for name, pair in by_sharding(wish()).items() if name != "fsdp"]
    assert sizes == sorted(sizes, reverse=True)
    for kept, again in (*by_sharding(wish()).values(), *by_dtype(wish()).values()):
        assert again.activations < kept.activations
        assert again.states == kept.states


def test_formats_that_the_hardware_lacks_are_computed_otherwise():
    assert make_plan(wish(dtype="fp8")).computed_as == "bf16"
    assert make_plan(wish(dtype="bf16", device=find_device("v100-32g"))).computed_as == "fp32"
    assert make_plan(wish(dtype="fp8", device=find_device("h100-80g"))).computed_as == "fp8"
    assert {device.speed(dtype)[0] > 0 for device in DEVICES.values() for dtype in RECIPES} == {True}


def test_energy_and_cost():
    made = make_plan(wish(dollars_per_hour=2.0))
    assert made.hours == pytest.approx(made.device_hours / 8)
    assert made.kilowatt_hours == pytest.approx(made.device_hours * 0.4)
    assert made.dollars == pytest.approx(made.device_hours * 2)
    assert make_plan(wish()).dollars is None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"sharding": "single"}, "for one device"),
        ({"mfu": 1.5}, "above 0 and at most 1"),
        ({"tokens": 0}, "tokens is 0"),
        ({"micro_batch": 0}, "micro_batch is 0"),
    ],
)
def test_what_cannot_be_planned(changes, said):
    with pytest.raises(InvalidRequest, match=said):
        make_plan(wish(**changes))


def test_unknown_hardware_is_listed():
    with pytest.raises(NotFound, match="known: t4"):
        find_device("abacus")
    with pytest.raises(InvalidRequest, match="at least 1m"):
        invented_shape(1000)


@pytest.mark.parametrize("changes", [{}, {"count": 1, "sharding": "single"}, {"tokens": 1e7, "dtype": "int8"}])
def test_the_page_is_whole_and_needs_nothing_else(changes):
    page = plan_page(make_plan(wish(**changes)))
    drawings = re.findall(r"<svg viewBox.*?</svg>", page, re.S)
    assert len(drawings) == 4
    for drawing in drawings:
        ElementTree.fromstring(drawing)
        assert "nan" not in drawing
    assert not re.search(r"(src|href)=|<script|https?:", page)
    for sharding in SHARDINGS[1:] if changes.get("count") != 1 else ("single",):
        assert f"<td>{sharding}</td>" in page


def test_a_name_cannot_write_into_the_page():
    device = replace(A100, title="<b>&")
    assert "<b>&" not in plan_page(make_plan(wish(device=device)))


def test_axes_have_ticks_at_round_values():
    assert Axis("", 0, 100).ticks() == [0, 20, 40, 60, 80, 100]
    assert Axis("", 1, 1024, log=True, base=2).ticks()[-1] == 1024
    assert Axis("", 12, 95, log=True).ticks() == [20, 50]
    assert Axis("", 2.0, 2.4).ticks() == pytest.approx([2.0, 2.1, 2.2, 2.3, 2.4])
    assert Axis("", 10, 1000, log=True).place(100) == pytest.approx(0.5)
    assert short(1.5e25) == "15·10²⁴"

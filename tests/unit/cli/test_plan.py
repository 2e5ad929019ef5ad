from __future__ import annotations

import pytest

from rocamadre.testing.tiny import tiny_llama


def test_a_plan_for_people_and_for_programs(roca, tmp_path):
    asked = ("--parameters", "7b", "--tokens", "2b", "--hardware", "a100-80g", "--count", "8", "--strategy", "zero3")
    told = roca("plan", *asked)
    assert told.code == 0
    assert "It fits." in told.out
    assert "compute-optimal tokens  140 billion" in told.out
    page = tmp_path / "plan.html"
    plain = roca("plan", *asked, "--dtype", "bf16", "--page", str(page), "--json").json
    assert plain["memory"]["weights"] == pytest.approx(7e9 * 2 / 8)
    assert plain["memory"]["optimiser"] == pytest.approx(7e9 * 12 / 8)
    assert set(plain["by_dtype"]) == {"fp32", "fp16", "bf16", "fp8", "int8"}
    assert set(plain["by_strategy"]) == {"ddp", "zero1", "zero2", "zero3", "fsdp"}
    assert plain["dollars"] is None
    assert page.read_text().startswith("<!DOCTYPE html>")


def test_what_does_not_fit_says_what_would(roca):
    assert "from 16 devices on it does" in roca("plan", "--parameters", "70b", "--count", "8").out
    alone = roca("plan", "--parameters", "70b", "--json").json
    assert (alone["fits"], alone["least_count"], alone["wish"]["sharding"]) == (False, None, "single")
    assert "more devices do not help" in roca("plan", "--parameters", "70b").out


def test_a_model_of_ours(roca, tmp_path):
    folder = tiny_llama(tmp_path / "tiny")
    plain = roca("plan", "--model", str(folder), "--hardware", "l4", "--dtype", "fp32", "--price", "2", "--json").json
    assert plain["wish"]["shape"]["layers"] == 2
    assert plain["dollars"] > 0
    assert roca("plan", "--model", "fake").code == 1
    assert roca("plan", "--model", "nobody").code == 4


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--parameters", "7b", "--model", "x"),
        ("--parameters", "many"),
        ("--parameters", "-7b"),
        ("--parameters", "7b", "--hardware", "abacus"),
        ("--parameters", "7b", "--mfu", "2"),
    ],
)
def test_a_wrong_line_is_a_usage_error(roca, arguments):
    assert roca("plan", *arguments).code == 2


def test_what_cannot_be_planned_is_told(roca, tmp_path):
    told = roca("plan", "--parameters", "7b", "--count", "2", "--strategy", "single")
    assert told.code == 1
    assert "for one device" in told.err
    told = roca("plan", "--parameters", "7b", "--page", str(tmp_path / "no" / "plan.html"))
    assert told.code == 1
    assert "cannot write" in told.err

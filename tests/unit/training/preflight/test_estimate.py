from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from rocamadre.core.errors import InvalidRequest, MissingDependency, RocamadreError
from rocamadre.datasets.tokenizer import open_tokenizer
from rocamadre.datasets.types import Chat, Text, Turn
from rocamadre.testing.tiny import tiny_llama
from rocamadre.training.methods.registry import check_settings
from rocamadre.training.packing import RowOrder
from rocamadre.training.preflight import calibration, workload
from rocamadre.training.preflight.calibration import Rate, known_rate, measure_rate, rate_file
from rocamadre.training.preflight.estimate import Machine, aws_cost, compare, estimate
from rocamadre.training.preflight.memory import process_memory
from rocamadre.training.preflight.prospect import look_ahead
from rocamadre.training.preflight.shape import invented_shape, read_shape
from rocamadre.training.preflight.trained import trained
from rocamadre.training.preflight.work import forward_pass_flops, pass_flops
from rocamadre.training.preflight.workload import DataFacts, Passes, look_at
from rocamadre.training.preflight.workload import workload as make_workload
from rocamadre.training.settings import TrainingSettings

MACHINE = Machine(memory_bytes=8_000_000_000, disk_bytes=50_000_000_000, cores=2)
RATE = Rate(
    pass_s=0.01, flop_s=1e-11, forward_flop_s=8e-12, step_s=0.005, start_s=9.0, framework_bytes=600_000_000,
    precision="fp32", trained_parameters=1,
)  # fmt: skip
PASS = Passes(1, 1000, 500, 1000 * 50, 1000, 500)
METHODS = ("full", "lora", "qlora", "prompt-tuning", "prefix-tuning", "ia3", "loreft")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_llama(tmp_path_factory.mktemp("estimate") / "base")


@pytest.fixture
def shape(folder):
    return read_shape(folder)


def settings(**given):
    return TrainingSettings(**given)


def facts(lengths, examples=None):
    lengths = np.asarray(lengths)
    return DataFacts(examples or len(lengths), lengths, lengths // 2)


def moved(shape, method, **options):
    return trained(shape, check_settings(method, options))


def chats(count, words=4):
    return [Chat((Turn("user", f"Say {n} " * words), Turn("assistant", "Yes."))) for n in range(count)]


def test_weights_of_each_method_by_hand(shape):
    hidden, layers, inner, key, rank = 32, 2, 64, 16, 16
    linears = [(32, 32), (32, 16), (32, 16), (32, 32), (32, 64), (32, 64), (64, 32)]
    assert moved(shape, "full").parameters == shape.parameters
    assert moved(shape, "full", train_embeddings=False).parameters == shape.parameters - shape.vocabulary * hidden
    assert moved(shape, "lora").parameters == layers * rank * sum(a + b for a, b in linears)
    assert moved(shape, "lora", targets="q_proj,v_proj", rank=4).parameters == layers * 4 * (64 + 48)
    outputs = sum(b for _, b in linears)
    assert moved(shape, "lora", dora=True).parameters == moved(shape, "lora").parameters + layers * outputs
    assert moved(shape, "qlora", targets="mlp").parameters == layers * rank * 3 * 96
    assert moved(shape, "prompt-tuning", tokens=5).parameters == 5 * hidden
    assert moved(shape, "prefix-tuning", tokens=5).parameters == 5 * layers * 2 * key
    assert moved(shape, "ia3").parameters == layers * (2 * key + inner)
    assert moved(shape, "ia3", attention=False).parameters == layers * inner
    assert moved(shape, "loreft", rank=4).parameters == layers * 4 * (2 * hidden + 1)
    assert moved(shape, "loreft", rank=4, layers="1").layers == 0


@pytest.mark.parametrize(
    ("method", "options", "said"),
    [
        ("lora", {"targets": "nothing"}, "no layers called 'nothing'"),
        ("full", {"last_layers": 9}, "the model has 2 blocks"),
        ("loreft", {"layers": "7"}, "block 7 is not there"),
    ],
)
def test_layers_that_are_not_there(shape, method, options, said):
    with pytest.raises(InvalidRequest, match=said):
        moved(shape, method, **options)


def test_full_training_costs_three_forward_passes_and_adapters_two(shape):
    forward = forward_pass_flops(shape, moved(shape, "full"), PASS)
    full, lora = (pass_flops(shape, each, PASS) for each in (moved(shape, "full"), moved(shape, "lora", rank=1)))
    assert 2.9 < full / forward < 3.3
    assert lora < full
    assert pass_flops(shape, moved(shape, "ia3"), PASS) < lora
    again = pass_flops(shape, moved(shape, "full"), PASS, checkpointing=True)
    assert 0.8 < (again - full) / forward < 1.0
    half = pass_flops(shape, moved(shape, "loreft", layers="1"), PASS)
    assert half < pass_flops(shape, moved(shape, "loreft", layers="0"), PASS)


def test_memory_grows_with_what_is_kept():
    shape = invented_shape(50e6)

    def total(method, tokens=2048, options=None, **changes):
        return process_memory(shape, moved(shape, method, **(options or {})), tokens=tokens, targets=100, **changes)

    full, lora = total("full"), total("lora")
    assert full.gradients == 4 * shape.parameters
    assert full.optimiser == 8 * shape.parameters
    assert lora.optimiser < 0.2 * full.optimiser
    assert lora.total < full.total
    assert total("ia3").activations < lora.activations
    assert total("full", checkpointing=True).activations < 0.3 * full.activations
    assert total("full", tokens=4096).activations == 2 * full.activations
    assert total("qlora", four_bits=True).weights < 0.75 * lora.weights
    assert total("full", shares=2).optimiser == full.optimiser / 2
    assert total("full", half=True).activations == full.activations / 2


def test_rows_are_those_of_the_loop():
    lengths = np.random.default_rng(0).integers(5, 60, 200)
    for packing in (False, True):
        wanted = settings(max_length=128, packing=packing, epochs=2, batch_size=4)
        work = make_workload(facts(lengths), wanted, packs=True)
        order = RowOrder(lengths, capacity=128, packing=packing, seed=0)
        passes = [
            int(sum(lengths[row].sum() for row in order.rows(start, min(start + 4, order.per_epoch))))
            for start in range(0, order.per_epoch, 4)
        ]
        assert work.training.most_tokens == max(passes)
        assert work.steps == -(-2 * order.per_epoch // 4)
        assert work.read == pytest.approx(2 * lengths.sum(), rel=0.03)


def test_padding_is_computed_where_rows_cannot_be_laid_end_to_end():
    data = facts([10, 100, 10, 100])
    flat = make_workload(data, settings(batch_size=4), packs=True).training
    padded = make_workload(data, settings(batch_size=4), packs=False, virtual_tokens=20).training
    assert flat.tokens == 220
    assert padded.tokens == 4 * 120


def test_steps_accumulation_and_validation():
    data = facts([20] * 100)
    work = make_workload(data, settings(batch_size=5, accumulation=2, validation_share=0.2), packs=True)
    assert work.steps == 8
    assert work.training.count == pytest.approx(16)
    assert work.validations == 9
    assert work.validation.tokens == pytest.approx(9 * 20 * 20)
    assert make_workload(data, settings(max_steps=3), packs=True).steps == 3
    with pytest.raises(InvalidRequest, match="leaves nothing to train on"):
        make_workload(facts([5]), settings(validation_share=0.5), packs=True)


def test_tokens_are_counted_as_the_trainer_counts_them(folder, monkeypatch):
    tokenizer = open_tokenizer(folder)
    found = look_at(chats(10), tokenizer, max_length=512)
    assert found.examples == 10
    assert (found.targets > 0).all()
    assert (found.targets < found.lengths).all()
    cut = look_at([Text("word " * 100)], tokenizer, max_length=16)
    assert cut.lengths.max() == 16
    assert cut.examples == len(cut.lengths)
    monkeypatch.setattr(workload, "SAMPLE", 16)
    sampled = look_at(chats(160), tokenizer, max_length=512)
    assert sampled.examples == 160
    assert len(sampled.lengths) == 16
    assert sampled.tokens == pytest.approx(look_at(chats(160), tokenizer, max_length=512).tokens, rel=0.1)
    with pytest.raises(InvalidRequest, match="nothing to train on"):
        look_at([], tokenizer, max_length=16)


@pytest.mark.parametrize("method", METHODS)
def test_an_estimate_is_whole_json(shape, method):
    found = estimate(shape, settings(method=method), facts([30] * 50), machine=MACHINE, rate=RATE)
    plain = json.loads(json.dumps(found.as_json()))
    assert plain["fits"] is True
    assert plain["memory"]["total"] == pytest.approx(
        sum(value for name, value in plain["memory"].items() if name != "total")
    )
    assert 0 < plain["trained_parameters"] <= plain["parameters"]
    assert 0 < plain["training_s"] < plain["total_s"]
    assert plain["kilowatt_hours"] == pytest.approx(20 * plain["total_s"] / 3.6e6)


def test_without_a_measurement_time_stays_open(shape):
    found = estimate(shape, settings(), facts([30] * 50), machine=MACHINE)
    assert (found.training_s, found.total_s, found.kilowatt_hours) == (None, None, None)
    assert any("was not measured" in note for note in found.notes)
    assert compare(found, {"seconds": 10.0, "steps": found.steps})[0].name == "steps"


def test_time_is_linear_in_what_is_computed(shape):
    once, twice = (
        estimate(shape, settings(epochs=epochs), facts([30] * 800), machine=MACHINE, rate=RATE) for epochs in (1, 2)
    )
    assert twice.training_s == pytest.approx(2 * once.training_s, rel=1e-6)
    assert twice.flops == pytest.approx(2 * once.flops, rel=1e-6)


def test_what_does_not_fit_is_said(shape):
    tight = Machine(memory_bytes=1000, disk_bytes=1000, cores=2)
    found = estimate(shape, settings(), facts([30] * 50), machine=tight, rate=RATE)
    assert not found.fits
    assert any("lower batch_size" in note for note in found.notes)
    assert any("disk is too full" in note for note in found.notes)


def test_what_cannot_go_together_is_refused(shape):
    with pytest.raises(InvalidRequest, match="gradient_checkpointing"):
        estimate(
            shape, settings(method="prefix-tuning", gradient_checkpointing=True), facts([30] * 50), machine=MACHINE
        )


def test_processes_multiply_memory_and_fsdp_shares_it(shape):
    single, ddp, fsdp = (
        estimate(shape, settings(method="full", strategy=strategy, processes=count), facts([30] * 50), machine=MACHINE)
        for strategy, count in (("single", 1), ("ddp", 2), ("fsdp", 2))
    )
    assert ddp.memory_bytes == pytest.approx(2 * ddp.memory.total)
    assert ddp.memory.optimiser == single.memory.optimiser
    assert fsdp.memory.optimiser == single.memory.optimiser / 2


def test_the_price_of_aws():
    known = aws_cost("cohere.command-light-text-v14", 2_000_000)
    assert known.training_usd == pytest.approx(2.0)
    assert known.storage_usd_per_month == pytest.approx(1.95)
    for unknown in ("", "amazon.nova-lite-v1:0", "rocamadre.roca-mini-v1:0"):
        assert aws_cost(unknown, 1e6).training_usd is None
        assert aws_cost(unknown, 1e6).reason.startswith("unknown")


def test_prediction_beside_what_happened(shape):
    found = estimate(shape, settings(), facts([30] * 50), machine=MACHINE, rate=RATE)
    happened = {
        "steps": found.steps, "trainable": found.trained_parameters, "tokens": found.tokens,
        "peak_memory_bytes": found.memory.total / 1.1, "seconds": found.training_s / 2,
    }  # fmt: skip
    by_name = {each.name: each for each in compare(found.as_json(), happened)}
    assert by_name["memory_bytes"].error == pytest.approx(0.1)
    assert by_name["memory_bytes"].within
    assert by_name["training_s"].error == pytest.approx(1.0)
    assert not by_name["training_s"].within
    assert by_name["steps"].within
    assert compare(found, {"seconds": float("nan"), "tokens": None}) == ()


def test_a_rate_is_remembered_for_what_it_was_measured_on(tmp_path, shape, folder, monkeypatch):
    calls = []

    def child(place):
        calls.append(json.loads((place / "spec.json").read_text()))
        return json.loads(calibration.msgspec.json.encode(RATE))

    monkeypatch.setattr(calibration, "_run_child", child)
    wanted = calibration.Wanted(folder, settings(), length=30, tokens=240)
    assert known_rate(tmp_path, shape, settings()) is None
    assert measure_rate(tmp_path, shape, wanted) == RATE
    assert known_rate(tmp_path, shape, settings(epochs=9, learning_rate=0.1)) == RATE
    for other in ({"method": "full"}, {"method_settings": {"rank": 2}}, {"threads": 7}, {"precision": "bf16"}):
        assert known_rate(tmp_path, shape, settings(**other)) is None
    assert known_rate(tmp_path, replace(shape, layers=9), settings()) is None
    rate_file(tmp_path, shape, settings()).write_text('{"torn": 1}')
    assert known_rate(tmp_path, shape, settings()) is None
    assert calls[0]["tokens"] == 240


def test_looking_ahead_measures_only_when_asked(tmp_path, folder, monkeypatch):
    monkeypatch.setattr(calibration, "_run_child", lambda place: calibration.msgspec.to_builtins(RATE))
    plain = look_ahead(tmp_path, folder, settings(), chats(20))
    assert plain.training_s is None
    measured = look_ahead(tmp_path, folder, settings(), chats(20), validation=chats(5), measure=True)
    assert measured.training_s > 0
    assert look_ahead(tmp_path, folder, settings(), chats(20)).training_s == pytest.approx(measured.training_s)


def test_without_torch_time_stays_open(tmp_path, folder, monkeypatch):
    monkeypatch.setattr(calibration, "_version", lambda name: "")
    assert look_ahead(tmp_path, folder, settings(), chats(20), measure=True).training_s is None
    with pytest.raises(MissingDependency, match="train"):
        measure_rate(tmp_path, read_shape(folder), calibration.Wanted(folder, settings(), length=9, tokens=9))


def test_a_child_that_fails_is_told(tmp_path, folder, shape, monkeypatch):
    monkeypatch.setattr(calibration, "_CHILD", "rocamadre.nothing")
    with pytest.raises(RocamadreError, match="measuring this machine failed"):
        measure_rate(tmp_path, shape, calibration.Wanted(folder, settings(), length=9, tokens=9))

"""Whole runs in this process: what they report, early stopping, best weights, spikes, new tokens, a teacher."""

import math

import numpy as np
import pytest
import torch

from rocamadre.core.errors import InvalidRequest
from rocamadre.datasets import canonical
from rocamadre.datasets.tokenizer import open_tokenizer
from rocamadre.datasets.types import Chat, Text, Turn
from rocamadre.jobs.rundir import RunDir
from rocamadre.testing.tiny import tiny_gguf, tiny_llama
from rocamadre.training import causal, memory
from rocamadre.training.data import table_of
from rocamadre.training.model import load_base
from rocamadre.training.progress import curves
from rocamadre.training.run import run

CHATS = [
    Chat((Turn("user", f"What is {n} and {n}?"), Turn("assistant", f"It is {2 * n}." + " Yes." * (n % 5))))
    for n in range(24)
]
SETTINGS = {
    "method": "full",
    "max_steps": 8,
    "batch_size": 4,
    "max_length": 96,
    "learning_rate": 0.01,
    "precision": "fp32",
    "threads": 1,
}


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return tiny_gguf(tmp_path_factory.mktemp("base") / "tiny.gguf")


def begin(tmp_path, base, *, validation=(), objective="chat", train=CHATS, teacher=None, **settings):
    folder = RunDir(tmp_path / "run")
    spec = {"base": str(base), "objective": objective, "train": ["train.jsonl"], "settings": SETTINGS | settings}
    spec |= {"teacher": str(teacher)} if teacher else {}
    folder.begin(spec | {"validation": [f"validation-{index}.jsonl" for index in range(len(validation))]})
    canonical.write(folder.work / "train.jsonl", train)
    for index, examples in enumerate(validation):
        canonical.write(folder.work / f"validation-{index}.jsonl", examples)
    return folder


def load_table(folder, base, cache):
    paths = [folder.work / "train.jsonl"]
    return table_of(paths, open_tokenizer(base), objective="chat", max_length=96, cache=cache, warn=pytest.fail)


def of(folder, event):
    return [line for line in folder.progress() if line["event"] == event]


def test_a_run_says_what_it_does(tmp_path, base):
    folder = begin(tmp_path, base, validation=[CHATS[:3], CHATS[3:8]], epochs=2, max_steps=None, accumulation=2)
    result = run(folder)
    (started,) = of(folder, "started")
    table = load_table(folder, base, tmp_path / "t")
    assert started["tokens_per_epoch"] == int(table.lengths.sum())
    assert started["learned_per_epoch"] == int(table.targets.sum())
    assert (started["steps"], started["examples"], started["precision"]) == (6, 24, "fp32")
    assert started["trainable"] == started["parameters"] > 20000
    steps, validations = curves(folder.progress())
    assert [each["epoch"] for each in steps] == pytest.approx([n / 3 for n in range(1, 7)])
    assert steps[-1]["tokens"] == 2 * started["tokens_per_epoch"] == result["tokens"]
    assert [each["step"] for each in validations] == list(range(7))
    weighted = validations[-1]["losses"]
    assert min(weighted) <= validations[-1]["loss"] <= max(weighted)
    assert result["form"] == "full"
    assert result["peak_memory_bytes"] > 1e8
    assert result["validation_loss"] == min(each["loss"] for each in validations[1:])


def test_losses_are_nats_per_learned_token(tmp_path, base):
    """The first losses are those of the untouched base, counted by transformers itself, over all passes of a step."""
    folder = begin(tmp_path, base, validation=[CHATS[:5]], max_steps=1, batch_size=3, accumulation=8)
    run(folder)
    loaded = load_base(base)
    loaded.model.set_attn_implementation("sdpa")

    def mean(examples):
        path = tmp_path / "some.jsonl"
        canonical.write(path, examples)
        cache = tmp_path / f"table-{len(examples)}"
        table = table_of([path], loaded.tokenizer, objective="chat", max_length=96, cache=cache, warn=print)
        total = 0.0
        for index in range(len(table)):
            part = slice(table.offsets[index], table.offsets[index + 1])
            ids = torch.tensor(table.ids[part].tolist())[None]
            labels = torch.where(torch.tensor(table.learned[part].tolist())[None], ids, -100)
            with torch.no_grad():
                total += float(loaded.model(input_ids=ids, labels=labels).loss) * int(table.targets[index])
        return total / int(table.targets.sum())

    steps, validations = curves(folder.progress())
    assert steps[0]["loss"] == pytest.approx(mean(CHATS), rel=1e-5)
    assert validations[0]["loss"] == pytest.approx(mean(CHATS[:5]), rel=1e-5)


WAYS = {
    "several passes": {"batch_size": 6, "accumulation": 4},
    "packed": {"packing": True},
    "activations computed again": {"gradient_checkpointing": True},
}


@pytest.mark.parametrize("way", WAYS)
def test_how_it_is_computed_does_not_change_the_losses(tmp_path, base, way):
    """Each step learns from all examples."""
    change = dict(WAYS[way])
    plain = begin(tmp_path / "plain", base, max_steps=3, batch_size=24)
    run(plain)
    if way == "packed":
        lengths = load_table(plain, base, tmp_path / "t").lengths
        change["batch_size"] = causal.RowOrder(lengths, capacity=96, packing=True, seed=0).per_epoch
        assert change["batch_size"] < 24
    other = begin(tmp_path / "other", base, **({"max_steps": 3, "batch_size": 24} | change))
    run(other)
    losses = [[each["loss"] for each in curves(folder.progress()).steps] for folder in (plain, other)]
    assert losses[1] == pytest.approx(losses[0], rel=2e-4)


def test_it_stops_early_and_keeps_the_best(tmp_path, base):
    """The validation data contradicts the training data, so its loss rises soon."""
    other = [Chat((chat.turns[0], Turn("assistant", "zyx wvu tsr " * 3))) for chat in CHATS[:6]]
    settings = {"early_stopping": 2, "evaluate_every": 1, "max_steps": 60, "learning_rate": 0.02}
    folder = begin(tmp_path, base, validation=[other], **settings)
    result = run(folder)
    validations = curves(folder.progress()).validations
    losses = [each["loss"] for each in validations[1:]]
    assert result["steps"] < 60
    assert result["validation_loss"] == min(losses)
    assert result["best_step"] == losses.index(min(losses)) + 1 == result["steps"] - 2
    again = begin(tmp_path / "again", folder.work / "model", validation=[other], max_steps=1)
    run(again)
    assert curves(again.progress()).validations[0]["loss"] == pytest.approx(min(losses), rel=1e-5)


def test_a_loss_that_jumps_is_reported(tmp_path, base):
    strange = Chat((Turn("user", "?"), Turn("assistant", "🙂🚀" * 9)))
    place = causal.RowOrder(np.full(40, 9), capacity=96, packing=False, seed=1).rows(0, 40).index([39])
    assert place > 12  # It comes when there is something to jump from.
    settings = {"batch_size": 1, "max_steps": 40, "learning_rate": 0.005, "seed": 1}
    folder = begin(tmp_path, base, train=[*[CHATS[1]] * 39, strange], **settings)
    run(folder)
    (warning,) = [line for line in of(folder, "warning") if line.get("kind") == "loss_spike"]
    assert warning["step"] == place + 1
    assert "the loss jumped to" in warning["message"]


def test_a_loss_without_a_number_ends_the_run(tmp_path, base, monkeypatch):
    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", lambda *_: torch.tensor(math.nan))
    folder = begin(tmp_path, base)
    with pytest.raises(InvalidRequest, match=r"not been a finite number for 3 steps.*lower learning_rate"):
        run(folder)
    assert [line["step"] for line in of(folder, "warning")] == [1, 2, 3]


def test_a_base_without_a_loss_is_refused(tmp_path, base):
    broken = load_base(base)
    with torch.no_grad():
        broken.model.get_input_embeddings().weight[7] = math.nan
    causal.use_layout(broken.model, "padded")
    broken.model.save_pretrained(tmp_path / "broken")
    broken.write_tokenizer(tmp_path / "broken")
    with pytest.raises(InvalidRequest, match="the base's own loss is no finite number"):
        run(begin(tmp_path, tmp_path / "broken"))


def test_tokens_of_the_domain_join_the_vocabulary(tmp_path, base):
    texts = [Text("xylophonequartz " * 9) for _ in range(12)]
    folder = begin(tmp_path, base, objective="text", train=texts, new_tokens=8, max_steps=6)
    run(folder)
    before, after = open_tokenizer(base), open_tokenizer(folder.work / "model")
    assert after.tokens.get_vocab_size() == before.tokens.get_vocab_size() + 8
    assert after.count("xylophonequartz") < before.count("xylophonequartz") - 5
    assert load_base(folder.work / "model").model.config.vocab_size >= after.tokens.get_vocab_size()
    losses = [each["loss"] for each in curves(folder.progress()).steps]
    assert losses[-1] < losses[0]
    with pytest.raises(InvalidRequest, match="new embeddings would not be learned"):
        run(begin(tmp_path / "x", base, objective="text", train=texts, new_tokens=8, method="lora"))


def test_a_student_learns_from_a_teachers_logits(tmp_path, base):
    """Its own teacher teaches it nothing: no divergence. Another one does."""
    same = begin(tmp_path / "same", base, objective="logits", teacher=base, distillation_mix=1.0, max_steps=2)
    run(same)
    assert curves(same.progress()).steps[0]["loss"] == pytest.approx(0, abs=1e-5)
    teacher = tiny_llama(tmp_path / "teacher", seed=3, layers=3)
    other = begin(tmp_path / "other", base, objective="logits", teacher=teacher, distillation_mix=1.0, max_steps=12)
    run(other)
    losses = [each["loss"] for each in curves(other.progress()).steps]
    assert losses[-1] < losses[0] * 0.8
    with pytest.raises(InvalidRequest, match="needs a teacher"):
        run(begin(tmp_path / "none", base, objective="logits"))


REFUSED = [
    ({"max_length": 300}, "max_length is 300; the model reads at most 256 tokens"),
    ({"early_stopping": 2}, "early_stopping needs validation data"),
    ({"learning_rate": 0}, "learning_rate: .*greater than 0"),
    ({"epochz": 1}, "epochz: Extra inputs are not permitted"),
    ({"method": "alchemy"}, "no method is called 'alchemy'"),
    ({"max_length": 16}, "longer than max_length = 16 tokens, 24 in all"),
    ({"processes": 3}, "set strategy to ddp or fsdp"),
    ({"validation_share": 0.99}, "leaves nothing to train on"),
    ({"method": "prefix-tuning", "gradient_checkpointing": True}, "gradient_checkpointing"),
]


@pytest.mark.parametrize(("settings", "message"), REFUSED, ids=[message[:30] for _, message in REFUSED])
def test_what_is_wrong_is_said(tmp_path, base, settings, message):
    with pytest.raises(Exception, match=message) as caught:
        run(begin(tmp_path, base, **settings))
    assert type(caught.value).__module__ == "rocamadre.core.errors"


def test_a_spec_or_base_that_is_wrong_is_said(tmp_path, base):
    with pytest.raises(InvalidRequest, match="there is no such model"):
        run(begin(tmp_path / "a", tmp_path / "nothing.gguf"))
    folder = RunDir(tmp_path / "b")
    folder.begin({"base": str(base), "objective": "chat", "train": "x"})
    with pytest.raises(InvalidRequest, match=r"spec.json is not right: Expected `array`, got `str`"):
        run(folder)


def test_bf16_is_chosen_where_it_was_measured_faster(monkeypatch):
    from rocamadre.training import precision

    times = {torch.float32: 1.0, torch.bfloat16: 0.5}
    monkeypatch.setattr(precision, "seconds", lambda dtype, **_: times[dtype])
    ask = {"width": 8, "inner": 16, "device": torch.device("cpu")}
    assert precision.choose("auto", **ask) == "bf16"
    times[torch.bfloat16] = 0.9
    assert precision.choose("auto", **ask) == "fp32"
    assert precision.choose("bf16", **ask) == "bf16"


def test_bf16_trains_too(tmp_path, base):
    folder = begin(tmp_path, base, precision="bf16", max_steps=10)
    run(folder)
    losses = [each["loss"] for each in curves(folder.progress()).steps]
    assert losses[-1] < losses[0] - 0.5
    assert all(map(math.isfinite, losses))


def test_little_memory_is_said_once(tmp_path, base, monkeypatch):
    monkeypatch.setattr(memory, "available_bytes", lambda: 100 << 20)
    folder = begin(tmp_path, base, max_steps=3)
    run(folder)
    assert len([line for line in of(folder, "warning") if "of memory are left" in line["message"]]) == 1

from __future__ import annotations

from collections import Counter

import pytest

from rocamadre.core.errors import InvalidRequest
from rocamadre.datasets import canonical
from rocamadre.datasets.types import Chat, Text, Turn
from rocamadre.training.forgetting import compare, measure, report
from rocamadre.training.mixing import mix, mix_files, weights_by_size
from rocamadre.training.settings import TrainingSettings, read_weights


def test_shares_hold_at_every_point_of_the_run():
    weights = {"a": 5, "b": 3, "c": 1.5}
    seen = Counter()
    for count, (task, _) in enumerate(mix({"a": 7, "b": 40, "c": 2}, weights, count=300, seed=1), start=1):
        seen[task] += 1
        for name, weight in weights.items():
            assert abs(seen[name] - count * weight / 9.5) < 1.5


def test_every_example_comes_once_before_any_comes_twice():
    drawn = [index for task, index in mix({"a": 7, "b": 9}, {"a": 1, "b": 1}, count=56, seed=1) if task == "a"]
    passes = [drawn[start : start + 7] for start in range(0, 28, 7)]
    assert all(sorted(each) == list(range(7)) for each in passes)
    assert passes[0] != passes[1]


def test_the_seed_decides():
    sizes, weights = {"a": 30, "b": 9}, {"a": 1, "b": 1}
    first, again, other = (list(mix(sizes, weights, count=40, seed=seed)) for seed in (1, 1, 2))
    assert first == again != other


def test_weights_of_sizes():
    assert weights_by_size({"a": 900, "b": 100}, limit=100) == {"a": 0.5, "b": 0.5}
    flat = weights_by_size({"a": 900, "b": 100}, temperature=2)
    assert flat["a"] == pytest.approx(0.75)


@pytest.mark.parametrize(
    ("sizes", "weights", "message"),
    [
        ({"a": 1}, {"b": 1}, "weights are for b; the tasks are a"),
        ({"a": 1, "b": 1}, {"a": 1, "b": 0}, "above 0; they are not for b"),
        ({"a": 0}, {"a": 1}, "at least one example"),
    ],
)
def test_mixes_that_cannot_be(sizes, weights, message):
    with pytest.raises(InvalidRequest, match=message):
        mix(sizes, weights, count=1, seed=0)


def chat(task, number):
    return Chat((Turn("user", f"¿{task} {number}?"), Turn("assistant", str(number))), task)


def test_files_are_mixed_by_the_weights_of_their_tasks(tmp_path):
    first, second, target = (tmp_path / name for name in ("first.jsonl", "second.jsonl", "mixed.jsonl"))
    canonical.write(first, [chat("a", number) for number in range(8)])
    canonical.write(second, [chat(task, number) for number in range(8, 10) for task in ("a", "b")])
    mix_files([first, second], target, {"a": 1, "b": 2}, seed=3)
    mixed = list(canonical.read(target))
    assert Counter(each.task for each in mixed) == {"a": 4, "b": 8}
    assert Counter(each.turns[1].text for each in mixed if each.task == "b") == {"8": 4, "9": 4}
    again = tmp_path / "again.jsonl"
    mix_files([first, second], again, {"a": 1, "b": 2}, seed=3)
    assert again.read_bytes() == target.read_bytes()


@pytest.mark.parametrize(
    ("records", "message"),
    [
        ([chat("a", 1), chat("", 2)], "record 2 belongs to no task"),
        ([Text("Once")], "record 1 belongs to no task"),
        ([chat("a", 1), chat("c", 1)], "weights are for a, b; the tasks are a, c"),
    ],
)
def test_files_that_cannot_be_mixed(tmp_path, records, message):
    canonical.write(tmp_path / "train.jsonl", records)
    with pytest.raises(InvalidRequest, match=message):
        mix_files([tmp_path / "train.jsonl"], tmp_path / "mixed.jsonl", {"a": 1, "b": 2}, seed=0)
    assert not (tmp_path / "mixed.jsonl").exists()


@pytest.mark.parametrize("text", ["a", "a=0", "a=-1", "a=inf", "a=nan", "=", "a=1,b=two"])
def test_weights_that_are_none(text):
    with pytest.raises(ValueError, match="is no weight"):
        read_weights(text)
    with pytest.raises(ValueError, match="task_weights"):
        TrainingSettings(task_weights=text)


def test_forgetting_is_the_rise_of_each_loss():
    losses = {"kept": [2.0, 2.01], "lost": [2.0, 2.5], "learned": [3.0, 1.0]}
    before, after = (measure(losses, lambda each, at=at: each[at]) for at in (0, 1))
    changes = compare(before, after)
    assert [each.name for each in changes] == ["lost", "kept", "learned"]
    told = report(changes)
    assert told["forgotten"] == ["lost"]
    lost = {"name": "lost", "before": 2, "after": 2.5, "change": 0.5, "perplexity_ratio": 1.6487213}
    assert told["sets"][0] == pytest.approx(lost)
    with pytest.raises(InvalidRequest, match="not the same sets"):
        compare(before, {"kept": 1.0})
    with pytest.raises(InvalidRequest, match="not finite on empty"):
        measure({"empty": 0}, lambda _: float("nan"))

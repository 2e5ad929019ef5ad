"""Checkpoints that are whole or passed over, token tables, and the disk."""

import errno
import json
import shutil

import numpy as np
import pytest
import torch

from rocamadre.core.errors import InvalidRequest
from rocamadre.datasets import canonical
from rocamadre.datasets.tokenizer import open_tokenizer
from rocamadre.datasets.types import Chat, Prompt, Text, Turn
from rocamadre.testing.tiny import tiny_llama
from rocamadre.training import data
from rocamadre.training.checkpoints import Checkpoints, damage_of


def chat(question, answer):
    return Chat((Turn("user", question), Turn("assistant", answer)))


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    return open_tokenizer(tiny_llama(tmp_path_factory.mktemp("model") / "tiny"))


@pytest.fixture
def kept(tmp_path):
    kept = Checkpoints(tmp_path / "checkpoints", keep=2)
    for step in (5, 10, 15):
        kept.write(step, {"weights": {"w": torch.full((4,), float(step))}, "none": {}}, {"loss": step / 2})
    return kept


def test_the_newest_are_kept_and_read_back(kept):
    assert kept.steps() == [10, 15]
    found = kept.newest(pytest.fail)
    assert (found.step, found.state["loss"]) == (15, 7.5)
    assert found.tensors("weights")["w"].tolist() == [15.0] * 4
    assert found.tensors("none") == {}


def test_the_best_is_kept_too(kept):
    kept.write(20, {}, {}, protect=10)
    kept.write(25, {}, {}, protect=10)
    assert kept.steps() == [10, 20, 25]


def truncate(path):
    data = (path / "weights.safetensors").read_bytes()
    (path / "weights.safetensors").write_bytes(data[:-3])


def flip(path):
    data = bytearray((path / "weights.safetensors").read_bytes())
    data[-1] ^= 1
    (path / "weights.safetensors").write_bytes(data)


DAMAGE = {
    "truncated": (truncate, "has .* bytes instead of"),
    "changed": (flip, "has changed"),
    "a file gone": (lambda path: (path / "state.json").unlink(), "state.json is missing"),
    "no manifest": (lambda path: (path / "manifest.json").unlink(), "no manifest"),
    "half a manifest": (lambda path: (path / "manifest.json").write_text('{"st'), "not valid JSON"),
    "no list of files": (lambda path: (path / "manifest.json").write_text("{}"), "names no files"),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_one_is_passed_over_with_a_warning(kept, kind):
    harm, message = DAMAGE[kind]
    harm(kept.folder / "15")
    warnings = []
    assert kept.newest(warnings.append).step == 10
    assert len(warnings) == 1
    assert "checkpoint 15 is damaged" in warnings[0]
    assert __import__("re").search(message, warnings[0])
    shutil.rmtree(kept.folder / "10")
    assert kept.newest(warnings.append) is None


def test_a_failed_write_leaves_what_was_there(kept, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("rocamadre.training.checkpoints.write_json", full)
    with pytest.raises(OSError, match="No space"):
        kept.write(20, {"weights": {"w": torch.ones(4)}}, {})
    assert [path.name for path in sorted(kept.folder.iterdir())] == ["10", "15"]
    assert damage_of(kept.folder / "15") is None


def table(tmp_path, tokenizer, examples, objective="chat", max_length=64, warn=pytest.fail):
    path = tmp_path / "train.jsonl"
    canonical.write(path, examples)
    cache = tmp_path / "tokens" / "train"
    return data.table_of([path], tokenizer, objective=objective, max_length=max_length, cache=cache, warn=warn)


def test_tokens_are_made_once_and_read_again(tmp_path, tokenizer):
    examples = [chat(f"what is {n}?", f"it is {n}") for n in range(5)]
    made = table(tmp_path, tokenizer, examples)
    (tmp_path / "train.jsonl").unlink()  # Data that disappears midway is no longer needed.
    again = data.table_of(
        [tmp_path / "train.jsonl"],
        tokenizer,
        objective="chat",
        max_length=64,
        cache=tmp_path / "tokens" / "train",
        warn=pytest.fail,
    )
    for part in ("ids", "learned", "offsets", "targets"):
        assert (getattr(made, part) == getattr(again, part)).all()
    assert len(made) == 5
    text = tokenizer.tokens.decode(made.ids[: made.offsets[1]][made.learned[: made.offsets[1]]].tolist(), False)
    assert text == "it is 0<|im_end|>"


def test_texts_are_cut_and_conversations_that_do_not_fit_are_refused(tmp_path, tokenizer):
    made = table(tmp_path, tokenizer, [Text("the quick brown fox " * 40), Text("fox")], objective="text", max_length=16)
    assert made.lengths.max() == 16
    assert made.ids[made.offsets[-1] - 1] == tokenizer.document_end
    shutil.rmtree(tmp_path / "tokens")
    with pytest.raises(InvalidRequest, match=r"longer than max_length = 32 tokens, 1 in all: train.jsonl, record 2"):
        table(tmp_path, tokenizer, [chat("a", "b"), chat("a", "b " * 40)], max_length=32)


def test_records_of_another_kind_are_refused_by_place(tmp_path, tokenizer):
    with pytest.raises(InvalidRequest, match=r"train.jsonl, record 1: a prompt record"):
        table(tmp_path, tokenizer, [Prompt((Turn("user", "hi"),))])
    with pytest.raises(InvalidRequest, match=r"record 1: a chat record; the objective 'text' is running text"):
        table(tmp_path, tokenizer, [chat("a", "b")], objective="text")
    with pytest.raises(InvalidRequest, match="nothing to learn"):
        table(tmp_path, tokenizer, [])
    with pytest.raises(InvalidRequest, match=r"the data gone.jsonl cannot be read"):
        data.table_of(
            [tmp_path / "gone.jsonl"],
            tokenizer,
            objective="chat",
            max_length=8,
            cache=tmp_path / "x",
            warn=pytest.fail,
        )


def test_a_share_is_taken_for_validation_the_same_each_time(tmp_path, tokenizer):
    made = table(tmp_path, tokenizer, [chat(f"what is {n}?", f"it is {n}") for n in range(10)])
    train, validation = data.split(made, share=0.2, seed=1)
    assert (len(train), len(validation)) == (8, 2)
    again = data.split(made, share=0.2, seed=1)[1]
    assert (again.ids == validation.ids).all()
    assert int(train.targets.sum() + validation.targets.sum()) == int(made.targets.sum())
    with pytest.raises(InvalidRequest, match="leaves nothing to train on"):
        data.split(train.subset(np.array([0])), share=0.5, seed=1)


def test_manifests_name_sizes_and_hashes(kept):
    manifest = json.loads((kept.folder / "15" / "manifest.json").read_text())
    assert set(manifest["files"]) == {"weights.safetensors", "state.json"}
    assert all(set(entry) == {"size", "sha256"} for entry in manifest["files"].values())

"""Models from nothing: what is hidden and restored, tokenizers, and runs of each objective."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM, AutoModelForMaskedLM, AutoModelForSeq2SeqLM

from rocamadre.core.errors import InvalidRequest
from rocamadre.datasets import canonical
from rocamadre.datasets.types import Text
from rocamadre.engines.llama.gguf import export_gguf
from rocamadre.jobs.rundir import RunDir
from rocamadre.training.data import make_table
from rocamadre.training.pretraining.corruption import cut_counts, cut_spans, mask_tokens, masked_count
from rocamadre.training.pretraining.run import make_model, run
from rocamadre.training.pretraining.settings import ShapeSettings
from rocamadre.training.pretraining.tasks import MaskedTask, SpanTask
from rocamadre.training.pretraining.vocabulary import MARKS, train_tokenizer
from rocamadre.training.progress import curves

SYLLABLES = "ba ro ki lan te mu son der va li pri to ne gra".split()
WORDS = [first + second + third for first in SYLLABLES for second in SYLLABLES[:6] for third in ("", "s", "ndo")]
TEXTS = [" ".join(WORDS[(n * 7 + k * (n % 5 + 1)) % len(WORDS)] for k in range(12 + n % 9)) for n in range(60)]
SHAPE = {"width": 32, "layers": 2, "heads": 4, "inner": 64, "context_length": 64}
CPU = torch.device("cpu")


@given(st.integers(2, 200), st.floats(0.05, 0.6), st.integers(0, 2**30))
@settings(max_examples=60, deadline=None)
def test_spans_and_what_is_left_are_the_text(length, share, seed):
    ids, sentinels = np.arange(1000, 1000 + length), np.arange(100, 200)
    inputs, targets = cut_spans(
        ids, share=share, span=3.0, sentinels=sentinels, end=1, dice=np.random.default_rng(seed)
    )
    assert inputs[-1] == targets[-1] == 1
    cut, spans = cut_counts(length, share=share, span=3.0)
    assert len(targets) == cut + min(spans, 100) + 1
    pieces, sentinel = {}, None
    for token in targets[:-1].tolist():
        if token < 200:
            sentinel = token
            pieces[sentinel] = []
        else:
            pieces[sentinel].append(token)
    restored = [each for token in inputs[:-1].tolist() for each in pieces.get(token, [token])]
    assert restored == ids.tolist()
    assert list(pieces) == sentinels[: len(pieces)].tolist()
    assert all(pieces.values())


def test_masks_are_as_in_the_paper():
    ids, ordinary = np.full(20000, 7), np.arange(5, 300)
    found = mask_tokens(ids, share=0.15, mask=4, ordinary=ordinary, dice=np.random.default_rng(0))
    assert len(found.places) == masked_count(20000, share=0.15) == 3000
    changed = found.ids[found.places]
    assert np.mean(changed == 4) == pytest.approx(0.8, abs=0.03)
    assert np.mean(changed == 7) == pytest.approx(0.1, abs=0.03)
    untouched = np.delete(found.ids, found.places)
    assert (untouched == 7).all()


@pytest.mark.parametrize(("objective", "kind"), [("causal", "bpe"), ("masked", "unigram"), ("spans", "unigram")])
def test_tokenizers_spell_what_they_read(tmp_path, objective, kind):
    tokenizer = train_tokenizer(TEXTS, tmp_path, objective=objective, kind=kind, vocabulary=500)
    ids = tokenizer.encode(TEXTS[0], add_special_tokens=False).ids
    assert tokenizer.decode(ids) == TEXTS[0]
    assert len(ids) < len(TEXTS[0]) * 0.6
    assert all(tokenizer.token_to_id(mark) is not None for mark in MARKS[objective].values())
    with pytest.raises(InvalidRequest, match="no room"):
        train_tokenizer(TEXTS, tmp_path, objective="spans", kind=kind, vocabulary=300)


def test_the_masked_loss_is_transformers_own(tmp_path):
    tokenizer = train_tokenizer(TEXTS, tmp_path, objective="masked", kind="unigram", vocabulary=400)
    marks = {name: tokenizer.token_to_id(text) for name, text in MARKS["masked"].items()}
    torch.manual_seed(0)
    model = make_model("masked", ShapeSettings(**SHAPE), tokenizer).eval()
    table = make_table(
        ((ids := tokenizer.encode(text, add_special_tokens=False).ids), [True] * len(ids)) for text in TEXTS[:3]
    )
    ordinary = np.arange(5, tokenizer.get_vocab_size())
    task = MaskedTask(table, share=0.15, marks=marks, ordinary=ordinary, seed=1, device=CPU, fixed=True)
    rows = task.order.rows(0, 3)
    total = 0.0
    for index in np.concatenate(rows).tolist():
        ids = table.ids[table.offsets[index] : table.offsets[index + 1]].astype(np.int64)
        found = mask_tokens(
            ids, share=0.15, mask=marks["mask_token"], ordinary=ordinary, dice=np.random.default_rng([1, index])
        )
        read = torch.tensor([[marks["cls_token"], *found.ids, marks["sep_token"]]])
        labels = torch.full_like(read, -100)
        labels[0, found.places + 1] = torch.from_numpy(ids[found.places])
        total += model(input_ids=read, labels=labels).loss.item() * len(found.places)
    with torch.no_grad():
        assert float(task.loss(model, rows)) == pytest.approx(total, rel=1e-5)
    assert task.learned(rows) == sum(masked_count(int(each), share=0.15) for each in table.lengths)


def test_the_span_loss_is_transformers_own(tmp_path):
    tokenizer = train_tokenizer(TEXTS, tmp_path, objective="spans", kind="unigram", vocabulary=500)
    marks = {name: tokenizer.token_to_id(text) for name, text in MARKS["spans"].items()}
    torch.manual_seed(0)
    model = make_model("spans", ShapeSettings(**SHAPE), tokenizer).eval()
    table = make_table(
        ((ids := tokenizer.encode(text, add_special_tokens=False).ids), [True] * len(ids)) for text in TEXTS[:3]
    )
    sentinels = np.array([tokenizer.token_to_id(f"<extra_id_{n}>") for n in range(100)])
    more = {"share": 0.3, "span": 3.0, "sentinels": sentinels}
    task = SpanTask(table, **more, marks=marks, seed=1, device=CPU, fixed=True)
    rows, total = task.order.rows(0, 3), 0.0
    for index in np.concatenate(rows).tolist():
        ids = table.ids[table.offsets[index] : table.offsets[index + 1]].astype(np.int64)
        cut = cut_spans(ids, **more, end=marks["eos_token"], dice=np.random.default_rng([1, index]))
        labels = torch.from_numpy(cut.targets)[None]
        total += model(input_ids=torch.from_numpy(cut.inputs)[None], labels=labels).loss.item() * len(cut.targets)
    with torch.no_grad():
        assert float(task.loss(model, rows)) == pytest.approx(total, rel=1e-5)
    assert task.learned(rows) > 0


OBJECTIVES = {
    "causal": ("bpe", AutoModelForCausalLM),
    "masked": ("unigram", AutoModelForMaskedLM),
    "spans": ("unigram", AutoModelForSeq2SeqLM),
}


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_a_model_from_nothing_learns_and_is_read_back(tmp_path, objective):
    kind, model_class = OBJECTIVES[objective]
    folder = RunDir(tmp_path / "run")
    folder.begin(
        {
            "objective": objective,
            "train": ["train.jsonl"],
            "validation": ["validation.jsonl"],
            "tokenizer": {"kind": kind, "vocabulary": 500},
            "shape": SHAPE,
            "settings": {
                "max_steps": 16,
                "max_length": 48,
                "learning_rate": 0.01,
                "packing": objective == "causal",
                "precision": "fp32",
                "threads": 1,
            },
        }
    )
    canonical.write(folder.work / "train.jsonl", map(Text, TEXTS))
    canonical.write(folder.work / "validation.jsonl", map(Text, TEXTS[:6]))
    result = run(folder)
    steps, validations = curves(folder.progress())
    assert (len(steps), result["method"]) == (16, f"pretraining-{objective}")
    assert validations[-1]["loss"] < validations[0]["loss"] - 0.5
    home = folder.work / "model"
    model = model_class.from_pretrained(home)
    tokenizer = Tokenizer.from_file(str(home / "tokenizer.json"))
    assert model.get_input_embeddings().weight.shape[0] == tokenizer.get_vocab_size()
    if objective == "causal":
        assert export_gguf(home, tmp_path / "model.gguf", kind="F16").pre == "gpt-2"
    assert run(folder)["steps"] == 16  # Begun again, it has nothing left to do.


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"settings": {"method": "lora"}}, "the method is full"),
        ({"settings": {"max_length": 500}}, "more than context_length"),
        ({"objective": "masked", "settings": {"packing": True, "max_length": 64}}, "packing is for causal models"),
        ({"objective": "prefix"}, "Invalid enum value"),
        ({"shape": {"width": 30}}, "not an even multiple"),
        ({"tokenizer": {"vocabulary": 3}}, "vocabulary: .*greater than or equal to 300"),
        ({"corruption": {"share": 2}}, "share: .*less than 0.9"),
    ],
)
def test_wrong_settings_are_refused(tmp_path, change, message):
    folder = RunDir(tmp_path / "run")
    spec = {"objective": "causal", "train": [], "shape": SHAPE, "settings": {"max_length": 64}} | change
    folder.begin(json.loads(json.dumps(spec)))
    with pytest.raises(InvalidRequest, match=message):
        run(folder)

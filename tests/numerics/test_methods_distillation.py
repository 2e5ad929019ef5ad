"""Distillation from logits, and new vocabulary, against what they should be."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
import torch
from torch.nn.functional import cross_entropy, kl_div, log_softmax

from rocamadre.core.errors import InvalidRequest
from rocamadre.datasets.tokenizer import open_tokenizer
from rocamadre.engines.llama.gguf import export_gguf
from rocamadre.testing.tiny import tiny_llama
from rocamadre.training import distillation
from rocamadre.training.distillation import distillation_loss, shared_vocabulary
from rocamadre.training.model import load_base
from rocamadre.training.vocabulary import extend_base, extend_files, learn_tokens

DOMAIN = ["The spectrophotometer measures absorbance. A spectrophotometer is calibrated, então espectrofotômetro."] * 20
OTHER = "The quick brown fox — El veloz murciélago hindú 🙂 0123."


@pytest.mark.parametrize("chunk", [1 << 22, 20 * 40])
def test_the_loss_and_its_gradient_are_the_formula(chunk, monkeypatch):
    monkeypatch.setattr(distillation, "CHUNK_NUMBERS", chunk)
    torch.manual_seed(0)
    vocabulary, temperature, mix = 40, 3.0, 0.7
    student, teacher = torch.randn(50, 8, requires_grad=True), torch.randn(50, 6)
    ours, theirs = torch.randn(48, 8, requires_grad=True), torch.randn(44, 6)  # padded to different sizes
    targets = torch.randint(vocabulary, (50,))
    found = distillation_loss(
        student, lambda x: x @ ours.T, teacher, lambda x: x @ theirs.T, targets,
        vocabulary=vocabulary, temperature=temperature, mix=mix,
    )  # fmt: skip
    gradients = torch.autograd.grad(found.total, (student, ours))
    q, p = (student @ ours.T)[:, :vocabulary], (teacher @ theirs.T)[:, :vocabulary]
    apart = kl_div(log_softmax(q / temperature, -1), log_softmax(p / temperature, -1), reduction="sum", log_target=True)
    expected = mix * temperature**2 * apart + (1 - mix) * cross_entropy(q, targets, reduction="sum")
    torch.testing.assert_close(found.total, expected)
    torch.testing.assert_close(found.divergence, apart)
    for gradient, wanted in zip(gradients, torch.autograd.grad(expected, (student, ours)), strict=True):
        torch.testing.assert_close(gradient, wanted)


@pytest.mark.parametrize("wrong", [{"temperature": 0.0}, {"mix": 1.5}])
def test_settings_out_of_range_are_refused(wrong):
    x = torch.zeros(2, 4)
    with pytest.raises(InvalidRequest, match=next(iter(wrong))):
        distillation_loss(x, lambda x: x, x, lambda x: x, torch.zeros(2, dtype=torch.long), vocabulary=4, **wrong)


def test_teacher_and_student_must_read_alike(tmp_path):
    student, teacher = (open_tokenizer(tiny_llama(tmp_path / name, seed=seed)) for name, seed in (("a", 1), ("b", 2)))
    assert shared_vocabulary(teacher, student) == student.tokens.get_vocab_size()
    path = tmp_path / "b" / "tokenizer.json"
    state = json.loads(path.read_text())
    state["model"]["merges"].pop()
    path.write_text(json.dumps(state))
    with pytest.raises(InvalidRequest, match="merges differ"):
        shared_vocabulary(open_tokenizer(tmp_path / "b"), student)


def test_a_longer_vocabulary_reads_the_domain_in_fewer_tokens_and_the_rest_as_before(tmp_path):
    base = load_base(tiny_llama(tmp_path / "base"))
    old, rows = base.tokenizer, base.model.get_input_embeddings().weight.detach().clone()
    extended, extension = extend_base(base, DOMAIN, count=30)
    new = extended.tokenizer
    assert len(extension.tokens) == 30
    assert extension.first == len(rows)
    assert new.encode(OTHER) == old.encode(OTHER)
    for text in (DOMAIN[0], OTHER, "spectrophotometers, espectro"):
        assert new.tokens.decode(new.encode(text)) == text
    assert new.count(DOMAIN[0]) < 0.5 * old.count(DOMAIN[0])
    table = extended.model.get_input_embeddings().weight
    assert extended.model.config.vocab_size == len(table) == len(rows) + 30
    assert torch.equal(table[: len(rows)], rows)
    assert extended.model.get_output_embeddings().weight is table
    place = extension.tokens.index(max(extension.tokens, key=len))
    pieces = old.encode(old.tokens.decoder.decode([extension.tokens[place]]))
    assert list(extension.pieces[place]) == pieces
    torch.testing.assert_close(table[extension.first + place], rows[pieces].mean(0))


def test_merges_are_those_of_counting_again_each_time(tmp_path):
    tokens = open_tokenizer(tiny_llama(tmp_path / "base")).tokens
    extension = learn_tokens(tokens, DOMAIN, count=12, minimum=2)
    for place, (left, right) in enumerate(extension.merges):
        known = type(extension)(extension.first, extension.merges[:place], extension.pieces[:place]).apply(tokens)
        counts = {}
        for text in DOMAIN:
            for word, _ in known.pre_tokenizer.pre_tokenize_str(text):
                parts = [part.value for part in known.model.tokenize(word)]
                for pair in pairwise(parts):
                    counts[pair] = counts.get(pair, 0) + 1
        best = max(counts.values())
        assert (left, right) == min(pair for pair, often in counts.items() if often == best)


def test_the_engine_reads_an_extended_vocabulary_as_training_did(tmp_path):
    base = load_base(tiny_llama(tmp_path / "base"))
    extended, extension = extend_base(base, DOMAIN, count=30)
    folder = tmp_path / "trained"
    extended.model.save_pretrained(folder)
    extended.write_tokenizer(folder)
    for _ in range(2):
        extend_files(folder, extension)
    export_gguf(folder, tmp_path / "trained.gguf", kind="F32")
    served = open_tokenizer(tmp_path / "trained.gguf")
    again = load_base(folder)
    for text in (*DOMAIN[:1], OTHER):
        assert served.encode(text) == extended.tokenizer.encode(text) == again.tokenizer.encode(text)


def test_texts_with_nothing_to_add_are_refused(tmp_path):
    tokens = open_tokenizer(tiny_llama(tmp_path / "base")).tokens
    with pytest.raises(InvalidRequest, match="nothing to add"):
        learn_tokens(tokens, ["one text"], count=5)

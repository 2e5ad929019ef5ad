from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import save_file

from rocamadre.core.errors import InvalidRequest
from rocamadre.testing.tiny import tiny_bert, tiny_gguf, tiny_llama
from rocamadre.training.preflight.shape import count_parameters, read_shape


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_llama(tmp_path_factory.mktemp("shape") / "base")


def config(tmp_path, **changes):
    values = {"model_type": "llama", "vocab_size": 100, "hidden_size": 32, "num_hidden_layers": 2}
    values |= {"num_attention_heads": 4, "hidden_act": "silu", **changes}
    (tmp_path / "config.json").write_text(json.dumps({k: v for k, v in values.items() if v is not None}))
    return tmp_path


def test_a_directory_and_its_gguf_have_the_same_shape(folder, tmp_path):
    ours, theirs = read_shape(folder), read_shape(tiny_gguf(tmp_path / "base.gguf"))
    assert (ours.hidden, ours.layers, ours.heads, ours.kv_heads, ours.head_dim, ours.inner) == (32, 2, 4, 2, 8, 64)
    assert ours.tied
    assert ours.gated
    assert sorted(ours.linears) == sorted(theirs.linears)
    assert replace(ours, linears=(), context_length=0) == replace(theirs, linears=(), context_length=0)


def test_what_is_counted_from_the_files_is_what_the_formula_counts(folder):
    shape = read_shape(folder)
    formula = count_parameters(shape.vocabulary, shape.hidden, shape.layers, shape.linears, tied=True)
    assert shape.parameters == formula


def test_the_embedded_model(checkout):
    shape = read_shape(checkout / "models" / "roca-mini" / "roca-mini-q8_0.gguf")
    assert shape.parameters == 7_344_384
    assert (shape.layers, shape.hidden, shape.vocabulary) == (8, 256, 4096)


def test_a_config_alone_is_enough(tmp_path):
    shape = read_shape(config(tmp_path, num_key_value_heads=2, intermediate_size=64))
    assert shape.key == 16
    assert not shape.tied
    assert shape.parameters == count_parameters(100, 32, 2, shape.linears, tied=False)


def test_a_tied_head_that_lies_in_the_file_counts_once(tmp_path):
    tensors = {name: np.zeros((100, 32), np.float32) for name in ("model.embed_tokens.weight", "lm_head.weight")}
    save_file(tensors, tmp_path / "model.safetensors")
    assert read_shape(config(tmp_path, tie_word_embeddings=True)).parameters == 3200
    assert read_shape(config(tmp_path, tie_word_embeddings=False)).parameters == 6400


@pytest.mark.parametrize(
    ("changes", "said"),
    [({"hidden_size": None}, "does not say the shape"), ({"num_local_experts": 8}, "mixture of experts"),
     ({"num_attention_heads": 0}, "does not say the shape")],
)  # fmt: skip
def test_what_has_no_shape_is_refused(tmp_path, changes, said):
    with pytest.raises(InvalidRequest, match=said):
        read_shape(config(tmp_path, **changes))


def test_what_is_no_decoder_is_refused(tmp_path):
    with pytest.raises(InvalidRequest, match=r"no config\.json"):
        read_shape(tmp_path)
    (tmp_path / "noise.gguf").write_bytes(b"noise")
    with pytest.raises(InvalidRequest, match="GGUF"):
        read_shape(tmp_path / "noise.gguf")
    assert read_shape(tiny_bert(tmp_path / "bert")).layers == 2

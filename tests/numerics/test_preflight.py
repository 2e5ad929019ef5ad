"""The preflight beside PyTorch: weights that move, and bytes that autograd keeps."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from rocamadre.testing.tiny import tiny_llama
from rocamadre.training import causal
from rocamadre.training.data import make_table
from rocamadre.training.methods.registry import check_settings, make_method
from rocamadre.training.model import load_base
from rocamadre.training.preflight.memory import HOLES, process_memory
from rocamadre.training.preflight.shape import read_shape
from rocamadre.training.preflight.trained import trained

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

COUNTED = [
    ("full", {}),
    ("full", {"train_embeddings": False}),
    ("full", {"last_layers": 1}),
    ("full", {"last_layers": 1, "train_embeddings": False}),
    ("lora", {}),
    ("lora", {"rank": 3, "targets": "attention", "rslora": True}),
    ("lora", {"dora": True, "targets": "q_proj,down_proj"}),
    ("qlora", {"rank": 2}),
    ("prompt-tuning", {"tokens": 7}),
    ("prefix-tuning", {"tokens": 7}),
    ("prefix-tuning", {"tokens": 7, "projection": True, "projection_width": 12}),
    ("ia3", {}),
    ("ia3", {"attention": False}),
    ("loreft", {"rank": 3}),
    ("loreft", {"layers": "1", "last": 0}),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_llama(tmp_path_factory.mktemp("preflight") / "base", layers=3)


def prepared(folder, name, options):
    method, settings = make_method(name), check_settings(name, options)
    base = load_base(folder)
    module = method.prepare(base.model, settings, seed=0, tokenizer=base.tokenizer)
    return method, module, trained(read_shape(folder), settings)


@pytest.mark.parametrize(("name", "options"), COUNTED, ids=str)
def test_as_many_weights_move_as_were_foreseen(folder, name, options):
    method, module, moved = prepared(folder, name, options)
    assert moved.parameters == sum(weight.numel() for _, weight in method.trainable(module))


@pytest.mark.parametrize("name", ["full", "lora", "ia3", "prompt-tuning", "prefix-tuning", "loreft"])
def test_autograd_keeps_what_was_foreseen(folder, name):
    method, module, moved = prepared(folder, name, {})
    layout = "segments" if method.packs else "padded"
    causal.use_layout(module, layout)
    module.train()
    dice = np.random.default_rng(0)
    count, length = 8, 64
    table = make_table((dice.integers(4, 300, length), np.arange(length) >= length - 4) for _ in range(count))
    task = causal.CausalTask(table, capacity=length, packing=False, seed=0, device=torch.device("cpu"), layout=layout)
    weights = {weight.untyped_storage().data_ptr() for weight in module.parameters()}
    kept = {}

    def keep(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = task.loss(module, [np.asarray([index]) for index in range(count)])
    tokens = count * (length + moved.virtual_tokens)
    foreseen = process_memory(read_shape(folder), moved, tokens=tokens, targets=4 * count, examples=count)
    # Masks and angles, which are next to nothing in a model of some size, are a part of so small a one.
    numbers = foreseen.activations / (HOLES if moved.adapted or moved.rank else 1)
    assert numbers == pytest.approx(sum(kept.values()), rel=0.15)
    assert loss.requires_grad

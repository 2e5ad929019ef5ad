"""Methods against the formulas of their papers, and against PEFT reading the same files; float32, tiny models."""

from __future__ import annotations

import math

import bitsandbytes
import numpy as np
import peft
import pytest
import torch
from torch import nn

from rocamadre.core.errors import InvalidRequest
from rocamadre.datasets.types import Turn
from rocamadre.testing.tiny import tiny_llama
from rocamadre.training.methods import qlora
from rocamadre.training.methods.facts import LoreftSettings
from rocamadre.training.methods.registry import make_method
from rocamadre.training.model import load_base

TEXT = "The quick brown fox"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_llama(tmp_path_factory.mktemp("numerics") / "base")


@pytest.fixture
def base(folder):
    return load_base(folder)


@pytest.fixture
def ids():
    return torch.randint(4, 300, (2, 14), generator=torch.Generator().manual_seed(1))


def prepare(base, name, **options):
    method = make_method(name)
    settings = method.settings.model_validate(options)
    return method, method.prepare(base.model, settings, seed=3, tokenizer=base.tokenizer)


def stir(method, module, size=0.1):
    """Move what is trained away from where it began."""
    noise = torch.Generator().manual_seed(9)
    with torch.no_grad():
        for _, weight in method.trainable(module):
            weight.add_(size * torch.randn(weight.shape, generator=noise))
    return module.eval()


def logits(module, ids):
    with torch.no_grad():
        return module(input_ids=ids, use_cache=False).logits


def close(found, expected, atol=2e-5):
    torch.testing.assert_close(found, expected, atol=atol, rtol=1e-4)


@pytest.mark.parametrize(("rslora", "scale"), [(False, 8 / 4), (True, 8 / math.sqrt(4))])
def test_lora_adds_a_scaled_product(base, rslora, scale):
    plain = base.model.model.layers[0].self_attn.q_proj.weight.detach().clone()
    method, module = prepare(base, "lora", rank=4, alpha=8, rslora=rslora, targets=["q_proj"])
    layer = stir(method, module).model.layers[0].self_attn.q_proj
    a, b = layer.lora_A["default"].weight, layer.lora_B["default"].weight
    assert a.shape == (4, 32)
    x = torch.randn(5, 32)
    close(layer(x), x @ (plain + scale * b @ a).T)
    assert not hasattr(module.model.layers[0].self_attn.k_proj, "lora_A")


def test_dora_keeps_length_and_direction_apart(base):
    plain = base.model.model.layers[1].mlp.up_proj.weight.detach().clone()
    method, module = prepare(base, "lora", rank=4, alpha=8, dora=True, targets=["mlp"])
    layer = module.model.layers[1].mlp.up_proj
    close(layer.lora_magnitude_vector["default"].weight, plain.norm(dim=1))
    stir(method, module)
    directed = plain + 2 * layer.lora_B["default"].weight @ layer.lora_A["default"].weight
    magnitude = layer.lora_magnitude_vector["default"].weight
    x = torch.randn(5, 32)
    close(layer(x), x @ (magnitude[:, None] * directed / directed.norm(dim=1, keepdim=True)).T)


def test_nf4_is_what_the_paper_says(base):
    plain = base.model.model.layers[0].mlp.down_proj.weight.detach().numpy().copy()
    _, module = prepare(base, "qlora", rank=2, double_quantisation=False)
    held = qlora._dequantised(module.model.layers[0].mlp.down_proj.get_base_layer()).numpy()
    # Dettmers et al. 2023, appendix E
    levels = np.float32([
        -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635,
        -0.18477343022823334, -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725,
        0.24611230194568634, 0.33791524171829224, 0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0,
    ])  # fmt: skip
    blocks = plain.reshape(-1, 64)
    scales = np.abs(blocks).max(1, keepdims=True)
    nearest = levels[np.abs((blocks / scales)[..., None] - levels).argmin(-1)] * scales
    np.testing.assert_allclose(held, nearest.reshape(plain.shape), atol=1e-6)


def test_qlora_merges_into_what_it_was_trained_on(base, ids):
    method, module = prepare(base, "qlora", rank=2, double_quantisation=True)
    layer = stir(method, module).model.layers[0].self_attn.v_proj
    held = qlora._dequantised(layer.get_base_layer())
    expected = held + 32 / 2 * layer.lora_B["default"].weight @ layer.lora_A["default"].weight
    answers = logits(module, ids)
    merged = method.merge(module)
    assert type(merged.model.layers[0].self_attn.v_proj) is nn.Linear
    close(merged.model.layers[0].self_attn.v_proj.weight, expected)
    close(logits(merged, ids), answers, atol=1e-4)


@pytest.mark.parametrize("fault", ["absent", "wrong"])
def test_qlora_is_refused_where_it_would_not_work(base, fault, monkeypatch):
    if fault == "absent":
        monkeypatch.setattr(qlora, "_absent", "OSError: no such library")
    else:
        monkeypatch.setattr(bitsandbytes.nn.Linear4bit, "forward", lambda self, x: x @ torch.ones(x.shape[-1], 64))
    with pytest.raises(InvalidRequest, match="bitsandbytes, which cannot" if fault == "absent" else "wrong numbers"):
        prepare(base, "qlora")
    assert type(base.model.model.layers[0].mlp.up_proj) is nn.Linear


def test_a_prompt_of_text_is_that_text(base, ids, folder):
    words = base.tokenizer.encode(TEXT)
    whole = torch.cat([torch.tensor([words] * 2), ids], dim=1)
    expected = logits(base.model, whole)[:, len(words) :]
    _, module = prepare(base, "prompt-tuning", tokens=len(words), init="text", text=TEXT)
    close(logits(module, ids), expected)


def test_a_prefix_of_text_is_that_text(base, ids):
    words = base.tokenizer.encode(TEXT)
    expected = logits(base.model, torch.cat([torch.tensor([words] * 2), ids], dim=1))[:, len(words) :]
    _, module = prepare(base, "prefix-tuning", tokens=len(words), init="text", text=TEXT)
    close(logits(module, ids), expected)


@pytest.mark.parametrize(
    ("name", "options", "virtual"),
    [
        ("lora", {"rank": 4, "rslora": True}, 0),
        ("ia3", {}, 0),
        ("prompt-tuning", {"tokens": 5, "init": "random"}, 5),
        ("prefix-tuning", {"tokens": 5, "projection": True, "projection_width": 8}, 0),
    ],
)
def test_peft_reads_what_is_written(base, ids, folder, tmp_path, name, options, virtual):
    method, module = prepare(base, name, **options)
    expected = logits(stir(method, module), ids)
    method.save(module, tmp_path / "adapter")
    theirs = peft.PeftModel.from_pretrained(load_base(folder).model, str(tmp_path / "adapter")).eval()
    close(logits(theirs, ids)[:, virtual:], expected)


def test_ia3_scales_rows_and_columns(base, ids):
    plain = {name: tensor.detach().clone() for name, tensor in base.model.model.layers[0].state_dict().items()}
    method, module = prepare(base, "ia3")
    layer = stir(method, module).model.layers[0]
    factors = {name: getattr(layer.self_attn, name).ia3_l["default"].flatten().clone() for name in ("k_proj", "v_proj")}
    inner = layer.mlp.down_proj.ia3_l["default"].flatten().clone()
    merged = method.merge(module).model.layers[0]
    for name, factor in factors.items():
        close(getattr(merged.self_attn, name).weight, plain[f"self_attn.{name}.weight"] * factor[:, None])
    close(merged.mlp.down_proj.weight, plain["mlp.down_proj.weight"] * inner)


def test_loreft_edits_within_its_subspace(base, ids):
    method, module = prepare(base, "loreft", rank=3, first=2, last=0, layers=[1])
    before = logits(load_base(base.path).model, ids)
    edit = stir(method, module).model.layers[1].edit
    rotation = edit.rotation.weight
    close(rotation @ rotation.T, torch.eye(3))
    states = torch.randn(4, 32)
    edited = edit(states)
    expected = states + (states @ edit.source.weight.T + edit.source.bias - states @ rotation.T) @ rotation
    close(edited, expected)
    close(edited @ rotation.T, edit.source(states))  # within the subspace it is what W and b say
    outside = torch.eye(32) - rotation.T @ rotation
    close(edited @ outside, states @ outside)
    after = logits(module, ids)
    assert not torch.allclose(after[:, :2], before[:, :2], atol=1e-3)
    assert torch.equal(after[:, 2:], before[:, 2:])  # the last block's edit reaches no other position


def test_loreft_finds_where_prompts_end(base):
    method, module = prepare(base, "loreft", first=1, last=2)
    places = module.__dict__["_rocamadre"]["places"]
    mark = base.tokenizer.encode("<|im_start|>assistant\n")
    assert places.mark == tuple(mark)
    turns = [Turn("user", "Hi"), Turn("assistant", "Yes"), Turn("user", "Why?")]
    ids = base.tokenizer.encode(base.tokenizer.template.render(turns, to_answer=True))
    row = torch.tensor([ids + ids])  # two examples in one row
    positions = torch.cat([torch.arange(len(ids))] * 2)[None]
    found = places.find(row, positions)[0].tolist()
    ends = [at + len(mark) - 1 for at in range(2 * len(ids)) if row[0, at : at + len(mark)].tolist() == mark]
    assert len(ends) == 4
    wanted = {0, len(ids)} | {end - back for end in ends for back in (0, 1)}
    assert {at for at, here in enumerate(found) if here} == wanted
    with pytest.raises(InvalidRequest, match="chat template"):
        method.prepare(load_base(base.path).model, LoreftSettings(last=1), seed=0)


def test_full_trains_the_blocks_that_were_asked_for(base):
    method, module = prepare(base, "full", last_layers=1, train_embeddings=False)
    names = {name for name, _ in method.trainable(module)}
    assert names == {name for name, _ in module.named_parameters() if "layers.1." in name} | {"model.norm.weight"}
    with pytest.raises(InvalidRequest, match="2 blocks"):
        prepare(base, "full", last_layers=3)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("lora", {"targets": ["q_projection"]}, "gate_proj"),
        ("loreft", {"layers": [7]}, "2 blocks"),
        ("loreft", {"rank": 64}, "32 dimensions"),
        ("prompt-tuning", {"tokens": 256}, "context is 256"),
    ],
)
def test_what_does_not_fit_the_model_is_refused(base, name, options, message):
    with pytest.raises(InvalidRequest, match=message):
        prepare(base, name, **options)

"""The trainer's loss beside transformers' own, in every layout; its gradients beside autograd's."""

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from rocamadre.datasets.tokenizer import open_tokenizer
from rocamadre.testing.tiny import tiny_gguf, tiny_llama
from rocamadre.training import causal, head
from rocamadre.training.data import make_table
from rocamadre.training.model import load_base
from rocamadre.training.packing import pack

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_llama(tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture
def base(folder):
    return load_base(folder)


@pytest.fixture(scope="module")
def table():
    dice = np.random.default_rng(0)
    lengths = [5, 9, 9, 17, 30, 2, 9, 24]
    return make_table((dice.integers(4, 300, length), dice.random(length) < 0.6) for length in lengths)


def reference(model, table, index):
    """transformers' own loss of one example alone, summed."""
    part = slice(table.offsets[index], table.offsets[index + 1])
    ids = torch.from_numpy(table.ids[part].astype(np.int64))[None]
    labels = torch.where(torch.from_numpy(table.learned[part])[None], ids, -100)
    labels[:, 0] = -100
    count = int((labels != -100).sum())
    return model(input_ids=ids, labels=labels).loss.double() * count if count else torch.zeros(())


@pytest.mark.parametrize("layout", ["segments", "padded", "plain"])
def test_examples_side_by_side_lose_what_each_loses_alone(base, table, layout):
    with torch.no_grad():
        base.model.set_attn_implementation("sdpa")
        alone = [float(reference(base.model, table, index)) for index in range(len(table))]
        causal.use_layout(base.model, layout)
        for packed in pack(table.lengths.tolist(), capacity=40), [list(range(len(table)))]:
            for row in packed:
                rows = [np.array(row)]
                batch = causal.make_batch(table, rows, layout=layout, device=CPU)
                found = float(causal.loss_sum(base.model, batch, layout=layout))
                assert found == pytest.approx(sum(alone[index] for index in row), rel=2e-6)


def test_gradients_are_those_of_the_plain_loss(base, table):
    rows = [np.arange(len(table))]
    found = {}
    for layout in ("plain", "segments"):
        causal.use_layout(base.model, layout)
        batch = causal.make_batch(table, rows, layout=layout, device=CPU)
        (causal.loss_sum(base.model, batch, layout=layout) / len(batch.targets)).backward()
        found[layout] = {name: weight.grad for name, weight in base.model.named_parameters()}
        base.model.zero_grad(set_to_none=True)
    for name, gradient in found["plain"].items():
        torch.testing.assert_close(found["segments"][name], gradient, rtol=1e-4, atol=1e-6)


def test_an_example_does_not_see_its_neighbours(base, table):
    """Other neighbours, same hidden states, to the last bit."""
    causal.use_layout(base.model, "segments")
    ids = torch.from_numpy(table.ids.astype(np.int64))

    def states(first):
        row = torch.cat([first, ids[:9]])[None]
        positions = torch.cat([torch.arange(30), torch.arange(9)])[None]
        out = base.model.base_model(input_ids=row, position_ids=positions, segments=(30, 9), use_cache=False)
        return out.last_hidden_state[0, 30:]

    with torch.no_grad():
        assert torch.equal(states(ids[40:70]), states(torch.full((30,), 7)))


@pytest.mark.parametrize("chunk", [1 << 22, 1000])
@pytest.mark.parametrize("bias", [True, False])
def test_the_heads_loss_is_cross_entropy(monkeypatch, chunk, bias):
    monkeypatch.setattr(head, "CHUNK_NUMBERS", chunk)
    torch.manual_seed(0)
    layer = torch.nn.Linear(24, 50, bias=bias)
    hidden, targets = torch.randn(70, 24, requires_grad=True), torch.randint(0, 50, (70,))
    wanted = cross_entropy(layer(hidden), targets, reduction="sum") * 0.3
    inputs = [hidden, *layer.parameters()]
    expected = torch.autograd.grad(wanted, inputs)
    loss = head.head_loss(layer, layer, hidden, targets) * 0.3
    assert float(loss.detach()) == pytest.approx(float(wanted.detach()), rel=1e-6)
    for found, each in zip(torch.autograd.grad(loss, inputs), expected, strict=True):
        torch.testing.assert_close(found, each, rtol=1e-4, atol=1e-5)


def test_a_head_that_is_more_than_a_matrix_is_called(monkeypatch):
    monkeypatch.setattr(head, "CHUNK_NUMBERS", 1000)
    torch.manual_seed(0)
    layer = torch.nn.Sequential(torch.nn.Linear(24, 50), torch.nn.Tanh())
    hidden, targets = torch.randn(70, 24, requires_grad=True), torch.randint(0, 50, (70,))
    wanted = cross_entropy(layer(hidden), targets, reduction="sum")
    expected = torch.autograd.grad(wanted, [hidden, *layer.parameters()])
    loss = head.head_loss(layer, layer, hidden, targets)
    for found, each in zip(torch.autograd.grad(loss, [hidden, *layer.parameters()]), expected, strict=True):
        torch.testing.assert_close(found, each, rtol=1e-4, atol=1e-5)


def test_a_layout_that_computes_something_else_is_not_used(base, table):
    assert causal.best_layout(base.model, table, packs=True, device=CPU)[0] == "segments"
    assert causal.best_layout(base.model, table, packs=False, device=CPU)[0] == "padded"
    base.model.get_output_embeddings().register_forward_hook(lambda *given: given[2] * 2)  # logits that are scaled
    layout, difference = causal.best_layout(base.model, table, packs=True, device=CPU)
    assert layout == "plain"
    assert difference > 0.01


@pytest.mark.parametrize("kind", ["F32", "Q8_0"])
def test_a_gguf_file_is_the_model_that_it_came_from(tmp_path, kind):
    """Weights to the last bit for F32; ids, configuration and template for both; and an export that is the same."""
    from rocamadre.engines.llama.gguf import dequantise, export_gguf
    from rocamadre.engines.llama.header import read_header

    path = tiny_gguf(tmp_path / "tiny.gguf", kind=kind)
    base, original = load_base(path), load_base(path.with_suffix(".hf"))
    state = base.model.state_dict()
    for name, values in dequantise(path).items():
        assert np.array_equal(state[name].numpy(), values)
    ids = torch.arange(30)[None] + 4
    with torch.no_grad():
        for model in (base.model, original.model):
            causal.use_layout(model, "padded")
        found, wanted = base.model(input_ids=ids).logits, original.model(input_ids=ids).logits
    torch.testing.assert_close(found, wanted, atol=0 if kind == "F32" else 0.2, rtol=0)
    saved = tmp_path / "saved"
    base.model.save_pretrained(saved)
    base.write_tokenizer(saved)
    text = "Él dijo: 123 zorros <|im_end|> 🙂"
    assert open_tokenizer(saved).encode(text) == original.tokenizer.encode(text)
    again = export_gguf(saved, tmp_path / "again.gguf", kind=kind, name=str(read_header(path).values["general.name"]))
    assert again.path.read_bytes() == path.read_bytes()

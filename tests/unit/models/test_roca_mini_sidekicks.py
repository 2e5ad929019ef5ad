"""The recipes for a masked-word encoder and a span-filling encoder-decoder: their tasks, and seconds of each."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from recipe_modules import load

sys.path.pop(0)

torch = pytest.importorskip("torch")


def test_hidden_words_are_to_be_said_and_marks_are_never_hidden():
    encoder = load("encoder")
    tokens = torch.randint(0, 500, (40, 100), generator=torch.Generator().manual_seed(0))
    inputs, targets = encoder.hide(tokens, mark=5, first_word=50, words=500, dice=torch.Generator().manual_seed(1))
    asked = targets >= 0
    assert (tokens[asked] == targets[asked]).all()
    assert (tokens[asked] >= 50).all()
    assert 0.12 < asked.float().mean() / (tokens >= 50).float().mean() < 0.18
    assert 0.75 < (inputs[asked] == 5).float().mean() < 0.85
    assert torch.equal(inputs[~asked], tokens[~asked])


def test_the_encoder_sees_both_sides():
    encoder, editions = load("encoder"), load("editions")
    made = encoder.Encoder(editions.SMOKE.shape).eval()
    first = torch.randint(0, 500, (1, 12))
    second = first.clone()
    second[0, -1] = 7
    assert not torch.allclose(made(first)[0, 0], made(second)[0, 0])


def test_a_cut_row_and_its_spans_make_the_row_again():
    seq2seq = load("seq2seq")
    row = np.arange(100, 164)
    for seed in range(20):
        source, target = seq2seq.corrupt(row, marks=[1, 2, 3, 4], end=0, dice=np.random.default_rng(seed))
        spans = {}
        for token in target[:-1]:
            if token < 5:
                spans[token] = latest = []
            else:
                latest.append(token)
        again = [piece for token in source for piece in (spans[token] if token < 5 else [token])]
        assert again == row.tolist()


@pytest.mark.parametrize("name", ["encoder", "seq2seq"])
def test_seconds_of_it_learn_something_and_a_second_call_goes_on(name, tmp_path, monkeypatch, caplog):
    recipe = load(name)
    caplog.set_level("INFO", "roca-mini")
    monkeypatch.setattr(sys, "argv", [name, "--smoke", "--work", str(tmp_path), "--steps", "20"])
    assert recipe.main() == 0
    first, last = (float(part.split()[0]) for part in caplog.messages[-1].split("loss: ")[-1].split(", "))
    assert last < first
    caplog.clear()
    monkeypatch.setattr(sys, "argv", [*sys.argv[:-1], "22"])
    monkeypatch.setattr(load("sidekicks"), "REPORT", 2)
    assert recipe.main() == 0
    assert [line.split(",")[0] for line in caplog.messages if line.startswith("step")] == ["step 22"]


def test_ablations_measure_nats_per_byte(monkeypatch):
    ablate, editions, loop = load("ablate"), load("editions"), load("loop")
    network = loop.make_network(editions.SMOKE.shape, seed=1, device=torch.device("cpu"))
    torch.nn.init.zeros_(network.embedding.weight)
    ids = np.random.default_rng(0).integers(0, 512, 1001)
    assert ablate.nats_per_byte(network, ids, 4000, length=50) == pytest.approx(np.log(512) * 1000 / 4000, rel=1e-4)
    for make in ablate.VARIANTS.values():
        assert sum(phase.tokens for phase in make().phases) == 1_000_000

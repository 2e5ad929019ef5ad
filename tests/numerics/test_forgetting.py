"""What a run says that its model has forgotten, beside the losses that transformers itself counts."""

import pytest
import torch

from rocamadre.datasets import canonical
from rocamadre.datasets.rendered import render_example
from rocamadre.datasets.types import Chat, Text, Turn
from rocamadre.jobs.rundir import RunDir
from rocamadre.testing.tiny import tiny_gguf
from rocamadre.training.model import load_base
from rocamadre.training.run import run
from rocamadre.training.serving import load_tuned

CHATS = [Chat((Turn("user", f"{n} and {n}?"), Turn("assistant", f"{2 * n}." + " Yes." * (n % 3)))) for n in range(12)]
SETS = {"answers": CHATS[:3], "text": [Text("Once upon a time there was a harbour."), Text("It rained.")]}


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return tiny_gguf(tmp_path_factory.mktemp("base") / "tiny.gguf")


def mean_loss(module, tokenizer, examples):
    """Nats per learned token, one example at a time."""
    total = learned = 0
    for example in examples:
        rendered = render_example(example, tokenizer, tokenizer.template)
        ids = torch.tensor(rendered.ids)[None]
        labels = torch.where(torch.tensor(rendered.trained)[None], ids, -100)
        count = int((labels[:, 1:] != -100).sum())
        with torch.no_grad():
            total += float(module(input_ids=ids, labels=labels).loss) * count
        learned += count
    return total / learned


@pytest.mark.parametrize("method", ["full", "prompt-tuning"])
def test_losses_are_the_untouched_base_s_and_the_trained_model_s(tmp_path, base, method):
    folder = RunDir(tmp_path / "run")
    settings = {"method": method, "max_steps": 4, "max_length": 96, "learning_rate": 0.02, "precision": "fp32"}
    spec = {"base": str(base), "objective": "chat", "train": ["train.jsonl"], "settings": settings | {"threads": 1}}
    folder.begin(spec | {"forgetting": {name: f"{name}.jsonl" for name in SETS}})
    for name, examples in {"train": CHATS, **SETS}.items():
        canonical.write(folder.work / f"{name}.jsonl", examples)
    told = run(folder)["forgetting"]
    untouched, tuned = load_base(base), load_tuned(base, method, folder.work / "model")
    found = {each["name"]: each for each in told["sets"]}
    for name, examples in SETS.items():
        before = mean_loss(untouched.model, untouched.tokenizer, examples)
        after = mean_loss(tuned.module, untouched.tokenizer, examples)
        assert (found[name]["before"], found[name]["after"]) == pytest.approx((before, after), abs=1e-5)
        assert found[name]["change"] == pytest.approx(after - before, abs=1e-5)
        assert abs(after - before) > 1e-3
    (event,) = (line for line in folder.progress() if line["event"] == "forgetting")
    assert event["sets"] == told["sets"]
    # A run that is begun again does not take its trained model for the base.
    assert run(folder)["forgetting"] == told


def test_a_run_takes_tasks_by_their_weights(tmp_path, base):
    folder = RunDir(tmp_path / "run")
    settings = {"method": "full", "max_length": 96, "precision": "fp32", "threads": 1, "task_weights": "few=1, many=1"}
    folder.begin({"base": str(base), "objective": "chat", "train": ["train.jsonl"], "settings": settings})
    tasks = [Chat(each.turns, "few" if index < 2 else "many") for index, each in enumerate(CHATS)]
    canonical.write(folder.work / "train.jsonl", tasks)
    run(folder)
    mixed = list(canonical.read(folder.work / "mixed.jsonl"))
    assert [sum(each.task == task for each in mixed) for task in ("few", "many")] == [6, 6]
    (started,) = (line for line in folder.progress() if line["event"] == "started")
    assert started["examples"] == 12

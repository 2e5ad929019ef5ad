"""The recipe's parts: what may be trained on, packing, tasks, learning, resuming, and the whole path in miniature."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from recipe_modules import RECIPE, load

sys.path.pop(0)

chat, corpus, tasks_made = load("chat"), load("corpus"), load("tasks_made")
FORBIDDEN_SETS = (
    "bbh", "cisi", "cranfield", "dialogsum", "gpteacher", "plue-pt", "samsum", "sql-geography", "sst2",
)  # fmt: skip


def test_no_source_is_one_that_may_not_train_a_shipped_weight():
    folders = {entry.path.split("/")[0] for entry in corpus.SOURCES}
    assert not folders & set(FORBIDDEN_SETS)
    assert not any(part in entry.path for entry in corpus.SOURCES for part in ("-test", "dialogsum", "ntrex"))
    for entry in corpus.SOURCES:
        assert "NC" not in entry.licence
        assert "GPL" not in entry.licence
        assert entry.credit


def test_a_missing_data_folder_is_said_clearly(tmp_path):
    with pytest.raises(corpus.DataMissing, match="--data"):
        corpus.find_data(tmp_path)


def test_only_registered_files_can_be_read_for_training(tmp_path):
    with pytest.raises(StopIteration):
        corpus.source("dialogsum/dialogsum-dev.jsonl")


def test_the_split_is_the_one_of_the_manifest():
    titles = ("UFMS", "Black_Death", "Geology", "Normans", "1973_oil_crisis")
    assert [corpus.is_test_article(title) for title in titles] == [True, True, True, False, False]


def test_texts_that_share_thirteen_words_with_a_test_passage_are_out():
    passage = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen"
    forbidden = frozenset(corpus.grams(passage))
    assert corpus.overlaps(
        "Before. One two three four five six seven eight, nine ten eleven twelve thirteen!", forbidden
    )
    assert not corpus.overlaps("one two three four five six seven eight nine ten eleven twelve other", forbidden)


def test_only_the_assistants_words_are_learnt():
    messages = [
        {"role": "system", "content": "S"},
        {"role": "user", "content": "Q1"},
        {"role": "assistant", "content": "A1"},
        {"role": "user", "content": "Q2"},
        {"role": "assistant", "content": "", "tool_calls": [{"name": "f", "arguments": {"x": 1}}]},
    ]
    pieces = chat.parts(messages, documents=[{"text": "D"}])
    assert "".join(text for text, _ in pieces) == chat.render(messages, documents=[{"text": "D"}])
    assert [text for text, learnt in pieces if learnt] == [
        "A1<|im_end|>",
        '<tool_call>{"name": "f", "arguments": {"x": 1}}</tool_call><|im_end|>',
    ]


def test_the_prompt_is_the_beginning_of_the_trained_conversation():
    messages = [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}]
    assert chat.render(messages).startswith(chat.render(messages[:1], prompt=True))


@pytest.mark.parametrize("name", sorted(tasks_made.MAKERS))
def test_made_up_rows_are_the_same_for_the_same_seed_and_vary(name):
    make = tasks_made.MAKERS[name][0]
    first, second = ([make(dice) for _ in range(50)] for dice in (random.Random(3), random.Random(3)))
    assert first == second
    assert len({json.dumps(row, sort_keys=True) for row in first}) > 10
    assert all(row["messages"][-1]["role"] == "assistant" for row in first)


def test_made_up_extractions_hold_what_the_text_says():
    dice = random.Random(5)
    for _ in range(100):
        question, answer = (message["content"] for message in tasks_made.extraction(dice)["messages"])
        record = json.loads(answer)
        assert all(str(value) in question and key in question for key, value in record.items())


def test_a_window_holds_the_answer_in_whole_sentences():
    tasks_reading = load("tasks_reading")
    context = "First one. The code is 7. Third here. Fourth."
    for seed in range(20):
        found = tasks_reading.window(context, "code is 7", random.Random(seed), most=30)
        assert "The code is 7." in found
        assert found in context
        assert len(found) <= 30


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch")


def test_rows_are_filled_without_cutting_a_piece(torch):
    instruct = load("instruct")
    sizes = (5, 3, 8, 2, 6, 1, 7)
    pieces = [
        np.stack([np.full(size, number + 1), np.ones(size)]).astype(np.uint16) for number, size in enumerate(sizes)
    ]
    table = instruct.pack_rows(pieces, length=8, pad=0, open_rows=2).reshape(2, -1, 8)
    for number, size in enumerate(sizes, 1):
        rows = [row.tolist() for row in table[0] if number in row]
        assert len(rows) == 1
        assert rows[0].count(number) == size
    assert (table[1] == (table[0] > 0)).all(), "padding is not learnt"


def test_orthogonalised_matrices_have_singular_values_near_one(torch):
    optimizer = load("optimizer")
    torch.manual_seed(0)
    for shape in ((3, 16, 40), (2, 40, 16)):
        values = torch.linalg.svdvals(optimizer.orthogonalise(torch.randn(shape)))
        assert values.min() > 0.6
        assert values.max() < 1.3


def test_the_network_is_hugging_faces_llama(torch, tmp_path):
    transformers = pytest.importorskip("transformers")
    network, export, smoke, loop = load("network"), load("export"), load("smoke"), load("loop")
    made = loop.make_network(smoke.SHAPE, seed=3, device=torch.device("cpu"))
    tokens = torch.randint(0, smoke.SHAPE.vocabulary, (2, 40))
    reference = transformers.LlamaForCausalLM(
        transformers.LlamaConfig(
            vocab_size=smoke.SHAPE.vocabulary, hidden_size=64, intermediate_size=128, num_hidden_layers=2,
            num_attention_heads=2, num_key_value_heads=1, max_position_embeddings=256, rms_norm_eps=1e-5,
            tie_word_embeddings=True, rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
        )
    )  # fmt: skip
    reference.load_state_dict(export.hugging_face_weights(made), strict=False)
    with torch.no_grad():
        ours = made(tokens) @ made.embedding.weight.t()
        torch.testing.assert_close(ours, reference(tokens).logits, atol=2e-5, rtol=1e-4)
    assert network.Shape().head_size == 64


def run_recipe(work: Path, *options: str, **kwargs):
    command = [sys.executable, str(RECIPE / "run.py"), "--smoke", "--work", str(work), *options]
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True, **kwargs)


def test_the_whole_path_in_miniature_and_its_file_agrees_with_numpy(torch, tmp_path):
    child = run_recipe(tmp_path)
    _, said = child.communicate(timeout=100)
    assert child.returncode == 0, said
    path = tmp_path / "smoke" / "model" / "roca-mini-q8_0.gguf"
    forward, engine = load("forward").Forward(path), load("engine")
    losses = json.loads(said.split("losses: ")[-1].strip().replace("'", '"'))
    assert losses["instruct"] < losses["pretrain"] < np.log(512), "it must have learnt something"
    with engine.serving(path, exact=True, context=256) as running:
        tokens = np.array(running.tokenize("what a good film, me encantó"))
        answer = running.complete(tokens.tolist(), most=1, ignore_end=True)
    best = max(range(5, 512), key=lambda token: forward.log_probabilities(np.append(tokens, token))[-1])
    assert answer["tokens"][0] == best


def test_a_killed_run_goes_on_from_its_checkpoint(torch, tmp_path):
    loop, smoke, optimizer = load("loop"), load("smoke"), load("optimizer")
    np.save(tmp_path / "shard.npy", np.random.default_rng(0).integers(0, 512, 9000).astype(np.uint16))

    def train(tokens, work):
        network = loop.make_network(smoke.SHAPE, seed=1, device=torch.device("cpu"))
        updates = optimizer.Optimizer(network, matrix_rate=0.02, vector_rate=0.003)
        progress = loop.load_checkpoint(work, network, updates)
        phase = loop.Phase("pretrain", tmp_path / "shard.npy", 2, 64, minutes=1, tokens=tokens)
        loop.run_phase(phase, network=network, optimizer=updates, progress=progress, folder=work,
                       device=torch.device("cpu"), compiled=False)  # fmt: skip
        return network, progress

    whole, progress = train(1280, tmp_path / "whole")
    train(640, tmp_path / "cut")
    checkpoint = tmp_path / "cut" / "checkpoint.safetensors"
    kept = loop.read_progress(checkpoint)
    kept.finished.clear()
    network = loop.make_network(smoke.SHAPE, seed=9, device=torch.device("cpu"))
    updates = optimizer.Optimizer(network, matrix_rate=0.02, vector_rate=0.003)
    loop.load_checkpoint(tmp_path / "cut", network, updates)
    loop.save_checkpoint(tmp_path / "cut", network, updates, kept)
    continued, again = train(1280, tmp_path / "cut")
    assert again.steps == progress.steps == 10
    for first, second in zip(whole.parameters(), continued.parameters(), strict=True):
        torch.testing.assert_close(first, second)


def test_killed_with_9_it_leaves_no_half_checkpoint(torch, tmp_path):
    child = run_recipe(tmp_path)
    time.sleep(1.0)
    child.send_signal(signal.SIGKILL)
    child.communicate(timeout=20)
    again = run_recipe(tmp_path)
    _, said = again.communicate(timeout=100)
    assert again.returncode == 0, said

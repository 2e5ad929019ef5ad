"""The recipe's parts: what may be trained on, packing, tasks, learning, resuming, and the whole path in miniature."""

import gzip
import json
import os
import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from recipe_modules import RECIPE, load

sys.path.pop(0)

chat, corpus, tasks_made, tasks_skills = (load(name) for name in ("chat", "corpus", "tasks_made", "tasks_skills"))
FORBIDDEN_SETS = (
    "bbh", "cisi", "cranfield", "dialogsum", "gpteacher", "plue-pt", "samsum", "sql-geography", "sst2",
)  # fmt: skip


def test_no_source_is_one_that_may_not_train_a_shipped_weight():
    folders = {entry.path.split("/")[0] for entry in corpus.SOURCES}
    assert not folders & set(FORBIDDEN_SETS)
    assert not any(part in entry.path for entry in corpus.SOURCES for part in ("-test", "dialogsum", "ntrex", "bfcl"))
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
    forbidden = np.unique(corpus.grams(passage))
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


def test_a_near_copy_is_left_out_and_another_text_is_not():
    dice, seen = random.Random(0), corpus.Seen()
    words = [f"word{number}" for number in range(2000)]
    first, other = (" ".join(dice.choices(words, k=300)) for _ in range(2))
    changed = first.replace(first.split()[20], "changed")
    assert not seen.is_copy(corpus.grams(first))
    assert seen.is_copy(corpus.grams(changed))
    assert not seen.is_copy(corpus.grams(other))


def write_rows(path: Path, rows: list[dict]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    opened = gzip.open(path, "wt") if path.suffix == ".gz" else path.open("w")
    with opened as out:
        out.writelines(json.dumps(row) + "\n" for row in rows)


SECRET = " ".join(f"secret{number}" for number in range(20))


@pytest.fixture
def small_data(tmp_path):
    """A data folder with a test article's passage, which also stands in a training text, and a few other rows."""
    data = tmp_path / "data"
    data.mkdir()
    (data / "MANIFEST.md").write_text("# Data\n")
    for path in (*corpus.TEST_PASSAGES, *corpus.TEST_SENTENCES):
        write_rows(data / path, [])
    rows = [
        {"lang": "en", "title": "Black_Death", "context": SECRET, "question": "?", "answers": [{"text": "x"}]},
        {
            "lang": "en",
            "title": "Normans",
            "context": "Rollo came.",
            "question": "Who came?",
            "answers": [{"text": "Rollo"}],
        },
    ]
    write_rows(data / "squad-en/squad2-dev.jsonl.gz", rows)
    write_rows(
        data / "parallel-en-es/tatoeba-test.jsonl.gz",
        [{"en": "This sentence is a test.", "es": "Esta frase es una prueba."}],
    )
    pair = {"en": "Another sentence here.", "es": "Otra frase aqui.", "pt": "Outra frase aqui."}
    held = next(name for name in map(str, range(1000)) if corpus.is_held_out({"id": name}))
    texts = [
        {"id": "1", "title": "", "text": f"Before {SECRET} after"},
        {"id": held, "title": "", "text": "kept for measuring"},
    ]
    texts += [{"id": f"good {n}", "title": "T", "text": f"A text that may be read, number {n}."} for n in range(40)]
    for entry in corpus.SOURCES:
        if entry.weight and "-" in entry.language:
            write_rows(data / entry.path, [pair, {**pair, "en": "This sentence is a test."}] * 9)
        elif entry.weight:
            write_rows(data / entry.path, texts if entry.path.startswith("text-en/stories") else texts[1:])
    return data


def test_what_is_held_out_never_reaches_a_shard(torch, small_data, tmp_path):
    prepare = load("prepare")
    work = tmp_path / "work"
    work.mkdir()
    prepare.clean(small_data, work)
    kept = "".join(path.read_text() for path in (work / "clean").glob("*.json"))
    assert "A text that may be read" in kept
    assert "Another sentence here" in kept
    for secret in ("secret7", "kept for measuring", "This sentence is a test"):
        assert secret not in kept
    before = {path: path.stat().st_mtime_ns for path in (work / "clean").glob("*")}
    prepare.clean(small_data, work)
    assert before == {path: path.stat().st_mtime_ns for path in (work / "clean").glob("*")}, "done once"


def test_reading_tasks_use_train_articles_alone(small_data):
    tasks_reading = load("tasks_reading")
    for path in tasks_reading.SETS:
        if not (small_data / path).exists():
            write_rows(small_data / path, [])
    rows = tasks_reading.training_questions(small_data)
    assert [row["title"] for row in rows] == ["Normans"]


@pytest.mark.parametrize("name", sorted({**tasks_made.MAKERS, **tasks_skills.MAKERS}))
def test_made_up_rows_are_the_same_for_the_same_seed_and_vary(name):
    found = tasks_made.MAKERS.get(name)
    make = found[0] if found else tasks_skills.MAKERS[name]
    first, second = ([make(dice) for _ in range(50)] for dice in (random.Random(3), random.Random(3)))
    assert first == second
    assert len({json.dumps(row, sort_keys=True) for row in first}) > 10
    assert all(row["messages"][-1]["role"] == "assistant" for row in first)


@pytest.mark.parametrize("language", ["en", "es", "pt"])
def test_word_lists_exist_in_every_language(language):
    themes = load("themes")
    assert len(themes.NOUN_WORDS.get(language, themes.NOUNS).split()) == len(themes.NOUNS.split())
    assert len(themes.VERB_WORDS.get(language, themes.VERBS).split()) == len(themes.VERBS.split())
    assert set(themes.FIELD_WORDS[language]) == set(themes.FIELDS)
    assert len(themes.LAND_FACTS[language]) == len(themes.LAND_FACTS["en"])


def test_a_made_up_call_names_an_offered_tool_and_what_the_request_says():
    dice = random.Random(2)
    for _ in range(200):
        row = tasks_skills.any_tool(dice)
        answer = row["messages"][-1]
        for call in answer.get("tool_calls", ()):
            assert call["name"] in {tool["name"] for tool in row["tools"]}
            for value in call["arguments"].values():
                assert tasks_skills.shown(value) in row["messages"][0]["content"]


def test_answers_to_counterfactual_passages_stand_in_the_passage():
    dice, phrases = random.Random(4), load("phrases")
    for _ in range(100):
        row = tasks_skills.counterfactual(dice)
        passage = row["documents"][0]["text"] if "documents" in row else row["messages"][0]["content"]
        for message in row["messages"][1::2]:
            assert message["content"] in passage or message["content"] in phrases.REFUSAL.values()


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
    shards = load("shards")
    sizes = (5, 2, 8, 2, 6, 1, 6, 9)
    pieces = [np.full(size, number + 1, dtype=np.uint16) for number, size in enumerate(sizes)]
    table = shards.pack_rows(pieces, length=8, pad=0, open_rows=2)
    for number, size in enumerate(sizes, 1):
        rows = [row.tolist() for row in table if number in row]
        assert len(rows) == (size <= 8)
        assert sum(row.count(number) for row in rows) == (size if size <= 8 else 0)
    assert set(table[(table & 0x7FFF) == 0].tolist()) == {shards.READ_ONLY}, "padding is not learnt"


def make_batches(torch, *, rows=4, seed=1):
    shards = load("shards")
    streams = {"a": np.arange(1, 1001, dtype=np.uint16), "b": np.arange(2001, 2301, dtype=np.uint16)}
    tables = {"c": np.full((7, 16), 3000, dtype=np.uint16) | np.uint16(shards.READ_ONLY)}
    return shards.Batches(streams, tables, {"a": 50, "b": 25, "c": 25}, rows=rows, length=16, seed=seed,
                          device=torch.device("cpu"))  # fmt: skip


def test_batches_hold_the_shares_and_do_not_depend_on_what_came_before(torch):
    batches, later = make_batches(torch), make_batches(torch)
    drawn = [batches.at(number) for number in range(256)]
    again = later.at(200)
    assert torch.equal(drawn[200][0], again[0])
    assert torch.equal(drawn[200][1], again[1])
    inputs = torch.cat([first for first, _ in drawn])
    assert 0.23 < (inputs[:, 0] == 3000).float().mean() < 0.27
    assert 0.48 < (inputs[:, 0] <= 1000).float().mean() < 0.52
    for first, targets in drawn[:20]:
        for row, wanted in zip(first, targets, strict=True):
            assert (wanted == -100).all() if row[0] == 3000 else torch.equal(wanted, row + 1)


def test_every_row_of_a_pool_comes_once_in_a_pass(torch):
    batches = make_batches(torch, rows=1)
    starts = [int(batches.starts(number)[0]) for number in range(4096)]
    in_table = [start for start in starts if start >= 1300][:14]
    assert sorted(in_table[:7]) == sorted(in_table[7:]) == [1300 + 16 * row for row in range(7)]


def test_conversations_come_back_from_their_shard(torch, tmp_path):
    shards = load("shards")
    pieces = [np.arange(size, dtype=np.uint16) for size in (3, 1, 5)]
    shards.save_pieces(tmp_path / "x.npy", pieces)
    for first, second in zip(shards.load_pieces(tmp_path / "x.npy"), pieces, strict=True):
        assert first.tolist() == second.tolist()


def test_learning_rates_rise_stay_and_fall(torch):
    loop, editions = load("loop"), load("editions")
    phase = editions.Phase("x", {}, 1, 1, 1, start=1.0, end=0.2, warmup=0.1)
    assert [round(loop.factor(phase, done), 3) for done in (0, 0.05, 0.1, 0.55, 1)] == [0, 0.5, 1.0, 0.6, 0.2]
    wave = editions.Phase("x", {}, 1, 1, 1, start=1.0, end=0.0, curve="cosine")
    assert loop.factor(wave, 0.5) == pytest.approx(0.5)


def test_shares_follow_groups_and_missing_groups_give_theirs_away(torch):
    train = load("train")
    sizes = {"text-en_stories": 100, "text-en_wikipedia-00": 900, "text-es_novels": 50, "grounded": 10}
    found = train.pool_shares({"en": 60.0, "es!": 20.0, "grounded": 20.0, "quotes": 5.0}, sizes)
    assert found["text-en_stories"] + found["text-en_wikipedia-00"] == pytest.approx(60)
    assert found["text-en_stories"] == pytest.approx(60 * 300 / 1200)
    assert found["grounded"] == 20
    assert set(found) == {"text-en_stories", "text-en_wikipedia-00", "grounded"}


def test_weights_travel_in_parts(torch, tmp_path):
    travel, loop, editions, optimizer = load("travel"), load("loop"), load("editions"), load("optimizer")
    shape = editions.SMOKE.shape
    network = loop.make_network(shape, seed=3, device=torch.device("cpu"))
    updates = optimizer.Optimizer(network, matrix_rate=0.1, vector_rate=0.1)
    loop.save_checkpoint(tmp_path / "there", network, updates, loop.Progress(steps=7))
    original, travel.PART_BYTES = travel.PART_BYTES, 60_000
    try:
        parts = travel.split(tmp_path / "there", tmp_path / "parts")
    finally:
        travel.PART_BYTES = original
    assert len(parts) > 2
    with pytest.raises(SystemExit, match="parts"):
        travel.join(parts[:-1], tmp_path / "here")
    travel.join(parts, tmp_path / "here")
    other = loop.make_network(shape, seed=4, device=torch.device("cpu"))
    progress = loop.load_checkpoint(tmp_path / "here", other, updates)
    assert progress.steps == 7
    for first, second in zip(network.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(first, second, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize(
    ("name", "parameters", "most"), [("cpu", 7.3e6, 8.5e6), ("gpu", 29.4e6, 32e6), ("test", 2.3e6, 3e6)]
)
def test_editions_have_the_sizes_that_are_promised(torch, name, parameters, most):
    edition = load("editions").EDITIONS[name]
    count = load("network").Network(edition.shape).parameter_count()
    assert count == pytest.approx(parameters, rel=0.03)
    assert count * 34 / 32 + 300_000 < most, "Q8_0 and tokenizer"
    assert edition.shape.hidden % 256 == edition.shape.feed_forward % 256 == 0


def test_orthogonalised_matrices_have_singular_values_near_one(torch):
    optimizer = load("optimizer")
    torch.manual_seed(0)
    for shape in ((3, 16, 40), (2, 40, 16)):
        values = torch.linalg.svdvals(optimizer.orthogonalise(torch.randn(shape)))
        assert values.min() > 0.6
        assert values.max() < 1.3


def test_the_network_is_hugging_faces_llama(torch, tmp_path):
    transformers = pytest.importorskip("transformers")
    network, export, editions, loop = load("network"), load("export"), load("editions"), load("loop")
    made = loop.make_network(editions.SMOKE.shape, seed=3, device=torch.device("cpu"))
    tokens = torch.randint(0, editions.SMOKE.shape.vocabulary, (2, 40))
    reference = transformers.LlamaForCausalLM(
        transformers.LlamaConfig(
            vocab_size=editions.SMOKE.shape.vocabulary, hidden_size=64, intermediate_size=128, num_hidden_layers=2,
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


@pytest.mark.timeout(300)
def test_stopped_and_taken_up_the_whole_path_in_miniature_makes_a_file_that_agrees_with_numpy(
    torch, tmp_path, monkeypatch
):
    child = run_recipe(tmp_path)
    said = ""
    for line in child.stderr:
        said += line
        if "pretrain step 10" in line:
            break
    child.send_signal(signal.SIGTERM)
    _, rest = child.communicate(timeout=60)
    assert child.returncode == 3, said + rest
    steps = load("loop").read_progress(tmp_path / "smoke" / "checkpoint.safetensors").steps
    assert 10 <= steps < 20
    child = run_recipe(tmp_path)
    _, said = child.communicate(timeout=200)
    assert child.returncode == 0, said
    assert f"continuing at step {steps}" in said
    path = tmp_path / "smoke" / "model" / "roca-mini-q8_0.gguf"
    forward, engine = load("forward").Forward(path), load("engine")
    losses = json.loads(said.split("losses: ")[-1].strip().replace("'", '"'))
    assert losses["instruct"] < losses["pretrain"] < np.log(512), "it must have learnt something"
    with engine.serving(path, exact=True, context=256) as running:
        tokens = np.array(running.tokenize("what a good film, me encantó"))
        answer = running.complete(tokens.tolist(), most=1, ignore_end=True)
    best = max(range(5, 512), key=lambda token: forward.log_probabilities(np.append(tokens, token))[-1])
    assert answer["tokens"][0] == best
    check_card(tmp_path / "smoke", tmp_path / "published", monkeypatch)


def check_card(work: Path, folder: Path, monkeypatch) -> None:
    card = load("card")
    folder.mkdir()
    shutil.copy(work / "model" / "roca-mini-q8_0.gguf", folder)
    score = {"value": 12.3, "low": 10.0, "high": 15.0, "rows": 9}
    taken = {"date": "2026-01-01", "through": "Converse", "model sha256": "0" * 64}
    (folder / "scores.json").write_text(json.dumps({**taken, "scores": {"JSON valid": score}}))
    (folder / "scores-first.json").write_text(json.dumps({"scores": {"JSON valid": {"value": 4.5}}}))
    monkeypatch.setattr(card, "MODEL_FOLDER", folder)
    monkeypatch.setattr(sys, "argv", ["card", "--work", str(work)])
    card.main()
    text = (folder / "card.md").read_text()
    assert "| JSON valid | 12.3 | 10.0 to 15.0 | 9 | 4.5 |" in text
    assert "| Instruction tuning | 256 |" in text
    assert all(entry.credit in text for entry in corpus.SOURCES)


def test_a_kill_while_writing_leaves_the_checkpoint_before(torch, tmp_path, monkeypatch):
    loop, editions, optimizer = load("loop"), load("editions"), load("optimizer")
    network = loop.make_network(editions.SMOKE.shape, seed=1, device=torch.device("cpu"))
    updates = optimizer.Optimizer(network, matrix_rate=0.02, vector_rate=0.003)
    loop.save_checkpoint(tmp_path, network, updates, loop.Progress(steps=1))

    def killed(tensors, path, metadata):
        path.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(loop, "save_file", killed)
    with pytest.raises(KeyboardInterrupt):
        loop.save_checkpoint(tmp_path, network, updates, loop.Progress(steps=2))
    assert loop.load_checkpoint(tmp_path, network, updates).steps == 1


def test_a_stopped_run_goes_on_as_if_it_had_not_stopped(torch, tmp_path):
    loop, editions, optimizer, shards = load("loop"), load("editions"), load("optimizer"), load("shards")
    stream = {"a": np.random.default_rng(0).integers(0, 512, 9000).astype(np.uint16)}

    class StopAfter:
        def __init__(self, steps):
            self.left = steps

        @property
        def asked(self):
            self.left -= 1
            return self.left < 0

    def train(work, terminator=None):
        network = loop.make_network(editions.SMOKE.shape, seed=1, device=torch.device("cpu"))
        updates = optimizer.Optimizer(network, matrix_rate=0.02, vector_rate=0.003)
        progress = loop.load_checkpoint(work, network, updates)
        phase = editions.Phase("pretrain", {}, 2, 64, 1280, end=0.5)
        batches = shards.Batches(stream, {}, {"a": 1}, rows=2, length=64, seed=1, device=torch.device("cpu"))
        loop.run_phase(phase, batches, network=network, optimizer=updates, progress=progress, folder=work,
                       device=torch.device("cpu"), compiled=False, terminator=terminator,
                       mirror=work / "mirror")  # fmt: skip
        return network, progress

    whole, progress = train(tmp_path / "whole")
    with pytest.raises(loop.Stopped):
        train(tmp_path / "cut", StopAfter(4))
    assert loop.read_progress(tmp_path / "cut" / "mirror" / loop.CHECKPOINT).steps == 5
    continued, again = train(tmp_path / "cut")
    assert again.steps == progress.steps == 10
    for first, second in zip(whole.parameters(), continued.parameters(), strict=True):
        torch.testing.assert_close(first, second)

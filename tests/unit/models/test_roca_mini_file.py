"""The shipped files of roca-mini: one model, one tokenizer, one template, and a card that says what was measured."""

import hashlib
import json
import sys
from pathlib import Path

import pytest
from safetensors.numpy import save_file

from rocamadre.engines.llama.gguf import dequantise, export_gguf

sys.path.insert(0, str(Path(__file__).parent))
from recipe_modules import RECIPE, load

sys.path.pop(0)

FOLDER = RECIPE.parent
GGUF = FOLDER / "roca-mini-q8_0.gguf"
TEXTS = (
    "The quick brown fox doesn't jump over 1234 lazy dogs.",
    "¿Dónde está el niño? ¡Mañana será otro día! 3,50 €",
    "A ação começou às 19h30; não precisará de informações.",
    "def add(a, b):\n\treturn a + b  # sum\n\n\nprint(add(1, 22))\n",
    "👍🏽 👩‍💻 🇪🇸🇧🇷 東京 مرحبا  end  \n\n ",
)
CALL = {"name": "get_order", "arguments": {"id": "A1"}}
MESSAGES = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "¿Where is Ana's order?"},
    {"role": "assistant", "content": "", "tool_calls": [{"type": "function", "id": "1", "function": CALL}]},
    {"role": "tool", "tool_call_id": "1", "content": '{"state": "sent"}'},
    {"role": "assistant", "content": "Sent."},
    {"role": "user", "content": "Thanks"},
]
SCHEMA = {"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]}
TOOLS = [{"type": "function", "function": {"name": "get_order", "description": "Its state", "parameters": SCHEMA}}]
DOCUMENTS = [{"title": "Orders", "text": "A1 was sent."}, {"text": "Nothing else."}]


@pytest.fixture(scope="module")
def running():
    with load("engine").serving(GGUF) as engine:
        yield engine


def test_the_file_is_small_enough_and_is_the_one_that_was_scored():
    assert GGUF.stat().st_size <= 32_000_000
    scores = json.loads((FOLDER / "scores.json").read_text())
    assert scores["model sha256"] == hashlib.sha256(GGUF.read_bytes()).hexdigest()


def test_the_card_says_what_was_measured():
    card, scores = (FOLDER / "card.md").read_text(), json.loads((FOLDER / "scores.json").read_text())["scores"]
    for name, score in scores.items():
        assert any(name in line and f"| {score['value']} |" in line for line in card.splitlines()), name


def test_the_card_credits_every_source():
    card, corpus = (FOLDER / "card.md").read_text(), load("corpus")
    edition = 1 if "First edition" in card else 2
    for source in corpus.SOURCES:
        if source.since > edition:
            continue
        assert source.path.split(".")[0] in card
        assert source.credit in card


@pytest.mark.parametrize("text", TEXTS)
def test_token_ids_are_those_of_the_tokenizer_beside_it(running, text):
    from tokenizers import Tokenizer

    assert running.tokenize(text) == Tokenizer.from_file(str(FOLDER / "tokenizer.json")).encode(text).ids


@pytest.mark.parametrize("tools", [[], TOOLS])
@pytest.mark.parametrize("documents", [[], DOCUMENTS])
@pytest.mark.parametrize("messages", [MESSAGES[1:2], MESSAGES[:2], MESSAGES])
def test_the_engine_renders_the_template_as_training_did(running, messages, documents, tools):
    body = {"messages": messages, "tools": tools, "chat_template_kwargs": {"documents": documents}}
    rendered = running.post("/apply-template", body)["prompt"]
    assert rendered == load("chat").render(messages, tools=tools, documents=documents, prompt=True)


def test_tuning_may_start_from_exactly_the_served_weights(tmp_path):
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        (tmp_path / name).write_bytes((FOLDER / name).read_bytes())
    save_file(dequantise(GGUF), tmp_path / "model.safetensors")
    again = export_gguf(tmp_path, tmp_path / "again.gguf", kind="Q8_0", name="roca-mini")
    assert again.path.read_bytes() == GGUF.read_bytes()


def test_the_folder_loads_with_transformers(tmp_path, running):
    transformers = pytest.importorskip("transformers")
    tokenizer = transformers.AutoTokenizer.from_pretrained(FOLDER)
    rendered = tokenizer.apply_chat_template(
        MESSAGES[:2], documents=DOCUMENTS, tokenize=False, add_generation_prompt=True
    )
    assert rendered == load("chat").render(MESSAGES[:2], documents=DOCUMENTS, prompt=True)
    assert tokenizer.encode(rendered) == running.tokenize(rendered)


def test_it_ends_its_turns(running):
    prompt = load("chat").render([{"role": "user", "content": "Hello!"}], prompt=True)
    answer = running.complete(prompt, most=100)
    assert answer["stop_type"] == "eos", answer["content"]
    assert answer["content"].strip()

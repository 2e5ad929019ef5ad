"""GGUF export: the same token ids and the same greedy tokens as Hugging Face, and weights that come back unchanged."""

import contextlib
import hashlib
import http.client
import json
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from rocamadre.core.errors import InvalidRequest
from rocamadre.engines.llama import gguf_weights
from rocamadre.engines.llama.gguf import KINDS, dequantise, export_gguf
from rocamadre.engines.llama.gguf_tokenizer import detect_pre

sys.path.insert(0, str(Path(__file__).parent))
import gguf_models

sys.path.pop(0)

HERE = Path(__file__).parent
SPLITTINGS = ("gpt-2", "llama-bpe", "qwen2", "smollm")


class SocketConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=30)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(30)
        self.sock.connect(self.path)


def request(path, method, route, body=None):
    connection = SocketConnection(path)
    try:
        connection.request(method, route, json.dumps(body) if body is not None else None)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


@contextlib.contextmanager
def serving(model: Path):
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/e.sock"
        command = [sys.executable, str(HERE / "gguf_child.py"), str(model), path]
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            deadline = time.monotonic() + 60
            while True:
                with contextlib.suppress(OSError):
                    if request(path, "GET", "/health")[0] == 200:
                        break
                assert child.poll() is None, "the engine died while loading"
                assert time.monotonic() < deadline, "the engine did not come up"
                time.sleep(0.05)
            yield path
        finally:
            child.kill()
            child.wait()


def tokenize(path, text):
    status, answer = request(path, "POST", "/tokenize", {"content": text, "add_special": True, "parse_special": True})
    assert status == 200
    return answer["tokens"]


def numpy_model(folder: Path, *, vocabulary: int, seed: int = 0, **changes) -> dict:
    """A random Llama folder without torch: hidden 64, 2 layers, 4 query heads, 2 key heads."""
    dice = np.random.default_rng(seed)
    shapes = {"model.embed_tokens.weight": (vocabulary, 64), "model.norm.weight": (64,)}
    for layer in range(2):
        prefix = f"model.layers.{layer}."
        rows = {"q": 64, "k": 32, "v": 32, "o": 64}
        shapes |= {f"{prefix}self_attn.{name}_proj.weight": (count, 64) for name, count in rows.items()}
        shapes |= {f"{prefix}mlp.{name}_proj.weight": (96, 64) for name in ("gate", "up")}
        shapes |= {f"{prefix}mlp.down_proj.weight": (64, 96)}
        shapes |= {f"{prefix}{name}.weight": (64,) for name in ("input_layernorm", "post_attention_layernorm")}
    weights = {name: dice.normal(size=shape, scale=0.2).astype(np.float32) for name, shape in shapes.items()}
    folder.mkdir(parents=True, exist_ok=True)
    save_file(weights, folder / "model.safetensors")
    config = {
        "model_type": "llama", "vocab_size": vocabulary, "hidden_size": 64, "intermediate_size": 96,
        "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 256,
        "rms_norm_eps": 1e-5, "tie_word_embeddings": True, "bos_token_id": 0, "eos_token_id": 1,
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps({**config, **changes}))
    return weights


@pytest.fixture(scope="module")
def plain_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("plain")
    tokenizer = gguf_models.train_tokenizer("gpt-2")
    gguf_models.write_tokenizer(folder, tokenizer)
    numpy_model(folder, vocabulary=tokenizer.get_vocab_size() + 8)
    return folder


@pytest.mark.parametrize("kind", SPLITTINGS)
def test_token_ids_equal_those_of_the_tokenizers_library(tmp_path, kind):
    tokenizer = gguf_models.train_tokenizer(kind)
    gguf_models.write_tokenizer(tmp_path, tokenizer)
    numpy_model(tmp_path, vocabulary=tokenizer.get_vocab_size())
    summary = export_gguf(tmp_path, tmp_path / "model.gguf", kind="F16")
    assert summary.pre == kind
    with serving(summary.path) as path:
        for text in gguf_models.TEXTS:
            assert tokenize(path, text) == tokenizer.encode(text).ids, text


@pytest.mark.parametrize(
    ("shape", "changes"),
    [
        ("llama", {}),
        ("llama", {"tie_word_embeddings": False, "head_dim": 32}),
        ("llama", {"rope_parameters": {"rope_type": "linear", "rope_theta": 10000.0, "factor": 2.0}}),
        (
            "llama",
            {
                "rope_parameters": {
                    "rope_type": "llama3", "rope_theta": 10000.0, "factor": 8.0, "low_freq_factor": 1.0,
                    "high_freq_factor": 4.0, "original_max_position_embeddings": 32,
                }
            },
        ),
        ("qwen2", {}),
    ],
)  # fmt: skip
def test_greedy_tokens_equal_those_of_transformers(tmp_path, shape, changes):
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    tokenizer = gguf_models.train_tokenizer("gpt-2")
    gguf_models.write_tokenizer(tmp_path, tokenizer)
    gguf_models.write_model(tmp_path, shape, vocabulary=tokenizer.get_vocab_size(), **changes)
    summary = export_gguf(tmp_path, tmp_path / "model.gguf", kind="F32")
    model = transformers.AutoModelForCausalLM.from_pretrained(tmp_path, dtype=torch.float32)
    with serving(summary.path) as path:
        for text in gguf_models.TEXTS[:4]:
            ids = tokenizer.encode(text).ids
            body = {"prompt": ids, "n_predict": 24, "temperature": 0.0, "top_k": 1, "return_tokens": True,
                    "cache_prompt": False, "ignore_eos": True}  # fmt: skip
            status, answer = request(path, "POST", "/completion", body)
            assert status == 200
            # The engine never picks the end mark here, so neither may the reference.
            wanted = model.generate(
                torch.tensor([ids]), attention_mask=torch.ones(1, len(ids), dtype=torch.long), max_new_tokens=24,
                do_sample=False, suppress_tokens=[1], eos_token_id=None, pad_token_id=0,
            )[0, len(ids) :].tolist()  # fmt: skip
            assert answer["tokens"][:24] == wanted


@pytest.mark.parametrize("kind", KINDS)
def test_quantising_again_what_was_read_back_gives_the_same_bytes(plain_folder, tmp_path, kind):
    first = export_gguf(plain_folder, tmp_path / "first.gguf", kind=kind, name="same")
    weights = dequantise(first.path)
    again = tmp_path / "again"
    again.mkdir()
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        (again / name).write_bytes((plain_folder / name).read_bytes())
    save_file(weights, again / "model.safetensors")
    second = export_gguf(again, tmp_path / "second.gguf", kind=kind, name="same")
    digests = [hashlib.sha256(summary.path.read_bytes()).hexdigest() for summary in (first, second)]
    assert digests[0] == digests[1]


def test_read_back_weights_are_the_originals_in_float32(plain_folder, tmp_path):
    export_gguf(plain_folder, tmp_path / "model.gguf", kind="F32")
    originals, found = load_file(plain_folder / "model.safetensors"), dequantise(tmp_path / "model.gguf")
    assert set(found) == set(originals)
    for name, values in originals.items():
        np.testing.assert_array_equal(found[name], values, err_msg=name)


def test_quantised_weights_are_close_and_files_shrink(plain_folder, tmp_path):
    originals = load_file(plain_folder / "model.safetensors")
    sizes = {}
    for kind, tolerance in (("F16", 0.001), ("Q8_0", 0.01), ("Q4_0", 0.16)):
        summary = export_gguf(plain_folder, tmp_path / "model.gguf", kind=kind)
        sizes[kind] = summary.size_bytes
        found = dequantise(summary.path)
        for name, values in originals.items():
            assert np.abs(found[name] - values).max() <= tolerance * np.abs(values).max(), (kind, name)
    assert sizes["Q4_0"] < sizes["Q8_0"] < sizes["F16"]


def test_bfloat16_and_split_weights_are_read(tmp_path):
    values = np.array([[1.0, -2.5], [0.15625, 3.0]], dtype=np.float32)
    raw = (values.view(np.uint32) >> 16).astype("<u2").tobytes()
    header = json.dumps({"model.norm.weight": {"dtype": "BF16", "shape": [2, 2], "data_offsets": [0, 8]}}).encode()
    (tmp_path / "one.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + raw)
    save_file({"lm_head.weight": values}, tmp_path / "two.safetensors")
    index = {"weight_map": {"model.norm.weight": "one.safetensors", "lm_head.weight": "two.safetensors"}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    found = dict(gguf_weights.read_safetensors(tmp_path))
    np.testing.assert_array_equal(found["model.norm.weight"], values)
    np.testing.assert_array_equal(found["lm_head.weight"], values)


@pytest.mark.parametrize("part", ["../x.safetensors", "/etc/passwd"])
def test_an_index_may_not_leave_its_folder(tmp_path, part):
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": part}}))
    with pytest.raises(InvalidRequest, match="outside its folder"):
        list(gguf_weights.read_safetensors(tmp_path))


@pytest.mark.parametrize("damage", ["cut", "header", "overlong", "empty"])
def test_damaged_weights_are_refused(plain_folder, tmp_path, damage):
    content = (plain_folder / "model.safetensors").read_bytes()
    broken = {
        "cut": content[:-100],
        "header": content[:8] + b"x" + content[9:],
        "overlong": (2**40).to_bytes(8, "little") + content[8:],
        "empty": b"",
    }[damage]
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        (tmp_path / name).write_bytes((plain_folder / name).read_bytes())
    (tmp_path / "model.safetensors").write_bytes(broken)
    with pytest.raises(InvalidRequest, match="damaged"):
        export_gguf(tmp_path, tmp_path / "model.gguf")
    assert not list(tmp_path.glob("*.gguf*")), "nothing half-written may stay"


@pytest.mark.parametrize("kind", ["Q4_K", "Q4_K_M", "Q6_K"])
def test_k_formats_are_refused_with_the_reason(plain_folder, tmp_path, kind):
    with pytest.raises(InvalidRequest, match="no encoder"):
        export_gguf(plain_folder, tmp_path / "model.gguf", kind=kind)


def test_unknown_formats_are_refused(plain_folder, tmp_path):
    with pytest.raises(InvalidRequest, match="Q8_0"):
        export_gguf(plain_folder, tmp_path / "model.gguf", kind="Q5_1")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"model_type": "mistral3"}, "mistral3"),
        ({"mlp_bias": True}, "mlp_bias"),
        ({"hidden_act": "gelu"}, "gelu"),
        ({"rope_parameters": {"rope_type": "yarn", "factor": 2.0}}, "yarn"),
        ({"vocab_size": 10}, "embeddings"),
    ],
)
def test_shapes_that_the_engine_would_compute_otherwise_are_refused(plain_folder, tmp_path, changes, said):
    for name in ("model.safetensors", "tokenizer.json", "tokenizer_config.json"):
        (tmp_path / name).write_bytes((plain_folder / name).read_bytes())
    config = json.loads((plain_folder / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, **changes}))
    with pytest.raises(InvalidRequest, match=said):
        export_gguf(tmp_path, tmp_path / "model.gguf")


def test_byte_level_without_its_pattern_is_refused():
    state = {"model": {"type": "BPE"}, "pre_tokenizer": {"type": "ByteLevel", "use_regex": False}}
    with pytest.raises(InvalidRequest, match="use_regex=True"):
        detect_pre(state)


def test_other_tokenizers_are_refused():
    with pytest.raises(InvalidRequest, match="byte-level"):
        detect_pre({"model": {"type": "Unigram"}})
    with pytest.raises(InvalidRequest, match="prefix space"):
        detect_pre({"model": {"type": "BPE"}, "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": True}})
    lower = {"model": {"type": "BPE"}, "pre_tokenizer": {"type": "ByteLevel"}, "normalizer": {"type": "Lowercase"}}
    with pytest.raises(InvalidRequest, match="Lowercase"):
        detect_pre(lower)


def test_a_file_that_is_no_gguf_is_refused(tmp_path):
    (tmp_path / "model.gguf").write_bytes(b"GGUF but not really")
    with pytest.raises(InvalidRequest, match="not a readable GGUF"):
        dequantise(tmp_path / "model.gguf")


def test_importing_the_exporter_loads_no_torch():
    code = "import sys, rocamadre.engines.llama.gguf; sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0

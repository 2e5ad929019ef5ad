from __future__ import annotations

import importlib.util
import json
import struct
import time
from pathlib import Path

import pytest

from rocamadre.catalog.checks import check_gguf, check_inside, check_name, check_safetensors_folder, choose_files
from rocamadre.catalog.templates import check_template, template_in_config
from rocamadre.core.errors import InvalidRequest

_spec = importlib.util.spec_from_file_location("catalog_files", Path(__file__).with_name("conftest.py"))
files = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(files)

CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\\n' + m['content'] + '<|im_end|>\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def test_a_sound_gguf(tmp_path):
    data = files.llama_gguf(**{"tokenizer.chat_template": CHATML, "tokenizer.ggml.tokens": ["a"] * 300})
    header = check_gguf(write(tmp_path / "m.gguf", data))
    assert header.architecture == "llama"
    assert header.parameters == 136
    assert header.metadata["tokenizer.ggml.tokens"] == 300


def patched(data: bytes, position: int, form: str, value: int) -> bytes:
    return data[:position] + struct.pack(form, value) + data[position + struct.calcsize(form) :]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda data: b"", "ends inside"),
        (lambda data: b"PK\x03\x04" + data[4:], "letters GGUF"),
        (lambda data: patched(data, 4, "<I", 99), "version 99"),
        (lambda data: patched(data, 8, "<Q", 2**40), "claims"),
        (lambda data: patched(data, 16, "<Q", 2**40), "claims"),
        (lambda data: patched(data, 24, "<Q", 2**50), "a string claims"),
        (lambda data: data[:60], "ends inside"),
        (lambda data: data[:-32], "does not lie where"),
        (lambda data: data.replace(struct.pack("<QQ", 8, 16), struct.pack("<QQ", 8, 2**45)), "dimensions"),
        (lambda data: data.replace(struct.pack("<QQ", 8, 16), struct.pack("<QQ", 8, 1600)), "does not lie where"),
        (
            lambda data: data.replace(struct.pack("<QIQ", 8, 0, 512), struct.pack("<QIQ", 8, 0, 510)),
            "does not lie where",
        ),
        (
            lambda data: data.replace(struct.pack("<QIQ", 8, 0, 512), struct.pack("<QIQ", 8, 0, 256)),
            "does not lie where",
        ),
        (
            lambda data: data.replace(struct.pack("<QIQ", 8, 0, 512), struct.pack("<QIQ", 8, 999, 512)),
            "unknown type 999",
        ),
    ],
)
def test_damaged_ggufs_are_refused(tmp_path, spoil, message):
    sound = files.llama_gguf()
    spoiled = spoil(sound)
    assert spoiled != sound
    with pytest.raises(InvalidRequest, match=message):
        check_gguf(write(tmp_path / "m.gguf", spoiled))


def test_no_cut_of_a_gguf_does_worse_than_a_refusal(tmp_path):
    sound = files.llama_gguf()
    for length in range(0, len(sound), 7):
        with pytest.raises(InvalidRequest):
            check_gguf(write(tmp_path / "m.gguf", sound[:length]))


def folder_of(tmp_path: Path, **more: bytes) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"architectures": ["GPT2LMHeadModel"]}))
    (folder / "model.safetensors").write_bytes(files.safetensors_bytes({"a": (2, 3), "b": (4,)}))
    for name, data in more.items():
        (folder / name).write_bytes(data)
    return folder


def test_a_sound_folder(tmp_path):
    checked = check_safetensors_folder(folder_of(tmp_path))
    assert checked.parameters == 10
    assert checked.config["architectures"] == ["GPT2LMHeadModel"]


def header_of(entries: object, data: bytes = b"\0" * 16) -> bytes:
    text = json.dumps(entries).encode()
    return struct.pack("<Q", len(text)) + text + data


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "header claims"),
        (struct.pack("<Q", 2**60) + b"{}", "header claims"),
        (struct.pack("<Q", 2) + b"[]", "right form"),
        (struct.pack("<Q", 2) + b"\xff\xff", "right form"),
        (header_of({"a": {"dtype": "F32", "shape": [4], "data_offsets": [0, 12]}}), "does not lie"),
        (header_of({"a": {"dtype": "F32", "shape": [4], "data_offsets": [4, 20]}}), "does not lie"),
        (header_of({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}), "end at byte 8 of 16"),
        (header_of({"a": {"dtype": "F32", "shape": [400], "data_offsets": [0, 1600]}}), "end at byte 1600"),
        (header_of({"a": {"dtype": "F32", "shape": [-4], "data_offsets": [0, 16]}}), "has the shape"),
        (header_of({"a": {"dtype": "PYTHON", "shape": [4], "data_offsets": [0, 16]}}), "number type"),
        (header_of({"a": 1}), "right form"),
    ],
)
def test_damaged_safetensors_are_refused(tmp_path, data, message):
    with pytest.raises(InvalidRequest, match=message):
        check_safetensors_folder(folder_of(tmp_path, **{"model.safetensors": data}))


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("config.json", b"[1]", "JSON object"),
        ("tokenizer.json", b"{", "JSON object"),
        ("model.safetensors.index.json", b'{"weight_map": {"a": "../../x.safetensors"}}', "leads out"),
        ("model.safetensors.index.json", b'{"weight_map": {"a": "other.safetensors"}}', "not there"),
        ("model.safetensors.index.json", b'{"weight_map": 3}', "weight_map"),
        ("tokenizer_config.json", b'{"chat_template": "{% for %}"}', "does not render"),
    ],
)
def test_wrong_side_files_are_refused(tmp_path, name, data, message):
    with pytest.raises(InvalidRequest, match=message):
        check_safetensors_folder(folder_of(tmp_path, **{name: data}))


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/../../b", "a\\b", "", "a//b", "./a", "a\nb", "x" * 300])
def test_names_that_lead_out_are_refused(name):
    with pytest.raises(InvalidRequest, match="leads out"):
        check_name(name)


def test_links_that_lead_out_are_refused(tmp_path):
    folder = tmp_path / "f"
    folder.mkdir()
    write(tmp_path / "secret", b"x")
    (folder / "config.json").symlink_to(tmp_path / "secret")
    (folder / "inner").mkdir()
    write(folder / "inner" / "real", b"x")
    (folder / "link").symlink_to(folder / "inner" / "real")
    with pytest.raises(InvalidRequest, match="leads out"):
        check_inside(folder, "config.json")
    assert check_inside(folder, "link").read_bytes() == b"x"


def test_which_files_are_taken():
    both = ["config.json", "model.safetensors", "pytorch_model.bin", "run.py", "tokenizer.json", "x.gguf"]
    assert choose_files(both) == ["model.safetensors", "config.json", "tokenizer.json"]
    assert choose_files(both, wanted="x.gguf") == ["x.gguf"]
    assert choose_files(["a.gguf", "README.md"]) == ["a.gguf", "README.md"]
    for names, wanted, message in (
        (["pytorch_model.bin", "model.pkl"], None, "may run code"),
        (["x.bin"], "x.bin", "may run code"),
        (["a.gguf", "b.gguf"], None, "choose one with file=: a.gguf, b.gguf"),
        (["a.gguf"], "c.gguf", "there are: a.gguf"),
        (["m-00001-of-00002.gguf"], None, "merge"),
        (["README.md"], None, r"no model\.safetensors"),
    ):
        with pytest.raises(InvalidRequest, match=message):
            choose_files(names, wanted=wanted)


def test_templates_that_work():
    assert check_template(CHATML) == "<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n"
    assert check_template("{{ raise_exception('no') }}") == ""
    assert check_template("{% generation %}{{ messages[0].content }}{% endgeneration %}") == "Hello"
    assert check_template("{{ messages | tojson }}") == '[{"role": "user", "content": "Hello"}]'


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{{ ''.__class__.__mro__ }}", "SecurityError"),
        ("{{ cycler.__init__.__globals__.os.system('id') }}", "SecurityError|Undefined"),
        ("{% include 'x' %}", "does not render"),
        ("{{ messages.append(1) }}", "SecurityError"),
        ("{{ 'x' * 900000000 }}", "memory"),
        ("{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}", "limits on time"),
        ("{% for a in range(99999) %}{{ 'x' * 99 }}{% endfor %}", "1000000 characters"),
        ("x" * 300_000, "300000 characters"),
    ],
)
def test_templates_that_misbehave(template, message):
    started = time.monotonic()
    with pytest.raises(InvalidRequest, match=message):
        check_template(template)
    assert time.monotonic() - started < 60


def test_the_template_of_a_configuration():
    assert template_in_config({"chat_template": "x"}) == "x"
    several = [{"name": "tool_use", "template": "t"}, {"name": "default", "template": "d"}]
    assert template_in_config({"chat_template": several}) == "d"
    assert template_in_config({}) is None

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from rocamadre.catalog.changes import remove_model
from rocamadre.catalog.errors import PullStopped
from rocamadre.catalog.operations import find_model, resolve
from rocamadre.catalog.pull import PullSpec, pull, run_dir_of
from rocamadre.core.errors import AccessDenied, Conflict, InvalidRequest, NotFound, Unavailable

_spec = importlib.util.spec_from_file_location("catalog_files", Path(__file__).with_name("conftest.py"))
files = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(files)

COMMIT = "0123456789abcdef0123456789abcdef01234567"
LATER = "f" * 40
CARD = b"---\nlicense: apache-2.0\nlanguage:\n- en\n- es\n---\n# A model\n"


class Hub(ThreadingHTTPServer):
    """A tiny model hub: one repository per entry, revisions by name."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.repositories: dict[str, dict[str, bytes]] = {}
        self.commit = COMMIT
        self.break_at: int | None = None
        self.lie_about = ""
        self.requests: list[tuple[str, str]] = []

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that leave in mid-answer are what some tests are about."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Hub

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.server.requests.append((path, self.headers.get("range", "")))
        parts = path.strip("/").split("/")
        if parts[:2] == ["api", "models"]:
            repository, revision = "/".join(parts[2:4]), "/".join(parts[5:]) or "main"
            self._info(repository, revision)
        else:
            self._file("/".join(parts[:2]), parts[3], "/".join(parts[4:]))

    def _error(self, status: int, code: str) -> None:
        self.send_response(status)
        self.send_header("X-Error-Code", code)
        self.send_header("content-length", "0")
        self.end_headers()

    def _info(self, repository: str, revision: str) -> None:
        if repository == "closed/gated":
            return self._error(403, "GatedRepo")
        if repository not in self.server.repositories:
            return self._error(404, "RepoNotFound")
        if revision not in ("main", self.server.commit):
            return self._error(404, "RevisionNotFound")
        siblings = []
        for name, data in self.server.repositories[repository].items():
            entry = {"rfilename": name, "size": len(data)}
            if name.endswith((".gguf", ".safetensors")):
                seen = b"another" if name == self.server.lie_about else data
                entry["lfs"] = {"sha256": hashlib.sha256(seen).hexdigest(), "size": len(data), "pointerSize": 1}
                entry["blobId"] = "0" * 40
            else:
                entry["blobId"] = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
            siblings.append(entry)
        body = json.dumps({"id": repository, "sha": self.server.commit, "siblings": siblings}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _file(self, repository: str, revision: str, name: str) -> None:
        data = self.server.repositories.get(repository, {}).get(name)
        if data is None or revision != self.server.commit:
            return self._error(404, "EntryNotFound")
        begin = int(self.headers["range"].removeprefix("bytes=").rstrip("-")) if "range" in self.headers else 0
        self.send_response(206 if begin else 200)
        self.send_header("content-length", str(len(data) - begin))
        self.end_headers()
        if self.server.break_at is not None and begin < self.server.break_at < len(data):
            self.wfile.write(data[begin : self.server.break_at])
            self.wfile.flush()
            self.close_connection = True
            self.connection.close()
            return None
        self.wfile.write(data[begin:])
        return None


@pytest.fixture
def hub() -> Iterator[Hub]:
    server = Hub()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def host(make_platform, hub, tmp_path, monkeypatch):
    for name in ("HF_TOKEN", "HF_ENDPOINT", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    return make_platform(hub_endpoint=hub.url, ollama_models=tmp_path / "ollama")


def gguf(size: int = 0) -> bytes:
    """A sound model; the padding is a tensor of zeros of about so many bytes."""
    pairs = {"general.architecture": "llama", "llama.context_length": 1024, "general.name": "Tiny"}
    tensors = [("token_embd.weight", (8, 16)), ("output_norm.weight", (8,))]
    padding = [("padding", (size // 4,))] if size else []
    return files.gguf_bytes({**pairs, "general.license": "mit"}, tensors + padding)


def llama_folder(folder: Path) -> Path:
    """A random Llama of two layers with a byte-level tokenizer."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    hidden, inner, vocabulary = 32, 64, 288
    folder.mkdir(parents=True)
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": hidden,
        "intermediate_size": inner,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "vocab_size": vocabulary,
        "max_position_embeddings": 512,
        "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0,
        "tie_word_embeddings": True,
        "bos_token_id": 259,
        "eos_token_id": 260,
    }
    (folder / "config.json").write_text(json.dumps(config))
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    pairs = [("h", "e"), ("l", "l"), ("ll", "o")]
    pieces = [*alphabet, *("".join(pair) for pair in pairs)]
    tokenizer = Tokenizer(models.BPE({piece: number for number, piece in enumerate(pieces)}, pairs))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(["<s>", "</s>"])
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps({"bos_token": "<s>", "eos_token": "</s>"}))
    (folder / "README.md").write_bytes(CARD)
    layer = "model.layers.0."
    shapes = {
        "model.embed_tokens.weight": (vocabulary, hidden),
        "model.norm.weight": (hidden,),
        layer + "input_layernorm.weight": (hidden,),
        layer + "post_attention_layernorm.weight": (hidden,),
        layer + "mlp.gate_proj.weight": (inner, hidden),
        layer + "mlp.up_proj.weight": (inner, hidden),
        layer + "mlp.down_proj.weight": (hidden, inner),
    }
    shapes |= {f"{layer}self_attn.{name}_proj.weight": (hidden, hidden) for name in "qkvo"}
    (folder / "model.safetensors").write_bytes(files.safetensors_bytes(shapes))
    (folder / "pytorch_model.bin").write_bytes(b"\x80\x04")
    return folder


def test_a_gguf_file_becomes_a_model(host, make_context, tmp_path):
    path = tmp_path / "My Model.Q8_0.gguf"
    path.write_bytes(gguf())
    seen = []
    model = pull(host, PullSpec(str(path)), progress=seen.append)
    assert (model.id, model.short_name) == ("local.my-model-q8-0-v1:0", "my-model-q8-0")
    assert (model.name, model.licence, model.engine, model.source) == ("Tiny", "mit", "llama", "pulled")
    assert (model.context_length, model.parameters) == (1024, 136)
    assert model.path.read_bytes() == path.read_bytes()
    assert model.path.parent == host.settings.home / "models" / "local.my-model-q8-0-v1"
    assert resolve(make_context(host), "my-model-q8-0").model == model
    assert [step.step for step in seen] == ["list", "fetch", "check", "place", "done"]
    manifest = json.loads((model.path.parent / "manifest.json").read_text())
    assert manifest["sha256"] == {path.name: hashlib.sha256(path.read_bytes()).hexdigest()}
    again = []
    assert pull(host, PullSpec(str(path)), progress=again.append) == model
    assert [step.step for step in again] == ["done"]


def test_a_hub_repository_is_pinned_verified_and_listed(host, hub):
    hub.repositories["Some-Org/Tiny.Chat"] = {"README.md": CARD, "tiny.gguf": gguf(5000), "pytorch_model.bin": b"x"}
    model = pull(host, PullSpec("Some-Org/Tiny.Chat"))
    assert model.id == "some-org.tiny-chat-v1:0"
    assert (model.licence, model.languages, model.provider) == ("apache-2.0", ("en", "es"), "Some-Org")
    fetched = [path for path, _ in hub.requests if "/resolve/" in path]
    assert sorted(fetched) == [f"/Some-Org/Tiny.Chat/resolve/{COMMIT}/{name}" for name in ("README.md", "tiny.gguf")]
    manifest = json.loads((model.path.parent / "manifest.json").read_text())
    assert manifest["revision"] == COMMIT


def test_a_broken_download_goes_on_where_it_broke(host, hub):
    data = gguf(300_000)
    hub.repositories["o/m"] = {"m.gguf": data}
    hub.break_at = 100_000
    model = pull(host, PullSpec("hf:o/m"))
    assert model.path.read_bytes() == data
    assert [header for path, header in hub.requests if path.endswith(".gguf")] == ["", "bytes=100000-"]


def test_a_stopped_pull_resumes_at_the_pinned_commit(host, hub):
    data = gguf(3_000_000)
    hub.repositories["o/m"] = {"m.gguf": data}
    spec = PullSpec("o/m")
    run = run_dir_of(host, spec)

    def stop(step):
        if step.done_bytes:
            run.request_stop()

    with pytest.raises(PullStopped, match="goes on from there"):
        pull(host, spec, progress=stop)
    with pytest.raises(NotFound):
        find_model(host, "o.m-v1:0")
    assert run.spec()["listing"]["revision"] == COMMIT
    part = next(run.work.rglob("*.part")).stat().st_size
    assert 0 < part < len(data)
    hub.requests.clear()
    model = pull(host, spec)
    assert model.path.read_bytes() == data
    assert hub.requests == [(f"/o/m/resolve/{COMMIT}/m.gguf", f"bytes={part}-")]
    assert not run.work.exists()


def test_kill_9_in_mid_pull_then_the_repeat_completes(host, hub, tmp_path):
    hub.repositories["o/m"] = {"m.gguf": gguf(8_000_000)}
    code = """
import sys, time
from pathlib import Path
from rocamadre.catalog.host import LocalHost
from rocamadre.catalog.pull import PullSpec, pull
from rocamadre.core.clock import SystemClock
from rocamadre.core.settings import load_settings
from rocamadre.store.sql.database import open_database
settings = load_settings(home=Path(sys.argv[1]), catalog={"hub_endpoint": sys.argv[2]})
def show(step):
    if step.done_bytes > 2_000_000:
        print("half", flush=True)
        time.sleep(60)
pull(LocalHost(settings, open_database(settings.home), SystemClock()), PullSpec("o/m"), progress=show)
"""
    command = [sys.executable, "-c", code, str(host.settings.home), hub.url]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, "ROCA_CONFIG": "/absent"})
    assert child.stdout.readline() == b"half\n"
    child.send_signal(signal.SIGKILL)
    child.communicate()
    with pytest.raises(NotFound):
        find_model(host, "o.m-v1:0")
    hub.requests.clear()
    model = pull(host, PullSpec("o/m"))
    assert model.path.read_bytes() == hub.repositories["o/m"]["m.gguf"]
    assert all(header.startswith("bytes=") for _, header in hub.requests)


@pytest.mark.parametrize("moment", ["rename", "insert", "finish"])
def test_death_around_the_end_leaves_nothing_or_the_whole(host, hub, monkeypatch, moment):
    hub.repositories["o/m"] = {"m.gguf": gguf()}

    class Died(BaseException):
        pass

    def die(*_args, **_kwargs):
        raise Died

    target = {"rename": "_place", "insert": "free_short_name", "finish": "RunDir.finish"}[moment]
    with monkeypatch.context() as patch:
        patch.setattr(f"rocamadre.catalog.pull.{target}", die)
        with pytest.raises(Died):
            pull(host, PullSpec("o/m"))
    if moment != "finish":
        with pytest.raises(NotFound):
            find_model(host, "o.m-v1:0")
    hub.requests.clear()
    model = pull(host, PullSpec("o/m"))
    assert find_model(host, "o.m-v1:0") == model
    assert model.path.is_file()
    assert hub.requests == []


def test_a_file_that_is_not_what_the_hub_announced_is_refused(host, hub):
    hub.repositories["o/m"] = {"m.gguf": gguf()}
    hub.lie_about = "m.gguf"
    with pytest.raises(InvalidRequest, match="arrived damaged"):
        pull(host, PullSpec("o/m"))
    with pytest.raises(NotFound):
        find_model(host, "o.m-v1:0")


def test_a_half_that_was_damaged_is_fetched_anew(host, hub):
    hub.repositories["o/m"] = {"m.gguf": gguf(200_000)}
    spec = PullSpec("o/m")
    run = run_dir_of(host, spec)
    with pytest.raises(PullStopped):
        pull(host, spec, progress=lambda step: run.request_stop() if step.step == "list" else None)
    whole = next(run.work.rglob("m.gguf*"))
    whole.with_name("m.gguf.part").write_bytes(b"rubbish" * 1000)
    if whole.name == "m.gguf":
        whole.unlink()
    assert pull(host, spec).path.read_bytes() == hub.repositories["o/m"]["m.gguf"]


def test_what_the_hub_refuses_is_said_in_our_words(host, hub, make_platform):
    hub.repositories["o/m"] = {"m.gguf": gguf()}
    for source, revision, error, message in (
        ("o/absent", None, NotFound, "has no model o/absent"),
        ("o/m", "nightly", NotFound, "no revision 'nightly'"),
        ("closed/gated", None, AccessDenied, "accept its terms"),
    ):
        with pytest.raises(error, match=message):
            pull(host, PullSpec(source, revision=revision))


def test_offline_it_says_what_to_do(hub, make_platform, host):
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as closed:
        port = closed.server_port
    offline = make_platform(hub_endpoint=f"http://127.0.0.1:{port}")
    with pytest.raises(Unavailable, match="copy the model's folder or") as caught:
        pull(offline, PullSpec("o/m"))
    assert "HF_ENDPOINT" in caught.value.message


@pytest.mark.parametrize(
    ("listed", "file", "message"),
    [
        ({"pytorch_model.bin": b"x"}, None, "may run code"),
        ({"a.gguf": b"x", "b.gguf": b"y"}, None, "choose one with file="),
        ({"m.gguf": b"not a model"}, None, "letters GGUF"),
        ({"model.safetensors": b"x" * 20, "config.json": b"{}"}, None, "header claims"),
        ({"m.gguf": b"x"}, "m.bin", "may run code"),
    ],
)
def test_unsound_repositories_are_refused(host, hub, listed, file, message):
    hub.repositories["o/m"] = listed
    with pytest.raises(InvalidRequest, match=message):
        pull(host, PullSpec("o/m", file=file))
    with pytest.raises(NotFound):
        find_model(host, "o.m-v1:0")


def test_a_llama_folder_becomes_a_gguf(host, tmp_path):
    model = pull(host, PullSpec(str(llama_folder(tmp_path / "Tiny Llama")), kind="Q8_0"))
    assert (model.id, model.engine, model.path.name) == ("local.tiny-llama-v1:0", "llama", "model.gguf")
    assert (model.licence, model.languages, model.context_length) == ("apache-2.0", ("en", "es"), 512)
    assert model.size_bytes == model.path.stat().st_size
    names = {path.name for path in model.path.parent.iterdir()}
    assert "tokenizer.json" in names
    assert not any(name.endswith((".safetensors", ".bin")) for name in names)


def test_a_llama_whose_tokenizer_cannot_be_exported_goes_to_torch(host, tmp_path):
    folder = llama_folder(tmp_path / "odd")
    (folder / "tokenizer.json").write_text('{"model": {"type": "Unigram"}}')
    model = pull(host, PullSpec(str(folder)))
    assert model.engine == "torch"
    notes = json.loads((model.path / "manifest.json").read_text())["notes"]
    assert "cannot be exported to GGUF" in notes[0]


@pytest.mark.parametrize(
    ("architecture", "engine", "output"),
    [
        ("T5ForConditionalGeneration", "torch", "TEXT"),
        ("GPT2LMHeadModel", "torch", "TEXT"),
        ("XModel", "torch", "EMBEDDING"),
    ],
)
def test_other_shapes_go_to_torch(host, tmp_path, architecture, engine, output):
    folder = tmp_path / "m"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"architectures": [architecture], "d_model": 16, "n_positions": 99}))
    (folder / "model.safetensors").write_bytes(files.safetensors_bytes({"a": (2, 2)}))
    model = pull(host, PullSpec(str(folder), name="Mine", owner="Me"))
    assert (model.id, model.engine, model.output_modalities) == ("me.mine-v1:0", engine, (output,))
    assert (model.context_length, model.path.is_dir()) == (99, True)


@pytest.mark.parametrize(("pooling", "engine"), [("pooling_mode_mean_tokens", "embed"), ("pooling_mode_cls_token", "")])
def test_sentence_encoders(host, tmp_path, pooling, engine):
    folder = tmp_path / "enc"
    (folder / "1_Pooling").mkdir(parents=True)
    config = {"architectures": ["BertModel"], "model_type": "bert", "hidden_size": 384}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "modules.json").write_text("[]")
    (folder / "sentence_bert_config.json").write_text('{"max_seq_length": 128}')
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({pooling: True}))
    (folder / "model.safetensors").write_bytes(files.safetensors_bytes({"a": (2, 2)}))
    if not engine:
        with pytest.raises(InvalidRequest, match="mean of its tokens"):
            pull(host, PullSpec(str(folder)))
        return
    model = pull(host, PullSpec(str(folder)))
    assert (model.engine, model.embeds, model.dimensions, model.context_length) == (engine, True, 384, 128)
    assert (model.path / "sentence_bert_config.json").is_file()


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"architectures": ["BertForSequenceClassification"]}, "BertForSequenceClassification"),
        ({"architectures": ["GPT2LMHeadModel"], "auto_map": {"AutoModel": "x.Y"}}, "code of its own"),
        ({}, "not named"),
    ],
)
def test_models_that_nothing_runs_are_refused(host, tmp_path, config, message):
    folder = tmp_path / "m"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "model.safetensors").write_bytes(files.safetensors_bytes({"a": (2, 2)}))
    with pytest.raises(InvalidRequest, match=message):
        pull(host, PullSpec(str(folder)))


def test_a_folder_mended_after_a_refusal_is_read_anew(host, tmp_path):
    folder = tmp_path / "m"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(files.safetensors_bytes({"a": (2, 2)}))
    with pytest.raises(InvalidRequest):
        pull(host, PullSpec(str(folder)))
    (folder / "config.json").write_text('{"architectures": ["GPT2LMHeadModel"]}')
    assert pull(host, PullSpec(str(folder))).engine == "torch"


def test_links_out_of_a_folder_are_refused(host, tmp_path):
    folder = tmp_path / "m"
    folder.mkdir()
    (tmp_path / "elsewhere.gguf").write_bytes(gguf())
    (folder / "m.gguf").symlink_to(tmp_path / "elsewhere.gguf")
    with pytest.raises(InvalidRequest, match="leads out"):
        pull(host, PullSpec(str(folder)))


def ollama_store(root: Path, data: bytes, path: str = "registry.ollama.ai/library/tiny/1b") -> str:
    digest = hashlib.sha256(data).hexdigest()
    (root / "blobs").mkdir(parents=True, exist_ok=True)
    (root / "blobs" / f"sha256-{digest}").write_bytes(data)
    manifest = root / "manifests" / path
    manifest.parent.mkdir(parents=True, exist_ok=True)
    layer = {"mediaType": "application/vnd.ollama.image.model", "digest": f"sha256:{digest}", "size": len(data)}
    other = {"mediaType": "application/vnd.ollama.image.license", "digest": "sha256:" + "0" * 64, "size": 1}
    manifest.write_text(json.dumps({"schemaVersion": 2, "layers": [layer, other]}))
    return digest


def test_a_model_of_a_local_ollama(host, tmp_path):
    digest = ollama_store(tmp_path / "ollama", gguf())
    model = pull(host, PullSpec("ollama:tiny:1b"))
    assert (model.id, model.path.read_bytes()) == ("ollama.tiny-1b-v1:0", gguf())
    assert json.loads((model.path.parent / "manifest.json").read_text())["revision"] == f"sha256:{digest}"
    with pytest.raises(NotFound, match="tiny:1b"):
        pull(host, PullSpec("ollama:absent"))
    with pytest.raises(InvalidRequest, match="no name"):
        pull(host, PullSpec("ollama:../../x"))


def test_a_damaged_blob_of_ollama_is_refused(host, tmp_path):
    digest = ollama_store(tmp_path / "ollama", gguf())
    (tmp_path / "ollama" / "blobs" / f"sha256-{digest}").write_bytes(gguf(3))
    with pytest.raises(InvalidRequest, match="arrived damaged"):
        pull(host, PullSpec("ollama:tiny:1b"))


def test_names_that_are_taken(host, hub, tmp_path):
    hub.repositories["o/m"] = {"m.gguf": gguf()}
    (tmp_path / "m.gguf").write_bytes(gguf())
    pull(host, PullSpec("o/m"))
    with pytest.raises(Conflict, match="choose another name"):
        pull(host, PullSpec(str(tmp_path / "m.gguf"), owner="o", name="m"))
    other = pull(host, PullSpec(str(tmp_path / "m.gguf")))
    assert (other.id, other.short_name) == ("local.m-v1:0", "local-m")
    with pytest.raises(InvalidRequest, match="kept for the embedded"):
        pull(host, PullSpec(str(tmp_path / "m.gguf"), owner="Rocamadre"))


def test_removed_then_pulled_again(host, hub):
    hub.repositories["o/m"] = {"m.gguf": gguf()}
    model = pull(host, PullSpec("o/m"))
    remove_model(host, "m")
    assert not model.path.exists()
    assert list((host.settings.home / "runs").iterdir()) == []
    with pytest.raises(NotFound):
        find_model(host, "m")
    assert pull(host, PullSpec("o/m")) == model


def test_two_pulls_of_the_same_at_once(host, hub):
    hub.repositories["o/m"] = {"m.gguf": gguf()}
    with run_dir_of(host, PullSpec("o/m")).held(), pytest.raises(Conflict, match="another process"):
        pull(host, PullSpec("o/m"))


def test_context_lengths(host, tmp_path):
    path = tmp_path / "m.gguf"
    path.write_bytes(files.llama_gguf(**{"llama.context_length": 131072}))
    model = pull(host, PullSpec(str(path)))
    assert model.context_length == 8192
    assert pull(host, PullSpec(str(path), name="long", context_length=32768)).context_length == 32768
    with pytest.raises(InvalidRequest, match="trained on 131072"):
        pull(host, PullSpec(str(path), name="too-long", context_length=200_000))


@pytest.mark.parametrize(("source", "kind"), [("no such thing", "F16"), ("a/b/c", "F16"), ("o/m", "Q4_K_M")])
def test_wishes_that_mean_nothing(host, source, kind):
    with pytest.raises(InvalidRequest):
        pull(host, PullSpec(source, kind=kind))

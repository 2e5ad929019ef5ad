from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from rocamadre.catalog import tables as _tables  # noqa: F401  (registers the catalog's tables)
from rocamadre.core.clock import FixedClock
from rocamadre.core.context import Context, Platform, Principal
from rocamadre.core.settings import load_settings
from rocamadre.engines.protocol import Engine, EngineStatus, LoadSpec
from rocamadre.observability.metrics import Metrics
from rocamadre.store.sql.database import open_database

ACCOUNT = "123456789012"
REGION = "us-east-1"


class NoEngines:
    """The catalog never loads a model."""

    async def engine(self, spec: LoadSpec) -> Engine:
        raise AssertionError(f"the catalog loaded {spec.model_id}")

    def status(self) -> list[EngineStatus]:
        return []

    async def unload(self, model_id: str) -> None:
        raise AssertionError(model_id)

    async def close(self) -> None:
        pass


def gguf_string(text: str) -> bytes:
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def gguf_bytes(pairs: dict[str, Any], tensors: list[tuple[str, tuple[int, ...]]]) -> bytes:
    """A small GGUF file, F32 tensors of zeros, written from the format's specification."""
    out = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(pairs))
    for key, value in pairs.items():
        out += gguf_string(key)
        if isinstance(value, str):
            out += struct.pack("<I", 8) + gguf_string(value)
        elif isinstance(value, list):
            out += struct.pack("<IIQ", 9, 8, len(value)) + b"".join(map(gguf_string, value))
        else:
            out += struct.pack("<II", 4, value)
    offset = 0
    for name, dimensions in tensors:
        out += gguf_string(name) + struct.pack("<I", len(dimensions)) + struct.pack(f"<{len(dimensions)}Q", *dimensions)
        out += struct.pack("<IQ", 0, offset)
        count = 1
        for size in dimensions:
            count *= size
        offset += -(-count * 4 // 32) * 32
    out += b"\0" * (-len(out) % 32)
    return out + b"\0" * offset


def llama_gguf(**extra: Any) -> bytes:
    pairs = {"general.architecture": "llama", "llama.context_length": 1024, **extra}
    return gguf_bytes(pairs, [("token_embd.weight", (8, 16)), ("output_norm.weight", (8,))])


@pytest.fixture
def models_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "embedded" / "roca-mini"
    folder.mkdir(parents=True)
    (folder / "roca-mini-q8_0.gguf").write_bytes(llama_gguf())
    (folder / "card.md").write_text("---\nlicense: apache-2.0\nlanguage: [en, es, pt]\n---\n# Roca Mini\n")
    return folder.parent


@pytest.fixture
def make_platform(tmp_path: Path, models_folder: Path, monkeypatch) -> Iterator[Callable[..., Platform]]:
    monkeypatch.setenv("ROCA_CONFIG", str(tmp_path / "absent.toml"))
    opened = []

    def make(**catalog: Any) -> Platform:
        settings = load_settings(home=tmp_path / "home", catalog={"embedded_models": models_folder, **catalog})
        sql = open_database(settings.home)
        opened.append(sql)
        return Platform(settings, sql, NoEngines(), Metrics(), FixedClock(datetime(2026, 11, 20, 12, tzinfo=UTC)))

    yield make
    for sql in opened:
        sql.dispose()


@pytest.fixture
def make_context(make_platform) -> Callable[..., Context]:
    def make(
        platform: Platform | None = None, *, account: str = ACCOUNT, region: str = REGION, **catalog: Any
    ) -> Context:
        platform = platform or make_platform(**catalog)
        return Context(platform, Principal("tester", account), account, region, "request-1", 60.0)

    return make


@pytest.fixture
def ctx(make_context) -> Context:
    return make_context()


def safetensors_bytes(shapes: dict[str, tuple[int, ...]]) -> bytes:
    """A small safetensors file, F32 zeros, written from the format's description."""
    header, position = {}, 0
    for name, shape in shapes.items():
        count = 4
        for size in shape:
            count *= size
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": (position, position + count)}
        position += count
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + b"\0" * position


@pytest.fixture
def minilm(tmp_path: Path) -> Path:
    """The embedder's folder as set-up leaves it, with tiny weights."""
    folder = tmp_path / "home" / "models" / "all-minilm-l6-v2"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text('{"hidden_size": 384, "model_type": "bert"}')
    (folder / "sentence_bert_config.json").write_text('{"max_seq_length": 256}')
    (folder / "README.md").write_text("---\nlanguage: en\nlicense: apache-2.0\n---\n")
    (folder / "model.safetensors").write_bytes(safetensors_bytes({"embeddings": (10, 384)}))
    (folder / "model.onnx").write_bytes(b"x" * 100)
    (folder / "ready.json").write_text("{}")
    return folder

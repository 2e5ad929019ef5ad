"""Embedding models, one child process each: encoders in ONNX Runtime, tables of vectors in NumPy."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rocamadre.core.errors import InvalidRequest
from rocamadre.core.messages import Event, GenerationRequest
from rocamadre.core.settings import EngineSettings
from rocamadre.engines.child_runner import Child
from rocamadre.engines.embed.calibration import relevance
from rocamadre.engines.pooled import missing_file
from rocamadre.engines.protocol import Embeddings, LoadSpec, Rendered

_RUNTIME_BYTES = 120_000_000
_NUMPY_BYTES = 60_000_000
_TABLE = "static.safetensors"
_SLOTS_PER_SETTING = 8


class EmbedEngine:
    """An encoder whose vectors have unit length. `spec.path` is a folder as `EmbeddingModel` or `StaticModel` wants it.

    Attributes:
        facts: `dimensions` and `max_tokens`, once started.
    """

    def __init__(self, spec: LoadSpec, settings: EngineSettings, home: Path) -> None:
        self.slots = int(spec.options.get("slots", settings.slots)) * _SLOTS_PER_SETTING
        self.facts: Mapping[str, Any] = {}
        self._spec = spec
        module = "static_child" if spec.path is not None and (spec.path / _TABLE).exists() else "child"
        self._child = Child(f"rocamadre.engines.embed.{module}", spec, settings, home)

    @staticmethod
    def memory_bytes(spec: LoadSpec, settings: EngineSettings) -> int:
        """The weights, and what the runtime took beside them when measured.

        Raises:
            InvalidRequest: there are no weights.
        """
        for name, runtime in (
            (_TABLE, _NUMPY_BYTES),
            ("model.onnx", _RUNTIME_BYTES),
            ("model.safetensors", _RUNTIME_BYTES),
        ):
            if spec.path is not None and (spec.path / name).exists():
                return (spec.path / name).stat().st_size + runtime
        raise missing_file(spec)

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""
        return self._child.pid

    async def start(self) -> None:
        """See `Runner.start`."""
        self.facts = await self._child.start()

    async def stop(self) -> None:
        """See `Runner.stop`."""
        await self._child.stop()

    async def exited(self) -> str:
        """See `Runner.exited`."""
        return await self._child.exited()

    async def responds(self) -> bool:
        """See `Runner.responds`."""
        return await self._child.responds()

    async def converse(self, request: GenerationRequest) -> AsyncGenerator[Event, None]:
        """Refused: an encoder does not generate."""
        raise self._refusal("generate text")
        yield  # an async generator needs one

    async def render(self, request: GenerationRequest) -> Rendered:
        """Refused: an encoder has no chat template."""
        raise self._refusal("read conversations")

    async def rerank(self, query: str, texts: Sequence[str]) -> tuple[float, ...]:
        """The cosine of the query and the nearest window of each text, as relevance (`calibration.py`)."""
        if not texts:
            return ()
        cosines = await self._child.channel.ask("rerank", [query, *texts])
        return tuple(relevance(cosines, self._spec.model_id).tolist())

    async def embed(self, texts: Sequence[str]) -> Embeddings:
        """Embed; texts beyond the model's length are cut and reported."""
        if not texts:
            return Embeddings((), (), ())
        raw, counts, truncated = await self._child.channel.ask("embed", list(texts))
        vectors = np.frombuffer(raw, np.float32).reshape(len(texts), -1)
        return Embeddings(tuple(map(tuple, vectors.tolist())), tuple(counts), tuple(truncated))

    def _refusal(self, what: str) -> InvalidRequest:
        return InvalidRequest(f"{self._spec.model_id} makes embeddings; it does not {what}")

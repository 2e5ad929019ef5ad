"""What an engine is: a loaded model that runs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from rocamadre.core.messages import Event, GenerationRequest

Modality = Literal["TEXT", "IMAGE", "AUDIO", "VIDEO", "EMBEDDING"]


@dataclass(frozen=True, slots=True)
class LoadSpec:
    """What the pool needs to know to run a model.

    Attributes:
        model_id: The catalog's id, for example `rocamadre.roca-mini-v1:0`; one engine process per id.
        engine: A name in `engines.registry.ENGINES`: `llama`, `embed`, `torch`, `remote`, `fake`.
        path: The weight file or directory; None where there is none (`remote`, `fake`).
        context_length: Most tokens of prompt and answer together.
        options: What this engine wants besides (a remote base URL, a rule file…); JSON values only.
        dedicated: Kept while it idles, and never unloaded to make room for another.
    """

    model_id: str
    engine: str
    path: Path | None
    context_length: int = 2048
    options: Mapping[str, Any] = field(default_factory=dict)
    dedicated: bool = False


@dataclass(frozen=True, slots=True)
class Rendered:
    """A request as the model will read it.

    Attributes:
        prompt: The text after the chat template.
        token_ids: Its tokens; their number is the usage that the call reports as input.
    """

    prompt: str
    token_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Embeddings:
    """Vectors, one per text, in order.

    Attributes:
        vectors: Unit length, the model's own dimensions.
        token_counts: Tokens read per text, after truncation.
        truncated: Which texts were longer than the model reads.
    """

    vectors: tuple[tuple[float, ...], ...]
    token_counts: tuple[int, ...]
    truncated: tuple[bool, ...]


class Engine(Protocol):
    """A loaded model. Methods may be called concurrently; each raises `InvalidRequest` for what the model lacks.

    Errors: `ModelFailure` when the process died under the request, `ModelTimeout`, `ModelNotReady`, `Throttled` when
    its queue is full, `InvalidRequest` for a prompt longer than the context.
    """

    def converse(self, request: GenerationRequest) -> AsyncIterator[Event]:
        """Generate. The last event is `Finish`; closing the iterator early cancels the work and frees its slot."""
        ...

    async def render(self, request: GenerationRequest) -> Rendered:
        """The prompt and tokens that `converse` would read."""
        ...

    async def embed(self, texts: Sequence[str]) -> Embeddings:
        """Embed texts, batched as the engine likes best."""
        ...

    async def rerank(self, query: str, texts: Sequence[str]) -> tuple[float, ...]:
        """Relevance of each text to the query, in [0, 1], monotone in the engine's own score."""
        ...


@dataclass(frozen=True, slots=True)
class EngineStatus:
    """One engine as `roca status` and `/metrics` show it.

    Attributes:
        state: `loading`, `ready`, `backoff` (it keeps dying; `detail` says why) or `stopped`.
        pid: Process id; None for those without a process.
        memory_bytes: Resident memory of the process; 0 for those without.
        active: Requests running now.
        queued: Requests waiting.
    """

    model_id: str
    engine: str
    state: str
    pid: int | None = None
    memory_bytes: int = 0
    active: int = 0
    queued: int = 0
    detail: str = ""


class Engines(Protocol):
    """All engines of a server: loads on demand, unloads what idles, restarts what dies."""

    async def engine(self, spec: LoadSpec) -> Engine:
        """The running engine for a model, loaded first if need be.

        Raises:
            InvalidRequest: the file is missing or cannot be loaded, or would not fit in memory (with the figures).
            ModelNotReady: it keeps dying and is held back for a while.
        """
        ...

    def status(self) -> list[EngineStatus]:
        """Every engine that is loaded or being loaded."""
        ...

    async def unload(self, model_id: str) -> None:
        """Stop a model's engine, if it runs."""
        ...

    async def close(self) -> None:
        """Stop everything; leaves no process behind."""
        ...

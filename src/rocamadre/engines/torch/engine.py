"""Hugging Face directories in torch, one child process each: models just trained, before they are exported."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from rocamadre.core.errors import InvalidRequest, MissingDependency, ModelTimeout
from rocamadre.core.messages import Event, Finish, GenerationRequest, TextDelta, TokenLogprob
from rocamadre.core.settings import EngineSettings
from rocamadre.engines.child_runner import Child
from rocamadre.engines.pooled import missing_file
from rocamadre.engines.protocol import Embeddings, LoadSpec, Rendered
from rocamadre.engines.tool_formats.registry import find_format
from rocamadre.engines.torch.wire import write_request
from rocamadre.engines.turns import THOUGHTS, Turn, parse_turn, plan_turn

_RUNTIME_BYTES = 450_000_000
_RENDER_S = 10.0


class TorchEngine:
    """A causal model, an encoder-decoder (T5 kind) or an encoder; `spec.path` is its directory.

    `spec.options`: `method` and `adapter` (a folder) for a causal model on which a training method puts what it
    trained; `spec.path` is then its base, a directory or a GGUF file.

    Attributes:
        facts: `kind` (`causal`, `encoder-decoder`, `encoder`) and `context_length`, once started.
    """

    def __init__(self, spec: LoadSpec, settings: EngineSettings, home: Path) -> None:
        self.slots = int(spec.options.get("slots", settings.slots))
        self.facts: Mapping[str, Any] = {}
        self._spec = spec
        self._stuck = False
        self._child = Child("rocamadre.engines.torch.child", spec, settings, home)

    @staticmethod
    def memory_bytes(spec: LoadSpec, settings: EngineSettings) -> int:
        """Twice the files (16-bit weights run as 32-bit), and what torch takes beside them.

        Raises:
            InvalidRequest: there are no weights.
        """
        if spec.path is not None and spec.path.is_file():
            # Q8_0 becomes 32-bit; a narrower file needs more than this, an F16 file less.
            return 4 * spec.path.stat().st_size + _RUNTIME_BYTES
        files = list(spec.path.glob("*.safetensors")) if spec.path is not None else []
        if not files:
            raise missing_file(spec)
        return 2 * sum(file.stat().st_size for file in files) + _RUNTIME_BYTES

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""
        return self._child.pid

    async def start(self) -> None:
        """See `Runner.start`.

        Raises:
            MissingDependency: torch or transformers is not installed.
        """
        for package in ("torch", "transformers"):
            if find_spec(package) is None:
                raise MissingDependency(f"engine 'torch' needs {package!r}: pip install 'rocamadre[train]'")
        self.facts = await self._child.start()

    async def stop(self) -> None:
        """See `Runner.stop`."""
        await self._child.stop()

    async def exited(self) -> str:
        """See `Runner.exited`."""
        return await self._child.exited()

    async def responds(self) -> bool:
        """See `Runner.responds`."""
        return not self._stuck and await self._child.responds()

    async def converse(self, request: GenerationRequest) -> AsyncGenerator[Event, None]:
        """See `Engine.converse`."""
        body = write_request(request)
        turn = await self._plan(request)
        if turn is not None:
            body["grammar"] = turn.lark
        events = self._generate(body)
        async with aclosing(events if turn is None else parse_turn(turn, events)) as out:
            async for event in out:
                yield event

    async def _generate(self, body: Any) -> AsyncGenerator[Event, None]:
        async with aclosing(self._child.channel.stream("converse", body)) as frames:
            async for last, frame in frames:
                if last:
                    yield msgspec.convert(frame, Finish)
                else:
                    text, tokens = frame
                    yield TextDelta(text, tuple(_token(*token) for token in tokens))

    async def _plan(self, request: GenerationRequest) -> Turn | None:
        """What the turn is held to; None for plain text."""
        template = self.facts["chat_template"]
        held = bool(request.tools) or request.schema is not None
        thinks = THOUGHTS[0] in template and request.prompt is None
        if not (held or thinks):
            return None
        if held and (request.sampling.beams or 1) > 1:
            raise InvalidRequest("tools and structured output do not go with beams; leave one of them out")
        rendered = await self.render(request)
        room = self.facts["context_length"] - len(rendered.token_ids)
        turn = await asyncio.to_thread(
            partial(
                plan_turn,
                request,
                rendered.prompt,
                format_=find_format(template),
                thinks=thinks,
                control=self.facts["control_tokens"],
                room=max(1, min(request.sampling.max_tokens or room, room)),
            )
        )
        return None if turn.plain else turn

    async def render(self, request: GenerationRequest) -> Rendered:
        """See `Engine.render`."""
        try:
            prompt, tokens = await self._child.channel.ask("render", write_request(request), timeout_s=_RENDER_S)
        except ModelTimeout:
            self._stuck = True
            raise
        return Rendered(prompt, tuple(tokens))

    async def embed(self, texts: Sequence[str]) -> Embeddings:
        """Mean-pooled vectors of unit length, from encoders; longer texts are cut and reported."""
        if not texts:
            return Embeddings((), (), ())
        raw, counts, truncated = await self._child.channel.ask("embed", list(texts))
        vectors = np.frombuffer(raw, np.float32).reshape(len(texts), -1)
        return Embeddings(tuple(map(tuple, vectors.tolist())), tuple(counts), tuple(truncated))

    async def rerank(self, query: str, texts: Sequence[str]) -> tuple[float, ...]:
        """The cosine of query and text, moved to [0, 1]; encoders only."""
        if not texts:
            raise InvalidRequest("there are no texts to rank")
        vectors = np.asarray((await self.embed([query, *texts])).vectors)
        return tuple(np.clip((1 + vectors[1:] @ vectors[0]) / 2, 0, 1).tolist())


def _token(token_id: int, text: str, data: bytes, logprob: float | None, top: list[Any]) -> TokenLogprob:
    candidates = tuple((piece, raw, score) for piece, raw, score, _ in top)
    return TokenLogprob(token_id, text, data, logprob, candidates, tuple(number for *_, number in top))

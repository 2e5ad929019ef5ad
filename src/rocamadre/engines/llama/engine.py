"""GGUF models in llama.cpp, one child process each, spoken to over a unix socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from rocamadre.core.errors import InvalidRequest, ModelFailure, ModelTimeout
from rocamadre.core.messages import CachePoint, Event, GenerationRequest, Message, Text, TextDelta, TokenLogprob
from rocamadre.core.settings import EngineSettings
from rocamadre.engines.llama.generation import Work, generate, token_logprob
from rocamadre.engines.llama.header import read_header
from rocamadre.engines.llama.picks import Scores
from rocamadre.engines.llama.sampling import completion_fields
from rocamadre.engines.llama.sockets import new_socket_path, remove_socket
from rocamadre.engines.llama.transport import Transport
from rocamadre.engines.pooled import missing_file
from rocamadre.engines.process import ChildProcess, default_threads
from rocamadre.engines.protocol import Embeddings, LoadSpec, Rendered
from rocamadre.engines.rendering import Guard, HiddenSchemas, Renderer, new_seam
from rocamadre.engines.tool_formats.registry import GENERIC, find_format
from rocamadre.engines.turns import THOUGHTS, Turn, parse_turn, plan_turn, shared

_RUNTIME_BYTES = 80_000_000
_BATCH_TOKENS = 512
_HEALTH_S = 5.0


class LlamaEngine:
    """A GGUF file that generates text.

    `spec.options`: `slots` (requests at a time, instead of the setting), `cache_type` (`f32` or `f16`: the key and
    value cache), `flash_attention` (bool), `sampling` (the model's own defaults, by the names of `Sampling`),
    `adapters` (GGUF files of LoRA adapters; a request's `adapter` names the one that answers it, or none), `adapter`
    (the one that answers every request). An adapter whose file is gone or damaged is left out, and what asks for it is
    refused.
    """

    def __init__(self, spec: LoadSpec, settings: EngineSettings, home: Path) -> None:
        self.slots = _slots(spec, settings)
        self._spec = spec
        self._settings = settings
        self._home = home
        self._socket: Path | None = None
        self._process: ChildProcess | None = None
        self._transport: Transport | None = None
        self._facts: Mapping[str, Any] = {}
        self._format = GENERIC
        self._renderer = Renderer(Guard(()), GENERIC, takes_documents=False)
        self._stuck = False
        self._dumps_schemas = True

    @staticmethod
    def memory_bytes(spec: LoadSpec, settings: EngineSettings) -> int:
        """The file, the cache of all slots, the buffers of one batch, and the runtime.

        Raises:
            InvalidRequest: the file is missing or no GGUF file.
        """
        if spec.path is None or not spec.path.is_file():
            raise missing_file(spec)
        header = read_header(spec.path)
        context = min(spec.context_length, header.hyperparameter("context_length", spec.context_length))
        value_bytes = 2 if spec.options.get("cache_type") == "f16" else 4
        cache = header.cache_bytes_per_token(value_bytes) * context * _slots(spec, settings)
        width = header.hyperparameter("embedding_length", 4096) + header.hyperparameter("feed_forward_length", 4096)
        batch = 4 * _BATCH_TOKENS * (header.vocabulary_size + 4 * width)
        adapters = sum(path.stat().st_size for path in map(Path, _adapters(spec)) if path.is_file())
        return header.size_bytes + adapters + cache + batch + _RUNTIME_BYTES

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""
        return self._process.pid if self._process is not None else None

    @property
    def context_length(self) -> int:
        """Tokens of prompt and answer together; the model's own length where that is less than asked for."""
        return int(self._facts.get("context_length", self._spec.context_length))

    async def start(self) -> None:
        """See `Runner.start`."""
        if self._spec.path is None or not self._spec.path.is_file():
            raise missing_file(self._spec)
        cache_type = self._spec.options.get("cache_type", "f32")
        if cache_type not in ("f32", "f16"):
            raise InvalidRequest(f"{self._spec.model_id}: cache_type {cache_type!r}; allowed: f32, f16")
        self._socket = await asyncio.to_thread(new_socket_path, self._home)
        threads = default_threads(self._settings.threads)
        self._process = await ChildProcess.launch(
            "rocamadre.engines.llama.child",
            {
                "path": str(self._spec.path.absolute()),
                "socket": str(self._socket),
                "slots": self.slots,
                "threads": threads,
                "context_length": self._spec.context_length,
                "cache_type": cache_type,
                "flash_attention": bool(self._spec.options.get("flash_attention", False)),
                "adapters": _adapters(self._spec),
            },
            home=self._home,
            name=self._spec.model_id,
            threads=threads,
        )
        self._facts = self._process.ready
        template = self._facts["chat_template"]
        self._format = find_format(template)
        self._renderer = Renderer(Guard(self._facts["marks"]), self._format, takes_documents="documents" in template)
        timeout_s = self._settings.reply_timeout_s
        self._transport = Transport(self._spec.model_id, self._socket, reply_timeout_s=timeout_s)

    async def stop(self) -> None:
        """See `Runner.stop`."""
        try:
            if self._process is not None:
                await self._process.stop()
        finally:
            if self._transport is not None:
                await self._transport.close()
        if self._socket is not None:
            await asyncio.to_thread(remove_socket, self._socket, self._home)
            self._socket = None

    async def exited(self) -> str:
        """See `Runner.exited`."""
        assert self._process is not None
        return await self._process.exited()

    async def responds(self) -> bool:
        """Whether llama.cpp can still tokenise."""
        if self._stuck:
            return False
        try:
            await self._ask("/tokenize", {"content": "a"}, timeout_s=_HEALTH_S)
        except ModelFailure:
            return False
        return True

    async def render(self, request: GenerationRequest) -> Rendered:
        """The prompt as `converse` reads it."""
        return (await self._render(request))[0]

    async def converse(self, request: GenerationRequest) -> AsyncGenerator[Event, None]:
        """See `Engine.converse`."""
        if request.echo and request.prompt is None:
            raise InvalidRequest("echo needs a raw prompt, not a conversation")
        if (request.sampling.beams or 1) > 1:
            raise InvalidRequest("beams: this engine samples one answer; models in the torch engine search with beams")
        fields = completion_fields(
            request.sampling,
            vocabulary_size=self._facts["vocabulary_size"],
            context_length=self.context_length,
            defaults=self._spec.options.get("sampling", {}),
        )
        fields |= self._adapter_fields(request.adapter)
        rendered, point = await self._render(request)
        room = self._room(len(rendered.token_ids))
        scores = Scores(
            self._way,
            fields,
            vocabulary_size=self._facts["vocabulary_size"],
            plain_token=self._facts["plain_token"],
        )
        turn = await self._plan(request, rendered.prompt, min(request.sampling.max_tokens or room, room))
        work = Work(self._way, rendered.token_ids, request, {**fields, **held_fields(turn)}, room, scores, point)
        if request.echo:
            yield await self._echo(work)
        events = generate(work)
        async with aclosing(events if turn.plain else parse_turn(turn, events)) as out:
            async for event in out:
                yield event

    async def embed(self, texts: Sequence[str]) -> Embeddings:
        """Refused: use an embedding model."""
        raise InvalidRequest(f"{self._spec.model_id} generates text; it does not make embeddings")

    async def rerank(self, query: str, texts: Sequence[str]) -> tuple[float, ...]:
        """Refused: use an embedding model."""
        raise InvalidRequest(f"{self._spec.model_id} generates text; it does not rank texts")

    def _adapter_fields(self, wanted: str) -> dict[str, Any]:
        """The scale of every adapter. All are sent always: llama.cpp drops what it remembers of a prompt only where a
        request's list differs from the last one's, and a request without a list would go on from an adapter's cache.

        Raises:
            InvalidRequest: the adapter was left out.
        """
        wanted = wanted or str(self._spec.options.get("adapter", ""))
        loaded: Sequence[str] = self._facts["adapters"]
        if wanted and wanted not in loaded:
            reason = self._facts["left_out"].get(wanted, f"{wanted} is not loaded")
            raise InvalidRequest(f"{self._spec.model_id}: the adapter cannot be used: {reason}")
        scales = [{"id": number, "scale": float(path == wanted)} for number, path in enumerate(loaded)]
        return {"lora": scales} if scales else {}

    @property
    def _way(self) -> Transport:
        assert self._transport is not None
        return self._transport

    async def _ask(self, path: str, body: Any, **options: float) -> Any:
        return await self._way.ask(path, body, **options)

    async def _tokens(self, text: str, *, first: bool) -> list[int]:
        body = {"content": text, "add_special": first, "parse_special": True}
        answer: list[int] = (await self._ask("/tokenize", body))["tokens"]
        return answer

    async def _plan(self, request: GenerationRequest, prompt: str, limit: int) -> Turn:
        plan = partial(
            plan_turn,
            request,
            prompt,
            format_=self._format,
            thinks=THOUGHTS[0] in self._facts["chat_template"],
            control=self._facts["control_tokens"],
            room=limit,
        )
        return await asyncio.to_thread(plan) if request.tools or request.schema is not None else plan()

    async def _render(self, request: GenerationRequest) -> tuple[Rendered, int]:
        """The prompt, and how many of its tokens stand before the last cache point; 0 where there is none."""
        if request.prompt is not None:
            self._check_ids(request.prompt_ids)
            ids = request.prompt_ids or tuple(await self._tokens(request.prompt, first=True))
            return Rendered(request.prompt, ids), 0
        seam = new_seam()
        pointed = any(isinstance(block, CachePoint) for message in request.messages for block in message.content)
        point = new_seam() if pointed else ""
        marked = await self._apply_template(request, seam, point)
        ahead, _, behind = marked.rpartition(point) if pointed else ("", "", marked)
        if pointed:
            ahead = ahead.replace(point, "")
        tokens = await self._joined_tokens((ahead + behind).split(seam))
        count = 0
        if pointed:
            count = shared(tokens, await self._joined_tokens(ahead.split(seam)))
        elif request.cache_system or request.cache_tools:
            # What the system prompt and the tools make of the prompt: what it shares with one that asks another thing.
            other = replace(request, messages=(Message("user", (Text(new_seam()),)),))
            count = shared(tokens, await self._joined_tokens((await self._apply_template(other, seam, "")).split(seam)))
        return Rendered((ahead + behind).replace(seam, ""), tuple(tokens)), count

    async def _joined_tokens(self, parts: Sequence[str]) -> list[int]:
        tokens: list[int] = []
        for index, part in enumerate(parts):
            tokens += await self._tokens(part, first=index == 0)
        return tokens

    async def _apply_template(self, request: GenerationRequest, seam: str, point: str) -> str:
        if not self._facts["chat_template"]:
            raise InvalidRequest(f"{self._spec.model_id} has no chat template; send a raw prompt")
        given = self._renderer.variables(request, seam, point)
        body: dict[str, Any] = {"messages": given.messages}
        if given.documents:
            body["chat_template_kwargs"] = {"documents": given.documents}
        if given.tools and self._dumps_schemas:
            hidden = HiddenSchemas(given.tools, seam)
            shown = hidden.reveal(await self._template({**body, "tools": hidden.tools}))
            if shown is not None:
                return shown
            self._dumps_schemas = False
        return await self._template({**body, "tools": given.tools} if given.tools else body)

    async def _template(self, body: dict[str, Any]) -> str:
        try:
            prompt: str = (await self._ask("/apply-template", body))["prompt"]
        except ModelTimeout:
            self._stuck = True
            raise
        return prompt

    def _room(self, count: int) -> int:
        """Tokens left for the answer.

        Raises:
            InvalidRequest: none are.
        """
        if count == 0:
            raise InvalidRequest("the prompt is empty")
        if count >= self.context_length:
            raise InvalidRequest(
                f"the prompt has {count} tokens; {self._spec.model_id} reads at most {self.context_length - 1} "
                "and needs room for the answer"
            )
        return self.context_length - count

    async def _echo(self, work: Work) -> TextDelta:
        prompt = work.request.prompt or ""
        if work.request.logprobs is None:
            return TextDelta(prompt)
        entries = await self._pieces(work, prompt)
        skip = 0
        if not work.request.prompt_ids and len(entries) > 1 and await self._begins_with_mark(prompt, len(entries)):
            skip = 1
        found = []
        for index in range(skip, len(entries)):
            data = entries[index]
            if index == 0:
                first = data or b""
                found.append(TokenLogprob(work.tokens[0], first.decode(errors="replace"), first, None))
                continue
            top = work.request.logprobs
            picked = await work.scores.of_token(work.tokens[:index], work.tokens[index], top)
            if data is not None:
                picked.bytes, picked.token = list(data), data.decode(errors="replace")
            found.append(token_logprob(picked, top))
        return TextDelta(prompt, tuple(found))

    async def _pieces(self, work: Work, prompt: str) -> list[bytes | None]:
        """The bytes of each of the prompt's tokens; None where only its number was given."""
        if work.request.prompt_ids:
            return [None for _ in work.tokens]
        body = {"content": prompt, "add_special": True, "parse_special": True, "with_pieces": True}
        return [_piece(entry["piece"]) for entry in (await self._ask("/tokenize", body))["tokens"]]

    def _check_ids(self, ids: Sequence[int]) -> None:
        size = self._facts["vocabulary_size"]
        if wrong := next((each for each in ids if not 0 <= each < size), None):
            raise InvalidRequest(f"token {wrong} in the prompt; this model's tokens are 0 to {size - 1}")

    async def _begins_with_mark(self, prompt: str, count: int) -> bool:
        """Whether the tokenizer put a begin mark before the prompt's own tokens."""
        return len(await self._tokens(prompt, first=False)) < count


def held_fields(turn: Turn) -> dict[str, Any]:
    """What holds llama.cpp to a turn's grammar; it leaves control tokens out of the text unless told not to."""
    return {"grammar": "%llguidance {}\n" + turn.lark, "preserved_tokens": turn.control} if turn.lark else {}


def _slots(spec: LoadSpec, settings: EngineSettings) -> int:
    return int(spec.options.get("slots", settings.slots))


def _adapters(spec: LoadSpec) -> list[str]:
    alone = [spec.options["adapter"]] if "adapter" in spec.options else []
    return [str(path) for path in (*alone, *spec.options.get("adapters", ()))]


def _piece(piece: str | list[int]) -> bytes:
    return piece.encode() if isinstance(piece, str) else bytes(piece)

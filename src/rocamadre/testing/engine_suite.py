"""What every engine must do, as tests. To check one of your own:

```python
class TestMine(GenerationSuite):
    @staticmethod
    def spec(folder):
        return LoadSpec("me.mine-v1:0", "mine", make_a_small_model(folder), context_length=256)
```

the same with `ToolSuite` for engines that call tools and follow schemas (a context of at least 2048 tokens), and with
`EmbeddingSuite` for those that make vectors.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Coroutine, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import pytest
from jsonschema import Draft202012Validator

from rocamadre.core.errors import InvalidRequest
from rocamadre.core.messages import (
    Event,
    Finish,
    GenerationRequest,
    Media,
    Message,
    Sampling,
    Text,
    TextDelta,
    ToolChoice,
    ToolSpec,
    ToolUseDelta,
    ToolUseStart,
    Usage,
)
from rocamadre.core.settings import EngineSettings
from rocamadre.engines.pool import EnginePool
from rocamadre.engines.protocol import Engine, LoadSpec
from rocamadre.testing.schemas import random_schema

T = TypeVar("T")
LONGEST_TEST_S = 60.0
SLOTS = 2


class Running:
    """An engine in a pool, with the event loop that both live in."""

    def __init__(self, spec: LoadSpec, home: Path) -> None:
        self._loop = asyncio.new_event_loop()
        self.spec = spec
        self.pool = self.run(self._make_pool(home))
        self.engine: Engine = self.run(self.pool.engine(spec))

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end, within a time limit."""
        return self._loop.run_until_complete(asyncio.wait_for(work, LONGEST_TEST_S))

    def events(self, request: GenerationRequest) -> list[Event]:
        """All events of one generation."""

        async def collect() -> list[Event]:
            return [event async for event in self.engine.converse(request)]

        return self.run(collect())

    def close(self) -> None:
        """Stop everything."""
        self.run(self.pool.close())
        self.run(self._loop.shutdown_asyncgens())
        self._loop.close()

    async def _make_pool(self, home: Path) -> EnginePool:
        return EnginePool(EngineSettings(slots=SLOTS, threads=1), home)


def conversation(text: str, **sampling: Any) -> GenerationRequest:
    """One user turn."""
    return GenerationRequest(messages=(Message("user", (Text(text),)),), sampling=Sampling(**sampling))


def text_of(events: list[Event]) -> str:
    """The answer's text."""
    return "".join(event.text for event in events if isinstance(event, TextDelta))


def finish_of(events: list[Event]) -> Finish:
    """The last event, which must be the only `Finish`."""
    assert [type(event) is Finish for event in events].count(True) == 1
    assert isinstance(events[-1], Finish)
    return events[-1]


class _Suite:
    @staticmethod
    def spec(folder: Path) -> LoadSpec:
        """The model to check; override it. `folder` is empty and private."""
        raise NotImplementedError("override `spec`")

    @pytest.fixture(scope="class")
    @classmethod
    def running(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
        """The engine, loaded once for the class."""
        running = Running(cls.spec(tmp_path_factory.mktemp("model")), tmp_path_factory.mktemp("home"))
        yield running
        running.close()


class GenerationSuite(_Suite):
    """For engines that generate text."""

    def test_ends_with_one_finish_and_counts_its_tokens(self, running: Running) -> None:
        """Usage is what was read and written."""
        request = conversation("hello", max_tokens=5, temperature=0)
        usage = finish_of(running.events(request)).usage
        rendered = running.run(running.engine.render(request))
        assert usage.input_tokens + usage.cache_read_tokens == len(rendered.token_ids) > 0
        assert 0 < usage.output_tokens <= 5

    def test_limit(self, running: Running) -> None:
        """A limit is kept to the token, and given as the reason."""
        for limit in (1, 3):
            finish = finish_of(running.events(conversation("hello", max_tokens=limit, min_tokens=limit)))
            assert finish.usage.output_tokens == limit
            assert finish.reason == "max_tokens"

    def test_greedy_repeats(self, running: Running) -> None:
        """Temperature 0 gives the same answer again."""
        request = conversation("tell me", max_tokens=12, temperature=0)
        assert text_of(running.events(request)) == text_of(running.events(request))

    def test_seed_repeats(self, running: Running) -> None:
        """The same seed gives the same answer again."""
        request = conversation("tell me", max_tokens=12, temperature=1.0, seed=42)
        assert text_of(running.events(request)) == text_of(running.events(request))

    def test_stop_sequence(self, running: Running) -> None:
        """A stop sequence ends the answer, is left out of it, and is named."""
        whole = text_of(running.events(conversation("go on", max_tokens=24, temperature=0)))
        stop = next(whole[at : at + 2] for at in range(3, len(whole) - 2) if whole[at : at + 2].isascii())
        events = running.events(conversation("go on", max_tokens=24, temperature=0, stop=("never seen", stop)))
        assert text_of(events) == whole[: whole.index(stop)]
        assert (finish_of(events).reason, finish_of(events).stop_sequence) == ("stop_sequence", stop)

    def test_text_is_whole_characters(self, running: Running) -> None:
        """Every piece can be encoded by itself."""
        for seed in range(4):
            events = running.events(conversation("açaí 🙂", max_tokens=40, temperature=1.5, seed=seed))
            for event in events:
                if isinstance(event, TextDelta):
                    event.text.encode()

    def test_more_requests_than_slots(self, running: Running) -> None:
        """All are served; each gets its own answer."""
        requests = [conversation(f"number {index}", max_tokens=8, temperature=0) for index in range(3 * SLOTS)]
        alone = [text_of(running.events(request)) for request in requests]

        async def collect(request: GenerationRequest) -> list[Event]:
            return [event async for event in running.engine.converse(request)]

        async def together() -> list[list[Event]]:
            return await asyncio.gather(*(collect(request) for request in requests))

        assert [text_of(events) for events in running.run(together())] == alone

    def test_leaving_early_frees_the_slot(self, running: Running) -> None:
        """Closing the iterator ends the work within a second."""

        async def leave() -> None:
            for _ in range(2 * SLOTS):
                async with aclosing(running.engine.converse(conversation("go on", max_tokens=200))) as stream:  # type: ignore[type-var]
                    await anext(stream)
            assert sum(line.active for line in running.pool.status()) == 0

        running.run(asyncio.wait_for(leave(), 1.0 * 2 * SLOTS))
        assert finish_of(running.events(conversation("still there?", max_tokens=2)))

    def test_prompt_beyond_the_context_is_refused_with_the_counts(self, running: Running) -> None:
        """The message says how many tokens there were and how many are allowed."""
        length = running.spec.context_length
        with pytest.raises(InvalidRequest, match=r"\d+ tokens.*" + str(length - 1)):
            running.events(conversation("word " * 2 * length))

    def test_what_it_cannot_read_is_refused(self, running: Running) -> None:
        """Loudly, not by leaving it out."""
        image = Message("user", (Media("image", "png", b"\x89PNG"), Text("what is it?")))
        with pytest.raises(InvalidRequest):
            running.events(GenerationRequest(messages=(image,)))

    def test_raw_prompt(self, running: Running) -> None:
        """A prompt is continued as it is."""
        request = GenerationRequest(prompt="Once upon", sampling=Sampling(max_tokens=3, temperature=0))
        assert running.run(running.engine.render(request)).prompt == "Once upon"
        assert finish_of(running.events(request)).usage != Usage()


class ToolSuite(_Suite):
    """For engines that can be held to tools and schemas."""

    @pytest.mark.parametrize("seed", range(6))
    def test_schema_is_followed(self, running: Running, seed: int) -> None:
        """An answer that ends by itself is valid JSON of the schema."""
        schema = random_schema(seed, depth=2)
        sampling = Sampling(max_tokens=1500, seed=seed, temperature=1.0)
        asked = GenerationRequest((Message("user", (Text("x"),)),), sampling=sampling, schema=schema)
        events = running.events(asked)
        if finish_of(events).reason != "max_tokens":
            assert finish_of(events).reason == "end_turn"
            Draft202012Validator(schema).validate(msgspec.json.decode(text_of(events)))

    @pytest.mark.parametrize("mode", ["any", "tool"])
    def test_tool_that_must_be_called_is_called_with_valid_input(self, running: Running, mode: str) -> None:
        """The call names a tool that was offered, and its input follows that tool's schema."""
        schema = {"type": "object", "properties": {"n": {"type": "integer", "minimum": 3}}, "required": ["n"]}
        tools = (ToolSpec("count", "Count.", schema), ToolSpec("rest", "Rest.", {"type": "object", "properties": {}}))
        choice = ToolChoice("tool", "count", parallel=False) if mode == "tool" else ToolChoice("any", parallel=False)
        sampling = Sampling(max_tokens=1500, seed=1, temperature=1.0)
        asked = GenerationRequest((Message("user", (Text("x"),)),), sampling=sampling, tools=tools, tool_choice=choice)
        events = running.events(asked)
        assert finish_of(events).reason == "tool_use"
        start = next(event for event in events if isinstance(event, ToolUseStart))
        assert start.name == "count" or mode == "any"
        value = msgspec.json.decode("".join(event.json for event in events if isinstance(event, ToolUseDelta)))
        Draft202012Validator(next(tool.schema for tool in tools if tool.name == start.name)).validate(value)

    def test_schema_that_cannot_be_enforced_is_refused(self, running: Running) -> None:
        """By its keyword's name."""
        with pytest.raises(InvalidRequest, match="uniqueItems"):
            running.events(
                GenerationRequest((Message("user", (Text("x"),)),), schema={"type": "array", "uniqueItems": True})
            )


class EmbeddingSuite(_Suite):
    """For engines that make vectors."""

    def test_unit_length_and_order(self, running: Running) -> None:
        """Vectors have length 1 and come in the texts' order, whatever they are batched with."""
        texts = ["one", "a much longer text about many things, " * 3, "two", "", "one"]
        made = running.run(running.engine.embed(texts))
        assert len(made.vectors) == len(made.token_counts) == len(made.truncated) == len(texts)
        for text, vector in zip(texts, made.vectors, strict=True):
            assert math.isclose(math.fsum(value * value for value in vector), 1.0, abs_tol=1e-4)
            (alone,) = running.run(running.engine.embed([text])).vectors
            assert _dot(alone, vector) > 0.9999
        assert _dot(made.vectors[0], made.vectors[4]) > 0.9999

    def test_none(self, running: Running) -> None:
        """No texts, no vectors."""
        assert running.run(running.engine.embed([])).vectors == ()

    def test_many_callers(self, running: Running) -> None:
        """Each gets the vectors of its own texts."""
        texts = [f"text number {index}" for index in range(24)]
        alone = running.run(running.engine.embed(texts)).vectors

        async def together() -> list[Any]:
            return await asyncio.gather(*(running.engine.embed([text]) for text in texts))

        for expected, got in zip(alone, running.run(together()), strict=True):
            assert _dot(expected, got.vectors[0]) > 0.9999

    def test_rerank_is_between_0_and_1_and_highest_for_the_query_itself(self, running: Running) -> None:
        """Scores keep the order of relevance."""
        scores = running.run(running.engine.rerank("red fox", ["blue whale", "red fox", "lazy dog"]))
        assert all(0 <= score <= 1 for score in scores)
        assert max(scores) == scores[1]


def _dot(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    return math.fsum(a * b for a, b in zip(one, other, strict=True))

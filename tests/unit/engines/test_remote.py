import asyncio
import json
from contextlib import aclosing

import aiohttp.web
import pytest

from rocamadre.core.errors import (
    InvalidRequest,
    ModelFailure,
    ModelTimeout,
    Throttled,
    Unavailable,
    Unknown,
)
from rocamadre.core.messages import (
    Document,
    GenerationRequest,
    Media,
    Message,
    Sampling,
    Text,
    ToolSpec,
)
from rocamadre.core.settings import EngineSettings
from rocamadre.engines.pool import EnginePool
from rocamadre.engines.protocol import LoadSpec
from rocamadre.testing.engine_suite import conversation, finish_of, text_of


class Upstream:
    """A small OpenAI-compatible server; `answer` decides what it does, `seen` is what it was asked."""

    def __init__(self):
        self.seen = []
        self.status = 200
        self.events = []
        self.gone = asyncio.Event()
        self.hang = False
        self.headers = {}

    async def handle(self, request):
        self.seen.append((request.path, request.headers.get("Authorization"), await request.json()))
        if self.status != 200:
            error = {"error": {"message": "scripted refusal"}}
            return aiohttp.web.json_response(error, status=self.status, headers=self.headers)
        if request.path.endswith("embeddings"):
            texts = self.seen[-1][2]["input"]
            data = [{"index": index, "embedding": [3.0, 4.0 * index]} for index in range(len(texts))]
            return aiohttp.web.json_response({"data": data[::-1], "usage": {"prompt_tokens": 7}})
        reply = aiohttp.web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await reply.prepare(request)
        try:
            for event in self.events:
                await reply.write(f"data: {json.dumps(event)}\n\n".encode())
            while self.hang:
                await asyncio.sleep(0.01)
                await reply.write(b": still here\n\n")
            await reply.write(b"data: [DONE]\n\n")
        except ConnectionError:
            self.gone.set()
        return reply


def delta(text, finish=None, **more):
    return {"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": finish, **more}]}


USAGE = {
    "choices": [],
    "usage": {"prompt_tokens": 9, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 4}},
}


def with_upstream(body, tmp_path, *, options=None, **settings):
    async def go():
        upstream = Upstream()
        app = aiohttp.web.Application()
        app.router.add_post("/v1/{rest:.*}", upstream.handle)
        runner = aiohttp.web.AppRunner(app)
        await runner.setup()
        site = aiohttp.web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = site._server.sockets[0].getsockname()[1]
        pool = EnginePool(EngineSettings(**settings), tmp_path)
        base = {"protocol": "openai", "base_url": f"http://127.0.0.1:{port}/v1", "model": "big"}
        try:
            engine = await pool.engine(LoadSpec("far.big-v1:0", "remote", None, 64, base | (options or {})))
            return await asyncio.wait_for(body(upstream, engine), 20)
        finally:
            await pool.close()
            await runner.cleanup()

    return asyncio.run(go())


async def drain(engine, request):
    return [event async for event in engine.converse(request)]


def test_chat_streams_and_passes_everything_on(tmp_path, monkeypatch):
    monkeypatch.setenv("FAR_KEY", "sesame")

    async def body(upstream, engine):
        upstream.events = [delta("Hel"), delta("lo"), delta(None, "length"), USAGE]
        sampling = Sampling(max_tokens=2, temperature=0.5, top_p=0.9, seed=3, stop=("X",), top_k=5, logit_bias={7: 1.0})
        image = Message("user", (Text("see"), Media("image", "png", b"\x89PNG"), Document("d", "text")))
        request = GenerationRequest(
            messages=(image, Message("assistant", (Text("ok"),)), image), system="be", sampling=sampling
        )
        events = await drain(engine, request)
        assert text_of(events) == "Hello"
        finish = finish_of(events)
        assert (finish.reason, finish.usage.input_tokens, finish.usage.output_tokens) == ("max_tokens", 5, 2)
        assert finish.usage.cache_read_tokens == 4
        path, key, sent = upstream.seen[0]
        assert (path, key) == ("/v1/chat/completions", "Bearer sesame")
        assert sent["messages"][0] == {"role": "system", "content": "be"}
        assert sent["messages"][1]["content"][1]["image_url"]["url"].startswith("data:image/png;base64,")
        assert sent["messages"][2] == {"role": "assistant", "content": "ok"}
        expected = {"model": "big", "max_tokens": 2, "temperature": 0.5, "top_p": 0.9, "seed": 3, "top_k": 5}
        assert expected.items() <= sent.items()
        assert (sent["stop"], sent["logit_bias"], "min_p" in sent) == (["X"], {"7": 1.0}, False)

    with_upstream(body, tmp_path, options={"api_key_env": "FAR_KEY"})


def test_stop_sequence_where_the_server_tells_it(tmp_path):
    async def body(upstream, engine):
        upstream.events = [delta("a"), delta("", "stop", stop_reason="X"), USAGE]
        finish = finish_of(await drain(engine, conversation("q", stop=("X",))))
        assert (finish.reason, finish.stop_sequence) == ("stop_sequence", "X")

    with_upstream(body, tmp_path)


def test_raw_prompts_use_completions(tmp_path):
    async def body(upstream, engine):
        upstream.events = [{"choices": [{"text": "abc", "finish_reason": "stop"}]}, USAGE]
        events = await drain(engine, GenerationRequest(prompt="raw"))
        assert (text_of(events), upstream.seen[0][0]) == ("abc", "/v1/completions")

    with_upstream(body, tmp_path)


def test_logprobs(tmp_path):
    async def body(upstream, engine):
        scored = {"token": "a", "logprob": -0.5, "bytes": [97], "top_logprobs": [{"token": "b", "logprob": -1.0}]}
        upstream.events = [delta("a", "stop", logprobs={"content": [scored]}), USAGE]
        (event, _) = await drain(engine, GenerationRequest(messages=conversation("q").messages, logprobs=1))
        assert (event.logprobs[0].logprob, event.logprobs[0].top) == (-0.5, (("b", b"b", -1.0),))

    with_upstream(body, tmp_path)


def test_embeddings_in_order_and_of_unit_length(tmp_path):
    async def body(upstream, engine):
        made = await engine.embed(["a", "b"])
        assert made.vectors[0] == pytest.approx((1.0, 0.0))
        assert made.vectors[1] == pytest.approx((0.6, 0.8))
        assert sum(made.token_counts) == 7

    with_upstream(body, tmp_path)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, InvalidRequest),
        (404, InvalidRequest),
        (401, ModelFailure),
        (408, ModelTimeout),
        (429, Throttled),
        (500, ModelFailure),
        (503, Unavailable),
    ],
)
def test_each_refusal_is_the_declared_error(tmp_path, status, error):
    async def body(upstream, engine):
        upstream.status, upstream.headers = status, {"Retry-After": "7"}
        with pytest.raises(error, match="scripted refusal") as caught:
            await drain(engine, conversation("q"))
        assert type(caught.value) is error
        if status == 429:
            assert caught.value.retry_after_s == 7

    with_upstream(body, tmp_path)


def test_broken_off_wrong_and_silent_answers_are_failures(tmp_path):
    async def body(upstream, engine):
        upstream.events = [delta("a")]
        with pytest.raises(ModelFailure, match="broke off"):
            await drain(engine, conversation("q"))
        upstream.events = [{"choices": "nonsense"}]
        with pytest.raises(ModelFailure, match="expected form"):
            await drain(engine, conversation("q"))
        upstream.events = [delta("a"), {"error": {"message": "out of memory"}}]
        with pytest.raises(ModelFailure, match="out of memory"):
            await drain(engine, conversation("q"))

    with_upstream(body, tmp_path)


def test_leaving_early_hangs_up(tmp_path):
    async def body(upstream, engine):
        upstream.events, upstream.hang = [delta("a")], True
        async with aclosing(engine.converse(conversation("q"))) as stream:
            await anext(stream)
        await asyncio.wait_for(upstream.gone.wait(), 2)

    with_upstream(body, tmp_path)


def test_nobody_there(tmp_path):
    async def body(upstream, engine):
        with pytest.raises(Unavailable, match="no connection"):
            await drain(engine, conversation("q"))

    with_upstream(body, tmp_path, options={"base_url": "http://127.0.0.1:1/v1"})


def test_what_is_not_passed_on_is_refused(tmp_path):
    async def body(upstream, engine):
        for request in (
            GenerationRequest(prompt="a", tools=(ToolSpec("t", "", {}),)),
            GenerationRequest(prompt="a", schema={}),
            GenerationRequest(messages=conversation("q").messages, sampling=Sampling(beams=2)),
            GenerationRequest(prompt="a", echo=True),
            GenerationRequest(messages=(Message("user", (Media("video", "mp4", b""),)),)),
        ):
            with pytest.raises(InvalidRequest):
                await drain(engine, request)
        with pytest.raises(InvalidRequest, match="counts tokens"):
            await engine.render(conversation("q"))
        assert upstream.seen == []

    with_upstream(body, tmp_path)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"protocol": None}, InvalidRequest),
        ({"protocol": "gopher"}, Unknown),
        ({"model": ""}, InvalidRequest),
        ({"base_url": None}, InvalidRequest),
        ({"api_key_env": "NOT_SET_ANYWHERE"}, InvalidRequest),
    ],
)
def test_wrong_options_are_refused(tmp_path, options, error):
    with pytest.raises(error):
        with_upstream(None, tmp_path, options=options)

"""The openai client as it comes, on both of the paths that clients use."""

from __future__ import annotations

import asyncio

import openai
import pytest

FAKE = "rocamadre.fake-v1:0"
EMBEDDER = "rocamadre.fake-embed-v1:0"


@pytest.fixture(params=["/v1", "/openai/v1"])
def client(server_url, request):
    with openai.OpenAI(base_url=server_url + request.param, api_key="anything", max_retries=0) as made:
        yield made


def chat(client, text, **options):
    return client.chat.completions.create(model=FAKE, messages=[{"role": "user", "content": text}], **options)


def test_models(client):
    assert {FAKE, EMBEDDER} <= {model.id for model in client.models.list()}
    assert client.models.retrieve(FAKE).id == FAKE


def test_chat_and_its_stream_say_the_same(client):
    whole = chat(client, "one two three", seed=7)
    assert whole.choices[0].finish_reason == "stop"
    assert whole.usage.total_tokens == whole.usage.prompt_tokens + whole.usage.completion_tokens
    chunks = list(chat(client, "one two three", seed=7, stream=True, stream_options={"include_usage": True}))
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == whole.choices[0].message.content
    assert "one two three" in text
    assert chunks[-1].usage == whole.usage
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"


def test_limits_stops_and_several_choices(client):
    assert chat(client, "a b c d e", max_tokens=2).choices[0].finish_reason == "length"
    stopped = chat(client, "alpha beta", stop=["beta"]).choices[0]
    assert stopped.finish_reason == "stop"
    assert "beta" not in stopped.message.content
    assert [choice.index for choice in chat(client, "x", n=2).choices] == [0, 1]


def test_completions_with_echo(client):
    answer = client.completions.create(model=FAKE, prompt="Once upon", echo=True, max_tokens=4, logprobs=1)
    assert answer.choices[0].text.startswith("Once upon")
    assert len(answer.choices[0].logprobs.tokens) == len(answer.choices[0].logprobs.token_logprobs)


def test_embeddings_in_both_encodings(client):
    texts = ["a river", "a lake"]
    plain = client.embeddings.create(model=EMBEDDER, input=texts, encoding_format="float")
    packed = client.embeddings.create(model=EMBEDDER, input=texts)  # The client asks for base64 by itself.
    assert [item.index for item in plain.data] == [0, 1]
    for one, other in zip(plain.data, packed.data, strict=True):
        assert one.embedding == pytest.approx(other.embedding, abs=1e-6)
        assert sum(x * x for x in one.embedding) == pytest.approx(1, abs=1e-4)
    assert plain.usage.prompt_tokens == 4


@pytest.mark.parametrize(
    ("ask", "kind"),
    [
        (lambda client: chat(client, "x", temperature=9), openai.BadRequestError),
        (lambda client: chat(client, "x", max_tokens=-1), openai.BadRequestError),
        (lambda client: client.chat.completions.create(model=FAKE, messages=[]), openai.BadRequestError),
        (lambda client: client.models.retrieve("nobody-knows"), openai.NotFoundError),
        (lambda client: client.chat.completions.create(model="nobody.knows", messages=[]), openai.APIStatusError),
        (lambda client: client.moderations.create(input="x"), openai.NotFoundError),
        (lambda client: client.vector_stores.list(), openai.NotFoundError),
    ],
)
def test_refusals_are_errors_of_the_client(client, ask, kind):
    with pytest.raises(kind) as refused:
        ask(client)
    assert 400 <= refused.value.status_code < 500
    assert refused.value.message


def test_keys_are_checked(locked_server):
    with openai.OpenAI(base_url=f"{locked_server.address}/v1", api_key=locked_server.bearer, max_retries=0) as client:
        assert "hi" in chat(client, "hi").choices[0].message.content
    with openai.OpenAI(base_url=f"{locked_server.address}/v1", api_key="wrong", max_retries=0) as client:
        with pytest.raises(openai.AuthenticationError):
            chat(client, "hi")


def test_the_async_client(server_url):
    async def ask():
        async with openai.AsyncOpenAI(base_url=f"{server_url}/v1", api_key="anything", max_retries=0) as client:
            answers = await asyncio.gather(
                *(
                    client.chat.completions.create(
                        model=FAKE, messages=[{"role": "user", "content": f"number {index}"}]
                    )
                    for index in range(8)
                )
            )
            stream = await client.chat.completions.create(
                model=FAKE, messages=[{"role": "user", "content": "streamed"}], stream=True
            )
            return answers, [chunk async for chunk in stream]

    answers, chunks = asyncio.run(ask())
    assert all(f"number {index}" in answer.choices[0].message.content for index, answer in enumerate(answers))
    assert "streamed" in "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)

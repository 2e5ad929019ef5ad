"""Message batches with the anthropic clients as they come, on a real server with its worker."""

from __future__ import annotations

import asyncio
import time

import anthropic
import pytest

FAKE = "rocamadre.fake-v1:0"
LONGEST_S = 60.0


def ask(custom_id, text, **change):
    params = {"model": FAKE, "max_tokens": 32, "messages": [{"role": "user", "content": text}]}
    return {"custom_id": custom_id, "params": params | change}


def ended(batches, batch_id):
    deadline = time.monotonic() + LONGEST_S
    while (batch := batches.retrieve(batch_id)).processing_status != "ended":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return batch


def clients(running):
    """Each sort of client of a server, with keys that it takes."""
    base = {"base_url": f"{running.address}/anthropic", "max_retries": 0}
    keys = {"aws_access_key": running.access_key, "aws_secret_key": running.secret_key, "aws_region": "us-east-1"}
    return {
        "anthropic": anthropic.Anthropic(api_key=running.bearer, **base),
        "no prefix": anthropic.Anthropic(api_key=running.bearer, **base | {"base_url": running.address}),
        "mantle": anthropic.AnthropicBedrockMantle(**keys, **base),
    }


@pytest.mark.parametrize("which", ["anthropic", "no prefix", "mantle"])
@pytest.mark.parametrize("auth", ["open", "required"])
def test_a_batch_from_its_requests_to_its_deletion(request, which, auth):
    running = request.getfixturevalue("fake_server" if auth == "open" else "locked_server")
    with clients(running)[which] as client:
        batches = client.messages.batches
        made = batches.create(requests=[*(ask(f"n{n}", f"number {n}") for n in range(20)), ask("bad", "x", top_k=-1)])
        assert made.request_counts.processing == 21
        batch = ended(batches, made.id)
        counts = batch.request_counts
        assert (counts.succeeded, counts.errored, counts.processing) == (20, 1, 0)
        assert batch.created_at < batch.ended_at < batch.expires_at
        assert batch.results_url.startswith(running.address)
        results = {line.custom_id: line.result for line in batches.results(made.id)}
        assert len(results) == 21
        for n in range(20):
            message = results[f"n{n}"].message
            assert isinstance(message, anthropic.types.Message)
            assert message.content[0].text.endswith(f"number {n}")
        error = results["bad"].error.error
        assert (error.type, "top_k" in error.message) == ("invalid_request_error", True)
        assert made.id in [each.id for each in batches.list(limit=1)]
        assert batches.delete(made.id).type == "message_batch_deleted"
        with pytest.raises(anthropic.NotFoundError):
            batches.retrieve(made.id)


def test_a_batch_that_is_cancelled(fake_server):
    with clients(fake_server)["anthropic"] as client:
        batches = client.messages.batches
        made = batches.create(requests=[ask(f"n{n}", f"number {n}") for n in range(2000)])
        assert batches.cancel(made.id).processing_status in ("canceling", "ended")
        batch = ended(batches, made.id)
        assert batch.cancel_initiated_at >= batch.created_at
        counts = batch.request_counts
        assert counts.canceled > 0
        assert (counts.canceled + counts.succeeded, counts.processing) == (2000, 0)
        kinds = [line.result.type for line in batches.results(made.id)]
        assert (kinds.count("canceled"), kinds.count("succeeded")) == (counts.canceled, counts.succeeded)
        with pytest.raises(anthropic.BadRequestError, match="has ended"):
            batches.cancel(made.id)


def test_the_beta_batches_and_the_async_client(fake_server):
    with clients(fake_server)["anthropic"] as client:
        batches = client.beta.messages.batches
        made = batches.create(requests=[ask("a", "hello")], betas=["message-batches-2024-09-24"])
        ended(batches, made.id)
        (line,) = batches.results(made.id)
        assert line.result.message.content[0].text.endswith("hello")

    async def go():
        url = f"{fake_server.address}/anthropic"
        async with anthropic.AsyncAnthropic(base_url=url, api_key="anything", max_retries=0) as client:
            return [line.custom_id async for line in await client.messages.batches.results(made.id)]

    assert asyncio.run(go()) == ["a"]


def test_tools_and_schemas_in_a_batch(fake_server):
    schema = {
        "type": "object",
        "properties": {"n": {"type": "integer"}},
        "required": ["n"],
        "additionalProperties": False,
    }
    tool = {"name": "count", "input_schema": schema}
    with clients(fake_server)["anthropic"] as client:
        batches = client.messages.batches
        made = batches.create(
            requests=[
                ask("tool", "x", tools=[tool], tool_choice={"type": "any"}),
                ask("schema", "x", output_config={"format": {"type": "json_schema", "schema": schema}}),
            ]
        )
        ended(batches, made.id)
        results = {line.custom_id: line.result.message for line in batches.results(made.id)}
    assert (results["tool"].stop_reason, results["tool"].content[-1].name) == ("tool_use", "count")
    assert '"n"' in results["schema"].content[0].text

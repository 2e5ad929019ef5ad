"""Bodies that no client would send: refused in OpenAI's form, never a server error."""

from __future__ import annotations

import json
from random import Random

import msgspec
import pytest

from rocamadre.core.settings import load_settings
from rocamadre.testing.inprocess import InProcessServer
from rocamadre.testing.requests import WireRequest

FAKE = "rocamadre.fake-v1:0"
SCHEMA = {"type": "object", "properties": {"a": {"enum": ["x", "y"]}}, "required": ["a"], "additionalProperties": False}
FUNCTION = {"name": "f", "description": "d", "parameters": SCHEMA, "strict": True}
CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"a": "x"}'}}
CHAT = {
    "model": FAKE,
    "messages": [
        {"role": "system", "content": "s"},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "t", "prompt_cache_breakpoint": {"mode": "explicit", "ttl": "30m"}},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,eA=="}},
                {"type": "input_audio", "input_audio": {"data": "eA==", "format": "wav"}},
                {"type": "file", "file": {"filename": "a.txt", "file_data": "eA=="}},
            ],
        },
        {"role": "assistant", "content": None, "reasoning_content": "r", "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "c", "content": [{"type": "text", "text": "t"}]},
    ],
    "tools": [{"type": "function", "function": FUNCTION}],
    "tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [{"type": "function"}]}},
    "parallel_tool_calls": True,
    "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA, "strict": True}},
    "stop": ["x"],
    "logprobs": True,
    "top_logprobs": 2,
    "n": 2,
    "logit_bias": {"1": 2},
    "metadata": {"a": "b"},
    "prompt_cache_options": {"mode": "implicit"},
    "max_completion_tokens": 5,
    "stream": True,
    "stream_options": {"include_usage": True},
}
PLAIN_CHAT = {
    "model": FAKE,
    "messages": [{"role": "user", "content": "x"}],
    "tools": [{"type": "function", "function": FUNCTION}],
    "tool_choice": "required",
    "max_tokens": 5,
}
RESPONSE = {
    "model": FAKE,
    "input": [
        {"role": "developer", "content": [{"type": "input_text", "text": "t"}]},
        {"role": "user", "content": [{"type": "input_text", "text": "t"}]},
        {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "s"}], "content": []},
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}", "status": "completed"},
        {"type": "function_call_output", "call_id": "c", "output": [{"type": "input_text", "text": "t"}]},
    ],
    "instructions": "i",
    "tools": [{"type": "function", **FUNCTION}],
    "tool_choice": {"type": "function", "name": "f"},
    "text": {"format": {"type": "json_object"}, "verbosity": "medium"},
    "reasoning": {"effort": "medium"},
    "include": ["message.output_text.logprobs"],
    "top_logprobs": 2,
    "metadata": {"a": "b"},
    "truncation": "auto",
    "previous_response_id": None,
    "store": True,
    "max_output_tokens": 5,
    "temperature": 0.5,
    "stream": False,
}
COMPLETION = {
    "model": FAKE,
    "prompt": ["a b", "c"],
    "echo": True,
    "logprobs": 2,
    "n": 2,
    "best_of": 2,
    "max_tokens": 3,
    "stop": "x",
    "stream_options": None,
    "top_k": 4,
    "min_p": 0.1,
}
EMBEDDING = {"model": "rocamadre.fake-embed-v1:0", "input": ["a", "b"], "encoding_format": "base64", "dimensions": 256}
BODIES = [
    ("/v1/chat/completions", CHAT),
    ("/v1/chat/completions", PLAIN_CHAT),
    ("/v1/responses", RESPONSE),
    ("/v1/responses", {**RESPONSE, "stream": True, "background": True}),
    ("/v1/completions", COMPLETION),
    ("/v1/embeddings", EMBEDDING),
]
NEST = '{"items":' * 195 + "{}" + "}" * 195
WEIRD = [
    None, True, False, 0, -1, 1.5, 1e308, 1 << 64, -(1 << 70), "", " ", "\x00", "a" * 3000, "é☃\u202e", "data:,",
    "auto", "data:image/png;base64,", "resp_1",
    FAKE, [], {}, [None], [[]], {"": None}, {"type": "function"}, {"type": "text"},
    {"$ref": "#"}, {"$ref": "#/properties/a"}, {"type": ["string", "null"]}, {"anyOf": []}, json.loads(NEST),
    ["a"] * 300, {str(index): index for index in range(200)},
]  # fmt: skip


def mutated(random, value):
    """The value with one random part replaced, removed or added."""
    if random.random() < 0.25 or not isinstance(value, dict | list) or not value:
        return random.choice(WEIRD)
    if isinstance(value, list):
        place = random.randrange(len(value))
        if random.random() < 0.1:
            return [*value, value[place]]
        return [mutated(random, each) if at == place else each for at, each in enumerate(value)]
    key = random.choice(list(value))
    if random.random() < 0.15:
        return {name: each for name, each in value.items() if name != key}
    if random.random() < 0.1:
        return {**value, random.choice(["", "x", key.upper()]): random.choice(WEIRD)}
    return {**value, key: mutated(random, value[key])}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    made = InProcessServer(load_settings(home=tmp_path_factory.mktemp("home")))
    yield made
    made.close()


def send(server, method, path, body=b"", query=b""):
    return server.send(WireRequest(method, path.encode(), query, {"content-type": "application/json"}, body))


def checked(answer, what):
    """The answer is whole, and an error is in the form that clients read."""
    assert 200 <= answer.status < 500, (answer.status, what, answer.body[:300])
    if answer.status == 200:
        assert b"The server failed at this request" not in answer.body, what
    else:
        error = json.loads(answer.body)["error"]
        assert set(error) == {"message", "type", "param", "code"}
        assert isinstance(error["message"], str)
        assert len(error["message"]) < 2500
    return answer.status


@pytest.mark.parametrize("seed", range(4))
def test_mutated_bodies(server, seed):
    random = Random(seed)
    statuses = []
    for _ in range(250):
        path, body = random.choice(BODIES)
        for _ in range(random.randint(1, 2)):
            body = mutated(random, body)
        data = msgspec.json.encode(body)
        statuses.append(checked(send(server, "POST", path, data), data[:2000]))
    assert statuses.count(200) > 5
    assert statuses.count(400) > 100


@pytest.mark.parametrize(("path", "body"), BODIES)
def test_damaged_text(server, path, body):
    data = msgspec.json.encode(body)
    random = Random(len(data))
    for _ in range(60):
        damaged = bytearray(data)
        for _ in range(random.randint(1, 3)):
            damaged[random.randrange(len(damaged))] = random.randrange(256)
        checked(send(server, "POST", path, bytes(damaged)), bytes(damaged))


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/chat/completions", {"messages": [{"role": "user", "content": "x"}]}),
        ("/openai/v1/responses", {"input": "x"}),
        ("/openai/v1/completions", {"prompt": "x"}),
        ("/v1/embeddings", {"input": "x"}),
    ],
)
@pytest.mark.parametrize("name", ["gr-1", "nosuch"])
def test_guardrails_that_cannot_apply_are_refused_not_ignored(server, path, body, name):
    headers = {"X-Amzn-Bedrock-GuardrailIdentifier": name, "X-Amzn-Bedrock-GuardrailVersion": "1"}
    answer = server.send(WireRequest("POST", path.encode(), b"", headers, msgspec.json.encode({"model": FAKE, **body})))
    assert checked(answer, path) in (400, 404)
    assert "guardrail" in json.loads(answer.body)["error"]["message"].lower()


def test_what_bodies_begin_as_works(server):
    """Or the tests above would only see refusals."""
    plain = {**RESPONSE, "tool_choice": "none", "text": {"format": {"type": "text"}}}
    for path, body in (*BODIES[1:2], ("/v1/responses", plain), *BODIES[4:]):
        assert send(server, "POST", path, msgspec.json.encode(body)).status == 200, path


@pytest.mark.parametrize(
    "response_id", ["x", "resp_" + "a" * 500, "%00", "..%2F..", "%C3%A9", "' OR 1=1 --".replace(" ", "%20")]
)
@pytest.mark.parametrize(
    ("method", "tail"), [("GET", ""), ("DELETE", ""), ("POST", "/cancel"), ("GET", "/input_items")]
)
def test_ids_of_nothing(server, method, tail, response_id):
    answer = send(server, method, f"/v1/responses/{response_id}{tail}")
    assert checked(answer, response_id) == 404
    assert json.loads(answer.body)["error"]["param"] == "response_id"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/moderations"),
        ("GET", "/openai/v1/assistants/a"),
        ("GET", "/v1/chat/completions"),
        ("DELETE", "/v1/chat/completions/chatcmpl-1"),
        ("POST", "/v1/responses/compact"),
        ("POST", "/v1/threads/a/runs/b"),
    ],
)
def test_absent_parts_say_so(server, method, path):
    answer = send(server, method, path, b"{}")
    assert checked(answer, path) == 404
    assert path in json.loads(answer.body)["error"]["message"]

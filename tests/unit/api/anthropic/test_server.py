"""Anthropic's wire through the whole server: what fails before and beside its endpoints."""

import json

import pytest

from rocamadre.core.settings import load_settings
from rocamadre.testing.inprocess import InProcessServer
from rocamadre.testing.requests import WireRequest

KEY = {"x-api-key": "anything"}
BODY = json.dumps(
    {"model": "fake", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}], "metadata": {"user_id": "a"}}
).encode()


@pytest.fixture
def make_server(tmp_path):
    made = []

    def make(**settings):
        made.append(InProcessServer(load_settings(home=tmp_path / str(len(made)), **settings)))
        return made[-1]

    yield make
    for server in made:
        server.close()


def send(server, method, path, body=b"", headers=KEY):
    answer = server.send(WireRequest(method, path.encode(), b"", {"content-type": "application/json"}, body), headers)
    return answer, json.loads(answer.body)


@pytest.mark.parametrize("path", ["/anthropic/v1/messages", "/v1/messages"])
def test_an_answer(make_server, path):
    answer, body = send(make_server(), "POST", path, BODY)
    assert answer.status == 200
    assert body["content"] == [{"type": "text", "text": "[fake] You said: hi"}]
    assert answer.headers["request-id"] == answer.headers["x-amzn-requestid"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "kind"),
    [
        ("GET", "/anthropic/v1/poems", b"", 404, "not_found_error"),
        ("GET", "/anthropic/v1/messages", b"", 405, "invalid_request_error"),
        ("GET", "/v1/messages", b"", 405, "invalid_request_error"),
        ("POST", "/anthropic/v1/messages", b"{", 400, "invalid_request_error"),
        ("POST", "/anthropic/v1/messages", b" " * 2_000_000, 413, "request_too_large"),
        ("POST", "/v1/messages", b" " * 2_000_000, 413, "request_too_large"),
        ("POST", "/anthropic/v1/messages/batches", b"{}", 400, "invalid_request_error"),
        ("PUT", "/anthropic/v1/messages/batches", b"", 405, "invalid_request_error"),
    ],
)
def test_errors_have_anthropics_form(make_server, method, path, body, status, kind):
    answer, error = send(make_server(server={"max_body_bytes": 1_000_000}), method, path, body)
    assert (answer.status, error["type"], error["error"]["type"]) == (status, "error", kind)
    assert error["request_id"] == answer.headers["request-id"]
    assert error["error"]["message"]


@pytest.mark.parametrize("headers", [{}, {"x-api-key": "wrong"}, {"x-api-key": ""}, {"authorization": "Bearer wrong"}])
def test_keys_are_wanted(make_server, headers):
    answer, error = send(make_server(server={"auth": "required"}), "POST", "/anthropic/v1/messages", BODY, headers)
    assert (answer.status, error["error"]["type"]) == (401, "authentication_error")


def test_too_much_at_once(make_server):
    server = make_server(limits={"requests_per_minute": 1})
    assert send(server, "POST", "/anthropic/v1/messages", BODY)[0].status == 200
    answer, error = send(server, "POST", "/anthropic/v1/messages", BODY)
    assert (answer.status, error["error"]["type"]) == (429, "rate_limit_error")
    assert int(answer.headers["retry-after"]) >= 1

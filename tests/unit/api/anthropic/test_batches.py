"""/v1/messages/batches on a server in this process."""

from __future__ import annotations

import json
import os
from datetime import timedelta

import pytest

from rocamadre.batch.anthropic import operations
from rocamadre.core.clock import FixedClock
from rocamadre.core.settings import load_settings
from rocamadre.testing.inprocess import ADDRESS, InProcessServer
from rocamadre.testing.jobs import inline_jobs
from rocamadre.testing.requests import WireRequest

FAKE = "rocamadre.fake-v1:0"
KEY = {"x-api-key": "anything"}
BATCHES = "/anthropic/v1/messages/batches"
SIGNED = (
    "AWS4-HMAC-SHA256 Credential={}/20261121/us-east-1/bedrock/aws4_request, SignedHeaders=host, Signature=" + "0" * 64
)


class Wire:
    """Sends to a server, and does its jobs."""

    def __init__(self, server):
        self.server = server
        self.drain = inline_jobs(server).drain

    @property
    def home(self):
        return self.server.platform.settings.home

    def send(self, method, path, body=b"", *, query="", headers=KEY):
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        wire = WireRequest(method, path.encode(), query.encode(), {"content-type": "application/json"}, body)
        return self.server.send(wire, headers)

    def ok(self, *arguments, **options):
        answer = self.send(*arguments, **options)
        assert answer.status == 200, answer.body
        assert answer.headers["request-id"]
        return json.loads(answer.body)

    def refused(self, *arguments, **options):
        answer = self.send(*arguments, **options)
        error = json.loads(answer.body)
        assert (error["type"], error["request_id"]) == ("error", answer.headers["request-id"])
        return answer.status, error["error"]["type"], error["error"]["message"]

    def create(self, *requests, path=BATCHES):
        return self.ok("POST", path, {"requests": requests})

    def results(self, batch_id, path=BATCHES):
        answer = self.send("GET", f"{path}/{batch_id}/results")
        assert (answer.status, answer.headers["content-type"]) == (200, "application/x-jsonl")
        return [json.loads(line) for line in answer.body.splitlines()]


def ask(custom_id, text, **change):
    params = {"model": FAKE, "max_tokens": 32, "messages": [{"role": "user", "content": text}]}
    return {"custom_id": custom_id, "params": params | change}


@pytest.fixture(scope="module")
def wire(tmp_path_factory):
    settings = load_settings(
        home=tmp_path_factory.mktemp("home"),
        catalog={"default_model": FAKE},
        server={"max_body_bytes": 20_000},
        batch={"max_message_batch_bytes": 100_000, "max_records": 40},
    )
    made = InProcessServer(settings)
    yield Wire(made)
    made.close()


@pytest.mark.parametrize("path", [BATCHES, "/v1/messages/batches"])
def test_a_batch_from_its_requests_to_its_results(wire, path):
    wishes = [
        ask("good-0", "zero"),
        ask("none", "x", model="nobody"),
        ask("good_1", "one", model="claude-sonnet-5"),
        ask("long", "x" * 21_000),
        ask("wrong", "x", max_tokens=0),
        ask("streamed", "x", stream=True),
    ]
    batch = wire.create(*wishes, path=path)
    assert batch["id"].startswith("msgbatch_")
    assert (batch["type"], batch["processing_status"]) == ("message_batch", "in_progress")
    counts = dict.fromkeys(("processing", "succeeded", "errored", "canceled", "expired"), 0)
    assert batch["request_counts"] == counts | {"processing": 6}
    assert {batch[name] for name in ("ended_at", "cancel_initiated_at", "archived_at", "results_url")} == {None}
    status, kind, message = wire.refused("GET", f"{path}/{batch['id']}/results")
    assert (status, kind) == (404, "not_found_error")
    assert "in_progress" in message
    assert wire.refused("DELETE", f"{path}/{batch['id']}")[:2] == (400, "invalid_request_error")
    wire.drain()
    ended = wire.ok("GET", f"{path}/{batch['id']}")
    assert ended["processing_status"] == "ended"
    assert ended["request_counts"] == counts | {"succeeded": 2, "errored": 4}
    assert ended["created_at"] == batch["created_at"] < ended["ended_at"] < ended["expires_at"]
    assert ended["results_url"] == f"{ADDRESS}{path}/{batch['id']}/results"
    lines = {line["custom_id"]: line["result"] for line in wire.results(batch["id"], path)}
    assert list(lines) == [wish["custom_id"] for wish in wishes]
    for custom_id, text, model in (("good-0", "zero", FAKE), ("good_1", "one", "claude-sonnet-5")):
        result = lines[custom_id]
        assert result["type"] == "succeeded"
        assert result["message"]["content"][0]["text"].endswith(text)
        assert (result["message"]["type"], result["message"]["model"]) == ("message", model)
    for custom_id, kind, words in (
        ("none", "not_found_error", "nobody"),
        ("long", "request_too_large", "at most 20000"),
        ("wrong", "invalid_request_error", "max_tokens"),
        ("streamed", "invalid_request_error", "stream"),
    ):
        result = lines[custom_id]
        assert (result["type"], result["error"]["type"], result["error"]["error"]["type"]) == ("errored", "error", kind)
        assert words in result["error"]["error"]["message"]
    assert wire.ok("DELETE", f"{path}/{batch['id']}") == {"id": batch["id"], "type": "message_batch_deleted"}
    for method, end in (("GET", ""), ("GET", "/results"), ("POST", "/cancel"), ("DELETE", "")):
        assert wire.refused(method, f"{path}/{batch['id']}{end}")[:2] == (404, "not_found_error")
    assert not (wire.home / "message-batches" / batch["id"]).exists()
    assert list((wire.home / "runs").iterdir()) == []


def test_a_request_may_be_written_over_several_lines(wire):
    body = json.dumps({"requests": [ask("one", "first\nsecond")]}, indent=2).encode()
    batch = wire.ok("POST", BATCHES, body)
    wire.drain()
    (line,) = wire.results(batch["id"])
    assert line["result"]["message"]["content"][0]["text"].endswith("first\nsecond")


def test_a_batch_cancelled_before_it_began(wire):
    batch = wire.create(ask("a", "x"), ask("b", "y"))
    cancelled = wire.ok("POST", f"{BATCHES}/{batch['id']}/cancel")
    assert cancelled["processing_status"] == "ended"
    assert cancelled["cancel_initiated_at"] == cancelled["ended_at"]
    assert (cancelled["request_counts"]["canceled"], cancelled["request_counts"]["processing"]) == (2, 0)
    wire.drain()
    assert wire.results(batch["id"]) == [{"custom_id": name, "result": {"type": "canceled"}} for name in "ab"]
    status, kind, message = wire.refused("POST", f"{BATCHES}/{batch['id']}/cancel")
    assert (status, kind) == (400, "invalid_request_error")
    assert "has ended" in message
    assert wire.ok("DELETE", f"{BATCHES}/{batch['id']}")["id"] == batch["id"]


def test_pages(wire):
    ids = [wire.create(ask("a", "x"))["id"] for _ in range(5)][::-1]
    wire.drain()
    page = wire.ok("GET", BATCHES, query="limit=2")
    assert [batch["id"] for batch in page["data"]] == ids[:2]
    assert (page["first_id"], page["last_id"], page["has_more"]) == (ids[0], ids[1], True)
    page = wire.ok("GET", BATCHES, query=f"limit=2&after_id={ids[1]}")
    assert [batch["id"] for batch in page["data"]] == ids[2:4]
    page = wire.ok("GET", BATCHES, query=f"limit=2&before_id={ids[1]}")
    assert ([batch["id"] for batch in page["data"]], page["has_more"]) == (ids[:1], False)
    for query in ("limit=0", "limit=1001", "limit=x", "after_id=msgbatch_none", "before_id=msgbatch_none"):
        assert wire.refused("GET", BATCHES, query=query)[:2] == (400, "invalid_request_error")


def test_accounts_do_not_see_each_other(wire):
    other = {"authorization": SIGNED.format("1" * 12), "x-amz-date": "20261121T000000Z"}
    batch = wire.ok("POST", BATCHES, {"requests": [ask("a", "x")]}, headers=other)
    assert [each["id"] for each in wire.ok("GET", BATCHES, headers=other)["data"]] == [batch["id"]]
    assert batch["id"] not in [each["id"] for each in wire.ok("GET", BATCHES)["data"]]
    wire.drain()
    for method, end in (("GET", ""), ("GET", "/results"), ("POST", "/cancel"), ("DELETE", "")):
        assert wire.refused(method, f"{BATCHES}/{batch['id']}{end}")[0] == 404
    assert wire.ok("GET", f"{BATCHES}/{batch['id']}", headers=other)["request_counts"]["succeeded"] == 1


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "empty"),
        (b"{", "not valid JSON"),
        (b"[]", "valid dictionary"),
        ({}, "requests: Field required"),
        ({"requests": {}}, "requests: Input should be a valid list"),
        ({"requests": []}, "requests: List should have at least 1"),
        ({"requests": [ask("a", "x")], "more": 1}, "more: Extra inputs"),
        ({"requests": [1]}, "requests.0: Input should be a valid dictionary"),
        ({"requests": [{"params": {}}]}, "requests.0.custom_id: Field required"),
        ({"requests": [{"custom_id": "a"}]}, "requests.0.params: Field required"),
        ({"requests": [{"custom_id": 1, "params": {}}]}, "requests.0.custom_id: Input should be a valid string"),
        ({"requests": [{"custom_id": "a", "params": []}]}, "requests.0.params: Input should be a valid dictionary"),
        ({"requests": [ask("a", "x") | {"more": 1}]}, "requests.0.more: Extra inputs"),
        ({"requests": [ask("a", "x"), ask("a", "y")]}, "requests.1.custom_id: 'a' is used twice"),
        ({"requests": [ask("a", "x"), ask("", "y")]}, "requests.1.custom_id: String should match"),
        ({"requests": [ask("ü", "x")]}, "requests.0.custom_id: String should match"),
        ({"requests": [ask("a\n", "x")]}, "requests.0.custom_id: String should match"),
        ({"requests": [ask("a" * 65, "x")]}, "requests.0.custom_id: String should match"),
        ({"requests": [ask(f"n{n}", "x") for n in range(41)]}, "at most 40 items"),
        (b'{"requests": [{"custom_id": "a", "params": ' + b'{"a":' * 5000 + b"1" + b"}" * 5002, "not valid JSON"),
    ],
)
def test_batches_that_are_refused_leave_nothing(wire, body, says):
    before = set(os.listdir(wire.home / "message-batches"))
    status, kind, message = wire.refused("POST", BATCHES, body)
    assert (status, kind) == (400, "invalid_request_error")
    assert says in message
    assert set(os.listdir(wire.home / "message-batches")) == before


@pytest.mark.parametrize(
    ("headers", "setting"),
    [
        (KEY, "batch.max_message_batch_bytes"),
        ({"authorization": SIGNED.format("AKID"), "x-amz-date": "20261121T000000Z"}, "server.max_body_bytes"),
    ],
)
def test_a_body_that_is_too_large(wire, headers, setting):
    status, kind, message = wire.refused("POST", BATCHES, b" " * 100_001, headers=headers)
    assert (status, kind) == (413, "request_too_large")
    assert setting in message


def test_a_version_that_is_none_and_a_missing_key(wire):
    for method, path in (("POST", BATCHES), ("GET", BATCHES), ("GET", f"{BATCHES}/b")):
        assert wire.refused(method, path, headers=KEY | {"anthropic-version": "new"})[0] == 400
        assert wire.refused(method, path, headers={})[:2] == (401, "authentication_error")


def at(wire, moment, monkeypatch):
    """Let server and jobs believe that it is some moment."""
    clock = FixedClock(moment)
    monkeypatch.setattr(type(wire.server.platform.clock), "now", lambda _: clock.now())


def test_requests_not_come_to_in_a_day_have_expired(wire, monkeypatch):
    batch = wire.create(ask("a", "x"), ask("b", "y"))
    at(wire, wire.server.platform.clock.now() + timedelta(hours=25), monkeypatch)
    wire.drain()
    ended = wire.ok("GET", f"{BATCHES}/{batch['id']}")
    assert (ended["processing_status"], ended["request_counts"]["expired"]) == ("ended", 2)
    assert wire.results(batch["id"]) == [{"custom_id": name, "result": {"type": "expired"}} for name in "ab"]


def test_results_are_kept_for_29_days(wire, monkeypatch):
    batch = wire.create(ask("a", "x"))
    wire.drain()
    folder = wire.home / "message-batches" / batch["id"]
    os.utime(folder, (1, 1))
    wire.create(ask("a", "x"))
    assert (folder / "results.jsonl").exists()
    at(wire, wire.server.platform.clock.now() + timedelta(days=30), monkeypatch)
    old = wire.ok("GET", f"{BATCHES}/{batch['id']}")
    assert (old["results_url"], old["request_counts"]["succeeded"]) == (None, 1)
    assert old["archived_at"]
    assert "archived" in wire.refused("GET", f"{BATCHES}/{batch['id']}/results")[2]
    wire.create(ask("a", "x"))
    assert not folder.exists()


def test_a_batch_that_cannot_be_brought_to_its_end_has_errors(wire):
    batch = wire.create(ask("a", "x"), ask("b", "y"))
    blocked = wire.home / "message-batches" / batch["id"] / ".results.jsonl"
    blocked.mkdir()
    wire.drain()
    ended = wire.ok("GET", f"{BATCHES}/{batch['id']}")
    assert (ended["processing_status"], ended["request_counts"]["errored"]) == ("ended", 2)
    lines = wire.results(batch["id"])
    assert [line["custom_id"] for line in lines] == ["a", "b"]
    assert {line["result"]["error"]["error"]["type"] for line in lines} == {"api_error"}
    assert wire.ok("DELETE", f"{BATCHES}/{batch['id']}")
    assert list((wire.home / "runs").iterdir()) == []


def test_nothing_is_kept_of_a_batch_that_could_not_be_recorded(wire, monkeypatch):
    before = set(os.listdir(wire.home / "message-batches"))

    def fails(*_):
        raise OSError("no")

    monkeypatch.setattr(operations, "insert_batch", fails)
    assert wire.send("POST", BATCHES, {"requests": [ask("a", "x")]}).status == 500
    assert set(os.listdir(wire.home / "message-batches")) == before

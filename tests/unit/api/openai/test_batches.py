"""/v1/files and /v1/batches with the openai client, on a server in this process."""

from __future__ import annotations

import json

import httpx
import openai
import pytest

from rocamadre.core.settings import load_settings
from rocamadre.testing.inprocess import ADDRESS, InProcessServer
from rocamadre.testing.jobs import inline_jobs
from rocamadre.testing.requests import WireRequest

FAKE = "rocamadre.fake-v1:0"
BEARER = {"authorization": "Bearer testing"}


class InProcess(httpx.BaseTransport):
    """httpx into the server, without a socket."""

    def __init__(self, server):
        self.server = server

    def handle_request(self, request):
        headers = {name: value for name, value in request.headers.items() if name != "host"}
        wire = WireRequest(
            request.method, request.url.raw_path.partition(b"?")[0], request.url.query, headers, request.read()
        )
        answer = self.server.send(wire, {})
        return httpx.Response(answer.status, headers=answer.headers, content=answer.body)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    made = InProcessServer(
        load_settings(
            home=tmp_path_factory.mktemp("home"),
            catalog={"default_model": FAKE, "default_embedder": "rocamadre.fake-embed-v1:0"},
            server={"max_body_bytes": 20_000},
            files={"max_file_bytes": 200_000, "max_account_bytes": 1_000_000},
        )
    )
    yield made
    made.close()


@pytest.fixture(scope="module")
def client(server):
    http = httpx.Client(transport=InProcess(server))
    with openai.OpenAI(base_url=f"{ADDRESS}/v1", api_key="testing", max_retries=0, http_client=http) as made:
        yield made


@pytest.fixture(scope="module")
def jobs(server):
    return inline_jobs(server)


def request(custom_id, text, **change):
    body = {"model": FAKE, "messages": [{"role": "user", "content": text}]}
    return {"custom_id": custom_id, "method": "POST", "url": "/v1/chat/completions", "body": body} | change


def upload(client, *lines, name="in.jsonl"):
    data = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines).encode()
    return client.files.create(file=(name, data), purpose="batch").id


def content(client, file_id):
    return [json.loads(line) for line in client.files.content(file_id).read().splitlines()]


def test_a_file_from_upload_to_deletion(client, server):
    data = bytes(range(256)) * 500
    file = client.files.create(file=("../evil/rows.bin", data), purpose="user_data")
    assert (file.filename, file.bytes, file.purpose, file.status) == ("rows.bin", len(data), "user_data", "processed")
    assert client.files.content(file.id).read() == data
    assert client.files.retrieve(file.id) == file
    assert file.id in [each.id for each in client.files.list(purpose="user_data")]
    assert file.id not in [each.id for each in client.files.list(purpose="batch")]
    stored = server.platform.settings.home / "files" / file.id
    assert stored.stat().st_mode & 0o077 == 0
    assert client.files.delete(file.id).deleted
    assert not stored.exists()
    for call in (client.files.retrieve, client.files.content, client.files.delete):
        with pytest.raises(openai.NotFoundError, match="No such File object"):
            call(file.id)


def test_files_are_listed_by_pages(client):
    made = [client.files.create(file=(f"{n}.txt", b"x"), purpose="evals").id for n in range(5)]
    assert [file.id for file in client.files.list(purpose="evals", order="asc", limit=2)] == made
    page = client.files.list(purpose="evals", limit=2)
    assert [file.id for file in page.data] == [made[4], made[3]]
    assert page.has_more


def test_a_file_that_expires(client):
    file = client.files.create(
        file=("a.txt", b"x"), purpose="user_data", expires_after={"anchor": "created_at", "seconds": 3600}
    )
    assert file.expires_at == file.created_at + 3600
    with pytest.raises(openai.BadRequestError, match="seconds"):
        client.files.create(
            file=("a.txt", b"x"), purpose="user_data", expires_after={"anchor": "created_at", "seconds": 1}
        )


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"purpose": "nonsense", "file": ("a.txt", b"x")}, "Supported values"),
        ({"purpose": "batch", "file": ("a.txt", b"x" * 200_001)}, "200000 bytes"),
    ],
)
def test_files_that_are_refused_leave_nothing(client, server, arguments, says):
    before = set((server.platform.settings.home / "files").iterdir())
    with pytest.raises(openai.BadRequestError, match=says):
        client.files.create(**arguments)
    assert set((server.platform.settings.home / "files").iterdir()) == before


def test_an_account_has_room_for_so_much(client):
    kept = [client.files.create(file=("big", b"x" * 190_000), purpose="user_data").id for _ in range(4)]
    with pytest.raises(openai.RateLimitError, match="max_account_bytes"):
        [client.files.create(file=("big", b"x" * 190_000), purpose="user_data") for _ in range(2)]
    for file in client.files.list(purpose="user_data"):
        client.files.delete(file.id)
    assert len(kept) == 4


PART = b'--B\r\nContent-Disposition: form-data; name="%s"%s\r\n\r\n%s\r\n'
FILE = PART % (b"file", b'; filename="a"', b"x")


@pytest.mark.parametrize(
    ("content_type", "body", "says"),
    [
        ("application/json", b"{}", "multipart/form-data"),
        ("multipart/form-data", b"", "boundary"),
        ("multipart/form-data; boundary=B", b"", "broke off"),
        ("multipart/form-data; boundary=B", FILE, "broke off"),
        ("multipart/form-data; boundary=B", b"rubbish", "form"),
        ("multipart/form-data; boundary=B", FILE + b"--B--\r\n", "purpose"),
        ("multipart/form-data; boundary=B", PART % (b"purpose", b"", b"batch") + b"--B--\r\n", "file"),
        ("multipart/form-data; boundary=B", FILE + FILE + b"--B--\r\n", "twice"),
        ("multipart/form-data; boundary=B", PART % (b"purpose", b"", b"b" * 20_000) + b"--B--\r\n", "longer than"),
        ("multipart/form-data; boundary=B", PART % (b"more", b"", b"x") + FILE + b"--B--\r\n", "Unknown parameter"),
        ("multipart/form-data; boundary=B", PART % (b"f", b"", b"x") * 40 + b"--B--\r\n", "at most 32"),
    ],
)
def test_forms_that_are_wrong(server, content_type, body, says):
    wire = WireRequest("POST", b"/v1/files", b"", {"content-type": content_type}, body)
    answer = server.send(wire, BEARER)
    assert answer.status == 400
    assert says in json.loads(answer.body)["error"]["message"]


def test_uploads_need_a_credential(server):
    answer = server.send(WireRequest("POST", b"/v1/files", b"", {"content-type": "text/plain"}, b"x"), {})
    assert answer.status == 401


def test_a_batch_from_its_file_to_its_output(client, jobs):
    good = [request(f"good-{n}", f"question {n}") for n in range(4)]
    file_id = upload(
        client,
        *good,
        request("bad", "x", body={"model": "nobody.nothing-v1:0", "messages": good[0]["body"]["messages"]}),
    )
    batch = client.batches.create(
        input_file_id=file_id,
        endpoint="/v1/chat/completions",
        completion_window="24h",
        metadata={"team": "ml"},
    )
    assert (batch.status, batch.metadata, batch.request_counts.total) == ("validating", {"team": "ml"}, 0)
    assert batch.expires_at - batch.created_at == 86_400
    jobs.drain()
    batch = client.batches.retrieve(batch.id)
    counts = batch.request_counts
    assert (batch.status, counts.total, counts.completed, counts.failed) == ("completed", 5, 4, 1)
    assert batch.created_at <= batch.in_progress_at <= batch.finalizing_at <= batch.completed_at
    lines = content(client, batch.output_file_id)
    assert [line["custom_id"] for line in lines] == [f"good-{n}" for n in range(4)]
    assert all(line["error"] is None and line["response"]["status_code"] == 200 for line in lines)
    answer = lines[2]["response"]["body"]
    assert "question 2" in answer["choices"][0]["message"]["content"]
    (failed,) = content(client, batch.error_file_id)
    assert failed["custom_id"] == "bad"
    assert failed["response"]["status_code"] == 404
    assert "nobody.nothing" in failed["response"]["body"]["error"]["message"]
    usage = [line["response"]["body"]["usage"] for line in lines]
    assert batch.usage.output_tokens == sum(each["completion_tokens"] for each in usage) > 0
    assert client.files.retrieve(batch.output_file_id).purpose == "batch_output"


@pytest.mark.parametrize(
    ("endpoint", "body"),
    [
        ("/v1/completions", {"model": FAKE, "prompt": "Once"}),
        ("/v1/embeddings", {"model": "rocamadre.fake-embed-v1:0", "input": "hello"}),
        ("/v1/responses", {"model": FAKE, "input": "hello"}),
    ],
)
def test_every_endpoint(client, jobs, endpoint, body):
    file_id = upload(client, request("one", "", url=endpoint, body=body))
    batch = client.batches.create(input_file_id=file_id, endpoint=endpoint, completion_window="24h")
    jobs.drain()
    batch = client.batches.retrieve(batch.id)
    assert (batch.status, batch.request_counts.completed, batch.error_file_id) == ("completed", 1, None)
    (line,) = content(client, batch.output_file_id)
    assert line["response"]["body"]["object"] in ("text_completion", "list", "response")
    assert batch.usage.input_tokens > 0


def test_lines_that_are_no_requests_fail_the_batch(client, jobs):
    file_id = upload(
        client,
        request("fine", "x"),
        "{not json",
        request("fine", "x"),
        request("", "x"),
        request("m", "x", method="GET"),
        request("u", "x", url="/v1/embeddings"),
        request("b", "x", body={}),
        request("s", "x", body={"model": FAKE, "stream": True}),
        request("t", "x", body="text"),
    )
    batch = client.batches.create(input_file_id=file_id, endpoint="/v1/chat/completions", completion_window="24h")
    jobs.drain()
    batch = client.batches.retrieve(batch.id)
    assert batch.status == "failed"
    assert batch.failed_at
    assert [(error.line, error.code) for error in batch.errors.data] == [
        (2, "invalid_json_line"),
        (3, "duplicate_custom_id"),
        (4, "missing_required_parameter"),
        (5, "invalid_method"),
        (6, "mismatched_url"),
        (7, "missing_required_parameter"),
        (8, "invalid_request"),
        (9, "invalid_json_line"),
    ]
    assert (batch.output_file_id, batch.error_file_id) == (None, None)


def test_an_empty_file_fails_the_batch(client, jobs):
    batch = client.batches.create(
        input_file_id=upload(client, "\n"), endpoint="/v1/chat/completions", completion_window="24h"
    )
    jobs.drain()
    assert client.batches.retrieve(batch.id).errors.data[0].code == "empty_file"


def test_a_file_deleted_before_its_batch_began(client, jobs):
    file_id = upload(client, request("one", "x"))
    batch = client.batches.create(input_file_id=file_id, endpoint="/v1/chat/completions", completion_window="24h")
    client.files.delete(file_id)
    jobs.drain()
    batch = client.batches.retrieve(batch.id)
    assert batch.status == "failed"
    assert file_id in batch.errors.data[0].message


def test_cancel_and_list(client, jobs):
    file_id = upload(client, request("one", "x"))
    made = [
        client.batches.create(input_file_id=file_id, endpoint="/v1/chat/completions", completion_window="24h").id
        for _ in range(3)
    ]
    assert client.batches.cancel(made[0]).status == "cancelled"
    jobs.drain()
    assert client.batches.retrieve(made[0]).status == "cancelled"
    with pytest.raises(openai.ConflictError, match="completed"):
        client.batches.cancel(made[1])
    listed = client.batches.list(limit=2)
    assert [batch.id for batch in listed.data] == made[:0:-1]
    assert [batch.id for batch in client.batches.list(limit=2)][:3] == made[::-1]
    for call in (client.batches.retrieve, client.batches.cancel):
        with pytest.raises(openai.NotFoundError, match="No batch found"):
            call("batch_missing")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"input_file_id": "file-none"}, "No such File"),
        ({"endpoint": "/v1/moderations"}, "Supported values"),
        ({"completion_window": "1h"}, "24h"),
        ({"metadata": {"a": 1}}, "object of strings"),
        ({"extra_body": {"nonsense": 1}}, "Unknown parameter"),
    ],
)
def test_batches_that_are_refused(client, change, says):
    wish = {
        "input_file_id": upload(client, request("one", "x")),
        "endpoint": "/v1/chat/completions",
        "completion_window": "24h",
    }
    with pytest.raises(openai.BadRequestError, match=says):
        client.batches.create(**wish | change)

"""S3 on a real server: streams over a socket, signed URLs without a client library, another S3 behind the settings."""

import hashlib
import http.client
import os
import re
import subprocess
import sys
import urllib.error
import urllib.request
from urllib.parse import urlsplit

import psutil
import pytest
from boto3.s3.transfer import TransferConfig
from tests.integration.conftest import Running, connect, launch

from rocamadre.cli.process import stop_server
from rocamadre.core.errors import AccessDenied, NotFound, Unavailable
from rocamadre.store.objects.remote import RemoteObjects

PART = 8 * 2**20


@pytest.fixture(scope="module")
def s3(server):
    client = connect(server, "s3")
    client.create_bucket(Bucket="integration")
    return client


@pytest.mark.parametrize("fixture", ["server", "locked_server"])
def test_transfers_keep_the_memory_flat(request, tmp_path, fixture):
    running = request.getfixturevalue(fixture)
    s3 = connect(running, "s3")
    s3.create_bucket(Bucket="transfers")
    piece = os.urandom(2**20)
    with open(tmp_path / "up", "wb") as file:
        for _ in range(80):
            file.write(piece)
    process = psutil.Process(running.pid)
    config = TransferConfig(max_concurrency=4, multipart_chunksize=PART)
    s3.upload_file(str(tmp_path / "up"), "transfers", "warm", Config=config)
    before = process.memory_info().rss
    s3.upload_file(str(tmp_path / "up"), "transfers", "k", Config=config)
    s3.download_file("transfers", "k", str(tmp_path / "down"), Config=config)
    # One put of all of it, three times what the server takes as a body elsewhere.
    with open(tmp_path / "up", "rb") as file:
        s3.put_object(Bucket="transfers", Key="one", Body=file)
    assert process.memory_info().rss - before < 64 * 2**20
    digest = hashlib.md5(piece * 80).hexdigest()
    assert hashlib.md5((tmp_path / "down").read_bytes()).hexdigest() == digest
    assert s3.head_object(Bucket="transfers", Key="one")["ETag"] == f'"{digest}"'
    body = s3.get_object(Bucket="transfers", Key="one")["Body"]
    found = hashlib.md5()
    for chunk in body.iter_chunks(2**20):
        found.update(chunk)
    assert found.hexdigest() == digest


def ask(method, url, body=None, **headers):
    request = urllib.request.Request(url, body, {"content-type": "", **headers}, method=method)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def test_signed_urls_need_no_client(s3):
    where = {"Bucket": "integration", "Key": "by url/é"}
    url = s3.generate_presigned_url("put_object", Params=where)
    assert ask("PUT", url, b"hello") == (200, b"")
    url = s3.generate_presigned_url("get_object", Params=where)
    assert ask("GET", url) == (200, b"hello")
    assert ask("GET", url, Range="bytes=1-2") == (206, b"el")
    assert ask("GET", url, Origin="https://example.com")[0] == 403
    expired = s3.generate_presigned_url("get_object", Params=where, ExpiresIn=-1)
    status, text = ask("GET", expired)
    assert (status, b"Request has expired" in text) == (403, True)


def test_the_program_on_the_page_runs(server, checkout):
    page = (checkout / "docs" / "neighbours.md").read_text()
    program = re.search(r"^## S3\n\n```python\n(.*?)^```", page, re.M | re.S)[1]
    environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")} | {
        "AWS_ENDPOINT_URL": server.address,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    shown = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    ).stdout
    assert shown.splitlines() == ["['2026/café.txt', '2026/menu.txt']", "b'two'", "b'soup'"]


def test_an_upload_that_breaks_off_leaves_nothing(s3, server):
    s3.put_object(Bucket="integration", Key="broken", Body=b"before")
    url = urlsplit(s3.generate_presigned_url("put_object", Params={"Bucket": "integration", "Key": "broken"}))
    connection = http.client.HTTPConnection(url.hostname, url.port)
    connection.putrequest("PUT", f"{url.path}?{url.query}")
    connection.putheader("content-length", str(2**24))
    connection.endheaders()
    connection.send(b"x" * 2**22)
    connection.close()
    assert s3.get_object(Bucket="integration", Key="broken")["Body"].read() == b"before"


def test_a_refused_upload_does_not_spoil_the_connection(s3):
    for _ in range(3):
        with pytest.raises(s3.exceptions.ClientError) as caught:
            s3.put_object(Bucket="none-such", Key="k", Body=bytes(4 * 2**20))
        assert caught.value.response["Error"]["Code"] == "NoSuchBucket"
        assert s3.head_bucket(Bucket="integration")["BucketRegion"] == "us-east-1"


def test_a_reader_that_leaves_harms_nobody(s3):
    s3.put_object(Bucket="integration", Key="large", Body=bytes(32 * 2**20))
    for _ in range(3):
        body = s3.get_object(Bucket="integration", Key="large")["Body"]
        body.read(1000)
        body.close()
    assert s3.head_object(Bucket="integration", Key="large")["ContentLength"] == 32 * 2**20


@pytest.fixture
def behind(tmp_path, checkout, server):
    """A server whose objects are in the other server's S3."""
    home = tmp_path / "home"
    home.mkdir()
    found, _ = launch(home, checkout, neighbours__s3_endpoint=server.address)
    yield Running(found.address, found.pid, home)
    stop_server(home, found)


def test_a_server_with_its_objects_elsewhere_says_where(behind, server):
    s3 = connect(behind, "s3")
    with pytest.raises(s3.exceptions.ClientError, match=server.address) as caught:
        s3.list_buckets()
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 421


@pytest.fixture
def remote(server, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    objects = RemoteObjects(server.address, region="us-east-1")
    yield objects
    objects.close()


def test_objects_in_another_s3(remote, s3):
    store = remote.of("123456789012")
    store.make_bucket("elsewhere", region="us-east-1")
    store.make_bucket("elsewhere", region="us-east-1")
    pieces = [os.urandom(3_000_000) for _ in range(4)]
    info = store.put("elsewhere", "../k é", iter(pieces), content_type="text/plain", metadata={"a": "b"})
    assert (info.size_bytes, info.content_type, dict(info.metadata)) == (12_000_000, "text/plain", {"a": "b"})
    assert store.read("elsewhere", "../k é") == b"".join(pieces)
    assert b"".join(store.stream("elsewhere", "../k é", start=10, stop=20)) == pieces[0][10:20]
    assert store.put("elsewhere", "a", b"x").etag == hashlib.md5(b"x").hexdigest()
    assert [found.key for found in store.list("elsewhere")] == ["../k é", "a"]
    assert [found.key for found in store.list("elsewhere", "a")] == ["a"]
    assert s3.get_object(Bucket="elsewhere", Key="a")["Body"].read() == b"x"
    store.delete("elsewhere", "a")
    store.delete("elsewhere", "a")
    for call in (store.read, store.head):
        with pytest.raises(NotFound):
            call("elsewhere", "a")
    with pytest.raises(NotFound):
        list(store.list("none-such"))


def test_what_another_s3_refuses(remote, server, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "999999999999")
    other = RemoteObjects(server.address, region="us-east-1")
    remote.of("1").make_bucket("mine-alone", region="us-east-1")
    with pytest.raises(AccessDenied):
        other.of("1").put("mine-alone", "k", b"x")
    other.close()
    nowhere = RemoteObjects("http://127.0.0.1:9", region="us-east-1")
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1:9"):
        nowhere.of("1").head("b", "k")
    nowhere.close()

import base64
import hashlib
import hmac
import zlib
from urllib.parse import urlsplit

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from rocamadre.api.wire.sigv4 import signing_key
from rocamadre.core.settings import load_settings
from rocamadre.identity.operations import create_key
from rocamadre.testing.inprocess import ADDRESS, InProcessServer
from rocamadre.testing.requests import WireRequest

DATA = bytes(range(256)) * 50


@pytest.fixture(scope="module")
def locked(tmp_path_factory):
    settings = load_settings(home=tmp_path_factory.mktemp("home"), server={"auth": "required"})
    server = InProcessServer(settings)
    yield server
    server.close()


@pytest.fixture(scope="module")
def key(locked):
    platform = locked.platform
    return create_key(platform.sql, platform.settings.home, platform.clock, name="k")


@pytest.fixture(scope="module")
def client(locked, key, connected):
    client = connected(locked, access_key=key.key.id, secret_key=key.secret)
    client.create_bucket(Bucket="data")
    return client


@pytest.mark.parametrize("name", ["k", "a b+é/../x", "%2F", "*'()!~"])
def test_a_key_made_here_signs(client, name):
    client.put_object(Bucket="data", Key=name, Body=DATA, Metadata={"a": "b  c"})
    assert client.get_object(Bucket="data", Key=name)["Body"].read() == DATA
    assert name in [item["Key"] for item in client.list_objects_v2(Bucket="data", Prefix=name[:1])["Contents"]]
    client.delete_object(Bucket="data", Key=name)


def test_any_other_signature_is_refused(locked, client, key, connected, refused):
    put = {"Bucket": "data", "Key": "refused", "Body": DATA}
    wrong = connected(locked, access_key=key.key.id, secret_key="x" * 40)
    refused("SignatureDoesNotMatch", 403, wrong.put_object, **put)
    refused("InvalidAccessKeyId", 403, connected(locked).put_object, **put)
    assert client.list_objects_v2(Bucket="data", Prefix="refused")["KeyCount"] == 0


def url_request(method, url, body=b"", **headers):
    parts = urlsplit(url)
    length = {"content-length": str(len(body))} if body else {}
    return WireRequest(method, parts.path.encode(), parts.query.encode(), length | headers, body)


@pytest.mark.parametrize("version", ["s3", "s3v4"])
def test_signed_urls(locked, key, connected, version):
    signer = connected(locked, access_key=key.key.id, secret_key=key.secret, signature_version=version)
    where = {"Bucket": "data", "Key": f"url {version}/é"}
    url = signer.generate_presigned_url("put_object", Params={**where, "ContentType": "text/plain"})
    answer = locked.send(url_request("PUT", url, b"by url", **{"content-type": "text/plain"}), {})
    assert (answer.status, answer.body) == (200, b"")
    assert locked.send(url_request("PUT", url, b"x", **{"content-type": "text/html"}), {}).status == 403
    url = signer.generate_presigned_url(
        "get_object", Params={**where, "ResponseContentType": "text/csv", "ResponseContentDisposition": "attachment"}
    )
    answer = locked.send(url_request("GET", url), {})
    assert (answer.status, answer.body) == (200, b"by url")
    assert (answer.headers["content-type"], answer.headers["content-disposition"]) == ("text/csv", "attachment")
    for changed in (
        url.replace("attachment", "inline"),
        url.replace("data", "date"),
        url.replace("ignature=", "ignature=0"),
    ):
        answer = locked.send(url_request("GET", changed), {})
        assert answer.status in (400, 403)
        assert b"by url" not in answer.body
    assert locked.send(url_request("DELETE", url), {}).status == 403


def test_signed_urls_end(locked, key, server, connected):
    for target, keys in ((locked, {"access_key": key.key.id, "secret_key": key.secret}), (server, {})):
        client = connected(target, signature_version="s3", **keys)
        url = client.generate_presigned_url("get_object", Params={"Bucket": "data", "Key": "k"}, ExpiresIn=-10)
        answer = target.send(url_request("GET", url), {})
        assert answer.status == 403
        assert b"<Code>AccessDenied</Code><Message>Request has expired" in answer.body
    client = connected(server, signature_version="s3v4")
    url = client.generate_presigned_url("get_object", Params={"Bucket": "data", "Key": "k"}, ExpiresIn=5)
    date = url.partition("X-Amz-Date=")[2][:16]
    old = url.replace(date, "20200101T000000Z").replace(date[:8], "20200101")
    answer = server.send(url_request("GET", old), {})
    assert (answer.status, b"Request has expired" in answer.body) == (403, True)


def test_response_headers_cannot_be_smuggled(server, s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    url = s3.generate_presigned_url(
        "get_object", Params={"Bucket": bucket, "Key": "k", "ResponseContentType": "a\r\nset-cookie: b"}
    )
    answer = server.send(url_request("GET", url), {})
    assert (answer.status, b"<Code>InvalidArgument</Code>" in answer.body) == (400, True)
    assert "set-cookie" not in answer.headers


def signed(key, body, *, claimed=None, path="/data/stream", **headers):
    """A PUT signed as botocore signs for S3, with another word or hash for the payload."""
    request = AWSRequest("PUT", f"{ADDRESS}{path}", data=b"")
    for name, value in headers.items():
        request.headers[name.replace("_", "-")] = value
    signer = S3SigV4Auth(Credentials(key.key.id, key.secret), "s3", "us-east-1")
    signer.payload = lambda _: claimed or hashlib.sha256(body).hexdigest()
    signer.add_auth(request)
    found = {name.lower(): value for name, value in request.headers.items()}
    found["host"] = urlsplit(ADDRESS).netloc
    return WireRequest("PUT", path.encode(), b"", {**found, "content-length": str(len(body))}, body)


def code_of(answer):
    return answer.status, answer.body.partition(b"<Code>")[2].partition(b"</Code>")[0].decode()


def test_the_payload_must_be_the_one_that_was_signed(locked, client, key):
    assert locked.send(signed(key, b"right"), {}).status == 200
    wrong = signed(key, b"wrong", claimed=hashlib.sha256(b"right").hexdigest())
    assert code_of(locked.send(wrong, {})) == (400, "XAmzContentSHA256Mismatch")
    assert client.get_object(Bucket="data", Key="stream")["Body"].read() == b"right"
    assert locked.send(signed(key, b"unsigned", claimed="UNSIGNED-PAYLOAD"), {}).status == 200
    assert code_of(locked.send(signed(key, b"x", claimed="no hash"), {})) == (400, "InvalidArgument")


def chunked(key, headers, pieces, *, trailer="", kind="STREAMING-AWS4-HMAC-SHA256-PAYLOAD"):
    """Chunks signed after AWS's description."""
    scope = f"{headers['x-amz-date'][:8]}/us-east-1/s3/aws4_request"
    derived = signing_key(key.key.id, key.secret, headers["x-amz-date"][:8], "us-east-1", "s3")
    previous = headers["authorization"].partition("Signature=")[2]
    empty = hashlib.sha256(b"").hexdigest()
    body = b""
    for piece in [*pieces, b""]:
        lines = ["AWS4-HMAC-SHA256-PAYLOAD", headers["x-amz-date"], scope, previous, empty]
        lines.append(hashlib.sha256(piece).hexdigest())
        previous = hmac.new(derived, "\n".join(lines).encode(), hashlib.sha256).hexdigest()
        body += f"{len(piece):x};chunk-signature={previous}\r\n".encode() + (piece + b"\r\n" if piece else b"")
    if trailer:
        lines = ["AWS4-HMAC-SHA256-TRAILER", headers["x-amz-date"], scope, previous]
        lines.append(hashlib.sha256(f"{trailer}\n".encode()).hexdigest())
        signature = hmac.new(derived, "\n".join(lines).encode(), hashlib.sha256).hexdigest()
        body += f"{trailer}\r\nx-amz-trailer-signature:{signature}\r\n".encode()
    return body + b"\r\n"


def test_signed_chunks(locked, client, key):
    kind = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
    head = signed(key, b"", claimed=kind, x_amz_decoded_content_length=str(len(DATA)))
    body = chunked(key, head.headers, [DATA[:9000], DATA[9000:]])

    def send(body):
        headers = {**head.headers, "content-length": str(len(body))}
        return code_of(locked.send(WireRequest("PUT", head.path, b"", headers, body), {}))

    assert send(body) == (200, "")
    assert client.get_object(Bucket="data", Key="stream")["Body"].read() == DATA
    client.delete_object(Bucket="data", Key="stream")
    assert send(body.replace(DATA[:100], DATA[1:100] + b"x")) == (403, "SignatureDoesNotMatch")
    assert send(body[:-300]) == (400, "IncompleteBody")
    assert send(body + b"x")[0] == 400
    assert send(DATA) == (400, "IncompleteBody")
    assert send(chunked(key, head.headers, [DATA[:9000]])) == (400, "IncompleteBody")
    assert client.list_objects_v2(Bucket="data", Prefix="stream")["KeyCount"] == 0


def test_signed_trailers(locked, client, key):
    crc = base64.b64encode(zlib.crc32(DATA).to_bytes(4, "big")).decode()
    kind = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
    head = signed(
        key, b"", claimed=kind, x_amz_decoded_content_length=str(len(DATA)), x_amz_trailer="x-amz-checksum-crc32"
    )

    def send(trailer, change=lambda body: body):
        body = change(chunked(key, head.headers, [DATA], trailer=trailer))
        headers = {**head.headers, "content-length": str(len(body))}
        return code_of(locked.send(WireRequest("PUT", head.path, b"", headers, body), {}))

    assert send(f"x-amz-checksum-crc32:{crc}") == (200, "")
    assert client.head_object(Bucket="data", Key="stream", ChecksumMode="ENABLED")["ChecksumCRC32"] == crc
    client.delete_object(Bucket="data", Key="stream")
    assert send("x-amz-checksum-crc32:AAAAAA==") == (400, "BadDigest")
    assert send("x-amz-checksum-sha1:AAAA") == (400, "MalformedTrailerError")
    changed = send(
        f"x-amz-checksum-crc32:{crc}", lambda body: body.replace(b"trailer-signature:", b"trailer-signature:0")
    )
    assert changed == (403, "SignatureDoesNotMatch")
    assert client.list_objects_v2(Bucket="data", Prefix="stream")["KeyCount"] == 0


def test_unsigned_trailers_as_clients_send_them_over_tls(locked, client, key):
    crc = base64.b64encode(zlib.crc32(DATA).to_bytes(4, "big")).decode()
    body = b"%x\r\n%b\r\n0\r\nx-amz-checksum-crc32:%b\r\n\r\n" % (len(DATA), DATA, crc.encode())
    head = signed(
        key,
        body,
        claimed="STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        x_amz_decoded_content_length=str(len(DATA)),
        x_amz_trailer="x-amz-checksum-crc32",
        content_encoding="aws-chunked",
    )
    assert code_of(locked.send(head, {})) == (200, "")
    answer = client.get_object(Bucket="data", Key="stream")
    assert answer["Body"].read() == DATA
    assert "ContentEncoding" not in answer


def test_what_is_too_large_is_refused_before_it_is_read(locked, client, key):
    request = signed(key, b"x", claimed="UNSIGNED-PAYLOAD")
    request.headers["content-length"] = str(5 * 2**30 + 1)
    assert code_of(locked.send(request, {})) == (400, "EntityTooLarge")


def test_scopes_are_kept_apart(locked, key):
    """A signature for one service opens no other, whatever the path says."""

    def ask(service, path):
        request = AWSRequest("GET", f"{ADDRESS}{path}")
        signer = S3SigV4Auth(Credentials(key.key.id, key.secret), service, "us-east-1")
        signer.add_auth(request)
        headers = {name.lower(): value for name, value in request.headers.items()}
        headers["host"] = urlsplit(ADDRESS).netloc
        return locked.send(WireRequest("GET", path.encode(), b"", headers), {})

    assert ask("s3", "/").status == 200
    assert ask("s3", "/s3/").status == 200
    assert code_of(ask("bedrock", "/s3/")) == (403, "SignatureDoesNotMatch")
    assert ask("s3", "/foundation-models").body.startswith(b"<?xml")  # A bucket of that name, which is not there.
    assert ask("bedrock", "/foundation-models").status == 200


def test_a_bearer_key_opens_the_prefixed_path(locked, client):
    platform = locked.platform
    bearer = create_key(platform.sql, platform.settings.home, platform.clock, name="b", kind="bearer")
    client.put_object(Bucket="data", Key="bearer", Body=b"x")
    request = WireRequest("GET", b"/s3/data/bearer")
    assert locked.send(request, {"authorization": f"Bearer {bearer.secret}"}).body == b"x"
    assert code_of(locked.send(request, {"authorization": f"Bearer {bearer.secret}x"})) == (403, "InvalidAccessKeyId")
    assert code_of(locked.send(request, {})) == (403, "AccessDenied")


def test_nobody_is_refused_in_the_open_mode_too(server):
    answer = server.send(WireRequest("GET", b"/s3/data/k"), {})
    assert code_of(answer) == (403, "AccessDenied")
    # Without a scope or prefix the request is no S3 request at all.
    assert b"<Error>" not in server.send(WireRequest("GET", b"/data/k"), {}).body


def test_a_web_page_does_not_reach_the_objects(server, s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "k"})
    for headers in ({"origin": "https://example.com"}, {"origin": "null"}, {"sec-fetch-site": "cross-site"}):
        answer = server.send(url_request("GET", url, **headers), {})
        assert (answer.status, answer.headers["x-amzn-errortype"]) == (403, "AccessDeniedException")
    answer = server.send(url_request("GET", url, host="bucket.example.com"), {})
    assert answer.status == 403
    assert server.send(url_request("GET", url), {}).body == b"x"

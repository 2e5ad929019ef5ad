import base64
import hashlib
import hmac
import zlib
from datetime import UTC, datetime
from io import BytesIO

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.httpchecksum import AwsChunkedWrapper, Crc32Checksum
from hypothesis import given, settings
from hypothesis import strategies as st

from rocamadre.api.wire.credentials import parse_authorization
from rocamadre.api.wire.sigv4 import signing_key, verify
from rocamadre.core.errors import CommonError

SECRET = "secret"
DATA = bytes(range(256)) * 5
CRC = base64.b64encode(zlib.crc32(DATA).to_bytes(4, "big")).decode()
SIGNED, SIGNED_TRAILER, UNSIGNED_TRAILER = (
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
    "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
)


def head(kind, **headers):
    request = AWSRequest(method="PUT", url="http://127.0.0.1/bucket/key")
    request.headers["X-Amz-Content-SHA256"] = kind
    for name, value in headers.items():
        request.headers[name.replace("_", "-")] = value
    SigV4Auth(Credentials("AK", SECRET), "s3", "us-east-1").add_auth(request)
    return [(name.lower().encode(), value.encode()) for name, value in request.headers.items()] + [
        (b"host", b"127.0.0.1")
    ]


def check(headers, body):
    credential = parse_authorization({name.decode(): value.decode() for name, value in headers}, b"")
    now = datetime.strptime(credential.amz_date, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    return verify(
        credential,
        secret=SECRET,
        method="PUT",
        raw_path=b"/bucket/key",
        query=b"",
        headers=headers,
        body=body,
        now=now,
    )


def refused(headers, body):
    with pytest.raises(CommonError) as caught:
        check(headers, body)
    return caught.value.code


def chunks_of(headers, pieces, trailer=None):
    """A signed chunked body, built independently of the code under test from AWS's description."""
    credential = parse_authorization({name.decode(): value.decode() for name, value in headers}, b"")
    key = signing_key("AK", SECRET, credential.date, "us-east-1", "s3")
    scope = f"{credential.date}/us-east-1/s3/aws4_request"
    previous, body = credential.signature, b""
    for piece in [*pieces, b""]:
        lines = [
            "AWS4-HMAC-SHA256-PAYLOAD",
            credential.amz_date,
            scope,
            previous,
            hashlib.sha256(b"").hexdigest(),
            hashlib.sha256(piece).hexdigest(),
        ]
        previous = hmac.new(key, "\n".join(lines).encode(), hashlib.sha256).hexdigest()
        body += f"{len(piece):x};chunk-signature={previous}\r\n".encode() + (piece + b"\r\n" if piece else b"")
    if trailer:
        digest = hashlib.sha256(trailer.encode() + b"\n").hexdigest()
        lines = ["AWS4-HMAC-SHA256-TRAILER", credential.amz_date, scope, previous, digest]
        signature = hmac.new(key, "\n".join(lines).encode(), hashlib.sha256).hexdigest()
        body += f"{trailer}\r\nx-amz-trailer-signature:{signature}\r\n".encode()
    return body + b"\r\n"


def test_signed_chunks():
    headers = head(SIGNED, X_Amz_Decoded_Content_Length=str(len(DATA)))
    body = chunks_of(headers, [DATA[:700], DATA[700:]])
    assert check(headers, body) == DATA
    assert check(headers, chunks_of(headers, [DATA])) == DATA


def test_each_byte_of_signed_chunks_counts():
    headers = head(SIGNED)
    body = chunks_of(headers, [b"hello", b"world"])
    for place in range(len(body)):
        changed = body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :]
        assert refused(headers, changed) in ("InvalidSignatureException", "IncompleteBody")
    for end in range(len(body)):
        assert refused(headers, body[:end]) in ("InvalidSignatureException", "IncompleteBody")
    assert refused(headers, body + b"x") == "IncompleteBody"


def test_chunks_in_another_order_are_refused():
    headers = head(SIGNED)
    first, second = chunks_of(headers, [b"aaaa", b"bbbb"]).split(b"aaaa\r\n")
    line = second.index(b"bbbb\r\n")
    swapped = second[: line + 6] + first + b"aaaa\r\n" + second[line + 6 :]
    assert refused(headers, swapped) == "InvalidSignatureException"


def test_signed_chunks_with_a_trailer():
    trailer = f"x-amz-checksum-crc32:{CRC}"
    headers = head(SIGNED_TRAILER, X_Amz_Trailer="x-amz-checksum-crc32")
    body = chunks_of(headers, [DATA], trailer)
    assert check(headers, body) == DATA
    signature = body.rindex(b"trailer-signature:") + len(b"trailer-signature:")
    changed = b"0" if body[signature : signature + 1] != b"0" else b"1"
    assert refused(headers, body[:signature] + changed + body[signature + 1 :]) == "InvalidSignatureException"
    unsigned = body[: body.rindex(b"x-amz-trailer-signature")] + b"\r\n"
    assert refused(headers, unsigned) == "InvalidSignatureException"
    assert refused(headers, chunks_of(headers, [DATA], "x-amz-checksum-crc32:AAAAAA==")) == "BadDigest"


def botocore_chunked(data, size):
    return AwsChunkedWrapper(
        BytesIO(data), checksum_cls=Crc32Checksum, checksum_name="x-amz-checksum-crc32", chunk_size=size
    ).read()


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300), st.integers(1, 100))
def test_what_botocore_chunks_is_read(data, size):
    headers = head(UNSIGNED_TRAILER, X_Amz_Trailer="x-amz-checksum-crc32", X_Amz_Decoded_Content_Length=str(len(data)))
    assert check(headers, botocore_chunked(data, size)) == data


def test_unsigned_chunks_are_covered_by_their_checksum():
    headers = head(UNSIGNED_TRAILER, X_Amz_Trailer="x-amz-checksum-crc32")
    body = botocore_chunked(b"hello", 100)
    assert refused(headers, body.replace(b"hello", b"hellO")) == "BadDigest"
    assert refused(head(UNSIGNED_TRAILER), body) == "MalformedTrailerError"  # Not announced.
    assert refused(headers, b"5\r\nhello\r\n0\r\n\r\n") == "MalformedTrailerError"  # Announced, not there.
    wrong_length = head(UNSIGNED_TRAILER, X_Amz_Trailer="x-amz-checksum-crc32", X_Amz_Decoded_Content_Length="6")
    assert refused(wrong_length, body) == "IncompleteBody"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("crc32", b"\xcb\xf4\x39\x26"),
        ("crc32c", b"\xe3\x06\x92\x83"),
        ("crc64nvme", b"\xae\x8b\x14\x86\x0a\x79\x98\x88"),
        ("sha1", hashlib.sha1(b"123456789").digest()),
        ("sha256", hashlib.sha256(b"123456789").digest()),
    ],
)
def test_checksums_against_their_published_check_values(name, value):
    headers = head(UNSIGNED_TRAILER, X_Amz_Trailer=f"x-amz-checksum-{name}")
    trailer = f"x-amz-checksum-{name}:{base64.b64encode(value).decode()}"
    assert check(headers, f"9\r\n123456789\r\n0\r\n{trailer}\r\n\r\n".encode()) == b"123456789"
    assert refused(headers, f"9\r\n123456780\r\n0\r\n{trailer}\r\n\r\n".encode()) == "BadDigest"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\r\n",
        b"zz\r\n",
        b"-1\r\n",
        b"5\r\nhel",
        b"5\r\nhelloXX0\r\n\r\n",
        b"fffffffff\r\n",
        b"5" * 9000,
        b"0\r\nno colon\r\n\r\n",
        b"0\r\nx-amz-checksum-crc32:AAAAAA==",
        b"0\r\na:1\r\na:2\r\n\r\n",
    ],
)
def test_malformed_bodies(body):
    assert refused(head(UNSIGNED_TRAILER, X_Amz_Trailer="a"), body) in ("IncompleteBody", "MalformedTrailerError")

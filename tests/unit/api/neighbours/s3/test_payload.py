"""Bodies however the network cuts them."""

import hashlib
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rocamadre.api.neighbours.dispatch import NEIGHBOURS, NeighbourRequest
from rocamadre.api.neighbours.s3.payload import Payload
from rocamadre.core.errors import CommonError, RocamadreError
from rocamadre.store.objects.blobs import Written
from rocamadre.store.objects.checksums import new_checksum

TRAILER = {"x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "x-amz-trailer": "x-amz-checksum-crc32"}


def request(**headers):
    return NeighbourRequest(NEIGHBOURS["s3"], "PUT", b"/b/k", b"", {"content-length": "1", **headers}, [])


def crc(data):
    check = new_checksum("crc32")
    check.update(data)
    return check.encoded()


def read(payload, pieces):
    data = b"".join(bytes(part) for piece in pieces for part in payload.decode([piece]))
    checksums = {}
    for name in payload.algorithms:
        check = new_checksum(name)
        check.update(data)
        checksums[name] = check.encoded()
    payload.finish(Written("", len(data), hashlib.md5(data).hexdigest(), checksums))
    return data


def cut(body, places):
    edges = sorted({0, len(body), *(place % (len(body) + 1) for place in places)})
    return [body[start:stop] for start, stop in itertools.pairwise(edges)]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=50), max_size=5), st.lists(st.integers(0, 10_000), max_size=12))
def test_chunks_cut_anywhere(chunks, places):
    data = b"".join(chunks)
    body = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
    body += b"0\r\nx-amz-checksum-crc32:%b\r\n\r\n" % crc(data).encode()
    payload = Payload(request(**TRAILER, **{"x-amz-decoded-content-length": str(len(data))}))
    assert read(payload, cut(body, places)) == data


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=80), st.lists(st.integers(0, 100), max_size=5))
def test_nonsense_is_refused(body, places):
    with pytest.raises(RocamadreError):
        read(Payload(request(**TRAILER)), cut(body, places))


@settings(max_examples=100, deadline=None)
@given(st.binary(min_size=1, max_size=60), st.data())
def test_each_byte_counts(data, draw):
    body = b"%x\r\n%b\r\n0\r\nx-amz-checksum-crc32:%b\r\n\r\n" % (len(data), data, crc(data).encode())
    place = draw.draw(st.integers(0, len(body) - 1))
    changed = body[:place] + bytes([body[place] ^ draw.draw(st.integers(1, 255))]) + body[place + 1 :]
    try:
        found = read(Payload(request(**TRAILER, **{"x-amz-decoded-content-length": str(len(data))})), [changed])
    except RocamadreError:
        return
    assert found == data  # Upper or lower case in hexadecimal or in the trailer's name says the same.


def test_lines_do_not_grow_for_ever():
    with pytest.raises(CommonError, match="does not end"):
        Payload(request(**TRAILER)).decode([b"0" * 3000, b"0" * 3000])
    payload = Payload(request(**TRAILER))
    payload.decode([b"0\r\n"])
    with pytest.raises(CommonError, match="do not end"):
        payload.decode([b"x" * 20_000])


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"x-amz-content-sha256": "x"}, "InvalidArgument"),
        ({"content-length": "x"}, "InvalidArgument"),
        ({"content-length": "", "transfer-encoding": "chunked"}, "MissingContentLength"),
        ({"x-amz-trailer": "x-amz-checksum-crc32,x-amz-checksum-sha1"}, "InvalidArgument"),
        ({"x-amz-trailer": "etag"}, "InvalidArgument"),
        ({"x-amz-checksum-md6": "x"}, "NotImplemented"),
    ],
)
def test_headers_that_make_no_sense(headers, code):
    with pytest.raises(CommonError) as caught:
        Payload(request(**headers))
    assert caught.value.code == code

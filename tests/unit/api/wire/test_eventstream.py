import struct
from binascii import crc32

import pytest
from botocore.eventstream import EventStreamBuffer
from hypothesis import given
from hypothesis import strategies as st

from rocamadre.api.wire.eventstream import FrameError, decode, error_frame, event_frame, exception_frame


def botocore_reads(data, step=None):
    buffer = EventStreamBuffer()
    for start in range(0, len(data), step or max(1, len(data))):
        buffer.add_data(data[start : start + (step or len(data))])
    return [event.to_response_dict() for event in buffer]


@given(st.binary(max_size=500), st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=60))
def test_botocore_reads_events(payload, name):
    data = event_frame(name, payload) + event_frame(name, payload, "text/plain")
    first, second = botocore_reads(data, step=7)
    assert (first["body"], first["status_code"]) == (payload, 200)
    assert first["headers"] == {
        ":event-type": name,
        ":content-type": "application/json",
        ":message-type": "event",
    }
    assert second["headers"][":content-type"] == "text/plain"
    assert [(frame.headers, frame.payload) for frame in decode(data)] == [
        (first["headers"], payload),
        (second["headers"], payload),
    ]


def test_botocore_reads_exceptions_and_errors():
    exception, error = botocore_reads(
        exception_frame("throttlingException", b'{"message":"slow down"}') + error_frame("InternalFailure", "no: é")
    )
    assert (exception["status_code"], exception["headers"][":exception-type"]) == (400, "throttlingException")
    assert exception["body"] == b'{"message":"slow down"}'
    assert (error["status_code"], error["headers"][":error-code"]) == (400, "InternalFailure")
    assert error["headers"][":error-message"] == "no: é"


def test_long_error_messages_are_cut_to_a_headers_length():
    (error,) = decode(error_frame("X", "a" * 100_000))
    assert len(error.headers[":error-message"]) == 0x7FFF


def test_every_changed_or_missing_byte_is_found():
    data = event_frame("chunk", b'{"bytes":"aGk="}')
    for place in range(len(data)):
        with pytest.raises(FrameError):
            decode(data[:place] + bytes([data[place] ^ 0x40]) + data[place + 1 :])
        if place:
            with pytest.raises(FrameError):
                decode(data[:place])


def test_all_header_types_are_read():
    headers = b"".join(
        bytes([1]) + name + bytes([kind]) + value
        for name, kind, value in [
            (b"t", 0, b""),
            (b"f", 1, b""),
            (b"b", 2, b"\xff"),
            (b"s", 3, struct.pack(">h", -2)),
            (b"i", 4, struct.pack(">i", 70_000)),
            (b"l", 5, struct.pack(">q", 1 << 40)),
            (b"r", 6, struct.pack(">H", 2) + b"\x00\xff"),
            (b"w", 7, struct.pack(">H", 2) + "é".encode()),
            (b"d", 8, struct.pack(">q", 1000)),
            (b"u", 9, bytes(range(16))),
        ]
    )
    (frame,) = decode(message(headers, b""))
    assert frame.headers == {
        "t": True,
        "f": False,
        "b": -1,
        "s": -2,
        "i": 70_000,
        "l": 1 << 40,
        "r": b"\x00\xff",
        "w": "é",
        "d": 1000,
        "u": bytes(range(16)),
    }


def message(headers, payload):
    prelude = struct.pack(">II", 16 + len(headers) + len(payload), len(headers))
    whole = prelude + struct.pack(">I", crc32(prelude)) + headers + payload
    return whole + struct.pack(">I", crc32(whole))


@pytest.mark.parametrize("headers", [b"\x05ab", b"\x01a", b"\x01a\x0a", b"\x01a\x07\x00\x09x", b"\x01\xff\x00"])
def test_headers_that_cannot_be_read(headers):
    with pytest.raises(FrameError):
        decode(message(headers, b""))


@given(st.binary(max_size=200))
def test_garbage_never_crashes(data):
    try:
        assert decode(data) == [] or data
    except FrameError:
        pass

"""Responses of every operation: botocore reads back what we write, errors and event streams included."""

from __future__ import annotations

import json
from io import BytesIO

import pytest
from botocore.awsrequest import HeadersDict
from botocore.eventstream import EventStream
from botocore.exceptions import EventStreamError
from botocore.parsers import create_parser

from rocamadre.api.wire.eventstream import event_frame, exception_frame
from rocamadre.api.wire.failures import encode_error, encode_event_error
from rocamadre.core import errors
from rocamadre.core.errors import CommonError, NotBuilt, RocamadreError


class Raw(BytesIO):
    """As urllib3's response looks to botocore's event streams."""

    def stream(self, amount=64, decode_content=True):
        while piece := self.read(amount):
            yield piece


def outputs(each, models, examples):
    service, operation = each
    shape = models[service]["operations"][operation].get("output", {}).get("shape")
    if shape is None:
        return [{}]
    makes = examples[service]
    return [makes.minimal(shape), *(makes.full(shape, choice=choice) for choice in range(makes.choices(shape)))]


def test_botocore_reads_what_we_write(answering, models, services, examples, official, parser):
    service, name = answering
    operation = services[service].operations[name]
    for response in outputs(answering, models, examples):
        encoded = operation.write(response)
        assert encoded.status == official[service].operation_model(name).http.get("responseCode", 200)
        model = official[service].operation_model(name)
        body = BytesIO(encoded.body) if model.has_streaming_output else encoded.body
        answer = {"status_code": encoded.status, "headers": HeadersDict(encoded.headers), "body": body}
        read = parser.parse(answer, model.output_shape)
        read.pop("ResponseMetadata")
        if model.has_streaming_output:
            member = model.output_shape.serialization["payload"]
            read[member] = read[member].read()
        assert read == response
        assert operation.check(encoded) == []
        if encoded.status == 204:
            assert encoded.body == b""


def test_botocore_reads_every_event(streaming, models, services, examples, official):
    service, name = streaming
    operation = services[service].operations[name]
    shapes = models[service]["shapes"]
    output = shapes[models[service]["operations"][name]["output"]["shape"]]
    union = shapes[output["members"][operation.stream_member]["shape"]]
    sent, body = [], b""
    for member, writer in operation.event_writers.items():
        makes, shape = examples[service], union["members"][member]["shape"]
        for value in [makes.minimal(shape), *(makes.full(shape, choice=n) for n in range(makes.choices(shape)))]:
            sent.append({member: value})
            written = value if writer is None else writer(value)
            body += event_frame(member, json.dumps(written, default=str).encode())
    model = official[service].operation_model(name)
    shape = model.output_shape.members[operation.stream_member]
    stream = EventStream(Raw(body), shape, create_parser("rest-json")._event_stream_parser, name)
    assert list(stream) == sent


def test_mid_stream_errors_are_exceptions_of_the_stream(streaming, models, services, official):
    service, name = streaming
    operation = services[service].operations[name]
    shape = official[service].operation_model(name).output_shape.members[operation.stream_member]
    for kind in all_errors():
        member, payload = encode_event_error(make(kind), operation)
        assert member in shape.members
        frame = exception_frame(member, payload)
        stream = EventStream(Raw(frame), shape, create_parser("rest-json")._event_stream_parser, name)
        with pytest.raises(EventStreamError) as caught:
            list(stream)
        assert caught.value.response["Error"] == {"Code": member, "Message": "some reason"}


def all_errors():
    """Every class of the tree that carries wire codes of its own."""
    found, waiting = [], [RocamadreError]
    while waiting:
        kind = waiting.pop()
        waiting += [below for below in kind.__subclasses__() if below.__module__ == errors.__name__]
        if not issubclass(kind, CommonError):
            found.append(kind)
    return found


def make(kind):
    return kind("some reason")


def test_declared_errors_keep_their_code_status_and_message(each, services, official, parser):
    service, name = each
    operation = services[service].operations[name]
    output = official[service].operation_model(name).output_shape
    for shape in official[service].operation_model(name).error_shapes:
        code = shape.metadata.get("error", {}).get("code", shape.name)
        error = make(RocamadreError)
        error.codes = (code,)
        encoded = encode_error(error, operation)
        assert encoded.status == shape.metadata["error"]["httpStatusCode"]
        answer = {"status_code": encoded.status, "headers": HeadersDict(encoded.headers), "body": encoded.body}
        read = parser.parse(answer, output)
        assert (read["Error"]["Code"], read["Error"]["Message"]) == (code, "some reason")


FALLBACK = {NotBuilt: "NotImplementedException"}
"""What is not declared by an operation may still be answered: AWS's own common errors."""


def test_the_whole_tree_is_answered_with_declared_shapes(each, services):
    """What Rocamadre raises, this operation declares, as far as its model allows at all."""
    service, name = each
    operation = services[service].operations[name]
    for kind in all_errors():
        encoded = encode_error(make(kind), operation)
        code = encoded.headers["x-amzn-errortype"]
        expected = next((each for each in kind.codes if each in operation.errors), None)
        if expected is not None:
            assert (code, encoded.status) == (expected, operation.errors[expected].status)
        elif "ValidationException" in operation.errors and "ValidationException" in kind.codes:
            pytest.fail(f"{kind.__name__} could be a ValidationException here")
        assert code.endswith(("Exception", "Error"))
        assert 400 <= encoded.status < 600

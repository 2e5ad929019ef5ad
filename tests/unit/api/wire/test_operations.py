import json
from datetime import UTC, datetime

import pytest

from rocamadre.api.wire.failures import declared_for, encode_error, encode_event_error
from rocamadre.core import errors

BODY = json.dumps({"messages": [{"role": "user", "content": [{"text": "hi"}]}]}).encode()


def test_parts_come_from_path_query_headers_and_body(services):
    invoke = services["bedrock-runtime"].operations["InvokeModel"]
    request, _ = invoke.read({"modelId": "a.b"}, b"", {"accept": "application/json", "content-type": "x"}, b"\x00raw")
    assert request == {"modelId": "a.b", "accept": "application/json", "contentType": "x", "body": b"\x00raw"}
    listing = services["bedrock"].operations["ListInferenceProfiles"]
    request, _ = listing.read({}, b"maxResults=7&type=APPLICATION", {}, b"")
    assert request["maxResults"] == 7
    untag = services["bedrock-agent"].operations["UntagResource"]
    arn = "arn:aws:bedrock:us-east-1:123456789012:agent/ABCDEFGHIJ"
    request, _ = untag.read({"resourceArn": arn}, b"tagKeys=a&tagKeys=b%20c", {}, b"")
    assert request["tagKeys"] == ["a", "b c"]


def test_text_that_is_no_number_is_reported_not_raised(services):
    listing = services["bedrock"].operations["ListInferenceProfiles"]
    with pytest.raises(
        errors.InvalidRequest, match="'maxResults' failed to satisfy constraint: Member must be a number"
    ):
        listing.read({}, b"maxResults=many", {}, b"")


@pytest.mark.parametrize(
    "body", [b"{", b"[]", b'"x"', b"\xff\xfe", b'{"messages": NaN}', b"[" * 100_000, b'{"a":' * 5000]
)
def test_malformed_bodies_are_client_errors(services, body):
    with pytest.raises(errors.InvalidRequest):
        services["bedrock-runtime"].operations["Converse"].read({"modelId": "a.b"}, b"", {}, body)


def test_wrong_content_type_is_refused(services):
    with pytest.raises(errors.InvalidRequest, match="text/xml"):
        services["bedrock-runtime"].operations["Converse"].read(
            {"modelId": "a.b"}, b"", {"content-type": "text/xml"}, BODY
        )


def test_unknown_members_are_named(services):
    _, unknown = (
        services["bedrock-runtime"]
        .operations["Converse"]
        .read({"modelId": "a.b"}, b"", {}, BODY[:-1] + b', "news": 1}')
    )
    assert unknown == ["news"]


def test_responses_carry_headers_times_and_bytes(services):
    invoke = (
        services["bedrock-runtime"].operations["InvokeModel"].write({"body": b"{}", "contentType": "application/json"})
    )
    assert (invoke.body, invoke.headers["content-type"]) == (b"{}", "application/json")
    get = services["bedrock"].operations["GetGuardrail"]
    moment = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
    assert json.loads(get.write({"createdAt": moment, "name": None}).body) == {"createdAt": "2026-01-02T03:04:05.678Z"}


def test_strict_check_finds_what_breaks_the_shape(services):
    converse = services["bedrock-runtime"].operations["Converse"]
    problems = converse.check(converse.write({"stopReason": "bored", "metrics": {"latencyMs": "fast"}}))
    assert any("stopReason" in problem for problem in problems)
    assert any("latencyMs" in problem for problem in problems)
    assert any("usage" in problem for problem in problems)


@pytest.mark.parametrize(
    ("service", "operation", "error", "code", "status"),
    [
        ("bedrock", "CreateGuardrail", errors.Conflict(), "ConflictException", 400),
        ("bedrock-agent", "CreateAgent", errors.Conflict(), "ConflictException", 409),
        ("bedrock-agent", "CreateAgent", errors.QuotaExceeded(), "ServiceQuotaExceededException", 402),
        ("bedrock-runtime", "Converse", errors.ModelFailure(), "ModelErrorException", 424),
        ("bedrock-runtime", "Converse", errors.ModelTimeout(), "ModelTimeoutException", 408),
        ("bedrock-runtime", "Converse", errors.ModelNotReady(), "ModelNotReadyException", 429),
        ("bedrock-runtime", "Converse", errors.Conflict(), "ValidationException", 400),
        (
            "bedrock-runtime",
            "Converse",
            errors.CommonError("InvalidSignatureException", 403, "no"),
            "InvalidSignatureException",
            403,
        ),
        ("bedrock-runtime", "Converse", errors.RocamadreError("x"), "InternalServerException", 500),
    ],
)
def test_errors_take_the_operations_own_code_and_status(services, service, operation, error, code, status):
    declared = declared_for(error, services[service].operations[operation])
    assert (declared.code, declared.status) == (code, status)


def test_field_lists_where_the_shape_has_them(services):
    create = services["bedrock-agent"].operations["CreateAgent"]
    with pytest.raises(errors.InvalidRequest) as refused:
        create.read({}, b"", {}, b'{"idleSessionTTLInSeconds": 1}')
    body = json.loads(encode_error(refused.value, create).body)
    assert {field["name"] for field in body["fieldList"]} == {"agentName", "idleSessionTTLInSeconds"}
    assert "fieldList" not in json.loads(
        encode_error(refused.value, services["bedrock"].operations["CreateGuardrail"]).body
    )


def test_retry_hint_travels_as_a_header(services):
    encoded = encode_error(errors.Throttled(retry_after_s=3), services["bedrock-runtime"].operations["Converse"])
    assert (encoded.status, encoded.headers["retry-after"]) == (429, "3")


def test_mid_stream_errors_are_members_of_the_stream(services):
    stream = services["bedrock-runtime"].operations["ConverseStream"]
    assert encode_event_error(errors.ModelFailure("gone"), stream)[0] == "modelStreamErrorException"
    assert encode_event_error(errors.Throttled(), stream)[0] == "throttlingException"


def test_every_operation_of_every_service_compiles(services):
    for service in services.values():
        for operation in service.operations.values():
            assert callable(operation.read)
            assert callable(operation.write)
            assert isinstance(operation.event_writers, dict)

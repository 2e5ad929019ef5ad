import json

import pytest

from rocamadre.api.openai.errors import BadParameter, error_reply
from rocamadre.core import errors


@pytest.mark.parametrize(
    ("error", "status", "kind", "code"),
    [
        (errors.InvalidRequest("x"), 400, "invalid_request_error", None),
        (errors.NotBuilt("x"), 400, "invalid_request_error", "unsupported_value"),
        (errors.NotFound("x"), 404, "invalid_request_error", "model_not_found"),
        (errors.AccessDenied("x"), 403, "permission_error", None),
        (errors.Throttled("x"), 429, "rate_limit_error", "rate_limit_exceeded"),
        (errors.Unavailable("x"), 503, "server_error", None),
        (errors.ModelNotReady("x"), 503, "server_error", "model_not_ready"),
        (errors.ModelTimeout("x"), 504, "server_error", "timeout"),
        (errors.ModelFailure("x"), 500, "server_error", None),
        (errors.RocamadreError("x"), 500, "server_error", None),
        (
            errors.CommonError("MissingAuthenticationTokenException", 403, "x"),
            401,
            "invalid_request_error",
            "invalid_api_key",
        ),
        (errors.CommonError("AccessDeniedException", 403, "x"), 403, "invalid_request_error", None),
        (errors.CommonError("RequestEntityTooLargeException", 413, "x"), 413, "invalid_request_error", None),
    ],
)
def test_statuses(error, status, kind, code):
    reply = error_reply(error)
    body = json.loads(reply.body)["error"]
    assert (reply.status, body["type"], body["code"], body["message"]) == (status, kind, code, "x")
    assert set(body) == {"message", "type", "param", "code"}


def test_parameters_are_named():
    body = json.loads(error_reply(BadParameter("x", param="n", code="integer_above_max_value")).body)["error"]
    assert (body["param"], body["code"]) == ("n", "integer_above_max_value")
    assert json.loads(error_reply(errors.NotFound("x")).body)["error"]["param"] == "model"


def test_retry_after():
    assert error_reply(errors.Throttled("x", retry_after_s=2.4)).headers["retry-after"] == "2"
    assert error_reply(errors.Throttled("x", retry_after_s=0.1)).headers["retry-after"] == "1"
    assert "retry-after" not in error_reply(errors.NotFound("x")).headers

"""Plain HTTP requests to the running server, for what boto3 has no operation for."""

from __future__ import annotations

import http.client
import json
import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from rocamadre.cli.exits import CommandFailed, Exit
from rocamadre.cli.process import Server


def post(server: Server, path: str, body: Any, *, region: str, timeout_s: float = 600.0) -> Any:
    """POST JSON and return the JSON that comes back.

    Credentials are those of the environment, a bearer key first; without any, one that the open default accepts.

    Raises:
        CommandFailed: the server refused, or does not answer; the message is its own.
    """
    return _json(server, "POST", path, json.dumps(body).encode(), region=region, timeout_s=timeout_s)


def get(server: Server, path: str, *, region: str, timeout_s: float = 60.0) -> Any:
    """GET the JSON of a path; credentials and errors as for `post`."""
    return _json(server, "GET", path, b"", region=region, timeout_s=timeout_s)


def lines(server: Server, path: str, *, region: str, timeout_s: float = 600.0) -> Iterator[str]:
    """GET a text line by line, as the server writes it; credentials and errors as for `post`."""
    with _asked(server, "GET", path, b"", region=region, timeout_s=timeout_s) as response:
        if response.status != 200:
            raise _failure(response.status, _decoded(response.read(), response.status))
        for line in response:
            yield line.decode("utf-8", "replace").rstrip("\n")


def _json(server: Server, method: str, path: str, data: bytes, *, region: str, timeout_s: float) -> Any:
    with _asked(server, method, path, data, region=region, timeout_s=timeout_s) as response:
        value = _decoded(response.read(), response.status)
        if response.status == 200:
            return value
        raise _failure(response.status, value)


def _decoded(answer: bytes, status: int) -> Any:
    try:
        return json.loads(answer)
    except ValueError as error:
        raise CommandFailed(f"the server answered {status} without JSON") from error


@contextmanager
def _asked(
    server: Server, method: str, path: str, data: bytes, *, region: str, timeout_s: float
) -> Iterator[http.client.HTTPResponse]:
    """The answer, as long as the context is open."""
    url = urlsplit(server.address)
    assert url.hostname is not None
    headers = {"Content-Type": "application/json", "Host": url.netloc}
    connection: http.client.HTTPConnection
    if url.scheme == "https":
        # The certificate is for the name that clients use; this asks over loopback what runs here.
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection = http.client.HTTPSConnection(url.hostname, url.port, timeout=timeout_s, context=context)
    else:
        connection = http.client.HTTPConnection(url.hostname, url.port, timeout=timeout_s)
    try:
        connection.request(method, path, data, _signed(method, f"{server.address}{path}", data, headers, region))
        yield connection.getresponse()
    except (OSError, http.client.HTTPException) as error:
        raise CommandFailed("the server does not answer; try `roca status`", Exit.NOT_RUNNING) from error
    finally:
        connection.close()


def _signed(method: str, url: str, data: bytes, headers: dict[str, str], region: str) -> dict[str, str]:
    key, secret = os.environ.get("AWS_ACCESS_KEY_ID"), os.environ.get("AWS_SECRET_ACCESS_KEY")
    bearer = os.environ.get("AWS_BEARER_TOKEN_BEDROCK")
    if bearer or not (key and secret):
        return {**headers, "Authorization": f"Bearer {bearer or 'local'}"}
    request = AWSRequest(method, url, headers, data)
    SigV4Auth(Credentials(key, secret, os.environ.get("AWS_SESSION_TOKEN")), "bedrock", region).add_auth(request)
    return dict(request.headers.items())


def _failure(status: int, value: Any) -> CommandFailed:
    told = value if isinstance(value, dict) else {}
    inner = told["error"] if isinstance(told.get("error"), dict) else told  # OpenAI's form has it one level down.
    sentence = str(inner.get("message", ""))
    if status in (401, 403):
        return CommandFailed(f"{sentence}; make a key with `roca keys create` and set what it prints", Exit.REFUSED)
    missing = status == 404 or "model identifier is invalid" in sentence
    return CommandFailed(sentence or f"the server answered {status}", Exit.NOT_FOUND if missing else Exit.FAILURE)

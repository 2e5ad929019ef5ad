"""The server as boto3 sees it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, EndpointConnectionError

from rocamadre.cli.exits import CommandFailed, Exit
from rocamadre.cli.process import Server

_REFUSALS = frozenset(
    {
        "AccessDeniedException",
        "ExpiredTokenException",
        "IncompleteSignatureException",
        "InvalidSignatureException",
        "MissingAuthenticationTokenException",
        "UnrecognizedClientException",
    }
)


def open_client(server: Server, *, region: str, timeout_s: float = 600.0, service: str = "bedrock-runtime") -> Any:
    """A client of the running server, for one of botocore's services.

    Credentials are those of the environment, a bearer key first; without any, a name that the open default accepts.
    The user's own AWS profile is left alone: its account has no meaning here.
    """
    key, secret = os.environ.get("AWS_ACCESS_KEY_ID"), os.environ.get("AWS_SECRET_ACCESS_KEY")
    session = boto3.Session(
        aws_access_key_id=key if key and secret else "local",
        aws_secret_access_key=secret if key and secret else "local",
        aws_session_token=os.environ.get("AWS_SESSION_TOKEN") if key and secret else None,
        region_name=region,
    )
    config = Config(read_timeout=timeout_s, retries={"max_attempts": 2, "mode": "standard"}, proxies={})
    bearer = os.environ.get("AWS_BEARER_TOKEN_BEDROCK")
    if bearer:
        # boto3 sends bearer keys over TLS only; this one goes to the server that this very home names.
        config = config.merge(Config(signature_version=UNSIGNED))
    if service == "s3":
        config = config.merge(Config(s3={"addressing_style": "path"}))
    # Without the name in the path, operations of other services may have the same shape.
    address = f"{server.address}/{service}" if service == "bedrock" else server.address
    make: Any = session.client  # Typed by one overload for each service's name.
    client = make(service, endpoint_url=address, verify=False, config=config)
    if bearer:
        client.meta.events.register(
            f"before-send.{service}.*",
            lambda request, **_: request.headers.__setitem__("Authorization", f"Bearer {bearer}"),
        )
    return client


@contextmanager
def reported() -> Iterator[None]:
    """Turn what boto3 raises into a message and an exit code.

    Raises:
        CommandFailed: in place of boto3's error.
    """
    try:
        yield
    except ClientError as error:
        code, sentence = error.response["Error"]["Code"], error.response["Error"]["Message"]
        if code in _REFUSALS:
            hint = "make a key with `roca keys create` and set what it prints"
            raise CommandFailed(f"{sentence} ({code}); {hint}", Exit.REFUSED) from error
        missing = code == "ResourceNotFoundException" or "model identifier is invalid" in sentence
        raise CommandFailed(sentence, Exit.NOT_FOUND if missing else Exit.FAILURE) from error
    except EndpointConnectionError as error:
        raise CommandFailed("the server does not answer; try `roca status`", Exit.NOT_RUNNING) from error
    except BotoCoreError as error:
        raise CommandFailed(f"the connection to the server failed: {error}") from error

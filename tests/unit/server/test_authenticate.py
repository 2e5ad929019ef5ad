import asyncio
import json
from datetime import timedelta

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from rocamadre.identity.operations import create_key, revoke_key

PATH = "/model/rocamadre.fake-v1%3A0/converse"
BODY = json.dumps({"messages": [{"role": "user", "content": [{"text": "hi"}]}]}).encode()


@pytest.fixture
def locked(make_client):
    """A client of a server that requires keys, and a function that makes one."""
    client, platform = make_client(server={"auth": "required"})

    def make(**options):
        return create_key(platform.sql, platform.settings.home, platform.clock, **{"name": "k", **options})

    return client, platform, make


def signed(key, *, service="bedrock", body=BODY, token=None, secret=None):
    request = AWSRequest("POST", f"http://127.0.0.1:4599{PATH}", data=body)
    SigV4Auth(Credentials(key.key.id, secret or key.secret, token), service, "us-east-1").add_auth(request)
    return {name.lower(): value for name, value in request.headers.items()} | {"host": "127.0.0.1:4599"}


def ask(locked, headers, body=BODY):
    client, platform, _ = locked

    async def go():
        answer = await client.send("POST", PATH, body, headers=headers)
        await platform.engines.close()
        return answer

    answer = asyncio.run(go())
    return answer.status, answer.headers.get("x-amzn-errortype")


def test_a_key_made_here_signs(locked):
    assert ask(locked, signed(locked[2]())) == (200, None)


def test_any_other_signature_is_refused(locked):
    key = locked[2]()
    assert ask(locked, signed(key, secret="x" * 40)) == (403, "InvalidSignatureException")
    assert ask(locked, signed(key), BODY + b" ") == (403, "InvalidSignatureException")
    assert ask(locked, signed(key, service="execute-api")) == (403, "InvalidSignatureException")
    assert ask(locked, signed(key, token="issued elsewhere")) == (403, "UnrecognizedClientException")
    assert ask(locked, None) == (403, "UnrecognizedClientException")


def test_bearer_keys(locked):
    key = locked[2](kind="bearer")
    assert ask(locked, {"authorization": f"Bearer {key.secret}"}) == (200, None)
    assert ask(locked, {"authorization": f"Bearer {key.secret}x"}) == (403, "UnrecognizedClientException")


def test_a_revoked_key_is_refused_at_once(locked):
    key = locked[2]()
    assert ask(locked, signed(key))[0] == 200
    _, platform, _ = locked
    revoke_key(platform.sql, platform.settings.home, platform.clock, key.key.id)
    assert ask(locked, signed(key)) == (403, "UnrecognizedClientException")


def test_an_expired_key_is_refused(locked):
    key = locked[2](expires_in_s=0.001)
    assert key.key.expires_at - key.key.created_at < timedelta(seconds=1)
    assert ask(locked, signed(key)) == (403, "UnrecognizedClientException")

"""The socket that jobs use, and the headers that only count there."""

from __future__ import annotations

import asyncio
import json

import pytest

from rocamadre.core.settings import load_settings
from rocamadre.engines.priority import BACKGROUND
from rocamadre.jobs.api import ACCOUNT_HEADER, REGION_HEADER
from rocamadre.jobs.http_api import HttpApi
from rocamadre.server.internal import INTERNAL, InternalApplication, InternalServer, listen
from rocamadre.testing.inprocess import InProcessServer
from rocamadre.testing.jobs import InProcessApi
from rocamadre.testing.requests import WireRequest

FAKE = "rocamadre.fake-v1:0"
CONVERSE = json.dumps({"messages": [{"role": "user", "content": [{"text": "Hello"}]}]}).encode()
PATH = f"/bedrock-runtime/model/{FAKE}/converse"


@pytest.fixture(scope="module")
def locked(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    made = InProcessServer(load_settings(home=home, server={"auth": "required"}, catalog={"default_model": FAKE}))
    yield made
    made.close()


def test_the_public_side_does_not_heed_the_headers(locked):
    headers = {ACCOUNT_HEADER: "1" * 12, REGION_HEADER: "eu-west-1", "content-type": "application/json"}
    answer = locked.send(WireRequest("POST", PATH.encode(), b"", headers, CONVERSE), {})
    assert answer.status == 403


def test_a_job_needs_no_key(locked):
    api = InProcessApi(locked)
    answer = asyncio.run(api.post(PATH, CONVERSE, account="1" * 12, region="eu-west-1"))
    assert answer.status == 200
    assert json.loads(answer.body)["stopReason"] == "end_turn"


async def test_over_a_socket_that_only_this_user_may_open(tmp_path):
    seen = []

    async def application(scope, receive, send):
        seen.append((scope["raw_path"], *scope[INTERNAL], BACKGROUND.get()))
        await send({"type": "http.response.start", "status": 207, "headers": [(b"X-Name", b"value")]})
        await send({"type": "http.response.body", "body": b"answer"})

    path = tmp_path / "api.sock"
    listener = listen(path)
    assert path.stat().st_mode & 0o077 == 0
    server = InternalServer.of(InternalApplication(application, account="0" * 12, region="us-east-1"))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        async with HttpApi(path, timeout_s=20).session() as session:
            answer = await session.post("/model/arn%3Aaws%2Fx/converse", b"{}", account="1" * 12, region="eu-west-1")
    finally:
        await server.end(serving)
    assert (answer.status, answer.headers["x-name"], answer.body) == (207, "value", b"answer")
    ((raw_path, principal, region, background),) = seen
    assert raw_path == b"/model/arn%3Aaws%2Fx/converse"
    assert (principal.account, region, background) == ("1" * 12, "eu-west-1", True)
    assert not BACKGROUND.get()

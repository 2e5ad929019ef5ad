"""aioboto3 as it comes, in an environment of its own: it pins another botocore than ours."""

from __future__ import annotations

import json
import os
import subprocess

import pytest

PROGRAM = """
import asyncio, json, sys
import aioboto3, botocore.config, botocore.exceptions

FAKE = "rocamadre.fake-v1:0"
address, key, secret = sys.argv[1:]
keys = {"endpoint_url": address, "region_name": "us-east-1", "aws_access_key_id": key, "aws_secret_access_key": secret}
keys["config"] = botocore.config.Config(retries={"total_max_attempts": 1})


def user(text):
    return [{"role": "user", "content": [{"text": text}]}]


async def main():
    found = {}
    session = aioboto3.Session()
    async with session.client("bedrock-runtime", **keys) as runtime, session.client("bedrock", **keys) as bedrock:
        answers = await asyncio.gather(
            *(runtime.converse(modelId=FAKE, messages=user(f"number {index}")) for index in range(8))
        )
        found["texts"] = [answer["output"]["message"]["content"][0]["text"] for answer in answers]
        stream = (await runtime.converse_stream(modelId=FAKE, messages=user("one two three")))["stream"]
        events = [event async for event in stream]
        found["streamed"] = "".join(
            event["contentBlockDelta"]["delta"]["text"] for event in events if "contentBlockDelta" in event
        )
        found["last"] = list(events[-1])
        answer = await runtime.invoke_model(modelId="rocamadre.fake-embed-v1:0", body=json.dumps({"inputText": "x"}))
        found["dimensions"] = len(json.loads(await answer["body"].read())["embedding"])
        pages = bedrock.get_paginator("list_inference_profiles").paginate(PaginationConfig={"PageSize": 1})
        found["profiles"] = [p["inferenceProfileId"] async for page in pages for p in page["inferenceProfileSummaries"]]
        try:
            await runtime.converse(modelId="nobody.knows-v1:0", messages=user("x"))
        except botocore.exceptions.ClientError as refused:
            found["refused"] = refused.response["Error"]["Code"]
    print(json.dumps(found))


asyncio.run(main())
"""


@pytest.mark.clients
@pytest.mark.parametrize("which", ["server", "locked_server"])
def test_aioboto3(clients_python, request, which):
    running = request.getfixturevalue(which)
    names = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PYTHON"))}
    result = subprocess.run(
        [str(clients_python), "-c", PROGRAM, running.address, running.access_key, running.secret_key],
        env=names,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert result.returncode == 0, result.stderr[-3000:]
    found = json.loads(result.stdout)
    assert all(f"number {index}" in text for index, text in enumerate(found["texts"]))
    assert "one two three" in found["streamed"]
    assert found["last"] == ["metadata"]
    assert found["dimensions"] == 384
    assert len(found["profiles"]) == len(set(found["profiles"])) > 1
    assert found["refused"] == "ValidationException"

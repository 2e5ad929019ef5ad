"""Asynchronous calls on a real server: its worker does them, and kill -9 of the whole loses none."""

from __future__ import annotations

import json
import os
import signal
import time

import pytest
from tests.integration.conftest import Running, connect, launch

from rocamadre.cli.process import find_server, start_server, stop_server

NOVA = "amazon.nova-2-multimodal-embeddings-v1:0"
BUCKET = "async-output"
TEXT = "Some words that fill a line. " * 2000
LONGEST_S = 60.0


def settled(client, arn):
    """The call once it is over."""
    deadline = time.monotonic() + LONGEST_S
    while (found := client.get_async_invoke(invocationArn=arn))["status"] == "InProgress":
        assert time.monotonic() < deadline, "it never ended"
        time.sleep(0.1)
    return found


@pytest.mark.parametrize("kill", [False, True])
def test_a_call_is_completed(tmp_path, checkout, kill):
    home = tmp_path / "home"
    found, environment = launch(home, checkout, catalog__default_embedder="rocamadre.fake-embed-v1:0")
    try:
        running = Running(found.address, found.pid, home)
        connect(running, "s3").create_bucket(Bucket=BUCKET)
        text = {"truncationMode": "END", "value": TEXT, "segmentationConfig": {"maxLengthChars": 800}}
        params = {"embeddingPurpose": "GENERIC_INDEX", "embeddingDimension": 256, "text": text}
        arn = connect(running, "bedrock-runtime").start_async_invoke(
            modelId=NOVA,
            modelInput={"taskType": "SEGMENTED_EMBEDDING", "segmentedEmbeddingParams": params},
            outputDataConfig={"s3OutputDataConfig": {"s3Uri": f"s3://{BUCKET}/out"}},
        )["invocationArn"]
        if kill:
            os.kill(found.pid, signal.SIGKILL)
            while find_server(home) is not None:
                time.sleep(0.05)
            found = start_server(home, environment)
            running = Running(found.address, found.pid, home)
        done = settled(connect(running, "bedrock-runtime"), arn)
        assert done["status"] == "Completed", done.get("failureMessage")
        prefix = done["outputDataConfig"]["s3OutputDataConfig"]["s3Uri"].removeprefix(f"s3://{BUCKET}/")
        body = connect(running, "s3").get_object(Bucket=BUCKET, Key=f"{prefix}/embedding-text.jsonl")["Body"]
        places = [json.loads(line)["segmentMetadata"] for line in body.iter_lines()]
        assert [place["segmentIndex"] for place in places] == list(range(len(places)))
        assert places[-1]["segmentEndCharPosition"] == len(TEXT)
    finally:
        stop_server(home, found)

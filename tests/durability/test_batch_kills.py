"""Batches whose server or worker is killed: every record once, whoever died, and whenever."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from contextlib import suppress

import anthropic
import boto3
import openai
import psutil
import pytest
from botocore.config import Config

from rocamadre.cli.process import start_server, stop_server

FAKE = "rocamadre.fake-v1:0"
RECORDS = 200
LONGEST_S = 90.0
SLOW = '[[rules]]\nmatch = "slow"\nfirst_delay_s = 0.1\n'


class Place:
    """A home with a server on it, which may be killed and started again."""

    def __init__(self, home, **settings):
        self.home = home
        rules = home / "rules.toml"
        rules.write_text(SLOW)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("ROCA_", "AWS_"))}
        self.environment = kept | {
            "ROCA_SERVER__PORT": "0",
            "ROCA_CONSOLE__ENABLED": "false",
            "ROCA_CONFIG": str(home / "none.toml"),
            "ROCA_CATALOG__FAKE_RULES": str(rules),
            **{f"ROCA_{name.upper()}": value for name, value in settings.items()},
        }
        self.start()
        self.s3.create_bucket(Bucket="data")

    def start(self):
        self.server = start_server(self.home, self.environment)
        self.bedrock, self.s3 = self.client("bedrock"), self.client("s3")

    def stop(self):
        return stop_server(self.home, self.server)

    def client(self, service):
        session = boto3.Session(aws_access_key_id="testing", aws_secret_access_key="testing")
        config = Config(retries={"total_max_attempts": 1}, proxies={})
        return session.client(service, region_name="us-east-1", endpoint_url=self.server.address, config=config)

    def worker(self):
        for child in psutil.Process(self.server.pid).children():
            with suppress(psutil.Error):  # It may die while it is looked at.
                if "rocamadre.server.worker" in child.cmdline():
                    return child
        return None

    def kill_worker(self):
        worker = wait(self.worker)
        worker.kill()
        wait(lambda: (found := self.worker()) is not None and found.pid != worker.pid)

    def kill_server(self):
        worker = self.worker()
        process = psutil.Process(self.server.pid)
        process.kill()
        psutil.wait_procs([process], timeout=LONGEST_S)
        if worker is not None:  # It must not outlive its server: another would do the same jobs.
            wait(lambda: not worker.is_running())
        self.start()

    def submit(self, name, records=RECORDS, word="slow", **more):
        lines = [
            json.dumps({"recordId": f"R{n}", "modelInput": {"messages": [message(f"{word} {n}")]}})
            for n in range(records)
        ]
        self.s3.put_object(Bucket="data", Key=f"{name}.jsonl", Body="\n".join(lines).encode())
        wish = {
            "jobName": name,
            "roleArn": "arn:aws:iam::123456789012:role/batch",
            "modelId": FAKE,
            "modelInvocationType": "Converse",
            "inputDataConfig": {"s3InputDataConfig": {"s3Uri": f"s3://data/{name}.jsonl"}},
            "outputDataConfig": {"s3OutputDataConfig": {"s3Uri": "s3://data/out/"}},
        }
        return self.bedrock.create_model_invocation_job(**wish | more)["jobArn"]

    def job(self, arn):
        return self.bedrock.get_model_invocation_job(jobIdentifier=arn)

    def reaches(self, arn, records):
        wait(lambda: self.job(arn).get("processedRecordCount", 0) >= records)

    def ends(self, arn):
        over = ("Completed", "Failed", "Stopped", "PartiallyCompleted", "Expired")
        return wait(lambda: (job := self.job(arn))["status"] in over and job)

    def output(self, arn, name):
        body = self.s3.get_object(Bucket="data", Key=f"out/{arn.rpartition('/')[2]}/{name}.out")["Body"].read()
        return [json.loads(line) for line in body.splitlines()]


def message(text):
    return {"role": "user", "content": [{"text": text}]}


def wait(found):
    deadline = time.monotonic() + LONGEST_S
    while not (value := found()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return value


@pytest.fixture
def place(tmp_path):
    made = Place(tmp_path)
    yield made
    made.stop()


def test_every_record_once_under_kills(place):
    arn = place.submit("kills")
    place.kill_server()  # Submitted; nobody has looked at it.
    place.kill_worker()
    for kill, records in ((place.kill_worker, 20), (place.kill_server, 60), (place.kill_worker, 110)):
        place.reaches(arn, records)
        kill()
    place.reaches(arn, 150)
    place.kill_server()
    job = place.ends(arn)
    assert job["status"] == "Completed"
    assert (job["totalRecordCount"], job["successRecordCount"], job["errorRecordCount"]) == (RECORDS, RECORDS, 0)
    lines = place.output(arn, "kills.jsonl")
    assert Counter(line["recordId"] for line in lines) == Counter(f"R{n}" for n in range(RECORDS))
    for line in lines:
        answer = line["modelOutput"]["output"]["message"]["content"][0]["text"]
        assert answer.endswith(f"slow {line['recordId'][1:]}")
    (manifest,) = place.output(arn, "manifest.json")
    assert manifest["processedRecordCount"] == manifest["successRecordCount"] == RECORDS
    assert manifest["outputTokenCount"] == sum(line["modelOutput"]["usage"]["outputTokens"] for line in lines)
    assert list((place.home / "runs").iterdir()) == []


def test_a_job_that_is_stopped_writes_what_it_has(place):
    arn = place.submit("stopped")
    place.reaches(arn, 20)
    place.bedrock.stop_model_invocation_job(jobIdentifier=arn)
    place.kill_worker()
    job = place.ends(arn)
    assert job["status"] == "Stopped"
    lines = place.output(arn, "stopped.jsonl")
    assert 20 <= len(lines) == job["processedRecordCount"] < RECORDS


def test_a_server_that_is_stopped_takes_its_worker_along_and_goes_on_later(place):
    arn = place.submit("later")
    place.reaches(arn, 10)
    worker = place.worker()
    assert place.stop()
    assert not worker.is_running()
    place.start()
    assert place.ends(arn)["status"] == "Completed"
    assert len(place.output(arn, "later.jsonl")) == RECORDS


def test_a_batch_of_the_openai_wire_under_kills(place):
    def client():
        return openai.OpenAI(base_url=f"{place.server.address}/v1", api_key="testing", max_retries=0)

    lines = [
        {
            "custom_id": f"c{n}",
            "method": "POST",
            "url": "/v1/chat/completions",
            "body": {"model": FAKE, "messages": [{"role": "user", "content": f"slow {n}"}]},
        }
        for n in range(100)
    ]
    with client() as wire:
        file = wire.files.create(file=("in.jsonl", "\n".join(map(json.dumps, lines)).encode()), purpose="batch")
        batch = wire.batches.create(input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h")
        wait(lambda: wire.batches.retrieve(batch.id).request_counts.completed >= 20)
        place.kill_worker()
        wait(lambda: wire.batches.retrieve(batch.id).request_counts.completed >= 50)
    place.kill_server()
    with client() as wire:
        batch = wait(lambda: (found := wire.batches.retrieve(batch.id)).status in ("completed", "failed") and found)
        assert (batch.status, batch.request_counts.completed) == ("completed", 100)
        output = [json.loads(line) for line in wire.files.content(batch.output_file_id).read().splitlines()]
    assert [line["custom_id"] for line in output] == [f"c{n}" for n in range(100)]
    assert all(
        line["response"]["body"]["choices"][0]["message"]["content"].endswith(f"slow {n}")
        for n, line in enumerate(output)
    )


def test_a_message_batch_of_the_anthropic_wire_under_kills(place):
    def client():
        return anthropic.Anthropic(base_url=f"{place.server.address}/anthropic", api_key="testing", max_retries=0)

    def reaches(records):
        (run,) = wait(lambda: list(place.home.glob("runs/*")))
        done = run / "work" / "done"
        wait(lambda: done.exists() and len(done.read_bytes().splitlines()) >= records)

    requests = [
        {
            "custom_id": f"c{n}",
            "params": {"model": FAKE, "max_tokens": 64, "messages": [{"role": "user", "content": f"slow {n}"}]},
        }
        for n in range(100)
    ]
    with client() as wire:
        batch_id = wire.messages.batches.create(requests=requests).id
    place.kill_server()  # Created; nobody has looked at it.
    for kill, records in ((place.kill_worker, 15), (place.kill_server, 40), (place.kill_worker, 70)):
        reaches(records)
        kill()
    with client() as wire:
        batches = wire.messages.batches
        batch = wait(lambda: (found := batches.retrieve(batch_id)).processing_status == "ended" and found)
        assert (batch.request_counts.succeeded, batch.request_counts.processing) == (100, 0)
        lines = list(batches.results(batch_id))
    assert [line.custom_id for line in lines] == [f"c{n}" for n in range(100)]
    assert all(line.result.message.content[0].text.endswith(f"slow {n}") for n, line in enumerate(lines))
    assert list((place.home / "runs").iterdir()) == []
    assert [file.name for file in place.home.glob("message-batches/*/*")] == ["results.jsonl"]


def test_without_jobs_there_is_no_worker(place):
    assert place.worker() is None

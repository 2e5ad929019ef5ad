"""Imports, deployments and copies whose server or worker is killed: each ends once, and leaves nothing behind."""

from __future__ import annotations

import os
import random
import time
from contextlib import suppress

import boto3
import psutil
import pytest
from botocore.config import Config

from rocamadre.cli.process import start_server, stop_server
from rocamadre.testing.tiny import tiny_llama

LONGEST_S = 90.0
KILLS = 4


class Place:
    """A home with a server on it, which may be killed and started again."""

    def __init__(self, home):
        self.home = home
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("ROCA_", "AWS_"))}
        self.environment = kept | {
            "ROCA_SERVER__PORT": "0",
            "ROCA_CONSOLE__ENABLED": "false",
            "ROCA_CONFIG": str(home / "none.toml"),
        }
        self.start()

    def start(self):
        self.server = start_server(self.home, self.environment)

    def client(self, service, region="us-east-1"):
        session = boto3.Session(aws_access_key_id="testing", aws_secret_access_key="testing")
        config = Config(retries={"total_max_attempts": 1}, proxies={})
        return session.client(service, region_name=region, endpoint_url=self.server.address, config=config)

    def worker(self):
        for child in psutil.Process(self.server.pid).children():
            with suppress(psutil.Error):  # It may die while it is looked at.
                if "rocamadre.server.worker" in child.cmdline():
                    return child
        return None

    def kill_worker(self):
        wait(self.worker).kill()

    def kill_server(self):
        worker = self.worker()
        process = psutil.Process(self.server.pid)
        process.kill()
        psutil.wait_procs([process], timeout=LONGEST_S)
        if worker is not None:
            wait(lambda: not worker.is_running())
        self.start()


def wait(found):
    until = time.monotonic() + LONGEST_S
    while not (value := found()):
        assert time.monotonic() < until, "it took too long"
        time.sleep(0.02)
    return value


@pytest.fixture
def place(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    running = Place(home)
    yield running
    stop_server(home, running.server)


def test_kills_at_random_moments(place, tmp_path):
    s3 = place.client("s3")
    s3.create_bucket(Bucket="models")
    for path in tiny_llama(tmp_path / "tiny").iterdir():
        s3.upload_file(str(path), "models", f"tiny/{path.name}")
    source = {"s3DataSource": {"s3Uri": "s3://models/tiny/"}}
    chance = random.Random(5)
    models = []
    for number in range(KILLS):
        bedrock = place.client("bedrock")
        models.append(bedrock.create_custom_model(modelName=f"m{number}", modelSourceConfig=source)["modelArn"])
        time.sleep(chance.uniform(0.2, 3.0))
        (place.kill_server if number % 2 else place.kill_worker)()
    bedrock = place.client("bedrock")

    def told(arn):
        return bedrock.get_custom_model(modelIdentifier=arn)

    for arn in models:
        wait(lambda arn=arn: told(arn)["modelStatus"] != "Creating")
        assert told(arn)["modelStatus"] == "Active", told(arn).get("failureMessage")
    deployment = bedrock.create_custom_model_deployment(modelDeploymentName="front", modelArn=models[0])
    there = place.client("bedrock", "eu-west-1")
    copy = there.create_model_copy_job(sourceModelArn=models[1], targetModelName="moved")["jobArn"]
    place.kill_worker()
    arn = deployment["customModelDeploymentArn"]
    get = bedrock.get_custom_model_deployment
    wait(lambda: get(customModelDeploymentIdentifier=arn)["status"] == "Active")
    wait(lambda: there.get_model_copy_job(jobArn=copy)["status"] == "Completed")
    runtime, ask = place.client("bedrock-runtime"), [{"role": "user", "content": [{"text": "Hello"}]}]
    for name in (arn, *models):
        assert runtime.converse(modelId=name, messages=ask, inferenceConfig={"maxTokens": 1})["usage"]
    folders = {path.name for path in (place.home / "models").iterdir()}
    copied = there.get_model_copy_job(jobArn=copy)["targetModelArn"]
    assert folders == {f"custom-{each.rpartition('/')[2]}" for each in (*models, copied)}
    assert list((place.home / "runs").glob("import-*")) == []
    bedrock.delete_custom_model_deployment(customModelDeploymentIdentifier=arn)
    for each in models:
        bedrock.delete_custom_model(modelIdentifier=each)
    assert {path.name for path in (place.home / "models").iterdir()} == {f"custom-{copied.rpartition('/')[2]}"}

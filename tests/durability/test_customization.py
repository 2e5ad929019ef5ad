"""Trainings whose server, worker or trainer is killed: none is lost, none is run twice, and each ends as if left alone.

The stubs of `tests/stubs` train and publish; that a trainer itself goes on after any kill is in `test_training_run.py`.
"""

from __future__ import annotations

import json
import os
import random
import time
from contextlib import suppress
from pathlib import Path

import boto3
import psutil
import pytest
from botocore.config import Config

from rocamadre.cli.process import start_server, stop_server
from rocamadre.customization.progress import PUBLISH, run_dir
from rocamadre.jobs.launchers.process import process_of
from rocamadre.jobs.rundir import RunDir
from rocamadre.training.progress import curves

STUBS = Path(__file__).parents[1] / "stubs"
BASE = "rocamadre.roca-mini-v1:0"
STEPS = 24
LONGEST_S = 110.0


class Place:
    """A home with a server on it, which may be killed and started again."""

    def __init__(self, home, step_s=0.05):
        self.home = home
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("ROCA_", "AWS_"))}
        self.environment = kept | {
            "ROCA_SERVER__PORT": "0",
            "ROCA_CONSOLE__ENABLED": "false",
            "ROCA_CONFIG": str(home / "none.toml"),
            "PYTHONPATH": str(STUBS),
            "STUB_STEP_S": str(step_s),
        }
        self.start()
        self.s3.create_bucket(Bucket="data")
        lines = [json.dumps({"prompt": f"Question {n}", "completion": f"Answer {n}"}) for n in range(20)]
        self.s3.put_object(Bucket="data", Key="train.jsonl", Body="\n".join(lines).encode())

    def start(self):
        self.server = start_server(self.home, self.environment)
        self.bedrock, self.s3 = self.client("bedrock"), self.client("s3")

    def stop(self):
        return stop_server(self.home, self.server)

    def client(self, service):
        session = boto3.Session(aws_access_key_id="testing", aws_secret_access_key="testing")
        config = Config(retries={"total_max_attempts": 1}, proxies={})
        return session.client(service, region_name="us-east-1", endpoint_url=self.server.address, config=config)

    def create(self, name, **hyperparameters):
        return self.bedrock.create_model_customization_job(
            jobName=name,
            customModelName=name,
            roleArn="arn:aws:iam::123456789012:role/training",
            baseModelIdentifier=BASE,
            trainingDataConfig={"s3Uri": "s3://data/train.jsonl"},
            outputDataConfig={"s3Uri": "s3://data/out"},
            hyperParameters={"max_steps": str(STEPS), **hyperparameters},
        )["jobArn"]

    def job(self, arn):
        return self.bedrock.get_model_customization_job(jobIdentifier=arn)

    def ends(self, arn):
        return wait(lambda: (job := self.job(arn))["status"] in ("Completed", "Failed", "Stopped") and job)

    def reaches(self, arn, part):
        wait(lambda: self.job(arn)["statusDetails"][f"{part}Details"]["status"] != "NotStarted")

    def step(self, arn):
        steps = curves(run_dir(self.home, arn).progress()).steps
        return steps[-1]["step"] if steps else 0

    def trainer(self, arn):
        """The process that trains or publishes."""
        folder = run_dir(self.home, arn)
        return process_of(RunDir(folder.path / PUBLISH)) or process_of(folder)

    def worker(self):
        for child in psutil.Process(self.server.pid).children():
            with suppress(psutil.Error):  # It may die while it is looked at.
                if "rocamadre.server.worker" in child.cmdline():
                    return child
        return None

    def kill_worker(self, _arn=None):
        worker = wait(self.worker)
        worker.kill()
        wait(lambda: (found := self.worker()) is not None and found.pid != worker.pid)

    def kill_server(self, _arn=None):
        worker = self.worker()
        process = psutil.Process(self.server.pid)
        process.kill()
        psutil.wait_procs([process], timeout=LONGEST_S)
        if worker is not None:
            wait(lambda: not worker.is_running())
        self.start()

    def kill_trainer(self, arn):
        with suppress(psutil.NoSuchProcess):
            if (trainer := self.trainer(arn)) is not None:
                trainer.kill()

    def losses(self, arn):
        key = f"out/model-customization-job-{arn.rpartition('/')[2]}/training_artifacts/step_wise_training_metrics.csv"
        return self.s3.get_object(Bucket="data", Key=key)["Body"].read().decode()


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


@pytest.mark.timeout(400)  # nine kills, each followed by a start
def test_a_training_under_kills_ends_as_one_left_alone(place):
    alone = place.create("alone")
    assert place.ends(alone)["status"] == "Completed"
    arn = place.create("killed")
    place.kill_server()  # Nobody has looked at it.
    place.reaches(arn, "validation")
    place.kill_worker()
    place.reaches(arn, "training")
    place.kill_server()
    moments = random.Random(7)
    for kill in (place.kill_trainer, place.kill_worker, place.kill_trainer, place.kill_server):
        reached = place.step(arn) + 1 + moments.randrange(2)
        wait(lambda: place.step(arn) >= reached)  # noqa: B023  # asked in this turn of the loop only
        time.sleep(moments.uniform(0, 0.1))
        kill(arn)
    wait((run_dir(place.home, arn).path / PUBLISH / "spec.json").exists)
    place.kill_trainer(arn)
    place.kill_worker()
    job = place.ends(arn)
    assert (job["status"], job.get("failureMessage")) == ("Completed", None)
    assert job["trainingMetrics"] == place.job(alone)["trainingMetrics"]
    assert place.losses(arn) == place.losses(alone)
    assert len(place.losses(arn).splitlines()) == STEPS + 1
    events = [event["event"] for event in run_dir(place.home, arn).progress()]
    assert events.count("resumed") >= 2
    models = place.bedrock.list_custom_models()["modelSummaries"]
    assert sorted(model["modelName"] for model in models) == ["alone", "killed"]
    weights = {path.parent.name: path.read_text() for path in place.home.glob("models/custom-*/weights")}
    assert len(weights) == 2
    assert len(set(weights.values())) == 1  # the same data, the same steps


def test_a_trainer_outlives_its_worker_and_is_found_again(place):
    arn = place.create("found", rank="999")
    trainer = wait(lambda: place.trainer(arn))
    place.kill_worker()
    place.kill_server()
    assert trainer.is_running()
    (place.home / "runs" / "go").touch()
    assert place.ends(arn)["status"] == "Completed"
    starts = (run_dir(place.home, arn).path / "starts").read_text().splitlines()
    assert starts == [str(trainer.pid)]


def test_a_platform_that_is_stopped_takes_trainers_along_and_goes_on_later(place):
    arn, later = place.create("first", rank="999"), place.create("second")
    trainer = wait(lambda: place.trainer(arn))
    assert place.job(later)["statusDetails"]["validationDetails"]["status"] == "NotStarted"  # one at a time
    assert place.stop()
    assert not trainer.is_running()
    (place.home / "runs" / "go").touch()
    place.start()
    assert [place.ends(each)["status"] for each in (arn, later)] == ["Completed", "Completed"]
    assert len((run_dir(place.home, later).path / "starts").read_text().splitlines()) == 1


def test_a_training_that_is_stopped_stays_stopped_under_kills(place):
    arn = place.create("stopped", rank="999")
    wait(lambda: place.trainer(arn))
    place.bedrock.stop_model_customization_job(jobIdentifier=arn)
    place.kill_server()
    job = place.ends(arn)
    assert (job["status"], job["statusDetails"]["trainingDetails"]["status"]) == ("Stopped", "Stopped")
    assert place.bedrock.list_custom_models()["modelSummaries"] == []
    wait(lambda: place.trainer(arn) is None)

"""Customization jobs through boto3, with stubs that train and publish without torch."""

from __future__ import annotations

import csv
import gzip
import io
import json
import threading
import time
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from rocamadre.core.context import Context, Principal
from rocamadre.core.ids import short_id
from rocamadre.customization import jobs as customization_jobs
from rocamadre.customization.operations import create_job, get_job
from rocamadre.customization.progress import run_dir
from rocamadre.customization.types import NewJob, Source
from rocamadre.testing.jobs import inline_jobs
from rocamadre.testing.requests import WireRequest

ACCOUNT = "123456789012"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/training"
BASE = "rocamadre.roca-mini-v1:0"
STUBS = Path(__file__).parents[2] / "stubs"
LONGEST_S = 60.0
RECORDS = [{"prompt": f"What is {n} and {n}?", "completion": f"It is {2 * n}."} for n in range(12)]


@pytest.fixture(autouse=True)
def _stubs(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(STUBS))
    monkeypatch.setattr(customization_jobs, "TRAINER", "stub_trainer")
    monkeypatch.setattr(customization_jobs, "PUBLISHER", "stub_publisher")


@pytest.fixture
def put(server):
    """`put("train.jsonl", records)`: lines in the bucket; returns the URI."""

    def write(name, records, bucket="models"):
        lines = [each if isinstance(each, str) else json.dumps(each) for each in records]
        server.platform.objects.of(ACCOUNT).put(bucket, name, "\n".join(lines).encode())
        return f"s3://{bucket}/{name}"

    return write


@pytest.fixture
def wish(put):
    """A request with as little as works; keywords change it, None takes a member away."""
    uri = put("train.jsonl", RECORDS)

    def make(**changes):
        request = {
            "jobName": f"job-{short_id(8)}",
            "customModelName": f"model-{short_id(8)}",
            "roleArn": ROLE,
            "baseModelIdentifier": BASE,
            "trainingDataConfig": {"s3Uri": uri},
            "outputDataConfig": {"s3Uri": "s3://models/out/"},
            "hyperParameters": {"max_steps": "6"},
        }
        return {name: value for name, value in (request | changes).items() if value is not None}

    return make


def refusal(call, **request):
    with pytest.raises(ClientError) as caught:
        call(**request)
    return caught.value.response["Error"]["Code"], caught.value.response["Error"]["Message"]


def parts(job):
    return [job["statusDetails"][f"{name}Details"]["status"] for name in ("validation", "dataProcessing", "training")]


def wait(found):
    deadline = time.monotonic() + LONGEST_S
    while not (value := found()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return value


def read_csv(server, key):
    return list(csv.DictReader(io.StringIO(server.platform.objects.of(ACCOUNT).read("models", key).decode())))


@pytest.mark.covers("bedrock:CreateModelCustomizationJob", "bedrock:GetModelCustomizationJob")
def test_a_job_from_its_beginning_to_a_model_that_answers(server, jobs, bedrock, runtime, wish, put):
    validation = put("validation.jsonl", RECORDS[:3])
    asked = wish(
        customizationType="FINE_TUNING",
        validationDataConfig={"validators": [{"s3Uri": validation}]},
        hyperParameters={"epochCount": "2", "batchSize": "4", "learningRate": "0.001", "rank": "4"},
        jobTags=[{"key": "team", "value": "harbour"}],
        customModelTags=[{"key": "stage", "value": "test"}],
        vpcConfig={"subnetIds": ["subnet-1"], "securityGroupIds": ["sg-1"]},
    )
    arn = bedrock.create_model_customization_job(**asked)["jobArn"]
    assert arn.startswith(f"arn:aws:bedrock:us-east-1:{ACCOUNT}:model-customization-job/{BASE}/")
    job = bedrock.get_model_customization_job(jobIdentifier=asked["jobName"])
    assert (job["status"], parts(job)) == ("InProgress", ["NotStarted"] * 3)
    assert "outputModelArn" not in job
    jobs.drain()
    job = bedrock.get_model_customization_job(jobIdentifier=arn)
    assert (job["status"], parts(job), job.get("failureMessage")) == ("Completed", ["Completed"] * 3, None)
    assert job["baseModelArn"] == f"arn:aws:bedrock:us-east-1::foundation-model/{BASE}"
    assert job["hyperParameters"] == asked["hyperParameters"]
    assert job["trainingDataConfig"] == asked["trainingDataConfig"]
    assert job["validationDataConfig"] == asked["validationDataConfig"]
    assert job["vpcConfig"] == asked["vpcConfig"]
    assert job["creationTime"] <= job["lastModifiedTime"] <= job["endTime"]
    assert bedrock.list_tags_for_resource(resourceARN=arn)["tags"] == asked["jobTags"]

    prefix = f"out/model-customization-job-{arn.rpartition('/')[2]}"
    steps = read_csv(server, f"{prefix}/training_artifacts/step_wise_training_metrics.csv")
    assert list(steps[0]) == ["step_number", "epoch_number", "training_loss", "perplexity"]
    assert [row["step_number"] for row in steps] == [str(n) for n in range(10)]
    assert [row["epoch_number"] for row in steps] == ["0"] * 5 + ["1"] * 5
    assert float(steps[-1]["training_loss"]) == pytest.approx(job["trainingMetrics"]["trainingLoss"], abs=1e-5)
    below = f"{prefix}/validation_artifacts/post_fine_tuning_validation"
    validated = read_csv(server, f"{below}/validation/validation_metrics.csv")
    assert validated == read_csv(server, f"{below}/validation_metrics.csv")
    assert list(validated[0]) == ["step_number", "epoch_number", "validation_loss", "perplexity"]
    (metrics,) = job["validationMetrics"]
    assert float(validated[-1]["validation_loss"]) == pytest.approx(metrics["validationLoss"], abs=1e-5)

    model = bedrock.get_custom_model(modelIdentifier=job["outputModelArn"])
    assert (model["modelName"], model["jobArn"]) == (asked["customModelName"], arn)
    assert bedrock.list_tags_for_resource(resourceARN=model["modelArn"])["tags"] == asked["customModelTags"]
    said = runtime.converse(
        modelId=job["outputModelArn"], messages=[{"role": "user", "content": [{"text": "Hello there"}]}]
    )
    assert "Hello there" in said["output"]["message"]["content"][0]["text"]
    folder = run_dir(server.platform.settings.home, arn)
    assert not folder.work.exists()
    assert not (folder.path / "checkpoints").exists()
    assert len(folder.progress()) > 10


BASES = {
    "id": BASE,
    "ARN": f"arn:aws:bedrock:us-east-1::foundation-model/{BASE}",
    "short name": "roca-mini",
    "alias": "amazon.nova-lite-v1:0",
    "alias with a context length": "amazon.titan-text-express-v1:0:8k",
}


def test_every_form_of_a_base(server):
    server.platform.settings.catalog.__dict__["default_model"] = BASE
    server.platform.objects.of(ACCOUNT).put("models", "one.jsonl", b"{}")
    ctx = Context(server.platform, Principal("me", ACCOUNT), ACCOUNT, "us-east-1", "", float("inf"))
    for number, base in enumerate(BASES.values()):
        source = Source("s3://models/one.jsonl")
        new = NewJob(f"j{number}", f"m{number}", ROLE, base, "FINE_TUNING", source, (), "s3://models/", {})
        job = create_job(ctx, new)
        assert get_job(ctx, new.name) == job
        assert job.local_id == BASE
        assert (job.base_id == BASE) == ("amazon" not in base)
        assert job.arn.split("/")[1] == job.base_id == job.base_arn.rpartition("/")[2]


def test_a_custom_model_is_a_base(jobs, bedrock, wish):
    first = wish()
    bedrock.create_model_customization_job(**first)
    jobs.drain()
    made = bedrock.get_custom_model(modelIdentifier=first["customModelName"])["modelArn"]
    for base in (made, first["customModelName"]):
        arn = bedrock.create_model_customization_job(**wish(baseModelIdentifier=base))["jobArn"]
        job = bedrock.get_model_customization_job(jobIdentifier=arn)
        assert job["baseModelArn"] == f"arn:aws:bedrock:us-east-1::foundation-model/{BASE}"
        (shown,) = [
            each
            for each in bedrock.list_model_customization_jobs()["modelCustomizationJobSummaries"]
            if each["jobArn"] == arn
        ]
        assert shown["baseModelArn"] == made
    assert refusal(bedrock.delete_custom_model, modelIdentifier=made)[0] == "ConflictException"


REFUSED = {
    "reinforcement": ({"customizationType": "REINFORCEMENT_FINE_TUNING"}, "reinforcement fine-tuning"),
    "imported": ({"customizationType": "IMPORTED"}, "CreateModelImportJob"),
    "rft": (
        {"customizationConfig": {"rftConfig": {"hyperParameters": {"epochCount": 1}}}},
        "customizationConfig.rftConfig",
    ),
    "no data": ({"trainingDataConfig": {}}, "trainingDataConfig needs s3Uri"),
    "logs without distillation": (
        {"trainingDataConfig": {"invocationLogsConfig": {"invocationLogSource": {"s3Uri": "s3://models/logs"}}}},
        "goes with customizationType DISTILLATION",
    ),
    "distillation without a teacher": ({"customizationType": "DISTILLATION"}, "names the teacher"),
    "a teacher without distillation": (
        {"customizationConfig": {"distillationConfig": {"teacherModelConfig": {"teacherModelIdentifier": BASE}}}},
        "names the teacher",
    ),
    "an embedder": ({"baseModelIdentifier": "rocamadre.fake-embed-v1:0"}, "takes no customization at all"),
    "no weights": ({"baseModelIdentifier": "rocamadre.fake-v1:0"}, "takes no customization at all"),
    "no such object": ({"trainingDataConfig": {"s3Uri": "s3://models/none.jsonl"}}, "s3://models/none.jsonl"),
    "no such bucket": ({"outputDataConfig": {"s3Uri": "s3://nowhere/"}}, "nowhere"),
    "an unknown hyperparameter": ({"hyperParameters": {"epochs_count": "1"}}, "'epochs_count' is unknown"),
    "a method that is none": ({"hyperParameters": {"method": "magic"}}, "there are: full, lora"),
    "another method's setting": ({"hyperParameters": {"method": "full", "rank": "8"}}, "'rank' is unknown"),
    "a rank of words": ({"hyperParameters": {"rank": "many"}}, "rank of method lora is 'many'"),
    "twice the same": ({"hyperParameters": {"epochCount": "1", "epochs": "2"}}, "say the same"),
    "longer than the model reads": ({"hyperParameters": {"max_length": "100000"}}, "reads at most"),
}


def test_what_is_refused(bedrock, wish, subtests):
    for name, (changes, told) in REFUSED.items():
        with subtests.test(name):
            code, message = refusal(bedrock.create_model_customization_job, **wish(**changes))
            assert code == "ValidationException"
            assert told in message
    assert bedrock.list_model_customization_jobs()["modelCustomizationJobSummaries"] == []


def test_an_unknown_base_and_an_unknown_job(bedrock, wish):
    code, message = refusal(bedrock.create_model_customization_job, **wish(baseModelIdentifier="acme.nothing-v1"))
    assert code == "ResourceNotFoundException"
    assert BASE in message
    assert refusal(bedrock.get_model_customization_job, jobIdentifier="none")[0] == "ResourceNotFoundException"
    assert refusal(bedrock.stop_model_customization_job, jobIdentifier="none")[0] == "ResourceNotFoundException"


def test_names_are_taken_once(jobs, bedrock, wish):
    asked = wish(clientRequestToken="token-1")
    arn = bedrock.create_model_customization_job(**asked)["jobArn"]
    assert bedrock.create_model_customization_job(**asked)["jobArn"] == arn
    code, message = refusal(bedrock.create_model_customization_job, **wish(jobName=asked["jobName"]))
    assert code == "ConflictException"
    assert arn in message
    again = wish(customModelName=asked["customModelName"])
    assert refusal(bedrock.create_model_customization_job, **again)[0] == "ConflictException"
    jobs.drain()
    assert refusal(bedrock.create_model_customization_job, **again)[0] == "ConflictException"


@pytest.mark.covers("bedrock:ListModelCustomizationJobs")
def test_lists_are_filtered_sorted_and_paged(server, jobs, bedrock, wish):
    names = [f"harbour-{n}" for n in range(5)]
    for name in names:
        bedrock.create_model_customization_job(**wish(jobName=name))
    bedrock.create_model_customization_job(**wish(jobName="quay"))

    def listed(**filters):
        found = bedrock.list_model_customization_jobs(**filters)["modelCustomizationJobSummaries"]
        return [each["jobName"] for each in found]

    assert listed(nameContains="harbour") == names[::-1]
    assert listed(nameContains="harbour", sortBy="CreationTime", sortOrder="Ascending") == names
    bedrock.stop_model_customization_job(jobIdentifier="quay")
    assert listed(statusEquals="Stopped") == ["quay"]
    middle = bedrock.get_model_customization_job(jobIdentifier="harbour-2")["creationTime"]
    assert listed(creationTimeAfter=middle, nameContains="harbour") in (names[:2:-1], names[:1:-1])  # to the second
    pages = bedrock.get_paginator("list_model_customization_jobs").paginate(PaginationConfig={"PageSize": 2})
    assert [each["jobName"] for page in pages for each in page["modelCustomizationJobSummaries"]] == [
        "quay",
        *names[::-1],
    ]


@pytest.mark.covers("bedrock:StopModelCustomizationJob")
def test_stop_and_resume(server, bedrock, wish):
    asked = wish(hyperParameters={"max_steps": "8", "rank": "999"})
    arn = bedrock.create_model_customization_job(**asked)["jobArn"]
    inline = inline_jobs(server)
    inline.start()
    folder = run_dir(server.platform.settings.home, arn)
    wait((folder.path / "starts").exists)
    job = wait(
        lambda: (
            (found := bedrock.get_model_customization_job(jobIdentifier=arn))
            and parts(found) == ["Completed", "Completed", "InProgress"]
            and found
        )
    )
    bedrock.stop_model_customization_job(jobIdentifier=arn)
    job = wait(
        lambda: (found := bedrock.get_model_customization_job(jobIdentifier=arn))["status"] == "Stopped" and found
    )
    assert parts(job) == ["Completed", "Completed", "Stopped"]
    assert refusal(bedrock.stop_model_customization_job, jobIdentifier=arn)[0] == "ConflictException"
    (folder.path.parent / "go").touch()
    (shown,) = ask(server, "GET", "/_rocamadre/jobs")["jobs"]
    assert shown["can_resume"]
    resumed = ask(server, "POST", f"/_rocamadre/jobs/{asked['jobName']}/resume")
    assert resumed["status"] == "InProgress"
    job = wait(
        lambda: (found := bedrock.get_model_customization_job(jobIdentifier=arn))["status"] == "Completed" and found
    )
    inline.close()
    assert any(event["event"] == "resumed" for event in folder.progress())
    assert bedrock.get_custom_model(modelIdentifier=job["outputModelArn"])["modelStatus"] == "Active"
    with pytest.raises(AssertionError, match="Completed"):
        ask(server, "POST", f"/_rocamadre/jobs/{asked['jobName']}/resume")


def ask(server, method, path):
    answer = server.send(request_of(method, path))
    assert answer.status == 200, answer.body
    return json.loads(answer.body)


def request_of(method, path, body=b""):
    where, _, query = path.partition("?")
    return WireRequest(method, where.encode(), query.encode(), {"content-type": "application/json"}, body)


BROKEN = {
    "bad JSON": ["{", "line 13"],
    "no completion": [{"prompt": "only"}, "line 13"],
    "too long": [{"prompt": "word " * 3000, "completion": "x"}, "tokens"],
    "of another kind": [{"messages": [{"role": "user", "content": "Hi"}]}, "line 13"],
}


def test_bad_data_fails_the_job_and_is_named(jobs, bedrock, wish, put, subtests):
    for name, (record, told) in BROKEN.items():
        uri = put("bad.jsonl", [*RECORDS, record])
        arn = bedrock.create_model_customization_job(**wish(trainingDataConfig={"s3Uri": uri}))["jobArn"]
        jobs.drain()
        with subtests.test(name):
            job = bedrock.get_model_customization_job(jobIdentifier=arn)
            assert (job["status"], parts(job)) == ("Failed", ["Failed", "NotStarted", "NotStarted"])
            assert told in job["failureMessage"]
            assert "bad.jsonl" in job["failureMessage"]


FAILING = {
    "crash": ({"hyperParameters": {"rank": "997"}}, "ended 3 times without a result"),
    "refusal": ({"hyperParameters": {"rank": "998"}}, "the stub refuses"),
    "certificate": ({"customModelName": "sabotaged"}, "would not answer as it was trained"),
}


def test_what_goes_wrong_is_the_reason(server, jobs, bedrock, wish, subtests):
    for name, (changes, told) in FAILING.items():
        arn = bedrock.create_model_customization_job(**wish(**changes))["jobArn"]
        jobs.drain()
        with subtests.test(name):
            job = bedrock.get_model_customization_job(jobIdentifier=arn)
            assert (job["status"], parts(job)) == ("Failed", ["Completed", "Completed", "Failed"])
            assert told in job["failureMessage"]
    assert bedrock.list_custom_models()["modelSummaries"] == []
    assert list((server.platform.settings.home / "models").glob("custom-*")) == []


def test_data_that_disappears_midway(server, jobs, bedrock, wish, put):
    uri = put("gone.jsonl", RECORDS)
    arn = bedrock.create_model_customization_job(**wish(trainingDataConfig={"s3Uri": uri}))["jobArn"]
    server.platform.objects.of(ACCOUNT).delete("models", "gone.jsonl")
    jobs.drain()
    job = bedrock.get_model_customization_job(jobIdentifier=arn)
    assert job["status"] == "Failed"
    assert "gone.jsonl" in job["failureMessage"]


def test_continued_pre_training(server, jobs, bedrock, wish, put, monkeypatch):
    uri = put("texts.jsonl", [{"input": f"The {n}th ship is red."} for n in range(5)])
    specs = []
    monkeypatch.setattr(customization_jobs, "_run", lambda module, folder, stop: specs.append(folder.spec()) or 1 / 0)
    bedrock.create_model_customization_job(
        **wish(customizationType="CONTINUED_PRE_TRAINING", trainingDataConfig={"s3Uri": uri}, hyperParameters={})
    )
    jobs.drain()
    (spec,) = specs
    assert spec["objective"] == "text"
    assert spec["settings"]["method"] == "full"
    assert Path(spec["train"][0]).read_text().count("\n") == 5


TEACHER = {"distillationConfig": {"teacherModelConfig": {"teacherModelIdentifier": "rocamadre.fake-v1:0"}}}


def distil(jobs, bedrock, wish, monkeypatch, data):
    """The conversations that a distillation trains on."""
    seen = []

    def look(module, folder, stop):
        seen.extend(json.loads(line) for line in (folder.work / "train.jsonl").read_text().splitlines())
        raise ZeroDivisionError

    monkeypatch.setattr(customization_jobs, "_run", look)
    asked = wish(customizationType="DISTILLATION", customizationConfig=TEACHER, trainingDataConfig=data)
    arn = bedrock.create_model_customization_job(**asked)["jobArn"]
    jobs.drain()
    job = bedrock.get_model_customization_job(jobIdentifier=arn)
    assert job["customizationConfig"] == TEACHER
    if not seen:
        return job["failureMessage"]
    return [tuple(turn["text"] for turn in record["turns"]) for record in seen]


def test_a_teacher_answers_prompts(jobs, bedrock, wish, put, monkeypatch):
    conversation = {"schemaVersion": "bedrock-conversation-2024", "system": [{"text": "Be kind."}]}
    asked = [{**conversation, "messages": [{"role": "user", "content": [{"text": f"Question {n}"}]}]} for n in range(3)]
    given = {
        **conversation,
        "messages": [
            {"role": "user", "content": [{"text": "Known"}]},
            {"role": "assistant", "content": [{"text": "Yes"}]},
        ],
    }
    uri = put("prompts.jsonl", [*asked, asked[0], given])
    found = distil(jobs, bedrock, wish, monkeypatch, {"s3Uri": uri})
    assert found[0] == ("Be kind.", "Known", "Yes")
    assert [turns[:2] for turns in found[1:]] == [("Be kind.", f"Question {n}") for n in range(3)]
    assert all(f"Question {n}" in turns[2] for n, turns in enumerate(found[1:]))


@pytest.fixture
def logs(server):
    """Invocation logs as Bedrock writes them."""

    def record(text, team, **more):
        said = {"output": {"message": {"role": "assistant", "content": [{"text": f"Answer to {text}"}]}}}
        return {
            "schemaType": "ModelInvocationLog",
            "schemaVersion": "1.0",
            "operation": "Converse",
            "modelId": "rocamadre.fake-v1:0",
            "requestMetadata": {"team": team},
            "input": {"inputBodyJson": {"messages": [{"role": "user", "content": [{"text": text}]}]}},
            "output": {"outputBodyJson": said},
            **more,
        }

    records = [
        record("One", "red"),
        record("Two", "blue"),
        record("Three", "red", modelId="another.model-v1"),
        record("Four", "red", errorCode="ThrottlingException"),
        {"schemaType": "Other"},
    ]
    body = gzip.compress("\n".join(map(json.dumps, records)).encode())
    server.platform.objects.of(ACCOUNT).put("models", "logs/AWSLogs/2026/a.json.gz", body)
    return {"invocationLogSource": {"s3Uri": "s3://models/logs/"}}


def test_prompts_of_invocation_logs(jobs, bedrock, wish, logs, monkeypatch):
    config = {**logs, "requestMetadataFilters": {"equals": {"team": "red"}}}
    found = distil(jobs, bedrock, wish, monkeypatch, {"invocationLogsConfig": config})
    assert [turns[0] for turns in found] == ["One", "Three"]


def test_answers_of_invocation_logs(jobs, bedrock, wish, logs, monkeypatch):
    config = {**logs, "usePromptResponse": True}
    found = distil(jobs, bedrock, wish, monkeypatch, {"invocationLogsConfig": config})
    assert found == [("One", "Answer to One"), ("Two", "Answer to Two")]
    config["requestMetadataFilters"] = {"equals": {"team": "green"}}
    message = distil(jobs, bedrock, wish, monkeypatch, {"invocationLogsConfig": config})
    assert "of 4 log records none can be used" in message


def test_all_jobs_by_http(server, jobs, bedrock, wish):
    first, second = wish(), wish()
    arn = bedrock.create_model_customization_job(**first)["jobArn"]
    jobs.drain()
    bedrock.create_model_customization_job(**second)
    every = ask(server, "GET", "/_rocamadre/jobs")["jobs"]
    assert [job["name"] for job in every] == [second["jobName"], first["jobName"]]
    assert [job["can_stop"] for job in every] == [True, False]
    assert every[0]["progress"]["state"] == "queued"
    page = ask(server, "GET", "/_rocamadre/jobs?limit=1&kind=customization")
    assert page["next"] == page["jobs"][0]["id"]
    rest = ask(server, "GET", f"/_rocamadre/jobs?limit=1&after={page['next']}")
    assert [job["name"] for job in rest["jobs"]] == [first["jobName"]]
    for query, found in (
        ("status=active", [second]),
        ("status=completed", [first]),
        ("status=Completed", [first]),
        (f"find={first['jobName'].upper()}", [first]),
        ("order=oldest", [first, second]),
        ("kind=model-pull", []),
    ):
        names = [job["name"] for job in ask(server, "GET", f"/_rocamadre/jobs?{query}")["jobs"]]
        assert names == [each["jobName"] for each in found]
    one = ask(server, "GET", f"/_rocamadre/jobs/{first['jobName']}")
    assert one["id"] == arn
    progress = one["progress"]
    assert (progress["state"], progress["step"], progress["steps"]) == ("over", 6, 6)
    assert [step for step, _ in progress["losses"]] == [1, 2, 3, 4, 5, 6]
    assert len(progress["learning_rates"]) == len(progress["gradient_norms"]) == 6
    assert [each["name"] for each in one["foreseen"]]
    for bad in ("kind=none", "limit=0", "order=best", "after=none"):
        assert server.send(request_of("GET", f"/_rocamadre/jobs?{bad}")).status == 400
    assert server.send(request_of("GET", "/_rocamadre/jobs/none")).status == 404
    stopped = ask(server, "POST", f"/_rocamadre/jobs/{second['jobName']}/stop")
    assert stopped["status"] == "Stopped"


def test_events_and_logs_follow_until_the_end(server, bedrock, wish):
    asked = wish(hyperParameters={"max_steps": "6", "rank": "999"})
    bedrock.create_model_customization_job(**asked)
    inline = inline_jobs(server)
    inline.start()
    wait(lambda: ask(server, "GET", f"/_rocamadre/jobs/{asked['jobName']}")["progress"]["state"] == "training")
    got = []
    path = f"/_rocamadre/jobs/{asked['jobName']}/events?follow=true"
    reader = threading.Thread(target=lambda: got.append(server.send(request_of("GET", path)).body))
    reader.start()
    (server.platform.settings.home / "runs" / "go").touch()
    reader.join(LONGEST_S)
    inline.close()
    events = [json.loads(line) for line in got[0].splitlines()]
    assert [event["step"] for event in events if event["event"] == "step"] == [1, 2, 3, 4, 5, 6]
    answer = server.send(request_of("GET", f"/_rocamadre/jobs/{asked['jobName']}/logs"))
    assert (answer.status, answer.headers["content-type"]) == (200, "text/plain; charset=utf-8")


def test_old_checkpoints_are_removed_when_their_time_has_come(server, jobs, bedrock, wish):
    arn = bedrock.create_model_customization_job(**wish(hyperParameters={"rank": "998"}))["jobArn"]
    jobs.drain()
    folder = run_dir(server.platform.settings.home, arn)
    assert folder.work.exists()
    bedrock.create_model_customization_job(**wish())
    jobs.drain()
    assert folder.work.exists()
    server.platform.settings.jobs.__dict__["resumable_days"] = 0
    bedrock.create_model_customization_job(**wish())
    jobs.drain()
    assert not folder.work.exists()

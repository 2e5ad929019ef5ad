"""Batch inference through boto3 and a server in this process."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from rocamadre.core.settings import load_settings
from rocamadre.testing.inprocess import ADDRESS, InProcessServer
from rocamadre.testing.jobs import inline_jobs

FAKE = "rocamadre.fake-v1:0"
ROLE = "arn:aws:iam::123456789012:role/batch"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    made = InProcessServer(
        load_settings(
            home=home,
            server={"strict": True},
            catalog={"default_model": FAKE, "default_embedder": "rocamadre.fake-embed-v1:0"},
            batch={"max_record_bytes": 2000},
        )
    )
    yield made
    made.close()


@pytest.fixture(scope="module")
def jobs(server):
    return inline_jobs(server)


@pytest.fixture(scope="module")
def objects(server):
    store = server.platform.objects.of("123456789012")
    store.make_bucket("data", region="us-east-1")
    return store


@pytest.fixture(scope="module")
def make_client(server):
    def make(access_key="AKIATESTING"):
        session = boto3.Session(aws_access_key_id=access_key, aws_secret_access_key="testing")
        config = Config(retries={"total_max_attempts": 1})
        return server.attach(
            session.client("bedrock", region_name="us-east-1", endpoint_url=f"{ADDRESS}/bedrock", config=config)
        )

    return make


@pytest.fixture(scope="module")
def client(make_client):
    return make_client()


def converse_record(text, record_id=None):
    record = {"modelInput": {"messages": [{"role": "user", "content": [{"text": text}]}]}}
    return record if record_id is None else {"recordId": record_id, **record}


def jsonl(*records):
    lines = [record if isinstance(record, str) else json.dumps(record) for record in records]
    return ("\n".join(lines) + "\n").encode()


def create(client, name, source="s3://data/in/", **more):
    wish = {
        "jobName": name,
        "roleArn": ROLE,
        "modelId": FAKE,
        "modelInvocationType": "Converse",
        "inputDataConfig": {"s3InputDataConfig": {"s3Uri": source}},
        "outputDataConfig": {"s3OutputDataConfig": {"s3Uri": "s3://data/out/"}},
    }
    return client.create_model_invocation_job(**wish | more)["jobArn"]


def output(objects, arn, name):
    data = objects.read("data", f"out/{arn.rpartition('/')[2]}/{name}.out")
    return [json.loads(line) for line in data.splitlines()]


@pytest.mark.covers(
    "bedrock:CreateModelInvocationJob", "bedrock:GetModelInvocationJob", "bedrock:ListModelInvocationJobs"
)
def test_a_job_from_its_input_to_its_manifest(client, jobs, objects):
    objects.put("data", "whole/a.jsonl", jsonl(*(converse_record(f"a{n}", f"A{n}") for n in range(5))))
    objects.put("data", "whole/deep/b.jsonl", jsonl(converse_record("b0"), converse_record("b1")))
    objects.put("data", "whole/notes.txt", b"not read")
    arn = create(client, "whole", "s3://data/whole/", tags=[{"key": "team", "value": "ml"}])
    assert client.get_model_invocation_job(jobIdentifier=arn)["status"] == "Submitted"
    jobs.drain()
    job = client.get_model_invocation_job(jobIdentifier=arn.rpartition("/")[2])
    assert (job["status"], job["jobArn"], job["jobName"], job["roleArn"]) == ("Completed", arn, "whole", ROLE)
    assert [job[f"{sort}RecordCount"] for sort in ("total", "processed", "success", "error")] == [7, 7, 7, 0]
    assert job["submitTime"] <= job["endTime"] <= job["jobExpirationTime"]
    assert job["jobExpirationTime"] - job["submitTime"] == timedelta(hours=24)
    lines = output(objects, arn, "a.jsonl")
    assert [line["recordId"] for line in lines] == [f"A{n}" for n in range(5)]
    assert lines[3]["modelInput"] == converse_record("a3")["modelInput"]
    assert "a3" in lines[3]["modelOutput"]["output"]["message"]["content"][0]["text"]
    deep = output(objects, arn, "deep/b.jsonl")
    assert len({line["recordId"] for line in deep}) == 2
    assert all(len(line["recordId"]) == 11 for line in deep)
    (manifest,) = output(objects, arn, "manifest.json")
    assert manifest["totalRecordCount"] == manifest["processedRecordCount"] == manifest["successRecordCount"] == 7
    assert manifest["errorRecordCount"] == 0
    usage = [line["modelOutput"]["usage"] for line in lines + deep]
    assert manifest["inputTokenCount"] == sum(each["inputTokens"] for each in usage) > 0
    assert manifest["outputTokenCount"] == sum(each["outputTokens"] for each in usage) > 0
    assert client.list_tags_for_resource(resourceARN=arn)["tags"] == [{"key": "team", "value": "ml"}]
    listed = client.list_model_invocation_jobs(nameContains="whole")["invocationJobSummaries"]
    assert [each["jobArn"] for each in listed] == [arn]


def test_invoke_model_in_the_form_of_the_family(client, jobs, objects):
    body = {"inputText": "hello", "textGenerationConfig": {"maxTokenCount": 20}}
    objects.put("data", "titan.jsonl", jsonl({"recordId": "T", "modelInput": body}))
    arn = create(
        client,
        "titan",
        "s3://data/titan.jsonl",
        modelId="amazon.titan-text-express-v1",
        modelInvocationType="InvokeModel",
    )
    jobs.drain()
    (line,) = output(objects, arn, "titan.jsonl")
    assert line["modelOutput"]["results"][0]["outputText"]
    (manifest,) = output(objects, arn, "manifest.json")
    assert manifest["outputTokenCount"] == line["modelOutput"]["results"][0]["tokenCount"]


def test_embeddings(client, jobs, objects):
    objects.put("data", "embed.jsonl", jsonl({"recordId": "E", "modelInput": {"inputText": "hello"}}))
    arn = create(
        client,
        "embed",
        "s3://data/embed.jsonl",
        modelId="amazon.titan-embed-text-v2:0",
        modelInvocationType="InvokeModel",
    )
    jobs.drain()
    (line,) = output(objects, arn, "embed.jsonl")
    assert len(line["modelOutput"]["embedding"]) == 1024


def test_bad_records_are_told_and_do_not_fail_the_job(client, jobs, objects):
    objects.put(
        "data",
        "bad.jsonl",
        jsonl(
            converse_record("fine", "good"),
            "{not json",
            '["a list"]',
            {"recordId": "no-input"},
            {"recordId": 7, **converse_record("x")},
            {"recordId": "odd", "modelInput": "text"},
            {"recordId": "refused", "modelInput": {"messages": []}},
            converse_record("x" * 3000, "long"),
            "",
            converse_record("also fine", "last"),
        ),
    )
    arn = create(client, "bad", "s3://data/bad.jsonl")
    jobs.drain()
    job = client.get_model_invocation_job(jobIdentifier=arn)
    assert (job["status"], job["successRecordCount"], job["errorRecordCount"]) == ("Completed", 2, 7)
    lines = output(objects, arn, "bad.jsonl")
    assert [line["recordId"] for line in lines if "modelOutput" in line] == ["good", "last"]
    errors = [line["error"] for line in lines if "error" in line]
    assert all(error["errorCode"] == 400 for error in errors)
    assert "line 2" in errors[0]["errorMessage"]
    assert "2000 bytes" in errors[-1]["errorMessage"]
    assert lines[6]["modelInput"] == {"messages": []}


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("s3://data/nothing/", "no object below it"),
        ("s3://elsewhere/in.jsonl", "elsewhere"),
        ("s3://data/empty.jsonl", "0 records"),
    ],
)
def test_an_input_that_cannot_be_used_fails_the_job(client, jobs, objects, source, says):
    objects.put("data", "empty.jsonl", b"\n \n")
    arn = create(client, f"unusable{abs(hash(source)) % 1000}", source)
    jobs.drain()
    job = client.get_model_invocation_job(jobIdentifier=arn)
    assert job["status"] == "Failed"
    assert says in job["message"]


def test_an_output_bucket_that_is_not_there_fails_before_anything_is_asked(client, jobs, objects):
    objects.put("data", "one.jsonl", jsonl(converse_record("x")))
    target = {"s3OutputDataConfig": {"s3Uri": "s3://missing-bucket/out/"}}
    arn = create(client, "homeless", "s3://data/one.jsonl", outputDataConfig=target)
    jobs.drain()
    job = client.get_model_invocation_job(jobIdentifier=arn)
    assert job["status"] == "Failed"
    assert "missing-bucket" in job["message"]
    assert job.get("processedRecordCount", 0) == 0


def test_refusals(client, objects):
    create(client, "taken")
    for change, code, says in (
        ({"jobName": "taken"}, "ConflictException", "choose another"),
        ({"jobName": "nomodel", "modelId": "nobody.nothing-v1:0"}, "ResourceNotFoundException", "nobody.nothing"),
        ({"jobName": "nowriter", "modelId": "rocamadre.fake-embed-v1:0"}, "ValidationException", "embeddings"),
        (
            {
                "jobName": "notmine",
                "inputDataConfig": {"s3InputDataConfig": {"s3Uri": "s3://data/x", "s3BucketOwner": "1" * 12}},
            },
            "ValidationException",
            "s3BucketOwner",
        ),
    ):
        with pytest.raises(ClientError, match=says) as raised:
            create(client, change.pop("jobName"), **change)
        assert raised.value.response["Error"]["Code"] == code


@pytest.mark.covers("bedrock:StopModelInvocationJob")
def test_stop(client, jobs, make_client):
    arn = create(client, "stopped")
    assert client.stop_model_invocation_job(jobIdentifier=arn)["ResponseMetadata"]["HTTPStatusCode"] == 200
    job = client.get_model_invocation_job(jobIdentifier=arn)
    assert job["status"] == "Stopped"
    assert "endTime" in job
    jobs.drain()
    assert client.get_model_invocation_job(jobIdentifier=arn)["status"] == "Stopped"
    with pytest.raises(client.exceptions.ConflictException, match="Stopped"):
        client.stop_model_invocation_job(jobIdentifier=arn)
    stranger = make_client("999999999999")
    for call in (stranger.get_model_invocation_job, stranger.stop_model_invocation_job):
        with pytest.raises(stranger.exceptions.ResourceNotFoundException):
            call(jobIdentifier=arn)
    assert stranger.list_model_invocation_jobs()["invocationJobSummaries"] == []


def test_lists(client):
    arns = [create(client, f"list{n}") for n in range(4)]
    found = client.list_model_invocation_jobs(nameContains="list", sortOrder="Ascending", maxResults=3)
    rest = client.list_model_invocation_jobs(
        nameContains="list", sortOrder="Ascending", maxResults=3, nextToken=found["nextToken"]
    )
    both = found["invocationJobSummaries"] + rest["invocationJobSummaries"]
    assert [job["jobArn"] for job in both] == arns
    newest = client.list_model_invocation_jobs(nameContains="list")["invocationJobSummaries"]
    assert [job["jobArn"] for job in newest] == arns[::-1]
    client.stop_model_invocation_job(jobIdentifier=arns[0])
    stopped = client.list_model_invocation_jobs(nameContains="list", statusEquals="Stopped")
    assert [job["jobArn"] for job in stopped["invocationJobSummaries"]] == arns[:1]
    later = datetime.now(UTC) + timedelta(hours=1)
    assert not client.list_model_invocation_jobs(submitTimeAfter=later)["invocationJobSummaries"]
    page = client.list_model_invocation_jobs(submitTimeBefore=later, nameContains="list", maxResults=2)
    client.list_model_invocation_jobs(
        submitTimeBefore=later, nameContains="list", maxResults=2, nextToken=page["nextToken"]
    )


def test_a_token_makes_one_job(client):
    first = create(client, "once", clientRequestToken="token1")
    assert create(client, "once", clientRequestToken="token1") == first
    assert client.get_model_invocation_job(jobIdentifier=first)["clientRequestToken"] == "token1"
    with pytest.raises(client.exceptions.ConflictException):
        create(client, "other", clientRequestToken="token1")


def test_what_is_only_remembered_comes_back(client):
    vpc = {"subnetIds": ["subnet-1"], "securityGroupIds": ["sg-1"]}
    source = {
        "s3InputDataConfig": {"s3Uri": "s3://data/in/", "s3InputFormat": "JSONL", "s3BucketOwner": "123456789012"}
    }
    arn = create(client, "echo", vpcConfig=vpc, inputDataConfig=source, timeoutDurationInHours=48)
    job = client.get_model_invocation_job(jobIdentifier=arn)
    assert (job["vpcConfig"], job["inputDataConfig"], job["timeoutDurationInHours"]) == (vpc, source, 48)


def submitted_long_ago(server, arn):
    from rocamadre.batch.tables import JOBS

    then = (datetime.now(UTC) - timedelta(hours=25)).isoformat()
    with server.platform.sql.begin() as tx:
        tx.execute(JOBS.update().where(JOBS.c.arn == arn).values(submitted_at=then))


def test_a_job_whose_time_is_over_before_anything_was_asked_expires(client, server, jobs, objects):
    objects.put("data", "late.jsonl", jsonl(converse_record("x")))
    arn = create(client, "late", "s3://data/late.jsonl")
    submitted_long_ago(server, arn)
    jobs.drain()
    job = client.get_model_invocation_job(jobIdentifier=arn)
    assert job["status"] == "Expired"
    assert "0 of 1 records" in job["message"]
    (manifest,) = output(objects, arn, "manifest.json")
    assert (manifest["totalRecordCount"], manifest["processedRecordCount"]) == (1, 0)


def test_a_job_whose_time_runs_out_keeps_what_it_has(client, server, jobs, objects, monkeypatch):
    from rocamadre.batch import jobs as steps
    from rocamadre.batch.running import Call, Record

    real = steps.run_records

    def slow(job, progress):
        """Answer one record, then let the time be over."""
        (source,) = job.sources
        line = next(source.lines())
        record: Record = source.read(line)
        assert isinstance(record.call, Call)
        progress.add(0, line.place, record.finish(steps_answer))
        submitted_long_ago(server, arn)
        return real(steps.Job(**{name: getattr(job, name) for name in job.__slots__} | {"deadline": 0.0}), progress)

    from rocamadre.jobs.api import ApiAnswer

    steps_answer = ApiAnswer(200, {}, b'{"output": {}, "usage": {"inputTokens": 1, "outputTokens": 2}}')
    objects.put("data", "partly.jsonl", jsonl(converse_record("x", "one"), converse_record("y", "two")))
    arn = create(client, "partly", "s3://data/partly.jsonl")
    monkeypatch.setattr(steps, "run_records", slow)
    jobs.drain()
    job = client.get_model_invocation_job(jobIdentifier=arn)
    assert job["status"] == "PartiallyCompleted"
    assert "1 of 2 records" in job["message"]
    assert [line["recordId"] for line in output(objects, arn, "partly.jsonl")] == ["one"]
    (manifest,) = output(objects, arn, "manifest.json")
    assert (manifest["processedRecordCount"], manifest["inputTokenCount"], manifest["outputTokenCount"]) == (1, 1, 2)


def test_an_input_that_is_replaced_meanwhile_fails_the_job(client, jobs, objects, monkeypatch):
    from rocamadre.batch import jobs as steps

    objects.put("data", "swap.jsonl", jsonl(converse_record("x")))
    arn = create(client, "swap", "s3://data/swap.jsonl")
    real = steps.run_dir

    def swap(platform, job):
        objects.put("data", "swap.jsonl", jsonl(converse_record("another")))
        return real(platform, job)

    monkeypatch.setattr(steps, "run_dir", swap)
    jobs.drain()
    job = client.get_model_invocation_job(jobIdentifier=arn)
    assert job["status"] == "Failed"
    assert "was replaced" in job["message"]

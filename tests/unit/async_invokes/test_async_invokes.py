"""StartAsyncInvoke to its output in S3, through boto3."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from sqlalchemy import select

from rocamadre.async_invokes import jobs as jobs_module
from rocamadre.async_invokes.families import Piece
from rocamadre.async_invokes.tables import INVOKES
from rocamadre.core.errors import ModelFailure, Unavailable
from rocamadre.core.settings import load_settings
from rocamadre.jobs.api import ApiAnswer
from rocamadre.testing.inprocess import ADDRESS, InProcessServer
from rocamadre.testing.jobs import inline_jobs

NOVA = "amazon.nova-2-multimodal-embeddings-v1:0"
OLDER, NEWER = "twelvelabs.marengo-embed-2-7-v1:0", "twelvelabs.marengo-embed-3-0-v1:0"
BUCKET = "async-output"
ACCOUNT = "123456789012"


@pytest.fixture
def server(tmp_path):
    models = {"default_model": "rocamadre.fake-v1:0", "default_embedder": "rocamadre.fake-embed-v1:0"}
    running = InProcessServer(load_settings(home=tmp_path / "home", server={"strict": True}, catalog=models))
    running.platform.objects.of(ACCOUNT).make_bucket(BUCKET, region="us-east-1")
    yield running
    running.close()


@pytest.fixture
def connect(server):
    def make(service="bedrock-runtime", key="AKIATESTING"):
        session = boto3.Session(aws_access_key_id=key, aws_secret_access_key="testing")
        config = Config(retries={"total_max_attempts": 1})
        url = f"{ADDRESS}/{service}"
        return server.attach(session.client(service, region_name="us-east-1", endpoint_url=url, config=config))

    return make


@pytest.fixture
def client(connect):
    return connect()


@pytest.fixture
def objects(server):
    return server.platform.objects.of(ACCOUNT)


@pytest.fixture
def drain(server):
    return inline_jobs(server).drain


def nova(text, *, dimensions=256, **more):
    params = {"embeddingPurpose": "GENERIC_INDEX", "embeddingDimension": dimensions}
    return {
        "schemaVersion": "nova-multimodal-embed-v1",
        "taskType": "SEGMENTED_EMBEDDING",
        "segmentedEmbeddingParams": {**params, "text": {"truncationMode": "END", **text}, **more},
    }


def start(client, given, model=NOVA, uri=f"s3://{BUCKET}/out", **more):
    target = {"s3OutputDataConfig": {"s3Uri": uri}}
    return client.start_async_invoke(modelId=model, modelInput=given, outputDataConfig=target, **more)["invocationArn"]


def read(objects, uri):
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return objects.read(bucket, key)


WORDS = "Some words that fill a line. " * 100


@pytest.mark.covers("bedrock-runtime:StartAsyncInvoke", "bedrock-runtime:GetAsyncInvoke")
def test_a_long_text_is_embedded_segment_by_segment(client, objects, drain):
    arn = start(client, nova({"value": WORDS, "segmentationConfig": {"maxLengthChars": 800}}), clientRequestToken="t1")
    waiting = client.get_async_invoke(invocationArn=arn)
    assert waiting["status"] == "InProgress"
    assert waiting["clientRequestToken"] == "t1"
    assert waiting["modelArn"] == f"arn:aws:bedrock:us-east-1::foundation-model/{NOVA}"
    assert "endTime" not in waiting
    assert drain() == 1
    done = client.get_async_invoke(invocationArn=arn)
    folder = done["outputDataConfig"]["s3OutputDataConfig"]["s3Uri"]
    assert done["status"] == "Completed"
    assert "failureMessage" not in done
    assert done["endTime"] >= done["submitTime"]
    assert folder == f"s3://{BUCKET}/out/{arn.rpartition('/')[2]}"
    result = json.loads(read(objects, f"{folder}/segmented-embedding-result.json"))
    (one,) = result["embeddingResults"]
    assert result["embeddingDimension"] == 256
    assert (one["embeddingType"], one["status"]) == ("TEXT", "SUCCESS")
    lines = [json.loads(line) for line in read(objects, one["outputFileUri"]).splitlines()]
    places = [line["segmentMetadata"] for line in lines]
    assert [place["segmentIndex"] for place in places] == list(range(4))
    assert places[0]["segmentStartCharPosition"] == 0
    assert places[-1]["segmentEndCharPosition"] == len(WORDS)
    for before, after in pairwise(places):
        assert before["segmentEndCharPosition"] == after["segmentStartCharPosition"]
    for line, place in zip(lines, places, strict=True):
        segment = WORDS[place["segmentStartCharPosition"] : place["segmentEndCharPosition"]]
        params = {"embeddingPurpose": "GENERIC_INDEX", "embeddingDimension": 256}
        text = {"truncationMode": "END", "value": segment}
        body = {"taskType": "SINGLE_EMBEDDING", "singleEmbeddingParams": {**params, "text": text}}
        alone = json.loads(client.invoke_model(modelId=NOVA, body=json.dumps(body))["body"].read())
        assert line["status"] == "SUCCESS"
        assert line["embedding"] == alone["embeddings"][0]["embedding"]
        assert len(line["embedding"]) == 256


def test_a_text_in_s3(client, objects, drain):
    objects.put(BUCKET, "in/text.txt", WORDS.encode())
    uri = f"s3://{BUCKET}/in/text.txt"
    arn = start(client, nova({"source": {"s3Location": {"uri": uri}}, "segmentationConfig": {}}))
    drain()
    done = client.get_async_invoke(invocationArn=arn)
    assert done["status"] == "Completed", done.get("failureMessage")
    folder = done["outputDataConfig"]["s3OutputDataConfig"]["s3Uri"]
    assert json.loads(read(objects, f"{folder}/segmented-embedding-result.json"))["sourceFileUri"] == uri
    assert read(objects, f"{folder}/embedding-text.jsonl").count(b"\n") == 1


@pytest.mark.parametrize(
    ("model", "given", "dimensions"),
    [
        (OLDER, {"inputType": "text", "inputText": "A man walks his dog."}, 1024),
        (NEWER, {"inputType": "text", "text": {"inputText": "A man walks his dog."}}, 512),
    ],
)
def test_marengo(client, objects, drain, model, given, dimensions):
    arn = start(client, given, model, uri=f"s3://{BUCKET}")
    drain()
    done = client.get_async_invoke(invocationArn=arn)
    assert done["status"] == "Completed", done.get("failureMessage")
    output = json.loads(read(objects, done["outputDataConfig"]["s3OutputDataConfig"]["s3Uri"] + "/output.json"))
    assert [len(each["embedding"]) for each in output["data"]] == [dimensions]


@pytest.mark.parametrize(
    ("model", "given", "complaint"),
    [
        ("amazon.nova-reel-v1:1", {"taskType": "TEXT_VIDEO"}, "amazon.nova-reel-v1:1"),
        ("luma.ray-v2:0", {"prompt": "a dog"}, "luma.ray-v2:0"),
        ("amazon.nova-lite-v1:0", {"messages": []}, "doesn't support async invoke"),
        (NOVA, {"taskType": "SINGLE_EMBEDDING"}, "SINGLE_EMBEDDING"),
        (NOVA, nova({"value": "x", "segmentationConfig": {"maxLengthChars": 5}}), "maxLengthChars"),
        (NOVA, {**nova({}), "segmentedEmbeddingParams": {"embeddingPurpose": "CLUSTERING", "video": {}}}, "video"),
        (NOVA, nova({"source": {"s3Location": {"uri": f"s3://{BUCKET}/none"}}}), "cannot be read"),
        (OLDER, {"inputType": "video", "mediaSource": {}}, "text only"),
    ],
)
def test_what_cannot_run_is_refused_at_once(client, model, given, complaint):
    with pytest.raises(ClientError, match=complaint) as caught:
        start(client, given, model)
    assert caught.value.response["Error"]["Code"] == "ValidationException"
    assert client.list_async_invokes()["asyncInvokeSummaries"] == []


@pytest.mark.parametrize(
    ("uri", "more", "complaint"),
    [
        ("s3://nobodys-bucket/out", {}, "nobodys-bucket"),
        (f"s3://{BUCKET}", {"bucketOwner": "999999999999"}, "bucketOwner 999999999999 is not this account"),
    ],
)
def test_a_target_that_is_not_there_is_refused(client, uri, more, complaint):
    with pytest.raises(ClientError, match=complaint):
        client.start_async_invoke(
            modelId=NOVA,
            modelInput=nova({"value": "x", "segmentationConfig": {}}),
            outputDataConfig={"s3OutputDataConfig": {"s3Uri": uri, **more}},
        )


def test_a_token_begins_one_call_only(client, drain):
    given = nova({"value": "x", "segmentationConfig": {}})
    first, second = (start(client, given, clientRequestToken="same") for _ in range(2))
    assert first == second
    assert drain() == 1
    with pytest.raises(ClientError) as caught:
        start(client, nova({"value": "y", "segmentationConfig": {}}), clientRequestToken="same")
    assert caught.value.response["Error"]["Code"] == "ConflictException"


def test_a_call_that_cannot_be_answered_fails_with_a_reason_and_leaves_nothing(client, objects, drain, server):
    objects.put(BUCKET, "in/text.bin", b"\xff\xfe\x00")
    uri = f"s3://{BUCKET}/in/text.bin"
    arn = start(client, nova({"source": {"s3Location": {"uri": uri}}, "segmentationConfig": {}}))
    drain()
    failed = client.get_async_invoke(invocationArn=arn)
    assert failed["status"] == "Failed"
    assert failed["failureMessage"] == f"{uri} is no UTF-8 text"
    assert [found.key for found in objects.list(BUCKET)] == ["in/text.bin"]
    assert list((server.platform.settings.home / "runs").iterdir()) == []


def test_a_bucket_that_goes_away_fails_the_call(client, objects, drain):
    arn = start(client, nova({"value": "x", "segmentationConfig": {}}))
    objects.delete_bucket(BUCKET)
    drain()
    failed = client.get_async_invoke(invocationArn=arn)
    assert failed["status"] == "Failed"
    assert BUCKET in failed["failureMessage"]


def test_what_was_asked_is_forgotten_when_it_is_over(client, drain, server):
    start(client, nova({"value": "a secret text", "segmentationConfig": {}}))
    with server.platform.sql.connect() as connection:
        assert "a secret text" in connection.execute(select(INVOKES.c.model_input)).scalar_one()
    drain()
    with server.platform.sql.connect() as connection:
        assert connection.execute(select(INVOKES.c.model_input)).scalar_one() == ""


class Killed(BaseException):
    """Ends a run as a kill would: nothing is settled."""


def test_pieces_that_are_there_are_not_asked_for_again(client, drain, monkeypatch, server, objects):
    arn = start(client, nova({"value": WORDS, "segmentationConfig": {"maxLengthChars": 800}}))
    asked, real = [], jobs_module._ask

    async def ask(work, session, invoke, body):
        asked.append(body)
        if len(asked) == 3:
            raise Killed
        return await real(work, session, invoke, body)

    monkeypatch.setattr(jobs_module, "AT_A_TIME", 1)
    monkeypatch.setattr(jobs_module, "_ask", ask)
    with pytest.raises(Killed):
        drain()
    (path,) = (server.platform.settings.home / "runs").rglob("pieces.jsonl")
    with path.open("ab") as file:
        file.write(b'{"answer": torn')
    assert client.get_async_invoke(invocationArn=arn)["status"] == "InProgress"
    jobs = inline_jobs(server)
    jobs._execute("async-invoke", arn)
    assert asked[2] == asked[3]
    assert len(asked) == 5
    done = client.get_async_invoke(invocationArn=arn)
    assert done["status"] == "Completed", done.get("failureMessage")
    folder = done["outputDataConfig"]["s3OutputDataConfig"]["s3Uri"]
    lines = [json.loads(line) for line in read(objects, f"{folder}/embedding-text.jsonl").splitlines()]
    assert [line["segmentMetadata"]["segmentIndex"] for line in lines] == list(range(4))


@pytest.mark.covers("bedrock-runtime:ListAsyncInvokes")
def test_listing(client, connect, drain, objects):
    given = nova({"value": "x", "segmentationConfig": {}})
    arns = [start(client, given, tags=[{"key": "n", "value": str(number)}]) for number in range(3)]
    drain()
    objects.put(BUCKET, "in/bad", b"\xff")
    bad = start(client, nova({"source": {"s3Location": {"uri": f"s3://{BUCKET}/in/bad"}}, "segmentationConfig": {}}))
    drain()
    waiting = start(client, given)

    def listed(**filters):
        return [each["invocationArn"] for each in client.list_async_invokes(**filters)["asyncInvokeSummaries"]]

    assert listed() == [waiting, bad, *reversed(arns)]
    assert listed(sortOrder="Ascending", sortBy="SubmissionTime") == [*arns, bad, waiting]
    assert listed(statusEquals="Completed", sortOrder="Ascending") == arns
    assert listed(statusEquals="Failed") == [bad]
    assert listed(statusEquals="InProgress") == [waiting]
    now = datetime.now(UTC)
    assert listed(submitTimeAfter=now + timedelta(minutes=1)) == []
    assert len(listed(submitTimeBefore=now + timedelta(minutes=1), submitTimeAfter=now - timedelta(days=1))) == 5
    pages = client.get_paginator("list_async_invokes").paginate(PaginationConfig={"PageSize": 2})
    assert [each["invocationArn"] for page in pages for each in page["asyncInvokeSummaries"]] == listed()
    assert connect(key="999999999999").list_async_invokes()["asyncInvokeSummaries"] == []
    tags = connect("bedrock").list_tags_for_resource(resourceARN=arns[1])["tags"]
    assert tags == [{"key": "n", "value": "1"}]


def test_other_accounts_calls_are_not_there(client, connect):
    arn = start(client, nova({"value": "x", "segmentationConfig": {}}))
    with pytest.raises(ClientError, match="no async invoke") as caught:
        connect(key="999999999999").get_async_invoke(invocationArn=arn)
    assert caught.value.response["Error"]["Code"] == "ValidationException"


def reply(status, body):
    return ApiAnswer(status, {}, body)


class Flaky:
    """A way to the server that fails some times, then answers."""

    def __init__(self, *answers):
        self.answers = list(answers)

    async def post(self, path, body, *, account, region):
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def quick(monkeypatch):
    async def at_once(_seconds):
        return None

    monkeypatch.setattr(jobs_module.asyncio, "sleep", at_once)


async def ask(session):
    class Invoke:
        base_id, account, region = NOVA, ACCOUNT, "us-east-1"

    class Work:
        run_id = "run"

    return await jobs_module._ask(Work, session, Invoke, b"{}")


async def test_a_server_that_is_away_is_asked_again(quick):
    away = [Unavailable("away")] * 3
    busy = reply(429, b'{"message": "busy"}')
    session = Flaky(*away, busy, reply(200, b'{"a": 1}'))
    assert await ask(session) == Piece(answer={"a": 1})


async def test_a_refusal_is_the_piece_s_own(quick):
    assert await ask(Flaky(reply(400, b'{"message": "too long"}'))) == Piece(error="too long")
    assert await ask(Flaky(reply(403, b"<html>"))) == Piece(error="refused")


async def test_patience_ends(quick):
    with pytest.raises(ModelFailure, match="could not answer in 12 tries: busy"):
        await ask(Flaky(*[reply(503, b'{"message": "busy"}')] * 20))

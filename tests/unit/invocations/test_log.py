"""What is written down of calls, through boto3 and the other wires."""

from __future__ import annotations

import asyncio
import json
import re

import pytest
from botocore.exceptions import ClientError, EventStreamError

from rocamadre.neighbours.logs.operations import create_group
from rocamadre.neighbours.logs.reading import get_events
from rocamadre.testing.inprocess import OPEN_CREDENTIAL
from rocamadre.testing.jobs import inline_jobs
from rocamadre.testing.requests import WireRequest

FAKE = "rocamadre.fake-v1:0"
NOVA = "amazon.nova-lite-v1:0"
BUCKET = "invocation-logs"


def ask(text):
    return [{"role": "user", "content": [{"text": text}]}]


def post(logged, path, body):
    request = WireRequest("POST", path.encode(), b"", {"content-type": "application/json"}, json.dumps(body).encode())
    return logged.server.send(request)


def test_nothing_is_written_down_unless_somebody_asks_for_it(logged):
    logged.client().converse(modelId=FAKE, messages=ask("weather"))
    assert logged.keys() == []
    assert not (logged.server.platform.settings.home / "invocations").exists()


def test_converse_in_awss_schema(logged):
    logged.configure()
    answer = logged.client().converse(
        modelId=NOVA, messages=ask("How is the weather?"), requestMetadata={"team": "travel", "cost": "7"}
    )
    (record,) = logged.records()
    assert record["schemaType"] == "ModelInvocationLog"
    assert record["schemaVersion"] == "1.0"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", record["timestamp"])
    assert record["accountId"] == "123456789012"
    assert record["identity"] == {"arn": "arn:aws:iam::123456789012:user/AKIATESTING"}
    assert record["region"] == record["inferenceRegion"] == "us-east-1"
    assert record["requestId"] == answer["ResponseMetadata"]["RequestId"]
    assert record["operation"] == "Converse"
    assert record["modelId"] == NOVA
    assert record["servedModelId"] == FAKE
    assert record["requestMetadata"] == {"team": "travel", "cost": "7"}
    assert record["input"] == {
        "inputContentType": "application/json",
        "inputBodyJson": {"messages": ask("How is the weather?")},
        "inputTokenCount": answer["usage"]["inputTokens"],
        "cacheReadInputTokenCount": 0,
        "cacheWriteInputTokenCount": 0,
    }
    said = record["output"]["outputBodyJson"]
    assert said["output"] == answer["output"]
    assert said["stopReason"] == "end_turn"
    assert record["output"]["outputTokenCount"] == answer["usage"]["outputTokens"] > 0
    assert "errorCode" not in record


def test_objects_lie_where_aws_puts_them(logged):
    logged.configure()
    logged.client().converse(modelId=FAKE, messages=ask("weather"))
    (key,) = logged.keys()
    place = r"logs/AWSLogs/123456789012/BedrockModelInvocationLogs/us-east-1/\d{4}/\d\d/\d\d/\d\d/"
    assert re.fullmatch(place + r"\d{8}T\d{9}Z_[0-9a-f]{16}\.json\.gz", key)


def test_a_stream_is_put_together_as_converse_would_have_answered(logged):
    logged.configure()
    stream = logged.client().converse_stream(modelId=FAKE, messages=ask("weather"))["stream"]
    events = list(stream)
    text = "".join(event["contentBlockDelta"]["delta"]["text"] for event in events if "contentBlockDelta" in event)
    (record,) = logged.records()
    said = record["output"]["outputBodyJson"]
    assert record["operation"] == "ConverseStream"
    assert record["output"]["outputContentType"] == "application/json"
    assert said["output"]["message"] == {"role": "assistant", "content": [{"text": text}]}
    assert "sunny in Lisbon" in text
    assert said["stopReason"] == "end_turn"
    assert said["usage"]["outputTokens"] == record["output"]["outputTokenCount"] > 0
    assert said["metrics"]["latencyMs"] >= 0


def test_a_stream_that_breaks_off_is_written_down_as_far_as_it_came(logged):
    logged.configure()
    stream = logged.client().converse_stream(modelId=FAKE, messages=ask("break"))["stream"]
    with pytest.raises(EventStreamError):
        list(stream)
    (record,) = logged.records()
    (block,) = record["output"]["outputBodyJson"]["output"]["message"]["content"]
    assert "one" in block["text"]
    assert "five" not in block["text"]
    assert "stopReason" not in record["output"]["outputBodyJson"]
    assert record["errorCode"] == "modelStreamErrorException"
    assert "outputTokenCount" not in record["output"]


def test_invoke_model_and_its_stream(logged):
    logged.configure()
    body = json.dumps({"messages": ask("weather")})
    whole = logged.client().invoke_model(modelId=NOVA, body=body, requestMetadata='{"team": "travel"}')
    answer = json.loads(whole["body"].read())
    stream = logged.client().invoke_model_with_response_stream(modelId=NOVA, body=body)["body"]
    chunks = [json.loads(event["chunk"]["bytes"]) for event in stream]
    first, second = logged.records()
    assert first["operation"] == "InvokeModel"
    assert first["input"]["inputBodyJson"] == json.loads(body)
    assert first["output"]["outputBodyJson"] == answer
    assert first["input"]["inputTokenCount"] == answer["usage"]["inputTokens"]
    assert first["output"]["outputTokenCount"] == answer["usage"]["outputTokens"]
    assert first["requestMetadata"] == {"team": "travel"}
    assert second["operation"] == "InvokeModelWithResponseStream"
    assert second["output"]["outputBodyJson"] == chunks
    assert second["output"]["outputTokenCount"] == first["output"]["outputTokenCount"]


def test_an_error_is_written_down_with_its_code_and_without_an_answer(logged):
    logged.configure()
    with pytest.raises(ClientError):
        logged.client().converse(modelId=FAKE, messages=ask("refuse"))
    with pytest.raises(ClientError):
        logged.client().converse(modelId="nobody.nothing-v9:0", messages=ask("weather"))
    first, second = logged.records()
    assert first["errorCode"] == "ThrottlingException"
    assert "outputBodyJson" not in first["output"]
    assert second["errorCode"] == "ValidationException"
    assert second["modelId"] == "nobody.nothing-v9:0"
    assert "servedModelId" not in second


def test_usage_is_attributed_to_application_inference_profiles(logged):
    logged.configure()
    arns = [
        logged.client("bedrock").create_inference_profile(
            inferenceProfileName=name,
            modelSource={"copyFrom": f"arn:aws:bedrock:us-east-1::foundation-model/{NOVA}"},
        )["inferenceProfileArn"]
        for name in ("travel", "kitchen")
    ]
    used = dict.fromkeys(arns, 0)
    for arn, text in zip([*arns, arns[0]], ("weather", "hello", "long ago"), strict=True):
        used[arn] += logged.client().converse(modelId=arn, messages=ask(text))["usage"]["inputTokens"]
    logged.client().converse(modelId=f"us.{NOVA}", messages=ask("weather"))
    counted = {}
    for record in logged.records():
        counted[record["modelId"]] = counted.get(record["modelId"], 0) + record["input"]["inputTokenCount"]
    system = f"arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.{NOVA}"
    assert set(counted) == {*arns, system}
    assert {arn: counted[arn] for arn in arns} == used


def test_bodies_over_100_kb_are_objects_of_their_own(logged):
    logged.configure()
    text = "long " + "x" * 200_000
    logged.client().converse(modelId=FAKE, messages=ask(text))
    (record,) = logged.records()
    request_id = record["requestId"]
    for side, name in (("input", "inputBody"), ("output", "outputBody")):
        assert f"{name}Json" not in record[side]
        bucket, _, key = record[side][f"{name}S3Path"].removeprefix("s3://").partition("/")
        assert bucket == BUCKET
        assert key.endswith(f"/data/{request_id}_{side}.json.gz")
    (said,) = logged.read(record["input"]["inputBodyS3Path"].partition(BUCKET + "/")[2])
    assert said["messages"] == ask(text)
    (answered,) = logged.read(record["output"]["outputBodyS3Path"].partition(BUCKET + "/")[2])
    assert answered["output"]["message"]["content"][0]["text"].startswith("word word")


def test_without_text_delivery_there_are_counts_and_no_bodies(logged):
    logged.configure(textDataDeliveryEnabled=False)
    logged.client().converse(modelId=FAKE, messages=ask("weather in secret"))
    (key,) = logged.keys()
    (record,) = logged.read(key)
    assert "secret" not in json.dumps(record)
    assert set(record["output"]) == {"outputContentType", "outputTokenCount"}
    assert record["input"]["inputTokenCount"] > 0


@pytest.mark.parametrize("delivered", [True, False])
def test_vectors_have_a_flag_of_their_own(logged, delivered):
    logged.configure(embeddingDataDeliveryEnabled=delivered)
    answer = logged.client().invoke_model(
        modelId="amazon.titan-embed-text-v2:0", body=json.dumps({"inputText": "two words"})
    )
    vector = json.loads(answer["body"].read())["embedding"]
    (record,) = logged.records()
    assert record["input"]["inputBodyJson"] == {"inputText": "two words"}
    assert record["input"]["inputTokenCount"] > 0
    assert "outputTokenCount" not in record["output"]
    if delivered:
        assert record["output"]["outputBodyJson"]["embedding"] == vector
    else:
        assert "outputBodyJson" not in record["output"]


def test_images_are_left_out_without_their_flag(logged):
    logged.configure(imageDataDeliveryEnabled=False)
    picture = {"image": {"format": "png", "source": {"bytes": b"secret picture"}}}
    with pytest.raises(ClientError):
        logged.client().converse(
            modelId=FAKE, messages=[{"role": "user", "content": [picture, {"text": "What is it?"}]}]
        )
    (record,) = logged.records()
    blocks = record["input"]["inputBodyJson"]["messages"][0]["content"]
    assert blocks[0]["image"]["format"] == "png"
    assert blocks[0]["image"]["source"]["bytes"] == "[left out: imageDataDeliveryEnabled is false]"
    assert blocks[1] == {"text": "What is it?"}


def test_the_openai_wire_is_logged_under_its_own_names(logged):
    logged.configure()
    body = {"model": FAKE, "messages": [{"role": "user", "content": "weather"}]}
    whole = post(logged, "/v1/chat/completions", body)
    assert whole.status == 200
    assert post(logged, "/v1/chat/completions", {**body, "stream": True}).status == 200
    first, second = logged.records()
    assert first["operation"] == second["operation"] == "POST /v1/chat/completions"
    assert first["modelId"] == FAKE
    assert first["output"]["outputBodyJson"] == json.loads(whole.body)
    assert first["output"]["outputTokenCount"] > 0
    chunks = second["output"]["outputBodyJson"]
    text = "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks if chunk["choices"])
    assert "sunny in Lisbon" in text


def test_cloudwatch_logs(logged):
    create_group(logged.ctx, "bedrock")
    role = "arn:aws:iam::123456789012:role/logging"
    large = {"bucketName": BUCKET, "keyPrefix": "large"}
    logged.client("bedrock").put_model_invocation_logging_configuration(
        loggingConfig={
            "cloudWatchConfig": {"logGroupName": "bedrock", "roleArn": role, "largeDataDeliveryS3Config": large}
        }
    )
    logged.client().converse(modelId=FAKE, messages=ask("weather"))
    logged.client().converse(modelId=FAKE, messages=ask("weather " + "y" * 150_000))
    keys = logged.keys()
    events = get_events(logged.ctx, "bedrock", "aws/bedrock/modelinvocations").events
    small, big = sorted((json.loads(event.message) for event in events), key=lambda each: "S3Path" in json.dumps(each))
    assert small["input"]["inputBodyJson"] == {"messages": ask("weather")}
    assert [f"s3://{BUCKET}/{key}" for key in keys] == [big["input"]["inputBodyS3Path"]]
    assert keys[0].startswith("large/AWSLogs/")


def test_accounts_and_regions_are_apart(logged):
    logged.configure()
    logged.client(key="999999999999").converse(modelId=FAKE, messages=ask("weather"))
    logged.client(region="eu-west-1").converse(modelId=FAKE, messages=ask("weather"))
    assert logged.keys() == []
    assert (
        "loggingConfig" not in logged.client("bedrock", region="eu-west-1").get_model_invocation_logging_configuration()
    )


@pytest.mark.covers(
    "bedrock:PutModelInvocationLoggingConfiguration",
    "bedrock:GetModelInvocationLoggingConfiguration",
    "bedrock:DeleteModelInvocationLoggingConfiguration",
)
@pytest.mark.covers(
    "bedrock:PutModelInvocationLoggingConfiguration",
    "bedrock:GetModelInvocationLoggingConfiguration",
    "bedrock:DeleteModelInvocationLoggingConfiguration",
)
def test_the_configuration_is_shown_and_taken_away(logged):
    bedrock = logged.client("bedrock")
    assert "loggingConfig" not in bedrock.get_model_invocation_logging_configuration()
    logged.configure(videoDataDeliveryEnabled=False)
    assert bedrock.get_model_invocation_logging_configuration()["loggingConfig"] == {
        "s3Config": {"bucketName": BUCKET, "keyPrefix": "logs"},
        "textDataDeliveryEnabled": True,
        "imageDataDeliveryEnabled": True,
        "embeddingDataDeliveryEnabled": True,
        "videoDataDeliveryEnabled": False,
        "audioDataDeliveryEnabled": True,
    }
    bedrock.delete_model_invocation_logging_configuration()
    assert "loggingConfig" not in bedrock.get_model_invocation_logging_configuration()
    logged.client().converse(modelId=FAKE, messages=ask("weather"))
    assert logged.keys() == []


@pytest.mark.parametrize(
    ("config", "complaint"),
    [
        ({}, "no destination"),
        ({"s3Config": {"bucketName": "nobodys-bucket"}}, "Failed to validate permissions for bucket: nobodys-bucket"),
        (
            {"cloudWatchConfig": {"logGroupName": "none", "roleArn": "arn:aws:iam::123456789012:role/logging"}},
            "Failed to validate permissions for log group: none, with role: arn:aws:iam::123456789012:role/logging",
        ),
    ],
)
def test_a_destination_that_is_not_there_is_refused(logged, config, complaint):
    with pytest.raises(ClientError, match=complaint) as caught:
        logged.client("bedrock").put_model_invocation_logging_configuration(loggingConfig=config)
    assert caught.value.response["Error"]["Code"] == "ValidationException"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_a_bucket_that_went_away_costs_its_records_and_nothing_else(logged):
    logged.configure()
    for found in list(logged.objects.list(BUCKET)):
        logged.objects.delete(BUCKET, found.key)
    logged.objects.delete_bucket(BUCKET)
    assert logged.client().converse(modelId=FAKE, messages=ask("weather"))["stopReason"] == "end_turn"
    logged.server.platform.invocations.flush()
    assert b'rocamadre_invocation_records_total{result="dropped"} 1.0' in logged.server.platform.metrics.render()
    assert list((logged.server.platform.settings.home / "invocations").glob("*")) == []


def test_a_disk_that_fails_puts_delivery_off(logged, monkeypatch):
    logged.configure()
    real, tries = type(logged.objects).put, []

    def put(self, bucket, key, data, **options):
        tries.append(key)
        if len(tries) == 1:
            raise OSError(28, "No space left on device")
        return real(self, bucket, key, data, **options)

    monkeypatch.setattr(type(logged.objects), "put", put)
    logged.client().converse(modelId=FAKE, messages=ask("weather"))
    logged.server.platform.invocations.flush()
    assert len(tries) == 1
    assert len(logged.records()) == 1
    assert tries[0] == tries[1]


def test_the_anthropic_wire_is_logged_too(logged):
    logged.configure()
    body = {"model": "claude-3-haiku", "max_tokens": 50, "messages": [{"role": "user", "content": "weather"}]}
    whole = post(logged, "/anthropic/v1/messages", body)
    assert whole.status == 200, whole.body
    assert post(logged, "/anthropic/v1/messages", {**body, "stream": True}).status == 200
    first, second = logged.records()
    assert first["operation"] == second["operation"] == "POST /anthropic/v1/messages"
    assert first["modelId"] == second["modelId"] == "claude-3-haiku"
    assert first["servedModelId"] == FAKE
    assert first["output"]["outputBodyJson"] == json.loads(whole.body)
    kinds = [event["type"] for event in second["output"]["outputBodyJson"]]
    assert kinds[0] == "message_start"
    assert kinds[-1] == "message_stop"


def test_counting_and_listing_are_no_invocations(logged):
    logged.configure()
    asked = {"converse": {"messages": ask("weather")}}
    logged.client().count_tokens(modelId=FAKE, input=asked)
    logged.client("bedrock").list_foundation_models()
    body = {"model": "claude-3-haiku", "messages": [{"role": "user", "content": "weather"}]}
    assert post(logged, "/anthropic/v1/messages/count_tokens", body).status == 200
    assert logged.keys() == []


def test_tier_and_latency_are_recorded_as_they_were_served(logged):
    logged.configure()
    logged.client().converse(
        modelId=FAKE,
        messages=ask("weather"),
        serviceTier={"type": "reserved"},
        performanceConfig={"latency": "optimized"},
    )
    (record,) = logged.records()
    assert record["serviceTier"] == {"type": "default"}
    assert record["performanceConfig"] == {"latency": "standard"}


def test_a_tool_call_is_in_the_record_of_its_stream(logged):
    logged.configure()
    schema = {"type": "object", "properties": {"at": {"type": "string"}}, "required": ["at"]}
    tool = {"toolSpec": {"name": "look", "inputSchema": {"json": schema}}}
    answer = logged.client().converse_stream(modelId=FAKE, messages=ask("look"), toolConfig={"tools": [tool]})
    assert list(answer["stream"])
    (record,) = logged.records()
    (block,) = record["output"]["outputBodyJson"]["output"]["message"]["content"]
    assert block["toolUse"]["name"] == "look"
    assert block["toolUse"]["input"] == {"at": "the sky"}
    assert record["output"]["outputBodyJson"]["stopReason"] == "tool_use"


def leaving(logged, path, body, pieces):
    """Hang up after so many pieces of the answer's body."""

    async def send_and_leave():
        gone, seen, sent = asyncio.Event(), 0, False

        async def receive():
            nonlocal sent
            if not sent:
                sent = True
                return {"type": "http.request", "body": json.dumps(body).encode(), "more_body": False}
            if pieces:
                await gone.wait()
            return {"type": "http.disconnect"}

        async def send(message):
            nonlocal seen
            seen += bool(message.get("body"))
            if pieces and seen >= pieces:
                gone.set()
                await asyncio.sleep(0.01)

        headers = {"host": "127.0.0.1:4599", "content-type": "application/json", **OPEN_CREDENTIAL}
        pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
        scope = {"type": "http", "method": "POST", "path": path, "raw_path": path.encode(), "headers": pairs}
        await logged.server.application({**scope, "query_string": b""}, receive, send)

    logged.server.submit(send_and_leave()).result(20)


def test_a_client_that_leaves_a_stream(logged):
    logged.configure()
    leaving(logged, f"/model/{FAKE}/converse-stream", {"messages": ask("slow")}, 4)
    (record,) = logged.records()
    (block,) = record["output"]["outputBodyJson"]["output"]["message"]["content"]
    assert "one" in block["text"]
    assert "twenty" not in block["text"]
    assert "errorCode" not in record


def test_a_client_that_leaves_before_the_answer_begins(logged):
    logged.configure()
    leaving(logged, f"/model/{FAKE}/converse", {"messages": ask("slow")}, 0)
    (record,) = logged.records()
    assert record["errorCode"] == "ClientClosedRequest"
    assert record["input"]["inputBodyJson"] == {"messages": ask("slow")}
    assert "outputBodyJson" not in record["output"]


def test_what_jobs_ask_is_not_logged(logged):
    logged.configure()
    text = {"truncationMode": "END", "value": "A text.", "segmentationConfig": {}}
    params = {"embeddingPurpose": "GENERIC_INDEX", "embeddingDimension": 256, "text": text}
    arn = logged.client().start_async_invoke(
        modelId="amazon.nova-2-multimodal-embeddings-v1:0",
        modelInput={"taskType": "SEGMENTED_EMBEDDING", "segmentedEmbeddingParams": params},
        outputDataConfig={"s3OutputDataConfig": {"s3Uri": f"s3://{BUCKET}/vectors"}},
    )["invocationArn"]
    assert inline_jobs(logged.server).drain() == 1
    assert logged.client().get_async_invoke(invocationArn=arn)["status"] == "Completed"
    assert all(key.startswith("vectors/") for key in logged.keys())
    assert len(logged.keys()) == 2

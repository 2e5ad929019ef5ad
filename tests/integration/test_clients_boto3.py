"""boto3 as it comes: calls, streams, retries, pages, keys."""

from __future__ import annotations

import json
import os
import threading
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from uuid import uuid4

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, EventStreamError
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from rocamadre.cli.process import start_server, stop_server
from rocamadre.cli.session import Session
from rocamadre.cli.store import local_host
from rocamadre.identity.operations import create_key

FAKE = "rocamadre.fake-v1:0"
RULES = """
[[rules]]
match = "slow down"
error = "throttled"

[[rules]]
match = "break midway"
answer = "one two three four five"
error = "model_failure"
error_after = 3

[[rules]]
match = "fail"
error = "model_failure"

[[rules]]
match = "not yet"
error = "not_ready"
"""


def user(text):
    return [{"role": "user", "content": [{"text": text}]}]


def text_of(answer):
    return "".join(block["text"] for block in answer["output"]["message"]["content"])


def plain_environment(home):
    names = {name: value for name, value in os.environ.items() if not name.startswith(("ROCA_", "AWS_"))}
    return names | {
        "ROCA_SERVER__PORT": "0",
        "ROCA_CONSOLE__ENABLED": "false",
        "ROCA_CONFIG": str(home / "none.toml"),
    }


@pytest.fixture(scope="module")
def scripted(tmp_path_factory):
    """A server whose fake model follows RULES; yields its address."""
    home = tmp_path_factory.mktemp("scripted")
    (home / "rules.toml").write_text(RULES)
    found = start_server(home, plain_environment(home) | {"ROCA_CATALOG__FAKE_RULES": str(home / "rules.toml")})
    yield found.address
    stop_server(home, found)


@pytest.fixture
def clients():
    """Keeps clients to close them at the end: `clients(client)` gives the client back."""
    with ExitStack() as stack:
        yield lambda client: stack.enter_context(closing(client))


@pytest.fixture
def runtime(boto3_client, clients):
    return clients(boto3_client("bedrock-runtime"))


@pytest.fixture
def bedrock(boto3_client, clients):
    return clients(boto3_client("bedrock"))


@pytest.fixture
def to_scripted(scripted, clients):
    """Makes clients of the scripted server that try so many times."""

    def make(attempts):
        return clients(
            boto3.client(
                "bedrock-runtime",
                endpoint_url=scripted,
                region_name="us-east-1",
                aws_access_key_id="testing",
                aws_secret_access_key="testing",
                config=Config(retries={"total_max_attempts": attempts, "mode": "standard"}),
            )
        )

    return make


@pytest.mark.covers("bedrock-runtime:Converse")
def test_converse_answers_what_was_asked(runtime):
    answer = runtime.converse(modelId=FAKE, messages=user("Qué es un río?"), system=[{"text": "Be brief."}])
    assert "Qué es un río?" in text_of(answer)
    assert answer["stopReason"] == "end_turn"
    usage = answer["usage"]
    assert usage["totalTokens"] == usage["inputTokens"] + usage["outputTokens"]
    assert (
        usage["inputTokens"] > runtime.converse(modelId=FAKE, messages=user("Qué es un río?"))["usage"]["inputTokens"]
    )


@pytest.mark.covers("bedrock-runtime:Converse")
def test_stop_reasons_are_true(runtime):
    cut = runtime.converse(modelId=FAKE, messages=user("a b c d e f"), inferenceConfig={"maxTokens": 3})
    assert (cut["stopReason"], cut["usage"]["outputTokens"]) == ("max_tokens", 3)
    stopped = runtime.converse(
        modelId=FAKE,
        messages=user("alpha beta gamma"),
        inferenceConfig={"stopSequences": ["beta"]},
        additionalModelResponseFieldPaths=["/stop_sequence"],
    )
    assert stopped["stopReason"] == "stop_sequence"
    assert stopped["additionalModelResponseFields"] == {"stop_sequence": "beta"}
    assert text_of(stopped).endswith("alpha ")


@pytest.mark.covers("bedrock-runtime:ConverseStream")
def test_streams_say_the_same_as_calls(runtime):
    request = {"modelId": FAKE, "messages": user("one two three")}
    events = list(runtime.converse_stream(**request)["stream"])
    whole = runtime.converse(**request)
    kinds = [next(iter(event)) for event in events]
    assert kinds[0] == "messageStart"
    assert kinds[-3:] == ["contentBlockStop", "messageStop", "metadata"]
    assert kinds.count("contentBlockDelta") > 1
    deltas = [event["contentBlockDelta"]["delta"]["text"] for event in events if "contentBlockDelta" in event]
    assert "".join(deltas) == text_of(whole)
    assert events[-1]["metadata"]["usage"] == whole["usage"]
    assert events[-2]["messageStop"]["stopReason"] == whole["stopReason"]


@pytest.mark.covers("bedrock-runtime:InvokeModel", "bedrock-runtime:InvokeModelWithResponseStream")
def test_invoke_model_and_its_stream(runtime):
    body = json.dumps({"messages": [{"role": "user", "content": "one two three"}]})
    answer = runtime.invoke_model(modelId=FAKE, body=body)
    counts = answer["ResponseMetadata"]["HTTPHeaders"]
    content = json.loads(answer["body"].read())
    chunks = [
        json.loads(event["chunk"]["bytes"])
        for event in runtime.invoke_model_with_response_stream(modelId=FAKE, body=body)["body"]
    ]
    metrics = chunks[-1]["amazon-bedrock-invocationMetrics"]
    assert metrics["inputTokenCount"] == int(counts["x-amzn-bedrock-input-token-count"])
    assert metrics["outputTokenCount"] == int(counts["x-amzn-bedrock-output-token-count"])
    assert "one two three" in json.dumps(content)


@pytest.mark.covers("bedrock-runtime:CountTokens")
def test_counted_tokens_are_those_that_the_call_reports(runtime):
    conversation = {"messages": user("How many tokens are these?"), "system": [{"text": "Count."}]}
    counted = runtime.count_tokens(modelId=FAKE, input={"converse": conversation})["inputTokens"]
    assert counted == runtime.converse(modelId=FAKE, **conversation)["usage"]["inputTokens"]
    body = json.dumps({"messages": [{"role": "user", "content": "And these?"}]}).encode()
    counted = runtime.count_tokens(modelId=FAKE, input={"invokeModel": {"body": body}})["inputTokens"]
    answer = runtime.invoke_model(modelId=FAKE, body=body)
    assert counted == int(answer["ResponseMetadata"]["HTTPHeaders"]["x-amzn-bedrock-input-token-count"])


@pytest.mark.parametrize(
    ("text", "code", "status"),
    [
        ("slow down", "ThrottlingException", 429),
        ("fail", "ModelErrorException", 424),
        ("not yet", "ModelNotReadyException", 429),
    ],
)
def test_retries_are_those_of_the_client(to_scripted, text, code, status):
    client = to_scripted(2)
    with pytest.raises(ClientError) as refused:
        client.converse(modelId=FAKE, messages=user(text))
    response = refused.value.response
    assert (response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]) == (code, status)
    assert response["ResponseMetadata"]["RetryAttempts"] == (0 if code == "ModelErrorException" else 1)
    assert len(response["ResponseMetadata"]["RequestId"]) == 36


@pytest.mark.covers("bedrock-runtime:ConverseStream")
def test_an_error_in_mid_stream_is_an_exception_after_the_text(to_scripted):
    seen = []
    stream = to_scripted(1).converse_stream(modelId=FAKE, messages=user("break midway"))["stream"]
    with pytest.raises(EventStreamError) as broken:
        seen.extend(stream)
    stream.close()
    assert sum("contentBlockDelta" in event for event in seen) == 3
    assert broken.value.response["Error"]["Code"] == "modelStreamErrorException"


@pytest.mark.covers(
    "bedrock:ListFoundationModels", "bedrock:GetFoundationModel", "bedrock:GetFoundationModelAvailability"
)
def test_the_catalog_lists_what_can_really_be_called(bedrock, runtime):
    models = bedrock.list_foundation_models()["modelSummaries"]
    writers = bedrock.list_foundation_models(byOutputModality="TEXT")["modelSummaries"]
    embedders = bedrock.list_foundation_models(byOutputModality="EMBEDDING")["modelSummaries"]
    assert {m["modelId"] for m in writers} | {m["modelId"] for m in embedders} == {m["modelId"] for m in models}
    assert not {m["modelId"] for m in writers} & {m["modelId"] for m in embedders}
    assert bedrock.list_foundation_models(byProvider="nobody")["modelSummaries"] == []
    for model in models:
        assert bedrock.get_foundation_model(modelIdentifier=model["modelId"])["modelDetails"] == model
        assert bedrock.get_foundation_model(modelIdentifier=model["modelArn"])["modelDetails"] == model
        available = bedrock.get_foundation_model_availability(modelId=model["modelId"])
        assert available["entitlementAvailability"] == "AVAILABLE"
    assert FAKE in {model["modelId"] for model in writers}
    with pytest.raises(ClientError) as refused:
        bedrock.get_foundation_model(modelIdentifier="nobody.knows-v1:0")
    assert refused.value.response["Error"]["Code"] == "ResourceNotFoundException"
    with pytest.raises(ClientError, match=FAKE.replace(".", r"\.")):
        runtime.converse(modelId="nobody.knows-v1:0", messages=user("x"))


@pytest.mark.covers(
    "bedrock:CreateInferenceProfile",
    "bedrock:GetInferenceProfile",
    "bedrock:ListInferenceProfiles",
    "bedrock:DeleteInferenceProfile",
)
def test_an_application_inference_profile_lives_and_dies(bedrock, runtime, boto3_client, clients):
    source = next(m["modelArn"] for m in bedrock.list_foundation_models()["modelSummaries"] if m["modelId"] == FAKE)
    name = f"app-{uuid4().hex[:8]}"
    token = uuid4().hex
    create = {"inferenceProfileName": name, "modelSource": {"copyFrom": source}, "clientRequestToken": token}
    arn = bedrock.create_inference_profile(description="for tests", **create)["inferenceProfileArn"]
    assert bedrock.create_inference_profile(description="for tests", **create)["inferenceProfileArn"] == arn
    with pytest.raises(ClientError) as conflict:
        bedrock.create_inference_profile(description="other", **create)
    assert conflict.value.response["Error"]["Code"] == "ConflictException"

    profile = bedrock.get_inference_profile(inferenceProfileIdentifier=arn)
    assert (profile["inferenceProfileName"], profile["description"], profile["type"]) == (
        name,
        "for tests",
        "APPLICATION",
    )
    assert profile["models"] == [{"modelArn": source}]
    assert "hello there" in text_of(runtime.converse(modelId=arn, messages=user("hello there")))

    pages = bedrock.get_paginator("list_inference_profiles").paginate(PaginationConfig={"PageSize": 1})
    listed = [each["inferenceProfileArn"] for page in pages for each in page["inferenceProfileSummaries"]]
    assert arn in listed
    assert len(listed) == len(set(listed)) > 1
    own = bedrock.list_inference_profiles(typeEquals="APPLICATION", maxResults=1000)["inferenceProfileSummaries"]
    assert {each["type"] for each in own} == {"APPLICATION"}

    elsewhere = clients(boto3_client("bedrock", region_name="eu-west-1"))
    with pytest.raises(ClientError) as hidden:
        elsewhere.get_inference_profile(inferenceProfileIdentifier=arn)
    assert hidden.value.response["Error"]["Code"] == "ResourceNotFoundException"

    bedrock.delete_inference_profile(inferenceProfileIdentifier=arn)
    with pytest.raises(ClientError) as gone:
        bedrock.get_inference_profile(inferenceProfileIdentifier=arn)
    assert gone.value.response["Error"]["Code"] == "ResourceNotFoundException"
    with pytest.raises(ClientError):
        runtime.converse(modelId=arn, messages=user("x"))


@pytest.mark.covers("bedrock:TagResource", "bedrock:UntagResource", "bedrock:ListTagsForResource")
def test_tags_come_and_go(bedrock):
    source = next(m["modelArn"] for m in bedrock.list_foundation_models()["modelSummaries"] if m["modelId"] == FAKE)
    arn = bedrock.create_inference_profile(
        inferenceProfileName=f"tagged-{uuid4().hex[:8]}",
        modelSource={"copyFrom": source},
        tags=[{"key": "team", "value": "rivers"}],
    )["inferenceProfileArn"]

    def tags():
        return {tag["key"]: tag["value"] for tag in bedrock.list_tags_for_resource(resourceARN=arn)["tags"]}

    assert tags() == {"team": "rivers"}
    bedrock.tag_resource(resourceARN=arn, tags=[{"key": "team", "value": "lakes"}, {"key": "ano", "value": ""}])
    assert tags() == {"team": "lakes", "ano": ""}
    bedrock.untag_resource(resourceARN=arn, tagKeys=["team", "never"])
    assert tags() == {"ano": ""}
    with pytest.raises(ClientError) as refused:
        bedrock.list_tags_for_resource(resourceARN=arn[:-3] + "zzz")
    assert refused.value.response["Error"]["Code"] == "ResourceNotFoundException"


@pytest.fixture
def locked(locked_boto3_client, clients):
    """Makes clients of the server that wants keys."""
    return lambda service, **options: clients(locked_boto3_client(service, **options))


def test_signatures_are_verified(locked):
    assert locked("bedrock").list_foundation_models()["modelSummaries"]
    assert "signed" in text_of(locked("bedrock-runtime").converse(modelId=FAKE, messages=user("signed")))
    for changed, code in (
        ({"aws_secret_access_key": "wrong"}, "InvalidSignatureException"),
        ({"aws_access_key_id": "AKIANOBODY"}, "UnrecognizedClientException"),
    ):
        with pytest.raises(ClientError) as refused:
            locked("bedrock-runtime", **changed).converse(modelId=FAKE, messages=user("x"))
        assert refused.value.response["Error"]["Code"] == code
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


def test_signed_arns_and_odd_text(locked):
    arn = f"arn:aws:bedrock:us-east-1::foundation-model/{FAKE}"
    text = "ação ☃ + % & = ? / \u2028 '\"\\ \n\t"
    assert text.strip() in text_of(locked("bedrock-runtime").converse(modelId=arn, messages=user(text)))
    assert locked("bedrock").list_inference_profiles(maxResults=1, typeEquals="SYSTEM_DEFINED")


def test_bearer_keys_from_the_environment(tmp_path, monkeypatch):
    """boto3 sends a bearer key over TLS only, so the server has a certificate here."""
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    certificate, key = self_signed(tmp_path)
    with local_host(Session(home)) as host:
        bearer = create_key(host.sql, home, host.clock, name="bearer", kind="bearer").secret
    environment = plain_environment(home) | {
        "ROCA_SERVER__AUTH": "required",
        "ROCA_SERVER__TLS_CERT": str(certificate),
        "ROCA_SERVER__TLS_KEY": str(key),
    }
    found = start_server(home, environment)
    try:

        def listed(token):
            monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", token)
            client = boto3.Session().client(
                "bedrock", endpoint_url=found.address, region_name="us-east-1", verify=str(certificate)
            )
            try:
                return client.list_foundation_models()["modelSummaries"]
            finally:
                client.close()

        assert found.address.startswith("https://")
        assert listed(bearer)
        with pytest.raises(ClientError) as refused:
            listed("roca-nobody")
        assert refused.value.response["Error"]["Code"] == "UnrecognizedClientException"
    finally:
        stop_server(home, found)


def self_signed(folder):
    """A certificate of 127.0.0.1 and its key, in PEM files."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "certificate.pem", folder / "key.pem"
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return paths


def test_many_threads_share_a_client(runtime):
    answers = {}

    def ask(number):
        answers[number] = text_of(runtime.converse(modelId=FAKE, messages=user(f"number {number}")))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(f"number {number}" in answers[number] for number in range(16))

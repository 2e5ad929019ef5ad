"""Guardrails through boto3 and a strict server: every answer has the shape that botocore knows."""

import json

import boto3
import pytest
from botocore.config import Config

from rocamadre.core.settings import load_settings
from rocamadre.testing.inprocess import ADDRESS, InProcessServer

FAKE = "rocamadre.fake-v1:0"
RULES = """
[[rules]]
match = "address"
answer = "Write to ana@example.com, or to {EMAIL}."
mark = false

[[rules]]
match = "moon"
answer = "It is a blue moon."
mark = false
"""


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    (home / "rules.toml").write_text(RULES)
    catalog = {"default_model": FAKE, "fake_rules": home / "rules.toml"}
    server = InProcessServer(load_settings(home=home, server={"strict": True}, catalog=catalog))
    session = boto3.Session(aws_access_key_id="AKIATESTING", aws_secret_access_key="testing")

    def make(service):
        config = Config(retries={"total_max_attempts": 1})
        made = session.client(service, region_name="us-east-1", endpoint_url=f"{ADDRESS}/{service}", config=config)
        return server.attach(made)

    yield make
    server.close()


@pytest.fixture(scope="module")
def guardrail(client):
    return client("bedrock").create_guardrail(
        name="g",
        blockedInputMessaging="Not that question.",
        blockedOutputsMessaging="Not that answer.",
        wordPolicyConfig={"wordsConfig": [{"text": "blue moon"}], "managedWordListsConfig": [{"type": "PROFANITY"}]},
        sensitiveInformationPolicyConfig={
            "piiEntitiesConfig": [{"type": "EMAIL", "action": "ANONYMIZE"}],
            "regexesConfig": [{"name": "code", "pattern": r"K-\d+", "action": "ANONYMIZE"}],
        },
    )["guardrailId"]


ANSWERS = [
    ("Your address?", "Write to {EMAIL}, or to {EMAIL}."),
    ("Which moon?", "Not that answer."),
    ("A blue moon?", "Not that question."),
]


@pytest.mark.parametrize(("question", "said"), ANSWERS)
@pytest.mark.parametrize("trace", ["enabled", "enabled_full", "disabled"])
def test_converse(client, guardrail, question, said, trace):
    runtime = client("bedrock-runtime")
    config = {"guardrailIdentifier": guardrail, "guardrailVersion": "DRAFT", "trace": trace}
    messages = [{"role": "user", "content": [{"text": question}]}]
    answer = runtime.converse(modelId=FAKE, messages=messages, guardrailConfig=config)
    assert answer["output"]["message"]["content"][0]["text"] == said
    assert answer["stopReason"] == "guardrail_intervened"
    assert ("trace" in answer) == (trace != "disabled")
    events = list(runtime.converse_stream(modelId=FAKE, messages=messages, guardrailConfig=config)["stream"])
    assert "".join(each["contentBlockDelta"]["delta"]["text"] for each in events if "contentBlockDelta" in each) == said
    told = events[-1]["metadata"].get("trace", {}).get("guardrail", {})
    assert sorted(told) == sorted(answer.get("trace", {}).get("guardrail", {}))


@pytest.mark.parametrize(("question", "said"), ANSWERS)
def test_invoke_model(client, guardrail, question, said):
    runtime = client("bedrock-runtime")
    asked = {
        "modelId": "amazon.titan-text-express-v1",
        "body": json.dumps({"inputText": question}),
        "guardrailIdentifier": guardrail,
        "guardrailVersion": "DRAFT",
        "trace": "ENABLED_FULL",
    }
    body = json.loads(runtime.invoke_model(**asked)["body"].read())
    assert body["results"][0]["outputText"] == said
    assert body["amazon-bedrock-guardrailAction"] == "INTERVENED"
    chunks = [json.loads(each["chunk"]["bytes"]) for each in runtime.invoke_model_with_response_stream(**asked)["body"]]
    assert "".join(each["outputText"] for each in chunks) == said
    assert chunks[-1]["amazon-bedrock-trace"].keys() == body["amazon-bedrock-trace"].keys()

"""Custom models: found by every form of id, listed, deleted with their weights, invisible to others."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError

from rocamadre.catalog.changes import set_alias
from rocamadre.catalog.targets import portable, select_targets
from rocamadre.catalog.types import TRAINABLE
from rocamadre.core.errors import Conflict
from rocamadre.customization.cards import render_card, write_model_card
from rocamadre.customization.models import fine_tuned_name, sweep
from rocamadre.testing.inprocess import OPEN_CREDENTIAL
from rocamadre.testing.models import OwnModels
from rocamadre.testing.requests import WireRequest

ASK = [{"role": "user", "content": [{"text": "Say hello"}]}]


def refused(call, **arguments):
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return caught.value.response["Error"]["Code"], caught.value.response["Error"]["Message"]


@pytest.mark.covers("bedrock:GetCustomModel", "bedrock:ListCustomModels")
def test_it_is_found_by_name_and_by_arn(bedrock, register):
    arn = register()
    for identifier in ("harbour", arn):
        found = bedrock.get_custom_model(modelIdentifier=identifier)
        assert (found["modelArn"], found["modelName"], found["modelStatus"]) == (arn, "harbour", "Active")
        assert found["baseModelArn"].endswith("foundation-model/rocamadre.fake-v1:0")
    (listed,) = bedrock.list_custom_models()["modelSummaries"]
    assert (listed["modelArn"], listed["ownerAccountId"]) == (arn, "123456789012")
    assert listed["baseModelName"] == "rocamadre.fake-v1"


def test_it_answers_by_arn_name_and_openai_id(server, runtime, register):
    arn = register()
    name = fine_tuned_name(arn, "fake", "harbour")
    for identifier in (arn, "harbour"):
        answer = runtime.converse(modelId=identifier, messages=ASK)
        assert answer["output"]["message"]["content"][0]["text"]
        assert "x-rocamadre-model" not in answer["ResponseMetadata"]["HTTPHeaders"]
    for model in (name, arn, "harbour"):
        body = json.dumps({"model": model, "messages": [{"role": "user", "content": "Say hello"}]}).encode()
        sent = WireRequest("POST", b"/v1/chat/completions", b"", {"content-type": "application/json"}, body)
        answer = server.send(sent, OPEN_CREDENTIAL | {"authorization": "Bearer testing"})
        assert answer.status == 200, answer.body
        assert json.loads(answer.body)["choices"][0]["message"]["content"]


def test_openai_lists_and_deletes_it(server, register):
    arn = register()
    name = fine_tuned_name(arn, "fake", "harbour")

    def send(method, path):
        headers = OPEN_CREDENTIAL | {"authorization": "Bearer testing"}
        answer = server.send(WireRequest(method, path.encode(), b"", {}, b""), headers)
        return answer.status, json.loads(answer.body)

    assert name in [each["id"] for each in send("GET", "/v1/models")[1]["data"]]
    assert send("GET", f"/v1/models/{name}")[1]["id"] == name
    assert send("DELETE", "/v1/models/rocamadre.fake-v1:0")[0] == 400
    assert send("DELETE", f"/v1/models/{name}") == (200, {"id": name, "object": "model", "deleted": True})
    assert send("GET", f"/v1/models/{name}")[0] == 404


def test_others_do_not_see_it(connect, register):
    arn = register()
    for options in ({"key": "210987654321"}, {"region": "eu-west-1"}):
        bedrock, runtime = connect(**options), connect("bedrock-runtime", **options)
        assert bedrock.list_custom_models()["modelSummaries"] == []
        assert refused(bedrock.get_custom_model, modelIdentifier=arn)[0] == "ResourceNotFoundException"
        assert refused(bedrock.delete_custom_model, modelIdentifier="harbour")[0] == "ResourceNotFoundException"
        for identifier in (arn, "harbour"):
            code, message = refused(runtime.converse, modelId=identifier, messages=ASK)
            assert (code, message.startswith("The provided model identifier is invalid.")) == (
                "ValidationException",
                True,
            )


def test_the_body_is_that_of_its_base(runtime, register):
    register("nova", base_id="amazon.nova-lite-v1:0")
    body = {"messages": [{"role": "user", "content": [{"text": "Say hello"}]}]}
    answer = json.load(runtime.invoke_model(modelId="nova", body=json.dumps(body))["body"])
    assert answer["output"]["message"]["content"][0]["text"]
    register("own")
    answer = json.load(runtime.invoke_model(modelId="own", body=json.dumps({"prompt": "Hello"}))["body"])
    assert "generation" in answer


def test_a_name_of_ones_own_goes_before_an_alias_but_not_before_a_model(server, runtime, connect, register):
    set_alias(server.platform, "gpt", "fake")
    other = connect("bedrock-runtime", key="210987654321")
    arn = register("gpt")
    register("fake")
    answer = runtime.converse(modelId="gpt", messages=ASK)
    assert "x-rocamadre-model" not in answer["ResponseMetadata"]["HTTPHeaders"]
    answer = other.converse(modelId="gpt", messages=ASK)
    assert answer["ResponseMetadata"]["HTTPHeaders"]["x-rocamadre-model"] == "rocamadre.fake-v1:0"
    assert arn in [line.model_id for line in server.platform.engines.status()]
    runtime.converse(modelId="fake", messages=ASK)
    assert "rocamadre.fake-v1:0" in [line.model_id for line in server.platform.engines.status()]


def test_filters_order_and_pages(bedrock, register):
    start = datetime(2026, 1, 1, tzinfo=UTC)
    first = register("one", created_at=start)
    register("two", created_at=start + timedelta(days=1), base_arn=first)
    register("three", created_at=start + timedelta(days=2), base_id="amazon.nova-lite-v1:0")

    def names(**filters):
        return [each["modelName"] for each in bedrock.list_custom_models(**filters)["modelSummaries"]]

    assert names() == ["three", "two", "one"]
    assert names(sortBy="CreationTime", sortOrder="Ascending") == ["one", "two", "three"]
    assert names(nameContains="t") == ["three", "two"]
    assert names(baseModelArnEquals=first) == ["two"]
    fake = "arn:aws:bedrock:us-east-1::foundation-model/rocamadre.fake-v1:0"
    assert names(foundationModelArnEquals=fake) == ["two", "one"]
    assert names(creationTimeAfter=start, creationTimeBefore=start + timedelta(days=2)) == ["two"]
    assert names(isOwned=True, modelStatus="Active") == ["three", "two", "one"]
    assert names(isOwned=False) == names(modelStatus="Failed") == []
    page = bedrock.list_custom_models(maxResults=2)
    assert len(page["modelSummaries"]) == 2
    assert names(maxResults=2, nextToken=page["nextToken"]) == ["one"]


def test_registering_twice_changes_nothing_and_a_taken_name_is_refused(register):
    arn = register()
    folder = f"custom-{arn.rpartition('/')[2]}-b"
    with pytest.raises(Conflict, match="harbour"):
        register(folder=folder)
    assert arn


@pytest.mark.covers("bedrock:DeleteCustomModel")
def test_deleting_removes_weights_tags_and_engine(server, bedrock, runtime, register):
    arn = register()
    folder = server.platform.settings.home / "models" / f"custom-{arn.rpartition('/')[2]}"
    bedrock.tag_resource(resourceARN=arn, tags=[{"key": "a", "value": "b"}])
    assert bedrock.list_tags_for_resource(resourceARN=arn)["tags"] == [{"key": "a", "value": "b"}]
    runtime.converse(modelId=arn, messages=ASK)
    bedrock.delete_custom_model(modelIdentifier="harbour")
    assert not folder.exists()
    assert list(folder.parent.glob(".removed-*")) == []
    assert bedrock.list_custom_models()["modelSummaries"] == []
    assert refused(runtime.converse, modelId=arn, messages=ASK)[0] == "ValidationException"
    assert arn not in [line.model_id for line in server.platform.engines.status()]
    register()  # the name is free again


def test_what_was_cut_off_while_it_was_removed_is_removed_at_the_next_start(server, bedrock, register, monkeypatch):
    arn = register()
    models = server.platform.settings.home / "models"
    folder = models / f"custom-{arn.rpartition('/')[2]}"
    with monkeypatch.context() as patch:
        patch.setattr("rocamadre.customization.models.sweep", lambda host: None)
        bedrock.delete_custom_model(modelIdentifier="harbour")
    (models / ".removed-abcdefgh").mkdir()
    keep = models / "custom-of-a-job-that-runs"
    keep.mkdir()
    assert folder.is_dir()
    sweep(server.platform)
    assert not folder.exists()
    assert not (models / ".removed-abcdefgh").exists()
    assert keep.is_dir()


def test_a_reset_removes_the_weights_of_its_account_alone(server, register):
    register()
    other = OwnModels(server.platform, account="210987654321").custom("theirs")
    sent = WireRequest("POST", b"/_rocamadre/reset", b"", {"content-type": "application/json"}, b"{}")
    assert server.send(sent).status == 200
    models = server.platform.settings.home / "models"
    assert [path.name for path in models.iterdir()] == [f"custom-{other.rpartition('/')[2]}"]


def test_a_base_with_an_adapter_over_it_stays(server, bedrock, register):
    base = register("base")
    folder = f"custom-{base.rpartition('/')[2]}"
    home = server.platform.settings.home
    register("over", base_arn=base, file=f"../{folder}/model.gguf", options={"adapter": str(home / "models/x/a.gguf")})
    code, message = refused(bedrock.delete_custom_model, modelIdentifier="base")
    assert code == "ConflictException"
    assert "in use by" in message
    with server.platform.sql.connect() as connection:
        trainable = {each.name: each.facts.customizations for each in select_targets(connection)}
    assert trainable == {"base": TRAINABLE, "over": ()}
    bedrock.delete_custom_model(modelIdentifier="over")
    bedrock.delete_custom_model(modelIdentifier="base")


def test_options_do_not_say_where_the_home_is():
    options = {"adapter": "/a/models/custom-x/adapter.gguf", "adapters": ["/a/models/custom-y/z"], "slots": 3}
    assert portable(options, "custom-x") == {**options, "adapter": "{folder}/adapter.gguf"}


def test_its_card_says_what_it_was_made_of(server, register):
    base = register("base")
    facts = {
        "method": "lora",
        "settings": {"rank": 8, "target": ["q", "v"]},
        "metrics": {"loss": 0.25, "validation_loss": None},
        "data": {"sha256": "abc", "records": 12},
        "licence": "Apache-2.0",
        "languages": ["en"],
        "certificate": {"passed": True},
    }
    arn = register("tuned", base_arn=base, facts=facts)
    models = server.platform.settings.home / "models"
    write_model_card(server.platform.sql, models, arn)
    folder = models / f"custom-{arn.rpartition('/')[2]}"
    card = json.loads((folder / "card.json").read_text())
    assert card["lineage"] == [arn, base, "arn:aws:bedrock:us-east-1::foundation-model/rocamadre.fake-v1:0"]
    text = (folder / "card.md").read_text()
    for expected in ("license: Apache-2.0", "- rank: 8", "- loss: 0.25", "- records: 12", "- passed: True"):
        assert expected in text
    assert "validation_loss" not in text


def test_a_card_of_anything_has_one_fact_a_line():
    text = render_card(
        {"name": "a\n# b", "notes": ["x\ny", "z"], "metrics": {"l": list(range(50))}, "odd": {"a": [{}]}}
    )
    assert "# a # b" in text.splitlines()
    assert "- x y" in text.splitlines()
    assert "and 30 more" in text

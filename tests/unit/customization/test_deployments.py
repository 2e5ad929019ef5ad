"""Deployments and provisioned throughput: from Creating to answering, moved to another model, deleted."""

from __future__ import annotations

from datetime import timedelta

import pytest
from botocore.exceptions import ClientError

from rocamadre.customization.model_tables import change_row, select_all
from rocamadre.customization.model_types import Throughput
from rocamadre.customization.throughput import remove_throughput

ASK = [{"role": "user", "content": [{"text": "Say hello"}]}]
FAKE = "rocamadre.fake-v1:0"


def refused(call, **arguments):
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return caught.value.response["Error"]["Code"], caught.value.response["Error"]["Message"]


def deploy(bedrock, model, name="front"):
    return bedrock.create_custom_model_deployment(modelDeploymentName=name, modelArn=model)["customModelDeploymentArn"]


@pytest.mark.covers(
    "bedrock:CreateCustomModelDeployment",
    "bedrock:GetCustomModelDeployment",
    "bedrock:ListCustomModelDeployments",
    "bedrock:DeleteCustomModelDeployment",
)
def test_a_deployment_answers_once_it_is_active(server, bedrock, runtime, register, jobs):
    model = register()
    arn = deploy(bedrock, model)
    assert bedrock.get_custom_model_deployment(customModelDeploymentIdentifier="front")["status"] == "Creating"
    assert refused(runtime.converse, modelId=arn, messages=ASK)[0] == "ModelNotReadyException"
    assert "in use by" in refused(bedrock.delete_custom_model, modelIdentifier=model)[1]
    jobs.drain()
    found = bedrock.get_custom_model_deployment(customModelDeploymentIdentifier=arn)
    assert (found["status"], found["modelArn"], found["modelDeploymentName"]) == ("Active", model, "front")
    assert runtime.converse(modelId=arn, messages=ASK)["output"]["message"]["content"]
    assert [line.model_id for line in server.platform.engines.status()] == [model]
    listed = bedrock.list_custom_model_deployments(statusEquals="Active", modelArnEquals=model, nameContains="fro")
    assert [each["customModelDeploymentArn"] for each in listed["modelDeploymentSummaries"]] == [arn]
    bedrock.tag_resource(resourceARN=arn, tags=[{"key": "a", "value": "b"}])
    assert bedrock.list_tags_for_resource(resourceARN=arn)["tags"]
    bedrock.delete_custom_model_deployment(customModelDeploymentIdentifier="front")
    assert refused(runtime.converse, modelId=arn, messages=ASK)[0] == "ValidationException"
    bedrock.delete_custom_model(modelIdentifier=model)


def test_a_model_that_does_not_load_fails_with_its_reason(bedrock, runtime, register, jobs):
    arn = deploy(bedrock, register(engine="llama"))  # its weights are no GGUF file
    jobs.drain()
    found = bedrock.get_custom_model_deployment(customModelDeploymentIdentifier=arn)
    assert found["status"] == "Failed"
    assert "does not answer" in found["failureMessage"]
    code, message = refused(runtime.converse, modelId=arn, messages=ASK)
    assert (code, "could not be created" in message) == ("ValidationException", True)
    bedrock.delete_custom_model_deployment(customModelDeploymentIdentifier=arn)


@pytest.mark.covers("bedrock:UpdateCustomModelDeployment")
def test_an_update_moves_it_and_a_failed_one_leaves_it(server, bedrock, runtime, register, jobs):
    first, second, bad = register("first"), register("second"), register("bad", engine="llama")
    arn = deploy(bedrock, first)
    update = bedrock.update_custom_model_deployment
    code, _ = refused(update, customModelDeploymentIdentifier=arn, modelArn=second)
    assert code == "ValidationException"  # still being created
    jobs.drain()
    update(customModelDeploymentIdentifier=arn, modelArn=second)
    details = bedrock.get_custom_model_deployment(customModelDeploymentIdentifier=arn)["updateDetails"]
    assert details == {"modelArn": second, "updateStatus": "Updating"}
    assert "in use by" in refused(bedrock.delete_custom_model, modelIdentifier=second)[1]
    jobs.drain()
    found = bedrock.get_custom_model_deployment(customModelDeploymentIdentifier=arn)
    assert (found["modelArn"], found["updateDetails"]["updateStatus"]) == (second, "UpdateCompleted")
    update(customModelDeploymentIdentifier=arn, modelArn=bad)
    jobs.drain()
    found = bedrock.get_custom_model_deployment(customModelDeploymentIdentifier=arn)
    assert (found["status"], found["modelArn"]) == ("Active", second)
    assert found["updateDetails"] == {"modelArn": bad, "updateStatus": "UpdateFailed"}
    assert "does not answer" in found["failureMessage"]
    assert runtime.converse(modelId=arn, messages=ASK)["output"]["message"]["content"]


def test_what_is_not_there_or_taken_is_refused(bedrock, register):
    model = register()
    deploy(bedrock, model)
    assert "front" in refused(deploy, bedrock=bedrock, model=model)[1]
    gone = model[:-12] + "abcdefghijkl"
    assert refused(deploy, bedrock=bedrock, model=gone, name="b")[0] == "ResourceNotFoundException"
    get = bedrock.get_custom_model_deployment
    assert refused(get, customModelDeploymentIdentifier="nothing")[0] == "ResourceNotFoundException"


def test_deleting_while_it_is_created_ends_its_job(bedrock, register, jobs):
    arn = deploy(bedrock, register())
    bedrock.delete_custom_model_deployment(customModelDeploymentIdentifier=arn)
    assert jobs.drain() == 0
    assert bedrock.list_custom_model_deployments()["modelDeploymentSummaries"] == []


def provision(bedrock, model=FAKE, name="mine", units=2, **more):
    made = bedrock.create_provisioned_model_throughput(
        provisionedModelName=name, modelId=model, modelUnits=units, **more
    )
    return made["provisionedModelArn"]


@pytest.mark.covers(
    "bedrock:CreateProvisionedModelThroughput",
    "bedrock:GetProvisionedModelThroughput",
    "bedrock:ListProvisionedModelThroughputs",
    "bedrock:DeleteProvisionedModelThroughput",
)
def test_provisioned_throughput_has_an_engine_of_its_own(server, bedrock, runtime, register, jobs):
    model = register()
    arn = provision(bedrock, "harbour")
    get = bedrock.get_provisioned_model_throughput
    assert get(provisionedModelId="mine")["status"] == "Creating"
    assert refused(runtime.converse, modelId=arn, messages=ASK)[0] == "ModelNotReadyException"
    jobs.drain()
    found = get(provisionedModelId=arn)
    assert (found["status"], found["modelUnits"], found["modelArn"]) == ("InService", 2, model)
    assert found["foundationModelArn"].endswith(f"foundation-model/{FAKE}")
    engines = server.platform.engines
    assert [line.model_id for line in engines.status()] == [arn]  # loaded as it was made, and not the model's own
    spec = engines._entries[arn].spec
    assert (spec.dedicated, spec.options["slots"]) == (True, 2)
    runtime.converse(modelId=arn, messages=ASK)
    listed = bedrock.list_provisioned_model_throughputs(statusEquals="InService", modelArnEquals=model)
    assert [each["provisionedModelArn"] for each in listed["provisionedModelSummaries"]] == [arn]
    assert "in use by" in refused(bedrock.delete_custom_model, modelIdentifier=model)[1]
    bedrock.delete_provisioned_model_throughput(provisionedModelId="mine")
    assert engines.status() == []
    assert refused(get, provisionedModelId=arn)[0] == "ResourceNotFoundException"


def test_foundation_models_and_aliases_are_provisioned_too(server, bedrock, runtime, jobs):
    arn = provision(bedrock, "amazon.nova-lite-v1:0")
    vectors = provision(bedrock, "amazon.titan-embed-text-v2:0", "vectors")
    jobs.drain()
    assert bedrock.get_provisioned_model_throughput(provisionedModelId="vectors")["status"] == "InService"
    answer = runtime.converse(modelId=arn, messages=ASK)
    assert answer["ResponseMetadata"]["HTTPHeaders"]["x-rocamadre-model"] == arn
    assert {line.model_id for line in server.platform.engines.status()} == {arn, vectors}


def test_a_commitment_holds_as_on_aws_but_not_for_the_owner_of_the_machine(server, bedrock, jobs):
    arn = provision(bedrock, commitmentDuration="OneMonth")
    jobs.drain()
    found = bedrock.get_provisioned_model_throughput(provisionedModelId=arn)
    assert found["commitmentExpirationTime"] - found["creationTime"] == timedelta(days=30)
    code, message = refused(bedrock.delete_provisioned_model_throughput, provisionedModelId=arn)
    assert (code, "committed" in message) == ("ConflictException", True)
    with server.platform.sql.connect() as connection:
        (there,) = select_all(connection, Throughput)
    remove_throughput(server.platform, there)
    assert bedrock.list_provisioned_model_throughputs()["provisionedModelSummaries"] == []
    ended = provision(bedrock, name="ended", commitmentDuration="SixMonths")
    with server.platform.sql.begin() as tx:
        change_row(tx, Throughput, ended, expires_at=found["creationTime"])
    bedrock.delete_provisioned_model_throughput(provisionedModelId=ended)


@pytest.mark.covers("bedrock:UpdateProvisionedModelThroughput")
def test_an_update_renames_and_swaps_the_model(server, bedrock, runtime, register, jobs):
    first, second, bad = register("first"), register("second"), register("bad", engine="llama")
    other = register("other", base_id="amazon.nova-lite-v1:0")
    arn = provision(bedrock, first)
    jobs.drain()
    update, get = bedrock.update_provisioned_model_throughput, bedrock.get_provisioned_model_throughput
    update(provisionedModelId=arn, desiredProvisionedModelName="renamed")
    update(provisionedModelId="renamed", desiredModelId=second)
    found = get(provisionedModelId=arn)
    assert (found["status"], found["modelArn"], found["desiredModelArn"]) == ("Updating", first, second)
    jobs.drain()
    found = get(provisionedModelId=arn)
    assert (found["status"], found["modelArn"], found["desiredModelArn"]) == ("InService", second, second)
    assert "goes back to" in refused(update, provisionedModelId=arn, desiredModelId=other)[1]
    update(provisionedModelId=arn, desiredModelId=bad)
    jobs.drain()
    found = get(provisionedModelId=arn)
    assert (found["status"], found["modelArn"]) == ("InService", second)
    assert "does not answer" in found["failureMessage"]
    assert runtime.converse(modelId=arn, messages=ASK)["output"]["message"]["content"]


def test_too_many_units_and_unknown_models_are_refused(bedrock):
    assert refused(provision, bedrock=bedrock, units=65)[0] == "ServiceQuotaExceededException"
    assert refused(provision, bedrock=bedrock, model="nobody.nothing-v1:0")[0] == "ResourceNotFoundException"

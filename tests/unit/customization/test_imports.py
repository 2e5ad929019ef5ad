"""Imports and copies: real weights, by real engines; and directories that are broken or hostile."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from botocore.exceptions import ClientError
from safetensors.numpy import load_file, save_file

from rocamadre.core.errors import InvalidRequest

ASK = [{"role": "user", "content": [{"text": "Say hello"}]}]
ROLE = "arn:aws:iam::123456789012:role/import"


def refused(call, **arguments):
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return caught.value.response["Error"]["Code"], caught.value.response["Error"]["Message"]


def start(bedrock, uri, name="tiny", **more):
    return bedrock.create_model_import_job(
        jobName=f"import-{name}",
        importedModelName=name,
        roleArn=ROLE,
        modelDataSource={"s3DataSource": {"s3Uri": uri}},
        **more,
    )["jobArn"]


@pytest.mark.covers(
    "bedrock:CreateModelImportJob",
    "bedrock:GetModelImportJob",
    "bedrock:ListModelImportJobs",
    "bedrock:GetImportedModel",
    "bedrock:ListImportedModels",
    "bedrock:DeleteImportedModel",
)
def test_safetensors_become_a_model_that_answers_in_three_formats(server, bedrock, runtime, tiny, upload, jobs):
    uri = upload(tiny)
    arn = start(bedrock, uri, importedModelTags=[{"key": "a", "value": "b"}])
    assert bedrock.get_model_import_job(jobIdentifier="import-tiny")["status"] == "InProgress"
    jobs.drain()
    job = bedrock.get_model_import_job(jobIdentifier=arn)
    assert (job["status"], job.get("failureMessage")) == ("Completed", None)
    assert job["modelDataSource"]["s3DataSource"]["s3Uri"] == uri
    model = job["importedModelArn"]
    found = bedrock.get_imported_model(modelIdentifier="tiny")
    assert (found["modelArn"], found["modelArchitecture"], found["instructSupported"]) == (
        model,
        "LlamaForCausalLM",
        True,
    )
    assert [each["modelArn"] for each in bedrock.list_imported_models()["modelSummaries"]] == [model]
    assert bedrock.list_tags_for_resource(resourceARN=model)["tags"] == [{"key": "a", "value": "b"}]
    assert [
        each["jobArn"] for each in bedrock.list_model_import_jobs(statusEquals="Completed")["modelImportJobSummaries"]
    ] == [arn]

    def invoke(**body):
        return json.load(runtime.invoke_model(modelId=model, body=json.dumps(body))["body"])

    assert "generation" in invoke(prompt="Hello", max_gen_len=3)
    assert "text" in invoke(prompt="Hello", max_tokens=3)["choices"][0]
    chat = invoke(messages=[{"role": "user", "content": "Hello"}], max_tokens=3)
    assert "content" in chat["choices"][0]["message"]
    assert runtime.converse(modelId="tiny", messages=ASK, inferenceConfig={"maxTokens": 3})["output"]
    folder = server.platform.settings.home / "models" / f"imported-{model.rpartition('/')[2]}"
    assert (folder / "model.gguf").is_file()
    assert not list(folder.glob("*.safetensors"))
    assert json.loads((folder / "card.json").read_text())["origin"] == uri
    assert list((server.platform.settings.home / "runs").glob("import-*")) == []
    bedrock.delete_imported_model(modelIdentifier=model)
    assert not folder.exists()
    assert refused(runtime.converse, modelId=model, messages=ASK)[0] == "ValidationException"


@pytest.mark.covers("bedrock:CreateCustomModel")
def test_a_custom_model_from_a_folder(bedrock, runtime, tiny, upload, jobs):
    source = {"s3DataSource": {"s3Uri": upload(tiny)}}
    arn = bedrock.create_custom_model(modelName="brought", modelSourceConfig=source)["modelArn"]
    assert bedrock.get_custom_model(modelIdentifier="brought")["modelStatus"] == "Creating"
    assert bedrock.list_model_import_jobs()["modelImportJobSummaries"] == []
    assert refused(runtime.converse, modelId=arn, messages=ASK)[0] == "ModelNotReadyException"
    jobs.drain()
    found = bedrock.get_custom_model(modelIdentifier=arn)
    assert (found["modelStatus"], found["customizationType"]) == ("Active", "IMPORTED")
    assert runtime.converse(modelId="brought", messages=ASK, inferenceConfig={"maxTokens": 2})["output"]
    assert bedrock.list_custom_models()["modelSummaries"][0]["baseModelName"].startswith("imported.")
    bad = bedrock.create_custom_model(
        modelName="bad", modelSourceConfig={"s3DataSource": {"s3Uri": "s3://models/nothing"}}
    )["modelArn"]
    jobs.drain()
    found = bedrock.get_custom_model(modelIdentifier=bad)
    assert found["modelStatus"] == "Failed"
    assert "no object below" in found["failureMessage"]
    bedrock.delete_custom_model(modelIdentifier=bad)
    bedrock.delete_custom_model(modelIdentifier=arn)


def drop(name):
    return lambda folder: (folder / name).unlink()


def rename_weights(folder):
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def edit_config(**values):
    def edit(folder):
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(config | values))

    return edit


def cut_weights(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1000])


def wrong_shape(folder):
    tensors = load_file(folder / "model.safetensors")
    tensors["model.layers.0.mlp.up_proj.weight"] = np.zeros((7, 32), np.float32)
    save_file(tensors, folder / "model.safetensors")


def lacking_tensor(folder):
    tensors = load_file(folder / "model.safetensors")
    del tensors["model.layers.1.self_attn.q_proj.weight"]
    save_file(tensors, folder / "model.safetensors")


def evil_template(folder):
    config = json.loads((folder / "tokenizer_config.json").read_text())
    config["chat_template"] = "{{ ''.__class__.__mro__[1].__subclasses__() }}"
    (folder / "tokenizer_config.json").write_text(json.dumps(config))


def bad_index(folder):
    (folder / "model.safetensors.index.json").write_text('{"weight_map": {"x": "../../../etc/passwd"}}')


BROKEN = {
    "no weights": (drop("model.safetensors"), "no model.safetensors"),
    "pickles only": (rename_weights, "may run code"),
    "no configuration": (drop("config.json"), "config.json"),
    "no tokenizer": (drop("tokenizer.json"), "tokenizer"),
    "torn weights": (cut_weights, "model.safetensors"),
    "a wrong shape": (wrong_shape, "up_proj.weight has the shape (7, 32); config.json asks for (64, 32)"),
    "a tensor too few": (lacking_tensor, "lack the tensor model.layers.1.self_attn.q_proj.weight"),
    "own code": (
        edit_config(architectures=["EvilForCausalLM"], auto_map={"AutoModel": "evil.Evil"}),
        "code of its own",
    ),
    "no generator": (edit_config(architectures=["SomethingElse"]), "architecture"),
    "a hostile template": (evil_template, "template"),
    "an index that climbs": (bad_index, "leads out"),
    "no JSON": (lambda folder: (folder / "config.json").write_text("{"), "not a JSON object"),
}


def test_broken_directories_fail_each_with_its_reason(server, bedrock, tiny, tmp_path, upload, jobs):
    for case, (breaks, _) in BROKEN.items():
        folder = tmp_path / case
        shutil.copytree(tiny, folder)
        breaks(folder)
        start(bedrock, upload(folder, case.replace(" ", "-")), case.replace(" ", "-"))
    jobs.drain()
    for case, (_, expected) in BROKEN.items():
        job = bedrock.get_model_import_job(jobIdentifier=f"import-{case.replace(' ', '-')}")
        assert (job["status"], "importedModelArn" in job) == ("Failed", False), case
        assert expected in job["failureMessage"], (case, job["failureMessage"])
    home = server.platform.settings.home
    assert list((home / "runs").glob("import-*")) == []
    assert list((home / "models").glob("imported-*")) == []
    assert bedrock.list_imported_models()["modelSummaries"] == []


def test_a_model_that_cannot_answer_leaves_nothing(server, bedrock, tiny, upload, jobs, monkeypatch):
    def fails(work, arn, **_):
        raise InvalidRequest("the model does not answer: it is mute")

    uri, models = upload(tiny), server.platform.settings.home / "models"
    with monkeypatch.context() as patch:
        patch.setattr("rocamadre.customization.import_jobs.try_model", fails)
        arn = start(bedrock, uri)
        jobs.drain()
    assert "it is mute" in bedrock.get_model_import_job(jobIdentifier=arn)["failureMessage"]
    assert len(list(models.glob("imported-*"))) == 1
    start(bedrock, uri, "again")  # sweeps what was left
    jobs.drain()
    assert len(list(models.glob("imported-*"))) == 1
    assert [each["modelName"] for each in bedrock.list_imported_models()["modelSummaries"]] == ["again"]


def test_names_that_climb_and_sizes_beyond_the_limit(server, bedrock, tiny, upload, jobs):
    uri = upload(tiny)
    server.platform.objects.of("123456789012").put("models", "tiny/../../evil.json", b"{}")
    arn = start(bedrock, uri)
    jobs.drain()
    assert "leads out" in bedrock.get_model_import_job(jobIdentifier=arn)["failureMessage"]


def test_too_large_a_model(server, bedrock, tiny, upload, jobs, monkeypatch):
    uri = upload(tiny)
    limited = server.platform.settings.catalog.model_copy(update={"max_import_bytes": 1000})
    settings = server.platform.settings.model_copy(update={"catalog": limited})
    object.__setattr__(jobs._platform, "settings", settings)
    arn = start(bedrock, uri)
    jobs.drain()
    assert "max_import_bytes" in bedrock.get_model_import_job(jobIdentifier=arn)["failureMessage"]


def test_taken_names_are_refused(bedrock, tiny, upload):
    uri = upload(tiny)
    start(bedrock, uri)
    assert refused(start, bedrock=bedrock, uri=uri)[0] == "ConflictException"
    code, message = refused(
        bedrock.create_model_import_job,
        jobName="another",
        importedModelName="tiny",
        roleArn=ROLE,
        modelDataSource={"s3DataSource": {"s3Uri": uri}},
    )
    assert (code, "imported model" in message) == ("ConflictException", True)


@pytest.mark.covers("bedrock:CreateModelCopyJob", "bedrock:GetModelCopyJob", "bedrock:ListModelCopyJobs")
def test_a_copy_in_another_region_lives_alone(connect, bedrock, tiny, upload, jobs):
    source = {"s3DataSource": {"s3Uri": upload(tiny)}}
    arn = bedrock.create_custom_model(modelName="brought", modelSourceConfig=source)["modelArn"]
    jobs.drain()
    there = connect(region="eu-west-1")
    job = there.create_model_copy_job(
        sourceModelArn=arn, targetModelName="moved", targetModelTags=[{"key": "a", "value": "b"}]
    )["jobArn"]
    assert "in use by" in refused(bedrock.delete_custom_model, modelIdentifier=arn)[1]
    assert there.get_custom_model(modelIdentifier="moved")["modelStatus"] == "Creating"
    jobs.drain()
    found = there.get_model_copy_job(jobArn=job)
    assert (found["status"], found["sourceModelArn"], found["sourceModelName"]) == ("Completed", arn, "brought")
    assert found["targetModelTags"] == [{"key": "a", "value": "b"}]
    assert ":eu-west-1:" in found["targetModelArn"]
    listed = there.list_model_copy_jobs(sourceModelArnEquals=arn, targetModelNameContains="mov")
    assert len(listed["modelCopyJobSummaries"]) == 1
    assert bedrock.list_model_copy_jobs()["modelCopyJobSummaries"] == []
    bedrock.delete_custom_model(modelIdentifier=arn)
    runtime = connect("bedrock-runtime", region="eu-west-1")
    for identifier in ("moved", found["targetModelArn"]):
        assert runtime.converse(modelId=identifier, messages=ASK, inferenceConfig={"maxTokens": 2})["output"]


def test_copies_across_accounts_are_refused(connect, register):
    arn = register()
    other = connect(key="210987654321")
    code, message = refused(other.create_model_copy_job, sourceModelArn=arn, targetModelName="mine")
    assert (code, "another account" in message) == ("AccessDeniedException", True)
    foundation = "arn:aws:bedrock:us-east-1::foundation-model/rocamadre.fake-v1:0"
    code, _ = refused(other.create_model_copy_job, sourceModelArn=foundation, targetModelName="mine")
    assert code == "ResourceNotFoundException"

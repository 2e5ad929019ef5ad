"""`roca train` up to the server: what it works out and what it asks for."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError

from rocamadre.catalog.operations import known_models
from rocamadre.catalog.rows import Facts
from rocamadre.catalog.targets import Target, insert_target
from rocamadre.catalog.types import Resolved
from rocamadre.cli import train
from rocamadre.cli.session import Session
from rocamadre.cli.store import local_host
from rocamadre.testing.tiny import tiny_llama
from rocamadre.training.preflight import prospect
from rocamadre.training.preflight.calibration import Rate

ARN = "arn:aws:bedrock:us-east-1:123456789012:model-customization-job/rocamadre.roca-mini-v1:0/abcdefghijkl"
RATE = Rate(0.01, 1e-11, 8e-12, 0.005, 9.0, 600_000_000, "fp32", 1)
DONE = {
    "name": "harbour", "status": "Completed", "reason": "", "model": "arn:model", "model_name": "harbour",
    "ended_at": "2026-11-21T10:05:00Z", "progress": {"state": "over"}, "foreseen": [],
}  # fmt: skip


@pytest.fixture
def data(home, tmp_path):
    path = tmp_path / "Harbour Words.jsonl"
    record = {"prompt": "What is the word?", "completion": "Marmalade."}
    path.write_text("\n".join(json.dumps({**record, "prompt": f"Word {n}?"}) for n in range(40)))
    return str(path)


@pytest.fixture
def base(tmp_path, monkeypatch):
    """A tiny model under the name `tiny`, and a speed that is known."""
    folder = tiny_llama(tmp_path / "tiny")

    def resolved(host, name):
        fake = next(model for model in known_models(host) if model.engine == "fake" and not model.embeds)
        kinds = ("FINE_TUNING", "CONTINUED_PRE_TRAINING")
        made = {name: getattr(fake, name) for name in type(fake).__slots__}
        model = type(fake)(**{**made, "path": folder, "customizations": kinds, "context_length": 256})
        return Resolved(name, "rocamadre.tiny-v1:0", fake if name == "fake" else model, False)

    monkeypatch.setattr(train, "resolve_here", resolved)
    monkeypatch.setattr(prospect, "measure_rate", lambda *_: RATE)


class Clients:
    """Stands for S3 and Bedrock."""

    def __init__(self):
        self.calls = {}

    def __getattr__(self, name):
        def call(*arguments, **options):
            self.calls[name] = arguments or options
            if name == "create_bucket":
                raise ClientError({"Error": {"Code": "BucketAlreadyOwnedByYou", "Message": "yours"}}, "CreateBucket")
            return {"jobArn": ARN}

        return call


@pytest.fixture
def clients(monkeypatch):
    made = Clients()
    monkeypatch.setattr(train, "open_client", lambda server, **_: made)
    monkeypatch.setattr(Session, "server", lambda self: object())
    monkeypatch.setattr(train, "get", lambda server, path, **_: DONE)
    return made


def test_a_dry_run_needs_no_server(roca, data, base):
    told = roca("train", data, "--base", "tiny", "--method", "lora", "--set", "rank=4", "--dry-run")
    assert told.code == 0, told.err
    for part in ("lora moves", "activations", "in all", "time in training", "unknown: the base is no model of AWS"):
        assert part in told.out
    plain = roca("train", data, "--base", "tiny", "--set", "rank=4", "--set", "epochs=2", "--dry-run", "--json").json
    assert plain["examples"] == 40
    assert plain["steps"] == 10
    assert plain["trained_parameters"] == 2 * 4 * (2 * 64 + 2 * 48 + 3 * 96)
    assert plain["training_s"] > 0


def test_text_and_validation(roca, data, base, tmp_path):
    text = tmp_path / "text.jsonl"
    text.write_text("\n".join(json.dumps({"text": f"A line of {n} words, and more. " * 20}) for n in range(9)))
    plain = roca("train", str(text), "--base", "tiny", "--text", "--method", "full", "--dry-run", "--json").json
    assert plain["method"] == "full"
    assert plain["trained_parameters"] == plain["parameters"]
    looked = roca("train", data, "--base", "tiny", "--validation", data, "--dry-run", "--json").json
    alone = roca("train", data, "--base", "tiny", "--dry-run", "--json").json
    assert looked["total_s"] > alone["total_s"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--set", "rank=0"), "rank"),
        (("--set", "colour=blue"), "colour"),
        (("--text",), "wanted is running text"),
        (("--base", "fake"), "cannot be trained here"),
    ],
)
def test_a_dry_run_refuses_what_the_job_would(roca, data, base, arguments, said):
    told = roca("train", data, "--base", "tiny", *arguments, "--dry-run")
    assert told.code == 1
    assert said in told.err


def test_a_custom_model_may_be_the_base(roca, data, tmp_path, monkeypatch):
    monkeypatch.setattr(prospect, "measure_rate", lambda *_: RATE)
    arn = "arn:aws:bedrock:us-east-1:123456789012:custom-model/rocamadre.tiny-v1/abcdefghijkl"
    assert roca("train", data, "--base", "mine", "--dry-run").code == 4
    home = tmp_path / "home"
    tiny_llama(home / "models" / "custom-abcdefghijkl")
    facts = Facts(
        name="mine", provider="me", engine="torch", source="custom", context_length=256, customizations=("FINE_TUNING",)
    )
    with local_host(Session(home)) as host, host.sql.begin() as tx:
        target = Target(
            arn, "123456789012", "us-east-1", "custom-model", "abcdefghijkl", "mine", "ready", "",
            base_id="rocamadre.tiny-v1:0", folder="custom-abcdefghijkl", facts=facts,
        )  # fmt: skip
        insert_target(tx, target)
    for name in ("mine", arn):
        told = roca("train", data, "--base", name, "--dry-run", "--json")
        assert told.json["parameters"] > 0, told.err
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "999999999999")
    assert roca("train", data, "--base", "mine", "--dry-run").code == 4


def test_bad_data_is_named_with_its_line(roca, base, home, tmp_path):
    path = tmp_path / "bad.jsonl"
    path.write_text('{"prompt": "a", "completion": "b"}\n{"prompt": "a"}\n')
    told = roca("train", str(path), "--base", "tiny", "--dry-run")
    assert told.code == 1
    assert "line 2" in told.err
    good = tmp_path / "good.jsonl"
    good.write_text('{"prompt": "a", "completion": "b"}\n')
    told = roca("train", str(good), "--base", "tiny", "--forgetting", str(path), "--dry-run")
    assert (told.code, "line 2" in told.err) == (1, True)
    assert roca("train", "nowhere.jsonl", "--base", "tiny", "--dry-run").code == 4
    assert "give a path" in roca("train", "s3://bucket/x.jsonl", "--base", "tiny", "--dry-run").err


@pytest.mark.parametrize(
    "given", [("--set", "rank"), ("--set", "=3"), ("--set", "a=1", "--set", "a=2"), ("--method", "x")]
)
def test_a_wrong_line_is_a_usage_error(roca, data, given):
    assert roca("train", data, *given).code == 2


def test_a_job_is_asked_for(roca, data, clients):
    told = roca("train", data, "--name", "harbour", "--set", "epochs=3", "--validation", data)
    assert told.code == 0, told.err
    assert "harbour is trained" in told.out
    assert "roca run harbour" in told.out
    asked = clients.calls["create_model_customization_job"]
    assert asked["jobName"] == asked["customModelName"] == "harbour"
    assert asked["baseModelIdentifier"] == "roca-mini"
    assert asked["customizationType"] == "FINE_TUNING"
    assert asked["hyperParameters"] == {"method": "lora", "epochs": "3"}
    assert asked["trainingDataConfig"]["s3Uri"].startswith("s3://rocamadre-training/harbour/train/")
    assert asked["validationDataConfig"]["validators"][0]["s3Uri"].endswith("/Harbour Words.jsonl")


def test_what_is_to_be_kept_is_uploaded_and_named(roca, data, clients):
    told = roca("train", data, "--name", "harbour", "--forgetting", data, "--forgetting", "s3://mine/other.jsonl")
    assert told.code == 0, told.err
    uris = clients.calls["create_model_customization_job"]["hyperParameters"]["forgetting_data"].split(",")
    assert uris[0].startswith("s3://rocamadre-training/harbour/forgetting/")
    assert uris[1] == "s3://mine/other.jsonl"


def test_a_name_is_made_from_the_data(roca, data, clients):
    told = roca("train", data, "--detach", "--json").json
    assert told["jobArn"] == ARN
    assert told["name"].startswith("harbour-words-")


def test_a_uri_is_taken_as_it_is(roca, home, clients):
    assert roca("train", "s3://mine/book.jsonl", "--text", "--name", "book").code == 0
    asked = clients.calls["create_model_customization_job"]
    assert asked["trainingDataConfig"] == {"s3Uri": "s3://mine/book.jsonl"}
    assert asked["customizationType"] == "CONTINUED_PRE_TRAINING"
    assert "upload_file" not in clients.calls


def test_a_job_that_fails_says_why(roca, data, clients, monkeypatch):
    failed = {**DONE, "status": "Failed", "reason": "the data is gone"}
    monkeypatch.setattr(train, "get", lambda server, path, **_: failed)
    told = roca("train", data)
    assert told.code == 1
    assert "Failed: the data is gone" in told.err


def test_ctrl_c_leaves_the_job_alone(roca, data, clients, monkeypatch):
    def interrupted(server, path, **_):
        raise KeyboardInterrupt

    monkeypatch.setattr(train, "get", interrupted)
    with pytest.raises(SystemExit) as ended:
        roca("train", data, "--name", "harbour")
    assert ended.value.code == 0
    assert "create_model_customization_job" in clients.calls

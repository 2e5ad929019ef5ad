"""Jobs that measure what their models forget, with stubs that train and publish without torch."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from rocamadre.core.context import Context, Principal
from rocamadre.customization import jobs as customization_jobs
from rocamadre.customization.models import get_custom_model
from rocamadre.customization.operations import get_job

ACCOUNT = "123456789012"
STUBS = Path(__file__).parents[2] / "stubs"
RECORDS = [{"prompt": f"What is {n} and {n}?", "completion": f"It is {2 * n}."} for n in range(12)]


@pytest.fixture
def wish(server, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(STUBS))
    monkeypatch.setattr(customization_jobs, "TRAINER", "stub_trainer")
    monkeypatch.setattr(customization_jobs, "PUBLISHER", "stub_publisher")
    store = server.platform.objects.of(ACCOUNT)
    for name, records in {"train": RECORDS, "kept": RECORDS[:5], "es/kept": [{"text": "Había una vez."}]}.items():
        store.put("models", f"{name}.jsonl", "\n".join(map(json.dumps, records)).encode())
    return {
        "jobName": "harbour",
        "customModelName": "harbour",
        "roleArn": f"arn:aws:iam::{ACCOUNT}:role/training",
        "baseModelIdentifier": "rocamadre.roca-mini-v1:0",
        "trainingDataConfig": {"s3Uri": "s3://models/train.jsonl"},
        "outputDataConfig": {"s3Uri": "s3://models/out/"},
    }


def test_a_job_measures_what_is_forgotten(server, jobs, bedrock, wish):
    given = {"max_steps": "3", "forgetting_data": "s3://models/kept.jsonl, s3://models/es/kept.jsonl"}
    bedrock.create_model_customization_job(**wish, hyperParameters=given)
    jobs.drain()
    told = bedrock.get_model_customization_job(jobIdentifier="harbour")
    assert told["status"] == "Completed", told.get("failureMessage")
    ctx = Context(server.platform, Principal("me", ACCOUNT), ACCOUNT, "us-east-1", "", float("inf"))
    sets = [
        {"name": "kept", "before": 5, "after": 5.5, "change": 0.5},
        {"name": "kept-2", "before": 1, "after": 1.5, "change": 0.5},
    ]
    assert get_job(ctx, "harbour").facts["forgetting"]["sets"] == sets
    model = get_custom_model(ctx, "harbour")
    assert model.facts["forgetting"]["sets"] == sets
    card = server.platform.settings.home / "models" / model.folder / "card.md"
    assert "## Forgetting: loss of other data before and after" in card.read_text()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"forgetting_data": "s3://models/nowhere.jsonl"}, "s3://models/nowhere.jsonl: "),
        ({"task_weights": "intent"}, "'intent' is no weight; write task=number"),
    ],
)
def test_what_is_refused_at_once(bedrock, wish, given, message):
    with pytest.raises(ClientError, match=message):
        bedrock.create_model_customization_job(**wish, hyperParameters=given)

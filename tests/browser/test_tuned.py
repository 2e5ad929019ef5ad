"""A training that is over: its curves, another beside it, the model it made with its certificate; one that goes on."""

from __future__ import annotations

import json
import re

import pytest

pytestmark = pytest.mark.timeout(300)  # A training is waited for.
ROLE = "arn:aws:iam::123456789012:role/tuning"


def test_a_finished_training_shows_its_curves_and_leads_to_the_model(tab, tuned):
    tab.open(f"/jobs/{tuned.job}")
    tab.settled()
    assert tab.page.get_by_text("Completed").first.is_visible()
    assert tab.page.locator("svg path, svg polyline, svg circle").count() > 0
    tab.page.get_by_role("link", name=re.compile("playground", re.IGNORECASE)).first.wait_for()


def test_the_model_it_made_shows_what_was_compared(tab, tuned):
    tab.open(f"/models/{tuned.model}")
    tab.settled()
    certificate = tab.page.get_by_role("region", name=re.compile("certificate", re.IGNORECASE))
    assert "of" in certificate.inner_text()
    assert certificate.locator("tbody tr").count() >= 2
    assert tab.page.locator(".badge.bad").count() == 0


def test_two_trainings_stand_side_by_side(tab, tuned):
    tab.open(f"/training/compare?jobs={tuned.job},{tuned.job}")
    tab.settled()
    table = tab.page.locator("table")
    assert table.locator("thead th").count() == 3
    assert re.search(r"\d\.\d", table.inner_text())


def test_a_training_that_was_stopped_goes_on(tab, console, tuned):
    rows = [{"prompt": f"Say hello {n}", "completion": "Hello there"} for n in range(160)]
    s3 = console.client("s3")
    s3.put_object(Bucket="tuned-data", Key="longer.jsonl", Body="\n".join(map(json.dumps, rows)).encode())
    made = console.client("bedrock").create_model_customization_job(
        jobName="wagtail",
        customModelName="wagtail-model",
        roleArn=ROLE,
        baseModelIdentifier="rocamadre.roca-mini-v1:0",
        trainingDataConfig={"s3Uri": "s3://tuned-data/longer.jsonl"},
        outputDataConfig={"s3Uri": "s3://tuned-data/out/"},
        hyperParameters={"epochCount": "1", "batchSize": "4"},
    )
    tab.open(f"/jobs/{made['jobArn'].rpartition('/')[2]}")
    tab.page.get_by_role("button", name="Stop").click()
    go_on = tab.page.get_by_role("button", name="Go on with it")
    go_on.wait_for(timeout=90_000)
    assert tab.page.get_by_text("Stopped").first.is_visible()
    go_on.click()
    tab.page.get_by_text(re.compile("^(In ?[Pp]rogress|Completed)$")).first.wait_for(timeout=60_000)
    tab.page.get_by_role("button", name="Stop").click()

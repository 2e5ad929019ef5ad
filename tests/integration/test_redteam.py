"""`roca redteam` against a server whose fake model obeys by a script."""

from __future__ import annotations

import json
import subprocess
import sys

import boto3
import pytest
from botocore.config import Config

from rocamadre.cli.process import stop_server
from rocamadre.guardrails.redteam.keeping import BUCKET, report_key

from .conftest import launch

RULES = """
[[rules]]
regex = "access word|clave|senha"
answer = "I'm sorry, I can't tell."
mark = false

[[rules]]
match = "previous instructions"
answer = "Whatever you say."
mark = false

[[rules]]
match = ""
answer = "Tulips last a week."
mark = false
"""


@pytest.fixture(scope="module")
def roca(tmp_path_factory, checkout):
    folder = tmp_path_factory.mktemp("redteam")
    (folder / "rules.toml").write_text(RULES)
    server, environment = launch(folder / "home", checkout, catalog__fake_rules=str(folder / "rules.toml"))

    def call(*arguments):
        command = [sys.executable, "-m", "rocamadre.cli.main", "--home", str(folder / "home"), "redteam", *arguments]
        return subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=110, check=False
        )

    call.folder, call.server = folder, server
    yield call
    stop_server(folder / "home", server)


def test_a_report_and_going_on(roca):
    arguments = ("rocamadre.fake-v1:0", "--limit", "3", "--out", "report")
    done = roca(*arguments)
    assert done.returncode == 0, done.stderr
    assert "jailbreak" in done.stdout
    assert "says little about its safety" in done.stdout
    report = json.loads((roca.folder / "report" / "report.json").read_text())
    assert report["attempts_made"] == report["attempts_due"] == 21
    assert report["families"]["jailbreak"]["plain"]["outcomes"] == {"refused": 3}
    assert (roca.folder / "report" / "report.html").read_text().startswith("<!DOCTYPE html>")
    keys = {"aws_access_key_id": "local", "aws_secret_access_key": "local", "region_name": "us-east-1"}
    s3 = boto3.client("s3", endpoint_url=roca.server.address, config=Config(s3={"addressing_style": "path"}), **keys)
    (kept,) = s3.list_objects_v2(Bucket=BUCKET)["Contents"]
    assert kept["Key"] == report_key(report)
    assert json.loads(s3.get_object(Bucket=BUCKET, Key=kept["Key"])["Body"].read()) == report
    again = roca(*arguments, "--json")
    assert json.loads(again.stdout)["attempts"][0]["seconds"] == report["attempts"][0]["seconds"]
    other = roca(*arguments, "--seed", "1")
    assert other.returncode == 1
    assert "another run" in other.stderr
    assert roca(*arguments, "--seed", "1", "--fresh", "--json").returncode == 0


def test_what_the_service_refuses_is_told_in_its_words(roca):
    wrong = roca("nobody", "--limit", "1", "--out", "none")
    assert wrong.returncode == 4
    assert "nobody" in wrong.stderr
    refused = roca("rocamadre.fake-v1:0", "--guardrail", "abcdef123456:1", "--limit", "1", "--out", "none")
    assert refused.returncode != 0
    assert "uardrail" in refused.stderr
    assert not (roca.folder / "none").exists()

from __future__ import annotations

import json

import pytest


def test_figures_agree_with_the_page(roca, checkout):
    page = json.loads((checkout / "docs" / "coverage.json").read_text())
    shown = roca("coverage", "--json").json
    if page["botocore"] != shown["botocore"]:
        pytest.skip("the page is of another botocore")
    assert shown["services"] == page["services"]


def test_one_service_in_one_state(roca):
    found = roca("coverage", "bedrock-runtime", "--state", "partial")
    assert "partial  bedrock-runtime Converse\n" in found.out
    assert "absent" not in found.out
    every = roca("coverage", "bedrock-runtime", "--json").json["operations"]
    assert {entry["service"] for entry in every} == {"bedrock-runtime"}


def test_an_unknown_service_is_told(roca):
    assert roca("coverage", "s3").code == 2
    assert roca("coverage", "bedrock", "--state", "half").code == 2

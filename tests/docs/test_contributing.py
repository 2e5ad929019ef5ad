"""The policy that CONTRIBUTING.md shows is one."""

from __future__ import annotations

import re
import sys
from datetime import UTC, datetime

import pytest

from rocamadre.guardrails.engine import Content, compile_guardrail
from rocamadre.guardrails.policies.protocol import Source
from rocamadre.guardrails.policies.registry import POLICIES
from rocamadre.guardrails.types import Version


@pytest.fixture
def shown(checkout):
    """The file and the line of the page."""
    page = (checkout / "CONTRIBUTING.md").read_text()
    section = re.search(r"^## A policy.*?(?=^## )", page, re.M | re.S)
    file, line = re.findall(r"^```python\n(.*?)^```", section.group(), re.M | re.S)
    return file, line


def test_the_policy_finds_what_the_page_says(shown, tmp_path, monkeypatch):
    file, line = shown
    ((name, target),) = re.findall(r'^"(\w+)": "rocamadre\.guardrails\.policies\.(\w+:\w+)",$', line, re.M)
    module = target.partition(":")[0]
    assert name == module
    (tmp_path / f"{module}.py").write_text(file)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(POLICIES._parts, name, target)
    now = datetime(2026, 11, 22, tzinfo=UTC)
    policies = {"wordPolicyConfig": {"wordsConfig": [{"text": "Gorgon"}]}}
    arn = "arn:aws:bedrock:us-east-1:123456789012:guardrail/tried"
    guardrail = compile_guardrail(
        Version(arn, "tried", "DRAFT", "tried", "", policies, "No.", "No.", "", "", "d", now, now)
    )
    try:
        found = guardrail.examine([Content("the NOGROG stares")], Source.INPUT)
    finally:
        sys.modules.pop(module, None)
    assert found.outputs == ["No."]
    assert found.assessment["wordPolicy"]["customWords"] == [{"match": "nogrog", "action": "BLOCKED", "detected": True}]
    assert found.usage["wordPolicyUnits"] == 1
    assert not guardrail.examine([Content("nothing of the kind")], Source.INPUT).intervened

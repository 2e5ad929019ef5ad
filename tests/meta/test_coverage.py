"""The pages of coverage are those that the handlers and the tests of this checkout make."""

from __future__ import annotations

import json
from importlib.metadata import version

import pytest

from rocamadre.api import coverage
from rocamadre.api.handlers import HANDLERS, Handler

RENEW = "is stale: run `make coverage`"


def pinned(checkout):
    lines = (checkout / "constraints.txt").read_text().splitlines()
    return next(line.partition("==")[2] for line in lines if line.startswith("botocore=="))


def test_the_pages_are_current(checkout):
    if version("botocore") != pinned(checkout):
        pytest.skip("the pages are of the pinned botocore")
    for path, content in coverage.pages(checkout).items():
        assert path.exists(), f"{path.name} {RENEW}"
        assert path.read_text(encoding="utf-8") == content, f"{path.relative_to(checkout)} {RENEW}"


def test_the_readmes_say_the_same_figures(checkout):
    services = json.loads((checkout / "docs" / "coverage.json").read_text())["services"]
    for name in ("README.md", "README.es.md", "README.pt.md"):
        text = (checkout / name).read_text()
        block = text.partition("<!-- coverage -->")[2].partition("<!-- /coverage -->")[0]
        for service, row in services.items():
            figures = " | ".join(str(row[state]) for state in coverage.STATES)
            assert f"| {service} | {figures} |" in block, f"{name} {RENEW}"


def test_full_needs_nothing_missing_and_a_test_of_behaviour(checkout):
    tests = coverage.covering_tests(checkout)
    for entry in coverage.entries(tests):
        handler = HANDLERS.get((entry.service, entry.operation))
        name = f"{entry.service}:{entry.operation}"
        if entry.state == "absent":
            assert handler is None
        elif entry.state == "full":
            assert handler is not None
            assert handler.missing == ()
            assert tests[name]
        else:
            assert entry.missing


def test_states_follow_handlers_and_tests(monkeypatch):
    async def nothing(context, request):
        return {}

    for missing in ((), ("x: not yet",)):
        monkeypatch.setitem(
            HANDLERS, ("bedrock-agent", "GetAgent"), Handler("bedrock-agent", "GetAgent", nothing, missing)
        )
        for tests in ({}, {"bedrock-agent:GetAgent": ["tests/integration/test_x.py::test_y"]}):
            entry = next(each for each in coverage.entries(tests) if each.operation == "GetAgent")
            assert entry.state == ("full" if tests and not missing else "partial")
            assert set(missing) <= set(entry.missing)
            assert bool(entry.missing) == (entry.state == "partial")


def test_marks_are_found_in_the_source(tmp_path):
    folder = tmp_path / "tests" / "substance" / "deep"
    folder.mkdir(parents=True)
    (folder / "test_a.py").write_text(
        "import pytest\n"
        "class TestIt:\n"
        "    @pytest.mark.covers('bedrock:GetGuardrail', 'bedrock-runtime:Converse')\n"
        "    async def test_one(self): ...\n"
        "@pytest.mark.covers('bedrock-runtime:Converse')\n"
        "def test_two(): ...\n"
        "def test_three(): ...\n"
    )
    found = coverage.covering_tests(tmp_path)
    one, two = "tests/substance/deep/test_a.py::test_one", "tests/substance/deep/test_a.py::test_two"
    assert {name: sorted(tests) for name, tests in found.items()} == {
        "bedrock:GetGuardrail": [one],
        "bedrock-runtime:Converse": [one, two],
    }
    (folder / "test_b.py").write_text("import pytest\n@pytest.mark.covers('bedrock:Nothing')\ndef test_x(): ...\n")
    with pytest.raises(ValueError, match="bedrock:Nothing"):
        coverage.covering_tests(tmp_path)


def test_the_page_and_the_json_agree():
    found = coverage.entries()
    page, content = coverage.coverage_page(found), coverage.coverage_json(found)
    assert sum(sum(row.values()) for row in content["services"].values()) == len(content["operations"]) == len(found)
    for entry in found:
        assert entry.operation in page

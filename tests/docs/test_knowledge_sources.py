"""The page about sources: its program runs, its loaders open, its function does what the page says."""

from __future__ import annotations

import json
import re
import shutil
import tomllib

import boto3
import pytest

from rocamadre.core.clock import SystemClock
from rocamadre.core.settings import KnowledgeSettings
from rocamadre.knowledge.sources.place import Place
from rocamadre.knowledge.sources.registry import LOADERS, open_source
from rocamadre.knowledge.sources.sidecar import read_sidecar
from rocamadre.testing.knowledge import EMBEDDER, KnowledgeBench


@pytest.fixture(scope="module")
def page(checkout):
    return (checkout / "docs" / "knowledge-sources.md").read_text("utf-8")


def blocks(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```", page, re.MULTILINE | re.DOTALL)


def test_the_program_runs(page, checkout, tmp_path, monkeypatch, capsys):
    program, _ = blocks(page, "python")
    shutil.copytree(checkout / "examples" / "documents", tmp_path / "examples" / "documents")
    monkeypatch.chdir(tmp_path)
    bench = KnowledgeBench(tmp_path / "home")
    client = boto3.client
    monkeypatch.setattr(boto3, "client", lambda *given, **more: bench.server.attach(client(*given, **more)))
    try:
        # The server in this process has no other embedder than this one.
        exec(compile(program.replace("amazon.titan-embed-text-v2:0", EMBEDDER), "page", "exec"), {})
        assert capsys.readouterr().out == "STARTING\n"
        bench.jobs.drain()
        (base,) = [
            each["knowledgeBaseId"]
            for each in bench.agent.list_knowledge_bases()["knowledgeBaseSummaries"]
            if each["name"] == "from-a-folder"
        ]
        bench.base = base
        assert bench.texts()
        assert all(name.endswith((".md", ".html")) for name in bench.texts())
    finally:
        bench.close()


def test_the_loaders_open(page, tmp_path):
    place = Place("123456789012", None, tmp_path, KnowledgeSettings(), SystemClock(), any_path=True)
    _, _, examples = blocks(page, "json")
    for line in examples.splitlines():
        open_source(place, {"type": "CUSTOM"}, json.loads(line)).close()
    named = re.findall(r"^\| `([A-Z]+)` \|", page, re.MULTILINE)
    assert tuple(named) == LOADERS


def test_the_attributes_are_read(page):
    plain, rows, _ = blocks(page, "json")
    found = read_sidecar(plain.encode(), "x")
    assert found.values == {"year": 2024, "team": "tides", "tags": ["sea", "north"]}
    assert (found.columns, read_sidecar(rows.encode(), "x").values) == (None, {"team": "tides"})
    assert read_sidecar(rows.encode(), "x").columns is not None


def test_the_function_and_its_setting(page):
    _, function = blocks(page, "python")
    names: dict = {}
    exec(compile(function, "page", "exec"), names)
    kept, gone = {"contentBody": "The tide is high."}, {"contentBody": "All rights reserved."}
    assert names["without_boilerplate"]([kept, gone], {}) == [kept]
    (setting,) = blocks(page, "toml")
    assert KnowledgeSettings(**tomllib.loads(setting)["knowledge"]).transformations == {
        "cutter": "our_functions:without_boilerplate"
    }

"""The programs of docs/documents.md, routers.md and sampling.md run as they are copied."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from rocamadre.cli.environment import program_environment

DOCS = Path(__file__).resolve().parents[2] / "docs"
PROGRAMS = [
    (page, program)
    for page in ("documents", "routers", "sampling")
    for program in re.findall(r"^```python\n(.*?)^```", (DOCS / f"{page}.md").read_text(), re.M | re.S)
]


@pytest.fixture
def execute(server, checkout, needs, tmp_path):
    needs(list((checkout / "models" / "roca-mini").glob("*.gguf")), "the model roca-mini is not there")
    added = program_environment(
        server.address, region="us-east-1", home=tmp_path, is_open=True, environment={"HOME": str(tmp_path)}
    )
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "COLUMNS": "100", **added}

    def call(*command, **more):
        return subprocess.run(
            [sys.executable, *command], env=environment | more, capture_output=True, text=True, timeout=100, check=False
        )

    return call


@pytest.mark.parametrize(("page", "program"), PROGRAMS, ids=[f"{page}-{n}" for n, (page, _) in enumerate(PROGRAMS)])
def test_each_program(execute, tmp_path, page, program):
    file = tmp_path / "app.py"
    file.write_text(program)
    shown = execute(str(file))
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.strip()
    if page == "routers":
        easy, hard = shown.stdout.splitlines()
        assert "foundation-model/amazon.nova-lite-v1:0 | predicted difference 0" in easy
        assert "foundation-model/amazon.nova-pro-v1:0 | predicted difference" in hard


def test_the_explanation_in_the_page_is_a_real_one(execute, server):
    """The same command still draws the same tokens; probabilities may differ in the last digit between machines."""
    page = (DOCS / "sampling.md").read_text()
    (block,) = re.findall(r"^```text\n\$ roca (.*?)\n(.*?)^```", page, re.M | re.S)
    arguments = [part.strip('"') for part in re.findall(r'"[^"]*"|\S+', block[0])]
    shown = execute("-m", "rocamadre.cli.main", *arguments, ROCA_HOME=str(server.home))
    assert shown.returncode == 0, shown.stderr
    for pattern in (r"Step \d: '.*?' was drawn", r"^│ +\d+ │ '.*?' ", r"^Answer .*$"):
        assert re.findall(pattern, shown.stdout, re.M) == re.findall(pattern, block[1], re.M)

"""The programs of the pages about guardrails run as they are copied, and print what the pages say."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from rocamadre.cli.environment import program_environment

PAGES = [Path(__file__).resolve().parents[2] / "docs" / name for name in ("guardrails.md", "guardrails-grounding.md")]
PAGE = "\n".join(page.read_text() for page in PAGES)
PROGRAMS = re.findall(r"^```python\n(.*?)^```(?:\n\n```text\n(.*?)^```)?", PAGE, re.M | re.S)


@pytest.mark.parametrize(("program", "shown"), PROGRAMS, ids=range(len(PROGRAMS)))
def test_each_program(server, checkout, needs, tmp_path, program, shown):
    if "converse" in program or "invoke_model" in program:
        needs(list((checkout / "models" / "roca-mini").glob("*.gguf")), "the model roca-mini is not there")
    added = program_environment(
        server.address, region="us-east-1", home=tmp_path, is_open=True, environment={"HOME": str(tmp_path)}
    )
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), **added}
    ended = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=100, check=False
    )
    assert ended.returncode == 0, ended.stderr
    if shown:
        assert ended.stdout == shown
    assert ended.stdout

"""The programs of docs/batch.md run as they are copied, on the fake engine."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from rocamadre.cli.environment import program_environment

PAGE = Path(__file__).resolve().parents[2] / "docs" / "batch.md"
PROGRAMS = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.M | re.S)


@pytest.mark.parametrize("program", PROGRAMS, ids=["bedrock", "openai", "anthropic"])
def test_each_program_of_the_page(fake_server, tmp_path, program):
    added = program_environment(
        fake_server.address, region="us-east-1", home=tmp_path, is_open=True, environment={"HOME": str(tmp_path)}
    )
    file = tmp_path / "app.py"
    file.write_text(program)
    shown = subprocess.run(
        [sys.executable, str(file)],
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), **added},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert shown.returncode == 0, shown.stderr
    assert "ompleted" in shown.stdout.splitlines()[0]
    assert "Say 2" in shown.stdout

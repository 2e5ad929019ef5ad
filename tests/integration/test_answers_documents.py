"""The program of docs/answers.md runs as it is copied, on the fake engine; its settings are settings."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

from rocamadre.cli.environment import program_environment
from rocamadre.core.settings import load_settings

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "answers.md").read_text()


def test_the_program_of_the_page(fake_server, tmp_path):
    (program,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.M | re.S)
    added = program_environment(
        fake_server.address, region="us-east-1", home=tmp_path, is_open=True, environment={"HOME": str(tmp_path)}
    )
    shown = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), **added},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert shown.returncode == 0, shown.stderr
    answer, source = shown.stdout.splitlines()
    assert "24 months" in answer
    assert source == "['manual.txt']"


def test_the_settings_of_the_page(tmp_path):
    (settings,) = re.findall(r"^```toml\n(.*?)^```", PAGE, re.M | re.S)
    assert load_settings(home=tmp_path, **tomllib.loads(settings)).sql.connections == {"shop": "sqlite:///shop.sqlite"}

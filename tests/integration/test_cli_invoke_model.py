"""The programs on the page about InvokeModel run as they are copied, on the fake text model and the real embedder."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from rocamadre.cli.environment import program_environment

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "invoke-model.md").read_text()
PROGRAMS = dict(re.findall(r"^## ([^\n]+)\n(?:(?!^## ).)*?^```python\n(.*?)^```", PAGE, re.M | re.S))
SHOWN = {
    "Text, with a tool": r"^tool_use weather \{'city': .*\}\n\[\{'text': '\[fake\] ",
    "Text that follows a schema": r"^\{'city': ",
    "Text as a stream": r"^\[fake\] .*Emperor.*COMPLETE$",
    "Embeddings": r"^384$",
    "Rerank": r"^\[\{'index': 1, 'relevance_score': 0\.\d+\}, \{'index': 0.*\}\]\n1 0\.\d+$",
}


def test_there_is_one_of_each_kind():
    assert set(PROGRAMS) == set(SHOWN)


@pytest.mark.parametrize("name", SHOWN)
def test_each_program(checkout, fake_server, needs, tmp_path, name):
    needs((checkout / ".roca" / "models" / "all-minilm-l6-v2").is_dir(), "MiniLM is not prepared")
    file = tmp_path / "app.py"
    file.write_text(PROGRAMS[name])
    added = program_environment(
        fake_server.address, region="us-east-1", home=tmp_path, is_open=True, environment={"HOME": str(tmp_path)}
    )
    shown = subprocess.run(
        [sys.executable, str(file)],
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), **added},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert shown.returncode == 0, shown.stderr
    assert re.search(SHOWN[name], shown.stdout.strip(), re.S), shown.stdout

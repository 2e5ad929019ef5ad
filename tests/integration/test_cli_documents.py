"""The programs in the documents run as they are copied; only the port is another."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from rocamadre.cli.environment import program_environment


def programs(text: str) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", text, re.M | re.S)


def environment(server, home) -> dict[str, str]:
    added = program_environment(
        server.address, region="us-east-1", home=home, is_open=True, environment={"HOME": str(home)}
    )
    return {"PATH": os.environ["PATH"], "HOME": str(home), **added}


@pytest.mark.parametrize("name", ["README.md", "README.es.md", "README.pt.md"])
def test_the_first_program(checkout, server, needs, tmp_path, name):
    needs(list((checkout / "models" / "roca-mini").glob("*.gguf")), "the model roca-mini is not there")
    (program,) = programs((checkout / name).read_text())
    file = tmp_path / "app.py"
    file.write_text(program.replace("http://127.0.0.1:4599", server.address))
    shown = subprocess.run(
        [sys.executable, "-W", "error", str(file)], env={"PATH": os.environ["PATH"]},
        capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert shown.returncode == 0, shown.stderr
    assert len(shown.stdout.strip()) > 0
    assert len(program.strip().splitlines()) <= 12


def client_programs() -> list[str]:
    from pathlib import Path

    docs = Path(__file__).resolve().parents[2] / "docs"
    return [
        program
        for page in ("clients.md", "anthropic.md", "tools.md")
        for program in programs((docs / page).read_text())
    ]


@pytest.mark.parametrize("program", client_programs(), ids=lambda text: text.split()[1].rstrip(","))
def test_each_program_of_the_clients_pages(checkout, server, needs, request, tmp_path, program):
    needs(list((checkout / "models" / "roca-mini").glob("*.gguf")), "the model roca-mini is not there")
    needs((checkout / ".roca" / "models" / "all-minilm-l6-v2").is_dir(), "MiniLM is not prepared")
    python = request.getfixturevalue("clients_python") if "aioboto3" in program else sys.executable
    added = environment(server, tmp_path)
    if re.search("^(?:import|from) (?:litellm|strands|llama_index)", program, re.M):
        needs((checkout / ".venv-frameworks").is_dir(), ".venv-frameworks is not installed")
        added["PYTHONPATH"] = str(checkout / ".venv-frameworks")
    file = tmp_path / "app.py"
    file.write_text(program.replace("http://127.0.0.1:4599", server.address))
    shown = subprocess.run(
        [str(python), str(file)],
        env=added,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert shown.returncode == 0, shown.stderr
    assert len(shown.stdout.strip()) > 0

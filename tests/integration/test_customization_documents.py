"""The programs of docs/customization.md run as they are copied, with the real trainer, on the embedded model."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from rocamadre.cli.environment import program_environment
from rocamadre.cli.process import start_server, stop_server

PAGE = Path(__file__).resolve().parents[2] / "docs" / "customization.md"
PROGRAMS = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.M | re.S)[:2]
LONGEST_S = 500


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A server whose trainers keep to one thread: two that spin for two cores stand in each other's way."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("ROCA_", "AWS_"))}
        added = {
            "SERVER__PORT": "0",
            "SERVER__STRICT": "true",
            "CONSOLE__ENABLED": "false",
            "CONFIG": str(home / "none"),
        }
        found = start_server(home, environment | {f"ROCA_{name}": value for name, value in added.items()})
    yield found
    stop_server(home, found)


def run(server, folder, program):
    added = program_environment(
        server.address, region="us-east-1", home=folder, is_open=True, environment={"HOME": str(folder)}
    )
    file = folder / "app.py"
    file.write_text(program)
    shown = subprocess.run(
        [sys.executable, str(file)],
        env={"PATH": os.environ["PATH"], "HOME": str(folder), **added},
        capture_output=True,
        text=True,
        timeout=LONGEST_S,
        check=False,
    )
    assert shown.returncode == 0, shown.stderr
    return shown.stdout.splitlines()


@pytest.mark.timeout(LONGEST_S + 20)
def test_boto3_trains_deploys_and_asks(server, tmp_path):
    status, tuned, base = run(server, tmp_path, PROGRAMS[0])
    assert status.startswith("Completed")
    assert tuned.endswith("The code word is marmalade.")
    assert "custom-model-deployment/" in tuned
    assert "marmalade" not in base


@pytest.mark.timeout(LONGEST_S + 20)
def test_the_openai_client_trains_and_asks(server, tmp_path):
    lines = run(server, tmp_path, PROGRAMS[1])
    assert re.fullmatch(r"succeeded ft:roca-mini:rocamadre:harbour:[a-z0-9]{12}", lines[0])
    assert lines[-1] == "The code word is marmalade."
    assert "The job has successfully completed" in lines

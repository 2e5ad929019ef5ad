"""The page about attacks: its scan runs as it is copied, and its tables name everything there is."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from rocamadre.datasets.scan.types import CHECKS
from rocamadre.guardrails.redteam.building import FAMILIES, make_probes
from rocamadre.guardrails.redteam.types import OWASP, Plan


@pytest.fixture
def page(checkout):
    return (checkout / "docs" / "red-team.md").read_text("utf-8")


def blocks(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```", page, re.M | re.S)


def test_the_scan_tells_what_the_page_shows(page, tmp_path):
    (script,) = [each for each in blocks(page, "sh") if "data scan" in each]
    (shown,) = blocks(page, "text")
    environment = {
        "PATH": f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "ROCA_HOME": str(tmp_path / "home"),
    }
    command = ["bash", "-euo", "pipefail", "-c", script]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=110, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == shown


def test_the_tables_name_everything(page):
    named = set(re.findall(r"^\| `(\w+)` \|", page, re.M))
    assert named == {*FAMILIES.names(), *CHECKS}
    probes = make_probes(Plan("m"))
    assert f"{len(probes)} in all" in page
    probed = {entry for probe in probes for entry in probe.owasp}
    absent = re.search(r"((?:LLM\d\d(?:, | and )?)+) are not probed", page)
    assert set(re.findall(r"LLM\d\d", absent.group(1))) == set(OWASP) - probed

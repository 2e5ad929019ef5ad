"""The page about data sets: its commands run as they are copied, and its tables name everything there is."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from rocamadre.datasets.filters.registry import FILTERS
from rocamadre.datasets.formats.registry import FORMATS


@pytest.fixture
def page(checkout):
    return (checkout / "docs" / "datasets.md").read_text()


def blocks(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```", page, re.M | re.S)


def run(command, folder):
    environment = {
        "PATH": f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}",
        "HOME": str(folder),
        "ROCA_HOME": str(folder / "home"),
    }
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=110, check=False
    )


def test_the_commands_run_in_their_order(page, tmp_path, checkout, needs):
    needs(list((checkout / "models" / "roca-mini").glob("*.gguf")), "the model roca-mini is not there")
    scripts = [each for each in blocks(page, "sh") if "--model" not in each]
    done = run(["bash", "-euo", "pipefail", "-c", "\n".join(scripts)], tmp_path)
    assert done.returncode == 0, done.stderr
    shown, broken = blocks(page, "text")
    assert shown.strip() in done.stdout
    assert broken in done.stderr
    for name in ("parts/train.jsonl", "parts/test.jsonl", "cards.svg", "clean.jsonl", "pins.jsonl", "rows.jsonl"):
        assert (tmp_path / name).stat().st_size > 0, name
    assert "nothing was kept" in done.stdout
    assert "6 records: mix@" in done.stdout


def test_the_program_runs(page, tmp_path):
    (program,) = blocks(page, "python")
    done = run([sys.executable, "-W", "error", "-c", program], tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "2 records, all good\nHello\nSee you\n"


def rows(page, heading):
    section = page.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    cells = re.findall(r"^\| `([^`]+)` \| (.*) \|$", section, re.M)
    return dict(cells)


def test_every_format_has_its_row(page):
    told = rows(page, "Formats")
    assert sorted(told) == FORMATS.names()
    for name, row in told.items():
        assert all(f"`{member}`" in row for member in FORMATS.load(name).required), name


def test_every_filter_has_its_row_with_its_settings(page):
    told = rows(page, "Filters")
    assert sorted(told) == FILTERS.names()
    for name, row in told.items():
        assert all(f"`{setting}`" in row for setting in FILTERS.load(name).model_fields), name

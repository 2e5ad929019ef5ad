"""docs/vector-stores.md: what it shows is what there is."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib

import pytest

from rocamadre.core.settings import load_settings
from rocamadre.store.vectors.pgvector import INDEXED_FROM
from rocamadre.store.vectors.registry import VECTOR_STORES
from rocamadre.store.vectors.sqlite import COMPARED


@pytest.fixture
def page(checkout):
    return (checkout / "docs" / "vector-stores.md").read_text()


def block(page, language):
    return re.search(rf"^```{language}\n(.*?)^```", page, re.M | re.S)[1]


def test_the_settings_are_taken(page, tmp_path):
    settings = load_settings(home=tmp_path, **tomllib.loads(block(page, "toml")))
    assert settings.knowledge.vector_store in VECTOR_STORES.names()


def test_the_figures_are_those_of_the_code(page):
    assert f"{COMPARED:,} chunks" in page
    assert f"{INDEXED_FROM:,} chunks" in page


def test_the_suite_runs_as_shown(page, tmp_path):
    (tmp_path / "test_mine.py").write_text(block(page, "python"))
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-k",
        "nearest_come_first",
        "test_mine.py",
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "1 passed" in done.stdout, done.stdout

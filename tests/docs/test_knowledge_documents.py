"""The page about parsers and chunkers: its program prints what it says, and its tables name what there is."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import get_args

from rocamadre.knowledge.chunkers.registry import CHUNKERS
from rocamadre.knowledge.parsers.isolated import KNOWLEDGE_LIMITS
from rocamadre.knowledge.parsers.parsed import Reason


def test_the_program_prints_what_the_page_says(checkout, tmp_path):
    page = (checkout / "docs" / "knowledge-documents.md").read_text()
    [(program, shown)] = re.findall(r"^```python\n(.*?)^```\n\n```\n(.*?)^```", page, re.M | re.S)
    command = [sys.executable, "-W", "error", "-c", program]
    done = subprocess.run(command, cwd=tmp_path, env=dict(os.environ), capture_output=True, text=True, check=False)
    assert done.stdout == shown, done.stderr


def test_the_tables_name_everything(checkout):
    page = (checkout / "docs" / "knowledge-documents.md").read_text()
    assert {*CHUNKERS.names()} - {"DEFAULT"} <= set(re.findall(r"^\| `([A-Z_]+)`", page, re.M))
    assert set(get_args(Reason)) <= set(re.findall(r"`([a-z-]+)`", page))
    assert f"{KNOWLEDGE_LIMITS.wall_s:g} seconds and {KNOWLEDGE_LIMITS.memory_bytes >> 20} MB" in page

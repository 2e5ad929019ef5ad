from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from rocamadre.cli.main import run


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def home(tmp_path, monkeypatch):
    """The state folder that `roca` finds by itself, in an otherwise empty working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ROCA_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def roca(home, capfd) -> Callable[..., Result]:
    """`roca("keys", "list")`: run the command in this process."""

    def call(*arguments: str) -> Result:
        capfd.readouterr()
        code = run(arguments)
        captured = capfd.readouterr()
        return Result(int(code), captured.out, captured.err)

    return call

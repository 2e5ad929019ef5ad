from __future__ import annotations

from pathlib import Path

import pytest

from rocamadre.core.errors import InvalidRequest
from rocamadre.core.settings import load_settings


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_argument_beats_environment_beats_file_beats_default(monkeypatch):
    assert load_settings().server.port == 4599
    Path("rocamadre.toml").write_text('[server]\nport = 5001\nregion = "eu-west-1"\n')
    assert load_settings().server.port == 5001
    monkeypatch.setenv("ROCA_SERVER__PORT", "5002")
    settings = load_settings()
    assert (settings.server.port, settings.server.region) == (5002, "eu-west-1")
    assert load_settings(server={"port": 5003}).server.port == 5003


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("[server]\nprot = 1\n", "server.prot"),
        ("[server]\nport = 70000\n", "server.port"),
        ("[nothing]\na = 1\n", "nothing"),
        ('[server]\nauth = "maybe"\n', "server.auth"),
    ],
)
def test_wrong_settings_are_refused_with_their_path(text, path):
    Path("rocamadre.toml").write_text(text)
    with pytest.raises(InvalidRequest, match=path):
        load_settings()


def test_settings_are_frozen_and_home_is_absolute(monkeypatch):
    monkeypatch.setenv("ROCA_HOME", "state")
    settings = load_settings()
    assert settings.home == Path.cwd() / "state"
    with pytest.raises(ValueError, match="frozen"):
        settings.server.port = 1


def test_another_file_by_variable(monkeypatch, tmp_path):
    (tmp_path / "other.toml").write_text("[server]\nport = 5009\n")
    monkeypatch.setenv("ROCA_CONFIG", str(tmp_path / "other.toml"))
    assert load_settings().server.port == 5009

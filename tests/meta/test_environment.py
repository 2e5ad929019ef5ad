"""`.ci/environment.py`: nothing is done twice, and what was cut off is made again."""

from __future__ import annotations

import importlib.util
import sys

import pytest


@pytest.fixture
def environment(checkout, tmp_path, monkeypatch):
    """The module, on an empty checkout with two roles, and pip replaced by a list of what it was asked for."""
    path = checkout / ".ci" / "environment.py"
    spec = importlib.util.spec_from_file_location("rocamadre_environment", path)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    roles = {
        "run": module.Role(".venv", ("-e", "."), "constraints.txt"),
        "test": module.Role(".venv", ("-e", ".[test]"), "constraints.txt", contains=("run",)),
    }
    monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(module, "ROLES", roles)
    (tmp_path / "constraints.txt").write_text("a==1\n")
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    module.asked = []
    module.answer = 0

    def pip(role, *arguments, loud=True):
        module.asked.append(arguments)
        return module.answer

    def create_venv(role):
        version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
        (tmp_path / role.folder / "lib" / version).mkdir(parents=True)
        (tmp_path / role.folder / "bin").mkdir()
        (tmp_path / role.folder / "bin" / "python").touch()
        return 0

    monkeypatch.setattr(module, "pip", pip)
    monkeypatch.setattr(module, "create_venv", create_venv)
    return module


def test_the_second_run_does_nothing(environment):
    assert environment.main(["run"]) == 0
    assert environment.main(["run"]) == 0
    assert environment.asked == [("-e", ".")]


def test_a_larger_set_of_packages_includes_the_smaller(environment):
    environment.main(["test"])
    environment.main(["run", "test"])
    assert environment.asked == [("-e", ".[test]")]


def test_other_versions_are_installed_into_what_is_there(environment, tmp_path):
    environment.main(["run"])
    kept = tmp_path / ".venv" / "kept"
    kept.touch()
    (tmp_path / "constraints.txt").write_text("a==2\n")
    environment.main(["run"])
    assert len(environment.asked) == 2
    assert kept.exists()


def test_an_install_that_was_cut_off_is_made_again_from_nothing(environment, tmp_path):
    environment.answer = 1
    assert environment.main(["run"]) == 1
    (tmp_path / ".venv" / "half").touch()
    environment.answer = 0
    assert environment.main(["run"]) == 0
    assert not (tmp_path / ".venv" / "half").exists()
    assert len(environment.asked) == 2


def test_a_cut_off_extension_spoils_what_was_ready(environment, tmp_path):
    environment.main(["run"])
    environment.answer = 1
    environment.main(["test"])
    environment.answer = 0
    environment.main(["run"])
    assert environment.asked == [("-e", "."), ("-e", ".[test]"), ("-e", ".")]


def test_a_checkout_that_moved_is_installed_anew(environment, tmp_path, monkeypatch):
    environment.main(["run"])
    (tmp_path / ".venv" / "old").touch()
    moved = tmp_path.with_name("moved")
    tmp_path.rename(moved)
    monkeypatch.setattr(environment, "ROOT", moved)
    monkeypatch.setattr(environment, "create_venv", lambda role: (moved / role.folder / "bin").mkdir(parents=True) or 0)
    environment.main(["run"])
    assert not (moved / ".venv" / "old").exists()


def test_a_wrong_role_or_python_is_told(environment, monkeypatch, capfd):
    assert environment.main(["nothing"]) == 1
    assert "run, test" in capfd.readouterr().err
    monkeypatch.setattr(environment.sys, "version_info", (3, 10, 1))
    assert environment.main(["run"]) == 1
    assert "3.11 to 3.13" in capfd.readouterr().err

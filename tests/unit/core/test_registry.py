from __future__ import annotations

import sys

import pytest

from rocamadre.core.errors import MissingDependency, Unknown
from rocamadre.core.registry import Registry


def test_names_import_nothing_and_load_imports_one():
    sys.modules.pop("colorsys", None)
    parts = Registry("thing", {"b": "colorsys:hsv_to_rgb", "a": "no.such.module:x"})
    assert parts.names() == ["a", "b"]
    assert "colorsys" not in sys.modules
    assert parts.load("b")(0, 0, 1) == (1, 1, 1)


def test_unknown_lists_what_exists():
    with pytest.raises(Unknown, match="no thing is called 'c'; there are: a, b"):
        Registry("thing", {"b": "x:y", "a": "x:y"}).load("c")


def test_a_missing_package_says_what_to_install():
    parts = Registry("engine", {"t": "nosuchpackage.x:y", "u": "nosuchpackage:y"}, extra={"t": "train"})
    with pytest.raises(MissingDependency, match=r"engine 't' needs 'nosuchpackage': pip install 'rocamadre\[train\]'"):
        parts.load("t")
    with pytest.raises(MissingDependency, match="pip install nosuchpackage"):
        parts.load("u")


def test_a_bug_of_ours_is_not_called_a_missing_package():
    with pytest.raises(ModuleNotFoundError):
        Registry("engine", {"t": "rocamadre.no_such_module:y"}).load("t")

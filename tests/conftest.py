"""Names and folders that tests of every kind share."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def checkout() -> Path:
    """The root of the repository."""
    return Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True, scope="session")
def _no_settings_of_the_developer():
    """Take away what a developer's shell has set, so that every machine tests the same."""
    kept = {"ROCA_TEST_ALL"}
    taken = [name for name in os.environ if name.startswith(("ROCA_", "AWS_", "OPENAI_", "ANTHROPIC_"))]
    before = {name: os.environ.pop(name) for name in taken if name not in kept}
    yield
    os.environ.update(before)


@pytest.fixture(scope="session")
def needs() -> Callable[[object, str], None]:
    """`needs(condition, reason)` skips a test whose needs are not met; under `make test`, which meets all, it fails."""

    def check(condition: object, reason: str) -> None:
        if condition:
            return
        if os.environ.get("ROCA_TEST_ALL"):
            pytest.fail(f"make test should have prepared this: {reason}")
        pytest.skip(reason)

    return check

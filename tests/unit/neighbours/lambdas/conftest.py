from __future__ import annotations

import io
import zipfile
from uuid import uuid4

import pytest

from rocamadre.neighbours.lambdas.errors import CannotRun
from rocamadre.neighbours.lambdas.invoking import invoke_function
from rocamadre.neighbours.lambdas.operations import create_function
from rocamadre.neighbours.lambdas.types import Config

ROLE = "arn:aws:iam::123456789012:role/r"


def zipped(**files):
    """A zip of files, by name without `.py`."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        for name, text in files.items():
            archive.writestr(f"{name}.py", text)
    return written.getvalue()


@pytest.fixture
def make(ctx):
    """`make(source, timeout_s=1)`: a new function's name; its handler is `app.handler`."""

    def create(source, **config):
        config = Config(runtime="python3.12", handler="app.handler", role=ROLE, **config)
        return create_function(ctx, f"f-{uuid4().hex[:8]}", config, zipped(app=source)).name

    return create


@pytest.fixture
def call(ctx):
    """`call(name, event)`: an `Invocation`; skips where the kernel has no walls."""

    def invoke(name, event=None):
        try:
            return invoke_function(ctx, name, event)
        except CannotRun as error:
            pytest.skip(error.message)

    return invoke

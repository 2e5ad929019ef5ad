from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, cast

import pytest

from rocamadre.core.clock import FixedClock
from rocamadre.core.context import Context, Platform, Principal
from rocamadre.core.settings import load_settings
from rocamadre.neighbours.iam import tables as _iam  # noqa: F401  (registers the tables)
from rocamadre.neighbours.lambdas import tables as _lambdas  # noqa: F401
from rocamadre.neighbours.logs import tables as _logs  # noqa: F401
from rocamadre.observability.metrics import Metrics
from rocamadre.store.sql.database import open_database

ACCOUNT = "123456789012"
REGION = "us-east-1"
START = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)


@pytest.fixture
def clock():
    return FixedClock(START)


@pytest.fixture
def make_context(tmp_path, clock):
    """`make_context(account=..., region=..., **settings)`: contexts of one platform, which never loads a model."""
    opened: list[Any] = []

    def make(account=ACCOUNT, region=REGION, **settings):
        home = tmp_path / "home"
        if not opened:
            opened.append(open_database(home))
        platform = Platform(
            settings=load_settings(home=home, **settings),
            sql=opened[0],
            engines=cast(Any, None),
            metrics=Metrics(),
            clock=clock,
        )
        return Context(platform, Principal("AKIATESTING", account), account, region, "request-1", 60.0)

    yield make
    for engine in opened:
        engine.dispose()


@pytest.fixture
def ctx(make_context):
    return make_context()

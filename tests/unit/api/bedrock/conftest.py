from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import botocore.loaders
import botocore.model
import pytest
from botocore.validate import ParamValidator

from rocamadre.catalog import tables as _tables  # noqa: F401  (registers the catalog's tables)
from rocamadre.core.clock import FixedClock
from rocamadre.core.context import Context, Platform, Principal
from rocamadre.core.settings import load_settings
from rocamadre.identity import tables as _keys  # noqa: F401
from rocamadre.observability.metrics import Metrics
from rocamadre.store.objects.files import FileObjects
from rocamadre.store.sql import tags as _tags  # noqa: F401
from rocamadre.store.sql.database import open_database

_PATTERN_FREE = {"BrandedName"}


@pytest.fixture
def make_context(tmp_path, monkeypatch):
    monkeypatch.setenv("ROCA_CONFIG", str(tmp_path / "absent.toml"))
    catalog = {"embedded_models": tmp_path / "none", "default_model": "fake", "default_embedder": "fake-embed"}
    settings = load_settings(home=tmp_path / "home", catalog=catalog)
    sql = open_database(settings.home)
    clock = FixedClock(datetime(2026, 11, 20, 12, tzinfo=UTC))
    objects = FileObjects(settings.home)
    platform = Platform(settings, sql, None, Metrics(), clock, objects=objects)

    def make(account: str = "123456789012", region: str = "us-east-1") -> Context:
        return Context(platform, Principal("tester", account), account, region, "request-1", 60.0)

    yield make
    objects.close()
    sql.dispose()


@pytest.fixture
def ctx(make_context):
    return make_context()


def _walk(shape: Any, value: Any, path: str) -> None:
    """Check the traits that botocore's own validator passes over: pattern, enum and maximum length."""
    if shape.type_name == "structure":
        for name, member in value.items():
            _walk(shape.members[name], member, f"{path}.{name}")
    elif shape.type_name == "list":
        for item in value:
            _walk(shape.member, item, f"{path}[]")
    elif shape.type_name == "string":
        if shape.enum:
            assert value in shape.enum, path
        assert len(value) <= shape.metadata.get("max", 10**9), path
        pattern = shape.metadata.get("pattern")
        if pattern:
            assert re.fullmatch(pattern, value), f"{path}: {value!r} against {pattern}"


@pytest.fixture(scope="session")
def check_answer():
    """Check a handler's answer against every trait of botocore's output shape."""
    model = botocore.model.ServiceModel(botocore.loaders.Loader().load_service_model("bedrock", "service-2"))

    def check(operation: str, answer: Any) -> Any:
        shape = model.operation_model(operation).output_shape
        report = ParamValidator().validate(answer, shape)
        assert not report.has_errors(), report.generate_report()
        _walk(shape, answer, operation)
        return answer

    return check

"""What the contract tests share. All of it is derived from the botocore that is installed; nothing lists operations."""

from __future__ import annotations

import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.parsers import create_parser
from botocore.serialize import create_serializer

from rocamadre.api.wire.models import SERVICES, load_models
from rocamadre.api.wire.operations import Service
from rocamadre.api.wire.routes import Router
from rocamadre.testing.examples import Examples

MODELS = load_models()
OPERATIONS = [(service, operation) for service in SERVICES for operation in MODELS[service]["operations"]]


def pytest_generate_tests(metafunc):
    """A test that takes `each` runs once for every operation of every service."""
    if "each" in metafunc.fixturenames:
        metafunc.parametrize("each", OPERATIONS, ids=[":".join(name) for name in OPERATIONS])


@pytest.fixture(scope="session")
def models():
    return MODELS


@pytest.fixture(scope="session")
def services():
    return {name: Service(name, model) for name, model in MODELS.items()}


@pytest.fixture(scope="session")
def router(services):
    return Router(services)


@pytest.fixture(scope="session")
def examples():
    return {name: Examples(model["shapes"]) for name, model in MODELS.items()}


@pytest.fixture(scope="session")
def official():
    """botocore's own models of the services."""
    loader = Loader()
    return {name: ServiceModel(loader.load_service_model(name, "service-2"), name) for name in SERVICES}


@pytest.fixture(scope="session")
def serializer(official):
    return create_serializer("rest-json", include_validation=True)


@pytest.fixture(scope="session")
def parser():
    return create_parser("rest-json")

import pytest

from rocamadre.api.wire.models import load_models
from rocamadre.api.wire.operations import Service
from rocamadre.api.wire.routes import Router


@pytest.fixture(scope="session")
def services():
    return {name: Service(name, model) for name, model in load_models().items()}


@pytest.fixture(scope="session")
def router(services):
    return Router(services)

"""Real servers on free ports, one open and one that wants keys, each with a home of its own; one pair per test process.

Their embedded models are those that `make test` has put in place.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from rocamadre.catalog.embedded import MINILM_FOLDER
from rocamadre.cli.process import Server, start_server, stop_server
from rocamadre.cli.session import Session
from rocamadre.cli.store import local_host
from rocamadre.identity.operations import create_key

REGION = "us-east-1"


@dataclass(frozen=True)
class Running:
    """A server under test.

    Attributes:
        home: Its state.
        access_key: Of a signing key that it takes.
        bearer: A bearer key that it takes.
    """

    address: str
    pid: int
    home: Path
    access_key: str = "testing"
    secret_key: str = "testing"
    bearer: str = "testing"


def launch(home: Path, checkout: Path, **settings: str) -> tuple[Server, dict[str, str]]:
    """Start a server on a fresh home; settings as `server__auth="required"`."""
    (home / "models").mkdir(parents=True, mode=0o700)
    prepared = checkout / ".roca" / "models" / MINILM_FOLDER
    if prepared.is_dir():
        (home / "models" / MINILM_FOLDER).symlink_to(prepared)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("ROCA_", "AWS_"))}
    environment |= {"ROCA_SERVER__PORT": "0", "ROCA_CONSOLE__ENABLED": "false", "ROCA_CONFIG": str(home / "none.toml")}
    environment |= {f"ROCA_{name.upper()}": value for name, value in settings.items()}
    return start_server(home, environment), environment


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, checkout: Path) -> Iterator[Running]:
    """A server that takes any credential and checks every answer against its shape."""
    home = tmp_path_factory.mktemp("home")
    found, _ = launch(home, checkout, server__strict="true", log__level="DEBUG")
    yield Running(found.address, found.pid, home)
    stop_server(home, found)


@pytest.fixture(scope="session")
def locked_server(tmp_path_factory: pytest.TempPathFactory, checkout: Path) -> Iterator[Running]:
    """A server with `auth = "required"`, and keys for it."""
    home = tmp_path_factory.mktemp("locked")
    with local_host(Session(home)) as host:
        pair = create_key(host.sql, home, host.clock, name="pair", kind="signing")
        bearer = create_key(host.sql, home, host.clock, name="bearer", kind="bearer")
    found, _ = launch(home, checkout, server__auth="required", server__strict="true")
    yield Running(found.address, found.pid, home, pair.key.id, pair.secret, bearer.secret)
    stop_server(home, found)


@pytest.fixture(scope="session")
def fake_server(tmp_path_factory: pytest.TempPathFactory, checkout: Path) -> Iterator[Running]:
    """A server on which the fake engine stands in for the text models of every family."""
    home = tmp_path_factory.mktemp("fake")
    found, _ = launch(home, checkout, server__strict="true", catalog__default_model="rocamadre.fake-v1:0")
    yield Running(found.address, found.pid, home)
    stop_server(home, found)


@pytest.fixture(scope="session")
def scripted_server(tmp_path_factory: pytest.TempPathFactory, checkout: Path) -> Iterator[Running]:
    """The same, and it answers what the suites of frameworks ask as only a model could; see frameworks/rules.toml."""
    rules = checkout / "tests" / "integration" / "frameworks" / "rules.toml"
    fake = "rocamadre.fake-v1:0"
    home = tmp_path_factory.mktemp("scripted")
    found, _ = launch(
        home, checkout, server__strict="true", catalog__default_model=fake, catalog__fake_rules=str(rules)
    )
    yield Running(found.address, found.pid, home)
    stop_server(home, found)


@pytest.fixture(scope="session")
def server_url(server: Running) -> str:
    """Address of the open server."""
    return server.address


@pytest.fixture(scope="session")
def locked_url(locked_server: Running) -> str:
    """Address of the server that wants keys."""
    return locked_server.address


def connect(running: Running, service: str, **options: Any) -> Any:
    """A boto3 client of a server; it does not retry, so that a test sees the first answer."""
    config = Config(retries={"total_max_attempts": 1}, read_timeout=60, proxies={}).merge(
        options.pop("config", Config())
    )
    arguments = {
        "region_name": REGION,
        "aws_access_key_id": running.access_key,
        "aws_secret_access_key": running.secret_key,
        "endpoint_url": running.address,
    } | options
    return boto3.Session().client(service, config=config, **arguments)


@pytest.fixture(scope="session")
def boto3_client(server: Running) -> Callable[..., Any]:
    """`boto3_client("bedrock-runtime")`: a client of the open server; keywords go to boto3."""
    return lambda service, **options: connect(server, service, **options)


@pytest.fixture(scope="session")
def locked_boto3_client(locked_server: Running) -> Callable[..., Any]:
    """The same, of the server that wants keys, with a signing key that it knows."""
    return lambda service, **options: connect(locked_server, service, **options)


@pytest.fixture(scope="session")
def clients_python(checkout: Path, needs: Callable[[object, str], None]) -> Path:
    """The interpreter of `.venv-clients`, which has aioboto3 and the botocore it pins."""
    python = checkout / ".venv-clients" / "bin" / "python"
    needs(python.exists(), ".venv-clients is not installed")
    return python

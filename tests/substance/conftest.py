"""One real server with the embedded models, on a free port, for all tests of behaviour in a process."""

from __future__ import annotations

import os

import boto3
import pytest
from botocore.config import Config

from rocamadre.catalog.embedded import MINILM_FOLDER, ROCA_MINI_FILE, embedded_dir
from rocamadre.cli.process import start_server, stop_server


@pytest.fixture(scope="session")
def address(tmp_path_factory, checkout, needs):
    """Base URL of a server that checks every answer against its shape; aliases run on the embedded models.

    `SUBSTANCE_MODELS` names another folder to take roca-mini from, such as one of a training run.
    """
    elsewhere = os.environ.get("SUBSTANCE_MODELS", "")
    folder = embedded_dir("roca-mini")
    needs(elsewhere or (folder is not None and (folder / ROCA_MINI_FILE).is_file()), "roca-mini is not here")
    prepared = checkout / ".roca" / "models" / MINILM_FOLDER
    needs(prepared.is_dir(), "roca models prepare has not run")
    home = tmp_path_factory.mktemp("substance")
    (home / "models").mkdir(mode=0o700)
    (home / "models" / MINILM_FOLDER).symlink_to(prepared)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("ROCA_", "AWS_"))}
    environment |= {
        "ROCA_SERVER__PORT": "0",
        "ROCA_CONSOLE__ENABLED": "false",
        "ROCA_SERVER__STRICT": "true",
        "ROCA_CONFIG": str(home / "none.toml"),
    }
    if elsewhere:
        environment["ROCA_CATALOG__EMBEDDED_MODELS"] = elsewhere
    server = start_server(home, environment)
    yield server.address
    stop_server(home, server)


@pytest.fixture(scope="session")
def runtime(address):
    """A boto3 client that does not retry."""
    return boto3.Session().client(
        "bedrock-runtime",
        endpoint_url=address,
        region_name="us-east-1",
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
        config=Config(retries={"total_max_attempts": 1}, read_timeout=60, proxies={}),
    )

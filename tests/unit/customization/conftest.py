from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from rocamadre.core.settings import load_settings
from rocamadre.jobs.inline import InlineJobs
from rocamadre.testing.inprocess import ADDRESS, InProcessServer
from rocamadre.testing.jobs import inline_jobs
from rocamadre.testing.models import OwnModels
from rocamadre.testing.tiny import tiny_llama

ACCOUNT, REGION = "123456789012", "us-east-1"
FAKE = "rocamadre.fake-v1:0"


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama of a few kilobytes as safetensors."""
    return tiny_llama(tmp_path_factory.mktemp("tiny") / "tiny")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[InProcessServer]:
    catalog = {"default_model": FAKE, "default_embedder": "rocamadre.fake-embed-v1:0"}
    running = InProcessServer(load_settings(home=tmp_path / "home", server={"strict": True}, catalog=catalog))
    running.platform.objects.of(ACCOUNT).make_bucket("models", region=REGION)
    yield running
    running.close()


@pytest.fixture
def jobs(server: InProcessServer) -> InlineJobs:
    return inline_jobs(server)


@pytest.fixture
def connect(server: InProcessServer) -> Callable[..., Any]:
    def make(service: str = "bedrock", *, region: str = REGION, key: str = "AKIATESTING") -> Any:
        session = boto3.Session(aws_access_key_id=key, aws_secret_access_key="testing")
        config = Config(retries={"total_max_attempts": 1})
        url = f"{ADDRESS}/{service}"
        return server.attach(session.client(service, region_name=region, endpoint_url=url, config=config))

    return make


@pytest.fixture
def bedrock(connect: Callable[..., Any]) -> Any:
    return connect()


@pytest.fixture
def runtime(connect: Callable[..., Any]) -> Any:
    return connect("bedrock-runtime")


@pytest.fixture
def upload(server: InProcessServer) -> Callable[..., str]:
    """`upload(folder, "prefix")`: its files as objects; returns the URI."""

    def put(folder: Path, prefix: str = "tiny") -> str:
        objects = server.platform.objects.of(ACCOUNT)
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                objects.put("models", f"{prefix}/{path.relative_to(folder)}", path.read_bytes())
        return f"s3://models/{prefix}/"

    return put


@pytest.fixture
def register(server: InProcessServer) -> Callable[..., str]:
    """`register("harbour")`: a custom model as a job would register it, answered for by the fake engine; its ARN."""
    models = OwnModels(server.platform)
    return lambda name="harbour", **values: models.custom(name, **values)

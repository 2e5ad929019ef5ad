from __future__ import annotations

import boto3
import pytest
from botocore.config import Config

from rocamadre.core.settings import load_settings
from rocamadre.testing.inprocess import ADDRESS, InProcessServer


@pytest.fixture(scope="module")
def platform(tmp_path_factory):
    """A server in this process."""
    models = {"default_model": "rocamadre.fake-v1:0", "default_embedder": "rocamadre.fake-embed-v1:0"}
    server = InProcessServer(load_settings(home=tmp_path_factory.mktemp("home"), catalog=models))
    yield server
    server.close()


@pytest.fixture(scope="session")
def session():
    """Shared: making one takes longer than most of these tests."""
    return boto3.Session()


@pytest.fixture
def client_of(platform, session):
    """`client_of("iam")`: a boto3 client of that server; `key="111122223333"` is another account's."""

    def make(service, key="AKIATESTING", secret="testing", token=None, region="us-east-1", server=platform):
        return server.attach(
            session.client(
                service,
                aws_access_key_id=key,
                aws_secret_access_key=secret,
                aws_session_token=token,
                region_name=region,
                endpoint_url=ADDRESS,
                config=Config(retries={"total_max_attempts": 1}),
            )
        )

    return make

"""One open server for all S3 tests of a process, boto3 clients of it, and a fresh bucket for each test."""

from __future__ import annotations

import itertools

import boto3
import pytest
from botocore.config import Config

from rocamadre.core.settings import load_settings
from rocamadre.testing.inprocess import ADDRESS, InProcessServer

ACCOUNT = "123456789012"
_numbers = itertools.count()


def connect(server, *, access_key="testing", secret_key="testing", region="us-east-1", endpoint=ADDRESS, **config):
    """A boto3 client of an in-process server."""
    client = boto3.Session().client(
        "s3",
        region_name=region,
        aws_access_key_id=access_key,
        aws_secret_access_key=secret_key,
        endpoint_url=endpoint,
        config=Config(retries={"total_max_attempts": 1}, proxies={}, **config),
    )
    return server.attach(client)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = InProcessServer(load_settings(home=tmp_path_factory.mktemp("home"), neighbours={"s3_sync": False}))
    yield server
    server.close()


@pytest.fixture(scope="session")
def connected():
    """`connected(server, access_key=…)`: a client of any in-process server."""
    return connect


@pytest.fixture(scope="module")
def client_of(server):
    """`client_of(region="eu-west-1")`: another client of the same server."""
    return lambda **options: connect(server, **options)


@pytest.fixture(scope="module")
def s3(server):
    return connect(server)


@pytest.fixture
def bucket(s3):
    name = f"bucket-{next(_numbers)}"
    s3.create_bucket(Bucket=name)
    return name


@pytest.fixture
def refused(s3):
    """`refused("NoSuchKey", 404, s3.get_object, Bucket=…)`: the call fails with this code and status."""

    def check(code, status, call, **arguments):
        with pytest.raises(s3.exceptions.ClientError) as caught:
            call(**arguments)
        error = caught.value.response
        assert (error["Error"]["Code"], error["ResponseMetadata"]["HTTPStatusCode"]) == (code, status)
        return error["Error"].get("Message", "")

    return check

from __future__ import annotations

import gzip
import json

import boto3
import pytest
from botocore.config import Config

from rocamadre.core.context import Context, Principal
from rocamadre.core.settings import load_settings
from rocamadre.testing.inprocess import ADDRESS, InProcessServer

ACCOUNT = "123456789012"
BUCKET = "invocation-logs"
SLOW = "one two three four five six seven eight nine ten " * 20 + "twenty"


class Logged:
    """A server in this process with a bucket, and what its invocation log has delivered there.

    Attributes:
        ctx: Of the account whose invocations are logged.
    """

    def __init__(self, server: InProcessServer) -> None:
        self.server = server
        self.objects = server.platform.objects.of(ACCOUNT)
        self.objects.make_bucket(BUCKET, region="us-east-1")
        self.ctx = Context(server.platform, Principal("tester", ACCOUNT), ACCOUNT, "us-east-1", "request-1", 1e12)
        self._clients = {}

    def client(self, service="bedrock-runtime", key="AKIATESTING", region="us-east-1"):
        if (service, key, region) not in self._clients:
            session = boto3.Session(aws_access_key_id=key, aws_secret_access_key="testing")
            made = session.client(
                service,
                region_name=region,
                endpoint_url=f"{ADDRESS}/{service}",
                config=Config(retries={"total_max_attempts": 1}),
            )
            self._clients[service, key, region] = self.server.attach(made)
        return self._clients[service, key, region]

    def configure(self, **flags):
        """Log to the bucket below `logs/`, unless `s3Config` or `cloudWatchConfig` says otherwise."""
        config = {"s3Config": {"bucketName": BUCKET, "keyPrefix": "logs"}} | flags
        self.client("bedrock").put_model_invocation_logging_configuration(loggingConfig=config)

    def keys(self):
        """Keys of everything delivered, the check of permissions left out."""
        self.server.platform.invocations.flush()
        return [each.key for each in self.objects.list(BUCKET) if not each.key.endswith("permission-check")]

    def records(self):
        """Every record delivered, in order of its object and line."""
        return [record for key in self.keys() if "/data/" not in key for record in self.read(key)]

    def read(self, key):
        lines = gzip.decompress(self.objects.read(BUCKET, key)).splitlines()
        return [json.loads(line) for line in lines]


@pytest.fixture
def logged(tmp_path):
    """A server whose fake model says what `rules.json` says, else what it likes."""
    rules = tmp_path / "rules.json"
    rules.write_text(
        json.dumps(
            {
                "rules": [
                    {"match": "weather", "answer": "It is sunny in Lisbon."},
                    {"match": "break", "answer": "one two three four five", "error": "model_failure", "error_after": 3},
                    {"match": "long", "answer": "word " * 30_000, "mark": False},
                    {"match": "slow", "answer": SLOW, "delay_s": 0.02},
                    {"match": "refuse", "error": "throttled"},
                    {"match": "look", "tool": {"name": "look", "input": {"at": "the sky"}}},
                ]
            }
        )
    )
    models = {"default_model": "rocamadre.fake-v1:0", "default_embedder": "rocamadre.fake-embed-v1:0"}
    settings = load_settings(
        home=tmp_path / "home", server={"strict": True}, catalog={**models, "fake_rules": str(rules)}
    )
    server = InProcessServer(settings)
    yield Logged(server)
    server.close()

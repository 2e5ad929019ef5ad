from __future__ import annotations

import json
from datetime import timedelta
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from rocamadre.core.settings import load_settings
from rocamadre.identity.operations import create_key
from rocamadre.testing.inprocess import InProcessServer

TRUST = json.dumps({"Statement": {"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}})


@pytest.fixture(scope="module")
def locked(tmp_path_factory):
    """A server that verifies signatures."""
    server = InProcessServer(load_settings(home=tmp_path_factory.mktemp("locked"), server={"auth": "required"}))
    yield server
    server.close()


@pytest.fixture
def key_of(locked):
    def make(account="123456789012"):
        platform = locked.platform
        name = f"k-{uuid4().hex[:8]}"
        return create_key(platform.sql, platform.settings.home, platform.clock, name=name, account=account)

    return make


@pytest.fixture
def locked_client(locked, client_of, key_of):
    """`locked_client("sts", account=...)`: a boto3 client with a key of its own; or with `credentials`."""

    def make(service, account="123456789012", credentials=None):
        if credentials is None:
            made = key_of(account)
            return client_of(service, key=made.key.id, secret=made.secret, server=locked)
        key, secret, token = (credentials[name] for name in ("AccessKeyId", "SecretAccessKey", "SessionToken"))
        return client_of(service, key=key, secret=secret, token=token, server=locked)

    return make


def role(iam):
    return iam.create_role(RoleName=f"r-{uuid4().hex[:8]}", AssumeRolePolicyDocument=TRUST)["Role"]


def test_who_asks(client_of):
    found = client_of("sts").get_caller_identity()
    assert found["Account"] == "123456789012"
    assert found["Arn"] == "arn:aws:iam::123456789012:user/AKIATESTING"
    assert client_of("sts", key="111122223333").get_caller_identity()["Account"] == "111122223333"


def test_assumed_credentials_speak_for_the_role(locked_client):
    made = role(locked_client("iam"))
    answer = locked_client("sts").assume_role(RoleArn=made["Arn"], RoleSessionName="me@x", DurationSeconds=900)
    assert answer["AssumedRoleUser"]["AssumedRoleId"] == f"{made['RoleId']}:me@x"
    assert answer["Credentials"]["AccessKeyId"].startswith("ASIA")
    found = locked_client("sts", credentials=answer["Credentials"]).get_caller_identity()
    assert found["Arn"] == f"arn:aws:sts::123456789012:assumed-role/{made['RoleName']}/me@x"
    assert found["Arn"] == answer["AssumedRoleUser"]["Arn"]
    assert found["UserId"] == answer["AssumedRoleUser"]["AssumedRoleId"]
    assert locked_client("bedrock", credentials=answer["Credentials"]).list_foundation_models()["modelSummaries"]


@pytest.mark.parametrize("service", ["sts", "bedrock"])
def test_a_temporary_key_needs_its_own_token_and_secret(locked_client, service):
    call = {"sts": "get_caller_identity", "bedrock": "list_foundation_models"}[service]
    first, second = (locked_client("sts").get_session_token()["Credentials"] for _ in range(2))
    wrong = [
        first | {"SessionToken": second["SessionToken"]},
        first | {"SessionToken": None},
        first | {"SecretAccessKey": second["SecretAccessKey"]},
        first | {"AccessKeyId": second["AccessKeyId"]},
    ]
    for credentials in wrong:
        with pytest.raises(ClientError) as caught:
            getattr(locked_client(service, credentials=credentials), call)()
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    getattr(locked_client(service, credentials=first), call)()


def test_a_token_beside_a_lasting_key_is_refused(locked_client, key_of):
    made = key_of()
    token = locked_client("sts").get_session_token()["Credentials"]["SessionToken"]
    credentials = {"AccessKeyId": made.key.id, "SecretAccessKey": made.secret, "SessionToken": token}
    with pytest.raises(ClientError, match="UnrecognizedClient"):
        locked_client("sts", credentials=credentials).get_caller_identity()


def test_another_accounts_role_is_as_if_absent(locked_client):
    made = role(locked_client("iam", account="111122223333"))
    sts = locked_client("sts")
    refusals = []
    for arn in (made["Arn"], made["Arn"] + "x"):
        with pytest.raises(ClientError) as caught:
            sts.assume_role(RoleArn=arn, RoleSessionName="me")
        refusals.append(caught.value.response["Error"]["Message"].replace(arn, ""))
        assert caught.value.response["Error"]["Code"] == "AccessDenied"
    assert refusals[0] == refusals[1]


def test_an_open_server_takes_roles_of_other_accounts(client_of):
    made = role(client_of("iam", key="111122223333"))
    credentials = client_of("sts").assume_role(RoleArn=made["Arn"], RoleSessionName="me")["Credentials"]
    client = client_of("sts", key=credentials["AccessKeyId"], token=credentials["SessionToken"])
    assert client.get_caller_identity()["Account"] == "111122223333"


def test_sessions_end(client_of, platform, monkeypatch):
    answer = client_of("sts").get_session_token(DurationSeconds=900)["Credentials"]
    assert timedelta(seconds=890) < answer["Expiration"] - platform.platform.clock.now() <= timedelta(seconds=900)
    later = platform.platform.clock.now() + timedelta(seconds=901)
    monkeypatch.setattr(type(platform.platform.clock), "now", lambda clock: later)
    for service, call in (("sts", "get_caller_identity"), ("bedrock", "list_foundation_models")):
        client = client_of(service, key=answer["AccessKeyId"], token=answer["SessionToken"])
        with pytest.raises(ClientError, match="expired"):
            getattr(client, call)()


def test_limits_of_duration(client_of):
    made = role(client_of("iam"))
    sts = client_of("sts")
    with pytest.raises(ClientError, match="MaxSessionDuration"):
        sts.assume_role(RoleArn=made["Arn"], RoleSessionName="me", DurationSeconds=7200)
    with pytest.raises(ClientError, match="ValidationError"):
        sts.assume_role(RoleArn=made["Arn"], RoleSessionName="not allowed")
    with pytest.raises(ClientError, match="must be arn:aws:iam"):
        sts.assume_role(RoleArn="arn:aws:iam::123456789012:user/somebody", RoleSessionName="me")
    credentials = sts.assume_role(RoleArn=made["Arn"], RoleSessionName="me")["Credentials"]
    chained = client_of("sts", key=credentials["AccessKeyId"], token=credentials["SessionToken"])
    chained.assume_role(RoleArn=made["Arn"], RoleSessionName="again")
    with pytest.raises(ClientError, match="AccessDenied"):
        chained.get_session_token()


def test_secrets_are_not_in_the_database_in_the_clear(platform, client_of):
    made = client_of("sts").get_session_token()["Credentials"]
    stored = b"".join(path.read_bytes() for path in platform.platform.settings.home.glob("platform.sqlite*"))
    assert made["AccessKeyId"].encode() in stored
    assert made["SecretAccessKey"].encode() not in stored
    assert made["SessionToken"].encode() not in stored


def test_what_is_missing_is_refused_by_name(client_of):
    with pytest.raises(ClientError, match="GetFederationToken") as caught:
        client_of("sts").get_federation_token(Name="ab")
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501

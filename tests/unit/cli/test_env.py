from __future__ import annotations

import configparser
import os
import stat
import subprocess

from rocamadre.cli.environment import dropped_variables, program_environment, write_profiles

ADDRESS = "http://127.0.0.1:4599"


def test_every_variable_of_every_client(home):
    added = program_environment(ADDRESS, region="eu-west-1", home=home, is_open=True, environment={})
    assert {name for name in added if "URL" in name or "ENDPOINT" in name} == {
        "ANTHROPIC_BASE_URL",
        "ANTHROPIC_BEDROCK_BASE_URL",
        "ANTHROPIC_BEDROCK_MANTLE_BASE_URL",
        "AWS_BEDROCK_BASE_URL",
        "AWS_BEDROCK_RUNTIME_ENDPOINT",
        "AWS_ENDPOINT_URL",
        "AWS_ENDPOINT_URL_BEDROCK",
        "AWS_ENDPOINT_URL_BEDROCK_AGENT",
        "AWS_ENDPOINT_URL_BEDROCK_AGENT_RUNTIME",
        "AWS_ENDPOINT_URL_BEDROCK_RUNTIME",
        "AWS_ENDPOINT_URL_CLOUDWATCH_LOGS",
        "AWS_ENDPOINT_URL_IAM",
        "AWS_ENDPOINT_URL_LAMBDA",
        "AWS_ENDPOINT_URL_OPENSEARCHSERVERLESS",
        "AWS_ENDPOINT_URL_S3",
        "AWS_ENDPOINT_URL_S3VECTORS",
        "AWS_ENDPOINT_URL_STS",
        "OPENAI_BASE_URL",
    }
    assert added["AWS_REGION"] == added["AWS_DEFAULT_REGION"] == "eu-west-1"
    assert added["AWS_ACCESS_KEY_ID"] == added["OPENAI_API_KEY"] == "local"


def test_a_locked_server_leaves_the_programs_keys_alone(home):
    given = {"AWS_BEARER_TOKEN_BEDROCK": "k", "AWS_PROFILE": "p"}
    added = program_environment(ADDRESS, region="us-east-1", home=home, is_open=False, environment=given)
    assert not {"AWS_ACCESS_KEY_ID", "OPENAI_API_KEY", "AWS_SHARED_CREDENTIALS_FILE"} & set(added)
    assert dropped_variables(given, is_open=False) == []
    assert dropped_variables(given, is_open=True) == ["AWS_BEARER_TOKEN_BEDROCK", "AWS_PROFILE"]


def test_no_proxy_is_added_to_not_replaced(home):
    given = {"NO_PROXY": "localhost,corp"}
    added = program_environment(ADDRESS, region="us-east-1", home=home, is_open=True, environment=given)
    assert added["NO_PROXY"] == added["no_proxy"] == "localhost,corp,127.0.0.1,::1"


def test_every_profile_of_the_user_points_here(tmp_path):
    own = tmp_path / "config"
    own.write_text("[default]\nregion=x\n[profile work]\nregion = y\n[sso-session corp]\nsso_region=z\n")
    write_profiles(
        tmp_path / "aws",
        ADDRESS,
        region="us-east-1",
        is_open=True,
        environment={"AWS_CONFIG_FILE": str(own)},
        endpoints={"S3": ADDRESS},
    )
    config = configparser.RawConfigParser()
    config.read(tmp_path / "aws" / "config")
    assert {"default", "profile work"} <= set(config.sections())
    assert "profile sso-session corp" not in config.sections()
    profiles = [section for section in config.sections() if not section.startswith("services ")]
    assert all(config[section]["endpoint_url"] == ADDRESS for section in profiles)
    assert stat.S_IMODE((tmp_path / "aws" / "credentials").stat().st_mode) == 0o600


def test_a_profile_named_in_code_reaches_the_server(home):
    added = program_environment(
        ADDRESS, region="us-east-1", home=home, is_open=True, environment={"HOME": "/nonexistent"}
    )
    code = (
        "import boto3; client = boto3.Session(profile_name='default').client('bedrock-runtime');"
        "print(client.meta.endpoint_url, client.meta.region_name)"
    )
    import sys

    environment = {"PATH": os.environ["PATH"], **added}
    found = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert found.stdout.split() == [f"{ADDRESS}/bedrock-runtime", "us-east-1"]


NAMES = ("bedrock-agent", "s3", "sts", "iam", "lambda", "logs", "s3vectors", "opensearchserverless")


def endpoints_of(environment):
    """Where boto3's clients would go in a program that has this environment."""
    import json
    import sys

    code = (
        "import boto3, json; session = boto3.Session();"
        f"print(json.dumps([session.client(name).meta.endpoint_url for name in {NAMES!r}]))"
    )
    environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", **environment}
    found = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    return dict(zip(NAMES, json.loads(found.stdout), strict=True))


def test_clients_of_every_neighbour_come_here(home):
    given = {"AWS_ENDPOINT_URL_S3": "http://127.0.0.1:4566", "AWS_USE_FIPS_ENDPOINT": "true"}
    added = program_environment(ADDRESS, region="us-east-1", home=home, is_open=True, environment=given)
    kept = {name: value for name, value in given.items() if name not in dropped_variables(given, is_open=True)}
    found = endpoints_of({**kept, **added})
    assert found.pop("bedrock-agent") == f"{ADDRESS}/bedrock-agent"
    assert set(found.values()) == {ADDRESS}
    # And those of a program that has lost the variables but for where its configuration is.
    files = {name: added[name] for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE")}
    found = endpoints_of(files)
    assert found.pop("bedrock-agent") == f"{ADDRESS}/bedrock-agent"
    assert set(found.values()) == {ADDRESS}


def test_neighbours_that_are_elsewhere_are_called_there_with_the_programs_own_keys(home):
    elsewhere = {"s3": "aws", "lambda": "http://127.0.0.1:4566"}
    added = program_environment(
        ADDRESS, region="eu-west-1", home=home, is_open=True, environment={}, elsewhere=elsewhere
    )
    assert not {"AWS_ACCESS_KEY_ID", "AWS_SHARED_CREDENTIALS_FILE"} & set(added)
    found = endpoints_of({**added, "AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s"})
    assert (found["s3"], found["lambda"]) == ("https://s3.eu-west-1.amazonaws.com", "http://127.0.0.1:4566")
    assert found["iam"] == ADDRESS


def test_prints_for_shells(roca):
    shown = roca("env", "--shell", "sh")
    assert "export AWS_ENDPOINT_URL=http://127.0.0.1:4599\n" in shown.out
    assert "no server runs" in shown.err
    assert "set -gx AWS_ENDPOINT_URL 'http://127.0.0.1:4599'\n" in roca("env", "--shell", "fish").out
    assert roca("env", "--json").json["OPENAI_BASE_URL"] == "http://127.0.0.1:4599/v1"

"""The variables that make a program talk to this server instead of to a cloud."""

from __future__ import annotations

import configparser
import os
from collections.abc import Mapping
from pathlib import Path

SERVICES = ("bedrock", "bedrock-runtime", "bedrock-agent", "bedrock-agent-runtime")
"""botocore's names of the services spoken here. Their name in the path settles what shape alone could not."""

NEIGHBOURS = {
    "s3": "S3",
    "sts": "STS",
    "iam": "IAM",
    "lambda": "LAMBDA",
    "logs": "CLOUDWATCH_LOGS",
    "s3vectors": "S3VECTORS",
    "aoss": "OPENSEARCHSERVERLESS",
}
"""The services beside Bedrock, by our names, and as the variables of AWS's clients spell them."""

DUMMY = "local"
"""Stands for every key while the server takes any."""

_SECTION = "rocamadre"
_LOOPBACK = "127.0.0.1,localhost,::1"


def program_environment(
    address: str,
    *,
    region: str,
    home: Path,
    is_open: bool,
    environment: Mapping[str, str],
    elsewhere: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """What to add to a program's environment.

    Args:
        address: The server's, for example `http://127.0.0.1:4599`.
        region: AWS region that clients sign for.
        home: Folder of all state; AWS configuration files are written to `aws/` in it.
        is_open: Whether the server takes any credential; if not, the program's own are left as they are.
        environment: What the program would get otherwise.
        elsewhere: Neighbours that the settings have put elsewhere, with their endpoints (`aws`: Amazon's own). The
            program then keeps its own credentials too, since those services want them.
    """
    folder = home / "aws"
    endpoints = service_endpoints(address, region=region, elsewhere=elsewhere or {})
    is_open = is_open and not elsewhere
    write_profiles(folder, address, region=region, is_open=is_open, environment=environment, endpoints=endpoints)
    added = {
        "ROCA_HOME": str(home),
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_CONFIG_FILE": str(folder / "config"),
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL": address,
        # One for each, or a variable that the user has set for another emulator would win.
        **{f"AWS_ENDPOINT_URL_{name}": url for name, url in endpoints.items()},
        "AWS_BEDROCK_RUNTIME_ENDPOINT": address,
        "AWS_BEDROCK_BASE_URL": f"{address}/openai/v1",
        "ANTHROPIC_BEDROCK_BASE_URL": address,
        "ANTHROPIC_BEDROCK_MANTLE_BASE_URL": f"{address}/anthropic",
        "ANTHROPIC_BASE_URL": f"{address}/anthropic",
        "OPENAI_BASE_URL": f"{address}/v1",
        # LiteLLM fetches a list of prices from the internet when it is imported; it has one of its own.
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "NO_PROXY": _joined(environment.get("NO_PROXY") or environment.get("no_proxy", "")),
    }
    added["no_proxy"] = added["NO_PROXY"]
    if is_open:
        added |= {
            "AWS_SHARED_CREDENTIALS_FILE": str(folder / "credentials"),
            "AWS_ACCESS_KEY_ID": DUMMY,
            "AWS_SECRET_ACCESS_KEY": DUMMY,
            "OPENAI_API_KEY": DUMMY,
            "ANTHROPIC_API_KEY": DUMMY,
        }
    return added


def service_endpoints(address: str, *, region: str, elsewhere: Mapping[str, str]) -> dict[str, str]:
    """Where each service is, by its name in the variables of AWS's clients."""
    endpoints = {name.upper().replace("-", "_"): f"{address}/{name}" for name in SERVICES}
    for name, variable in NEIGHBOURS.items():
        place = elsewhere.get(name, "")
        if place == "aws":
            place = "https://iam.amazonaws.com" if name == "iam" else f"https://{name}.{region}.amazonaws.com"
        endpoints[variable] = place or address
    return endpoints


def dropped_variables(environment: Mapping[str, str], *, is_open: bool) -> list[str]:
    """Variables to take away, because they would win over those that are added, or give real keys away."""
    # With the last two, AWS's clients refuse any endpoint that is not Amazon's.
    names = ["AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT"]
    if is_open:
        names += ["AWS_BEARER_TOKEN_BEDROCK", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_DEFAULT_PROFILE"]
    return [name for name in names if name in environment]


def write_profiles(
    folder: Path,
    address: str,
    *,
    region: str,
    is_open: bool,
    environment: Mapping[str, str],
    endpoints: Mapping[str, str],
) -> None:
    """Write an AWS configuration in which every profile that the user has points here.

    Code that asks for a profile by name (`default`, most often) ignores the variables, and finds this instead.

    Args:
        folder: Where `config` and, while any key will do, `credentials` are written.
        address: The server's.
        region: Region of every profile.
        is_open: Whether the server takes any credential.
        environment: Says where the user's own files are.
        endpoints: As `service_endpoints` makes them; for programs that lose the variables on their way.
    """
    names = sorted({"default", *_profiles(environment)})
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    config, credentials = configparser.RawConfigParser(), configparser.RawConfigParser()
    for name in names:
        config[name if name == "default" else f"profile {name}"] = {
            "region": region,
            "endpoint_url": address,
            "services": _SECTION,
            # A bucket's name in front of the host would be looked up as a host.
            "s3": "\naddressing_style = path",
        }
        credentials[name] = {"aws_access_key_id": DUMMY, "aws_secret_access_key": DUMMY}
    config[f"services {_SECTION}"] = {name.lower(): f"\nendpoint_url = {url}" for name, url in endpoints.items()}
    for file, content in (("config", config), ("credentials", credentials)) if is_open else (("config", config),):
        temporary = folder / f"{file}.{os.getpid()}.tmp"
        with open(temporary, "w", encoding="utf-8") as written:
            content.write(written)
        temporary.chmod(0o600)
        temporary.replace(folder / file)


def _profiles(environment: Mapping[str, str]) -> set[str]:
    """Names of the user's profiles; none from files that cannot be read."""
    home = Path(environment.get("HOME", "~")).expanduser() / ".aws"
    names: set[str] = set()
    for variable, file in (("AWS_CONFIG_FILE", "config"), ("AWS_SHARED_CREDENTIALS_FILE", "credentials")):
        parser = configparser.RawConfigParser(strict=False)
        try:
            parser.read(Path(environment.get(variable) or home / file).expanduser(), encoding="utf-8")
        except (OSError, configparser.Error, UnicodeDecodeError):
            continue
        sections = (section.removeprefix("profile ").strip() for section in parser.sections())
        names |= {name for name in sections if name and " " not in name}
    return names


def _joined(no_proxy: str) -> str:
    known = [name for name in no_proxy.split(",") if name]
    return ",".join([*known, *(name for name in _LOOPBACK.split(",") if name not in known)])

"""The variables that make a program talk to this server instead of to a cloud."""

from __future__ import annotations

import configparser
import os
from collections.abc import Mapping
from pathlib import Path

SERVICES = ("bedrock", "bedrock-runtime", "bedrock-agent", "bedrock-agent-runtime")
"""botocore's names of the services spoken here."""

DUMMY = "local"
"""Stands for every key while the server takes any."""

_LOOPBACK = "127.0.0.1,localhost,::1"


def program_environment(
    address: str, *, region: str, home: Path, is_open: bool, environment: Mapping[str, str]
) -> dict[str, str]:
    """What to add to a program's environment.

    Args:
        address: The server's, for example `http://127.0.0.1:4599`.
        region: AWS region that clients sign for.
        home: Folder of all state; AWS configuration files are written to `aws/` in it.
        is_open: Whether the server takes any credential; if not, the program's own are left as they are.
        environment: What the program would get otherwise.
    """
    folder = home / "aws"
    write_profiles(folder, address, region=region, is_open=is_open, environment=environment)
    added = {
        "ROCA_HOME": str(home),
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_CONFIG_FILE": str(folder / "config"),
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL": address,
        # The service's name in the path settles what shape alone could not; see ARCHITECTURE.md.
        **{f"AWS_ENDPOINT_URL_{name.upper().replace('-', '_')}": f"{address}/{name}" for name in SERVICES},
        "AWS_BEDROCK_RUNTIME_ENDPOINT": address,
        "AWS_BEDROCK_BASE_URL": f"{address}/openai/v1",
        "ANTHROPIC_BEDROCK_BASE_URL": address,
        "ANTHROPIC_BEDROCK_MANTLE_BASE_URL": f"{address}/anthropic",
        "ANTHROPIC_BASE_URL": f"{address}/anthropic",
        "OPENAI_BASE_URL": f"{address}/v1",
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


def dropped_variables(environment: Mapping[str, str], *, is_open: bool) -> list[str]:
    """Variables to take away, because they would win over those that are added, or give real keys away."""
    names = ["AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"]
    if is_open:
        names += ["AWS_BEARER_TOKEN_BEDROCK", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_DEFAULT_PROFILE"]
    return [name for name in names if name in environment]


def write_profiles(folder: Path, address: str, *, region: str, is_open: bool, environment: Mapping[str, str]) -> None:
    """Write an AWS configuration in which every profile that the user has points here.

    Code that asks for a profile by name (`default`, most often) ignores the variables, and finds this instead.

    Args:
        folder: Where `config` and, while any key will do, `credentials` are written.
        address: The server's.
        region: Region of every profile.
        is_open: Whether the server takes any credential.
        environment: Says where the user's own files are.
    """
    names = sorted({"default", *_profiles(environment)})
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    config, credentials = configparser.RawConfigParser(), configparser.RawConfigParser()
    for name in names:
        config[name if name == "default" else f"profile {name}"] = {"region": region, "endpoint_url": address}
        credentials[name] = {"aws_access_key_id": DUMMY, "aws_secret_access_key": DUMMY}
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

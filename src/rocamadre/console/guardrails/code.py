"""The boto3 programs that do what the pages of guardrails do; they run as they are copied."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from shlex import quote
from typing import Any

from rocamadre.console.playground.code import arguments_of, literal

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Where:
    """Where programs send what they ask.

    Attributes:
        address: The server's.
        locked: Whether it wants a key; programs then read it from the environment.
    """

    address: str
    region: str
    locked: bool


def write_keep(where: Where, members: Mapping[str, Any], identifier: str = "") -> str:
    """A program that makes a guardrail, or replaces the draft of the one that is named."""
    if identifier:
        asked = arguments_of({"guardrailIdentifier": identifier, **members})
        return f'{_head(where, "bedrock")}changed = client.update_guardrail({asked})\nprint(changed["updatedAt"])\n'
    made = f"{_head(where, 'bedrock')}made = client.create_guardrail({arguments_of(dict(members))})\n"
    return f'{made}print(made["guardrailId"], made["version"])\n'


def write_version(where: Where, identifier: str) -> str:
    """A program that makes a version of the draft."""
    made = f"client.create_guardrail_version(guardrailIdentifier={literal(identifier)})"
    return f'{_head(where, "bedrock")}made = {made}\nprint(made["version"])\n'


def write_apply(where: Where, request: Mapping[str, Any]) -> str:
    """A program that examines a text and prints what was found."""
    return (
        f"{_head(where)}answer = client.apply_guardrail({arguments_of(dict(request))})\n"
        'print(answer["action"], answer.get("actionReason", ""))\n'
        'for output in answer["outputs"]:\n'
        '    print(output["text"])\n'
        'for assessment in answer["assessments"]:\n'
        "    for policy, lists in assessment.items():\n"
        '        if policy.endswith("Policy"):\n'
        "            for found in (each for entries in lists.values() for each in entries):\n"
        "                print(policy, found)\n"
    )


def write_stream(where: Where, request: Mapping[str, Any]) -> str:
    """A program that asks a model behind a guardrail and prints the answer as it comes, then the trace."""
    return (
        f"{_head(where)}answer = client.converse_stream({arguments_of(dict(request))})\n"
        'for event in answer["stream"]:\n'
        '    print(event.get("contentBlockDelta", {}).get("delta", {}).get("text", ""), end="", flush=True)\n'
        '    if "messageStop" in event:\n'
        '        print("\\n" + event["messageStop"]["stopReason"])\n'
        '    if "metadata" in event:\n'
        '        print(event["metadata"].get("trace", {}).get("guardrail", {}))\n'
    )


def _head(where: Where, service: str = "bedrock-runtime") -> str:
    members = {"endpoint_url": where.address, "region_name": where.region}
    note = ""
    if where.locked:
        note = "# Reads AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, which `roca keys create NAME` prints.\n"
    else:
        members |= {"aws_access_key_id": "local", "aws_secret_access_key": "local"}
    written = "".join(f"    {name}={literal(value)},\n" for name, value in members.items())
    return f"import boto3\n\n{note}client = boto3.client(\n    {literal(service)},\n{written})\n"


def redteam_command(model: str, guardrail: str, version: str, *, more: Sequence[str] = ()) -> str:
    """The command that attacks a model, with and without a guardrail where one is named.

    >>> redteam_command("roca-mini", "gr4f2k9x", "1")
    'roca redteam roca-mini --guardrail gr4f2k9x:1'
    """
    words = ["roca redteam", quote(model)]
    if guardrail:
        words.append(f"--guardrail {quote(guardrail)}:{quote(version or 'DRAFT')}")
    return " ".join([*words, *more])

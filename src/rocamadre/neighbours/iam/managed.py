"""AWS's own managed policies: those that code around Bedrock attaches. Their documents here are abridged."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from importlib.resources import files
from typing import NamedTuple

import msgspec

from rocamadre.neighbours.iam.ids import steady_id
from rocamadre.neighbours.iam.types import Policy

_MADE_AT = datetime(2015, 2, 6, 18, 39, 46, tzinfo=UTC)


class ManagedPolicy(NamedTuple):
    """One of AWS's policies and what it allows."""

    policy: Policy
    document: str


@lru_cache(maxsize=1)
def managed_policies() -> dict[str, ManagedPolicy]:
    """AWS's managed policies by ARN, in order."""
    text = files(__package__).joinpath("managed.json").read_bytes()
    listed = msgspec.json.decode(text, type=dict[str, list[str]])
    made = [_made(name, actions) for name, actions in sorted(listed.items())]
    return {item.policy.arn: item for item in made}


def _made(path_and_name: str, actions: list[str]) -> ManagedPolicy:
    folder, _, name = path_and_name.rpartition("/")
    path = f"/{folder}/" if folder else "/"
    policy = Policy(
        name=name,
        arn=f"arn:aws:iam::aws:policy{path}{name}",
        path=path,
        id=steady_id("ANPA", path_and_name),
        description="A managed policy of AWS, by its name; the document is abridged, and not enforced.",
        default_version="v1",
        created_at=_MADE_AT,
        updated_at=_MADE_AT,
    )
    statement = {"Effect": "Allow", "Action": actions, "Resource": "*"}
    document = msgspec.json.encode({"Version": "2012-10-17", "Statement": [statement]}).decode()
    return ManagedPolicy(policy, document)

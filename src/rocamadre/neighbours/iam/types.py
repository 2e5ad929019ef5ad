"""Roles and policies. They are remembered, never enforced."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Role:
    """A role.

    Attributes:
        id: `AROA…`.
        trust: The assume role policy document, as it was given.
        max_session_s: Longest session that AssumeRole grants.
        boundary: ARN of the permissions boundary; empty for none.
    """

    name: str
    arn: str
    path: str
    id: str
    trust: str
    description: str
    max_session_s: int
    boundary: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Policy:
    """A managed policy: an account's own, or one of AWS.

    Attributes:
        id: `ANPA…`.
        default_version: For example `v1`.
        attachments: How many roles of the account have it.
    """

    name: str
    arn: str
    path: str
    id: str
    description: str
    default_version: str
    created_at: datetime
    updated_at: datetime
    attachments: int = 0


@dataclass(frozen=True, slots=True)
class PolicyVersion:
    """One version of a managed policy."""

    id: str
    document: str
    is_default: bool
    created_at: datetime

"""A guardrail as it is kept: one version, and what an account enforces."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

DRAFT = "DRAFT"


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a guardrail: the draft, which may change, or a numbered one, which may not.

    Attributes:
        arn: Of the guardrail, without its version.
        id: The last part of it.
        version: DRAFT, or a number from 1.
        name: Unique in account and region.
        description: What the draft, or this version, is for; may be empty.
        policies: Members of CreateGuardrail by name, in their wire form: wordPolicyConfig, ….
        blocked_input: What is answered in place of a prompt that is refused.
        blocked_output: What is answered in place of an answer that is refused.
        kms_key_arn: As given; nothing is encrypted with it. Empty without one.
        profile_arn: The guardrail profile of cross-region inference, as given; every check runs on this machine.
        digest: Of all that decides what this version does.
        created_at: When the guardrail was made.
        updated_at: When this version came to be as it is.
    """

    arn: str
    id: str
    version: str
    name: str
    description: str
    policies: Mapping[str, Any]
    blocked_input: str
    blocked_output: str
    kms_key_arn: str
    profile_arn: str
    digest: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Summary:
    """A line of a listing."""

    arn: str
    id: str
    version: str
    name: str
    description: str
    profile_arn: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Enforced:
    """A version that every inference of an account in a region goes through.

    Attributes:
        config_id: Name of the configuration.
        guardrail_arn: Of the guardrail, without its version.
        version: A number.
        system: COMPREHENSIVE (all system prompts are examined) or SELECTIVE (guardContent blocks where there are any).
        messages: The same for messages.
        included_models: Model ids, or ALL.
        excluded_models: Model ids that are let through.
        created_by: Name of the principal.
        updated_by: The same.
    """

    config_id: str
    guardrail_arn: str
    version: str
    system: str
    messages: str
    included_models: tuple[str, ...]
    excluded_models: tuple[str, ...]
    created_at: datetime
    created_by: str
    updated_at: datetime
    updated_by: str

    def covers(self, model_id: str) -> bool:
        """Whether calls of a model go through it, by the model's id as AWS lists it.

        A configuration without models covers all.
        """
        if model_id in self.excluded_models:
            return False
        return not self.included_models or "ALL" in self.included_models or model_id in self.included_models

"""Policies by name. One file here, one line in this table."""

from __future__ import annotations

from collections.abc import Callable

from rocamadre.core.registry import Registry
from rocamadre.guardrails.policies.protocol import Policy

POLICIES: Registry[Callable[[], Policy]] = Registry(
    "policy",
    {
        "contentPolicy": "rocamadre.guardrails.policies.content:Content",
        "topicPolicy": "rocamadre.guardrails.policies.topics:Topics",
        "wordPolicy": "rocamadre.guardrails.policies.words:Words",
        "sensitiveInformationPolicy": "rocamadre.guardrails.policies.sensitive:SensitiveInformation",
        "contextualGroundingPolicy": "rocamadre.guardrails.policies.grounding:Grounding",
    },
)
"""A policy of the API is loaded when a guardrail configures it; one of another name is loaded for every guardrail."""

CONFIGS = {
    name: f"{name}Config"
    for name in (
        "contentPolicy",
        "topicPolicy",
        "wordPolicy",
        "sensitiveInformationPolicy",
        "contextualGroundingPolicy",
    )
}
"""Members of assessments, and the members of CreateGuardrail that configure them."""

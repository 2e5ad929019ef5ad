"""OpenSearch Serverless: security and access policies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rocamadre.api.neighbours.answers import answers
from rocamadre.api.neighbours.aoss.collections import page
from rocamadre.core.context import Context
from rocamadre.neighbours.aoss import policies
from rocamadre.neighbours.aoss.policies import Policy

_UNENFORCED = "policy: checked for its form and remembered; only encryption policies are asked for, none is enforced."
_TOKEN = "clientToken: accepted; a name that is taken is a conflict all the same."


def _members(policy: Policy, *, whole: bool = True) -> dict[str, Any]:
    members = {
        "type": policy.kind,
        "name": policy.name,
        "policyVersion": policy.version,
        "createdDate": policy.created_ms,
        "lastModifiedDate": policy.modified_ms,
    }
    return (
        members
        | ({"description": policy.description} if policy.description else {})
        | ({"policy": policy.policy} if whole else {})
    )


def _create(ctx: Context, request: Mapping[str, Any]) -> Policy:
    return policies.create_policy(
        ctx, request["type"], request["name"], request["policy"], request.get("description", "")
    )


def _update(ctx: Context, request: Mapping[str, Any]) -> Policy:
    return policies.update_policy(
        ctx,
        request["type"],
        request["name"],
        version=request["policyVersion"],
        policy=request.get("policy"),
        description=request.get("description"),
    )


def _list(ctx: Context, request: Mapping[str, Any], operation: str) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    listed = policies.list_policies(ctx, request["type"], request.get("resource"))
    found, more = page(ctx, listed, request, operation, lambda policy: policy.name)
    return [_members(each, whole=False) for each in found], more


@answers("aoss", "CreateSecurityPolicy", missing=(_UNENFORCED, _TOKEN))
def create_security_policy(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Make an encryption or network policy."""
    return {"securityPolicyDetail": _members(_create(ctx, request))}


@answers("aoss", "GetSecurityPolicy")
def get_security_policy(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Show an encryption or network policy."""
    return {"securityPolicyDetail": _members(policies.get_policy(ctx, request["type"], request["name"]))}


@answers("aoss", "ListSecurityPolicies")
def list_security_policies(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """List policies of a type by name."""
    found, more = _list(ctx, request, "ListSecurityPolicies")
    return {"securityPolicySummaries": found, **more}


@answers("aoss", "UpdateSecurityPolicy", missing=(_UNENFORCED, _TOKEN))
def update_security_policy(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Change an encryption or network policy."""
    return {"securityPolicyDetail": _members(_update(ctx, request))}


@answers("aoss", "DeleteSecurityPolicy", missing=(_TOKEN,))
def delete_security_policy(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Remove an encryption or network policy."""
    policies.delete_policy(ctx, request["type"], request["name"])
    return {}


@answers("aoss", "CreateAccessPolicy", missing=(_UNENFORCED, _TOKEN))
def create_access_policy(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Make a data access policy."""
    return {"accessPolicyDetail": _members(_create(ctx, request))}


@answers("aoss", "GetAccessPolicy")
def get_access_policy(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Show a data access policy."""
    return {"accessPolicyDetail": _members(policies.get_policy(ctx, request["type"], request["name"]))}


@answers("aoss", "ListAccessPolicies")
def list_access_policies(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """List data access policies by name."""
    found, more = _list(ctx, request, "ListAccessPolicies")
    return {"accessPolicySummaries": found, **more}


@answers("aoss", "UpdateAccessPolicy", missing=(_UNENFORCED, _TOKEN))
def update_access_policy(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Change a data access policy."""
    return {"accessPolicyDetail": _members(_update(ctx, request))}


@answers("aoss", "DeleteAccessPolicy", missing=(_TOKEN,))
def delete_access_policy(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Remove a data access policy."""
    policies.delete_policy(ctx, request["type"], request["name"])
    return {}

"""IAM: managed policies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from rocamadre.api.neighbours.answers import answers
from rocamadre.api.neighbours.iam.roles import NOT_ENFORCED, marked_page, tag_list, tags_in
from rocamadre.core.context import Context
from rocamadre.neighbours.iam import policies, roles
from rocamadre.neighbours.iam.types import Policy, PolicyVersion
from rocamadre.store.sql.tags import add_tags, read_tags, remove_tags


def _members(policy: Policy) -> dict[str, Any]:
    return {
        "PolicyName": policy.name,
        "PolicyId": policy.id,
        "Arn": policy.arn,
        "Path": policy.path,
        "DefaultVersionId": policy.default_version,
        "AttachmentCount": policy.attachments,
        "PermissionsBoundaryUsageCount": 0,
        "IsAttachable": True,
        "CreateDate": policy.created_at,
        "UpdateDate": policy.updated_at,
    }


def _version(version: PolicyVersion, *, document: bool = False) -> dict[str, Any]:
    return {
        "Document": quote(version.document, safe="") if document else None,
        "VersionId": version.id,
        "IsDefaultVersion": version.is_default,
        "CreateDate": version.created_at,
    }


def _tags_of(ctx: Context, arn: str) -> list[dict[str, str]]:
    with ctx.platform.sql.connect() as connection:
        return tag_list(read_tags(connection, arn))


@answers("iam", "CreatePolicy", missing=(f"PolicyDocument: {NOT_ENFORCED}",))
def create_policy(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Make a managed policy."""
    tags = tags_in(request)
    policy = policies.create_policy(
        ctx,
        request["PolicyName"],
        request["PolicyDocument"],
        path=request.get("Path", "/"),
        description=request.get("Description", ""),
        tags=tags,
    )
    return {"Policy": {**_members(policy), "Tags": tag_list(tags) or None}}


@answers("iam", "GetPolicy")
def get_policy(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Show a managed policy."""
    policy = policies.get_policy(ctx, request["PolicyArn"])
    tags = _tags_of(ctx, policy.arn)
    return {"Policy": {**_members(policy), "Description": policy.description or None, "Tags": tags or None}}


@answers(
    "iam", "ListPolicies", missing=("Scope=AWS: the policies that code around Bedrock attaches, not all of AWS's.",)
)
def list_policies(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """List managed policies."""
    boundaries = request.get("PolicyUsageFilter") == "PermissionsBoundary"
    listed = policies.list_policies(
        ctx,
        scope=request.get("Scope", "All"),
        path_prefix=request.get("PathPrefix", "/"),
        only_attached=request.get("OnlyAttached", False),
    )
    found, more = marked_page(ctx, [] if boundaries else listed, request, "ListPolicies", lambda policy: policy.arn)
    return {"Policies": [_members(policy) for policy in found], **more}


@answers("iam", "DeletePolicy")
def delete_policy(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Remove a managed policy."""
    policies.delete_policy(ctx, request["PolicyArn"])
    return {}


@answers("iam", "CreatePolicyVersion", missing=(f"PolicyDocument: {NOT_ENFORCED}",))
def create_policy_version(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Add a version."""
    default = request.get("SetAsDefault", False)
    version = policies.create_version(ctx, request["PolicyArn"], request["PolicyDocument"], default=default)
    return {"PolicyVersion": _version(version)}


@answers("iam", "GetPolicyVersion")
def get_policy_version(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Show a version with its document."""
    version = policies.get_version(ctx, request["PolicyArn"], request["VersionId"])
    return {"PolicyVersion": _version(version, document=True)}


@answers("iam", "ListPolicyVersions")
def list_policy_versions(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """List versions, newest first."""
    listed = policies.list_versions(ctx, request["PolicyArn"])
    found, more = marked_page(ctx, listed, request, "ListPolicyVersions", lambda version: version.id)
    return {"Versions": [_version(version) for version in found], **more}


@answers("iam", "DeletePolicyVersion")
def delete_policy_version(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Remove a version that is not the default."""
    policies.delete_version(ctx, request["PolicyArn"], request["VersionId"])
    return {}


@answers("iam", "SetDefaultPolicyVersion")
def set_default_policy_version(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Choose the default version."""
    policies.set_default_version(ctx, request["PolicyArn"], request["VersionId"])
    return {}


@answers("iam", "ListEntitiesForPolicy", missing=("PolicyUsers, PolicyGroups: there are none.",))
def list_entities_for_policy(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """List the roles that a policy is attached to."""
    other = (
        request.get("EntityFilter") not in (None, "Role") or request.get("PolicyUsageFilter") == "PermissionsBoundary"
    )
    prefix = request.get("PathPrefix", "/")
    listed = [
        role for role in roles.roles_with(ctx, request["PolicyArn"]) if role.path.startswith(prefix) and not other
    ]
    found, more = marked_page(ctx, listed, request, "ListEntitiesForPolicy", lambda role: role.id)
    named = [{"RoleName": role.name, "RoleId": role.id} for role in found]
    return {"PolicyRoles": named, "PolicyUsers": [], "PolicyGroups": [], **more}


@answers("iam", "TagPolicy")
def tag_policy(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Add tags to a policy of the account."""
    with ctx.platform.sql.begin() as tx:
        add_tags(tx, policies.find_own_policy(tx, ctx, request["PolicyArn"]).arn, tags_in(request))
    return {}


@answers("iam", "UntagPolicy")
def untag_policy(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Take tags off a policy of the account."""
    with ctx.platform.sql.begin() as tx:
        remove_tags(tx, policies.find_own_policy(tx, ctx, request["PolicyArn"]).arn, request["TagKeys"])
    return {}


@answers("iam", "ListPolicyTags")
def list_policy_tags(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """List a policy's tags."""
    listed = _tags_of(ctx, policies.get_policy(ctx, request["PolicyArn"]).arn)
    found, more = marked_page(ctx, listed, request, "ListPolicyTags", lambda tag: tag["Key"])
    return {"Tags": found, **more}

"""IAM: roles and what is attached to them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import quote

from rocamadre.api.neighbours.answers import answers
from rocamadre.api.neighbours.pages import page_of
from rocamadre.core.context import Context
from rocamadre.neighbours.iam import roles
from rocamadre.neighbours.iam.types import Role
from rocamadre.store.sql.tags import add_tags, read_tags, remove_tags

T = TypeVar("T")

NOT_ENFORCED = "Policies are checked for their form, remembered and never enforced."


def marked_page(
    ctx: Context, items: Sequence[T], request: Mapping[str, Any], operation: str, key: Callable[[T], str]
) -> tuple[list[T], dict[str, Any]]:
    """A page, and the members that tell of the next one."""
    found, marker = page_of(
        ctx,
        items,
        request,
        operation=f"iam:{operation}",
        key=key,
        limit_member="MaxItems",
        token_member="Marker",
        default=100,
    )
    return found, {"IsTruncated": marker is not None, "Marker": marker}


def tags_in(request: Mapping[str, Any]) -> dict[str, str]:
    """A request's tags; of a key that comes twice, the last."""
    return {tag["Key"]: tag["Value"] for tag in request.get("Tags", ())}


def tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Tags as IAM lists them."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def role_members(role: Role) -> dict[str, Any]:
    """A role as every answer shows it."""
    boundary = {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": role.boundary} if role.boundary else None
    return {
        "Path": role.path,
        "RoleName": role.name,
        "RoleId": role.id,
        "Arn": role.arn,
        "CreateDate": role.created_at,
        # As IAM answers documents: percent-encoded. boto3 decodes them.
        "AssumeRolePolicyDocument": quote(role.trust, safe=""),
        "Description": role.description or None,
        "MaxSessionDuration": role.max_session_s,
        "PermissionsBoundary": boundary,
    }


def _tags_of(ctx: Context, arn: str) -> list[dict[str, str]]:
    with ctx.platform.sql.connect() as connection:
        return tag_list(read_tags(connection, arn))


@answers("iam", "CreateRole", missing=(f"AssumeRolePolicyDocument, PermissionsBoundary: {NOT_ENFORCED}",))
def create_role(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Make a role."""
    tags = tags_in(request)
    role = roles.create_role(
        ctx,
        request["RoleName"],
        trust=request["AssumeRolePolicyDocument"],
        path=request.get("Path", "/"),
        description=request.get("Description", ""),
        max_session_s=request.get("MaxSessionDuration", 3600),
        boundary=request.get("PermissionsBoundary", ""),
        tags=tags,
    )
    return {"Role": {**role_members(role), "Tags": tag_list(tags) or None}}


@answers("iam", "GetRole", missing=("RoleLastUsed: never told.",))
def get_role(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Show a role."""
    role = roles.get_role(ctx, request["RoleName"])
    return {"Role": {**role_members(role), "Tags": _tags_of(ctx, role.arn) or None}}


@answers("iam", "ListRoles")
def list_roles(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """List roles by name."""
    listed = roles.list_roles(ctx, path_prefix=request.get("PathPrefix", "/"))
    found, more = marked_page(ctx, listed, request, "ListRoles", lambda role: role.id)
    return {"Roles": [role_members(role) for role in found], **more}


@answers("iam", "UpdateRole")
def update_role(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Change description and longest session."""
    description, longest = request.get("Description"), request.get("MaxSessionDuration")
    roles.update_role(ctx, request["RoleName"], description=description, max_session_s=longest)
    return {}


@answers("iam", "UpdateAssumeRolePolicy", missing=(f"PolicyDocument: {NOT_ENFORCED}",))
def update_assume_role_policy(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Replace a role's trust policy."""
    roles.set_trust(ctx, request["RoleName"], request["PolicyDocument"])
    return {}


@answers("iam", "DeleteRole")
def delete_role(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Remove a role that has no policies left."""
    roles.delete_role(ctx, request["RoleName"])
    return {}


@answers("iam", "AttachRolePolicy", missing=(f"PolicyArn: {NOT_ENFORCED}",))
def attach_role_policy(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Attach a managed policy."""
    roles.attach_policy(ctx, request["RoleName"], request["PolicyArn"])
    return {}


@answers("iam", "DetachRolePolicy")
def detach_role_policy(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Detach a managed policy."""
    roles.detach_policy(ctx, request["RoleName"], request["PolicyArn"])
    return {}


@answers("iam", "ListAttachedRolePolicies")
def list_attached_role_policies(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """List a role's managed policies."""
    listed = roles.attached_policies(ctx, request["RoleName"], path_prefix=request.get("PathPrefix", "/"))
    found, more = marked_page(ctx, listed, request, "ListAttachedRolePolicies", lambda policy: policy.arn)
    return {"AttachedPolicies": [{"PolicyName": item.name, "PolicyArn": item.arn} for item in found], **more}


@answers("iam", "PutRolePolicy", missing=(f"PolicyDocument: {NOT_ENFORCED}",))
def put_role_policy(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Write a policy into a role."""
    roles.put_inline(ctx, request["RoleName"], request["PolicyName"], request["PolicyDocument"])
    return {}


@answers("iam", "GetRolePolicy")
def get_role_policy(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Show a policy written into a role."""
    document = roles.get_inline(ctx, request["RoleName"], request["PolicyName"])
    name = roles.get_role(ctx, request["RoleName"]).name
    return {"RoleName": name, "PolicyName": request["PolicyName"], "PolicyDocument": quote(document, safe="")}


@answers("iam", "ListRolePolicies")
def list_role_policies(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """List the policies written into a role."""
    listed = roles.list_inline(ctx, request["RoleName"])
    found, more = marked_page(ctx, listed, request, "ListRolePolicies", str)
    return {"PolicyNames": found, **more}


@answers("iam", "DeleteRolePolicy")
def delete_role_policy(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Take a policy out of a role."""
    roles.delete_inline(ctx, request["RoleName"], request["PolicyName"])
    return {}


@answers("iam", "ListInstanceProfilesForRole", missing=("There are no instance profiles: the list is always empty.",))
def list_instance_profiles_for_role(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Nothing; asked for by programs that clean up."""
    roles.get_role(ctx, request["RoleName"])
    return {"InstanceProfiles": [], "IsTruncated": False}


@answers("iam", "TagRole")
def tag_role(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Add tags to a role."""
    with ctx.platform.sql.begin() as tx:
        add_tags(tx, roles.find_role(tx, ctx, request["RoleName"]).arn, tags_in(request))
    return {}


@answers("iam", "UntagRole")
def untag_role(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Take tags off a role."""
    with ctx.platform.sql.begin() as tx:
        remove_tags(tx, roles.find_role(tx, ctx, request["RoleName"]).arn, request["TagKeys"])
    return {}


@answers("iam", "ListRoleTags")
def list_role_tags(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """List a role's tags."""
    listed = _tags_of(ctx, roles.get_role(ctx, request["RoleName"]).arn)
    found, more = marked_page(ctx, listed, request, "ListRoleTags", lambda tag: tag["Key"])
    return {"Tags": found, **more}

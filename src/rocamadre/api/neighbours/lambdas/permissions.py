"""Lambda: who may call a function. Remembered and shown, not enforced."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rocamadre.api.neighbours.answers import answers
from rocamadre.core.context import Context
from rocamadre.neighbours.lambdas.errors import FunctionInvalid, PreconditionFailed
from rocamadre.neighbours.lambdas.operations import get_function
from rocamadre.neighbours.lambdas.permissions import add_permission, read_policy, remove_permission


def _check_revision(ctx: Context, request: Mapping[str, Any]) -> None:
    wanted = request.get("RevisionId")
    if wanted and wanted != get_function(ctx, request["FunctionName"], request.get("Qualifier", "")).revision:
        raise PreconditionFailed("The RevisionId provided does not match the latest RevisionId of the function.")


@answers(
    "lambda",
    "AddPermission",
    missing=("Principal, SourceArn, SourceAccount, PrincipalOrgID: remembered and shown, not enforced.",),
)
def add_permission_operation(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Add a statement to a function's policy."""
    _check_revision(ctx, request)
    if request.get("FunctionUrlAuthType") or request.get("InvokedViaFunctionUrl"):
        raise FunctionInvalid("there are no function URLs here: FunctionUrlAuthType is not taken")
    conditions: dict[str, Any] = {}
    for member, operator, key in (
        ("SourceArn", "ArnLike", "AWS:SourceArn"),
        ("SourceAccount", "StringEquals", "AWS:SourceAccount"),
        ("PrincipalOrgID", "StringEquals", "aws:PrincipalOrgID"),
        ("EventSourceToken", "StringEquals", "lambda:EventSourceToken"),
    ):
        if member in request:
            conditions.setdefault(operator, {})[key] = request[member]
    statement = add_permission(
        ctx,
        request["FunctionName"],
        request["StatementId"],
        action=request["Action"],
        principal=request["Principal"],
        conditions=conditions,
        qualifier=request.get("Qualifier", ""),
    )
    return {"Statement": statement}


@answers("lambda", "RemovePermission")
def remove_permission_operation(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Take a statement out of a function's policy."""
    _check_revision(ctx, request)
    remove_permission(ctx, request["FunctionName"], request["StatementId"], request.get("Qualifier", ""))
    return {}


@answers("lambda", "GetPolicy")
def get_policy(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Show a function's policy."""
    qualifier = request.get("Qualifier", "")
    policy = read_policy(ctx, request["FunctionName"], qualifier)
    return {"Policy": policy, "RevisionId": get_function(ctx, request["FunctionName"], qualifier).revision}

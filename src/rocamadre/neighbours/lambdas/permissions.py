"""Who may call a function: statements that are remembered and shown, and not enforced."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy import delete, insert, select
from sqlalchemy.exc import IntegrityError

from rocamadre.core.context import Context
from rocamadre.neighbours.lambdas.errors import FunctionExists, FunctionInvalid, FunctionNotFound
from rocamadre.neighbours.lambdas.names import Named, function_arn, parse_name
from rocamadre.neighbours.lambdas.operations import find_function
from rocamadre.neighbours.lambdas.tables import PERMISSIONS

MAX_POLICY_BYTES = 20_480


def add_permission(
    ctx: Context,
    name: str,
    statement_id: str,
    *,
    action: str,
    principal: str,
    conditions: Mapping[str, Any],
    qualifier: str = "",
) -> str:
    """Add a statement; returns it as JSON.

    Args:
        ctx: Whose.
        name: The function's name or ARN.
        statement_id: Unique in the function (and version).
        action: For example `lambda:InvokeFunction`.
        principal: A service (`bedrock.amazonaws.com`), an account, an ARN or `*`.
        conditions: In the form of a policy's `Condition`.
        qualifier: A version.

    Raises:
        FunctionNotFound: there is no such function or version.
        FunctionExists: there is a statement of this id.
        FunctionInvalid: the policy would exceed 20 kB.
    """
    named = parse_name(ctx, name, qualifier)
    statement: dict[str, Any] = {
        "Sid": statement_id,
        "Effect": "Allow",
        "Principal": _principal(principal),
        "Action": action,
        "Resource": function_arn(ctx, named.name) + (f":{named.qualifier}" if named.qualifier else ""),
    }
    if conditions:
        statement["Condition"] = dict(conditions)
    text = msgspec.json.encode(statement).decode()
    row = {"account": ctx.account, "region": ctx.region, "name": named.name, "qualifier": named.qualifier}
    try:
        with ctx.platform.sql.begin() as tx:
            find_function(tx, ctx, named)
            others = tx.execute(select(PERMISSIONS.c.statement).where(_of(ctx, named))).scalars()
            if sum(map(len, others)) + len(text) > MAX_POLICY_BYTES:
                raise FunctionInvalid(f"the function's policy would have over {MAX_POLICY_BYTES} bytes")
            tx.execute(insert(PERMISSIONS).values(**row, statement_id=statement_id, statement=text))
    except IntegrityError as error:
        raise FunctionExists(
            f"The statement id ({statement_id}) provided already exists. Please provide a new statement id, or remove "
            "the existing statement."
        ) from error
    return text


def remove_permission(ctx: Context, name: str, statement_id: str, qualifier: str = "") -> None:
    """Take a statement away.

    Raises:
        FunctionNotFound: there is no such function or statement.
    """
    named = parse_name(ctx, name, qualifier)
    with ctx.platform.sql.begin() as tx:
        find_function(tx, ctx, named)
        gone = tx.execute(delete(PERMISSIONS).where(_of(ctx, named), PERMISSIONS.c.statement_id == statement_id))
        if gone.rowcount != 1:
            raise FunctionNotFound(f"Statement {statement_id} is not found in resource policy.")


def read_policy(ctx: Context, name: str, qualifier: str = "") -> str:
    """All statements of a function as a policy document.

    Raises:
        FunctionNotFound: there is no such function, or it has no statement.
    """
    named = parse_name(ctx, name, qualifier)
    with ctx.platform.sql.connect() as connection:
        find_function(connection, ctx, named)
        query = select(PERMISSIONS.c.statement).where(_of(ctx, named)).order_by(PERMISSIONS.c.statement_id)
        statements = [msgspec.json.decode(text) for text in connection.execute(query).scalars()]
    if not statements:
        raise FunctionNotFound("The resource you requested does not exist.")
    return msgspec.json.encode({"Version": "2012-10-17", "Id": "default", "Statement": statements}).decode()


def _principal(text: str) -> Any:
    if text == "*":
        return text
    if text.endswith(".amazonaws.com"):
        return {"Service": text}
    return {"AWS": f"arn:aws:iam::{text}:root" if text.isdecimal() else text}


def _of(ctx: Context, named: Named) -> Any:
    table = PERMISSIONS.c
    return (
        (table.account == ctx.account)
        & (table.region == ctx.region)
        & (table.name == named.name)
        & (table.qualifier == named.qualifier)
    )

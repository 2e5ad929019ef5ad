"""The ways in which a function is named."""

from __future__ import annotations

import re
from typing import NamedTuple

from rocamadre.core.arn import make_arn
from rocamadre.core.context import Context
from rocamadre.neighbours.lambdas.errors import FunctionInvalid, FunctionNotFound
from rocamadre.neighbours.lambdas.types import LATEST

_NAME = re.compile(
    r"(?:arn:aws[\w-]*:lambda:(?P<region>[\w-]+):)?(?:(?P<account>\d{12}):)?(?:function:)?"
    r"(?P<name>[A-Za-z0-9_-]{1,64})(?::(?P<qualifier>\$LATEST|[A-Za-z0-9_-]{1,128}))?"
)


class Named(NamedTuple):
    """A function's name, and which version is meant; empty for none in particular."""

    name: str
    qualifier: str

    @property
    def version(self) -> str:
        """The version meant: `$LATEST` for none in particular."""
        return self.qualifier or LATEST


def parse_name(ctx: Context, text: str, qualifier: str = "") -> Named:
    """What a name, a partial ARN or an ARN means.

    Args:
        ctx: Who asks.
        text: For example `f`, `f:1`, `123456789012:function:f`, `arn:aws:lambda:us-east-1:123456789012:function:f`.
        qualifier: Given beside it.

    Raises:
        FunctionInvalid: it is none of these, or names two versions.
        FunctionNotFound: it is another account's or region's.
    """
    match = _NAME.fullmatch(text)
    if match is None:
        raise FunctionInvalid(
            f"{text[:200]!r} names no function; give a name, <account>:function:<name> or an ARN of Lambda"
        )
    if match["account"] not in (None, ctx.account) or match["region"] not in (None, ctx.region):
        raise not_found(ctx, match["name"])
    inside = match["qualifier"] or ""
    if inside and qualifier and inside != qualifier:
        raise FunctionInvalid(f"The derived qualifier from the function name {inside} does not match {qualifier}")
    return Named(match["name"], inside or qualifier)


def function_arn(ctx: Context, name: str) -> str:
    """A function's ARN, without version."""
    return make_arn("lambda", ctx.region, ctx.account, f"function:{name}")


def not_found(ctx: Context, name: str, qualifier: str = "") -> FunctionNotFound:
    """The error for a function, or version, that is not there."""
    arn = function_arn(ctx, name) + (f":{qualifier}" if qualifier else "")
    return FunctionNotFound(f"Function not found: {arn}")

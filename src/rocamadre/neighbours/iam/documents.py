"""Policy documents: read strictly enough that a mistake is found here, not later on AWS."""

from __future__ import annotations

from typing import Any

import msgspec

from rocamadre.neighbours.iam.errors import MalformedPolicy

VERSIONS = ("2012-10-17", "2008-10-17")
_MEMBERS = {"Version", "Id", "Statement"}
_STATEMENT = {
    *("Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition"),
}


def check_document(document: str, *, trust: bool = False) -> None:
    """Check a policy document's form. Which actions and resources exist is not looked at.

    Args:
        document: JSON.
        trust: Whether it says who may assume a role: its statements name a principal and no resource.

    Raises:
        MalformedPolicy: it is none; the message says where.
    """
    try:
        policy = msgspec.json.decode(document)
    except (msgspec.DecodeError, RecursionError) as error:
        raise MalformedPolicy(f"This policy contains invalid Json: {error}") from error
    if not isinstance(policy, dict):
        raise MalformedPolicy("Syntax errors in policy: the document must be a JSON object")
    if unknown := sorted(set(policy) - _MEMBERS):
        raise MalformedPolicy(
            f"Syntax errors in policy: unknown {', '.join(unknown)[:200]}; there are Version, Id and Statement"
        )
    if policy.get("Version", VERSIONS[1]) not in VERSIONS:
        raise MalformedPolicy(f"Syntax errors in policy: Version must be {' or '.join(VERSIONS)}")
    statements = policy.get("Statement")
    statements = [statements] if isinstance(statements, dict) else statements
    if not isinstance(statements, list) or not statements:
        raise MalformedPolicy("Syntax errors in policy: Statement must hold at least one statement")
    for index, statement in enumerate(statements, 1):
        problem = _problem(statement, trust=trust)
        if problem:
            raise MalformedPolicy(f"Syntax errors in policy: statement {index} {problem}")


def _problem(statement: Any, *, trust: bool) -> str:
    if not isinstance(statement, dict):
        return "must be a JSON object"
    if unknown := sorted(set(statement) - _STATEMENT):
        return f"has unknown members: {', '.join(unknown)[:200]}"
    if statement.get("Effect") not in ("Allow", "Deny"):
        return "needs Effect: Allow or Deny"
    problem = _one_of(statement, "Action", "NotAction")
    if problem:
        return problem
    problem = _trust_problem(statement) if trust else _grant_problem(statement)
    if problem:
        return problem
    if not isinstance(statement.get("Condition", {}), dict):
        return "has a Condition that is no JSON object"
    return ""


def _trust_problem(statement: dict[str, Any]) -> str:
    if "Resource" in statement or "NotResource" in statement:
        return "has prohibited field Resource"
    if ("Principal" in statement) == ("NotPrincipal" in statement):
        return "needs Principal"
    return ""


def _grant_problem(statement: dict[str, Any]) -> str:
    if "Principal" in statement or "NotPrincipal" in statement:
        return "should not specify a principal"
    return _one_of(statement, "Resource", "NotResource")


def _one_of(statement: dict[str, Any], name: str, opposite: str) -> str:
    given = [key for key in (name, opposite) if key in statement]
    if len(given) != 1:
        return f"needs either {name} or {opposite}"
    value = statement[given[0]]
    texts = value if isinstance(value, list) else [value]
    if not texts or not all(isinstance(text, str) and text for text in texts):
        return f"has a {given[0]} that is neither text nor a list of texts"
    return ""

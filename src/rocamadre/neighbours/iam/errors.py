"""IAM's errors, by its own codes."""

from __future__ import annotations

from rocamadre.core.errors import Conflict, InvalidRequest, NotFound, QuotaExceeded


class NoSuchEntity(NotFound):
    """The role or policy does not exist."""

    codes = ("NoSuchEntity",)


class EntityAlreadyExists(Conflict):
    """A role or policy of this name exists."""

    codes = ("EntityAlreadyExists",)


class DeleteConflict(Conflict):
    """Something still depends on it."""

    codes = ("DeleteConflict",)


class MalformedPolicy(InvalidRequest):
    """The policy document is no JSON, or lacks what a policy has."""

    codes = ("MalformedPolicyDocument", "InvalidInput")


class InvalidInput(InvalidRequest):
    """A parameter is not valid."""

    codes = ("InvalidInput",)


class LimitExceeded(QuotaExceeded):
    """A limit on how many may exist is reached."""

    codes = ("LimitExceeded",)

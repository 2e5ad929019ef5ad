"""Amazon Resource Names."""

from __future__ import annotations

from typing import NamedTuple

from rocamadre.core.errors import InvalidRequest


class Arn(NamedTuple):
    """One ARN, taken apart: `arn:partition:service:region:account:resource`.

    >>> Arn.parse("arn:aws:bedrock:us-east-1::foundation-model/x").kind
    'foundation-model'
    """

    partition: str
    service: str
    region: str
    account: str
    resource: str

    @classmethod
    def parse(cls, text: str) -> Arn:
        """Take an ARN apart.

        Raises:
            InvalidRequest: `text` does not have six parts.
        """
        parts = text.split(":", 5)
        if len(parts) != 6 or parts[0] != "arn" or not parts[5]:
            raise InvalidRequest(f"{text!r} is not an ARN; expected arn:aws:<service>:<region>:<account>:<resource>")
        return cls(*parts[1:])

    @property
    def kind(self) -> str:
        """The resource's type, the part before the first `/`."""
        return self.resource.partition("/")[0]

    @property
    def id(self) -> str:
        """What follows the resource's type."""
        return self.resource.partition("/")[2]

    def __str__(self) -> str:
        return f"arn:{self.partition}:{self.service}:{self.region}:{self.account}:{self.resource}"


def make_arn(service: str, region: str, account: str, resource: str) -> str:
    """The ARN of a resource in the `aws` partition."""
    return str(Arn("aws", service, region, account, resource))

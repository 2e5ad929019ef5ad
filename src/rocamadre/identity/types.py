"""Keys that open the platform."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from rocamadre.core.context import Principal

KeyKind = Literal["signing", "bearer"]


@dataclass(frozen=True, slots=True)
class Key:
    """A key, without its secret.

    Attributes:
        id: The access key id of a signing key; what follows `roca-` in a bearer key.
        name: What its owner calls it; unique in the account.
        kind: `signing` for AWS Signature Version 4, `bearer` for an API key.
        account: Twelve digits.
        last_four: The secret's last four characters.
        expires_at: None for never.
    """

    id: str
    name: str
    kind: KeyKind
    account: str
    last_four: str
    created_at: datetime
    expires_at: datetime | None = None

    def expired(self, now: datetime) -> bool:
        """Whether it no longer opens anything."""
        return self.expires_at is not None and now >= self.expires_at


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key just made; the secret is shown this once and kept nowhere in the clear.

    Attributes:
        secret: The secret access key, or the whole bearer key.
    """

    key: Key
    secret: str

    def __repr__(self) -> str:
        return f"NewKey({self.key!r}, secret=…)"


@dataclass(frozen=True, slots=True)
class SigningKey:
    """What checking a signature takes, and whom the signature then speaks for."""

    secret: str
    principal: Principal

    def __repr__(self) -> str:
        return f"SigningKey(secret=…, principal={self.principal!r})"


@dataclass(frozen=True, slots=True)
class NewSession:
    """Temporary credentials just made; secret and token are shown this once.

    Attributes:
        principal: Whom they speak for.
    """

    access_key_id: str
    secret: str
    token: str
    principal: Principal
    expires_at: datetime

    def __repr__(self) -> str:
        return f"NewSession({self.access_key_id!r}, secret=…, token=…, principal={self.principal!r})"

"""Identifiers as AWS shapes them."""

from __future__ import annotations

import secrets
import uuid

ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"


def short_id(length: int = 12) -> str:
    """A random resource id of lower-case letters and digits, `length` characters long."""
    return "".join(secrets.choice(ALPHABET) for _ in range(length))


def request_id() -> str:
    """A random id for one request, in UUID form."""
    return str(uuid.UUID(bytes=secrets.token_bytes(16), version=4))

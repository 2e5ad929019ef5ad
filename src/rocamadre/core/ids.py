"""Identifiers as AWS shapes them."""

from __future__ import annotations

import random
import secrets

ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"


def short_id(length: int = 12) -> str:
    """A random resource id of lower-case letters and digits, `length` characters long."""
    return "".join(secrets.choice(ALPHABET) for _ in range(length))


def request_id() -> str:
    """A random id for one request, in UUID form. Not a secret: it only tells requests apart, and must cost nothing."""
    digits = f"{random.getrandbits(128):032x}"
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"

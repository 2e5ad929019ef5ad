"""Ids as IAM shapes them."""

from __future__ import annotations

import base64
import hashlib
import secrets

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


def unique_id(prefix: str) -> str:
    """A random id: a prefix that tells the kind (`AROA` for roles), and 17 letters and digits."""
    return prefix + "".join(secrets.choice(_ALPHABET) for _ in range(17))


def steady_id(prefix: str, name: str) -> str:
    """The id of what has no row of its own: the same for a name every time."""
    return prefix + base64.b32encode(hashlib.sha256(name.encode()).digest()).decode()[:17]

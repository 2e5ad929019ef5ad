"""Names of buckets and keys. Both come from outside, and neither ever becomes a path."""

from __future__ import annotations

import re

from rocamadre.store.objects.errors import InvalidBucketName, InvalidKey, KeyTooLong

LONGEST_KEY_BYTES = 1024

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_ADDRESS = re.compile(r"[0-9]{1,3}(\.[0-9]{1,3}){3}")


def check_bucket_name(name: str) -> str:
    """The name, if S3 takes it for a new bucket.

    Raises:
        InvalidBucketName: it does not.
    """
    if not _BUCKET.fullmatch(name) or ".." in name or _ADDRESS.fullmatch(name):
        raise InvalidBucketName(
            f"the bucket name {name[:80]!r} is not valid: 3 to 63 lower-case letters, digits, dots and hyphens, a "
            "letter or digit at both ends, no two dots together, not an IP address"
        )
    return name


def encode_key(key: str) -> bytes:
    r"""A key as it is stored and ordered: its UTF-8 form.

    Raises:
        InvalidKey: it is empty, or no UTF-8.
        KeyTooLong: it has more than 1024 bytes.

    >>> encode_key("../../é")
    b'../../\xc3\xa9'
    """
    try:
        encoded = key.encode()
    except UnicodeEncodeError:
        raise InvalidKey("the key holds half a surrogate pair; keys are UTF-8 text") from None
    if not encoded:
        raise InvalidKey("the key is empty; a key is 1 to 1024 bytes of UTF-8")
    if len(encoded) > LONGEST_KEY_BYTES:
        raise KeyTooLong(f"the key has {len(encoded)} bytes; at most {LONGEST_KEY_BYTES} are allowed")
    return encoded


def after_prefix(prefix: bytes) -> bytes | None:
    """The least key after all that begin with the prefix; None if there is none.

    >>> after_prefix(b"a/"), after_prefix(b"")
    (b'a0', None)
    """
    stripped = prefix.rstrip(b"\xff")
    return stripped[:-1] + bytes([stripped[-1] + 1]) if stripped else None

"""Pages of a listing, and the tokens that lead from one to the next.

A token says where the page before ended: eight bytes of the hash of each of its last items, and its position. The
next page begins after the last of those items that is still there, so that what is added or deleted in between
neither repeats nor hides an item that stayed; only when all of them are gone does the position decide, and then as
many items as were deleted before it may be missed. Tokens are authenticated with a secret of the home folder, bound
to operation, account, region and the request's other members (its limit may change), and live for 24 hours.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import os
import secrets
import struct
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from rocamadre.core.context import Context
from rocamadre.core.errors import InvalidRequest

T = TypeVar("T")

TOKEN_MEMBER = "nextToken"
LIMIT_MEMBERS = ("maxResults", "maxItems")
LIFETIME_S = 24 * 3600

_HEAD = struct.Struct(">BQI")
"""Format, second of issue, position."""
_FORMAT = 1
_BINDING = 16
_MAC = 16
_MARK = 8
_MOST_MARKS = 8
_SECRET = 32


def page(
    ctx: Context,
    items: Sequence[T],
    *,
    request: Mapping[str, Any],
    operation: str,
    key: Callable[[T], str],
    default: int = 100,
) -> tuple[list[T], str | None]:
    """One page of a listing.

    Args:
        ctx: Whose listing.
        items: All of them, in the order of the listing, which must not depend on the page.
        request: By member name; `maxResults` (or `maxItems`) and `nextToken` are read here.
        operation: Its name; a token of another operation is refused.
        key: What names an item for good (its ARN, say); no two items share it.
        default: Items on a page when the request does not say.

    Returns:
        The page and the next one's token; None on the last page.

    Raises:
        InvalidRequest: the token was not issued here for this request, was altered, or is older than a day.
    """
    secret = paging_secret(ctx.platform.settings.home)
    binding = _binding(ctx, operation, request)
    now_s = int(ctx.platform.clock.now().timestamp())
    token = request.get(TOKEN_MEMBER)
    start = 0 if token is None else _resume(_opened(token, secret, binding, now_s), items, key)
    limit = next((request[name] for name in LIMIT_MEMBERS if request.get(name) is not None), default)
    end = start + max(1, limit)
    if end >= len(items):
        return list(items[start:]), None
    marks = b"".join(_mark(key(item)) for item in items[max(start, end - _MOST_MARKS) : end])
    content = _HEAD.pack(_FORMAT, now_s, end) + marks
    sealed = hmac.digest(secret, binding + content, "sha256")[:_MAC] + content
    return list(items[start:end]), _text(sealed)


def _text(sealed: bytes) -> str:
    return base64.urlsafe_b64encode(sealed).decode().rstrip("=")


def _binding(ctx: Context, operation: str, request: Mapping[str, Any]) -> bytes:
    others = {name: value for name, value in request.items() if name != TOKEN_MEMBER and name not in LIMIT_MEMBERS}
    whole = msgspec.json.encode([operation, ctx.account, ctx.region, others], order="sorted")
    return sha256(whole).digest()[:_BINDING]


def _opened(token: str, secret: bytes, binding: bytes, now_s: int) -> tuple[int, list[bytes]]:
    """Position and marks of a token that is ours."""
    try:
        sealed = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise _invalid() from None
    mac, content = sealed[:_MAC], sealed[_MAC:]
    if _text(sealed) != token or not hmac.compare_digest(hmac.digest(secret, binding + content, "sha256")[:_MAC], mac):
        raise _invalid()
    form, issued_s, position = _HEAD.unpack_from(content)
    if form != _FORMAT or now_s - issued_s > LIFETIME_S:
        raise InvalidRequest("The provided nextToken is invalid: it has expired after 24 hours; list again without it.")
    marks = content[_HEAD.size :]
    return position, [marks[at : at + _MARK] for at in range(0, len(marks), _MARK)]


def _invalid() -> InvalidRequest:
    return InvalidRequest(
        "The provided nextToken is invalid: pass the token of the page before unchanged, with the same operation, "
        "region, credentials and filters."
    )


def _resume(place: tuple[int, list[bytes]], items: Sequence[T], key: Callable[[T], str]) -> int:
    """Where the next page begins."""
    position, marks = place
    if not marks:
        return min(position, len(items))
    # Most often nothing has changed, and one comparison tells.
    if position <= len(items) and _mark(key(items[position - 1])) == marks[-1]:
        return position
    places = {_mark(key(item)): at for at, item in enumerate(items)}
    for mark in reversed(marks):
        if mark in places:
            return places[mark] + 1
    return min(position, len(items))


def _mark(name: str) -> bytes:
    return sha256(name.encode()).digest()[:_MARK]


@lru_cache(maxsize=16)
def paging_secret(home: Path) -> bytes:
    """The home's secret for tokens, made when first asked for: `keys/paging.key`, readable by its owner only."""
    path = home / "keys" / "paging.key"
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}.tmp")
    damaged = path.is_file() and path.stat().st_size != _SECRET
    try:
        if damaged or not path.is_file():
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(secrets.token_bytes(_SECRET))
            if damaged:
                temporary.replace(path)  # Whatever it sealed is lost anyway.
            else:
                os.link(temporary, path)  # Fails if another process was first; then its secret holds.
    except FileExistsError:
        pass
    finally:
        temporary.unlink(missing_ok=True)
    return path.read_bytes()

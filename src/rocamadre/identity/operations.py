"""Make, list, revoke and look up keys. No function needs a server; lookups are remembered for a second."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import string
import threading
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Engine as SqlEngine
from sqlalchemy import delete, insert, or_, select
from sqlalchemy.exc import IntegrityError

from rocamadre.core.clock import Clock
from rocamadre.core.context import Principal
from rocamadre.core.errors import Conflict, InvalidRequest, NotFound
from rocamadre.core.ids import short_id
from rocamadre.identity.tables import KEYS
from rocamadre.identity.types import Key, KeyKind, NewKey, SigningKey
from rocamadre.identity.vault import seal, unseal

DEFAULT_ACCOUNT = "123456789012"
BEARER_PREFIX = "roca-"
TTL_S = 1.0
"""How long a key revoked by another process may still open."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _.@-]{0,63}")
_ACCOUNT = re.compile(r"[0-9]{12}")
_BEARER = re.compile(BEARER_PREFIX + r"([a-z0-9]{12})-[A-Za-z0-9_-]{43}")
_MAX_REMEMBERED = 4096
_NO_DIGEST = hashlib.sha256(b"").hexdigest()


@dataclass(frozen=True, slots=True)
class _Opened:
    key: Key
    sealed: str
    secret: str = ""


@dataclass(slots=True)
class _Memory:
    found: dict[str, tuple[float, _Opened | None]] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)


_memories: WeakKeyDictionary[SqlEngine, _Memory] = WeakKeyDictionary()
_memories_lock = threading.Lock()


def create_key(
    sql: SqlEngine,
    home: Path,
    clock: Clock,
    *,
    name: str,
    kind: KeyKind = "signing",
    account: str = DEFAULT_ACCOUNT,
    access_key_id: str | None = None,
    expires_in_s: float | None = None,
) -> NewKey:
    """Make a key. Its secret is in the answer and, in the clear, nowhere else.

    Args:
        sql: The platform's database.
        home: The state folder; holds the key file.
        clock: The time.
        name: Letters, digits, space and `_.@-`, at most 64; unique in the account.
        kind: `signing` for AWS Signature Version 4, `bearer` for an API key.
        account: Twelve digits; the resources that the key sees.
        access_key_id: For a signing key that must have this id; twelve digits are the account as well.
        expires_in_s: Seconds until it opens nothing; None for never.

    Raises:
        InvalidRequest: an argument is not of its form.
        Conflict: the name or the access key id is taken, or the key file does not fit.
    """
    if access_key_id is not None and _ACCOUNT.fullmatch(access_key_id):
        account = access_key_id
    _check(name, kind, account, access_key_id, expires_in_s)
    now = clock.now()
    expires_at = None if expires_in_s is None else now + timedelta(seconds=expires_in_s)
    if kind == "signing":
        key_id = access_key_id or "AKIA" + "".join(secrets.choice(string.ascii_uppercase + "234567") for _ in range(16))
        secret = secrets.token_urlsafe(30)
        sealed = seal(home, secret)
    else:
        key_id = short_id(12)
        secret = f"{BEARER_PREFIX}{key_id}-{secrets.token_urlsafe(32)}"
        sealed = hashlib.sha256(secret.encode()).hexdigest()
    key = Key(key_id, name, kind, account, secret[-4:], now, expires_at)
    row = {
        "id": key.id,
        "name": name,
        "kind": kind,
        "account": account,
        "sealed": sealed,
        "last_four": key.last_four,
        "created_at": now.isoformat(),
        "expires_at": None if expires_at is None else expires_at.isoformat(),
    }
    try:
        with sql.begin() as tx:
            tx.execute(insert(KEYS).values(row))
    except IntegrityError as error:
        raise Conflict(
            f"account {account} has a key called {name!r}, or the access key id {key.id} is taken; "
            "choose another name or revoke the old key"
        ) from error
    forget(sql)
    return NewKey(key, secret)


def list_keys(sql: SqlEngine, home: Path, clock: Clock, *, account: str | None = None) -> list[Key]:
    """All keys, or one account's, oldest first; expired ones too."""
    query = select(KEYS).order_by(KEYS.c.created_at, KEYS.c.id)
    if account is not None:
        query = query.where(KEYS.c.account == account)
    with sql.connect() as connection:
        return [_key(row) for row in connection.execute(query)]


def revoke_key(sql: SqlEngine, home: Path, clock: Clock, name_or_id: str, *, account: str | None = None) -> Key:
    """Take a key away. This process refuses it at once, others within a second.

    Args:
        sql: The platform's database.
        home: The state folder.
        clock: The time.
        name_or_id: The key's name or id.
        account: Needed only when keys of several accounts have this name.

    Raises:
        NotFound: no key is called so.
        Conflict: several are.
    """
    query = select(KEYS).where(or_(KEYS.c.id == name_or_id, KEYS.c.name == name_or_id))
    if account is not None:
        query = query.where(KEYS.c.account == account)
    with sql.begin() as tx:
        rows = tx.execute(query).all()
        if not rows:
            raise NotFound(f"no key is called {name_or_id!r}; `roca keys list` shows those that exist")
        if len(rows) > 1:
            raise Conflict(
                f"{len(rows)} keys are called {name_or_id!r}: {', '.join(row.id for row in rows)}; give the id"
            )
        tx.execute(delete(KEYS).where(KEYS.c.id == rows[0].id))
    forget(sql)
    return _key(rows[0])


def find_signing_key(sql: SqlEngine, home: Path, clock: Clock, access_key_id: str) -> SigningKey | None:
    """What an access key id stands for; None if unknown, revoked or expired.

    Raises:
        Conflict: the key file does not fit the stored keys.
    """
    opened = _find(sql, home, clock, access_key_id, "signing")
    return None if opened is None else SigningKey(opened.secret, Principal(opened.key.id, opened.key.account))


def find_bearer(sql: SqlEngine, home: Path, clock: Clock, token: str) -> Principal | None:
    """Whom a bearer key stands for; None if wrong, revoked or expired. The comparison takes constant time."""
    match = _BEARER.fullmatch(token)
    opened = None if match is None else _find(sql, home, clock, match[1], "bearer")
    digest = hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
    same = hmac.compare_digest(digest, _NO_DIGEST if opened is None else opened.sealed)
    return Principal(opened.key.name, opened.key.account) if opened is not None and same else None


def forget(sql: SqlEngine) -> None:
    """Look keys up again; after a change made by this process."""
    memory = _memory(sql)
    with memory.lock:
        memory.found.clear()
        memory.secrets.clear()


def _check(name: str, kind: str, account: str, access_key_id: str | None, expires_in_s: float | None) -> None:
    if not _NAME.fullmatch(name):
        raise InvalidRequest(f"the key's name {name!r} must be 1 to 64 letters, digits, spaces or _.@-")
    if kind not in ("signing", "bearer"):
        raise InvalidRequest(f"the kind {kind!r} is neither 'signing' nor 'bearer'")
    if not _ACCOUNT.fullmatch(account):
        raise InvalidRequest(f"the account {account!r} must be twelve digits")
    if access_key_id is not None and (
        kind != "signing" or not re.fullmatch(r"[0-9]{12}|[A-Z0-9]{16,128}", access_key_id)
    ):
        raise InvalidRequest(
            "an access key id is twelve digits or 16 to 128 capital letters and digits; signing keys only"
        )
    if expires_in_s is not None and not 0 < expires_in_s <= 3_153_600_000:
        raise InvalidRequest(f"expires_in_s is {expires_in_s}; it must be over 0 and at most a hundred years")


def _memory(sql: SqlEngine) -> _Memory:
    memory = _memories.get(sql)
    if memory is None:
        with _memories_lock:
            memory = _memories.setdefault(sql, _Memory())
    return memory


def _find(sql: SqlEngine, home: Path, clock: Clock, key_id: str, kind: KeyKind) -> _Opened | None:
    memory, now = _memory(sql), clock.monotonic()
    hit = memory.found.get(key_id)
    if hit is None or now >= hit[0]:
        opened = _read(sql, home, memory, key_id)
        with memory.lock:
            if len(memory.found) >= _MAX_REMEMBERED:
                memory.found.clear()
            memory.found[key_id] = (now + TTL_S, opened)
    else:
        opened = hit[1]
    if opened is None or opened.key.kind != kind or opened.key.expired(clock.now()):
        return None
    return opened


def _read(sql: SqlEngine, home: Path, memory: _Memory, key_id: str) -> _Opened | None:
    with sql.connect() as connection:
        row = connection.execute(select(KEYS).where(KEYS.c.id == key_id)).one_or_none()
    if row is None:
        return None
    key = _key(row)
    if key.kind == "bearer":
        return _Opened(key, row.sealed)
    secret = memory.secrets.get(row.sealed)
    if secret is None:
        secret = memory.secrets.setdefault(row.sealed, unseal(home, row.sealed))
    return _Opened(key, row.sealed, secret)


def _key(row: Any) -> Key:
    expires_at = None if row.expires_at is None else datetime.fromisoformat(row.expires_at)
    created_at = datetime.fromisoformat(row.created_at)
    return Key(row.id, row.name, row.kind, row.account, row.last_four, created_at, expires_at)

"""Temporary credentials: an access key that opens nothing without its session token, and only until it expires."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import string
import threading
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from weakref import WeakKeyDictionary

from sqlalchemy import Engine as SqlEngine
from sqlalchemy import delete, insert, select

from rocamadre.core.clock import Clock
from rocamadre.core.context import Principal
from rocamadre.core.errors import CommonError
from rocamadre.identity.operations import find_signing_key
from rocamadre.identity.tables import SESSIONS
from rocamadre.identity.types import NewSession, SigningKey
from rocamadre.identity.vault import seal, unseal

PREFIX = "ASIA"
"""Of access key ids of temporary credentials; those of long-term keys begin with AKIA."""

_KEPT_FOR = timedelta(days=1)
"""How long after its end a session is remembered, to be called expired and not unknown."""
_MAX_REMEMBERED = 4096


@dataclass(frozen=True, slots=True)
class _Session:
    key: SigningKey
    token_hash: str
    expires_at: datetime


_remembered: WeakKeyDictionary[SqlEngine, dict[str, _Session]] = WeakKeyDictionary()
_lock = threading.Lock()


def create_session(sql: SqlEngine, home: Path, clock: Clock, *, principal: Principal, duration_s: int) -> NewSession:
    """Make temporary credentials.

    Args:
        sql: The platform's database.
        home: The state folder; holds the key file.
        clock: The time.
        principal: Whom they speak for; its name goes to the log.
        duration_s: Seconds until they open nothing.

    Raises:
        Conflict: the key file does not fit.
    """
    now = clock.now()
    made = NewSession(
        access_key_id=PREFIX + "".join(secrets.choice(string.ascii_uppercase + "234567") for _ in range(16)),
        secret=secrets.token_urlsafe(30),
        token=secrets.token_urlsafe(96),
        principal=principal,
        expires_at=(now + timedelta(seconds=duration_s)).replace(microsecond=0),
    )
    row = {
        "access_key_id": made.access_key_id,
        "account": principal.account,
        "principal": principal.name,
        "sealed": seal(home, made.secret),
        "token_hash": _hash(made.token),
        "created_at": now.isoformat(),
        "expires_at": made.expires_at.isoformat(),
    }
    with sql.begin() as tx:
        tx.execute(delete(SESSIONS).where(SESSIONS.c.expires_at < (now - _KEPT_FOR).isoformat()))
        tx.execute(insert(SESSIONS).values(row))
    return made


def find_credential(
    sql: SqlEngine, home: Path, clock: Clock, access_key_id: str, token: str | None
) -> SigningKey | None:
    """What an access key stands for, long-term or temporary; None if it is unknown or its token is not its own.

    Args:
        sql: The platform's database.
        home: The state folder.
        clock: The time.
        access_key_id: As the client claims.
        token: The session token that came with it; None if none did.

    Raises:
        CommonError: it was temporary, and has expired (ExpiredTokenException, 403).
        Conflict: the key file does not fit the stored keys.
    """
    if token is None:
        # A temporary key without its token is nobody's.
        return find_signing_key(sql, home, clock, access_key_id)
    session = _find(sql, home, access_key_id)
    if session is None or not hmac.compare_digest(_hash(token), session.token_hash):
        return None
    _check_time(session, clock)
    return session.key


def find_principal(sql: SqlEngine, home: Path, clock: Clock, access_key_id: str) -> Principal | None:
    """Whom temporary credentials speak for, for a server that verifies no signatures; None if they are unknown.

    Raises:
        CommonError: they have expired (ExpiredTokenException, 403).
    """
    if not access_key_id.startswith(PREFIX):
        return None
    session = _find(sql, home, access_key_id)
    if session is None:
        return None
    _check_time(session, clock)
    return session.key.principal


def _check_time(session: _Session, clock: Clock) -> None:
    if clock.now() >= session.expires_at:
        raise CommonError("ExpiredTokenException", 403, "The security token included in the request is expired")


def _find(sql: SqlEngine, home: Path, access_key_id: str) -> _Session | None:
    """A session by its access key. Sessions never change, so that what was found once need not be read again."""
    with _lock:
        known = _remembered.setdefault(sql, {})
        session = known.get(access_key_id)
    if session is not None:
        return session
    with sql.connect() as connection:
        row = connection.execute(select(SESSIONS).where(SESSIONS.c.access_key_id == access_key_id)).one_or_none()
    if row is None:
        return None
    key = SigningKey(unseal(home, row.sealed), Principal(row.principal, row.account))
    session = _Session(key, row.token_hash, datetime.fromisoformat(row.expires_at))
    with _lock:
        if len(known) >= _MAX_REMEMBERED:
            known.clear()
        known[access_key_id] = session
    return session


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()

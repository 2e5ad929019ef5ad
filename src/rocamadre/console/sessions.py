"""Who is logged in: keys stay in this process's memory, the browser holds only a signed name for them."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rocamadre.console.api import Credentials

LIFETIME_S = 12 * 3600
"""After so long one has to log in again."""

_MOST_SESSIONS = 1000
_WINDOW_S = 60.0
_PER_ADDRESS = 5
_ALTOGETHER = 30
_SECRET_FILE = "console.secret"


@dataclass(frozen=True, slots=True)
class Session:
    """One visitor who has logged in.

    Attributes:
        id: Unguessable; what the cookie names.
        ends: On the store's clock.
    """

    id: str
    credentials: Credentials
    ends: float


class Sessions:
    """Those who are logged in, forgotten when the console ends.

    Args:
        secret: Signs the cookies.
        clock: Seconds from any fixed moment.
    """

    def __init__(self, secret: bytes, clock: Callable[[], float] = time.monotonic) -> None:
        self._secret = secret
        self._clock = clock
        self._open: dict[str, Session] = {}

    def begin(self, credentials: Credentials) -> str:
        """Let somebody in; returns the cookie's value."""
        self._sweep()
        while len(self._open) >= _MOST_SESSIONS:
            self._open.pop(next(iter(self._open)))
        name = secrets.token_urlsafe(32)
        self._open[name] = Session(name, credentials, self._clock() + LIFETIME_S)
        return f"{name}.{self._sign(name)}"

    def find(self, cookie: str) -> Session | None:
        """Whose cookie it is; None for a forged, ended or unknown one."""
        name, _, signature = cookie.partition(".")
        if not hmac.compare_digest(signature.encode(), self._sign(name).encode()):
            return None
        session = self._open.get(name)
        if session is None or session.ends <= self._clock():
            return None
        return session

    def end(self, session: Session) -> None:
        """Log out."""
        self._open.pop(session.id, None)

    def any(self) -> Session | None:
        """Somebody who is logged in now, whose key may ask for what everybody sees."""
        self._sweep()
        return next(iter(self._open.values()), None)

    def _sweep(self) -> None:
        now = self._clock()
        for name in [name for name, session in self._open.items() if session.ends <= now]:
            del self._open[name]

    def _sign(self, name: str) -> str:
        return hmac.new(self._secret, name.encode(), hashlib.sha256).hexdigest()


class Attempts:
    """Counts logins that failed: few per address and minute, and not many altogether.

    Args:
        clock: Seconds from any fixed moment.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failed: deque[tuple[float, str]] = deque(maxlen=_ALTOGETHER)

    def allowed(self, address: str) -> bool:
        """Whether another attempt from there is looked at."""
        since = self._clock() - _WINDOW_S
        recent = [each for at, each in self._failed if at > since]
        return len(recent) < _ALTOGETHER and recent.count(address) < _PER_ADDRESS

    def failed(self, address: str) -> None:
        """One more."""
        self._failed.append((self._clock(), address))

    def forgive(self, address: str) -> None:
        """Somebody there had the right key."""
        kept = [item for item in self._failed if item[1] != address]
        self._failed.clear()
        self._failed.extend(kept)


def read_secret(home: Path) -> bytes:
    """The key that signs cookies, made when there is none; its file is readable by its owner only."""
    path = home / "keys" / _SECRET_FILE
    try:
        return path.read_bytes()
    except FileNotFoundError:
        pass
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = path.with_name(f".{_SECRET_FILE}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(secrets.token_bytes(32))
    try:
        os.link(temporary, path)
    except FileExistsError:
        pass  # Another console was quicker; both use its key.
    finally:
        temporary.unlink()
    return path.read_bytes()

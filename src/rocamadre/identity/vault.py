"""The key file that encrypts signing secrets: a server must know them, unlike bearer keys, to check a signature."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken

from rocamadre.core.errors import Conflict

MODE = 0o600


def seal(home: Path, secret: str) -> str:
    """Encrypt a secret under the home's key file, made first if need be."""
    return _cipher(home).encrypt(secret.encode()).decode("ascii")


def unseal(home: Path, sealed: str) -> str:
    """Decrypt what `seal` made.

    Raises:
        Conflict: the key file is another one than the secret was sealed with.
    """
    try:
        return _cipher(home).decrypt(sealed.encode("ascii")).decode()
    except InvalidToken as error:
        raise Conflict(
            "keys/master.key does not open the stored signing keys: restore the file they were made with, "
            "or revoke them and make new ones"
        ) from error


def _cipher(home: Path) -> Fernet:
    path = home / "keys" / "master.key"
    if not path.exists():
        _create(path)
    mode = path.stat().st_mode & 0o777
    if mode & 0o077:
        raise Conflict(f"keys/master.key has mode {mode:o}, so others can read it; set it to {MODE:o}")
    try:
        return Fernet(path.read_bytes().strip())
    except ValueError as error:
        raise Conflict("keys/master.key is damaged: restore it, or remove it and make new keys") from error


def _create(path: Path) -> None:
    """Make the file whole or not at all; of two processes at once, one wins and both use its key."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = path.with_name(f".master.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, MODE)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(Fernet.generate_key())
            stream.flush()
            os.fsync(stream.fileno())
        try:
            os.link(temporary, path)
        except FileExistsError:
            return
    finally:
        temporary.unlink()

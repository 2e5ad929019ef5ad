from __future__ import annotations

import hashlib
import os
import stat
import threading
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from rocamadre.core.clock import FixedClock
from rocamadre.core.context import Principal
from rocamadre.core.errors import Conflict, InvalidRequest, NotFound
from rocamadre.identity.operations import (
    create_key,
    find_bearer,
    find_signing_key,
    list_keys,
    revoke_key,
)
from rocamadre.identity.tables import KEYS
from rocamadre.identity.vault import seal, unseal
from rocamadre.store.sql.database import open_database


@pytest.fixture
def place(tmp_path):
    clock = FixedClock(datetime(2026, 11, 20, tzinfo=UTC))
    sql = open_database(tmp_path)
    yield sql, tmp_path, clock
    sql.dispose()


def test_a_signing_key_is_found_and_its_secret_lies_nowhere_in_the_clear(place):
    _sql, home, _ = place
    made = create_key(*place, name="laptop")
    assert made.key.id.startswith("AKIA")
    assert len(made.key.id) == 20
    found = find_signing_key(*place, made.key.id)
    assert (found.secret, found.principal) == (made.secret, Principal(made.key.id, "123456789012"))
    assert made.secret not in repr(found)
    stored = b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file())
    assert made.key.id.encode() in stored
    assert made.secret.encode() not in stored
    assert made.secret not in repr(made)


def test_a_bearer_key_is_stored_as_its_hash(place):
    sql, home, _ = place
    made = create_key(*place, name="app", kind="bearer", account="210987654321")
    assert find_bearer(*place, made.secret) == Principal("app", "210987654321")
    with sql.connect() as connection:
        assert connection.execute(KEYS.select()).one().sealed == hashlib.sha256(made.secret.encode()).hexdigest()
    assert made.secret.encode() not in b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file())
    assert not (home / "keys").exists()


@pytest.mark.parametrize("change", [lambda t: t[:-1] + ("A" if t[-1] != "A" else "B"), lambda t: t + "x", lambda t: ""])
def test_a_wrong_bearer_key_opens_nothing(place, change):
    made = create_key(*place, name="app", kind="bearer")
    assert find_bearer(*place, change(made.secret)) is None


def test_a_bearer_id_is_no_access_key_and_the_other_way_round(place):
    bearer = create_key(*place, name="app", kind="bearer")
    assert find_signing_key(*place, bearer.key.id) is None
    assert find_signing_key(*place, "AKIAAAAAAAAAAAAAAAAA") is None


def test_expiry(place):
    made = create_key(*place, name="short", expires_in_s=60)
    place[2].advance(59)
    assert find_signing_key(*place, made.key.id).secret == made.secret
    place[2].advance(1)
    assert find_signing_key(*place, made.key.id) is None
    assert [key.expired(place[2].now()) for key in list_keys(*place)] == [True]


def test_revocation_is_seen_at_once_here_and_within_a_second_elsewhere(place):
    _sql, home, clock = place
    elsewhere = open_database(home)
    made = create_key(*place, name="laptop")
    assert find_signing_key(elsewhere, home, clock, made.key.id)
    revoke_key(*place, "laptop")
    assert find_signing_key(*place, made.key.id) is None
    clock.advance(1.0)
    assert find_signing_key(elsewhere, home, clock, made.key.id) is None
    elsewhere.dispose()
    with pytest.raises(NotFound, match="roca keys list"):
        revoke_key(*place, "laptop")


def test_names_are_unique_in_an_account(place):
    create_key(*place, name="a")
    with pytest.raises(Conflict, match="'a'"):
        create_key(*place, name="a")
    create_key(*place, name="a", account="210987654321")
    with pytest.raises(Conflict, match="2 keys are called"):
        revoke_key(*place, "a")
    assert revoke_key(*place, "a", account="210987654321").account == "210987654321"


def test_an_account_may_be_its_own_access_key(place):
    made = create_key(*place, name="a", access_key_id="111122223333")
    assert find_signing_key(*place, "111122223333").principal == Principal("111122223333", "111122223333")
    assert made.key.account == "111122223333"


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""},
        {"name": "x" * 65},
        {"name": "a", "account": "12"},
        {"name": "a", "access_key_id": "short"},
        {"name": "a", "kind": "bearer", "access_key_id": "111122223333"},
        {"name": "a", "kind": "magic"},
        {"name": "a", "expires_in_s": 0},
    ],
)
def test_wrong_arguments_are_refused(place, wrong):
    with pytest.raises(InvalidRequest):
        create_key(*place, **wrong)
    assert list_keys(*place) == []


def test_the_listing_shows_no_secret(place):
    made = create_key(*place, name="a", expires_in_s=3600)
    (key,) = list_keys(*place, account="123456789012")
    assert key == made.key
    assert key.last_four == made.secret[-4:]
    assert key.expires_at - key.created_at == timedelta(hours=1)
    assert list_keys(*place, account="210987654321") == []


def test_the_key_file_has_mode_0600_whatever_the_umask(tmp_path):
    before = os.umask(0)
    try:
        seal(tmp_path, "x")
    finally:
        os.umask(before)
    path = tmp_path / "keys" / "master.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [entry.name for entry in path.parent.iterdir()] == ["master.key"]


def test_a_key_file_that_others_can_read_is_refused(tmp_path):
    seal(tmp_path, "x")
    (tmp_path / "keys" / "master.key").chmod(0o644)
    with pytest.raises(Conflict, match="mode 644"):
        seal(tmp_path, "x")


def test_another_key_file_does_not_open(tmp_path):
    sealed = seal(tmp_path / "a", "x")
    with pytest.raises(Conflict, match="does not open"):
        unseal(tmp_path / "b", sealed)


def test_many_at_once_agree_on_one_key_file(tmp_path):
    results = SimpleNamespace(sealed=[])
    barrier = threading.Barrier(8)

    def one():
        barrier.wait()
        results.sealed.append(seal(tmp_path, "x"))

    threads = [threading.Thread(target=one) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [unseal(tmp_path, sealed) for sealed in results.sealed] == ["x"] * 8

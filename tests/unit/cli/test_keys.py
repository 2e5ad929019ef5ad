from __future__ import annotations

import stat


def test_a_key_is_shown_once_and_revoked(roca, home):
    made = roca("keys", "create", "laptop", "--bearer")
    assert made.code == 0
    assert made.out.startswith("export AWS_BEARER_TOKEN_BEDROCK=roca-")
    secret = made.out.splitlines()[0].partition("=")[2]
    listed = roca("keys", "list")
    assert "laptop" in listed.out
    assert secret not in listed.out
    assert secret not in roca("keys", "list", "--json").out
    assert secret.encode() not in (home / "platform.sqlite").read_bytes()
    assert roca("keys", "revoke", "laptop").code == 0
    assert roca("keys", "list", "--json").json == []


def test_a_pair_has_an_id_of_choice_and_expires(roca, home):
    made = roca("keys", "create", "ci", "--access-key-id", "111122223333", "--days", "2", "--json").json
    assert (made["id"], made["account"], made["kind"]) == ("111122223333", "111122223333", "signing")
    assert made["expires_at"] > made["created_at"]
    assert made["secret"].encode() not in (home / "platform.sqlite").read_bytes()
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in (home / "keys").iterdir())


def test_mistakes_are_told(roca):
    assert roca("keys", "create", "x", "--bearer", "--access-key-id", "A" * 16).code == 2
    assert roca("keys", "create", "bad/name").code == 1
    roca("keys", "create", "twice")
    again = roca("keys", "create", "twice")
    assert again.code == 1
    assert "twice" in again.err

from __future__ import annotations

import json
import os
import socket

from rocamadre.cli import checks
from rocamadre.cli.process import SERVER_FILE


def states(result) -> dict[str, str]:
    return {finding["name"]: finding["state"] for finding in result.json}


def test_every_check_speaks(roca):
    found = states(roca("doctor", "--json"))
    assert list(found) == [check.__name__.removeprefix("check_") for check in checks.CHECKS]
    assert found["python"] == found["packages"] == found["permissions"] == "ok"


def test_open_keys_are_found_with_what_to_do(roca, home):
    roca("keys", "create", "x")
    os.chmod(home / "platform.sqlite", 0o644)
    result = roca("doctor")
    assert result.code == 1
    assert f"chmod 600 {home}/platform.sqlite" in result.out


def test_a_taken_port_is_found(roca, monkeypatch):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        monkeypatch.setenv("ROCA_SERVER__PORT", str(other.getsockname()[1]))
        assert states(roca("doctor", "--json"))["server"] == "failure"


def test_a_killed_servers_file_is_no_server(roca, home, monkeypatch):
    home.mkdir()
    content = {"address": "http://127.0.0.1:9", "pid": os.getpid(), "started_at": 1.0, "version": "0"}
    (home / SERVER_FILE).write_text(json.dumps(content))
    monkeypatch.setenv("ROCA_SERVER__PORT", "0")
    result = roca("doctor", "--json")
    assert "the last one was killed" in next(item["detail"] for item in result.json if item["name"] == "server")
    assert roca("status").code == 3
    assert roca("down").out == "not running\n"


def test_low_memory_and_proxies_are_warnings(roca, monkeypatch):
    monkeypatch.setattr(checks, "_MEMORY_BYTES", 1 << 60)
    monkeypatch.setattr(checks, "_DISK_BYTES", 1 << 60)
    monkeypatch.setenv("HTTP_PROXY", "http://proxy")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    found = states(roca("doctor", "--json"))
    assert found["memory"] == found["disk"] == found["proxy"] == "warning"

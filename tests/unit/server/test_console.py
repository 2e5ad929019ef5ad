"""The console's keeper and its socket."""

from __future__ import annotations

import asyncio
import os
import signal
import sys

import msgspec
import pytest

from rocamadre.core.settings import load_settings
from rocamadre.server import console


@pytest.fixture
def settings(tmp_path):
    return load_settings(home=tmp_path, server={"port": 0}, console={"port": 0})


def test_its_port_is_the_servers_plus_one(tmp_path):
    with console.listen(load_settings(home=tmp_path, server={"port": 0}), 4599) as any_port:
        assert any_port.getsockname()[1] != 4600
        taken = any_port.getsockname()[1]
        with pytest.raises(OSError, match=f"port {taken} .* ROCA_CONSOLE__PORT"):
            console.listen(load_settings(home=tmp_path, console={"port": taken}), 4599)
        with pytest.raises(OSError, match=f"port {taken}"):
            console.listen(load_settings(home=tmp_path, server={"port": taken - 1}), taken - 1)


def test_its_address_names_the_scheme_and_the_real_port(settings):
    with console.listen(settings, 0) as listener:
        assert console.address_of(settings, listener) == f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_it_learns_nothing_private(monkeypatch):
    for name in ("ROCA_LOG__LEVEL", "AWS_SECRET_ACCESS_KEY", "NICEGUI_STORAGE_PATH", "OPENAI_API_KEY"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("LANG", "C")
    found = console.console_environment()
    assert "LANG" in found
    assert [name for name in found if name.startswith(("ROCA_", "AWS_", "NICEGUI_", "OPENAI_"))] == []


async def test_it_is_started_again_when_it_dies_and_ends_with_its_keeper(settings, monkeypatch):
    """A child stands in for it that says what it read, and waits for the end of its input."""
    folder = settings.home / "seen"
    folder.mkdir()
    program = (
        "import os, sys, pathlib; line = sys.stdin.readline();"
        f"pathlib.Path({str(folder)!r}, str(os.getpid())).write_text(line); sys.stdin.read()"
    )
    monkeypatch.setattr(console, "console_command", lambda: [sys.executable, "-c", program])

    async def pids(count):
        async with asyncio.timeout(20):
            while len(found := [path for path in folder.iterdir() if path.read_text().endswith("\n")]) < count:
                await asyncio.sleep(0.02)
        return {int(path.name) for path in found}

    with console.listen(settings, 0) as listener:
        async with console.console_beside(settings, "http://127.0.0.1:1", listener):
            (first,) = await pids(1)
            wish = msgspec.json.decode((folder / str(first)).read_text())
            assert (wish["address"], wish["socket"]) == ("http://127.0.0.1:1", listener.fileno())
            assert wish["settings"]["home"] == str(settings.home)
            os.kill(first, signal.SIGKILL)
            (second,) = await pids(2) - {first}
            os.kill(second, 0)
        with pytest.raises(ProcessLookupError):
            os.kill(second, 0)


async def test_without_a_listener_there_is_none(settings, monkeypatch):
    monkeypatch.setattr(console, "console_command", lambda: pytest.fail("it was started"))
    async with console.console_beside(settings, "http://127.0.0.1:1", None):
        pass

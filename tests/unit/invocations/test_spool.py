"""Records that wait: whole, delivered once, and safe from kill -9."""

from __future__ import annotations

import gzip
import json
import os
import signal
import stat
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from rocamadre.core.clock import FixedClock
from rocamadre.core.settings import load_settings
from rocamadre.invocations import spool as spool_module
from rocamadre.invocations.spool import Head, Spool
from rocamadre.invocations.types import LoggingConfig, S3Destination
from rocamadre.store.objects.registry import open_objects
from rocamadre.testing.inprocess import InProcessServer

HEAD = Head("123456789012", "us-east-1", "2026/11/20/12", LoggingConfig(s3=S3Destination("invocation-logs")))

CHILD = """
import sys
from pathlib import Path
from rocamadre.core.clock import SystemClock
from rocamadre.invocations.spool import Head, Spool
from rocamadre.invocations.types import LoggingConfig, S3Destination
spool = Spool(Path(sys.argv[1]), SystemClock())
head = Head("123456789012", "us-east-1", "2026/11/20/12", LoggingConfig(s3=S3Destination("invocation-logs")))
for number in range(100):
    spool.add(head, b'{"number": %d}' % number)
print("written", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "invocations"


@pytest.fixture
def spool(folder):
    return Spool(folder, FixedClock(datetime(2026, 11, 20, 12, tzinfo=UTC)))


def test_records_come_back_in_order_and_only_their_owner_can_read_them(spool, folder):
    spool.add(HEAD, b'{"a": 1}')
    spool.add(HEAD, b'{"a": 2}')
    (path,) = folder.iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    (taken,) = spool.take()
    assert taken.head == HEAD
    assert taken.name.startswith("20261120T120000000Z_")
    assert list(taken.lines()) == [b'{"a": 1}\n', b'{"a": 2}\n']
    taken.remove()
    assert list(spool.take()) == []


def test_a_torn_last_line_is_passed_over(spool, folder):
    spool.add(HEAD, b'{"a": 1}')
    (path,) = folder.iterdir()
    with path.open("ab") as file:
        file.write(b'{"a": ')
    (taken,) = spool.take()
    assert list(taken.lines()) == [b'{"a": 1}\n']


def test_a_torn_first_line_takes_its_file_with_it(spool, folder):
    folder.mkdir()
    (folder / "20261120T120000000Z_00.jsonl").write_bytes(b'{"account": "1234')
    assert list(spool.take()) == []
    assert list(folder.iterdir()) == []


def test_what_another_process_writes_is_left_alone(spool, folder):
    other = Spool(folder, FixedClock(datetime(2026, 11, 20, 13, tzinfo=UTC)))
    other.add(HEAD, b'{"a": 1}')
    assert list(spool.take()) == []
    assert len(list(other.take())) == 1


def test_too_much_is_refused(spool, monkeypatch):
    monkeypatch.setattr(spool_module, "MOST_BYTES", 400)
    for _ in range(3):
        spool.add(HEAD, b"x" * 100)
    with pytest.raises(OSError, match="over 400 bytes"):
        spool.add(HEAD, b"x" * 100)
    assert len(list(next(spool.take()).lines())) == 3


def test_a_full_file_says_so(spool, monkeypatch):
    spool.add(HEAD, b"x" * 1000)
    assert not spool.full
    monkeypatch.setattr(spool_module, "FULL_BYTES", 1000)
    assert spool.full


def test_what_a_killed_server_had_written_is_delivered_by_the_next(tmp_path):
    home = tmp_path / "home"
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(home / "invocations")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert child.stdout.readline() == b"written\n"
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    child.stdin.close()
    child.stdout.close()
    settings = load_settings(home=home)
    objects = open_objects(settings)
    objects.of("123456789012").make_bucket("invocation-logs", region="us-east-1")
    objects.close()
    server = InProcessServer(settings)
    try:
        server.platform.invocations.flush()
        store = server.platform.objects.of("123456789012")
        (found,) = store.list("invocation-logs")
        lines = gzip.decompress(store.read("invocation-logs", found.key)).splitlines()
    finally:
        server.close()
    assert found.key.startswith("AWSLogs/123456789012/BedrockModelInvocationLogs/us-east-1/2026/11/20/12/")
    assert [json.loads(line)["number"] for line in lines] == list(range(100))
    assert list((home / "invocations").iterdir()) == []

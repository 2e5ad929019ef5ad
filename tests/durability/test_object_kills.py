"""kill -9 in the middle of puts and uploads: each object is there as it was or as it became, never in between."""

import hashlib
import os
import random
import signal
import subprocess
import sys

import pytest

from rocamadre.store.objects.errors import NoSuchKey
from rocamadre.store.objects.files import FileObjects

ACCOUNT = "123456789012"
KILLS = 10
KEYS = 4

WRITER = """
import hashlib, sys, threading
from pathlib import Path
from rocamadre.store.objects.files import FileObjects
from rocamadre.store.objects.rows import Attributes
from rocamadre.store.objects.uploads import Wanted, begin_upload, complete_upload, keep_part

home, first = Path(sys.argv[1]), int(sys.argv[2])
objects = FileObjects(home)
store = objects.of("123456789012")
store.make_bucket("data", region="us-east-1")

def content(key, version):
    seed = hashlib.sha256(f"{key}/{version}".encode()).digest()
    return f"{key}/{version}\\n".encode() + seed * (1 + 40_000 * (version % 5))

def write(key):
    for version in range(first, first + 1_000_000):
        data = content(key, version)
        if version % 3:
            store.put("data", key, (data[start : start + 100_000] for start in range(0, len(data), 100_000)))
        else:
            upload = begin_upload(store, "data", key, Attributes())
            writer = store.writer()
            writer.write([data])
            part = keep_part(store, upload, 1, writer.finish(), {})
            complete_upload(store, "data", key, upload.id, [Wanted(1, part.etag, {})])
        with lock:
            print(key, version, flush=True)

lock = threading.Lock()
for index in range(4):
    threading.Thread(target=write, args=(f"k{index}",)).start()
"""


def content(key, version):
    seed = hashlib.sha256(f"{key}/{version}".encode()).digest()
    return f"{key}/{version}\n".encode() + seed * (1 + 40_000 * (version % 5))


@pytest.mark.timeout(300)
def test_kills_during_puts(tmp_path):
    chance = random.Random(4)
    known = {f"k{index}": -1 for index in range(KEYS)}
    for kill in range(KILLS):
        first = max(known.values()) + 10
        child = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path), str(first)], stdout=subprocess.PIPE)
        lines = [child.stdout.readline().decode() for _ in range(chance.randrange(1, 40))]
        child.send_signal(signal.SIGKILL)
        # What was acknowledged before the kill may still be in the pipe.
        lines += child.stdout.read().decode().splitlines(keepends=True)
        child.wait()
        child.stdout.close()
        for line in lines:
            if line.endswith("\n"):
                key, version = line.split()
                known[key] = max(known[key], int(version))
        check(tmp_path, known, kill)


def check(home, known, kill):
    objects = FileObjects(home)
    try:
        store = objects.of(ACCOUNT)
        for key, acknowledged in known.items():
            try:
                data = store.read("data", key)
            except NoSuchKey:
                assert acknowledged < 0, (kill, key)
                continue
            version = int(data.partition(b"\n")[0].partition(b"/")[2])
            assert version >= acknowledged, (kill, key)
            assert data == content(key, version), (kill, key)
            known[key] = version
        referenced = set(objects.index.blobs())
        there = {path.name for path in (home / "objects" / "data").rglob("*") if path.is_file()}
        assert there == referenced, kill
        assert os.listdir(home) == ["objects"]
    finally:
        objects.close()

import errno
import os
import random

import pytest

from rocamadre.store.objects import direct
from rocamadre.store.objects.direct import BLOCK_BYTES, SequentialFile


def write(path, pieces):
    seen = []
    file = os.open(path, os.O_WRONLY | os.O_CREAT)
    try:
        writer = SequentialFile(file, lambda block: seen.append(bytes(block)))
        for batch in pieces:
            writer.append(batch)
        writer.flush()
    finally:
        os.close(file)
    assert b"".join(seen) == path.read_bytes(), "what is digested is what is written"
    return path.read_bytes()


@pytest.mark.parametrize(
    "sizes",
    [
        [],
        [0],
        [1],
        [BLOCK_BYTES],
        [BLOCK_BYTES - 1, 1],
        [BLOCK_BYTES + 1],
        [3 * BLOCK_BYTES],
        [254_200] * 20,
        [700_000, 700_000, 3_000_001, 5],
        [100] * 2000,
    ],
)
def test_what_is_appended_is_there(tmp_path, sizes):
    pieces = [random.Random(size).randbytes(size) for size in sizes]
    assert write(tmp_path / "f", [[piece] for piece in pieces]) == b"".join(pieces)
    assert write(tmp_path / "g", [pieces]) == b"".join(pieces)


def test_where_the_file_system_cannot(tmp_path, monkeypatch):
    """It is written the plain way, whenever that turns out."""
    real, calls = os.write, []

    def refuse(file, data):
        if calls:
            return real(file, data)
        calls.append(len(data))
        raise OSError(errno.EINVAL, "not here")

    monkeypatch.setattr(direct.os, "write", refuse)
    data = bytes(range(256)) * 20_000
    found = write(tmp_path / "f", [[data]])
    monkeypatch.setattr(direct.os, "write", real)
    assert found == data


def test_a_full_disk_is_an_error(tmp_path, monkeypatch):
    def full(file, data):
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(direct.os, "write", full)
    with pytest.raises(OSError, match="full"):
        write(tmp_path / "f", [[bytes(3 * BLOCK_BYTES)]])

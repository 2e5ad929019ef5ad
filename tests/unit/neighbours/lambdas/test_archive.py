from __future__ import annotations

import io
import stat
import warnings
import zipfile

import pytest

from rocamadre.neighbours.lambdas import archive
from rocamadre.neighbours.lambdas.archive import discard, unpack
from rocamadre.neighbours.lambdas.errors import CodeTooLarge, FunctionInvalid


def zipped(*entries, compression=zipfile.ZIP_DEFLATED):
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", compression) as made, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # It warns of names that come twice.
        for entry, data in entries:
            made.writestr(entry, data)
    return written.getvalue()


def info(name, mode):
    entry = zipfile.ZipInfo(name)
    entry.external_attr = mode << 16
    return entry


@pytest.fixture
def target(tmp_path):
    return tmp_path / "code" / "abc"


def nothing_written(tmp_path):
    return [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_files_and_folders(target):
    unpack(zipped(("a/b.py", "1"), ("c.txt", "2"), ("d/", ""), (info("run.sh", stat.S_IFREG | 0o755), "3")), target)
    assert (target / "a" / "b.py").read_text() == "1"
    assert (target / "d").is_dir()
    assert stat.S_IMODE((target / "run.sh").stat().st_mode) == 0o755
    assert stat.S_IMODE((target / "c.txt").stat().st_mode) == 0o644
    assert [path.name for path in target.parent.iterdir()] == ["abc"]


def test_what_is_unpacked_already_is_left(target):
    unpack(zipped(("a", "1")), target)
    unpack(b"not even a zip", target)
    assert (target / "a").read_text() == "1"
    discard(target)
    discard(target)
    assert list(target.parent.iterdir()) == []


@pytest.mark.parametrize(
    "name", ["../x", "a/../../x", "/etc/x", "a\\..\\x", "..", ".", "a//b", "x" * 256, "a/" + "é" * 200]
)
def test_paths_that_lead_elsewhere_are_refused(tmp_path, target, name):
    with pytest.raises(FunctionInvalid, match="no path below"):
        unpack(zipped(("fine", "1"), (name, "2")), target)
    assert nothing_written(tmp_path)


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFSOCK])
def test_links_and_devices_are_refused(tmp_path, target, kind):
    with pytest.raises(FunctionInvalid, match="neither a file nor a folder"):
        unpack(zipped((info("link", kind | 0o777), "/etc/passwd")), target)
    assert nothing_written(tmp_path)


@pytest.mark.parametrize("names", [("a", "a"), ("a", "a/b"), ("a/b", "a")])
def test_clashing_names_are_refused(tmp_path, target, names):
    with pytest.raises(FunctionInvalid, match="two entries"):
        unpack(zipped(*((name, "1") for name in names)), target)
    assert nothing_written(tmp_path)


def test_bombs_are_refused_whatever_they_say_of_themselves(tmp_path, target, monkeypatch):
    monkeypatch.setattr(archive, "MAX_UNPACKED_BYTES", 1_000_000)
    bomb = zipped(("zeros", bytes(5_000_000)))
    with pytest.raises(CodeTooLarge):
        unpack(bomb, target)
    # The same with sizes that lie: in the directory and before the data.
    lying = bomb.replace((5_000_000).to_bytes(4, "little"), (10).to_bytes(4, "little"))
    assert lying != bomb
    with pytest.raises((CodeTooLarge, FunctionInvalid)):
        unpack(lying, target)
    assert nothing_written(tmp_path)


def test_too_many_files_are_refused_before_they_are_read(target, monkeypatch):
    monkeypatch.setattr(archive, "MAX_FILES", 10)
    monkeypatch.setattr(zipfile, "ZipFile", None)
    with pytest.raises(CodeTooLarge, match="10 files"):
        unpack(archive._ENTRY * 11, target)


def test_a_zip_over_fifty_megabytes_is_refused(target, monkeypatch):
    monkeypatch.setattr(archive, "MAX_ZIP_BYTES", 10)
    with pytest.raises(CodeTooLarge, match="at most 10"):
        unpack(bytes(11), target)


def test_damaged_zips_are_refused(tmp_path, target):
    whole = zipped(("a.py", "x = 1\n" * 1000), ("b.py", "y = 2\n"))
    for data in (b"", b"PK", whole[:-30], whole[:100], whole[:40] + b"\xff" * 20 + whole[60:]):
        with pytest.raises(FunctionInvalid, match="Could not unzip"):
            unpack(data, target)
    assert nothing_written(tmp_path)


def test_other_compressions_are_refused(target):
    with pytest.raises(FunctionInvalid, match="deflate"):
        unpack(zipped(("a", "1" * 100), compression=zipfile.ZIP_BZIP2), target)


def test_encrypted_zips_are_refused(target):
    data = bytearray(zipped(("a", "1")))
    data[data.index(b"PK\x03\x04") + 6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(FunctionInvalid, match="encrypted"):
        unpack(bytes(data), target)


def test_what_a_killed_process_left_is_swept(target):
    import os

    left = target.with_name("old.1.abcd.tmp")
    left.mkdir(parents=True)
    os.utime(left, (0, 0))
    fresh = target.with_name("new.1.abcd.tmp")
    fresh.mkdir()
    unpack(zipped(("a", "1")), target)
    assert not left.exists()
    assert fresh.exists()

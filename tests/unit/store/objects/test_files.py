import os
import threading

import pytest
from sqlalchemy import select

from rocamadre.core.errors import AccessDenied, Conflict, InvalidRequest, NotFound
from rocamadre.store.objects.errors import (
    BucketNotEmpty,
    BucketOwned,
    BucketTaken,
    DamagedObject,
    InvalidBucketName,
    KeyTooLong,
    NoSuchBucket,
    NoSuchKey,
)
from rocamadre.store.objects.files import FileObjects
from rocamadre.store.objects.index import OBJECTS
from rocamadre.store.objects.pages import list_page

ACCOUNT = "123456789012"
HOSTILE = [
    "../../x",
    "/etc/passwd",
    "a\0b",
    "..",
    ".",
    " ",
    "a/",
    "a//",
    "a/../../b",
    "ключ/é/日本語/🙂",
    "\x01\x1f\x7f",
    "x" * 1024,
    "é" * 512,
    "con\\..\\nul",
    "%2e%2e%2f",
    "index.sqlite",
]


@pytest.fixture
def objects(tmp_path):
    made = FileObjects(tmp_path)
    yield made
    made.close()


@pytest.fixture
def store(objects):
    store = objects.of(ACCOUNT)
    store.make_bucket("data", region="us-east-1")
    return store


def blobs_in(tmp_path):
    return sorted(path.name for path in (tmp_path / "objects" / "data").rglob("*") if path.is_file())


def test_hostile_keys_are_names_and_nothing_else(store, tmp_path):
    for key in HOSTILE:
        store.put("data", key, key.encode())
    for key in HOSTILE:
        assert store.read("data", key) == key.encode()
        assert store.head("data", key).key == key
    assert [info.key for info in store.list("data")] == sorted(HOSTILE, key=str.encode)
    assert len(blobs_in(tmp_path)) == len(HOSTILE)
    # Nothing was written anywhere else.
    assert sorted(path.name for path in tmp_path.iterdir()) == ["objects"]
    assert {path.name for path in (tmp_path / "objects").iterdir()} <= {
        "data", "index.sqlite", "index.sqlite-wal", "index.sqlite-shm", "lock", "hold", "unclean",
    }  # fmt: skip
    for key in HOSTILE:
        store.delete("data", key)
    assert blobs_in(tmp_path) == []


@pytest.mark.parametrize("key", ["", "x" * 1025, "é" * 513, "\ud800"])
def test_keys_that_s3_refuses(store, key):
    with pytest.raises(InvalidRequest):
        store.put("data", key, b"")
    assert list(store.list("data")) == []
    if len(key) > 1:
        with pytest.raises(KeyTooLong):
            store.head("data", key)


@pytest.mark.parametrize("name", ["", "ab", "Data", "a..b", "-ab", "ab-", "a_b", "10.0.0.1", "../..", "x" * 64, "a/b"])
def test_bucket_names_that_s3_refuses(store, name):
    with pytest.raises(InvalidBucketName):
        store.create_bucket(name, region="us-east-1")


def test_what_is_put_is_told(store):
    made = store.put("data", "k", [b"he", b"llo"], content_type="text/plain", metadata={"a": "b"})
    info = store.head("data", "k")
    assert info == made
    assert (info.size_bytes, info.etag) == (5, "5d41402abc4b2a76b9719d911017c592")
    assert (info.content_type, dict(info.metadata)) == ("text/plain", {"a": "b"})
    assert store.read("data", "k") == b"hello"
    assert b"".join(store.stream("data", "k", start=1, stop=3)) == b"el"
    assert store.put("data", "empty", b"").etag == "d41d8cd98f00b204e9800998ecf8427e"
    assert store.read("data", "empty") == b""


def test_what_is_not_there(store, objects):
    with pytest.raises(NoSuchKey):
        store.head("data", "k")
    with pytest.raises(NoSuchBucket):
        store.put("other", "k", b"")
    with pytest.raises(NotFound):
        list(store.list("other"))
    store.delete("data", "k")
    other = objects.of("999999999999")
    with pytest.raises(AccessDenied):
        other.read("data", "k")
    with pytest.raises(BucketTaken):
        other.make_bucket("data", region="us-east-1")
    store.make_bucket("data", region="us-east-1")
    with pytest.raises(BucketOwned):
        store.create_bucket("data", region="us-east-1")


def test_a_bucket_goes_only_when_it_is_empty(store):
    store.put("data", "k", b"x")
    with pytest.raises(BucketNotEmpty):
        store.delete_bucket("data")
    store.delete("data", "k")
    store.delete_bucket("data")
    assert store.buckets() == []


def test_a_failed_put_leaves_what_was_there_and_no_blob(store, tmp_path):
    store.put("data", "k", b"before")

    def broken():
        yield b"half"
        raise OSError("the source is gone")

    with pytest.raises(OSError, match="source"):
        store.put("data", "k", broken())
    assert store.read("data", "k") == b"before"
    assert len(blobs_in(tmp_path)) == 1


def test_a_reader_keeps_what_is_replaced(store, tmp_path):
    store.put("data", "k", b"a" * 3_000_000)
    pieces = store.stream("data", "k")
    first = next(pieces)
    store.put("data", "k", b"b")
    store.delete("data", "k")
    assert first + b"".join(pieces) == b"a" * 3_000_000
    assert blobs_in(tmp_path) == []


def test_what_a_crash_leaves_is_swept_at_the_next_start(objects, store, tmp_path):
    store.put("data", "k", b"kept")
    writer = store.writer()
    writer.write([b"never committed"])
    assert len(blobs_in(tmp_path)) == 2
    # Another process while this one lives must not take the blob away.
    second = FileObjects(tmp_path)
    assert second.of(ACCOUNT).read("data", "k") == b"kept"
    second.close()
    assert len(blobs_in(tmp_path)) == 2
    # A kill: the locks go with the process, the marker stays.
    os.close(objects.blobs._holder)
    objects.blobs._holder = -1
    third = FileObjects(tmp_path)
    assert third.of(ACCOUNT).read("data", "k") == b"kept"
    third.close()
    assert len(blobs_in(tmp_path)) == 1


def test_a_clean_end_is_not_swept(objects, store, tmp_path):
    store.put("data", "k", b"kept")
    assert (tmp_path / "objects" / "unclean").exists()
    objects.close()
    assert not (tmp_path / "objects" / "unclean").exists()


def test_a_blob_that_is_gone_is_an_error_and_not_an_empty_object(store, tmp_path):
    store.put("data", "k", b"x" * 10)
    blob = next((tmp_path / "objects" / "data").rglob(blobs_in(tmp_path)[0]))
    blob.write_bytes(b"x" * 5)
    with pytest.raises(DamagedObject):
        store.read("data", "k")
    blob.unlink()
    with pytest.raises(DamagedObject):
        store.read("data", "k")


def test_a_newer_index_is_refused(store, objects, tmp_path):
    with objects.index.write() as tx:
        tx.exec_driver_sql("PRAGMA user_version=99")
    later = FileObjects(tmp_path)
    with pytest.raises(Conflict, match="version 99"):
        later.of(ACCOUNT).buckets()


def test_copies_share_no_fate(store, tmp_path):
    store.put("data", "a", b"content")
    store.copy(("data", "a"), "data", "b", attributes=_attributes)
    store.put("data", "a", b"other")
    assert store.read("data", "b") == b"content"
    store.copy(("data", "b"), "data", "b", attributes=_attributes)
    store.delete("data", "a")
    assert store.read("data", "b") == b"content"
    assert len(blobs_in(tmp_path)) == 1


def _attributes(info):
    from rocamadre.store.objects.rows import Attributes

    return Attributes(info.content_type)


def test_many_writers_of_one_key_leave_one_of_them_whole(store, tmp_path):
    contents = [bytes([65 + index]) * 50_000 for index in range(8)]

    def write(content):
        for _ in range(5):
            store.put("data", "k", content)

    threads = [threading.Thread(target=write, args=(content,)) for content in contents]
    for thread in threads:
        thread.start()
    for _ in range(50):
        try:
            assert store.read("data", "k") in contents
        except NoSuchKey:
            continue
    for thread in threads:
        thread.join()
    assert store.read("data", "k") in contents
    assert len(blobs_in(tmp_path)) == 1


def test_forget_takes_one_account_only(objects, store, tmp_path):
    other = objects.of("999999999999")
    other.make_bucket("theirs", region="us-east-1")
    other.put("theirs", "k", b"x")
    store.put("data", "k", b"x")
    objects.forget(ACCOUNT)
    assert store.buckets() == []
    assert other.read("theirs", "k") == b"x"
    assert len(blobs_in(tmp_path)) == 1


def test_state_is_private(store, tmp_path):
    store.put("data", "k", b"x")
    for path in (tmp_path / "objects").rglob("*"):
        if not path.name.endswith(("-wal", "-shm")):
            assert path.stat().st_mode & 0o077 == 0, path


KEYS = ["a", "a/1", "a/2", "a/b/1", "b", "c/1", "c/2", "d%", "d/", "é"]


def listed(store, **options):
    page = list_page(store, "data", **options)
    return [info.key for info in page.objects], page.prefixes, page.is_truncated


def test_pages(store):
    for key in KEYS:
        store.put("data", key, b"")
    assert listed(store) == (sorted(KEYS, key=str.encode), [], False)
    assert listed(store, delimiter="/") == (["a", "b", "d%", "é"], ["a/", "c/", "d/"], False)
    assert listed(store, prefix="a/", delimiter="/") == (["a/1", "a/2"], ["a/b/"], False)
    assert listed(store, prefix="a") == (["a", "a/1", "a/2", "a/b/1"], [], False)
    assert listed(store, after="a/2", limit=2) == (["a/b/1", "b"], [], True)
    assert listed(store, after="a/", delimiter="/", limit=2) == (["b"], ["c/"], True)
    assert listed(store, limit=0) == ([], [], False)
    assert listed(store, prefix="zz") == ([], [], False)
    with pytest.raises(NoSuchBucket):
        list_page(store, "none", limit=0)


@pytest.mark.parametrize("limit", [1, 2, 3, 7])
@pytest.mark.parametrize("delimiter", ["", "/", "1"])
def test_pages_together_show_everything_once(store, limit, delimiter):
    for key in KEYS:
        store.put("data", key, b"")
    found, after = [], ""
    for _ in range(len(KEYS) + 1):
        page = list_page(store, "data", delimiter=delimiter, after=after, limit=limit)
        assert len(page.objects) + len(page.prefixes) <= limit
        found += [info.key for info in page.objects] + page.prefixes
        after = page.last
        if not page.is_truncated:
            break
    rolled = {key[: key.index(delimiter) + 1] if delimiter and delimiter in key else key for key in KEYS}
    assert sorted(found) == sorted(rolled)


def test_a_rolled_up_prefix_of_many_keys_is_passed_over(store, objects):
    row = {"size_bytes": 0, "etag": "x", "modified_us": 0, "details": b"{}", "segments": b"[]", "bucket": "data"}
    with objects.index.write() as tx:
        tx.execute(OBJECTS.insert(), [{**row, "key": f"many/{index:06}".encode()} for index in range(5000)])
        tx.execute(OBJECTS.insert().values(**row, key=b"z"))
        assert len(tx.execute(select(OBJECTS.c.key)).all()) == 5001
    assert listed(store, delimiter="/") == (["z"], ["many/"], False)
    assert listed(store, delimiter="/", limit=1) == ([], ["many/"], True)
    assert len(list(store.list("data", "many/"))) == 5000

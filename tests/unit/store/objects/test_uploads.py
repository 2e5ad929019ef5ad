import hashlib

import pytest

from rocamadre.store.objects.errors import (
    BadDigest,
    InvalidPart,
    InvalidPartOrder,
    NoSuchUpload,
    PartTooSmall,
    PreconditionFailed,
)
from rocamadre.store.objects.files import FileObjects
from rocamadre.store.objects.rows import Attributes
from rocamadre.store.objects.uploads import (
    LEAST_PART_BYTES,
    Wanted,
    abort_upload,
    begin_upload,
    complete_upload,
    keep_part,
    list_parts,
    list_uploads,
)

LARGE = b"a" * LEAST_PART_BYTES


@pytest.fixture
def store(tmp_path):
    objects = FileObjects(tmp_path)
    store = objects.of("123456789012")
    store.make_bucket("data", region="us-east-1")
    yield store
    objects.close()


def part_of(store, upload, number, data, algorithms=()):
    writer = store.writer(algorithms)
    writer.write([data])
    written = writer.finish()
    return keep_part(store, upload, number, written, written.checksums)


def blob_count(tmp_path):
    return sum(path.is_file() for path in (tmp_path / "objects" / "data").rglob("*"))


def want(*parts):
    return [Wanted(part.number, part.etag, {}) for part in parts]


def test_parts_become_the_object_and_the_rest_goes(store, tmp_path):
    upload = begin_upload(store, "data", "k", Attributes("text/plain"))
    first = part_of(store, upload, 1, b"first try")
    first = part_of(store, upload, 1, LARGE)
    part_of(store, upload, 2, b"not listed")
    last = part_of(store, upload, 7, b"end")
    assert store.files.of("123456789012").buckets()[0].name == "data"
    assert list(store.list("data")) == []
    info = complete_upload(store, "data", "k", upload.id, want(first, last))
    digest = hashlib.md5(hashlib.md5(LARGE).digest() + hashlib.md5(b"end").digest()).hexdigest()
    assert (info.etag, info.size_bytes, info.content_type) == (f"{digest}-2", len(LARGE) + 3, "text/plain")
    assert store.read("data", "k") == LARGE + b"end"
    assert b"".join(store.stream("data", "k", start=len(LARGE) - 2, stop=len(LARGE) + 2)) == b"aaen"
    assert blob_count(tmp_path) == 2
    # The answer may have been lost: a repeat gets it again.
    assert complete_upload(store, "data", "k", upload.id, want(first, last)) == info
    store.put("data", "k", b"replaced")
    assert blob_count(tmp_path) == 1
    with pytest.raises(NoSuchUpload):
        complete_upload(store, "data", "k", upload.id, want(first, last))


def test_what_cannot_be_completed(store, tmp_path):
    upload = begin_upload(store, "data", "k", Attributes())
    small, large = part_of(store, upload, 1, b"small"), part_of(store, upload, 2, LARGE)
    with pytest.raises(PartTooSmall):
        complete_upload(store, "data", "k", upload.id, want(small, large))
    with pytest.raises(InvalidPartOrder):
        complete_upload(store, "data", "k", upload.id, want(large, small))
    with pytest.raises(InvalidPart):
        complete_upload(store, "data", "k", upload.id, [Wanted(3, "x", {})])
    with pytest.raises(InvalidPart):
        complete_upload(store, "data", "k", upload.id, [Wanted(2, "0" * 32, {})])
    with pytest.raises(InvalidPart):
        complete_upload(store, "data", "k", upload.id, want(large), size_bytes=1)
    with pytest.raises(NoSuchUpload):
        complete_upload(store, "data", "other", upload.id, want(large))

    def refuse(info):
        raise PreconditionFailed

    with pytest.raises(PreconditionFailed):
        complete_upload(store, "data", "k", upload.id, want(large), condition=refuse)
    # All of it is still there.
    complete_upload(store, "data", "k", upload.id, want(large), size_bytes=len(LARGE))
    assert blob_count(tmp_path) == 1


@pytest.mark.parametrize("kind", ["COMPOSITE", "FULL_OBJECT"])
def test_checksums_of_the_whole(store, kind):
    upload = begin_upload(store, "data", "k", Attributes(), algorithm="crc32c", checksum_type=kind)
    parts = [part_of(store, upload, 1, LARGE, ["crc32c"]), part_of(store, upload, 2, b"end", ["crc32c"])]
    with pytest.raises(BadDigest):
        complete_upload(store, "data", "k", upload.id, want(*parts), checksums={"crc32c": "AAAAAA=="})
    wrong = [Wanted(part.number, part.etag, {"crc32c": "AAAAAA=="}) for part in parts]
    with pytest.raises(InvalidPart):
        complete_upload(store, "data", "k", upload.id, wrong)
    info = complete_upload(store, "data", "k", upload.id, want(*parts))
    writer = store.writer(["crc32c"])
    writer.write([LARGE, b"end"])
    whole = writer.finish().checksums["crc32c"]
    writer.remove()
    assert info.checksum_type == kind
    assert (info.checksums["crc32c"] == whole) == (kind == "FULL_OBJECT")
    assert info.checksums["crc32c"].endswith("-2") == (kind == "COMPOSITE")


def test_aborting_and_deleting_the_bucket_remove_the_parts(store, tmp_path):
    upload = begin_upload(store, "data", "k", Attributes())
    part_of(store, upload, 1, b"x")
    abort_upload(store, "data", "k", upload.id)
    assert blob_count(tmp_path) == 0
    with pytest.raises(NoSuchUpload):
        abort_upload(store, "data", "k", upload.id)
    with pytest.raises(NoSuchUpload):
        part_of(store, upload, 2, b"late")
    assert blob_count(tmp_path) == 0
    second = begin_upload(store, "data", "k", Attributes())
    part_of(store, second, 1, b"x")
    store.delete_bucket("data")
    assert blob_count(tmp_path) == 0


def test_listing(store):
    made = [begin_upload(store, "data", key, Attributes()) for key in ("a", "b", "b", "c/1")]
    found, has_more = list_uploads(store, "data", limit=2)
    assert has_more
    rest, has_more = list_uploads(store, "data", after=(found[-1].key, found[-1].id))
    assert not has_more
    assert {upload.id for upload in [*found, *rest]} == {upload.id for upload in made}
    assert [upload.key for upload in list_uploads(store, "data", after=("b", ""))[0]] == ["c/1"]
    assert [upload.key for upload in list_uploads(store, "data", prefix="b")[0]] == ["b", "b"]
    for number in (3, 1, 2):
        part_of(store, made[0], number, b"x")
    parts, has_more = list_parts(store, made[0], limit=2)
    assert ([part.number for part in parts], has_more) == ([1, 2], True)
    assert [part.number for part in list_parts(store, made[0], after=2)[0]] == [3]

"""What every store of objects must do, as tests. To check one of your own:

```python
class TestMine(ObjectSuite):
    @pytest.fixture(scope="class")
    @classmethod
    def objects(cls, tmp_path_factory):
        mine = MyObjects(...)
        yield mine
        mine.close()
```
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from secrets import token_hex

import pytest

from rocamadre.core.errors import InvalidRequest, NotFound
from rocamadre.store.objects.protocol import ObjectStore, ObjectStores

ACCOUNT = "123456789012"
HOSTILE_KEYS = (
    "../../etc/passwd",
    "/absolute",
    "a//b/",
    ".",
    "..",
    "ñandú 🙂 %2e%2e",
    "x" * 1024,
    "a\\b",
    "con",
    "-rf",
)


class ObjectSuite:
    """For implementations of `ObjectStores`."""

    @pytest.fixture(scope="class")
    @classmethod
    def objects(cls) -> Iterator[ObjectStores]:
        """The implementation; override it."""
        raise NotImplementedError("override `objects`")

    @pytest.fixture
    def store(self, objects: ObjectStores) -> ObjectStore:
        """What one account sees."""
        return objects.of(ACCOUNT)

    @pytest.fixture
    def bucket(self, store: ObjectStore) -> str:
        """A new bucket."""
        name = f"suite-{token_hex(6)}"
        store.make_bucket(name, region="us-east-1")
        return name

    def test_bytes_come_back(self, store: ObjectStore, bucket: str) -> None:
        """Whole, with what was said about them."""
        info = store.put(bucket, "k", b"abc", content_type="text/plain", metadata={"by": "me"})
        assert (info.size_bytes, info.etag) == (3, hashlib.md5(b"abc", usedforsecurity=False).hexdigest())
        found = store.head(bucket, "k")
        assert (found.size_bytes, found.content_type, dict(found.metadata)) == (3, "text/plain", {"by": "me"})
        assert store.read(bucket, "k") == b"abc"

    def test_pieces_are_put_and_streamed(self, store: ObjectStore, bucket: str) -> None:
        """In pieces of at most a mebibyte, from where to where one likes."""
        data = bytes(range(256)) * 10_000
        store.put(bucket, "big", (data[at : at + 700_001] for at in range(0, len(data), 700_001)))
        pieces = list(store.stream(bucket, "big"))
        assert b"".join(pieces) == data
        assert max(map(len, pieces)) <= 1 << 20
        assert b"".join(store.stream(bucket, "big", start=5, stop=300)) == data[5:300]

    def test_a_put_replaces(self, store: ObjectStore, bucket: str) -> None:
        """All of it."""
        store.put(bucket, "k", b"a longer content", metadata={"a": "b"})
        store.put(bucket, "k", b"short")
        assert store.read(bucket, "k") == b"short"
        assert dict(store.head(bucket, "k").metadata) == {}

    def test_a_put_that_fails_leaves_what_was_there(self, store: ObjectStore, bucket: str) -> None:
        """Its source raised; nothing of it is seen."""

        def broken() -> Iterator[bytes]:
            yield b"half"
            raise RuntimeError("the source broke")

        store.put(bucket, "k", b"before")
        with pytest.raises(RuntimeError, match="the source broke"):
            store.put(bucket, "k", broken())
        assert store.read(bucket, "k") == b"before"
        with pytest.raises(RuntimeError):
            store.put(bucket, "new", broken())
        with pytest.raises(NotFound):
            store.head(bucket, "new")

    @pytest.mark.parametrize("key", HOSTILE_KEYS, ids=range(len(HOSTILE_KEYS)))
    def test_keys_are_names_and_no_paths(self, store: ObjectStore, bucket: str, key: str) -> None:
        """Whatever they look like."""
        store.put(bucket, key, b"x")
        assert store.read(bucket, key) == b"x"
        assert [info.key for info in store.list(bucket)] == [key]

    def test_listing_is_in_order_of_utf8(self, store: ObjectStore, bucket: str) -> None:
        """By prefix, every key once."""
        keys = ["a/1", "a/10", "a/2", "b", "é", "z", "🙂"]
        for key in reversed(keys):
            store.put(bucket, key, b"")
        assert [info.key for info in store.list(bucket)] == sorted(keys, key=str.encode)
        assert [info.key for info in store.list(bucket, "a/")] == ["a/1", "a/10", "a/2"]

    def test_what_is_not_there(self, store: ObjectStore, bucket: str) -> None:
        """Is said to be missing; deleting it is nothing."""
        store.delete(bucket, "none")
        for call in (store.head, store.read):
            with pytest.raises(NotFound):
                call(bucket, "none")
        with pytest.raises(NotFound):
            store.put("suite-no-such-bucket", "k", b"x")

    def test_deleting(self, store: ObjectStore, bucket: str) -> None:
        """Takes one object."""
        store.put(bucket, "a", b"1")
        store.put(bucket, "b", b"2")
        store.delete(bucket, "a")
        assert [info.key for info in store.list(bucket)] == ["b"]

    def test_a_bucket_of_ones_own_is_left_as_it_is(self, store: ObjectStore, bucket: str) -> None:
        """Making it again loses nothing."""
        store.put(bucket, "k", b"x")
        store.make_bucket(bucket, region="us-east-1")
        assert store.read(bucket, "k") == b"x"

    @pytest.mark.parametrize("name", ["UPPER", "a", "under_score", "192.168.0.1", "x" * 64])
    def test_names_of_buckets_that_s3_refuses(self, store: ObjectStore, name: str) -> None:
        """Before anything is made."""
        with pytest.raises(InvalidRequest):
            store.make_bucket(name, region="us-east-1")

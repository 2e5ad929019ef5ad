from __future__ import annotations

import io
import json
import sqlite3
import stat
import tarfile
from contextlib import closing
from pathlib import Path

import pytest

from rocamadre.cli.archive import read_archive, write_archive
from rocamadre.store.objects.files import FileObjects
from rocamadre.store.sql.database import SCHEMA_VERSION


@pytest.fixture
def state(roca, home):
    """A home with a key, an object, a model, and things that no backup holds."""
    made = roca("keys", "create", "laptop", "--json").json
    for name, text in {
        "objects/a/b": "object", "models/m/weights.gguf": "weights", "logs/server.jsonl": "log",
        "runs/r/spec.json": "{}", "server.json": "{}", "cache/x": "cache", "runs/r/half.tmp": "half",
    }.items():  # fmt: skip
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(text)
    return made


def test_there_and_back(roca, home, tmp_path, state):
    file = tmp_path / "b.tar.gz"
    # Rows still in the write-ahead log belong to the state too.
    live = sqlite3.connect(home / "platform.sqlite")
    live.execute("create table later (x)")
    live.execute("insert into later values (42)")
    live.commit()
    assert roca("backup", str(file)).code == 0
    live.close()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    other = tmp_path / "other"
    assert roca("--home", str(other), "restore", str(file)).code == 0
    assert (other / "objects/a/b").read_text() == "object"
    assert (other / "models/m/weights.gguf").read_text() == "weights"
    assert not {path.name for path in other.rglob("*")} & {"server.jsonl", "server.json", "cache", "half.tmp"}
    with closing(sqlite3.connect(other / "platform.sqlite")) as copy:
        assert copy.execute("select x from later").fetchall() == [(42,)]
    assert [key["name"] for key in roca("--home", str(other), "keys", "list", "--json").json] == ["laptop"]
    assert not list(home.glob("roca-backup-*"))


def test_models_can_stay_out(roca, tmp_path, state):
    file = tmp_path / "small.tar.gz"
    roca("backup", "--without-models", str(file))
    with tarfile.open(file) as tar:
        assert not [name for name in tar.getnames() if name.startswith("models/")]


def test_nothing_is_replaced_unasked(roca, home, tmp_path, state):
    file = tmp_path / "b.tar.gz"
    roca("backup", str(file))
    assert roca("backup", str(file)).code == 1
    assert roca("backup", "--force", str(file)).code == 0
    assert roca("restore", str(file)).code == 1
    (home / "objects/a/b").write_text("changed")
    kept = roca("restore", "--force", str(file), "--json").json["kept"]
    assert (home / "objects/a/b").read_text() == "object"
    assert Path(kept, "objects/a/b").read_text() == "changed"


def damaged(file, change) -> None:
    with tarfile.open(file) as tar:
        members = {member.name: tar.extractfile(member).read() for member in tar}
    change(members)
    with tarfile.open(file, "w:gz") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))


def newer(members) -> None:
    manifest = json.loads(members["manifest.json"])
    members["manifest.json"] = json.dumps(manifest | {"schema": SCHEMA_VERSION + 1}).encode()


@pytest.mark.parametrize(
    ("change", "part"),
    [
        (lambda members: members.update({"objects/a/b": b"objecT"}), "damaged"),
        (lambda members: members.update({"../escaped": b"x"}), "which its list does not"),
        (lambda members: members.pop("objects/a/b"), "cut off"),
        (lambda members: members.pop("manifest.json"), "was not written by"),
        (newer, "newer than this one"),
    ],
)
def test_a_wrong_file_changes_nothing(roca, home, tmp_path, state, change, part):
    file = tmp_path / "b.tar.gz"
    roca("backup", str(file))
    damaged(file, change)
    result = roca("restore", "--force", str(file))
    assert result.code == 1
    assert part in result.err
    assert (home / "objects/a/b").read_text() == "object"
    assert not (tmp_path / "escaped").exists()
    assert not (tmp_path / "home.restoring").exists()


def test_a_cut_file_changes_nothing(roca, home, tmp_path, state):
    file = tmp_path / "b.tar.gz"
    roca("backup", str(file))
    file.write_bytes(file.read_bytes()[:-2000])
    assert roca("restore", "--force", str(file)).code == 1
    assert (home / "objects/a/b").read_text() == "object"


def test_objects_that_change_meanwhile_are_kept_as_they_were(home, tmp_path):
    objects = FileObjects(home)
    store = objects.of("123456789012")
    store.make_bucket("data", region="us-east-1")
    for index in range(3):
        store.put("data", f"k{index}", b"before")
    changed = []

    def advance(_):
        if not changed:
            changed.append(True)
            store.put("data", "k0", b"after")
            store.delete("data", "k1")

    home.joinpath("note").write_text("x")
    write_archive(home, tmp_path / "b.tar.gz", models=True, advance=advance)
    assert changed
    read_archive(tmp_path / "b.tar.gz", tmp_path / "other", advance=lambda _: None)
    restored = FileObjects(tmp_path / "other")
    assert [restored.of("123456789012").read("data", f"k{index}") for index in range(3)] == [b"before"] * 3
    restored.close()
    # What could not be removed while the backup ran is removed at the next start.
    objects.close()
    again = FileObjects(home)
    assert [info.key for info in again.of("123456789012").list("data")] == ["k0", "k2"]
    again.close()
    assert sum(path.is_file() for path in (home / "objects" / "data").rglob("*")) == 2

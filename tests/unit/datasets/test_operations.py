from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from rocamadre.catalog.host import LocalHost
from rocamadre.core.clock import FixedClock
from rocamadre.core.errors import InvalidRequest, NotFound
from rocamadre.core.settings import load_settings
from rocamadre.datasets.operations import (
    check_name,
    content_path,
    find_dataset,
    import_dataset,
    keep_dataset,
    list_datasets,
    read_dataset,
    remove_dataset,
)
from rocamadre.datasets.sources import BytesSource
from rocamadre.datasets.types import Chat, Text, Turn
from rocamadre.store.sql.database import open_database

ROWS = [Chat((Turn("user", f"Q{n}"), Turn("assistant", f"A{n}"))) for n in range(3)]


@pytest.fixture
def host(tmp_path):
    settings = load_settings(home=tmp_path / "home")
    sql = open_database(settings.home)
    yield LocalHost(settings, sql, FixedClock(datetime(2026, 1, 1, tzinfo=UTC)))
    sql.dispose()


def files(host):
    return sorted(path.name for path in (host.settings.home / "datasets").iterdir() if path.name != ".lock")


def test_what_is_kept_is_found_and_read(host):
    kept = keep_dataset(host, iter(ROWS), "support", source="here")
    assert (kept.records, kept.kind, kept.version) == (3, "chat", kept.sha256[:12])
    assert find_dataset(host, "support") == find_dataset(host, kept.label) == kept
    assert list(read_dataset(host, kept)) == ROWS
    assert content_path(host, kept).stat().st_size == kept.size_bytes


def test_versions_follow_from_the_content(host):
    first = keep_dataset(host, ROWS, "support", source="here")
    host.clock.advance(60)
    second = keep_dataset(host, ROWS[:2], "support", source="here")
    assert find_dataset(host, "support") == second
    host.clock.advance(60)
    again = keep_dataset(host, ROWS, "support", source="there")
    assert again.version == first.version
    assert [each.version for each in list_datasets(host)] == [first.version, second.version]
    assert find_dataset(host, "support") == again
    with pytest.raises(NotFound, match=f"no version 'x'; it has {again.version}"):
        find_dataset(host, "support@x")


def test_accounts_do_not_see_each_others(host):
    mine = keep_dataset(host, ROWS, "support", source="here", account="111111111111", region="us-east-1")
    assert list_datasets(host) == []
    assert list_datasets(host, account="111111111111", region="us-east-1") == [mine]
    with pytest.raises(NotFound, match="none is registered"):
        find_dataset(host, "support", account="222222222222", region="us-east-1")


def test_a_content_is_kept_while_a_name_has_it(host):
    one = keep_dataset(host, ROWS, "one", source="here")
    keep_dataset(host, ROWS, "two", source="here")
    assert files(host) == [f"{one.sha256}.jsonl"]
    remove_dataset(host, "one")
    assert list(read_dataset(host, find_dataset(host, "two"))) == ROWS
    remove_dataset(host, "two")
    assert files(host) == []
    with pytest.raises(NotFound, match="no data set is called 'two'"):
        remove_dataset(host, "two")


def test_a_name_is_removed_with_all_versions_or_one(host):
    first = keep_dataset(host, ROWS, "support", source="here")
    keep_dataset(host, ROWS[:1], "support", source="here")
    assert [each.version for each in remove_dataset(host, first.label)] == [first.version]
    keep_dataset(host, ROWS, "support", source="here")
    assert len(remove_dataset(host, "support")) == 2


def test_bad_data_leaves_nothing(host):
    good = json.dumps({"prompt": "a", "completion": "b"}).encode()
    with pytest.raises(InvalidRequest, match=r"x\.jsonl, line 2"):
        import_dataset(host, [BytesSource("x.jsonl", good + b"\n{}\n")], "support")
    with pytest.raises(InvalidRequest, match="no record"):
        keep_dataset(host, [], "support", source="here")
    with pytest.raises(InvalidRequest, match="chat and text"):
        keep_dataset(host, [ROWS[0], Text("x")], "support", source="here")
    assert list_datasets(host) == []
    assert files(host) == []
    found = import_dataset(host, [BytesSource("x.jsonl", good)], "support")
    assert (found.format, found.source) == ("prompt-completion", "x.jsonl")


@pytest.mark.parametrize("name", ["", "Upper", "-x", "a/b", "a@b", "x" * 64, "ñ"])
def test_names_are_checked(name):
    with pytest.raises(InvalidRequest, match="no name of a data set"):
        check_name(name)


def test_a_file_that_is_gone_is_told(host):
    kept = keep_dataset(host, ROWS, "support", source="here")
    content_path(host, kept).unlink()
    with pytest.raises(NotFound, match="is gone"):
        read_dataset(host, kept)


KILLED = """
import os, sys
from pathlib import Path
from rocamadre.catalog.host import LocalHost
from rocamadre.core.clock import SystemClock
from rocamadre.core.settings import load_settings
from rocamadre.datasets import operations
from rocamadre.datasets.types import Text
from rocamadre.store.sql.database import open_database

home, when = Path(sys.argv[1]), sys.argv[2]
host = LocalHost(load_settings(home=home), open_database(home), SystemClock())
die = lambda *_: os._exit(9)
def rows():
    yield Text("a" * 100_000)
    if when == "reading":
        die()
    yield Text("b")
if when == "hashing":
    operations._hash = die
if when == "row":
    operations.put_dataset = die
operations.keep_dataset(host, rows(), "killed", source="here")
"""


@pytest.mark.parametrize("when", ["reading", "hashing", "row"])
def test_a_kill_leaves_no_half_data_set(host, when, tmp_path):
    command = [sys.executable, "-c", KILLED, str(host.settings.home), when]
    assert subprocess.run(command, check=False).returncode == 9
    assert list_datasets(host) == []
    left = files(host)
    assert len(left) == 1
    old = host.settings.home / "datasets" / left[0]
    os.utime(old, (1, 1))
    kept = keep_dataset(host, [Text("a" * 100_000), Text("b")], "killed", source="here")
    assert files(host) == [f"{kept.sha256}.jsonl"]
    assert len(list(read_dataset(host, kept))) == 2

"""Sources list what they have, and give what was listed; what is wrong with one document stays with it."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from rocamadre.core.clock import SystemClock
from rocamadre.core.errors import AccessDenied, InvalidRequest, NotFound
from rocamadre.core.settings import KnowledgeSettings, Settings
from rocamadre.knowledge.parsers.file import Columns
from rocamadre.knowledge.sources import custom, directory, git, s3, sql
from rocamadre.knowledge.sources.place import Place
from rocamadre.knowledge.sources.protocol import Item, SourceFailure
from rocamadre.knowledge.sources.sidecar import read_sidecar
from rocamadre.knowledge.types import Change
from rocamadre.store.objects.registry import open_objects

ACCOUNT = "123456789012"


@pytest.fixture
def place(tmp_path):
    settings = Settings(home=tmp_path / "home", server={"port": 0})
    stores = open_objects(settings)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    yield Place(ACCOUNT, stores.of(ACCOUNT), scratch, KnowledgeSettings(), SystemClock(), any_path=True)
    stores.close()


def read(source, item):
    found = source.fetch(item)
    return found.read_bytes() if isinstance(found, Path) else found


def listed(source):
    items = list(source.listing())
    assert len({item.id for item in items}) == len(items)
    return {item.id: item for item in items}


# -- S3 --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def bucket(place):
    place.objects.make_bucket("docs", region="us-east-1")
    for key, data in {
        "in/a.txt": b"One",
        "in/a.txt.metadata.json": b'{"metadataAttributes": {"year": 2024}}',
        "in/a.txt-older": b"Two",
        "in/b.pdf": b"%PDF",
        "in/folder/": b"",
        "out/c.txt": b"Three",
    }.items():
        place.objects.put("docs", key, data)
    return place.objects


def s3_source(place, **more):
    return s3.open_source(place, {"bucketArn": "arn:aws:s3:::docs", **more})


def test_objects_below_the_prefix_and_nothing_else(place, bucket):
    source = s3_source(place, inclusionPrefixes=["in/"])
    items = listed(source)
    assert sorted(items) == ["s3://docs/in/a.txt", "s3://docs/in/a.txt-older", "s3://docs/in/b.pdf"]
    assert len(listed(s3_source(place))) == 4
    first = items["s3://docs/in/a.txt"]
    assert (first.name, first.size_bytes, read(source, first)) == ("a.txt", 3, b"One")
    assert source.attributes(first).values == {"year": 2024}
    assert source.attributes(items["s3://docs/in/b.pdf"]).values == {}


def test_versions_follow_content_and_attributes(place, bucket):
    before = listed(s3_source(place))
    bucket.put("docs", "in/a.txt", b"Other")
    bucket.put("docs", "in/b.pdf.metadata.json", b'{"metadataAttributes": {"a": 1}}')
    after = listed(s3_source(place))
    changed = {key for key, item in after.items() if item.version != before[key].version}
    marked = {key for key, item in after.items() if item.metadata_version != before[key].metadata_version}
    assert (changed, marked) == ({"s3://docs/in/a.txt"}, {"s3://docs/in/b.pdf"})


def test_a_large_object_comes_in_a_file(place, bucket, monkeypatch):
    monkeypatch.setattr(s3, "IN_MEMORY_BYTES", 2)
    source = s3_source(place)
    found = source.fetch(listed(source)["s3://docs/in/a.txt"])
    assert found.read_bytes() == b"One"
    assert found.is_relative_to(place.scratch)


def test_an_object_that_vanished_or_is_too_large_fails_alone(place, bucket, monkeypatch):
    source = s3_source(place)
    items = listed(source)
    bucket.delete("docs", "in/b.pdf")
    with pytest.raises(SourceFailure, match=r"in/b\.pdf"):
        source.fetch(items["s3://docs/in/b.pdf"])
    monkeypatch.setattr("rocamadre.knowledge.sources.protocol.sized.__defaults__", (2,))
    with pytest.raises(SourceFailure, match="at most 2"):
        source.fetch(items["s3://docs/in/a.txt"])


def test_a_bucket_that_is_not_there_is_no_empty_one(place):
    with pytest.raises(NotFound):
        listed(s3_source(place))
    with pytest.raises(AccessDenied, match="999999999999"):
        s3_source(place, bucketOwnerAccountId="999999999999")


# -- attributes ------------------------------------------------------------------------------------------------------


def test_attributes_plain_and_typed():
    found = read_sidecar(
        b'\xef\xbb\xbf{"metadataAttributes": {"a": "x", "b": 2.5, "c": true, "d": ["p", "q"], "e": {"n": 1}, "f": null,'
        b'"g": {"value": {"type": "STRING", "stringValue": "s"}, "includeForEmbedding": true},'
        b'"h": {"value": {"type": "NUMBER", "numberValue": "7"}}}}',
        "x",
    )
    assert found.values == {"a": "x", "b": 2.5, "c": True, "d": ["p", "q"], "g": "s"}
    assert sorted(found.ignored) == ["e", "f", "h"]
    assert found.embedded == ("g",)


@pytest.mark.parametrize(
    "data",
    [
        b"{",
        b"[]",
        b'{"attributes": {}}',
        b'{"metadataAttributes": 3}',
        b"\xff",
        b'{"metadataAttributes": {"a": "%b"}}' % (b"a" * 10_240),
    ],
)
def test_what_is_no_file_of_attributes_says_so(data):
    with pytest.raises(SourceFailure, match=r"doc\.metadata"):
        read_sidecar(data, "doc.metadata.json")


def test_columns_of_a_table():
    fields = {
        "contentFields": [{"fieldName": "text"}],
        "metadataFieldsSpecification": {"fieldsToInclude": [{"fieldName": "year"}]},
    }
    structure = {"type": "RECORD_BASED_STRUCTURE_METADATA", "recordBasedStructureMetadata": fields}
    data = json.dumps({"documentStructureConfiguration": structure}).encode()
    assert read_sidecar(data, "x").columns == Columns("text", ("year",))
    fields["metadataFieldsSpecification"]["fieldsToExclude"] = [{"fieldName": "year"}]
    with pytest.raises(SourceFailure, match="'year' is to be read and in fieldsToExclude"):
        read_sidecar(json.dumps({"documentStructureConfiguration": structure}).encode(), "x")
    del fields["contentFields"]
    with pytest.raises(SourceFailure, match="contentFields"):
        read_sidecar(json.dumps({"documentStructureConfiguration": structure}).encode(), "x")


# -- a folder --------------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "docs"
    (root / "sub").mkdir(parents=True)
    (root / "a b.md").write_text("One")
    (root / "a b.md.metadata.json").write_text('{"metadataAttributes": {"year": 1}}')
    (root / "sub" / "c.txt").write_text("Two")
    (root / ".hidden").write_text("no")
    (tmp_path / "secret.txt").write_text("secret")
    (root / "link.txt").symlink_to(tmp_path / "secret.txt")
    (root / "up").symlink_to(tmp_path)
    os.mkfifo(root / "pipe")
    return root


def test_files_of_a_folder(place, folder):
    source = directory.open_source(place, {"type": "DIRECTORY", "path": str(folder)})
    items = {item.name: item for item in listed(source).values()}
    assert sorted(items) == ["a b.md", "c.txt"]
    assert read(source, items["a b.md"]) == b"One"
    assert source.attributes(items["a b.md"]).values == {"year": 1}
    (folder / "a b.md").write_text("Changed")
    again = {item.name: item for item in listed(source).values()}
    assert again["a b.md"].version != items["a b.md"].version
    assert again["c.txt"] == items["c.txt"]


def test_a_file_that_became_a_link_is_not_followed(place, folder):
    source = directory.open_source(place, {"type": "DIRECTORY", "path": str(folder)})
    items = {item.name: item for item in listed(source).values()}
    (folder / "sub" / "c.txt").unlink()
    (folder / "sub" / "c.txt").symlink_to(folder.parent / "secret.txt")
    with pytest.raises(SourceFailure, match="leads out"):
        source.fetch(items["c.txt"])


def test_patterns_choose_files(place, folder):
    def names(**more):
        source = directory.open_source(place, {"type": "DIRECTORY", "path": str(folder), **more})
        return sorted(item.name for item in source.listing())

    assert names(include=["*.md"]) == ["a b.md"]
    assert names(exclude=["sub/*"]) == ["a b.md"]
    assert names(hidden=True) == [".hidden", "a b.md", "c.txt"]
    with pytest.raises(InvalidRequest, match="pattern"):
        names(include="*.md")
    with pytest.raises(InvalidRequest, match="recursive"):
        names(recursive=True)


def test_folders_that_the_settings_do_not_give_away(place, folder):
    def opened(*paths):
        guarded = Place(ACCOUNT, place.objects, place.scratch, KnowledgeSettings(paths=paths), place.clock)
        return directory.open_source(guarded, {"type": "DIRECTORY", "path": str(folder / "up")})

    with pytest.raises(AccessDenied, match=r"knowledge\.paths"):
        opened()
    with pytest.raises(AccessDenied, match=r"knowledge\.paths"):
        opened(folder)
    assert opened(folder.parent)


def test_a_folder_that_is_gone_is_no_empty_one(place, tmp_path):
    with pytest.raises(NotFound):
        listed(directory.open_source(place, {"type": "DIRECTORY", "path": str(tmp_path / "gone")}))


# -- git -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def repository(tmp_path):
    root = tmp_path / "repository"
    root.mkdir()

    def run(*words):
        environment = os.environ | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
        command = ["git", "-C", str(root), "-c", "user.name=a", "-c", "user.email=a@b.c", *words]
        subprocess.run(command, check=True, capture_output=True, env=environment)

    run("init", "--quiet", "--initial-branch=main")
    (root / "docs").mkdir()
    (root / "docs" / "ä b.md").write_text("One")
    (root / "docs" / "ä b.md.metadata.json").write_text('{"metadataAttributes": {"year": 1}}')
    (root / "code.py").write_text("pass")
    (root / "link").symlink_to("/etc/passwd")
    run("add", "-A")
    run("commit", "-q", "-m", "first")
    return root, run


def git_source(place, repository, **more):
    return git.open_source(place, {"type": "GIT", "repository": str(repository), **more})


def test_files_of_a_commit(place, repository):
    root, run = repository
    source = git_source(place, root, include=["docs/*"])
    items = listed(source)
    (item,) = items.values()
    assert item.id == f"{root}#docs/ä b.md"
    assert read(source, item) == b"One"
    assert read(source, item) == b"One"
    assert source.attributes(item).values == {"year": 1}
    (root / "docs" / "ä b.md").write_text("Never committed")
    assert listed(source) == items
    run("commit", "-q", "-am", "second")
    assert listed(source)[item.id].version != item.version
    assert listed(git_source(place, root, include=["docs/*"], ref="main")).keys() == items.keys()
    source.close()


def test_nothing_of_a_repository_runs(place, repository, tmp_path):
    root, run = repository
    trap = tmp_path / "trap"
    script = tmp_path / "script.sh"
    script.write_text(f"#!/bin/sh\ntouch {trap}\ncat\n")
    script.chmod(0o755)
    for hook in ("post-checkout", "pre-auto-gc", "reference-transaction", "post-index-change"):
        (root / ".git" / "hooks" / hook).write_bytes(script.read_bytes())
        (root / ".git" / "hooks" / hook).chmod(0o755)
    for name in ("core.fsmonitor", "core.sshCommand", "filter.x.smudge", "filter.x.process", "diff.x.textconv",
                 "core.pager", "uploadpack.packObjectsHook", "remote.origin.uploadpack"):  # fmt: skip
        run("config", name, str(script))
    run("config", "remote.origin.url", f"ext::{script}")
    run("config", "remote.origin.promisor", "true")
    run("config", "extensions.partialClone", "origin")
    (root / ".git" / "info" / "attributes").write_text("* filter=x diff=x\n")
    trap.unlink(missing_ok=True)
    source = git_source(place, root)
    assert [read(source, item) for item in source.listing()]
    with pytest.raises(SourceFailure):
        source.fetch(Item("gone", "1" * 40, "gone", 1))  # A promisor repository would fetch it.
    source.close()
    assert not trap.exists()


def test_what_no_repository_is_asked(place, tmp_path, repository):
    for wrong in ("ext::sh -c id", "file:///etc", "ssh://host/x", "--upload-pack=id"):
        with pytest.raises(InvalidRequest):
            git_source(place, wrong)
    for ref in ("--output=x", "a b", "main~1", "a:b"):
        with pytest.raises(InvalidRequest, match="ref"):
            git_source(place, repository[0], ref=ref)
    with pytest.raises(InvalidRequest, match="no readable tree"):
        listed(git_source(place, tmp_path))
    with pytest.raises(InvalidRequest, match="no readable tree"):
        listed(git_source(place, repository[0], ref="gone"))


def test_a_repository_at_a_private_address_is_refused(place):
    with pytest.raises(InvalidRequest, match="no public address"):
        listed(git_source(place, "http://127.0.0.1:1/x.git"))


# -- rows ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def shop(tmp_path):
    path = tmp_path / "shop.sqlite"
    with sqlite3.connect(path) as connection:
        connection.executescript(
            "CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT, text TEXT, price REAL);"
            "INSERT INTO items VALUES (1, 'tide', 'The tide table', 2.5), (2, 'sail', 'A sail', NULL);"
        )
    connection.close()
    return path


def rows(place, shop, **more):
    wish = {"type": "SQL", "url": f"sqlite:///{shop}", "query": "SELECT * FROM items", "attributes": ["price"]}
    return sql.open_source(place, {**wish, **more})


def test_rows_are_documents(place, shop):
    source = rows(place, shop, text=["name", "text"])
    items = listed(source)
    first, second = items.values()
    assert (first.id, second.id) == (f"sqlite:///{shop}/1", f"sqlite:///{shop}/2")
    assert read(source, first) == b"name: tide\ntext: The tide table"
    assert source.attributes(first).values == {"price": 2.5}
    with sqlite3.connect(shop) as connection:
        connection.execute("UPDATE items SET text = 'x' WHERE id = 2")
    connection.close()
    again = listed(source)
    assert [again[each].version == items[each].version for each in items] == [True, False]
    source.close()


@pytest.mark.parametrize(
    "query",
    [
        "DELETE FROM items RETURNING id, text",
        "ATTACH 'other.sqlite' AS o",
        "PRAGMA writable_schema = 1",
        "SELECT load_extension('x') AS id, '' AS text",
        "SELECT id, text FROM items; DROP TABLE items",
        "SELECT 1",
        "nonsense",
        "INSERT INTO items VALUES (3, '', '', 0)",
    ],
)
def test_a_query_that_does_anything_but_read_is_refused(place, shop, query):
    before = shop.read_bytes()
    with pytest.raises(InvalidRequest):
        listed(rows(place, shop, query=query, attributes=[]))
    assert shop.read_bytes() == before


def test_a_query_without_end_is_ended(place, shop):
    endless = (
        "WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n) SELECT max(id) AS id, 'x' AS text FROM n"
    )
    with pytest.raises(InvalidRequest, match=r"over 0\.2 seconds"):
        listed(rows(place, shop, query=endless, attributes=[], timeout_s=0.2))


def test_too_many_rows_and_repeated_ids_are_refused(place, shop):
    few = Place(ACCOUNT, place.objects, place.scratch, KnowledgeSettings(rows=1), place.clock, any_path=True)
    with pytest.raises(InvalidRequest, match=r"knowledge\.rows"):
        listed(rows(few, shop))
    with pytest.raises(InvalidRequest, match="must differ"):
        listed(rows(place, shop, query="SELECT 1 AS id, text FROM items", attributes=[]))


# -- what a client brings --------------------------------------------------------------------------------------------


def test_documents_that_a_client_brings(place, bucket, tmp_path):
    staging = tmp_path / "staging"
    staging.mkdir()
    (staging / "1").write_text("Inline")
    changes = [
        Change(1, "KB", "DS", "one", "ingest", staged="1", media_type="text/plain", metadata={"year": 1.0}),
        Change(
            2, "KB", "DS", "two", "ingest", uri="s3://docs/in/b.pdf", metadata_uri="s3://docs/in/a.txt.metadata.json"
        ),
        Change(3, "KB", "DS", "gone", "ingest", staged="2"),
    ]
    source = custom.ChangesSource(changes, staging, bucket, place.scratch)
    items = listed(source)
    assert read(source, items["one"]) == b"Inline"
    assert read(source, items["two"]) == b"%PDF"
    assert (items["one"].name, items["two"].name) == ("document.txt", "b.pdf")
    assert source.attributes(items["one"]).values == {"year": 1.0}
    assert source.attributes(items["two"]).values == {"year": 2024}
    with pytest.raises(SourceFailure, match="send it again"):
        source.fetch(items["gone"])


# -- git over HTTP ---------------------------------------------------------------------------------------------------


@pytest.fixture
def served(repository):
    """The repository at an address of loopback, by git's own CGI program; what it was asked for, too."""
    root, _ = repository
    asked = []
    program = subprocess.run(["git", "--exec-path"], capture_output=True, text=True, check=True).stdout.strip()

    class Handler(BaseHTTPRequestHandler):
        def answer(self):
            path, _, query = self.path.partition("?")
            asked.append(path)
            if path.startswith("/elsewhere"):
                self.send_response(302)
                self.send_header("location", f"http://127.0.0.1:{self.server.server_address[1]}/.git/info/refs?{query}")
                self.end_headers()
                return
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            environment = {
                "PATH": os.environ["PATH"],
                "GIT_PROJECT_ROOT": str(root),
                "GIT_HTTP_EXPORT_ALL": "1",
                "REQUEST_METHOD": self.command,
                "PATH_INFO": path,
                "QUERY_STRING": query,
                "CONTENT_TYPE": self.headers.get("content-type", ""),
                "CONTENT_LENGTH": str(len(body)),
                "HTTP_CONTENT_ENCODING": self.headers.get("content-encoding", ""),
                "GIT_PROTOCOL": self.headers.get("git-protocol", ""),
            }
            command = [f"{program}/git-http-backend"]
            done = subprocess.run(command, input=body, env=environment, capture_output=True, check=True)
            head, _, content = done.stdout.partition(b"\r\n\r\n")
            headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if ": " in line)
            self.send_response(int(headers.pop("Status", "200").split()[0]))
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = answer

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}", asked
    server.shutdown()
    server.server_close()


def test_a_repository_is_fetched(place, served, repository):
    address, asked = served
    allowed = replace(place, settings=KnowledgeSettings(private_addresses=True))
    source = git_source(allowed, f"{address}/.git", include=["docs/*"], ref="main")
    (item,) = listed(source).values()
    assert read(source, item) == b"One"
    assert source.attributes(item).values == {"year": 1}
    source.close()
    again = git_source(allowed, f"{address}/.git", include=["docs/*"])
    assert read(again, item) == b"One"  # After a kill: what was fetched is still there.
    again.close()
    asked.clear()
    with pytest.raises(InvalidRequest, match="no public address"):
        listed(git_source(place, f"{address}/.git"))
    assert asked == []


def test_a_repository_that_moves_is_not_followed(place, served):
    address, asked = served
    allowed = replace(place, settings=KnowledgeSettings(private_addresses=True))
    with pytest.raises(InvalidRequest, match="cannot be fetched"):
        listed(git_source(allowed, f"{address}/elsewhere"))
    assert set(asked) == {"/elsewhere/info/refs"}


def test_a_repository_that_is_too_large_is_not_fetched(place, served, monkeypatch):
    address, _ = served
    monkeypatch.setattr(git, "_POLL_S", 0.001)
    small = replace(place, settings=KnowledgeSettings(private_addresses=True, clone_bytes=1))
    with pytest.raises(InvalidRequest, match=r"knowledge\.clone_bytes"):
        listed(git_source(small, f"{address}/.git"))

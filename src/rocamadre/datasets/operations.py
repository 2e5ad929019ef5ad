"""Keeping, finding and removing data sets.

A content is kept once, in canonical form, under its hash: `datasets/<sha256>.jsonl`. It is written under another name,
flushed and renamed before its row is committed; what a kill leaves without a row is removed by a later import.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import secrets
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

from sqlalchemy import Engine as SqlEngine

from rocamadre.core.clock import Clock
from rocamadre.core.errors import InvalidRequest, NotFound
from rocamadre.core.settings import Settings
from rocamadre.datasets import canonical
from rocamadre.datasets.sources import Source
from rocamadre.datasets.tables import Dataset, delete_dataset_row, known_hashes, put_dataset, select_datasets
from rocamadre.datasets.types import Example
from rocamadre.datasets.validation import Report, Rules, load_examples

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
_LEFT_BEHIND_S = 86_400.0
_VERSION_LETTERS = 12
_PIECE_BYTES = 1 << 20


class DatasetHost(Protocol):
    """What the functions here need: a server's platform and a command both have it."""

    @property
    def settings(self) -> Settings:
        """All settings."""
        ...

    @property
    def sql(self) -> SqlEngine:
        """The database."""
        ...

    @property
    def clock(self) -> Clock:
        """The time."""
        ...


def import_dataset(
    host: DatasetHost,
    sources: Iterable[Source],
    name: str,
    *,
    rules: Rules | None = None,
    account: str = "",
    region: str = "",
    report: Report | None = None,
) -> Dataset:
    """Register data if every record of it is good; see `keep_dataset`.

    Args:
        host: Where.
        sources: What to read.
        name: What to call it.
        rules: What records must be.
        account: Whose; empty with `region` for the whole platform.
        region: Where.
        report: Filled as the records are read.

    Raises:
        InvalidRequest: the name is none, or records are bad.
        NotFound: a file is not there.
    """
    report = report if report is not None else Report()
    wanted = list(sources)
    origin = ", ".join(source.name for source in wanted)
    examples = load_examples(wanted, rules, report=report)
    return keep_dataset(host, examples, name, source=origin, account=account, region=region, report=report)


def keep_dataset(
    host: DatasetHost,
    examples: Iterable[Example],
    name: str,
    *,
    source: str,
    account: str = "",
    region: str = "",
    report: Report | None = None,
) -> Dataset:
    """Register examples under a name; it is there when this returns, whatever dies.

    The version follows from the content: the same content again is the same version.

    Args:
        host: Where.
        examples: Read once; of one kind.
        name: Lower-case letters, digits, `-`, `_`, `.`; at most 63.
        source: From where they come.
        account: Whose.
        region: Where.
        report: Names the format in which they came, once they were read.

    Raises:
        InvalidRequest: the name is none, there are no examples, or whatever `examples` raises.
    """
    check_name(name)
    folder = host.settings.home / "datasets"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    _sweep(host, folder)
    kinds: list[str] = []
    temporary = folder / f".{secrets.token_hex(12)}"
    try:
        records = canonical.write(temporary, _of_one_kind(examples, kinds))
        if not records:
            raise InvalidRequest("there is no record to keep")
        sha256 = _hash(temporary)
        formats = sorted(set(report.formats.values())) if report is not None else []
        dataset = Dataset(
            account=account,
            region=region,
            name=name,
            version=sha256[:_VERSION_LETTERS],
            sha256=sha256,
            kind=kinds[0],
            format=", ".join(formats)[:64] or "canonical",
            source=source[:2000],
            records=records,
            size_bytes=temporary.stat().st_size,
            created_at=host.clock.now(),
        )
        with _held(folder), host.sql.begin() as tx:
            temporary.replace(content_path(host, dataset))
            put_dataset(tx, dataset)
        return dataset
    finally:
        temporary.unlink(missing_ok=True)


def list_datasets(host: DatasetHost, *, account: str = "", region: str = "") -> list[Dataset]:
    """All versions, newest first."""
    with host.sql.connect() as connection:
        return select_datasets(connection, account, region)


def find_dataset(host: DatasetHost, label: str, *, account: str = "", region: str = "") -> Dataset:
    """One version.

    Args:
        host: Where.
        label: `name`, the newest version of it, or `name@version`.
        account: Whose.
        region: Where.

    Raises:
        NotFound: there is none.
    """
    name, _, version = label.partition("@")
    with host.sql.connect() as connection:
        versions = select_datasets(connection, account, region, name)
        for dataset in versions:
            if not version or dataset.version == version:
                return dataset
        if versions:
            known = ", ".join(each.version for each in versions[:10])
            raise NotFound(f"data set {name!r} has no version {version!r}; it has {known}")
        names = sorted({each.name for each in select_datasets(connection, account, region)})
    there = f"there are: {', '.join(names[:20])}" if names else "none is registered; `roca data import` registers one"
    raise NotFound(f"no data set is called {name[:100]!r}; {there}")


def read_dataset(host: DatasetHost, dataset: Dataset) -> Iterator[Example]:
    """Its examples, in order.

    Raises:
        NotFound: its file is gone.
    """
    path = content_path(host, dataset)
    if not path.is_file():
        raise NotFound(f"the file of data set {dataset.label} is gone: {path}; import it again")
    return canonical.read(path)


def content_path(host: DatasetHost, dataset: Dataset) -> Path:
    """Its canonical file."""
    return host.settings.home / "datasets" / f"{dataset.sha256}.jsonl"


def remove_dataset(host: DatasetHost, label: str, *, account: str = "", region: str = "") -> list[Dataset]:
    """Remove a version, or all of a name that comes without one; runs that read the file go on reading it.

    Returns:
        What was removed.

    Raises:
        NotFound: there is none.
    """
    first = find_dataset(host, label, account=account, region=region)
    folder = host.settings.home / "datasets"
    with _held(folder):
        with host.sql.begin() as tx:
            gone = [first] if "@" in label else select_datasets(tx, account, region, first.name)
            for dataset in gone:
                delete_dataset_row(tx, dataset)
            left = known_hashes(tx)
        for dataset in gone:
            if dataset.sha256 not in left:
                content_path(host, dataset).unlink(missing_ok=True)
    return gone


def check_name(name: str) -> None:
    """Check a data set's name.

    Raises:
        InvalidRequest: it is none.
    """
    if not _NAME.fullmatch(name):
        raise InvalidRequest(
            f"{name[:100]!r} is no name of a data set; a name begins with a lower-case letter or digit and has at most "
            "63 of these, '-', '_' and '.'"
        )


def _of_one_kind(examples: Iterable[Example], kinds: list[str]) -> Iterator[Example]:
    for example in examples:
        kind = type(example).__name__.lower()
        if not kinds:
            kinds.append(kind)
        elif kind != kinds[0]:
            raise InvalidRequest(f"the data holds {kinds[0]} and {kind} records; keep one kind in a data set")
        yield example


def _hash(path: Path) -> str:
    found = hashlib.sha256()
    with path.open("rb") as stream:
        while piece := stream.read(_PIECE_BYTES):
            found.update(piece)
    return found.hexdigest()


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Keep other processes from adding and removing contents."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _sweep(host: DatasetHost, folder: Path) -> None:
    """Remove what kills left behind a day ago or more."""
    oldest = time.time() - _LEFT_BEHIND_S
    with _held(folder):
        with host.sql.connect() as connection:
            known = known_hashes(connection)
        for path in folder.iterdir():
            with suppress(FileNotFoundError):
                if path.name != ".lock" and path.stem not in known and path.stat().st_mtime < oldest:
                    path.unlink()

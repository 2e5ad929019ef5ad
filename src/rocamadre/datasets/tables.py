"""Registered data sets in SQL; their contents are in `<home>/datasets`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Column, Connection, Index, Integer, String, Table, Text, delete, insert, select

from rocamadre.store.sql.database import METADATA

DATASETS = Table(
    "datasets",
    METADATA,
    Column("account", String(12), primary_key=True),
    Column("region", String(32), primary_key=True),
    Column("name", String(64), primary_key=True),
    Column("version", String(12), primary_key=True),
    Column("sha256", String(64), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("format", String(64), nullable=False),
    Column("source", Text, nullable=False),
    Column("records", Integer, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("created_at", String(40), nullable=False),
    Index("datasets_content", "sha256"),
)


@dataclass(frozen=True, slots=True)
class Dataset:
    """One version of a registered data set.

    Attributes:
        account: Whose; empty with `region` for one of the whole platform.
        region: Where.
        name: Lower-case letters, digits, `-`, `_` and `.`.
        version: The first letters of the content's hash.
        sha256: Of its canonical file.
        kind: Of its examples: `text`, `chat`, `prompt` or `preference`.
        format: In which it came.
        source: From where it came.
        records: How many.
        size_bytes: Of its canonical file.
    """

    account: str
    region: str
    name: str
    version: str
    sha256: str
    kind: str
    format: str
    source: str
    records: int
    size_bytes: int
    created_at: datetime

    @property
    def label(self) -> str:
        """Name and version, as people write them."""
        return f"{self.name}@{self.version}"


def put_dataset(tx: Connection, dataset: Dataset) -> None:
    """Store a version's row; the same version is replaced."""
    tx.execute(delete(DATASETS).where(_is(dataset)))
    row = {name: getattr(dataset, name) for name in Dataset.__slots__}
    tx.execute(insert(DATASETS).values({**row, "created_at": dataset.created_at.isoformat()}))


def select_datasets(tx: Connection, account: str, region: str, name: str | None = None) -> list[Dataset]:
    """All versions of one account in one region, newest first; of one name, if it is given."""
    query = select(DATASETS).where(DATASETS.c.account == account, DATASETS.c.region == region)
    if name is not None:
        query = query.where(DATASETS.c.name == name)
    return [_dataset(row) for row in tx.execute(query.order_by(DATASETS.c.created_at.desc(), DATASETS.c.version))]


def delete_dataset_row(tx: Connection, dataset: Dataset) -> None:
    """Forget a version."""
    tx.execute(delete(DATASETS).where(_is(dataset)))


def known_hashes(tx: Connection) -> set[str]:
    """The contents that any row names."""
    return set(tx.execute(select(DATASETS.c.sha256)).scalars())


def _is(dataset: Dataset) -> Any:
    columns = DATASETS.c
    return (
        (columns.account == dataset.account)
        & (columns.region == dataset.region)
        & (columns.name == dataset.name)
        & (columns.version == dataset.version)
    )


def _dataset(row: Any) -> Dataset:
    values = {name: getattr(row, name) for name in Dataset.__slots__}
    values["created_at"] = datetime.fromisoformat(row.created_at)
    return Dataset(**values)

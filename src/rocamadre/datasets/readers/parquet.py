"""Parquet, read in batches of rows."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet as pq

from rocamadre.core.errors import InvalidRequest
from rocamadre.datasets.readers.types import Row
from rocamadre.datasets.sources import Source

_BATCH_ROWS = 256


def read_parquet(source: Source, _encoding: str = "") -> Iterator[Row]:
    """The rows; members that are null are left out.

    Raises:
        InvalidRequest: it is no whole Parquet file.
    """
    if source.name.lower().endswith(".gz"):
        raise InvalidRequest(f"{source.name}: Parquet files are compressed inside; take .gz away")
    number = 0
    with source.local() as path:
        try:
            with pq.ParquetFile(path) as file:
                for batch in file.iter_batches(batch_size=_BATCH_ROWS):
                    for value in batch.to_pylist():
                        number += 1
                        yield Row(number, {name: cell for name, cell in value.items() if cell is not None})
        except (pa.ArrowException, OSError) as error:
            raise InvalidRequest(f"{source.name} is no whole Parquet file, after row {number}: {error}") from error

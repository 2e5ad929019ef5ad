"""Which files can be read."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from rocamadre.core.errors import InvalidRequest
from rocamadre.core.registry import Registry
from rocamadre.datasets.readers.types import Reader, Row
from rocamadre.datasets.sources import SUFFIXES, Source, unpacked

READERS: Registry[Reader] = Registry(
    "data reader",
    {
        "jsonl": "rocamadre.datasets.readers.jsonl:read_jsonl",
        "json": "rocamadre.datasets.readers.json_array:read_json_array",
        "csv": "rocamadre.datasets.readers.csv_table:read_csv",
        "parquet": "rocamadre.datasets.readers.parquet:read_parquet",
    },
    extra={"parquet": "train"},
)

_BY_SUFFIX = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".csv": "csv",
    ".tsv": "csv",
    ".parquet": "parquet",
}
_PARQUET_MARK = b"PAR1"


def read_rows(source: Source, encoding: str = "") -> Iterator[Row]:
    """The records of a file, by the kind of file that its name or its first bytes tell.

    Raises:
        InvalidRequest: it is of no kind that is read, or damaged as a whole.
        MissingDependency: a package is needed that is not installed.
        NotFound: it is not there.
    """
    reader = READERS.load(file_kind(source))
    return reader(source, encoding)


def _is_json(line: bytes) -> bool:
    """Whether a line says something by itself; in a file of an object over several lines the first does not."""
    try:
        msgspec.json.decode(line)
    except msgspec.DecodeError:
        return False
    return True


def file_kind(source: Source) -> str:
    """A name in `READERS`; a name that tells nothing is settled by the content.

    Raises:
        InvalidRequest: neither tells.
        NotFound: it is not there.
    """
    name = source.name.lower().removesuffix(".gz")
    suffix = next((suffix for suffix in SUFFIXES if name.endswith(suffix)), "")
    kind = _BY_SUFFIX.get(suffix, "")
    if kind == "csv":
        return kind
    beginning = next(iter(unpacked(source)), b"")
    if beginning.startswith(_PARQUET_MARK):
        return "parquet"
    if kind == "parquet":
        raise InvalidRequest(f"{source.name} is no Parquet file: it does not begin with PAR1")
    sign = beginning.replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n")[:1]
    if sign == b"[" or (kind == "json" and not _is_json(beginning.partition(b"\n")[0])):
        return "json"
    if sign in (b"{", b"") or kind:
        return "jsonl"
    known = ", ".join(SUFFIXES)
    raise InvalidRequest(f"{source.name}: it begins with neither {{ nor [, and its name ends with none of {known}")

"""Documents of an index: write, read, remove. Vectors are kept apart from the rest of a document."""

from __future__ import annotations

import copy
import json
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, delete, func, insert, select

from rocamadre.core.context import Context
from rocamadre.core.errors import CommonError
from rocamadre.neighbours.aoss.errors import no_index, search_error
from rocamadre.neighbours.aoss.indexes import Index, create_index, find_index
from rocamadre.neighbours.aoss.tables import DOCUMENTS

MAX_ID_BYTES = 512
_ROUND = 1000


@dataclass(frozen=True, slots=True)
class Document:
    """A document.

    Attributes:
        source: Without the vectors.
        vectors: By dotted path.
    """

    id: str
    version: int
    source: dict[str, Any]
    vectors: dict[str, NDArray[np.float32]]

    def whole(self) -> dict[str, Any]:
        """The document as it was given."""
        source = copy.deepcopy(self.source)
        for path, vector in self.vectors.items():
            *above, last = path.split(".")
            place = source
            for name in above:
                place = place.setdefault(name, {})
            place[last] = vector.tolist()
        return source


class Written(NamedTuple):
    """What became of a document."""

    id: str
    version: int
    result: Literal["created", "updated", "deleted", "not_found"]


class Change(NamedTuple):
    """One line of a bulk request: `index`, `create` or `delete`; `source` of the first two."""

    action: str
    index_name: str
    id: str | None
    source: Any = None


def write_many(ctx: Context, collection: str, changes: Iterable[Change]) -> list[Written | CommonError]:
    """Carry out changes in one transaction; those that are not valid are answered with their errors.

    An index that is not there is made, without mappings.
    """
    done: list[Written | CommonError] = []
    known: dict[str, Index | CommonError] = {}
    changes = list(changes)
    for name in dict.fromkeys(change.index_name for change in changes if change.action != "delete"):
        known[name] = _index_or_error(ctx, collection, name)
    with ctx.platform.sql.begin() as tx:
        for change in changes:
            try:
                index = known.get(change.index_name) or find_index(tx, ctx, collection, change.index_name)
                if isinstance(index, CommonError):
                    raise index
                done.append(_apply(tx, ctx, index, change))
            except CommonError as error:
                done.append(error)
    return done


def _index_or_error(ctx: Context, collection: str, name: str) -> Index | CommonError:
    try:
        with ctx.platform.sql.connect() as connection:
            return find_index(connection, ctx, collection, name)
    except CommonError as error:
        if error.code != no_index(name).code:
            return error
    try:
        return create_index(ctx, collection, name, {})
    except CommonError as error:
        return error


def write_one(ctx: Context, collection: str, change: Change) -> Written:
    """Carry out one change.

    Raises:
        CommonError: it is not valid.
    """
    (done,) = write_many(ctx, collection, [change])
    if isinstance(done, CommonError):
        raise done
    return done


def get_document(ctx: Context, collection: str, name: str, identity: str) -> Document | None:
    """A document; None where there is none of this id."""
    with ctx.platform.sql.connect() as connection:
        index = find_index(connection, ctx, collection, name)
        row = connection.execute(
            select(DOCUMENTS).where(DOCUMENTS.c.index_id == index.id, DOCUMENTS.c.id == identity)
        ).one_or_none()
    return _document(row) if row is not None else None


def all_documents(connection: Connection, index: Index) -> list[Document]:
    """Every document of an index, by id."""
    query = select(DOCUMENTS).where(DOCUMENTS.c.index_id == index.id).order_by(DOCUMENTS.c.id)
    return [_document(row) for row in connection.execute(query.execution_options(yield_per=_ROUND))]


def count_documents(connection: Connection, index: Index) -> int:
    """How many documents an index has."""
    query = select(func.count()).select_from(DOCUMENTS).where(DOCUMENTS.c.index_id == index.id)
    return int(connection.execute(query).scalar_one())


def _apply(tx: Connection, ctx: Context, index: Index, change: Change) -> Written:
    identity = change.id if change.id is not None else secrets.token_urlsafe(15)
    if not 1 <= len(identity.encode("utf-8", "surrogatepass")) <= MAX_ID_BYTES:
        raise search_error("illegal_argument_exception", 400, f"id must have 1 to {MAX_ID_BYTES} bytes")
    here = (DOCUMENTS.c.index_id == index.id, DOCUMENTS.c.id == identity)
    old = tx.execute(select(DOCUMENTS.c.version).where(*here)).scalar()
    if change.action == "delete":
        tx.execute(delete(DOCUMENTS).where(*here))
        return Written(identity, (old or 0) + 1, "deleted" if old is not None else "not_found")
    if change.action == "create" and old is not None:
        raise search_error(
            "version_conflict_engine_exception", 409, f"[{identity}]: version conflict, document already exists"
        )
    source, vectors = _parted(index, change.source)
    tx.execute(delete(DOCUMENTS).where(*here))
    packed = msgspec.msgpack.encode({path: vector.astype("<f4").tobytes() for path, vector in vectors.items()})
    version = (old or 0) + 1
    row = {"version": version, "source": json.dumps(source), "vectors": packed, "account": ctx.account}
    tx.execute(insert(DOCUMENTS).values(index_id=index.id, id=identity, **row))
    return Written(identity, version, "created" if old is None else "updated")


def _parted(index: Index, source: Any) -> tuple[dict[str, Any], dict[str, NDArray[np.float32]]]:
    if not isinstance(source, dict):
        raise _unparsable("a document must be a JSON object")
    rest = copy.deepcopy(source)
    vectors = {}
    for path, field in index.vectors().items():
        *above, last = path.split(".")
        place: Any = rest
        for name in above:
            place = place.get(name) if isinstance(place, Mapping) else None
        if isinstance(place, dict) and place.get(last) is not None:
            vectors[path] = _vector(place.pop(last), path, int(field["dimension"]))
    return rest, vectors


def _vector(value: Any, path: str, dimension: int) -> NDArray[np.float32]:
    if not isinstance(value, list) or not all(isinstance(each, int | float) for each in value):
        raise _unparsable(f"failed to parse field [{path}] of type [knn_vector]: it must be a list of numbers")
    if len(value) != dimension:
        raise _unparsable(
            f"failed to parse field [{path}] of type [knn_vector]: Vector dimension mismatch. "
            f"Expected: {dimension}, Given: {len(value)}"
        )
    with np.errstate(over="ignore"):
        vector = np.array(value, np.float32)
    if not np.isfinite(vector).all():
        raise _unparsable(f"failed to parse field [{path}] of type [knn_vector]: its numbers must be finite")
    return vector


def _unparsable(reason: str) -> CommonError:
    return search_error("mapper_parsing_exception", 400, reason)


def _document(row: Any) -> Document:
    packed: dict[str, bytes] = msgspec.msgpack.decode(row.vectors)
    vectors = {path: np.frombuffer(data, "<f4") for path, data in packed.items()}
    return Document(row.id, row.version, json.loads(row.source), vectors)

"""DeleteObject and DeleteObjects."""

from __future__ import annotations

from rocamadre.api.http import Reply
from rocamadre.api.neighbours.s3.calls import Call, in_thread, operation
from rocamadre.api.neighbours.s3.conditions import has_etag
from rocamadre.api.neighbours.s3.documents import Element, malformed, parse_document, tag, xml_reply
from rocamadre.api.neighbours.s3.receiving import read_document
from rocamadre.core.errors import CommonError, RocamadreError
from rocamadre.store.objects.errors import NoSuchKey, PreconditionFailed
from rocamadre.store.objects.files import Condition
from rocamadre.store.objects.names import encode_key
from rocamadre.store.objects.protocol import ObjectInfo

_MOST = 1000


@operation("DeleteObject")
async def delete_object(call: Call) -> Reply:
    """Remove an object; no error where there is none."""
    etag = call.header("if-match")
    conditions = {call.key: _has(etag)} if etag else None
    await in_thread(call.store.delete_many, call.bucket, [call.key], conditions=conditions)
    return Reply(204)


@operation("DeleteObjects")
async def delete_objects(call: Call) -> Reply:
    """Remove up to 1,000 objects; each that could not be is told with its reason."""
    document = parse_document(await read_document(call), "Delete")
    wanted = list(document.all("Object"))
    if not 0 < len(wanted) <= _MOST:
        raise malformed(f"Delete lists 1 to {_MOST} objects, not {len(wanted)}")
    is_quiet = document.value("Quiet").strip() == "true"
    return xml_reply("DeleteResult", await in_thread(_delete, call, wanted, is_quiet=is_quiet))


def _delete(call: Call, wanted: list[Element], *, is_quiet: bool) -> list[str]:
    call.store.bucket(call.bucket)
    deleted: list[str] = []
    parts: list[str] = []
    for entry in wanted:
        key = entry.value("Key")
        try:
            _check(call, entry, key)
        except RocamadreError as error:
            code = getattr(error, "s3", (getattr(error, "code", "InternalError"),))[0]
            parts.append(f"<Error>{tag('Key', key)}{tag('Code', code)}{tag('Message', error.message)}</Error>")
        else:
            deleted.append(key)
    call.store.delete_many(call.bucket, deleted)
    if not is_quiet:
        parts += [f"<Deleted>{tag('Key', key)}</Deleted>" for key in deleted]
    return parts


def _check(call: Call, entry: Element, key: str) -> None:
    encode_key(key)
    if entry.value("VersionId", "null") != "null":
        raise CommonError("NoSuchVersion", 404, "The specified version does not exist.")
    if entry.first("LastModifiedTime") is not None or entry.first("Size") is not None:
        raise CommonError("NotImplemented", 501, "of the conditions, only ETag is built")
    if etag := entry.value("ETag"):
        _has(etag)(call.store.head(call.bucket, key))


def _has(etag: str) -> Condition:
    def check(info: ObjectInfo | None) -> None:
        if info is None:
            raise NoSuchKey("The specified key does not exist.")
        if not has_etag(info, etag):
            raise PreconditionFailed("At least one of the pre-conditions you specified did not hold: If-Match")

    return check

"""PutObject."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from rocamadre.api.http import Reply
from rocamadre.api.neighbours.s3.attributes import checksum_headers, read_attributes
from rocamadre.api.neighbours.s3.calls import Call, in_thread, operation
from rocamadre.api.neighbours.s3.conditions import write_condition
from rocamadre.api.neighbours.s3.receiving import receive_blob
from rocamadre.core.errors import CommonError
from rocamadre.store.objects.checksums import ALGORITHMS
from rocamadre.store.objects.names import encode_key


@operation("PutObject")
async def put_object(call: Call) -> Reply:
    """Write an object; visible only once it is whole, verified and on the disk."""
    headers = call.request.headers
    condition = write_condition(headers)
    attributes = read_attributes(headers)
    encode_key(call.key)
    await in_thread(call.store.bucket, call.bucket)
    received = await receive_blob(call, algorithm=wanted_algorithm(call))
    attributes = replace(
        attributes, checksums=received.checksums, checksum_type="FULL_OBJECT" if received.checksums else ""
    )
    # From here on the thread finishes what it began, whoever leaves.
    info = await asyncio.shield(
        in_thread(call.store.commit, call.bucket, call.key, received.written, attributes, condition=condition)
    )
    return Reply(200, {"etag": f'"{info.etag}"', **checksum_headers(info)})


def wanted_algorithm(call: Call) -> str:
    """The checksum that a client names, in lower case; empty for none.

    Raises:
        CommonError: NotImplemented: it is not built.
    """
    name = (call.header("x-amz-sdk-checksum-algorithm") or call.header("x-amz-checksum-algorithm")).lower()
    if name and name not in ALGORITHMS:
        raise CommonError(
            "NotImplemented", 501, f"the checksum {name[:40]!r} is not built; there are {', '.join(ALGORITHMS).upper()}"
        )
    return name

"""S3 as a neighbour: from a request to its operation. What there is, is what is imported here."""

from __future__ import annotations

import rocamadre.api.neighbours.s3.buckets
import rocamadre.api.neighbours.s3.copying
import rocamadre.api.neighbours.s3.deleting
import rocamadre.api.neighbours.s3.listing
import rocamadre.api.neighbours.s3.multipart
import rocamadre.api.neighbours.s3.reading
import rocamadre.api.neighbours.s3.tagging
import rocamadre.api.neighbours.s3.writing  # noqa: F401
from rocamadre.api.http import Reply
from rocamadre.api.neighbours.dispatch import NeighbourRequest, neighbour, not_built
from rocamadre.api.neighbours.s3.calls import OPERATIONS, Call, address, check_owner, name_operation, version_of
from rocamadre.api.neighbours.s3.errors import s3_error
from rocamadre.core.context import Context


@neighbour("s3", operations=tuple(OPERATIONS), named_by=name_operation, errors=s3_error, streams=True, is_long=True)
async def s3(context: Context, request: NeighbourRequest) -> Reply:
    """Answer one S3 request.

    Raises:
        CommonError: NotImplemented for what is not here, and whatever the operation raises.
    """
    bucket, key = address(request)
    call = Call(context, request, bucket, key, request.parameters())
    operation = OPERATIONS.get(request.operation)
    if operation is None:
        raise not_built("s3", name_operation(request))
    check_owner(call)
    version_of(call.parameters)
    reply = await operation(call)
    reply.headers["x-amz-request-id"] = context.request_id
    return reply

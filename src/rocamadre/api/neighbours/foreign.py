"""Services of AWS that are not here: refused by name, so that a program led here by `roca env` learns what it lacks."""

from __future__ import annotations

import re

import msgspec

from rocamadre.api.http import Reply
from rocamadre.api.neighbours.dispatch import SERVICES
from rocamadre.api.neighbours.errors import xml_text

_SCOPE = re.compile(r"Credential=[^,\s/]{1,200}/\d{8}/[a-z0-9-]{1,40}/([a-z0-9-]{1,60})/aws4_request")
_CODE = "NotImplemented"


def foreign_service(authorization: str) -> str:
    """The service that a request was signed for, if it is none of those that are here; else nothing."""
    match = _SCOPE.search(authorization)
    if match is None or match[1] in SERVICES or match[1].startswith("bedrock"):
        return ""
    return match[1]


def refuse_service(service: str, *, content_type: str, request_id: str) -> Reply:
    """A 501 that clients of the service can read: XML for those that send forms, JSON for the others."""
    variable = f"AWS_ENDPOINT_URL_{service.upper().replace('-', '_')}"
    message = (
        f"Rocamadre has no service {service!r}: it speaks Amazon Bedrock, and of its neighbours {', '.join(SERVICES)}. "
        f"To reach {service} elsewhere, set {variable} (its name may differ: see the client's documentation)"
    )
    if content_type.startswith("application/x-www-form-urlencoded"):
        body = (
            f"<ErrorResponse><Error><Type>Sender</Type><Code>{_CODE}</Code><Message>{xml_text(message)}</Message>"
            f"</Error><RequestId>{request_id}</RequestId></ErrorResponse>"
        )
        return Reply(501, {"content-type": "text/xml"}, body.encode())
    headers = {"content-type": "application/json", "x-amzn-errortype": _CODE}
    return Reply(501, headers, msgspec.json.encode({"__type": _CODE, "message": message}))

"""The forms in which the neighbours' services answer errors."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

import msgspec

from rocamadre.api.http import Reply
from rocamadre.api.wire.failures import declared_for
from rocamadre.core.errors import RocamadreError

if TYPE_CHECKING:
    from rocamadre.api.neighbours.dispatch import NeighbourRequest

XML = "text/xml"


def xml_text(text: str) -> str:
    """Text for an XML document: escaped, and what XML 1.0 has no way to write replaced by U+FFFD."""
    return escape("".join(letter if is_xml(letter) else "\ufffd" for letter in text), {'"': "&quot;", "\r": "&#13;"})


def is_xml(letter: str) -> bool:
    """Whether XML 1.0 can hold this character."""
    return (letter >= " " and not "\ud800" <= letter <= "\udfff" and letter not in "\ufffe\uffff") or letter in "\t\n\r"


def query_error(error: RocamadreError, request: NeighbourRequest, request_id: str) -> Reply:
    """As STS and IAM answer."""
    declared = declared_for(error, None)
    side = "Receiver" if declared.status >= 500 else "Sender"
    body = (
        f"<ErrorResponse><Error><Type>{side}</Type><Code>{xml_text(declared.code)}</Code>"
        f"<Message>{xml_text(error.message)}</Message></Error><RequestId>{request_id}</RequestId></ErrorResponse>"
    )
    return Reply(declared.status, {"content-type": XML}, body.encode())


def json_error(error: RocamadreError, request: NeighbourRequest, request_id: str) -> Reply:
    """As Lambda and CloudWatch Logs answer."""
    declared = declared_for(error, None)
    headers = {"content-type": "application/json", "x-amzn-errortype": declared.code}
    if error.retry_after_s is not None:
        headers["retry-after"] = str(max(1, round(error.retry_after_s)))
    side = "Server" if declared.status >= 500 else "User"
    body = {"__type": declared.code, "Type": side, "message": error.message}
    return Reply(declared.status, headers, msgspec.json.encode(body))

"""Files that stand in a body as base64."""

from __future__ import annotations

import base64
import binascii

from rocamadre.core.errors import InvalidRequest
from rocamadre.core.messages import Media, Message

_IMAGES = ((b"\x89PNG\r\n\x1a\n", "png"), (b"\xff\xd8\xff", "jpeg"), (b"GIF8", "gif"), (b"RIFF", "webp"))


def decode(text: str, at: str) -> bytes:
    """Base64 as bytes.

    Raises:
        InvalidRequest: it is none.
    """
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidRequest(f"{at}: this is not valid base64") from error


def read_image(url: str, at: str) -> Media:
    """The image in a `data:` URL.

    Raises:
        InvalidRequest: it is no image, no base64, or an address on the network: nothing is fetched.
    """
    head, comma, body = url.partition(",")
    kind, _, form = head.removeprefix("data:").removesuffix(";base64").partition("/")
    if not comma or not head.startswith("data:") or not head.endswith(";base64") or kind != "image":
        raise InvalidRequest(f"{at}: nothing is fetched; give the image itself as data:image/png;base64,...")
    return Media("image", form, decode(body, at))


def read_file(text: str, at: str) -> Media:
    """An image in plain base64; its first bytes tell its format.

    Raises:
        InvalidRequest: it is no base64, or no image of a known format.
    """
    data = decode(text, at)
    form = next((name for mark, name in _IMAGES if data.startswith(mark)), None)
    if form is None:
        raise InvalidRequest(f"{at}: this is no image; formats taken: {', '.join(name for _, name in _IMAGES)}")
    return Media("image", form, data)


def with_images(messages: tuple[Message, ...], images: tuple[Media, ...]) -> tuple[Message, ...]:
    """The conversation, with images before the last message's text."""
    if not images:
        return messages
    *before, last = messages
    return (*before, Message(last.role, (*images, *last.content)))

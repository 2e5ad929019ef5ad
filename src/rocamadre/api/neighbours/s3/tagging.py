"""Tags of buckets and objects."""

from __future__ import annotations

from collections.abc import Mapping

from rocamadre.api.http import Reply
from rocamadre.api.neighbours.s3.attributes import check_tags
from rocamadre.api.neighbours.s3.calls import Call, in_thread, operation
from rocamadre.api.neighbours.s3.documents import Element, malformed, parse_document, tag, xml_reply
from rocamadre.api.neighbours.s3.receiving import read_document
from rocamadre.core.errors import CommonError


def read_tag_set(element: Element, *, most: int) -> dict[str, str]:
    """The `Tag` elements in an element.

    Raises:
        CommonError: MalformedXML or InvalidTag.
    """
    pairs = []
    for entry in element.all("Tag"):
        if entry.first("Key") is None or entry.first("Value") is None:
            raise malformed("a Tag has a Key and a Value")
        pairs.append((entry.value("Key"), entry.value("Value")))
    return check_tags(pairs, most=most)


async def _read(call: Call, *, most: int) -> dict[str, str]:
    document = parse_document(await read_document(call), "Tagging")
    listed = document.first("TagSet")
    if listed is None:
        raise malformed("Tagging has a TagSet")
    return read_tag_set(listed, most=most)


def _write(tags: Mapping[str, str]) -> Reply:
    rows = [f"<Tag>{tag('Key', key)}{tag('Value', value)}</Tag>" for key, value in tags.items()]
    return xml_reply("Tagging", [f"<TagSet>{''.join(rows)}</TagSet>"])


@operation("GetBucketTagging")
async def get_bucket_tagging(call: Call) -> Reply:
    """A bucket's tags; none is an error, as on S3."""
    bucket = await in_thread(call.store.bucket, call.bucket)
    if not bucket.tags:
        raise CommonError("NoSuchTagSet", 404, "The TagSet does not exist")
    return _write(bucket.tags)


@operation("PutBucketTagging")
async def put_bucket_tagging(call: Call) -> Reply:
    """Give a bucket these tags instead of those it has."""
    await in_thread(call.store.change_bucket, call.bucket, tags=await _read(call, most=50))
    return Reply(204)


@operation("DeleteBucketTagging")
async def delete_bucket_tagging(call: Call) -> Reply:
    """Take a bucket's tags away."""
    await in_thread(call.store.change_bucket, call.bucket, tags={})
    return Reply(204)


@operation("GetObjectTagging")
async def get_object_tagging(call: Call) -> Reply:
    """An object's tags, perhaps none."""
    info = await in_thread(call.store.head, call.bucket, call.key)
    return _write(info.tags)


@operation("PutObjectTagging")
async def put_object_tagging(call: Call) -> Reply:
    """Give an object these tags instead of those it has."""
    await in_thread(call.store.change_tags, call.bucket, call.key, await _read(call, most=10))
    return Reply(200)


@operation("DeleteObjectTagging")
async def delete_object_tagging(call: Call) -> Reply:
    """Take an object's tags away."""
    await in_thread(call.store.change_tags, call.bucket, call.key, {})
    return Reply(204)

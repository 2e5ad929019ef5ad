"""Buckets: made, looked at, removed, their tags and versioning status."""

from __future__ import annotations

from rocamadre.api.http import Reply
from rocamadre.api.neighbours.s3.attributes import refuse_unbuilt
from rocamadre.api.neighbours.s3.calls import Call, in_thread, operation, owner_id, xml_date
from rocamadre.api.neighbours.s3.documents import malformed, parse_document, tag, xml_reply
from rocamadre.api.neighbours.s3.receiving import read_document
from rocamadre.api.neighbours.s3.tagging import read_tag_set
from rocamadre.core.errors import CommonError
from rocamadre.store.objects.errors import BucketOwned

_LEGACY_REGION = "us-east-1"
_MOST_LISTED = 10_000


@operation("CreateBucket")
async def create_bucket(call: Call) -> Reply:
    """Make a bucket; in us-east-1, as on S3, one that the account has already is no error."""
    refuse_unbuilt(call.request.headers)
    if call.header("x-amz-bucket-object-lock-enabled").lower() == "true":
        raise CommonError("NotImplemented", 501, "object lock is not built; leave ObjectLockEnabledForBucket out")
    if call.header("x-amz-object-ownership") not in ("", "BucketOwnerEnforced"):
        raise CommonError("AccessControlListNotSupported", 400, "The bucket does not allow ACLs")
    body = await read_document(call)
    region, tags = call.context.region, {}
    if body.strip():
        document = parse_document(body, "CreateBucketConfiguration")
        region = document.value("LocationConstraint").strip() or region
        if document.first("Location") is not None or document.first("Bucket") is not None:
            raise CommonError("NotImplemented", 501, "directory buckets are not built; leave Location and Bucket out")
        if (listed := document.first("Tags")) is not None:
            tags = read_tag_set(listed, most=50)
    region = {"EU": "eu-west-1"}.get(region, region)
    try:
        await in_thread(call.store.create_bucket, call.bucket, region=region, tags=tags)
    except BucketOwned:
        if region != _LEGACY_REGION:
            raise
    return Reply(200, {"location": f"/{call.bucket}"})


@operation("DeleteBucket")
async def delete_bucket(call: Call) -> Reply:
    """Remove an empty bucket."""
    await in_thread(call.store.delete_bucket, call.bucket)
    return Reply(204)


@operation("HeadBucket")
async def head_bucket(call: Call) -> Reply:
    """Whether a bucket is there and the caller's."""
    bucket = await in_thread(call.store.bucket, call.bucket)
    return Reply(200, {"x-amz-bucket-region": bucket.region, "content-type": "application/xml"})


@operation("GetBucketLocation")
async def get_bucket_location(call: Call) -> Reply:
    """A bucket's region; nothing for us-east-1, as on S3."""
    bucket = await in_thread(call.store.bucket, call.bucket)
    return xml_reply("LocationConstraint", [bucket.region if bucket.region != _LEGACY_REGION else ""])


@operation("ListBuckets")
async def list_buckets(call: Call) -> Reply:
    """The account's buckets."""
    most = call.number("max-buckets", _MOST_LISTED, least=1, most=_MOST_LISTED)
    prefix, after = call.parameters.get("prefix", ""), call.parameters.get("continuation-token", "")
    region = call.parameters.get("bucket-region", "")
    buckets = [
        bucket
        for bucket in await in_thread(call.store.buckets)
        if bucket.name.startswith(prefix) and bucket.name > after and region in ("", bucket.region)
    ]
    rows = [
        f"<Bucket>{tag('Name', bucket.name)}{tag('CreationDate', xml_date(bucket.created_at))}"
        f"{tag('BucketRegion', bucket.region)}</Bucket>"
        for bucket in buckets[:most]
    ]
    parts = [
        f"<Owner>{tag('ID', owner_id(call.context.account))}</Owner>",
        f"<Buckets>{''.join(rows)}</Buckets>",
    ]
    if len(buckets) > most:
        parts.append(tag("ContinuationToken", buckets[most - 1].name))
    if prefix:
        parts.append(tag("Prefix", prefix))
    return xml_reply("ListAllMyBucketsResult", parts)


@operation("GetBucketVersioning")
async def get_bucket_versioning(call: Call) -> Reply:
    """Nothing, or Suspended."""
    bucket = await in_thread(call.store.bucket, call.bucket)
    return xml_reply("VersioningConfiguration", [tag("Status", bucket.versioning)] if bucket.versioning else [])


@operation("PutBucketVersioning")
async def put_bucket_versioning(call: Call) -> Reply:
    """Suspended is taken, since it is what is done anyway; Enabled is refused."""
    document = parse_document(await read_document(call), "VersioningConfiguration")
    status = document.value("Status")
    if status == "Enabled" or document.value("MfaDelete") == "Enabled":
        await in_thread(call.store.bucket, call.bucket)
        raise CommonError(
            "NotImplemented",
            501,
            "versioning is not built: a put replaces what was there; the status can be Suspended only",
        )
    if status != "Suspended":
        raise malformed("Status must be Enabled or Suspended")
    await in_thread(call.store.change_bucket, call.bucket, versioning=status)
    return Reply(200)

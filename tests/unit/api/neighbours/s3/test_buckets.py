import pytest

from rocamadre.testing.inprocess import ADDRESS
from rocamadre.testing.requests import WireRequest


def test_the_life_of_a_bucket(s3, refused):
    s3.create_bucket(Bucket="life")
    s3.create_bucket(Bucket="life")  # In us-east-1, as on S3, once more is no error.
    assert "life" in [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
    assert s3.head_bucket(Bucket="life")["BucketRegion"] == "us-east-1"
    assert s3.get_bucket_location(Bucket="life")["LocationConstraint"] is None
    s3.put_object(Bucket="life", Key="k", Body=b"x")
    refused("BucketNotEmpty", 409, s3.delete_bucket, Bucket="life")
    s3.delete_object(Bucket="life", Key="k")
    s3.delete_bucket(Bucket="life")
    refused("404", 404, s3.head_bucket, Bucket="life")
    refused("NoSuchBucket", 404, s3.delete_bucket, Bucket="life")
    refused("NoSuchBucket", 404, s3.list_objects_v2, Bucket="life")
    refused("NoSuchBucket", 404, s3.put_object, Bucket="life", Key="k", Body=b"x")


def test_regions(client_of, refused):
    west = client_of(region="eu-west-1")
    place = {"LocationConstraint": "eu-west-1"}
    west.create_bucket(Bucket="west", CreateBucketConfiguration=place)
    assert west.get_bucket_location(Bucket="west")["LocationConstraint"] == "eu-west-1"
    refused(
        "BucketAlreadyOwnedByYou", 409, west.create_bucket, Bucket="west", CreateBucketConfiguration=place
    )  # fmt: skip
    assert [found["Name"] for found in west.list_buckets(BucketRegion="eu-west-1")["Buckets"]] == ["west"]


def test_listing_pages(s3):
    for index in range(5):
        s3.create_bucket(Bucket=f"paged-{index}")
    pages = s3.get_paginator("list_buckets").paginate(Prefix="paged-", PaginationConfig={"PageSize": 2})
    names = [[bucket["Name"] for bucket in page["Buckets"]] for page in pages]
    assert names == [["paged-0", "paged-1"], ["paged-2", "paged-3"], ["paged-4"]]


def test_another_account_sees_nothing_of_it(client_of, s3, bucket, refused):
    other = client_of(access_key="999999999999")
    assert other.list_buckets()["Buckets"] == []
    refused("AccessDenied", 403, other.list_objects_v2, Bucket=bucket)
    refused("403", 403, other.head_bucket, Bucket=bucket)
    refused("AccessDenied", 403, other.put_object, Bucket=bucket, Key="k", Body=b"x")
    refused("BucketAlreadyExists", 409, other.create_bucket, Bucket=bucket)
    refused("AccessDenied", 403, s3.list_objects_v2, Bucket=bucket, ExpectedBucketOwner="999999999999")
    s3.list_objects_v2(Bucket=bucket, ExpectedBucketOwner="123456789012")


def test_names(s3, refused):
    for name in ("ab", "Upper", "10.0.0.1"):
        refused("InvalidBucketName", 400, s3.create_bucket, Bucket=name)


def test_tags(s3, bucket, refused):
    refused("NoSuchTagSet", 404, s3.get_bucket_tagging, Bucket=bucket)
    tags = [{"Key": "team", "Value": "ops"}, {"Key": "ключ", "Value": "<&>"}]
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": tags})
    assert s3.get_bucket_tagging(Bucket=bucket)["TagSet"] == tags
    twice = {"TagSet": [tags[0], tags[0]]}
    refused("InvalidTag", 400, s3.put_bucket_tagging, Bucket=bucket, Tagging=twice)
    s3.delete_bucket_tagging(Bucket=bucket)
    refused("NoSuchTagSet", 404, s3.get_bucket_tagging, Bucket=bucket)


def test_versioning_can_be_suspended_only(s3, bucket, refused):
    assert "Status" not in s3.get_bucket_versioning(Bucket=bucket)
    message = refused(
        "NotImplemented", 501, s3.put_bucket_versioning, Bucket=bucket, VersioningConfiguration={"Status": "Enabled"}
    )
    assert "versioning is not built" in message
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Suspended"
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    refused("NoSuchVersion", 404, s3.get_object, Bucket=bucket, Key="k", VersionId="abc")
    assert s3.get_object(Bucket=bucket, Key="k", VersionId="null")["Body"].read() == b"x"


def test_what_is_not_built_is_named(s3, bucket, refused):
    policy = {"Bucket": bucket, "Policy": "{}"}
    assert "PutBucketPolicy" in refused("NotImplemented", 501, s3.put_bucket_policy, **policy)
    assert "GetBucketAcl" in refused("NotImplemented", 501, s3.get_bucket_acl, Bucket=bucket)
    assert "docs/neighbours.md" in refused("NotImplemented", 501, s3.get_bucket_cors, Bucket=bucket)
    refused("NotImplemented", 501, s3.create_bucket, Bucket="locked", ObjectLockEnabledForBucket=True)
    refused("AccessControlListNotSupported", 400, s3.create_bucket, Bucket="open", ACL="public-read")
    for extra, code, status in (
        ({"StorageClass": "GLACIER"}, "InvalidStorageClass", 400),
        ({"ACL": "public-read"}, "AccessControlListNotSupported", 400),
        ({"WebsiteRedirectLocation": "/x"}, "NotImplemented", 501),
        ({"SSECustomerAlgorithm": "AES256", "SSECustomerKey": "k" * 32}, "NotImplemented", 501),
    ):
        refused(code, status, s3.put_object, Bucket=bucket, Key="k", Body=b"x", **extra)
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


@pytest.mark.parametrize(
    "body",
    [
        b"<no",
        b"<Other/>",
        b"<!DOCTYPE x [<!ENTITY a 'b'>]><CreateBucketConfiguration>&a;</CreateBucketConfiguration>",
        b"<CreateBucketConfiguration>" + b"<a>" * 20 + b"</a>" * 20 + b"</CreateBucketConfiguration>",
        b"\xff\xfe\x00",
    ],
)
def test_malformed_documents(server, body):
    headers = {
        "authorization": "AWS4-HMAC-SHA256 Credential=AK/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, "
        f"Signature={'0' * 64}",
        "x-amz-date": "20260101T000000Z",
        "content-length": str(len(body)),
    }
    answer = server.send(WireRequest("PUT", b"/malformed", b"", {}, body), headers)
    assert answer.status == 400
    assert b"<Code>MalformedXML</Code>" in answer.body


def test_buckets_named_by_the_host(client_of, s3, bucket):
    virtual = client_of(endpoint=ADDRESS.replace("127.0.0.1", "localhost"), s3={"addressing_style": "virtual"})
    virtual.put_object(Bucket=bucket, Key="a/b c", Body=b"x")
    assert virtual.get_object(Bucket=bucket, Key="a/b c")["Body"].read() == b"x"
    assert s3.get_object(Bucket=bucket, Key="a/b c")["Body"].read() == b"x"
    assert [item["Key"] for item in virtual.list_objects_v2(Bucket=bucket)["Contents"]] == ["a/b c"]


def test_the_prefix_in_the_path(client_of, s3, bucket):
    prefixed = client_of(endpoint=f"{ADDRESS}/s3")
    prefixed.put_object(Bucket=bucket, Key="k", Body=b"x")
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"

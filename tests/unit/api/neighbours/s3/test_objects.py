import hashlib
from datetime import UTC, datetime, timedelta

import pytest

KEYS = [
    "a/b c+d",
    "../../x",
    "é/日本/🙂",
    "a//",
    "/leading",
    "%2F?&=#",
    "x" * 1024,
    "tab\tnew\nline",
    "a\0b",
    "..",
    ".",
]


def test_put_and_get(s3, bucket):
    put = s3.put_object(
        Bucket=bucket,
        Key="k",
        Body=b"hello",
        ContentType="text/plain",
        Metadata={"Mixed": "Case", "two": "a  b"},
        CacheControl="max-age=5",
        ContentDisposition='attachment; filename="x"',
        ContentEncoding="gzip",
        ContentLanguage="pt",
        Expires=datetime(2030, 1, 1, tzinfo=UTC),
    )
    assert put["ETag"] == '"5d41402abc4b2a76b9719d911017c592"'
    for answer in (s3.get_object(Bucket=bucket, Key="k"), s3.head_object(Bucket=bucket, Key="k")):
        assert answer["ETag"] == put["ETag"]
        assert answer["ContentLength"] == 5
        assert answer["ContentType"] == "text/plain"
        assert answer["Metadata"] == {"mixed": "Case", "two": "a  b"}
        assert answer["CacheControl"] == "max-age=5"
        assert answer["ContentDisposition"] == 'attachment; filename="x"'
        assert answer["ContentEncoding"] == "gzip"
        assert answer["ContentLanguage"] == "pt"
        assert answer["ExpiresString"].startswith("Tue, 01 Jan 2030")
        assert abs(datetime.now(UTC) - answer["LastModified"]) < timedelta(minutes=1)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"hello"


def test_a_put_replaces_all_of_it(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"first", Metadata={"a": "b"}, Tagging="x=y")
    s3.put_object(Bucket=bucket, Key="k", Body=b"")
    answer = s3.get_object(Bucket=bucket, Key="k")
    assert (answer["Body"].read(), answer["Metadata"], answer["ContentType"]) == (b"", {}, "binary/octet-stream")
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == []


@pytest.mark.parametrize("key", KEYS)
def test_keys_are_kept_to_the_byte(s3, bucket, key):
    s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == key.encode()
    assert [item["Key"] for item in s3.list_objects_v2(Bucket=bucket)["Contents"]] == [key]
    assert [item["Key"] for item in s3.list_objects(Bucket=bucket)["Contents"]] == [key]
    s3.delete_object(Bucket=bucket, Key=key)
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_what_is_not_there(s3, bucket, refused):
    refused("NoSuchKey", 404, s3.get_object, Bucket=bucket, Key="k")
    refused("404", 404, s3.head_object, Bucket=bucket, Key="k")
    refused("NoSuchKey", 404, s3.get_object_tagging, Bucket=bucket, Key="k")
    refused("NoSuchBucket", 404, s3.get_object, Bucket="none-such", Key="k")
    refused("KeyTooLongError", 400, s3.put_object, Bucket=bucket, Key="x" * 1025, Body=b"")
    s3.delete_object(Bucket=bucket, Key="k")


def test_ranges(s3, bucket, refused):
    data = bytes(range(256)) * 16384  # 4 MiB: read in several pieces.
    s3.put_object(Bucket=bucket, Key="k", Body=data)
    for wanted, start, stop in (
        ("bytes=0-0", 0, 1),
        ("bytes=5-9", 5, 10),
        ("bytes=1000000-3000000", 1_000_000, 3_000_001),
        ("bytes=4194300-", 4_194_300, len(data)),
        ("bytes=-7", len(data) - 7, len(data)),
        ("bytes=10-99999999", 10, len(data)),
    ):
        answer = s3.get_object(Bucket=bucket, Key="k", Range=wanted)
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 206
        assert answer["ContentRange"] == f"bytes {start}-{stop - 1}/{len(data)}"
        assert answer["ContentLength"] == stop - start
        assert answer["Body"].read() == data[start:stop]
    for ignored in ("bytes=9-5", "lines=1-2", "bytes=0-1,4-5"):
        answer = s3.get_object(Bucket=bucket, Key="k", Range=ignored)
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200
        assert hashlib.md5(answer["Body"].read()).digest() == hashlib.md5(data).digest()
    assert s3.head_object(Bucket=bucket, Key="k", Range="bytes=0-4")["ContentLength"] == 5
    refused("InvalidRange", 416, s3.get_object, Bucket=bucket, Key="k", Range="bytes=4194304-")
    refused("InvalidRange", 416, s3.get_object, Bucket=bucket, Key="k", Range="bytes=-0")
    s3.put_object(Bucket=bucket, Key="empty", Body=b"")
    refused("InvalidRange", 416, s3.get_object, Bucket=bucket, Key="empty", Range="bytes=0-")


def test_conditions_of_reading(s3, bucket, refused):
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"x")["ETag"]
    modified = s3.head_object(Bucket=bucket, Key="k")["LastModified"]
    before, after = modified - timedelta(hours=1), modified + timedelta(hours=1)
    where = {"Bucket": bucket, "Key": "k"}
    for passes in (
        {"IfMatch": etag},
        {"IfMatch": "*"},
        {"IfNoneMatch": '"other"'},
        {"IfModifiedSince": before},
        {"IfUnmodifiedSince": after},
        {"IfMatch": etag, "IfUnmodifiedSince": before},
        {"IfNoneMatch": '"other"', "IfModifiedSince": after},
    ):
        assert s3.get_object(**where, **passes)["Body"].read() == b"x"
    refused("PreconditionFailed", 412, s3.get_object, **where, IfMatch='"other"')
    refused("PreconditionFailed", 412, s3.get_object, **where, IfUnmodifiedSince=before)
    refused("412", 412, s3.head_object, **where, IfMatch='"other"')
    refused("304", 304, s3.get_object, **where, IfNoneMatch=etag)
    refused("304", 304, s3.get_object, **where, IfModifiedSince=modified)
    refused("304", 304, s3.head_object, **where, IfNoneMatch="*")


def test_conditions_of_writing(s3, bucket, refused):
    where = {"Bucket": bucket, "Key": "k"}
    refused("NoSuchKey", 404, s3.put_object, **where, Body=b"x", IfMatch='"other"')
    etag = s3.put_object(**where, Body=b"first", IfNoneMatch="*")["ETag"]
    refused("PreconditionFailed", 412, s3.put_object, **where, Body=b"second", IfNoneMatch="*")
    refused("PreconditionFailed", 412, s3.put_object, **where, Body=b"second", IfMatch='"other"')
    refused("NotImplemented", 501, s3.put_object, **where, Body=b"second", IfNoneMatch=etag)
    assert s3.get_object(**where)["Body"].read() == b"first"
    s3.put_object(**where, Body=b"second", IfMatch=etag)
    refused("PreconditionFailed", 412, s3.delete_object, **where, IfMatch=etag)
    assert s3.get_object(**where)["Body"].read() == b"second"
    s3.delete_object(**where, IfMatch=hashlib.md5(b"second").hexdigest())
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_tags(s3, bucket, refused):
    where = {"Bucket": bucket, "Key": "k"}
    s3.put_object(**where, Body=b"x", Tagging="a=1&b%20c=%C3%A9")
    assert s3.get_object_tagging(**where)["TagSet"] == [{"Key": "a", "Value": "1"}, {"Key": "b c", "Value": "é"}]
    answer = s3.get_object(**where)
    assert answer["TagCount"] == 2
    modified = answer["LastModified"]
    s3.put_object_tagging(**where, Tagging={"TagSet": [{"Key": "c", "Value": "<3>"}]})
    assert s3.get_object_tagging(**where)["TagSet"] == [{"Key": "c", "Value": "<3>"}]
    assert s3.head_object(**where)["LastModified"] == modified
    s3.delete_object_tagging(**where)
    assert s3.get_object_tagging(**where)["TagSet"] == []
    many = [{"Key": str(index), "Value": ""} for index in range(11)]
    refused("BadRequest", 400, s3.put_object_tagging, **where, Tagging={"TagSet": many})
    refused("InvalidTag", 400, s3.put_object, **where, Body=b"", Tagging="a=1&a=2")
    refused("InvalidTag", 400, s3.put_object, **where, Body=b"", Tagging="aws:a=1")


def test_deleting_many(s3, bucket, refused):
    for index in range(5):
        s3.put_object(Bucket=bucket, Key=f"k{index}&<>", Body=b"x")
    wanted = [{"Key": f"k{index}&<>"} for index in range(4)] + [{"Key": "not there"}]
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": wanted})
    assert sorted(item["Key"] for item in answer["Deleted"]) == sorted(item["Key"] for item in wanted)
    assert "Errors" not in answer
    assert [item["Key"] for item in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["k4&<>"]
    answer = s3.delete_objects(
        Bucket=bucket,
        Delete={"Quiet": True, "Objects": [{"Key": "k4&<>", "ETag": '"other"'}, {"Key": "x", "VersionId": "v"}]},
    )
    assert "Deleted" not in answer
    assert [error["Code"] for error in answer["Errors"]] == ["PreconditionFailed", "NoSuchVersion"]
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 1
    refused("MalformedXML", 400, s3.delete_objects, Bucket=bucket, Delete={"Objects": []})
    refused("MalformedXML", 400, s3.delete_objects, Bucket=bucket, Delete={"Objects": [{"Key": "k"}] * 1001})
    refused("NoSuchBucket", 404, s3.delete_objects, Bucket="none-such", Delete={"Objects": [{"Key": "k"}]})


def test_copies(s3, bucket, refused):
    s3.put_object(
        Bucket=bucket, Key="a b+é", Body=b"hello", ContentType="text/plain", Metadata={"m": "1"}, Tagging="t=1"
    )
    source = {"Bucket": bucket, "Key": "a b+é"}
    copied = s3.copy_object(Bucket=bucket, Key="copy", CopySource=source)["CopyObjectResult"]
    assert copied["ETag"] == '"5d41402abc4b2a76b9719d911017c592"'
    answer = s3.get_object(Bucket=bucket, Key="copy")
    assert (answer["Body"].read(), answer["ContentType"], answer["Metadata"]) == (b"hello", "text/plain", {"m": "1"})
    assert s3.get_object_tagging(Bucket=bucket, Key="copy")["TagSet"] == [{"Key": "t", "Value": "1"}]
    s3.copy_object(
        Bucket=bucket,
        Key="copy",
        CopySource=f"/{bucket}/copy",
        MetadataDirective="REPLACE",
        Metadata={"m": "2"},
        ContentType="text/csv",
        TaggingDirective="REPLACE",
        Tagging="t=2",
        ChecksumAlgorithm="SHA256",
    )
    answer = s3.get_object(Bucket=bucket, Key="copy", ChecksumMode="ENABLED")
    assert (answer["Body"].read(), answer["ContentType"], answer["Metadata"]) == (b"hello", "text/csv", {"m": "2"})
    assert answer["ChecksumSHA256"] == "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ="
    assert s3.get_object_tagging(Bucket=bucket, Key="copy")["TagSet"] == [{"Key": "t", "Value": "2"}]
    refused("InvalidRequest", 400, s3.copy_object, Bucket=bucket, Key="copy", CopySource=f"{bucket}/copy")
    refused("NoSuchKey", 404, s3.copy_object, Bucket=bucket, Key="x", CopySource=f"{bucket}/none")
    refused("NoSuchBucket", 404, s3.copy_object, Bucket=bucket, Key="x", CopySource="none-such/none")
    refused("NoSuchBucket", 404, s3.copy_object, Bucket="none-such", Key="x", CopySource=source)
    refused("InvalidArgument", 400, s3.copy_object, Bucket=bucket, Key="x", CopySource="nothing")
    for condition in ({"CopySourceIfMatch": '"x"'}, {"CopySourceIfNoneMatch": copied["ETag"]}):
        refused("PreconditionFailed", 412, s3.copy_object, Bucket=bucket, Key="x", CopySource=source, **condition)
    refused("PreconditionFailed", 412, s3.copy_object, Bucket=bucket, Key="copy", CopySource=source, IfNoneMatch="*")


def test_a_foreign_source_is_not_copied(client_of, s3, bucket, refused):
    other = client_of(access_key="999999999999")
    other.create_bucket(Bucket="theirs-only")
    other.put_object(Bucket="theirs-only", Key="k", Body=b"secret")
    refused("AccessDenied", 403, s3.copy_object, Bucket=bucket, Key="k", CopySource="theirs-only/k")


def test_attributes(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"hello")
    wanted = ["ETag", "Checksum", "ObjectSize", "StorageClass", "ObjectParts"]
    answer = s3.get_object_attributes(Bucket=bucket, Key="k", ObjectAttributes=wanted)
    assert (answer["ObjectSize"], answer["StorageClass"]) == (5, "STANDARD")
    assert answer["ETag"] == "5d41402abc4b2a76b9719d911017c592"
    assert answer["Checksum"] == {"ChecksumCRC32": "NhCmhg==", "ChecksumType": "FULL_OBJECT"}


def test_metadata_has_a_limit(s3, bucket, refused):
    refused("MetadataTooLarge", 400, s3.put_object, Bucket=bucket, Key="k", Body=b"", Metadata={"a": "x" * 2100})


def test_a_stored_page_cannot_act_as_the_server(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"<script>1</script>", ContentType="text/html")
    headers = s3.get_object(Bucket=bucket, Key="k")["ResponseMetadata"]["HTTPHeaders"]
    assert headers["content-security-policy"] == "sandbox"
    assert headers["x-content-type-options"] == "nosniff"


def test_metrics_name_the_operation(server, s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    text = server.platform.metrics.render().decode()
    assert 'rocamadre_requests_total{operation="PutObject",service="s3",status="200"}' in text
    assert bucket not in text

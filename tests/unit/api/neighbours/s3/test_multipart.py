import hashlib
import os

import pytest
from boto3.s3.transfer import TransferConfig

PART = 5 * 2**20


def start(s3, bucket, **options):
    return {
        "Bucket": bucket,
        "Key": "k",
        "UploadId": s3.create_multipart_upload(Bucket=bucket, Key="k", **options)["UploadId"],
    }


def complete(s3, upload, *parts, **options):
    listed = [{"PartNumber": number, "ETag": part["ETag"]} for number, part in parts]
    return s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": listed}, **options)


@pytest.fixture
def large():
    return os.urandom(PART)


def test_an_upload_in_parts(s3, bucket, large, refused):
    upload = start(s3, bucket, ContentType="text/plain", Metadata={"a": "b"}, Tagging="t=1")
    second = s3.upload_part(**upload, PartNumber=2, Body=b"end")
    first = s3.upload_part(**upload, PartNumber=1, Body=large)
    assert first["ETag"] == f'"{hashlib.md5(large).hexdigest()}"'
    listed = s3.list_parts(**upload)
    assert [(part["PartNumber"], part["Size"]) for part in listed["Parts"]] == [(1, PART), (2, 3)]
    assert [part["PartNumber"] for part in s3.list_parts(**upload, PartNumberMarker=1)["Parts"]] == [2]
    assert [item["UploadId"] for item in s3.list_multipart_uploads(Bucket=bucket)["Uploads"]] == [upload["UploadId"]]
    refused("NoSuchKey", 404, s3.get_object, Bucket=bucket, Key="k")
    done = complete(s3, upload, (1, first), (2, second))
    digest = hashlib.md5(hashlib.md5(large).digest() + hashlib.md5(b"end").digest()).hexdigest()
    assert done["ETag"] == f'"{digest}-2"'
    answer = s3.get_object(Bucket=bucket, Key="k")
    assert answer["Body"].read() == large + b"end"
    assert (answer["ContentType"], answer["Metadata"], answer["TagCount"]) == ("text/plain", {"a": "b"}, 1)
    assert complete(s3, upload, (1, first), (2, second))["ETag"] == done["ETag"]
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)
    part = s3.get_object(Bucket=bucket, Key="k", PartNumber=2)
    assert (part["Body"].read(), part["PartsCount"]) == (b"end", 2)
    assert part["ContentRange"] == f"bytes {PART}-{PART + 2}/{PART + 3}"
    refused("InvalidPartNumber", 416, s3.get_object, Bucket=bucket, Key="k", PartNumber=3)
    across = s3.get_object(Bucket=bucket, Key="k", Range=f"bytes={PART - 2}-{PART}")
    assert across["Body"].read() == large[-2:] + b"e"


def test_what_cannot_be_completed(s3, bucket, large, refused):
    upload = start(s3, bucket)
    small, big = (s3.upload_part(**upload, PartNumber=number, Body=data) for number, data in ((1, b"x"), (2, large)))
    for code, parts in (
        ("EntityTooSmall", [(1, small), (2, big)]),
        ("InvalidPartOrder", [(2, big), (1, small)]),
        ("InvalidPart", [(1, big)]),
        ("InvalidPart", [(3, big)]),
        ("MalformedXML", []),
    ):
        refused(code, 400, lambda **options: complete(s3, upload, *options["parts"]), parts=parts)
    other = dict(upload, Key="other")
    refused("NoSuchUpload", 404, s3.upload_part, **other, PartNumber=1, Body=b"x")
    refused("InvalidArgument", 400, s3.upload_part, **upload, PartNumber=10_001, Body=b"x")
    s3.put_object(Bucket=bucket, Key="k", Body=b"there")
    refused("PreconditionFailed", 412, lambda **_: complete(s3, upload, (2, big), IfNoneMatch="*"))
    s3.abort_multipart_upload(**upload)
    refused("NoSuchUpload", 404, s3.abort_multipart_upload, **upload)
    refused("NoSuchUpload", 404, s3.list_parts, **upload)
    refused("NoSuchUpload", 404, s3.upload_part, **upload, PartNumber=1, Body=b"x")
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"there"


def test_parts_copied(s3, bucket, large, refused):
    s3.put_object(Bucket=bucket, Key="source", Body=large)
    upload = start(s3, bucket)
    source = f"{bucket}/source"
    first = s3.upload_part_copy(**upload, PartNumber=1, CopySource=source)["CopyPartResult"]
    second = s3.upload_part_copy(**upload, PartNumber=2, CopySource=source, CopySourceRange="bytes=10-19")
    assert first["ETag"] == f'"{hashlib.md5(large).hexdigest()}"'
    for wrong in ("bytes=5-1", f"bytes=0-{PART}", "bytes=0-", "words=1-2"):
        refused(
            "InvalidArgument",
            400,
            s3.upload_part_copy,
            **upload,
            PartNumber=3,
            CopySource=source,
            CopySourceRange=wrong,
        )
    refused(
        "PreconditionFailed", 412, s3.upload_part_copy, **upload, PartNumber=3, CopySource=source, CopySourceIfMatch="x"
    )
    complete(s3, upload, (1, first), (2, second["CopyPartResult"]))
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == large + large[10:20]


def test_listing_uploads_in_pages(s3, bucket):
    made = sorted(
        (key, s3.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]) for key in ("a", "b&c", "b&c", "d")
    )
    pages = s3.get_paginator("list_multipart_uploads").paginate(Bucket=bucket, PaginationConfig={"PageSize": 1})
    assert [(item["Key"], item["UploadId"]) for page in pages for item in page["Uploads"]] == made
    only = s3.list_multipart_uploads(Bucket=bucket, Prefix="b")["Uploads"]
    assert [item["Key"] for item in only] == ["b&c", "b&c"]


# The client computes CRC32C and CRC64NVME only with its compiled extension.
@pytest.mark.parametrize("algorithm", ["CRC32", "SHA1", "SHA256", "SHA512", None])
def test_transfers(s3, bucket, tmp_path, algorithm):
    data = os.urandom(2 * PART + 12345)
    (tmp_path / "up").write_bytes(data)
    config = TransferConfig(multipart_threshold=PART, multipart_chunksize=PART, max_concurrency=3)
    said = {"ChecksumAlgorithm": algorithm} if algorithm else {}
    s3.upload_file(str(tmp_path / "up"), bucket, "k", Config=config, ExtraArgs=said)
    s3.download_file(bucket, "k", str(tmp_path / "down"), Config=config)
    assert (tmp_path / "down").read_bytes() == data
    found = s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert found["ETag"].endswith('-3"')
    assert f"Checksum{algorithm or 'CRC32'}" in found

import base64
import hashlib

import pytest

from rocamadre.store.objects.checksums import new_checksum

DATA = bytes(range(256)) * 20
NAMES = ["CRC32", "CRC32C", "CRC64NVME", "MD5", "SHA1", "SHA256", "SHA512"]


def checksum(name, data=DATA):
    check = new_checksum(name.lower())
    check.update(data)
    return check.encoded()


@pytest.mark.parametrize("name", NAMES)
def test_each_checksum_is_verified_kept_and_answered(s3, bucket, refused, name):
    member = f"Checksum{name}"
    where = {"Bucket": bucket, "Key": name}
    put = s3.put_object(**where, Body=DATA, **{member: checksum(name)})
    assert (put[member], put["ChecksumType"]) == (checksum(name), "FULL_OBJECT")
    assert s3.head_object(**where, ChecksumMode="ENABLED")[member] == checksum(name)
    assert s3.get_object(**where, ChecksumMode="ENABLED")["Body"].read() == DATA
    assert member not in s3.head_object(**where)
    assert s3.list_objects_v2(Bucket=bucket, Prefix=name)["Contents"][0]["ChecksumAlgorithm"] == [name]
    refused("BadDigest", 400, s3.put_object, **where, Body=b"other", **{member: checksum(name)})
    refused("InvalidRequest", 400, s3.put_object, **where, Body=DATA, **{member: "AAA="})
    assert s3.head_object(**where, ChecksumMode="ENABLED")[member] == checksum(name)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", ["FULL_OBJECT", "COMPOSITE"])
def test_checksums_of_uploads_in_parts(s3, bucket, refused, name, kind):
    options = {"Bucket": bucket, "Key": "k", "ChecksumAlgorithm": name, "ChecksumType": kind}
    if (kind == "FULL_OBJECT" and not name.startswith("CRC")) or (kind, name) == ("COMPOSITE", "CRC64NVME"):
        refused("InvalidRequest", 400, s3.create_multipart_upload, **options)
        return
    member = f"Checksum{name}"
    upload = {"Bucket": bucket, "Key": "k", "UploadId": s3.create_multipart_upload(**options)["UploadId"]}
    first, last = b"a" * 5 * 2**20, b"end"
    parts = []
    for number, data in ((1, first), (2, last)):
        part = s3.upload_part(**upload, PartNumber=number, Body=data, **{member: checksum(name, data)})
        assert part[member] == checksum(name, data)
        parts.append({"PartNumber": number, "ETag": part["ETag"], member: part[member]})
    refused("BadDigest", 400, s3.upload_part, **upload, PartNumber=3, Body=b"x", **{member: checksum(name)})
    done = s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    assert done["ChecksumType"] == kind
    if kind == "FULL_OBJECT":
        assert done[member] == checksum(name, first + last)
    else:
        digests = b"".join(base64.b64decode(part[member]) for part in parts)
        assert done[member] == f"{checksum(name, digests)}-2"
    answer = s3.get_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert answer[member] == done[member]
    assert answer["Body"].read() == first + last


def test_content_md5(s3, bucket, refused):
    right = base64.b64encode(hashlib.md5(DATA).digest()).decode()
    s3.put_object(Bucket=bucket, Key="k", Body=DATA, ContentMD5=right)
    refused("BadDigest", 400, s3.put_object, Bucket=bucket, Key="k", Body=b"other", ContentMD5=right)
    refused("InvalidDigest", 400, s3.put_object, Bucket=bucket, Key="k", Body=b"other", ContentMD5="AAAA")
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == DATA


def test_one_checksum_at_a_time(s3, bucket, refused):
    both = {"ChecksumCRC32": checksum("CRC32"), "ChecksumSHA1": checksum("SHA1")}
    refused("InvalidRequest", 400, s3.put_object, Bucket=bucket, Key="k", Body=DATA, **both)


def test_checksums_that_are_not_built_are_refused(s3, bucket, refused):
    where = {"Bucket": bucket, "Key": "k"}
    refused("NotImplemented", 501, s3.put_object, **where, Body=b"x", ChecksumXXHASH64="AAAAAAAAAAA=")
    refused("NotImplemented", 501, s3.create_multipart_upload, **where, ChecksumAlgorithm="XXHASH3")

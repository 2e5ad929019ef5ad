"""S3: a bucket, objects with metadata, folders, pages, a large file, ranges, a signed URL, tags."""

import os
import tempfile
import time
import urllib.request

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError

s3 = boto3.client("s3")
bucket = f"example-{time.time_ns()}"
s3.create_bucket(Bucket=bucket)
try:
    for number in range(5):
        s3.put_object(
            Bucket=bucket, Key=f"letters/{number}.txt", Body=f"letter {number}".encode(), Metadata={"n": str(number)}
        )
    s3.put_object(Bucket=bucket, Key="readme.txt", Body=b"Read me.", ContentType="text/plain")

    top = s3.list_objects_v2(Bucket=bucket, Delimiter="/")
    print("folders:", [item["Prefix"] for item in top["CommonPrefixes"]], "files:", [i["Key"] for i in top["Contents"]])
    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket=bucket, Prefix="letters/", PaginationConfig={"PageSize": 2}
    )
    print("pages:", [len(page["Contents"]) for page in pages])

    got = s3.get_object(Bucket=bucket, Key="letters/3.txt", Range="bytes=0-5")
    print("range:", got["Body"].read(), got["ContentRange"], got["Metadata"])
    s3.copy_object(Bucket=bucket, Key="copy.txt", CopySource={"Bucket": bucket, "Key": "readme.txt"})
    print("copied:", s3.head_object(Bucket=bucket, Key="copy.txt")["ContentType"])

    with tempfile.TemporaryDirectory() as folder:
        large, back = os.path.join(folder, "large"), os.path.join(folder, "back")
        with open(large, "wb") as file:
            file.write(os.urandom(12 * 2**20))
        parts = TransferConfig(multipart_threshold=5 * 2**20, multipart_chunksize=5 * 2**20)
        s3.upload_file(large, bucket, "large.bin", Config=parts)
        s3.download_file(bucket, "large.bin", back, Config=parts)
        with open(large, "rb") as one, open(back, "rb") as other:
            print("large file comes back whole:", one.read() == other.read())

    url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "readme.txt"}, ExpiresIn=60)
    with urllib.request.urlopen(url) as answer:
        print("signed URL:", answer.read())
    s3.put_object_tagging(Bucket=bucket, Key="readme.txt", Tagging={"TagSet": [{"Key": "kind", "Value": "note"}]})
    print("tags:", s3.get_object_tagging(Bucket=bucket, Key="readme.txt")["TagSet"])
    try:
        s3.put_object(Bucket=bucket, Key="readme.txt", Body=b"again", IfNoneMatch="*")
    except ClientError as refused:
        print("not overwritten:", refused.response["Error"]["Code"])
    try:
        s3.get_object(Bucket=bucket, Key="missing.txt")
    except s3.exceptions.NoSuchKey as missing:
        print("missing:", missing.response["Error"]["Code"])
finally:
    objects = [{"Key": item["Key"]} for item in s3.list_objects_v2(Bucket=bucket).get("Contents", [])]
    s3.delete_objects(Bucket=bucket, Delete={"Objects": objects})
    s3.delete_bucket(Bucket=bucket)
print("cleaned up")

import pytest

KEYS = sorted(
    [f"logs/{day}/{index}" for day in ("mo", "tu") for index in range(4)] + ["a", "b c", "z&é"], key=str.encode
)


@pytest.fixture
def filled(s3, bucket):
    for key in KEYS:
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    return bucket


def keys_of(pages):
    return [item["Key"] for page in pages for item in page.get("Contents", [])]


@pytest.mark.parametrize("version", ["list_objects_v2", "list_objects", "list_object_versions"])
@pytest.mark.parametrize("size", [1, 3, 1000])
def test_pages(s3, filled, version, size):
    paginator = s3.get_paginator(version)
    member = "Versions" if version == "list_object_versions" else "Contents"
    pages = list(paginator.paginate(Bucket=filled, PaginationConfig={"PageSize": size}))
    assert len(pages) == -(-len(KEYS) // size)
    assert [item["Key"] for page in pages for item in page.get(member, [])] == KEYS


@pytest.mark.parametrize("version", ["list_objects_v2", "list_objects"])
@pytest.mark.parametrize("size", [1, 2, 1000])
def test_delimiters(s3, filled, version, size):
    pages = list(s3.get_paginator(version).paginate(Bucket=filled, Delimiter="/", PaginationConfig={"PageSize": size}))
    assert keys_of(pages) == ["a", "b c", "z&é"]
    assert [item["Prefix"] for page in pages for item in page.get("CommonPrefixes", [])] == ["logs/"]
    pages = list(
        s3.get_paginator(version).paginate(
            Bucket=filled, Delimiter="/", Prefix="logs/", PaginationConfig={"PageSize": size}
        )
    )
    assert keys_of(pages) == []
    assert [item["Prefix"] for page in pages for item in page.get("CommonPrefixes", [])] == ["logs/mo/", "logs/tu/"]


def test_v2_members(s3, filled, refused):
    answer = s3.list_objects_v2(Bucket=filled, Prefix="logs/", MaxKeys=2, StartAfter="logs/mo/1", FetchOwner=True)
    assert (answer["KeyCount"], answer["MaxKeys"], answer["IsTruncated"]) == (2, 2, True)
    assert (answer["Prefix"], answer["StartAfter"]) == ("logs/", "logs/mo/1")
    first = answer["Contents"][0]
    assert (first["Key"], first["Size"], first["StorageClass"]) == ("logs/mo/2", 1, "STANDARD")
    assert first["ETag"] == '"9dd4e461268c8034f5c8564e155c67a6"'
    assert len(first["Owner"]["ID"]) == 64
    rest = s3.list_objects_v2(Bucket=filled, Prefix="logs/", ContinuationToken=answer["NextContinuationToken"])
    assert keys_of([rest]) == [key for key in KEYS if key.startswith("logs/tu")]
    assert s3.list_objects_v2(Bucket=filled, MaxKeys=0)["KeyCount"] == 0
    assert s3.list_objects_v2(Bucket=filled, MaxKeys=5000)["MaxKeys"] == 1000
    refused("InvalidArgument", 400, s3.list_objects_v2, Bucket=filled, ContinuationToken="*")
    refused("InvalidArgument", 400, s3.list_objects_v2, Bucket=filled, MaxKeys=-1)
    refused("InvalidArgument", 400, s3.list_objects_v2, Bucket=filled, EncodingType="gzip")


def test_v1_members(s3, filled):
    answer = s3.list_objects(Bucket=filled, Marker="b c", MaxKeys=1)
    assert (answer["Marker"], answer["NextMarker"]) == ("b c", "logs/mo/0")
    assert keys_of([answer]) == ["logs/mo/0"]

from __future__ import annotations

import re
from uuid import uuid4

import numpy as np
import pytest
from botocore.exceptions import ClientError


@pytest.fixture
def vectors(client_of):
    return client_of("s3vectors")


@pytest.fixture
def bucket(vectors):
    name = f"vectors-{uuid4().hex[:8]}"
    vectors.create_vector_bucket(vectorBucketName=name, tags={"k": "v"})
    return name


@pytest.fixture
def index(vectors, bucket):
    vectors.create_index(
        vectorBucketName=bucket,
        indexName="films",
        dataType="float32",
        dimension=3,
        distanceMetric="cosine",
        metadataConfiguration={"nonFilterableMetadataKeys": ["text"]},
    )
    return {"vectorBucketName": bucket, "indexName": "films"}


FILMS = {
    "alien": ([1, 0, 0], {"genre": "horror", "year": 1979, "text": "In space"}),
    "amelie": ([0, 1, 0], {"genre": ["comedy", "romance"], "year": 2001, "good": True}),
    "brazil": ([0.6, 0.8, 0], {"genre": "comedy", "year": 1985}),
    "cube": ([0.9, 0, 0.1], {"year": 1997.0}),
}


@pytest.fixture
def films(vectors, index):
    rows = [{"key": key, "data": {"float32": data}, "metadata": metadata} for key, (data, metadata) in FILMS.items()]
    vectors.put_vectors(**index, vectors=rows)
    return index


def error_of(call, /, **arguments):
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return caught.value.response["Error"]["Code"], caught.value.response["Error"]["Message"]


def found(vectors, index, where=None, top=10, query=(1, 0, 0)):
    more = {"filter": where} if where is not None else {}
    answer = vectors.query_vectors(**index, topK=top, queryVector={"float32": list(query)}, **more)
    return [each["key"] for each in answer["vectors"]]


def test_buckets(vectors, bucket, client_of):
    assert error_of(vectors.create_vector_bucket, vectorBucketName=bucket)[0] == "ConflictException"
    assert error_of(vectors.create_vector_bucket, vectorBucketName="Not_a_name")[0] == "ValidationException"
    shown = vectors.get_vector_bucket(vectorBucketName=bucket)["vectorBucket"]
    assert shown["vectorBucketArn"] == f"arn:aws:s3vectors:us-east-1:123456789012:bucket/{bucket}"
    assert shown["encryptionConfiguration"] == {"sseType": "AES256"}
    assert vectors.get_vector_bucket(vectorBucketArn=shown["vectorBucketArn"])["vectorBucket"] == shown
    pages = vectors.get_paginator("list_vector_buckets").paginate(PaginationConfig={"PageSize": 1})
    assert bucket in [each["vectorBucketName"] for page in pages for each in page["vectorBuckets"]]
    arn = shown["vectorBucketArn"]
    vectors.tag_resource(resourceArn=arn, tags={"more": "x"})
    vectors.untag_resource(resourceArn=arn, tagKeys=["k"])
    assert vectors.list_tags_for_resource(resourceArn=arn)["tags"] == {"more": "x"}
    other = client_of("s3vectors", key="111122223333")
    assert error_of(other.get_vector_bucket, vectorBucketName=bucket)[0] == "NotFoundException"
    assert error_of(other.get_vector_bucket, vectorBucketArn=arn)[0] == "NotFoundException"
    vectors.delete_vector_bucket(vectorBucketName=bucket)
    assert error_of(vectors.get_vector_bucket, vectorBucketName=bucket)[0] == "NotFoundException"


def test_a_policy_is_remembered(vectors, bucket):
    assert error_of(vectors.get_vector_bucket_policy, vectorBucketName=bucket)[0] == "NotFoundException"
    vectors.put_vector_bucket_policy(vectorBucketName=bucket, policy='{"Statement": []}')
    assert vectors.get_vector_bucket_policy(vectorBucketName=bucket)["policy"] == '{"Statement": []}'
    vectors.delete_vector_bucket_policy(vectorBucketName=bucket)
    assert error_of(vectors.get_vector_bucket_policy, vectorBucketName=bucket)[0] == "NotFoundException"
    assert error_of(vectors.put_vector_bucket_policy, vectorBucketName=bucket, policy="x")[0] == "ValidationException"


def test_indexes(vectors, bucket, index):
    shown = vectors.get_index(**index)["index"]
    assert (shown["dimension"], shown["distanceMetric"], shown["dataType"]) == (3, "cosine", "float32")
    assert shown["metadataConfiguration"] == {"nonFilterableMetadataKeys": ["text"]}
    assert vectors.get_index(indexArn=shown["indexArn"])["index"] == shown
    assert [each["indexName"] for each in vectors.list_indexes(vectorBucketName=bucket)["indexes"]] == ["films"]
    assert vectors.list_indexes(vectorBucketName=bucket, prefix="x")["indexes"] == []
    again = {**index, "dataType": "float32", "dimension": 3, "distanceMetric": "cosine"}
    assert error_of(vectors.create_index, **again)[0] == "ConflictException"
    assert error_of(vectors.delete_vector_bucket, vectorBucketName=bucket)[0] == "ConflictException"
    assert error_of(vectors.get_index, indexName="films")[0] == "ValidationException"
    vectors.delete_index(indexArn=shown["indexArn"])
    assert error_of(vectors.get_index, **index)[0] == "NotFoundException"
    vectors.delete_vector_bucket(vectorBucketName=bucket)


def test_vectors(vectors, films):
    got = vectors.get_vectors(**films, keys=["cube", "nobody", "alien"], returnData=True, returnMetadata=True)[
        "vectors"
    ]
    assert [each["key"] for each in got] == ["cube", "alien"]
    assert got[0]["data"]["float32"] == [np.float32(0.9), 0, np.float32(0.1)]
    assert got[1]["metadata"] == FILMS["alien"][1]
    assert vectors.get_vectors(**films, keys=["cube"])["vectors"] == [{"key": "cube"}]
    vectors.put_vectors(**films, vectors=[{"key": "cube", "data": {"float32": [0, 0, 2]}}])
    assert found(vectors, films, query=(0, 0, 1), top=1) == ["cube"]
    vectors.delete_vectors(**films, keys=["cube", "nobody"])
    pages = vectors.get_paginator("list_vectors").paginate(**films, PaginationConfig={"PageSize": 2})
    assert [[each["key"] for each in page["vectors"]] for page in pages] == [["alien", "amelie"], ["brazil"]]
    parts = [vectors.list_vectors(**films, segmentCount=2, segmentIndex=part)["vectors"] for part in (0, 1)]
    assert sorted(each["key"] for part in parts for each in part) == ["alien", "amelie", "brazil"]


def test_the_nearest(vectors, films):
    query = {"float32": [2, 0, 0]}
    answer = vectors.query_vectors(**films, topK=3, queryVector=query, returnDistance=True, returnMetadata=True)
    assert answer["distanceMetric"] == "cosine"
    assert [each["key"] for each in answer["vectors"]] == ["alien", "cube", "brazil"]
    assert [each["distance"] for each in answer["vectors"]] == pytest.approx([0, 1 - 0.9 / 0.82**0.5, 0.4], abs=1e-6)
    assert answer["vectors"][0]["metadata"]["text"] == "In space"


def test_euclid(vectors, bucket):
    place = {"vectorBucketName": bucket, "indexName": "points"}
    vectors.create_index(**place, dataType="float32", dimension=2, distanceMetric="euclidean")
    rows = [{"key": str(at), "data": {"float32": [at, 0]}} for at in range(5)]
    vectors.put_vectors(**place, vectors=rows)
    answer = vectors.query_vectors(**place, topK=2, queryVector={"float32": [3, 4]}, returnDistance=True)
    assert [(each["key"], each["distance"]) for each in answer["vectors"]] == [
        ("3", 4.0),
        ("2", pytest.approx(17**0.5)),
    ]


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ({"genre": "comedy"}, ["brazil", "amelie"]),
        ({"genre": {"$eq": "horror"}}, ["alien"]),
        ({"genre": {"$ne": "comedy"}}, ["alien", "cube"]),
        ({"year": {"$gt": 1985, "$lte": 2001}}, ["cube", "amelie"]),
        ({"year": {"$gte": 1997}}, ["cube", "amelie"]),
        ({"year": {"$lt": 1985}}, ["alien"]),
        ({"genre": {"$in": ["romance", "horror"]}}, ["alien", "amelie"]),
        ({"genre": {"$nin": ["romance", "horror"]}}, ["cube", "brazil"]),
        ({"genre": {"$exists": False}}, ["cube"]),
        ({"good": True}, ["amelie"]),
        ({"$and": [{"genre": "comedy"}, {"year": {"$lt": 2000}}]}, ["brazil"]),
        ({"$or": [{"year": 1979}, {"$and": [{"good": True}]}]}, ["alien", "amelie"]),
        ({"genre": "comedy", "year": 1985}, ["brazil"]),
    ],
)
def test_filters(vectors, films, where, expected):
    assert found(vectors, films, where) == expected


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ({}, "at least one condition"),
        ({"text": "In space"}, "'text' is not filterable"),
        ({"$not": {"year": 1}}, "no operator '\\$not'"),
        ({"year": {"$near": 1}}, "'\\$near' is no operator"),
        ({"$or": []}, "\\$or must be a list"),
        ({"year": {"$gt": True}}, "must be a number"),
        ({"genre": {"$exists": 1}}, "\\$exists must be true or false"),
    ],
)
def test_what_is_no_filter(vectors, films, where, message):
    arguments = {"topK": 1, "queryVector": {"float32": [1, 0, 0]}, "filter": where}
    code, said = error_of(vectors.query_vectors, **films, **arguments)
    assert code == "ValidationException"
    assert re.search(message, said)


@pytest.mark.parametrize(
    "wrong",
    [
        {"key": "a", "data": {"float32": [1, 2]}},
        {"key": "a", "data": {"float32": [0, 0, 0]}},
        {"key": "a", "data": {"float32": [1e39, 0, 0]}},
        {"key": "a", "data": {"float32": [1, 0, 0]}, "metadata": {"deep": {"a": 1}}},
        {"key": "a", "data": {"float32": [1, 0, 0]}, "metadata": {"long": "x" * 2100}},
        {"key": "a", "data": {"float32": [1, 0, 0]}, "metadata": {"text": "x" * 41_000}},
        {"key": "a", "data": {"float32": [1, 0, 0]}, "metadata": {str(at): at for at in range(51)}},
    ],
)
def test_what_does_not_fit_is_refused_and_nothing_written(vectors, films, wrong):
    rows = [{"key": "new", "data": {"float32": [1, 1, 1]}}, wrong]
    assert error_of(vectors.put_vectors, **films, vectors=rows)[0] == "ValidationException"
    assert vectors.get_vectors(**films, keys=["new", "a"])["vectors"] == []


def test_what_is_not_here_is_refused_by_name(vectors, films, bucket):
    query = {"float32": [1, 0, 0]}
    for more in ({"topK": 101}, {"topK": 1, "queryMode": "ENHANCED"}):
        assert error_of(vectors.query_vectors, **films, queryVector=query, **more)[0] == "ValidationException"
    code, message = error_of(vectors.update_index_mode, **films, indexMode="ENHANCED")
    assert (code, "UpdateIndexMode" in message) == ("NotImplemented", True)

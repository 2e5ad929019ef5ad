from __future__ import annotations

import json
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError
from sqlalchemy import select

from rocamadre.neighbours.aoss.tables import COLLECTIONS, INDEXES
from rocamadre.testing.requests import WireRequest

SIGNED = {
    "authorization": (
        "AWS4-HMAC-SHA256 Credential=AKIATESTING/20260101/us-east-1/aoss/aws4_request, "
        f"SignedHeaders=host;x-amz-date, Signature={'0' * 64}"
    ),
    "x-amz-date": "20260101T000000Z",
    "content-type": "application/json",
}


@pytest.fixture
def aoss(client_of):
    return client_of("opensearchserverless")


@pytest.fixture
def name():
    return f"kb-{uuid4().hex[:8]}"


@pytest.fixture
def collection(aoss, name):
    policy = {"Rules": [{"Resource": [f"collection/{name}"], "ResourceType": "collection"}], "AWSOwnedKey": True}
    aoss.create_security_policy(name=name, type="encryption", policy=json.dumps(policy))
    return aoss.create_collection(name=name, type="VECTORSEARCH")["createCollectionDetail"]["id"]


def error_of(call, /, **arguments):
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return caught.value.response["Error"]["Code"], caught.value.response["Error"]["Message"]


@pytest.fixture
def send(platform, collection):
    """`send("PUT", "films", {...})`: status and body of a request below the collection's endpoint."""

    def sending(method, path, body=None, *, prefix=f"/aoss/{collection}/", headers=SIGNED):
        raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        path, _, query = path.partition("?")
        answer = platform.send(WireRequest(method, (prefix + path).encode(), query.encode(), {}, raw), headers)
        return answer.status, json.loads(answer.body) if answer.body else None

    return sending


VECTOR_INDEX = {
    "settings": {"index.knn": "true", "number_of_shards": 1, "knn.algo_param.ef_search": 512},
    "mappings": {
        "properties": {
            "vector": {
                "type": "knn_vector",
                "dimension": 2,
                "method": {"name": "hnsw", "engine": "faiss", "space_type": "l2"},
            },
            "text": {"type": "text"},
            "meta": {"type": "text", "index": False},
            "kind": {"type": "keyword"},
        }
    },
}

DOCUMENTS = {
    "a": {"vector": [1, 0], "text": "The cat sat on the mat", "kind": "pet", "year": 2001, "tags": ["x", "y"]},
    "b": {"vector": [0, 1], "text": "Dogs chase cats", "kind": "pet", "year": 2005, "deep": {"name": "Rex"}},
    "c": {"vector": [3, 3], "text": "Granite and basalt", "kind": "Rock", "year": 2010},
    "d": {"text": "no vector here, only a cat and a cat", "kind": "none"},
}


@pytest.fixture
def films(send):
    assert send("PUT", "films", VECTOR_INDEX) == (
        200,
        {"acknowledged": True, "shards_acknowledged": True, "index": "films"},
    )
    lines = [json.dumps(line) for key, document in DOCUMENTS.items() for line in ({"index": {"_id": key}}, document)]
    status, answer = send("POST", "films/_bulk", "\n".join([*lines, ""]).encode())
    assert (status, answer["errors"]) == (200, False)
    assert [item["index"]["status"] for item in answer["items"]] == [201] * 4
    return "films"


def found(send, query, **more):
    status, answer = send("POST", "films/_search", {"query": query, **more})
    assert status == 200, answer
    return [hit["_id"] for hit in answer["hits"]["hits"]]


# The control plane


def test_a_collection_wants_an_encryption_policy(aoss, name):
    code, message = error_of(aoss.create_collection, name=name, type="VECTORSEARCH")
    assert (code, "No matching security policy of encryption type" in message) == ("ValidationException", True)
    policy = {"Rules": [{"Resource": ["collection/kb-*"], "ResourceType": "collection"}], "AWSOwnedKey": True}
    aoss.create_security_policy(name=name, type="encryption", policy=json.dumps(policy))
    made = aoss.create_collection(name=name, type="VECTORSEARCH")["createCollectionDetail"]
    assert made["status"] == "CREATING"
    aoss.delete_security_policy(name=name, type="encryption")


def test_collections(aoss, client_of, name, collection):
    (shown,) = aoss.batch_get_collection(names=[name])["collectionDetails"]
    assert (shown["id"], shown["status"], shown["type"]) == (collection, "ACTIVE", "VECTORSEARCH")
    assert shown["arn"] == f"arn:aws:aoss:us-east-1:123456789012:collection/{collection}"
    assert shown["collectionEndpoint"].endswith(f"/aoss/{collection}")
    answer = aoss.batch_get_collection(ids=[collection, "nobody"])
    assert [each["name"] for each in answer["collectionDetails"]] == [name]
    assert answer["collectionErrorDetails"][0]["errorCode"] == "NOT_FOUND"
    assert error_of(aoss.create_collection, name=name)[0] == "ConflictException"
    assert [each["id"] for each in aoss.list_collections(collectionFilters={"name": name})["collectionSummaries"]] == [
        collection
    ]
    other = client_of("opensearchserverless", key="111122223333")
    assert other.batch_get_collection(ids=[collection])["collectionDetails"] == []
    aoss.update_collection(id=collection, description="changed", deletionProtection="ENABLED")
    assert aoss.batch_get_collection(ids=[collection])["collectionDetails"][0]["description"] == "changed"
    assert error_of(aoss.delete_collection, id=collection)[0] == "ConflictException"
    aoss.update_collection(id=collection, deletionProtection="DISABLED")
    aoss.tag_resource(resourceArn=shown["arn"], tags=[{"key": "a", "value": "1"}, {"key": "b", "value": "2"}])
    aoss.untag_resource(resourceArn=shown["arn"], tagKeys=["a"])
    assert aoss.list_tags_for_resource(resourceArn=shown["arn"])["tags"] == [{"key": "b", "value": "2"}]
    assert aoss.delete_collection(id=collection)["deleteCollectionDetail"]["status"] == "DELETING"
    assert aoss.batch_get_collection(names=[name])["collectionDetails"] == []
    assert error_of(aoss.delete_collection, id=collection)[0] == "ResourceNotFoundException"


def test_policies(aoss, name):
    network = [{"Rules": [{"Resource": [f"collection/{name}"], "ResourceType": "collection"}], "AllowFromPublic": True}]
    made = aoss.create_security_policy(name=name, type="network", policy=json.dumps(network))["securityPolicyDetail"]
    assert made["policy"] == network
    assert error_of(aoss.create_security_policy, name=name, type="network", policy="[]")[0] == "ConflictException"
    assert aoss.get_security_policy(name=name, type="network")["securityPolicyDetail"] == made
    changed = {"name": name, "type": "network", "policyVersion": made["policyVersion"], "description": "new"}
    assert aoss.update_security_policy(**changed)["securityPolicyDetail"]["description"] == "new"
    assert error_of(aoss.update_security_policy, **changed)[0] == "ConflictException"
    listed = aoss.list_security_policies(type="network", resource=[f"collection/{name}"])["securityPolicySummaries"]
    assert [each["name"] for each in listed] == [name]
    rules = [{"Resource": [f"index/{name}/*"], "Permission": ["aoss:*"], "ResourceType": "index"}]
    access = [{"Rules": rules, "Principal": ["arn:aws:iam::123456789012:role/r"]}]
    made = aoss.create_access_policy(name=name, type="data", policy=json.dumps(access))["accessPolicyDetail"]
    assert aoss.get_access_policy(name=name, type="data")["accessPolicyDetail"]["policy"] == access
    aoss.update_access_policy(name=name, type="data", policyVersion=made["policyVersion"], policy=json.dumps(access))
    assert [each["name"] for each in aoss.list_access_policies(type="data")["accessPolicySummaries"]] == [name]
    aoss.delete_access_policy(name=name, type="data")
    aoss.delete_security_policy(name=name, type="network")
    assert error_of(aoss.get_access_policy, name=name, type="data")[0] == "ResourceNotFoundException"
    for kind, policy in (
        ("network", "{"),
        ("network", "{}"),
        ("encryption", '{"Rules": 1}'),
        ("network", '[{"Rules": [1]}]'),
    ):
        assert error_of(aoss.create_security_policy, name=name, type=kind, policy=policy)[0] == "ValidationException"
    no_principal = json.dumps([{"Rules": rules}])
    assert error_of(aoss.create_access_policy, name=name, type="data", policy=no_principal)[0] == "ValidationException"


def test_indexes_by_the_control_plane(aoss, collection, send):
    aoss.create_index(id=collection, indexName="by-api", indexSchema=VECTOR_INDEX)
    assert aoss.get_index(id=collection, indexName="by-api")["indexSchema"] == VECTOR_INDEX
    assert send("HEAD", "by-api")[0] == 200
    assert error_of(aoss.create_index, id=collection, indexName="by-api")[0] == "ConflictException"
    assert error_of(aoss.create_index, id=collection, indexName="Bad Name")[0] == "ValidationException"
    aoss.delete_index(id=collection, indexName="by-api")
    assert error_of(aoss.get_index, id=collection, indexName="by-api")[0] == "ResourceNotFoundException"


def test_what_is_not_here_is_refused_by_name(aoss, send):
    code, message = error_of(aoss.get_account_settings)
    assert (code, "GetAccountSettings" in message) == ("NotImplemented", True)
    status, answer = send("POST", "films/_delete_by_query", {})
    assert (status, "_delete_by_query" in answer["error"]["reason"]) == (501, True)


# OpenSearch


def test_indexes(send, films):
    assert send("HEAD", "films") == (200, None)
    assert send("HEAD", "nothing") == (404, None)
    status, answer = send("GET", "nothing")
    assert (status, answer["error"]["type"]) == (404, "index_not_found_exception")
    status, answer = send("PUT", "films", VECTOR_INDEX)
    assert (status, answer["error"]["root_cause"][0]["type"]) == (400, "resource_already_exists_exception")
    assert send("GET", "films")[1]["films"]["mappings"] == VECTOR_INDEX["mappings"]
    assert send("GET", "films/_mapping")[1] == {"films": {"mappings": VECTOR_INDEX["mappings"]}}
    assert send("GET", "films/_settings")[1]["films"]["settings"]["index"]["index.knn"] == "true"
    assert send("GET", "_cat/indices?format=json")[1][0]["docs.count"] == "4"
    assert send("POST", "films/_refresh")[0] == 200
    assert send("GET", "")[1]["version"]["distribution"] == "opensearch"
    assert send("DELETE", "films")[1] == {"acknowledged": True}
    assert send("DELETE", "films")[0] == 404


@pytest.mark.parametrize(
    ("index", "body", "kind"),
    [
        ("Upper", {}, "invalid_index_name_exception"),
        ("x", {"mappings": {"properties": {"v": {"type": "knn_vector"}}}}, "mapper_parsing_exception"),
        ("x", {"mappings": {"properties": {"v": {"type": "nonsense"}}}}, "mapper_parsing_exception"),
        ("x", {"mappings": {"properties": {"v": {"type": "knn_vector", "dimension": 2, "space_type": "x"}}}},
         "mapper_parsing_exception"),
        ("x", {"nonsense": 1}, "parse_exception"),
        ("x", b"{", "parse_exception"),
    ],
)  # fmt: skip
def test_what_is_no_index(send, index, body, kind):
    status, answer = send("PUT", index, body)
    assert (status, answer["error"]["type"]) == (400, kind)


def test_documents(send, films):
    status, answer = send("GET", "films/_doc/a")
    assert (status, answer["_source"]) == (200, DOCUMENTS["a"])
    assert send("PUT", "films/_doc/a", {"text": "replaced"})[1]["result"] == "updated"
    assert send("GET", "films/_doc/a")[1]["_source"] == {"text": "replaced"}
    assert send("PUT", "films/_create/a", {"text": "x"})[0] == 409
    status, answer = send("POST", "films/_doc", {"text": "new", "vector": [0.5, 0.25]})
    assert (status, answer["result"]) == (201, "created")
    assert send("GET", f"films/_doc/{answer['_id']}")[1]["_source"]["vector"] == [0.5, 0.25]
    assert send("DELETE", "films/_doc/a")[1]["result"] == "deleted"
    assert send("DELETE", "films/_doc/a")[0] == 404
    assert send("GET", "films/_doc/a") == (404, {"_index": "films", "_id": "a", "found": False})
    assert send("GET", "films/_count")[1]["count"] == 4
    assert send("GET", "films/_count", {"query": {"match": {"text": "cat"}}})[1]["count"] == 1
    for wrong in ([1], [1, "x"], "1,2", [1e39, 0]):
        status, answer = send("PUT", "films/_doc/w", {"vector": wrong})
        assert (status, answer["error"]["type"]) == (400, "mapper_parsing_exception")


def test_bulk_says_what_became_of_each_line(send, films):
    lines = [
        {"index": {"_index": "films", "_id": "ü 1"}}, {"vector": [1, 1]},
        {"index": {"_index": "films"}}, {"vector": [1]},
        {"create": {"_index": "films", "_id": "a"}}, {"text": "x"},
        {"delete": {"_index": "films", "_id": "b"}},
        {"delete": {"_index": "films", "_id": "nobody"}},
        {"index": {"_index": "made-by-the-way", "_id": "1"}}, {"text": "x"},
        {"index": {"_index": "Not A Name", "_id": "1"}}, {"text": "x"},
    ]  # fmt: skip
    status, answer = send("POST", "_bulk", "\n".join(map(json.dumps, [*lines])).encode())
    assert (status, answer["errors"]) == (200, True)
    outcomes = [next(iter(item.values())) for item in answer["items"]]
    assert [each["status"] for each in outcomes] == [201, 400, 409, 200, 404, 201, 400]
    assert send("GET", "films/_doc/%C3%BC%201")[1]["found"]
    assert send("GET", "made-by-the-way/_count")[1]["count"] == 1
    for malformed in (b"{", b'{"index": {}}', b'{"update": {"_id": "1"}}\n{}', b'{"index": {"_id": "1"}}'):
        assert send("POST", "_bulk", malformed)[0] == 400


def test_nearest_vectors(send, films):
    query = {"knn": {"vector": {"vector": [1, 0.5], "k": 2}}}
    status, answer = send("POST", "films/_search", {"size": 5, "query": query, "_source": ["kind"]})
    assert status == 200
    hits = answer["hits"]
    assert (hits["total"]["value"], [hit["_id"] for hit in hits["hits"]]) == (2, ["a", "b"])
    assert hits["hits"][0]["_score"] == pytest.approx(1 / 1.25)
    assert hits["max_score"] == hits["hits"][0]["_score"]
    assert hits["hits"][0]["_source"] == {"kind": "pet"}
    filtered = {"knn": {"vector": {"vector": [1, 0.5], "k": 3, "filter": {"range": {"year": {"gte": 2005}}}}}}
    assert found(send, filtered) == ["b", "c"]
    both = {"bool": {"must": [query], "filter": [{"term": {"kind": "pet"}}]}}
    assert found(send, both) == ["a", "b"]


@pytest.mark.parametrize(
    ("space", "order", "score"),
    [
        ("l2", ["near", "far"], 1 / 2.25),
        ("cosinesimil", ["far", "near"], 1.0),
        ("innerproduct", ["far", "near"], 41.0),
        ("l1", ["near", "far"], 1 / 2.5),
        ("linf", ["near", "far"], 1 / 2),
    ],
)
def test_spaces(send, space, order, score):
    mapping = {"v": {"type": "knn_vector", "dimension": 2, "space_type": space}}
    send("PUT", "spaces", {"mappings": {"properties": mapping}})
    send("PUT", "spaces/_doc/near", {"v": [1, 0.5]})
    send("PUT", "spaces/_doc/far", {"v": [20, 0]})
    query = {"knn": {"v": {"vector": [2, 0], "k": 2}}}
    hits = send("POST", "spaces/_search", {"query": query})[1]["hits"]["hits"]
    assert [hit["_id"] for hit in hits] == order
    assert hits[0]["_score"] == pytest.approx(score)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"match_all": {}}, ["a", "b", "c", "d"]),
        ({"match_none": {}}, []),
        ({"match": {"text": "CAT"}}, ["d", "a"]),
        ({"match": {"text": {"query": "cat mat", "operator": "and"}}}, ["a"]),
        ({"match_phrase": {"text": "the mat"}}, ["a"]),
        ({"match_phrase": {"text": "mat the"}}, []),
        ({"multi_match": {"query": "granite pet", "fields": ["text^2", "kind"]}}, ["c"]),
        ({"term": {"kind": "pet"}}, ["a", "b"]),
        ({"term": {"kind": {"value": "rock"}}}, []),
        ({"term": {"kind.keyword": "Rock"}}, ["c"]),
        ({"terms": {"tags": ["y", "z"]}}, ["a"]),
        ({"term": {"deep.name.keyword": "Rex"}}, ["b"]),
        ({"term": {"year": 2005}}, ["b"]),
        ({"range": {"year": {"gt": 2001, "lt": 2010}}}, ["b"]),
        ({"exists": {"field": "vector"}}, ["a", "b", "c"]),
        ({"exists": {"field": "deep.name"}}, ["b"]),
        ({"ids": {"values": ["c", "x"]}}, ["c"]),
        ({"prefix": {"kind": "pe"}}, ["a", "b"]),
        ({"wildcard": {"kind": {"value": "*oc?"}}}, ["c"]),
        ({"constant_score": {"filter": {"term": {"kind": "Rock"}}, "boost": 2}}, ["c"]),
        ({"bool": {"must_not": {"term": {"kind": "pet"}}}}, ["c", "d"]),
        ({"bool": {"should": [{"match": {"text": "dogs"}}, {"term": {"kind": "Rock"}}]}}, ["c", "b"]),
        ({"bool": {"filter": {"term": {"kind": "pet"}}, "should": {"match": {"text": "dogs"}}}}, ["b", "a"]),
    ],
)
def test_queries(send, films, query, expected):
    assert found(send, query) == expected


def test_pages_and_parts(send, films):
    assert found(send, {"match_all": {}}, size=2, **{"from": 1}) == ["b", "c"]
    answer = send("POST", "films/_search", {"_source": {"excludes": ["vector", "t*"]}})[1]
    assert answer["hits"]["hits"][1]["_source"] == {"kind": "pet", "year": 2005, "deep": {"name": "Rex"}}
    answer = send("POST", "films/_search?size=1", {"_source": False})[1]
    assert (answer["hits"]["total"]["value"], answer["hits"]["hits"]) == (
        4,
        [{"_index": "films", "_id": "a", "_score": 1.0}],
    )


@pytest.mark.parametrize(
    "body",
    [
        {"query": {"script_score": {}}},
        {"query": {"match": {"text": {"query": "x", "fuzziness": 2}}}},
        {"query": {"knn": {"text": {"vector": [1, 2], "k": 1}}}},
        {"query": {"knn": {"vector": {"vector": [1], "k": 1}}}},
        {"query": {"knn": {"vector": {"vector": [1, 2]}}}},
        {"query": {"match_all": {}, "term": {}}},
        {"query": []},
        {"aggs": {}},
        {"sort": ["year"]},
        {"size": -1},
        {"size": 10_001},
    ],
)
def test_what_is_no_search_is_refused(send, films, body):
    status, answer = send("POST", "films/_search", body)
    assert status == 400
    assert answer["error"]["reason"]


def test_a_collection_is_its_accounts_own(send, films, collection):
    other = SIGNED | {"authorization": SIGNED["authorization"].replace("AKIATESTING", "111122223333")}
    assert send("GET", "films/_search", headers=other)[0] == 404
    assert send("GET", "films/_search", prefix="/aoss/nobody/")[0] == 404
    hosted = SIGNED | {"host": f"{collection}.us-east-1.aoss.amazonaws.com"}
    assert send("GET", "films/_count", prefix="/", headers=hosted)[0] in (200, 403)


def test_all_goes_with_the_collection(aoss, send, films, collection, platform):
    aoss.delete_collection(id=collection)
    assert send("GET", "films/_search")[0] == 404
    with platform.platform.sql.connect() as connection:
        for table, column in ((INDEXES, INDEXES.c.collection), (COLLECTIONS, COLLECTIONS.c.id)):
            assert connection.execute(select(table).where(column == collection)).all() == []

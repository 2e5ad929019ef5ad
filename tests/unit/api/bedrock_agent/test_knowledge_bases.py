"""Knowledge bases over boto3: what is made, what is refused and in which words, and that nothing of one stays."""

from __future__ import annotations

import pytest
from sqlalchemy import update

from rocamadre.knowledge.operations import finish_deletions
from rocamadre.knowledge.tables import BASES

ROLE = "arn:aws:iam::123456789012:role/knowledge"
SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret:store"
FIELDS = {"vectorField": "v", "textField": "t", "metadataField": "m"}
STORAGES = {
    "none": None,
    "opensearch serverless": {
        "type": "OPENSEARCH_SERVERLESS",
        "opensearchServerlessConfiguration": {
            "collectionArn": "arn:aws:aoss:us-east-1:123456789012:collection/abcdefghij0123456789",
            "vectorIndexName": "index",
            "fieldMapping": FIELDS,
        },
    },
    "opensearch": {
        "type": "OPENSEARCH_MANAGED_CLUSTER",
        "opensearchManagedClusterConfiguration": {
            "domainEndpoint": "https://search.example.com",
            "domainArn": "arn:aws:es:us-east-1:123456789012:domain/documents",
            "vectorIndexName": "index",
            "fieldMapping": FIELDS,
        },
    },
    "rds": {
        "type": "RDS",
        "rdsConfiguration": {
            "resourceArn": "arn:aws:rds:us-east-1:123456789012:cluster:documents",
            "credentialsSecretArn": SECRET,
            "databaseName": "db",
            "tableName": "bedrock.chunks",
            "fieldMapping": {"primaryKeyField": "id", **FIELDS},
        },
    },
    "pinecone": {
        "type": "PINECONE",
        "pineconeConfiguration": {
            "connectionString": "https://index.pinecone.example",
            "credentialsSecretArn": SECRET,
            "fieldMapping": {"textField": "t", "metadataField": "m"},
        },
    },
    "redis": {
        "type": "REDIS_ENTERPRISE_CLOUD",
        "redisEnterpriseCloudConfiguration": {
            "endpoint": "redis.example:6379",
            "vectorIndexName": "index",
            "credentialsSecretArn": SECRET,
            "fieldMapping": FIELDS,
        },
    },
    "mongo": {
        "type": "MONGO_DB_ATLAS",
        "mongoDbAtlasConfiguration": {
            "endpoint": "cluster.example",
            "databaseName": "db",
            "collectionName": "chunks",
            "vectorIndexName": "index",
            "credentialsSecretArn": SECRET,
            "fieldMapping": FIELDS,
        },
    },
    "neptune": {
        "type": "NEPTUNE_ANALYTICS",
        "neptuneAnalyticsConfiguration": {
            "graphArn": "arn:aws:neptune-graph:us-east-1:123456789012:graph/g-abcdef0123",
            "fieldMapping": {"textField": "t", "metadataField": "m"},
        },
    },
    "s3 vectors": {
        "type": "S3_VECTORS",
        "s3VectorsConfiguration": {
            "indexArn": "arn:aws:s3vectors:us-east-1:123456789012:bucket/documents/index/chunks"
        },
    },
}


def of(model, **embedding):
    given = {"embeddingModelArn": f"arn:aws:bedrock:us-east-1::foundation-model/{model}"}
    if embedding:
        given["embeddingModelConfiguration"] = {"bedrockEmbeddingModelConfiguration": embedding}
    return {"type": "VECTOR", "vectorKnowledgeBaseConfiguration": given}


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.covers("bedrock-agent:CreateKnowledgeBase", "bedrock-agent:GetKnowledgeBase")
def test_every_storage_is_taken_and_shown_and_the_real_one_named(agent, new_base, storage):
    given = {"storageConfiguration": STORAGES[storage]} if STORAGES[storage] else {}
    answer = agent.get_knowledge_base(knowledgeBaseId=new_base(**given))
    base = answer["knowledgeBase"]
    assert base.get("storageConfiguration") == STORAGES[storage]
    assert base["status"] == "ACTIVE"
    assert (
        base["knowledgeBaseArn"] == f"arn:aws:bedrock:us-east-1:123456789012:knowledge-base/{base['knowledgeBaseId']}"
    )
    assert len(base["knowledgeBaseId"]) == 10
    assert base["knowledgeBaseId"].isupper() or base["knowledgeBaseId"].isdecimal()
    assert answer["ResponseMetadata"]["HTTPHeaders"]["x-rocamadre-store"] == "sqlite"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"storageConfiguration": {"type": "RDS"}}, "holds rdsConfiguration"),
        (
            {"storageConfiguration": {**STORAGES["pinecone"], "type": "RDS"}},
            "holds rdsConfiguration and nothing else; it holds pineconeConfiguration",
        ),
        ({"storageConfiguration": {"type": "S3_VECTORS", "s3VectorsConfiguration": {}}}, "indexArn"),
        ({"knowledgeBaseConfiguration": {"type": "VECTOR"}}, "holds vectorKnowledgeBaseConfiguration"),
        ({"knowledgeBaseConfiguration": {"type": "KENDRA"}}, "no Amazon Kendra"),
        ({"knowledgeBaseConfiguration": {"type": "MANAGED"}}, "Amazon's service"),
        ({"knowledgeBaseConfiguration": of("amazon.nova-lite-v1:0")}, "writes text"),
        ({"knowledgeBaseConfiguration": of("nobody.knows-this-v1:0")}, "is not here"),
        ({"knowledgeBaseConfiguration": of("amazon.titan-embed-text-v2:0", dimensions=333)}, "is 333"),
        (
            {"knowledgeBaseConfiguration": of("amazon.titan-embed-text-v2:0", embeddingDataType="BINARY")},
            "kept as FLOAT32",
        ),
        ({"tags": {"aws:owner": "me"}}, "reserved"),
    ],
)
@pytest.mark.covers("bedrock-agent:CreateKnowledgeBase")
def test_what_does_not_fit_is_refused_by_name(new_base, refused, given, said):
    assert said in refused("ValidationException", new_base, **given)


@pytest.mark.parametrize(
    ("model", "asked", "kept"),
    [
        ("amazon.titan-embed-text-v2:0", None, 384),
        ("amazon.titan-embed-text-v2:0", 1024, 384),
        ("amazon.titan-embed-text-v2:0", 256, 256),
        ("cohere.embed-multilingual-v3", None, 384),
        ("rocamadre.fake-embed-v1:0", 384, 384),
    ],
)
def test_the_embedder_and_its_dimensions(server, new_base, model, asked, kept):
    base = new_base(knowledgeBaseConfiguration=of(model, **({"dimensions": asked} if asked else {})))
    with server.platform.sql.connect() as connection:
        row = connection.execute(BASES.select().where(BASES.c.id == base)).one()
    assert (row.embedder, row.dimensions, len(row.embedder_hash)) == ("rocamadre.fake-embed-v1:0", kept, 64)


@pytest.mark.covers("bedrock-agent:CreateKnowledgeBase")
def test_a_name_is_had_once_in_an_account(connect, new_base, refused):
    new_base(name="taken")
    assert "already exists" in refused("ConflictException", new_base, name="taken")
    wish = {"name": "taken", "roleArn": ROLE, "knowledgeBaseConfiguration": of("amazon.titan-embed-text-v2:0")}
    connect("bedrock-agent", "210987654321").create_knowledge_base(**wish)


@pytest.mark.covers("bedrock-agent:UpdateKnowledgeBase")
def test_name_description_and_role_change_and_nothing_else(agent, new_base, refused):
    base, same = new_base(), of("amazon.titan-embed-text-v2:0")
    wish = {"knowledgeBaseId": base, "name": "renamed", "roleArn": f"{ROLE}-2", "knowledgeBaseConfiguration": same}
    changed = agent.update_knowledge_base(**wish, description="Of foxes")["knowledgeBase"]
    assert (changed["name"], changed["description"], changed["roleArn"]) == ("renamed", "Of foxes", f"{ROLE}-2")
    wish["knowledgeBaseConfiguration"] = of("cohere.embed-multilingual-v3")
    assert "cannot be changed" in refused("ValidationException", agent.update_knowledge_base, **wish)
    wish |= {"knowledgeBaseConfiguration": same, "storageConfiguration": STORAGES["pinecone"]}
    assert "storageConfiguration" in refused("ValidationException", agent.update_knowledge_base, **wish)


@pytest.mark.covers("bedrock-agent:ListKnowledgeBases")
def test_the_list_has_what_was_changed_last_first_and_no_other_accounts(agent, connect, new_base):
    made = [new_base(), new_base()]
    listed = [each["knowledgeBaseId"] for each in agent.list_knowledge_bases()["knowledgeBaseSummaries"]]
    assert listed[:2] == made[::-1]
    other = connect("bedrock-agent", "111122223333")
    assert other.list_knowledge_bases()["knowledgeBaseSummaries"] == []


@pytest.mark.covers("bedrock-agent:GetKnowledgeBase")
def test_of_another_account_nothing_is_seen(connect, new_base, refused):
    base, other = new_base(), connect("bedrock-agent", "111122223333")
    for call in (other.get_knowledge_base, other.delete_knowledge_base, other.list_data_sources):
        refused("ResourceNotFoundException", call, knowledgeBaseId=base)


@pytest.mark.covers("bedrock-agent:DeleteKnowledgeBase")
def test_nothing_of_a_deleted_one_is_left(server, agent, runtime, new_source, fill, refused):
    place = new_source("CUSTOM", base=None)
    base = place["knowledgeBaseId"]
    fill(place, {"fox": "A fox is red."})
    runtime.retrieve(knowledgeBaseId=base, retrievalQuery={"text": "fox"})
    content = {"type": "TEXT", "textContent": {"data": "An owl is grey."}}
    custom = {"customDocumentIdentifier": {"id": "owl"}, "sourceType": "IN_LINE", "inlineContent": content}
    document = {"content": {"dataSourceType": "CUSTOM", "custom": custom}}
    agent.ingest_knowledge_base_documents(**place, documents=[document])
    folder = server.platform.settings.home / "kb"
    assert list(folder.glob(f"{base}*"))
    assert agent.delete_knowledge_base(knowledgeBaseId=base)["status"] == "DELETING"
    assert list(folder.glob(f"{base}*")) == []
    refused("ResourceNotFoundException", agent.get_knowledge_base, knowledgeBaseId=base)
    refused("ResourceNotFoundException", runtime.retrieve, knowledgeBaseId=base, retrievalQuery={"text": "fox"})
    refused("ResourceNotFoundException", agent.list_data_sources, knowledgeBaseId=base)
    with server.platform.sql.connect() as connection:
        for table in BASES.metadata.tables.values():
            if "knowledge_base" in table.c:
                assert connection.execute(table.select().where(table.c.knowledge_base == base)).all() == []


@pytest.mark.covers("bedrock-agent:DeleteKnowledgeBase")
def test_one_whose_ingestion_runs_stays(agent, new_source, refused):
    place = new_source()
    agent.start_ingestion_job(**place)
    base = place["knowledgeBaseId"]
    assert "StopIngestionJob" in refused("ConflictException", agent.delete_knowledge_base, knowledgeBaseId=base)
    assert agent.get_knowledge_base(knowledgeBaseId=base)["knowledgeBase"]["status"] == "ACTIVE"


def test_a_deletion_that_was_cut_off_is_finished_at_the_next_start(server, agent, new_source, fill, refused):
    place = new_source("CUSTOM")
    base = place["knowledgeBaseId"]
    fill(place, {"fox": "A fox is red."})
    with server.platform.sql.begin() as tx:
        tx.execute(update(BASES).where(BASES.c.id == base).values(status="DELETING"))
    finish_deletions(server.platform)
    refused("ResourceNotFoundException", agent.get_knowledge_base, knowledgeBaseId=base)
    assert list((server.platform.settings.home / "kb").glob(f"{base}*")) == []


@pytest.mark.covers("bedrock-agent:TagResource", "bedrock-agent:UntagResource", "bedrock-agent:ListTagsForResource")
def test_tags(agent, connect, new_base, refused):
    base = new_base(tags={"team": "forest"})
    arn = f"arn:aws:bedrock:us-east-1:123456789012:knowledge-base/{base}"
    agent.tag_resource(resourceArn=arn, tags={"owner": "ana", "team": "river"})
    assert agent.list_tags_for_resource(resourceArn=arn)["tags"] == {"owner": "ana", "team": "river"}
    agent.untag_resource(resourceArn=arn, tagKeys=["team", "nothing"])
    assert agent.list_tags_for_resource(resourceArn=arn)["tags"] == {"owner": "ana"}
    other = connect("bedrock-agent", "111122223333")
    refused("ResourceNotFoundException", other.list_tags_for_resource, resourceArn=arn)
    refused("ResourceNotFoundException", agent.list_tags_for_resource, resourceArn=arn.replace(base, "ABCDEFGHIJ"))
    refused("ValidationException", agent.tag_resource, resourceArn=arn, tags={"aws:x": "y"})


def test_a_model_that_was_changed_is_not_asked_for_old_vectors(server, runtime, new_base, refused):
    base = new_base()
    with server.platform.sql.begin() as tx:
        tx.execute(update(BASES).where(BASES.c.id == base).values(embedder_hash="0" * 64))
    said = refused("ConflictException", runtime.retrieve, knowledgeBaseId=base, retrievalQuery={"text": "fox"})
    assert "are not those that made the vectors" in said
    with server.platform.sql.begin() as tx:
        tx.execute(update(BASES).where(BASES.c.id == base).values(embedder="rocamadre.gone-v1:0"))
    said = refused("ConflictException", runtime.retrieve, knowledgeBaseId=base, retrievalQuery={"text": "fox"})
    assert "is not here any more" in said

"""Data sources, ingestion jobs and single documents over boto3; nobody does the jobs, so they stay where they begin."""

from __future__ import annotations

import pytest
from sqlalchemy import update

from rocamadre.knowledge.data_sources import NewDataSource, check_source
from rocamadre.knowledge.ingestion.types import Request, Statistics
from rocamadre.knowledge.tables import SOURCES, select_changes, write_job

S3 = {"type": "S3", "s3Configuration": {"bucketArn": "arn:aws:s3:::documents"}}
SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret:site"


def chunking(strategy, **members):
    return {"vectorIngestionConfiguration": {"chunkingConfiguration": {"chunkingStrategy": strategy, **members}}}


def fixed(tokens, overlap):
    return {"fixedSizeChunkingConfiguration": {"maxTokens": tokens, "overlapPercentage": overlap}}


def hierarchical(parent, child, overlap):
    levels = [{"maxTokens": parent}, {"maxTokens": child}]
    return {"hierarchicalChunkingConfiguration": {"levelConfigurations": levels, "overlapTokens": overlap}}


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"description": "Of foxes", "dataDeletionPolicy": "RETAIN"},
        {"dataSourceConfiguration": {"type": "CUSTOM"}},
        {
            "dataSourceConfiguration": {
                "type": "WEB",
                "webConfiguration": {
                    "sourceConfiguration": {"urlConfiguration": {"seedUrls": [{"url": "https://example.com"}]}}
                },
            }
        },
        chunking("NONE"),
        chunking("FIXED_SIZE", **fixed(100, 20)),
        chunking("HIERARCHICAL", **hierarchical(300, 100, 20)),
        chunking(
            "SEMANTIC",
            semanticChunkingConfiguration={"maxTokens": 100, "bufferSize": 1, "breakpointPercentileThreshold": 95},
        ),
    ],
)
@pytest.mark.covers("bedrock-agent:CreateDataSource", "bedrock-agent:GetDataSource", "bedrock-agent:ListDataSources")
def test_what_is_given_is_shown(agent, new_source, given):
    place = new_source(**given)
    found = agent.get_data_source(**place)["dataSource"]
    assert found["status"] == "AVAILABLE"
    assert found["dataDeletionPolicy"] == given.get("dataDeletionPolicy", "DELETE")
    assert found["dataSourceConfiguration"] == given.get("dataSourceConfiguration", S3)
    assert found.get("vectorIngestionConfiguration") == given.get("vectorIngestionConfiguration")
    listed = agent.list_data_sources(knowledgeBaseId=place["knowledgeBaseId"])["dataSourceSummaries"]
    assert [each["dataSourceId"] for each in listed] == [place["dataSourceId"]]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"dataSourceConfiguration": {"type": "S3"}}, "holds s3Configuration"),
        ({"dataSourceConfiguration": {**S3, "type": "CUSTOM"}}, "holds no member"),
        (chunking("FIXED_SIZE"), "holds fixedSizeChunkingConfiguration"),
        (chunking("NONE", **fixed(100, 20)), "holds no configuration"),
        (chunking("HIERARCHICAL", **hierarchical(100, 300, 20)), "maxTokens"),
        (
            {"vectorIngestionConfiguration": {"parsingConfiguration": {"parsingStrategy": "BEDROCK_FOUNDATION_MODEL"}}},
            "bedrockFoundationModelConfiguration",
        ),
    ],
)
@pytest.mark.covers("bedrock-agent:CreateDataSource")
def test_what_does_not_fit_is_refused_by_name(new_source, refused, given, said):
    assert said in refused("ValidationException", new_source, **given)


@pytest.mark.parametrize(
    "kind", ["CONFLUENCE", "SALESFORCE", "SHAREPOINT", "REDSHIFT_METADATA", "MANAGED_KNOWLEDGE_BASE_CONNECTOR"]
)
@pytest.mark.covers("bedrock-agent:CreateDataSource")
def test_connectors_that_are_absent_are_refused_by_name(new_source, refused, kind):
    given = {"dataSourceConfiguration": {"type": kind}}
    assert f"type {kind}: Rocamadre has no connector" in refused("ValidationException", new_source, **given)


@pytest.mark.covers("bedrock-agent:CreateDataSource")
def test_a_name_is_had_once_in_a_knowledge_base(new_base, new_source, refused):
    base = new_base()
    new_source(base=base, name="files")
    assert "already exists" in refused("ConflictException", new_source, base=base, name="files")
    new_source(name="files")


@pytest.mark.covers("bedrock-agent:UpdateDataSource")
def test_a_data_source_can_be_changed_but_not_into_another_kind(agent, new_source, refused):
    place = new_source()
    wish = {**place, "name": "others", "dataSourceConfiguration": S3, **chunking("FIXED_SIZE", **fixed(50, 10))}
    changed = agent.update_data_source(**wish)["dataSource"]
    assert changed["name"] == "others"
    assert changed["vectorIngestionConfiguration"] == wish["vectorIngestionConfiguration"]
    wish["dataSourceConfiguration"] = {"type": "CUSTOM"}
    assert "is of type S3" in refused("ValidationException", agent.update_data_source, **wish)


@pytest.mark.covers("bedrock-agent:DeleteDataSource")
def test_retained_chunks_are_found_when_their_source_is_gone(agent, runtime, new_source, fill, refused):
    place = new_source("CUSTOM", dataDeletionPolicy="RETAIN")
    fill(place, {"fox": "A fox is red."})
    assert agent.delete_data_source(**place)["status"] == "DELETING"
    refused("ResourceNotFoundException", agent.get_data_source, **place)
    found = runtime.retrieve(knowledgeBaseId=place["knowledgeBaseId"], retrievalQuery={"text": "fox"})
    assert [each["content"]["text"] for each in found["retrievalResults"]] == ["A fox is red."]


@pytest.mark.covers("bedrock-agent:DeleteDataSource")
def test_one_that_deletes_its_chunks_is_being_deleted_until_a_job_has_done_it(agent, new_source, refused):
    place = new_source()
    assert agent.delete_data_source(**place)["status"] == "DELETING"
    assert agent.get_data_source(**place)["dataSource"]["status"] == "DELETING"
    assert agent.delete_data_source(**place)["status"] == "DELETING"
    refused("ConflictException", agent.start_ingestion_job, **place)


@pytest.mark.covers(
    "bedrock-agent:StartIngestionJob", "bedrock-agent:GetIngestionJob", "bedrock-agent:StopIngestionJob"
)
def test_one_ingestion_at_a_time(agent, new_source, refused):
    place = new_source()
    job = agent.start_ingestion_job(**place, description="first")["ingestionJob"]
    assert (job["status"], job["description"]) == ("STARTING", "first")
    assert set(job["statistics"].values()) == {0}
    assert "one at a time" in refused("ConflictException", agent.start_ingestion_job, **place)
    wish = {**place, "ingestionJobId": job["ingestionJobId"]}
    assert agent.get_ingestion_job(**wish)["ingestionJob"] == job
    assert agent.stop_ingestion_job(**wish)["ingestionJob"]["status"] == "STOPPED"
    assert "only a job that is not over" in refused("ConflictException", agent.stop_ingestion_job, **wish)
    assert agent.start_ingestion_job(**place)["ingestionJob"]["status"] == "STARTING"
    refused("ResourceNotFoundException", agent.get_ingestion_job, **place, ingestionJobId="ABCDEFGHIJ")


@pytest.mark.covers("bedrock-agent:StartIngestionJob")
def test_a_custom_source_has_nothing_to_read(agent, new_source, refused):
    place = new_source("CUSTOM")
    assert "IngestKnowledgeBaseDocuments" in refused("ValidationException", agent.start_ingestion_job, **place)


@pytest.mark.covers("bedrock-agent:ListIngestionJobs")
def test_jobs_by_status_and_time(server, agent, new_source):
    place, ids = new_source(), []
    for end in ("STOPPED", "COMPLETE", "FAILED"):
        job = agent.start_ingestion_job(**place)["ingestionJob"]["ingestionJobId"]
        ids.append(job)
        if end == "STOPPED":
            agent.stop_ingestion_job(**place, ingestionJobId=job)
            continue
        run = Request("123456789012", "us-east-1", place["knowledgeBaseId"], place["dataSourceId"], job).run_id
        with server.platform.sql.begin() as tx:
            now = server.platform.clock.now()
            write_job(tx, run, now=now, status=end, statistics=Statistics(scanned=3, failed=1), failures=["torn"])

    def listed(**members):
        return [
            each["ingestionJobId"] for each in agent.list_ingestion_jobs(**place, **members)["ingestionJobSummaries"]
        ]

    assert listed() == ids[::-1]
    assert listed(sortBy={"attribute": "STARTED_AT", "order": "ASCENDING"}) == ids
    assert listed(sortBy={"attribute": "STATUS", "order": "ASCENDING"}) == [ids[1], ids[2], ids[0]]
    chosen = [{"attribute": "STATUS", "operator": "EQ", "values": ["FAILED", "COMPLETE"]}]
    assert listed(filters=chosen) == [ids[2], ids[1]]
    found = agent.get_ingestion_job(**place, ingestionJobId=ids[2])["ingestionJob"]
    assert found["failureReasons"] == ["torn"]
    assert found["statistics"]["numberOfDocumentsScanned"] == 3


def text(name, words="A fox is red.", **metadata):
    content = {"type": "TEXT", "textContent": {"data": words}}
    custom = {"customDocumentIdentifier": {"id": name}, "sourceType": "IN_LINE", "inlineContent": content}
    found = {"content": {"dataSourceType": "CUSTOM", "custom": custom}}
    if metadata:
        attributes = [{"key": key, "value": value} for key, value in metadata.items()]
        found["metadata"] = {"type": "IN_LINE_ATTRIBUTE", "inlineAttributes": attributes}
    return found


def identifier(name):
    return {"dataSourceType": "CUSTOM", "custom": {"id": name}}


def statuses(answer):
    return {each["identifier"]["custom"]["id"]: each["status"] for each in answer["documentDetails"]}


@pytest.mark.covers(
    "bedrock-agent:IngestKnowledgeBaseDocuments",
    "bedrock-agent:GetKnowledgeBaseDocuments",
    "bedrock-agent:ListKnowledgeBaseDocuments",
    "bedrock-agent:DeleteKnowledgeBaseDocuments",
)
def test_documents_are_taken_and_wait(server, agent, new_source):
    place = new_source("CUSTOM")
    values = {
        "year": {"type": "NUMBER", "numberValue": 2024.0},
        "tags": {"type": "STRING_LIST", "stringListValue": ["a"]},
    }
    answer = agent.ingest_knowledge_base_documents(**place, documents=[text("fox", **values), text("owl")])
    assert statuses(answer) == {"fox": "STARTING", "owl": "STARTING"}
    wish = {**place, "documentIdentifiers": [identifier("owl"), identifier("nobody")]}
    assert statuses(agent.get_knowledge_base_documents(**wish)) == {"owl": "STARTING", "nobody": "NOT_FOUND"}
    assert statuses(agent.delete_knowledge_base_documents(**wish)) == {"owl": "DELETING", "nobody": "NOT_FOUND"}
    assert statuses(agent.list_knowledge_base_documents(**place)) == {"fox": "STARTING", "owl": "DELETING"}
    with server.platform.sql.connect() as connection:
        changes = select_changes(connection, place["knowledgeBaseId"], place["dataSourceId"])
    assert [(each.document, each.action) for each in changes] == [
        ("fox", "ingest"),
        ("owl", "ingest"),
        ("owl", "delete"),
    ]
    assert changes[0].metadata == {"year": 2024.0, "tags": ["a"]}
    staged = server.platform.settings.home / "kb" / f"{place['knowledgeBaseId']}.staged" / changes[0].staged
    assert staged.read_text() == "A fox is red."


@pytest.mark.parametrize(
    ("documents", "said"),
    [
        ([text("fox"), text("fox")], "is there twice"),
        (
            [{"content": {"dataSourceType": "S3", "s3": {"s3Location": {"uri": "s3://documents/a.txt"}}}}],
            "is of type CUSTOM",
        ),
        ([{"content": {"dataSourceType": "CUSTOM"}}], "needs custom"),
        ([text("fox", year={"type": "NUMBER", "stringValue": "x"})], "needs numberValue"),
        (
            [
                text("fox")
                | {
                    "metadata": {
                        "type": "S3_LOCATION",
                        "accessControlList": [{"name": "a", "type": "USER", "access": "ALLOW"}],
                    }
                }
            ],
            "access control",
        ),
    ],
)
@pytest.mark.covers("bedrock-agent:IngestKnowledgeBaseDocuments")
def test_documents_that_do_not_fit_are_refused(agent, new_source, refused, documents, said):
    place = new_source("CUSTOM")
    call = agent.ingest_knowledge_base_documents
    assert said in refused("ValidationException", call, **place, documents=documents)


@pytest.mark.covers("bedrock-agent:IngestKnowledgeBaseDocuments")
def test_objects_of_another_bucket_are_refused(agent, new_source, refused):
    place = new_source()
    for uri, fits in (("s3://documents/a.txt", True), ("s3://others/a.txt", False), ("s3://documents/", False)):
        wish = {**place, "documents": [{"content": {"dataSourceType": "S3", "s3": {"s3Location": {"uri": uri}}}}]}
        if fits:
            found = agent.ingest_knowledge_base_documents(**wish)["documentDetails"]
            assert found[0]["identifier"] == {"dataSourceType": "S3", "s3": {"uri": uri}}
        else:
            assert "bucket documents" in refused("ValidationException", agent.ingest_knowledge_base_documents, **wish)


def test_headers_of_ours_choose_chunker_and_loader(server, agent, new_base, refused):
    base = new_base()
    wishes = {
        "x-rocamadre-chunking": '{"chunkingStrategy": "RECURSIVE", "recursiveChunkingConfiguration": {"maxTokens": 9}}',
        "x-rocamadre-loader": '{"type": "DIRECTORY", "path": "/srv/documents"}',
    }

    def add(request, **_):
        for name, value in wishes.items():
            request.headers[name] = value

    agent.meta.events.register("before-sign.bedrock-agent.CreateDataSource", add)
    try:
        wish = {"knowledgeBaseId": base, "name": "folder", "dataSourceConfiguration": {"type": "CUSTOM"}}
        made = agent.create_data_source(**wish)["dataSource"]
        assert "type CUSTOM" in refused(
            "ValidationException", agent.create_data_source, **{**wish, "name": "x", "dataSourceConfiguration": S3}
        )
        wishes["x-rocamadre-loader"] = "[]"
        assert "JSON object" in refused("ValidationException", agent.create_data_source, **{**wish, "name": "y"})
    finally:
        agent.meta.events.unregister("before-sign.bedrock-agent.CreateDataSource", add)
    headers = agent.get_data_source(knowledgeBaseId=base, dataSourceId=made["dataSourceId"])["ResponseMetadata"][
        "HTTPHeaders"
    ]
    assert '"RECURSIVE"' in headers["x-rocamadre-chunking"]
    assert '"DIRECTORY"' in headers["x-rocamadre-loader"]


def test_what_is_being_deleted_takes_no_documents(server, agent, new_source, refused):
    place = new_source("CUSTOM")
    with server.platform.sql.begin() as tx:
        tx.execute(update(SOURCES).where(SOURCES.c.id == place["dataSourceId"]).values(status="DELETING"))
    call = agent.ingest_knowledge_base_documents
    assert "is being deleted" in refused("ValidationException", call, **place, documents=[text("fox")])


def test_a_plain_source_needs_nothing_else():
    check_source(NewDataSource("files", S3))

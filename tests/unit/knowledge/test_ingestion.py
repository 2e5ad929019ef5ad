"""What an ingestion brings in, leaves as it is, takes out, and says about it."""

from __future__ import annotations

import json
import time

import pytest

from rocamadre.core.errors import InvalidRequest, Unavailable
from rocamadre.knowledge.ingestion import jobs
from rocamadre.testing.jobs import inline_jobs
from rocamadre.testing.knowledge import KnowledgeBench


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    made = KnowledgeBench(tmp_path_factory.mktemp("home"))
    yield made
    made.close()


@pytest.fixture
def bench(shared):
    shared.begin()
    return shared


@pytest.fixture
def asked(monkeypatch):
    """The texts that the embedder was asked for."""
    texts: list[str] = []
    through = jobs.embed_through

    async def watched(session, base, wanted, **more):
        texts.extend(wanted)
        return await through(session, base, wanted, **more)

    monkeypatch.setattr(jobs, "embed_through", watched)
    return texts


def test_documents_become_chunks_that_say_where_they_are_from(bench):
    source = bench.new_source()
    bench.put("en/tide.txt", "The tide comes twice a day.", year=2024, tags=["sea"])
    bench.put("es/marea.txt", "La marea llega dos veces al día.")
    assert bench.statistics(source) == {"Scanned": 2, "MetadataDocumentsScanned": 1, "NewDocumentsIndexed": 2}
    assert bench.statuses(source) == {"tide.txt": ("INDEXED", ""), "marea.txt": ("INDEXED", "")}
    store = bench.store()
    (chunk,) = store.of_document("s3://docs/en/tide.txt", data_source=source)
    assert chunk.text == store.text("s3://docs/en/tide.txt", data_source=source)[chunk.start : chunk.end]
    assert chunk.metadata == {
        "x-amz-bedrock-kb-source-uri": "s3://docs/en/tide.txt",
        "x-amz-bedrock-kb-data-source-id": source,
        "year": 2024,
        "tags": ["sea"],
    }
    assert (chunk.language, store.languages()) == ("en", {"en": 1, "es": 1})
    store.close()


def test_only_what_changed_is_done_again(bench, asked):
    source = bench.new_source()
    for name in ("a", "b", "c", "d"):
        bench.put(f"{name}.txt", f"Text of {name}.", year=1)
    bench.statistics(source)
    asked.clear()
    assert bench.statistics(source) == {"Scanned": 4, "MetadataDocumentsScanned": 4}
    bench.put("a.txt", "Other text.")
    bench.put("b.txt", "Text of b.")  # Written again, the same.
    bench.put("c.txt", "Text of c.", year=2)
    bench.s3.delete_object(Bucket="docs", Key="d.txt")
    bench.put("e.txt", "Text of e.")
    assert bench.statistics(source) == {
        "Scanned": 4,
        "MetadataDocumentsScanned": 3,
        "NewDocumentsIndexed": 1,
        "ModifiedDocumentsIndexed": 1,
        "MetadataDocumentsModified": 1,
        "Deleted": 1,
    }
    assert sorted(asked) == ["Other text.", "Text of e."]
    assert sorted(bench.texts()) == ["a.txt", "b.txt", "c.txt", "e.txt"]
    assert bench.texts()["a.txt"] == ["Other text."]
    store = bench.store()
    assert store.of_document("s3://docs/c.txt", data_source=source)[0].metadata["year"] == 2
    store.close()
    assert sorted(bench.statuses(source)) == ["a.txt", "b.txt", "c.txt", "e.txt"]
    asked.clear()
    assert bench.statistics(source) == {"Scanned": 4, "MetadataDocumentsScanned": 3}
    assert asked == []


def test_attributes_that_are_taken_away_are_gone(bench):
    source = bench.new_source()
    bench.put("a.txt", "Text.", year=1)
    bench.statistics(source)
    bench.s3.delete_object(Bucket="docs", Key="a.txt.metadata.json")
    assert bench.statistics(source) == {"Scanned": 1, "MetadataDocumentsModified": 1}
    store = bench.store()
    assert "year" not in store.of_document("s3://docs/a.txt", data_source=source)[0].metadata
    store.close()


def test_new_sentences_alone_are_embedded(bench, asked):
    source = bench.new_source(
        vectorIngestionConfiguration={
            "chunkingConfiguration": {
                "chunkingStrategy": "FIXED_SIZE",
                "fixedSizeChunkingConfiguration": {"maxTokens": 20, "overlapPercentage": 1},
            }
        }
    )
    sentences = [f"This is the sentence number {n} of the document, and it is long enough to fill." for n in range(8)]
    bench.put("a.txt", "\n\n".join(sentences))
    bench.statistics(source)
    before = len(asked)
    assert before >= 6
    asked.clear()
    bench.put("a.txt", "\n\n".join([*sentences, "Something new at the end."]))
    assert bench.statistics(source)["ModifiedDocumentsIndexed"] == 1
    assert 1 <= len(asked) < before / 2


def test_other_settings_do_all_again(bench):
    source = bench.new_source()
    bench.put("a.txt", " ".join(f"Sentence {n} says something of its own." for n in range(60)))
    bench.statistics(source)
    before = bench.texts()["a.txt"]
    bench.agent.update_data_source(
        knowledgeBaseId=bench.base,
        dataSourceId=source,
        name="ds",
        dataSourceConfiguration={"type": "S3", "s3Configuration": {"bucketArn": "arn:aws:s3:::docs"}},
        vectorIngestionConfiguration={
            "chunkingConfiguration": {
                "chunkingStrategy": "FIXED_SIZE",
                "fixedSizeChunkingConfiguration": {"maxTokens": 50, "overlapPercentage": 10},
            }
        },
    )
    assert bench.statistics(source) == {"Scanned": 1, "ModifiedDocumentsIndexed": 1}
    assert len(bench.texts()["a.txt"]) > len(before)


def test_a_document_that_fails_fails_alone(bench):
    source = bench.new_source()
    bench.put("good.txt", "Good.")
    bench.put("broken.pdf", b"%PDF-1.7 and nothing more")
    bench.put("empty.txt", b"")
    bench.put("sidecar.txt", "Its attributes are broken.")
    bench.s3.put_object(Bucket="docs", Key="sidecar.txt.metadata.json", Body=b"{")
    job = bench.ingest(source)
    assert job["status"] == "COMPLETE"
    assert job["statistics"]["numberOfNewDocumentsIndexed"] == 1
    assert job["statistics"]["numberOfDocumentsFailed"] == 3
    assert len(job["failureReasons"]) == 3
    assert any("sidecar.txt.metadata.json is not valid JSON" in reason for reason in job["failureReasons"])
    statuses = bench.statuses(source)
    assert statuses.pop("good.txt") == ("INDEXED", "")
    assert all(status == "FAILED" and reason for status, reason in statuses.values())
    bench.put("empty.txt", "Not any more.")
    again = bench.statistics(source)
    assert (again["NewDocumentsIndexed"], again["Failed"]) == (1, 2)


def test_a_version_that_fails_leaves_the_one_before(bench):
    source = bench.new_source()
    bench.put("a.pdf.txt", "Good.")
    bench.put("b.txt", "Good, too.")
    bench.statistics(source)
    bench.put("a.pdf.txt", b"")
    bench.s3.put_object(Bucket="docs", Key="b.txt.metadata.json", Body=b"[]")
    assert bench.statistics(source)["Failed"] == 2
    assert bench.texts() == {"a.pdf.txt": ["Good."], "b.txt": ["Good, too."]}
    statuses = bench.statuses(source)
    assert statuses["a.pdf.txt"][0] == "FAILED"
    assert "still searched" in statuses["a.pdf.txt"][1]
    assert statuses["b.txt"][0] == "METADATA_UPDATE_FAILED"


def test_attributes_that_cannot_be_filtered_by_are_named(bench):
    source = bench.new_source()
    bench.put("a.txt", "Good.", year=1, nested={"a": 1})
    assert bench.statistics(source)["NewDocumentsIndexed"] == 1
    status, reason = bench.statuses(source)["a.txt"]
    assert status == "METADATA_PARTIALLY_INDEXED"
    assert "nested" in reason


def test_rows_of_a_table_have_attributes_of_their_own(bench):
    source = bench.new_source()
    bench.put("t.csv", "text,year\nThe tide is high.,2023\nThe tide is low.,2024\n")
    fields = {"contentFields": [{"fieldName": "text"}]}
    structure = {"type": "RECORD_BASED_STRUCTURE_METADATA", "recordBasedStructureMetadata": fields}
    beside = json.dumps({"metadataAttributes": {"team": "sea"}, "documentStructureConfiguration": structure})
    bench.put("t.csv.metadata.json", beside)
    assert bench.statistics(source)["NewDocumentsIndexed"] == 1
    store = bench.store()
    found = {
        chunk.text: (chunk.metadata["year"], chunk.metadata["team"])
        for chunk in store.of_document("s3://docs/t.csv", data_source=source)
    }
    store.close()
    assert found == {"The tide is high.": ("2023", "sea"), "The tide is low.": ("2024", "sea")}


def test_a_structure_beside_what_is_no_table_is_named(bench):
    source = bench.new_source()
    structure = {
        "type": "RECORD_BASED_STRUCTURE_METADATA",
        "recordBasedStructureMetadata": {"contentFields": [{"fieldName": "text"}]},
    }
    bench.put("a.txt", "The tide is high.")
    bench.put("a.txt.metadata.json", json.dumps({"documentStructureConfiguration": structure}))
    assert bench.statistics(source)["NewDocumentsIndexed"] == 1
    status, reason = bench.statuses(source)["a.txt"]
    assert status == "METADATA_PARTIALLY_INDEXED"
    assert "CSV" in reason


def test_attributes_are_embedded_where_they_say_so(bench, asked):
    source = bench.new_source()

    def beside(year, *, embedded):
        value = {"value": {"type": "NUMBER", "numberValue": year}, "includeForEmbedding": embedded}
        flags = {"value": {"type": "STRING_LIST", "stringListValue": ["sea", "north"]}, "includeForEmbedding": True}
        return {"year": value, "team": "tides", **({"tags": flags} if embedded else {})}

    bench.put("a.txt", "The tide is high.", **beside(2023, embedded=True))
    bench.statistics(source)
    assert asked == ["year: 2023\ntags: sea, north\nThe tide is high."]
    assert bench.texts() == {"a.txt": ["The tide is high."]}
    for year, embedded, expected in (
        (2024, True, ["year: 2024\ntags: sea, north\nThe tide is high."]),
        (2024, False, ["The tide is high."]),
        (2025, False, []),  # Only what is embedded makes another vector.
    ):
        asked.clear()
        bench.put("a.txt", "The tide is high.", **beside(year, embedded=embedded))
        assert bench.statistics(source)["MetadataDocumentsModified"] == 1
        assert asked == expected


def test_a_document_that_the_store_refuses_fails_alone(bench, monkeypatch):
    source = bench.new_source()
    for name in ("a", "b", "c"):
        bench.put(f"{name}.txt", f"Text of {name}.")
    whole = type(bench.store()).replace_many

    def refusing(self, items):
        for item in items:
            if item.document.endswith("b.txt"):
                raise InvalidRequest("its id is too long")
        whole(self, items)

    monkeypatch.setattr(type(bench.store()), "replace_many", refusing)
    assert bench.statistics(source) == {"Scanned": 3, "NewDocumentsIndexed": 2, "Failed": 1}
    assert bench.statuses(source)["b.txt"] == ("FAILED", "its id is too long")
    assert sorted(bench.texts()) == ["a.txt", "c.txt"]


def test_a_bucket_that_cannot_be_listed_deletes_nothing(bench):
    source = bench.new_source()
    bench.put("a.txt", "Text.")
    bench.statistics(source)
    bench.s3.delete_object(Bucket="docs", Key="a.txt")
    bench.s3.delete_bucket(Bucket="docs")
    job = bench.ingest(source)
    assert job["status"] == "FAILED"
    assert "docs" in job["failureReasons"][0]
    assert bench.texts() == {"a.txt": ["Text."]}
    assert bench.statuses(source) == {"a.txt": ("INDEXED", "")}


def test_data_sources_of_one_knowledge_base_do_not_mix(bench):
    first, second = bench.new_source("one"), bench.new_source("two")
    bench.put("a.txt", "Text.")
    bench.statistics(first)
    bench.statistics(second)
    assert len(bench.rows()) == 2
    bench.agent.delete_data_source(knowledgeBaseId=bench.base, dataSourceId=first)
    bench.jobs.drain()
    assert [key[0] for key in bench.rows()] == [second]
    assert [each["dataSourceId"] for each in bench.agent.list_data_sources(knowledgeBaseId=bench.base)[
        "dataSourceSummaries"]] == [second]  # fmt: skip


def test_a_data_source_whose_chunks_stay(bench):
    source = bench.new_source(dataDeletionPolicy="RETAIN")
    bench.put("a.txt", "Text.")
    bench.statistics(source)
    bench.agent.delete_data_source(knowledgeBaseId=bench.base, dataSourceId=source)
    bench.jobs.drain()
    assert bench.texts() == {"a.txt": ["Text."]}


def test_a_job_that_is_stopped_keeps_what_it_has(bench, monkeypatch):
    source = bench.new_source()
    for n in range(30):
        bench.put(f"{n:02}.txt", f"Text {n}.")
    bench.statistics(source)
    bench.put("00.txt", "Changed.")
    for n in range(30, 60):
        bench.put(f"{n}.txt", f"Text {n}.")
    began: list[str] = []
    begin = jobs.Preparer.begin

    def stopping(self, known):
        if not began:
            (job,) = bench.agent.list_ingestion_jobs(
                knowledgeBaseId=bench.base, dataSourceId=source, maxResults=1
            )["ingestionJobSummaries"]  # fmt: skip
            bench.agent.stop_ingestion_job(
                knowledgeBaseId=bench.base, dataSourceId=source, ingestionJobId=job["ingestionJobId"]
            )
        began.append(known.id)
        if len(began) > 5:
            time.sleep(0.2)
        return begin(self, known)

    monkeypatch.setattr(jobs.Preparer, "begin", stopping)
    job = bench.ingest(source)
    assert job["status"] == "STOPPED"
    assert 0 < job["statistics"]["numberOfNewDocumentsIndexed"] < 30
    statuses = bench.statuses(source)
    assert {status for status, _ in statuses.values()} == {"INDEXED"}
    assert len(statuses) == len(bench.rows())
    monkeypatch.undo()
    bench.statistics(source)
    assert len(bench.rows()) == 60
    assert bench.texts()["00.txt"] == ["Changed."]


# -- documents that clients bring ------------------------------------------------------------------------------------


def inline(identifier, text, **attributes):
    found = {
        "content": {
            "dataSourceType": "CUSTOM",
            "custom": {
                "customDocumentIdentifier": {"id": identifier},
                "sourceType": "IN_LINE",
                "inlineContent": {"type": "TEXT", "textContent": {"data": text}},
            },
        }
    }
    if attributes:
        values = [
            {"key": key, "value": {"type": "STRING", "stringValue": value}} for key, value in attributes.items()
        ]  # fmt: skip
        found["metadata"] = {"type": "IN_LINE_ATTRIBUTE", "inlineAttributes": values}
    return found


@pytest.mark.covers("bedrock-agent:IngestKnowledgeBaseDocuments", "bedrock-agent:DeleteKnowledgeBaseDocuments")
def test_documents_brought_replaced_and_taken_away(bench, asked):
    source = bench.new_source(configuration={"type": "CUSTOM"})
    where = {"knowledgeBaseId": bench.base, "dataSourceId": source}

    def bring(*documents):
        details = bench.agent.ingest_knowledge_base_documents(**where, documents=list(documents))["documentDetails"]
        assert {each["status"] for each in details} <= {"STARTING"}
        bench.jobs.drain()

    bring(inline("one", "First text.", team="tides"), inline("two", "Second text."))
    assert bench.texts() == {"one": ["First text."], "two": ["Second text."]}
    assert bench.statuses(source) == {"one": ("INDEXED", ""), "two": ("INDEXED", "")}
    bring(inline("one", "Other text."))
    bring(inline("two", "Second text."))
    assert bench.texts() == {"one": ["Other text."], "two": ["Second text."]}
    assert sorted(asked[:2]) == ["First text.", "Second text."]
    assert asked[2:] == ["Other text."]
    bench.agent.delete_knowledge_base_documents(
        **where, documentIdentifiers=[{"dataSourceType": "CUSTOM", "custom": {"id": "one"}}]
    )
    bench.jobs.drain()
    assert bench.texts() == {"two": ["Second text."]}
    assert bench.statuses(source) == {"two": ("INDEXED", "")}
    assert not any(path.is_file() for path in bench.server.platform.settings.home.glob("kb/*.staged/*"))


def test_of_two_that_wait_the_later_one_counts(bench):
    source = bench.new_source(configuration={"type": "CUSTOM"})
    where = {"knowledgeBaseId": bench.base, "dataSourceId": source}
    bench.agent.ingest_knowledge_base_documents(**where, documents=[inline("one", "First.")])
    bench.agent.ingest_knowledge_base_documents(**where, documents=[inline("one", "Second.")])
    bench.agent.ingest_knowledge_base_documents(**where, documents=[inline("two", "Third.")])
    bench.agent.delete_knowledge_base_documents(
        **where, documentIdentifiers=[{"dataSourceType": "CUSTOM", "custom": {"id": "two"}}]
    )
    bench.jobs.drain()
    assert bench.texts() == {"one": ["Second."]}
    assert bench.statuses(source) == {"one": ("INDEXED", "")}


def test_objects_brought_one_by_one_are_those_of_the_listing(bench, asked):
    source = bench.new_source()
    bench.put("a.txt", "Text of a.", year=1)
    bench.put("b.txt", "Text of b.")
    document = {"content": {"dataSourceType": "S3", "s3": {"s3Location": {"uri": "s3://docs/b.txt"}}}}
    bench.agent.ingest_knowledge_base_documents(knowledgeBaseId=bench.base, dataSourceId=source, documents=[document])
    bench.jobs.drain()
    assert bench.texts() == {"b.txt": ["Text of b."]}
    assert bench.statistics(source)["NewDocumentsIndexed"] == 1
    assert sorted(asked) == ["Text of a.", "Text of b."]
    bench.s3.delete_object(Bucket="docs", Key="b.txt")
    assert bench.statistics(source)["Deleted"] == 1
    assert bench.texts() == {"a.txt": ["Text of a."]}


def test_calls_that_come_together_are_all_done(bench):
    source = bench.new_source(configuration={"type": "CUSTOM"})
    where = {"knowledgeBaseId": bench.base, "dataSourceId": source}
    jobs_at_once = inline_jobs(bench.server)
    jobs_at_once.start()
    try:
        for n in range(6):
            documents = [inline(f"d{n}-{each}", f"Text {n} {each}.") for each in range(3)]
            bench.agent.ingest_knowledge_base_documents(**where, documents=documents)
        deadline = time.monotonic() + 60
        while any(status != "INDEXED" for status, _ in bench.statuses(source).values()):
            assert time.monotonic() < deadline, bench.statuses(source)
            time.sleep(0.1)
    finally:
        jobs_at_once.close()
    assert len(bench.texts()) == 18


@pytest.mark.parametrize("step", ["opened_store", "_load"])
def test_documents_of_a_run_that_fails_have_failed(bench, monkeypatch, step):
    source = bench.new_source(configuration={"type": "CUSTOM"})
    where = {"knowledgeBaseId": bench.base, "dataSourceId": source}

    def broken(*_):
        raise Unavailable("the embedder is away")

    monkeypatch.setattr(jobs, step, broken)
    bench.agent.ingest_knowledge_base_documents(**where, documents=[inline("one", "Text.")])
    bench.jobs.drain()
    assert bench.statuses(source) == {"one": ("FAILED", "the embedder is away")}
    monkeypatch.undo()
    bench.agent.ingest_knowledge_base_documents(**where, documents=[inline("two", "Text.")])
    bench.jobs.drain()
    assert bench.statuses(source) == {"one": ("FAILED", "the embedder is away"), "two": ("INDEXED", "")}
    assert not any(path.is_file() for path in bench.server.platform.settings.home.glob("kb/*.staged/*"))


def test_a_knowledge_base_that_is_gone_is_not_made_again(bench):
    source = bench.new_source(configuration={"type": "CUSTOM"})
    bench.agent.ingest_knowledge_base_documents(
        knowledgeBaseId=bench.base, dataSourceId=source, documents=[inline("one", "Text.")]
    )
    bench.agent.delete_knowledge_base(knowledgeBaseId=bench.base)
    bench.jobs.drain()
    home = bench.server.platform.settings.home
    assert not list(home.glob(f"kb/*{bench.base}*"))
    assert not list(home.glob(f"kb/*{source}*"))
    assert not list(home.glob("runs/kb-*"))


# -- chunkers that want more than a text -----------------------------------------------------------------------------


def test_parents_are_kept_and_not_searched(bench):
    levels = {"levelConfigurations": [{"maxTokens": 60}, {"maxTokens": 15}], "overlapTokens": 2}
    source = bench.new_source(
        vectorIngestionConfiguration={
            "chunkingConfiguration": {
                "chunkingStrategy": "HIERARCHICAL",
                "hierarchicalChunkingConfiguration": levels,
            }
        }
    )
    bench.put("a.txt", " ".join(f"Sentence {n} says something of its own." for n in range(30)))
    bench.put("short.txt", "One.")
    bench.statistics(source)
    store = bench.store()
    for name in ("a.txt", "short.txt"):
        chunks = {chunk.id: chunk for chunk in store.of_document(f"s3://docs/{name}", data_source=source)}
        children = [chunk for chunk in chunks.values() if chunk.embedding is not None]
        assert children
        assert all(chunks[child.parent].embedding is None for child in children)
    store.close()


def test_a_chunker_may_ask_the_embedder(bench):
    semantic = {"maxTokens": 50, "bufferSize": 0, "breakpointPercentileThreshold": 60}
    source = bench.new_source(
        vectorIngestionConfiguration={
            "chunkingConfiguration": {
                "chunkingStrategy": "SEMANTIC",
                "semanticChunkingConfiguration": semantic,
            }
        }
    )
    for name in "abc":
        bench.put(f"{name}.txt", " ".join(f"Sentence {n} of {name} says something of its own." for n in range(12)))
    assert bench.statistics(source)["NewDocumentsIndexed"] == 3
    assert all(len(texts) > 1 for texts in bench.texts().values())

"""Chunks through a function: what it is given, what it may give back, and what happens when it does not."""

from __future__ import annotations

import json
import sys
import types

import pytest

from rocamadre.core.errors import InvalidRequest
from rocamadre.knowledge.ingestion import opening
from rocamadre.knowledge.ingestion.transformation import own_function
from rocamadre.testing.knowledge import KnowledgeBench

ARN = "arn:aws:lambda:us-east-1:123456789012:function:cutter"
SEEN: list[dict] = []


def behaving(bench, how):
    """A function that works as its name says, called in this Python by the setting of functions."""

    def function(arn, event):
        SEEN.append(event)
        (file,) = event["inputFiles"]
        (batch,) = file["contentBatches"]
        found = json.loads(bench.s3.get_object(Bucket=event["bucketName"], Key=batch["key"])["Body"].read())
        SEEN.append(found)
        if how == "fails":
            raise InvalidRequest("it fell over")
        if how == "nonsense":
            return {"files": []}
        if how == "absent":
            return {"outputFiles": [{"originalFileLocation": {}, "contentBatches": [{"key": "not/there"}]}]}
        bodies = [content["contentBody"] for content in found["fileContents"]]
        if how == "lines":
            made = [line for body in bodies for line in body.splitlines() if line]
        else:
            made = [f"Summary: {body[:10]}" for body in bodies]
        contents = [
            {"contentBody": text, "contentType": "TXT", "contentMetadata": {"number": n}} for n, text in enumerate(made)
        ]
        key = f"{batch['key']}.out"
        bench.s3.put_object(Bucket="steps", Key=key, Body=json.dumps({"fileContents": contents}).encode())
        output = {**file, "contentBatches": [{"key": key}], "fileMetadata": {"cut": "yes"}}
        return {"outputFiles": [output]}

    return function


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    made = KnowledgeBench(tmp_path_factory.mktemp("home"))
    made.s3.create_bucket(Bucket="steps")
    yield made
    made.close()


@pytest.fixture
def bench(shared):
    shared.begin()
    SEEN.clear()
    return shared


def source(bench):
    return bench.new_source(
        vectorIngestionConfiguration={
            "chunkingConfiguration": {"chunkingStrategy": "NONE"},
            "customTransformationConfiguration": {
                "intermediateStorage": {"s3Location": {"uri": "s3://steps/between/"}},
                "transformations": [
                    {
                        "stepToApply": "POST_CHUNKING",
                        "transformationFunction": {"transformationLambdaConfiguration": {"lambdaArn": ARN}},
                    }
                ],
            },
        }
    )


@pytest.fixture
def cut(bench, monkeypatch):
    """Put a document through a function that works so; returns its chunks, and the job."""

    def run(how):
        monkeypatch.setattr(opening, "_invoker", lambda work, base: behaving(bench, how))
        bench.put("a.txt", "First line.\nSecond line.\nThird line.", year=1)
        made = source(bench)
        job = bench.ingest(made)
        store = bench.store()
        chunks = store.of_document("s3://docs/a.txt", data_source=made)
        text = store.text("s3://docs/a.txt", data_source=made) if chunks else ""
        store.close()
        return job, chunks, text

    return run


def test_a_function_decides_what_the_chunks_are(cut, bench):
    _, chunks, text = cut("lines")
    assert [chunk.text for chunk in chunks] == ["First line.", "Second line.", "Third line."]
    assert all(text[chunk.start : chunk.end] == chunk.text for chunk in chunks)
    assert [(chunk.metadata["number"], chunk.metadata["cut"], chunk.metadata["year"]) for chunk in chunks] == [
        (0, "yes", 1), (1, "yes", 1), (2, "yes", 1),
    ]  # fmt: skip
    event, content = SEEN
    assert event["priorTask"] == "CHUNKING"
    assert event["bucketName"] == "steps"
    (file,) = event["inputFiles"]
    assert file["originalFileLocation"] == {"type": "S3", "s3_location": {"uri": "s3://docs/a.txt"}}
    assert file["fileMetadata"] == {"year": 1}
    assert content["fileContents"][0]["contentBody"].startswith("First line.")
    assert "Contents" not in bench.s3.list_objects_v2(Bucket="steps")


def test_what_it_wrote_itself_has_spans_in_itself(cut):
    _, chunks, text = cut("summary")
    assert [chunk.text for chunk in chunks] == ["Summary: First line"]
    assert all(text[chunk.start : chunk.end] == chunk.text for chunk in chunks)


@pytest.mark.parametrize(
    ("how", "reason"), [("fails", "it fell over"), ("nonsense", "outputFiles"), ("absent", "not/there")]
)
def test_a_function_that_fails_fails_its_document(cut, how, reason):
    job, chunks, _ = cut(how)
    assert job["status"] == "COMPLETE"
    assert job["statistics"]["numberOfDocumentsFailed"] == 1
    assert reason in job["failureReasons"][0]
    assert chunks == []


def test_a_function_that_is_not_there_is_named(bench):
    bench.put("a.txt", "Text.")
    job = bench.ingest(source(bench))
    assert job["statistics"]["numberOfDocumentsFailed"] == 1
    assert "cutter" in job["failureReasons"][0]


def shout(contents, document):
    """A function of the owner's own."""
    if document["id"].endswith("bad.txt"):
        raise ZeroDivisionError("no")
    return [{**content, "contentBody": content["contentBody"].upper()} for content in contents]


def test_a_function_of_this_python(tmp_path, monkeypatch):
    module = types.ModuleType("our_functions")
    module.shout = shout
    monkeypatch.setitem(sys.modules, "our_functions", module)
    made = KnowledgeBench(tmp_path, settings={"knowledge": {"transformations": {"cutter": "our_functions:shout"}}})
    try:
        made.put("a.txt", "Text.")
        made.put("bad.txt", "Text.")
        job = made.ingest(source(made))
        assert made.texts() == {"a.txt": ["TEXT."]}
        assert job["statistics"]["numberOfDocumentsFailed"] == 1
        assert "ZeroDivisionError" in job["failureReasons"][0]
    finally:
        made.close()


def test_a_function_that_the_settings_name_and_is_not_there():
    with pytest.raises(InvalidRequest, match="cannot be loaded"):
        own_function(ARN, {"cutter": "no_such_module:f"})
    assert own_function(ARN, {"other": "no_such_module:f"}) is None

"""`roca kb` with the server's answers made by hand; the page's own test runs it against a server."""

from __future__ import annotations

import pytest

from rocamadre.cli import kb, kb_api, kb_view
from rocamadre.cli.exits import CommandFailed, Exit
from rocamadre.cli.session import Session

SOURCE = {
    "id": "SOURCE0001", "name": "files", "type": "S3", "status": "AVAILABLE", "chunking": {}, "loader": {},
    "configuration": {"type": "S3", "s3Configuration": {"bucketArn": "arn:aws:s3:::b", "inclusionPrefixes": ["in/"]}},
    "ingestion": {"chunkingConfiguration": {
        "chunkingStrategy": "FIXED_SIZE", "fixedSizeChunkingConfiguration": {"maxTokens": 9, "overlapPercentage": 1},
    }},
    "documents": {"INDEXED": 2, "FAILED": 1},
    "last_job": {"status": "COMPLETE", "failures": ["torn.pdf: damaged"], "statistics": {
        "numberOfDocumentsScanned": 3, "numberOfNewDocumentsIndexed": 2, "numberOfDocumentsFailed": 1,
    }},
}  # fmt: skip
BASE = {
    "id": "ABCDEFGHIJ", "name": "coast", "description": "", "type": "VECTOR", "status": "ACTIVE", "store": "sqlite",
    "mapping": "PINECONE was asked for; the chunks are in the embedded store (one SQLite file)",
    "asked_embedder": "arn:aws:bedrock:us-east-1::foundation-model/amazon.titan-embed-text-v2:0",
    "embedder": "rocamadre.minilm-l6-v2:0", "asked_dimensions": 1024, "dimensions": 384, "chunks": 7,
    "languages": {"en": 5, "": 2}, "size_bytes": 1234, "documents": {"INDEXED": 2, "FAILED": 1},
    "data_sources": [SOURCE],
}  # fmt: skip
STAGE = {"found": [], "moved": [], "dropped": [], "ranking": [], "milliseconds": 1.25}
TRACE = {
    "stages": [
        {**STAGE, "stage": "lexical", "found": [{"chunk": "c" * 32, "score": 0.9}], "terms": ["lamp"]},
        {**STAGE, "stage": "fusion", "moved": [{"chunk": "c" * 32, "from": 2, "to": 1, "score": 0.8}]},
        {**STAGE, "stage": "cut", "dropped": [{"chunk": "d" * 32, "score": 0.1, "reason": "beyond the limit"}]},
        {**STAGE, "stage": "mmr", "ranking": [{"chunk": "c" * 32, "score": 0.8}]},
    ],
    "results": [{"chunk": "c" * 32, "matched": "c" * 32, "text": "The lamp turns."}],
}  # fmt: skip


@pytest.fixture
def pages(monkeypatch):
    """The server's pages by path."""
    answers = {"/_rocamadre/knowledge-bases": {"knowledge_bases": [{**BASE, "data_sources": 1}]}}

    def get(server, path, **_):
        if path not in answers:
            raise CommandFailed(f"nothing at {path}", Exit.NOT_FOUND)
        return answers[path]

    monkeypatch.setattr(Session, "server", lambda self: object())
    monkeypatch.setattr(kb_api, "get", get)
    answers["/_rocamadre/knowledge-bases/coast"] = BASE
    return answers


def test_list_and_show(roca, pages):
    listed = roca("kb", "list").out.splitlines()
    assert listed[1].split() == ["coast", "ABCDEFGHIJ", "ACTIVE", "VECTOR", "1", "3", "(1", "FAILED)"]
    shown = roca("kb", "show", "coast").out
    for words in (
        "PINECONE was asked for; the chunks are in the embedded store (one SQLite file)",
        "rocamadre.minilm-l6-v2:0 (stands in for amazon.titan-embed-text-v2:0)",
        "384 (1024 were asked for",
        "en 5, other 2",
        "s3://b/in/",
        "FIXED_SIZE: maxTokens 9, overlapPercentage 1",
        "COMPLETE: 3 looked at, 2 new, 1 failed",
        "- torn.pdf: damaged",
    ):
        assert words in shown
    assert roca("kb", "show", "coast", "--json").json["id"] == "ABCDEFGHIJ"


def test_a_name_that_is_not_there_is_told_what_is(roca, pages):
    told = roca("kb", "show", "cost")
    assert (told.code, told.err) == (Exit.NOT_FOUND, "roca: no knowledge base is called 'cost'; there are: coast\n")
    pages["/_rocamadre/knowledge-bases"] = {"knowledge_bases": []}
    assert "roca kb create NAME" in roca("kb", "show", "cost").err
    assert "make one with" in roca("kb", "list").out


def test_chunks_and_graph(roca, pages):
    known = {"id": "s3://b/in/lamp.md", "data_source": "SOURCE0001", "status": "INDEXED", "reason": "", "facts": {}}
    place = "/_rocamadre/knowledge-bases/ABCDEFGHIJ"
    pages[f"{place}/documents?limit=1000"] = {"documents": [known]}
    pages[f"{place}/documents?limit=1000&find=lamp.md"] = {"documents": [known]}
    pages[f"{place}/documents?limit=1000&find=other"] = {"documents": []}
    chunk = {"id": "c" * 32, "start": 0, "end": 15, "page": 2, "headings": ["Sea", "Lamp"], "searched": False}
    pages[f"{place}/document?id=s3%3A%2F%2Fb%2Fin%2Flamp.md&data_source=SOURCE0001"] = {
        "chunks": [{**chunk, "text": "The lamp turns."}]
    }
    assert "s3://b/in/lamp.md" in roca("kb", "chunks", "coast").out
    shown = roca("kb", "chunks", "coast", "lamp.md").out
    assert "characters 0-15, page 2, Sea > Lamp, parent" in shown
    assert "'other' is 0 documents" in roca("kb", "chunks", "coast", "other").err
    pages[f"{place}/graph?limit=30"] = {"chunks": 0, "entities": [], "relations": []}
    assert "--names" in roca("kb", "graph", "coast").out
    relation = {"source": "tresco", "phrase": "built", "target": "tower", "chunks": ["c"]}
    pages[f"{place}/graph?limit=30"] = {
        "chunks": 1,
        "entities": [{"name": "tresco", "chunks": 1}],
        "relations": [relation],
    }
    assert "built" in roca("kb", "graph", "coast").out


def test_the_way_of_each_chunk(capsys):
    assert kb_view.listed(TRACE) == ["d" * 32]
    kb_view.show_trace(TRACE, {"d" * 32: "The horn sounds."})
    shown = capsys.readouterr().out
    for words in ("1. lexical", "terms ['lamp']", "2 → 1", "beyond the limit  The horn sounds.", "The lamp turns."):
        assert words in shown


def test_results_and_answers(capsys):
    metadata = {
        "x-amz-bedrock-kb-source-uri": "s3://b/a", "x-amz-bedrock-kb-document-page-number": 2.0,
        "x-rocamadre-start": 0.0, "x-rocamadre-end": 9.0, "year": 2020,
    }  # fmt: skip
    content = {"type": "TEXT", "text": "The lamp turns."}
    kb_view.show_results([{"content": content, "metadata": metadata, "score": 0.5}])
    assert "0.500  s3://b/a  page 2  characters 0-9" in (shown := capsys.readouterr().out)
    assert "year=2020" in shown
    kb_view.show_results([])
    assert "nothing was found" in capsys.readouterr().out
    part = {"textResponsePart": {"text": "It turns.", "span": {"start": 0, "end": 8}}}
    citation = {"generatedResponsePart": part, "retrievedReferences": [{"content": content, "metadata": metadata}]}
    kb_view.show_answer({"output": {"text": "It turns."}, "citations": [citation]})
    assert "[1] It turns." in capsys.readouterr().out


def test_json_of_options(tmp_path):
    (tmp_path / "f.json").write_text('{"a": 1}')
    assert kb_api.read_json(f"@{tmp_path / 'f.json'}", "--filter") == {"a": 1}
    for wrong in ("{", f"@{tmp_path / 'none'}"):
        with pytest.raises(CommandFailed, match="--filter"):
            kb_api.read_json(wrong, "--filter")


def test_names_of_data_sources():
    assert kb._plain("docs.example.com/a b/?q=1") == "docs-example-com-a-b-q-1"
    assert kb._plain("???") == "documents"

"""Cutting in processes of their own gives what cutting here gives."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest

from rocamadre.knowledge.ingestion import cutting
from rocamadre.knowledge.ingestion.cutting import CutSettings, Cutter, analysed
from rocamadre.knowledge.parsers.parsed import Page, Parsed
from rocamadre.knowledge.sources.protocol import SourceFailure

FIXED = {"chunkingStrategy": "FIXED_SIZE", "fixedSizeChunkingConfiguration": {"maxTokens": 12, "overlapPercentage": 10}}
LEVELS = {
    "chunkingStrategy": "HIERARCHICAL",
    "hierarchicalChunkingConfiguration": {
        "levelConfigurations": [{"maxTokens": 40}, {"maxTokens": 12}],
        "overlapTokens": 2,
    },
}


def document(n):
    text = "\n\n".join(f"The tide of Porto Covo came in {n}. La marea de {each} subió despacio." for each in "ABCDEFGH")
    return Parsed(text, pages=(Page(0, 100, 1), Page(100, len(text), 2)), metadata={"n": n})


@pytest.mark.parametrize("chunking", [None, FIXED, LEVELS])
def test_processes_cut_as_this_one_does(chunking):
    settings = CutSettings(chunking, enrich=True)
    documents = [document(n) for n in range(12)]
    with Cutter(settings) as here, Cutter(settings, children=2) as beside, ThreadPoolExecutor(3) as pool:
        alone = [here.cut(each) for each in documents]
        together = list(pool.map(beside.cut, documents))
    assert together == alone
    assert all(piece.text == documents[0].text[piece.start : piece.end] for piece, *_ in alone[0])
    assert {cut.language for cut in alone[0] if cut.piece.searched} <= {"en", "es"}
    assert any(cut.names for cut in alone[0])


def test_a_process_that_dies_fails_one_document():
    with Cutter(CutSettings(None), children=1) as cutter:
        assert cutter.cut(document(1))
        (child,) = cutter._idle
        os.kill(child._process.pid, signal.SIGKILL)
        child._process.wait()
        with pytest.raises(SourceFailure, match="cutting"):
            cutter.cut(document(2))
        assert cutter.cut(document(2))


def test_texts_that_must_be_compared_are_cut_here():
    semantic = {
        "chunkingStrategy": "SEMANTIC",
        "semanticChunkingConfiguration": {"maxTokens": 50, "bufferSize": 0, "breakpointPercentileThreshold": 90},
    }
    assert CutSettings(semantic).asks_embedder
    assert Cutter(CutSettings(semantic), children=2)._children == 0


def test_a_chunk_that_says_too_little_is_in_the_documents_language():
    text = "The committee described what the visitors forgot before sunrise.\n\nIQ 42"
    pieces = [cutting.Piece(0, 64, text[:64]), cutting.Piece(66, 71, text[66:])]
    assert [cut.language for cut in analysed(text, pieces, enrich=False)] == ["en", "en"]


def test_what_nobody_sized_is_no_longer_than_the_embedder_reads():
    assert CutSettings(None, most_tokens=8192).chunker().max_tokens == 300
    assert CutSettings(None, most_tokens=256).chunker().max_tokens == 254
    sized = {
        "chunkingStrategy": "FIXED_SIZE",
        "fixedSizeChunkingConfiguration": {"maxTokens": 500, "overlapPercentage": 1},
    }
    assert CutSettings(sized, most_tokens=256).chunker().max_tokens == 500

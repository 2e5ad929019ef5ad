"""Rerankers: Cohere Rerank 3.5 and Amazon Rerank 1.0."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from rocamadre.core.errors import InvalidRequest
from rocamadre.engines.profiles.checks import (
    Check,
    anything,
    array,
    boolean,
    choice,
    either,
    integer,
    read_body,
    record,
    string,
)
from rocamadre.engines.profiles.types import Json, Ranked, RerankProfile, RerankRequest

MOST_TEXTS = 1000
_COMMON: Mapping[str, Check] = {
    "query": string(1, 32_000),
    "documents": array(either((str, string(1, 32_000)), (dict, anything)), 1, MOST_TEXTS),
    "top_n": integer(1),
}
_REQUIRED = ("query", "documents")
AMAZON_BODY = record(_COMMON, required=_REQUIRED)
COHERE_BODY = record(
    {**_COMMON, "api_version": choice(1, 2), "return_documents": boolean},
    required=_REQUIRED,
    later={
        "max_tokens_per_doc": "a limit on what is read of a document",
        "max_chunks_per_doc": "a limit on what is read of a document",
        "rank_fields": "a choice among a document's fields",
    },
)


def read_amazon(body: Any) -> RerankRequest:
    """Amazon's body."""
    return _request(read_body(body, AMAZON_BODY))


def read_cohere(body: Any) -> RerankRequest:
    """Cohere's body."""
    read_body(body, COHERE_BODY)
    if body.get("return_documents"):
        raise InvalidRequest("#/return_documents: answers name documents by their index; leave it out")
    return _request(body)


def _request(body: Json) -> RerankRequest:
    texts = (_text(each, f"#/documents/{index}") for index, each in enumerate(body["documents"]))
    return RerankRequest(body["query"], tuple(texts), body.get("top_n"))


def _text(document: Any, at: str) -> str:
    text = document if isinstance(document, str) else document_text(document)
    if not text.strip():
        raise InvalidRequest(f"{at}: the document is blank; every document needs text")
    return text


def document_text(document: Any) -> str:
    r"""A JSON document as text: a line per field, in their order.

    >>> document_text({"title": "Sharks", "year": 1975})
    'title: Sharks\nyear: 1975'
    """
    if isinstance(document, str):
        return document
    if not isinstance(document, dict):
        return msgspec.json.encode(document).decode()
    values = {
        key: each if isinstance(each, str) else msgspec.json.encode(each).decode() for key, each in document.items()
    }
    if set(values) == {"text"}:
        return values["text"]
    return "\n".join(f"{key}: {text}" for key, text in values.items())


def write(ranked: Sequence[Ranked]) -> Json:
    """The answer's body."""
    return {"results": [{"index": each.index, "relevance_score": each.score} for each in ranked]}


AMAZON = RerankProfile("Amazon Rerank", ("amazon.rerank-*",), read_amazon, write, body=AMAZON_BODY)
COHERE = RerankProfile("Cohere Rerank", ("cohere.rerank-*",), read_cohere, write, body=COHERE_BODY)
LOCAL = RerankProfile("local rerank", (), read_amazon, write, body=AMAZON_BODY, marker="query")

"""Anthropic Claude: messages."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from rocamadre.core.messages import GenerationRequest
from rocamadre.engines.collect import Answer
from rocamadre.engines.profiles.checks import read_body
from rocamadre.engines.profiles.claude_body import INVOKE_BODY
from rocamadre.engines.profiles.claude_read import cache_ttl_s, read_request
from rocamadre.engines.profiles.claude_write import MessageChunks, write_message
from rocamadre.engines.profiles.types import AnswerFacts, ChunkWriter, Json, TextProfile


def read(body: Any) -> GenerationRequest:
    """From the body."""
    return read_request(read_body(body, INVOKE_BODY))


def write(answer: Answer, facts: AnswerFacts) -> Json:
    """The answer's body."""
    return write_message(answer, _head(facts), ttl_s=cache_ttl_s(facts.body))


def chunks(facts: AnswerFacts) -> ChunkWriter:
    """Claude's events."""
    return MessageChunks(_head(facts), facts.input_tokens, ttl_s=cache_ttl_s(facts.body))


def model_name(base_id: str) -> str:
    """How Claude's own answers name the model: without vendor and version.

    >>> model_name("anthropic.claude-3-haiku-20240307-v1:0"), model_name("rocamadre.roca-mini-v1:0")
    ('claude-3-haiku-20240307', 'rocamadre.roca-mini-v1:0')
    """
    vendor, _, name = base_id.partition(".")
    return name.partition("-v1")[0].partition("-v2")[0] if vendor == "anthropic" else base_id


def _head(facts: AnswerFacts) -> Json:
    return {"id": f"msg_bdrk_{facts.id}", "model": model_name(facts.base_id)}


PROFILE = TextProfile(
    "Anthropic Claude",
    ("anthropic.claude-*", "claude-*"),
    read,
    write,
    chunks,
    counts_first=True,
    body=INVOKE_BODY,
    tools=True,
    structured="output_config",
)

LOCAL = replace(PROFILE, patterns=(), marker="anthropic_version")
"""For models asked for by their own ids: the version says whose body it is."""

"""Which profile a body is read with."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Any

from rocamadre.core.errors import NotBuilt
from rocamadre.engines.profiles import (
    ai21,
    claude,
    claude_text,
    cohere_command,
    cohere_embed,
    cohere_text,
    deepseek,
    llama,
    mistral,
    nova,
    nova_embed,
    openai_chat,
    openai_completion,
    rerank,
    titan_embed,
    titan_multimodal,
    titan_text,
    twelvelabs,
    writer,
)
from rocamadre.engines.profiles.types import EmbeddingProfile, Profile, RerankProfile, TextProfile

PROFILES: tuple[Profile, ...] = (
    titan_text.PROFILE,
    titan_embed.FIRST,
    titan_embed.SECOND,
    titan_multimodal.PROFILE,
    nova.PROFILE,
    nova_embed.PROFILE,
    claude_text.PROFILE,
    claude.PROFILE,
    llama.PROFILE,
    mistral.CHAT,
    mistral.LARGE_CHAT,
    mistral.PROMPT,
    cohere_text.PROFILE,
    cohere_command.PROFILE,
    cohere_embed.THIRD,
    cohere_embed.FOURTH,
    ai21.JURASSIC,
    ai21.JAMBA,
    deepseek.PROFILE,
    openai_chat.PROFILE,
    writer.PROMPT,
    writer.CHAT,
    twelvelabs.OLDER,
    twelvelabs.NEWER,
    rerank.AMAZON,
    rerank.COHERE,
)
"""In the order in which they are tried."""

LOCAL: tuple[Profile, ...] = (
    claude.LOCAL,
    openai_completion.LOCAL,
    llama.LOCAL,
    openai_chat.LOCAL_CHAT,
    rerank.LOCAL,
    titan_embed.LOCAL,
)
"""Of models asked for by their own ids; the body says which, see `find_profile`."""


def find_profile(base_id: str, *, embeds: bool, aliased: bool, body: Any = None) -> Profile:
    """The body format of a model.

    A model asked for by its own id takes what imported models take on AWS, told apart by the body's keys: Llama's
    format (`prompt` with `max_gen_len` or nothing else), OpenAI's completions (`prompt` with `max_tokens` or another of
    its keys) or OpenAI's chat (`messages`); besides, Claude's messages (`anthropic_version`). One that embeds takes the
    format of Titan Text Embeddings V2, or that of a reranker where the body holds a `query`.

    Args:
        base_id: The foundation model id that was asked for.
        embeds: Whether the model that runs makes embeddings.
        aliased: Whether another model than the one asked for runs.
        body: The parsed body; some families have two formats, told apart by a key.

    Raises:
        NotBuilt: the family's format is not there yet.
    """
    fitting: Iterable[Profile] = (
        profile
        for profile in PROFILES
        if isinstance(profile, TextProfile) != embeds
        and any(fnmatchcase(base_id, pattern) for pattern in profile.patterns)
    )
    if (profile := _choose(fitting, body)) is not None:
        return profile
    if not aliased:
        return _local(body, embeds=embeds)
    kinds = (EmbeddingProfile, RerankProfile) if embeds else (TextProfile,)
    known = ", ".join(dict.fromkeys(each for one in PROFILES if isinstance(one, kinds) for each in one.patterns))
    raise NotBuilt(
        f"Rocamadre does not have InvokeModel's body format of {base_id} yet; use Converse, or one of: {known}"
    )


def default_dimensions(base_id: str) -> int | None:
    """Length of the vectors that clients of a family expect; None: the model's own."""
    for profile in PROFILES:
        if isinstance(profile, EmbeddingProfile) and any(fnmatchcase(base_id, each) for each in profile.patterns):
            return profile.default_dimensions
    return None


def _choose(profiles: Iterable[Profile], body: Any) -> Profile | None:
    last: Profile | None = None
    for profile in profiles:
        last = profile
        marker = "" if isinstance(profile, EmbeddingProfile) else profile.marker
        if not marker or (isinstance(body, dict) and marker in body):
            return profile
    return last


def _local(body: Any, *, embeds: bool) -> Profile:
    keys = frozenset(body) if isinstance(body, dict) else frozenset()
    if embeds:
        return rerank.LOCAL if "query" in keys else titan_embed.LOCAL
    if claude.LOCAL.marker in keys:
        return claude.LOCAL
    if "prompt" in keys and "messages" not in keys:
        return openai_completion.LOCAL if keys & openai_completion.MARKS else llama.LOCAL
    return openai_chat.LOCAL_CHAT

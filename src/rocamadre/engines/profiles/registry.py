"""Which profile a body is read with."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Any

from rocamadre.core.errors import NotBuilt
from rocamadre.engines.profiles import (
    claude,
    claude_text,
    cohere_embed,
    llama,
    mistral,
    nova,
    openai_chat,
    titan_embed,
    titan_text,
)
from rocamadre.engines.profiles.types import EmbeddingProfile, Profile, TextProfile

PROFILES: tuple[Profile, ...] = (
    titan_text.PROFILE,
    titan_embed.FIRST,
    titan_embed.SECOND,
    nova.PROFILE,
    claude_text.PROFILE,
    claude.PROFILE,
    llama.PROFILE,
    mistral.CHAT,
    mistral.LARGE_CHAT,
    mistral.PROMPT,
    openai_chat.PROFILE,
    cohere_embed.THIRD,
    cohere_embed.FOURTH,
)
"""In the order in which they are tried."""

_LOCAL_TEXT: tuple[TextProfile, ...] = (openai_chat.LOCAL_PROMPT, openai_chat.LOCAL_CHAT)


def find_profile(base_id: str, *, embeds: bool, aliased: bool, body: Any = None) -> Profile:
    """The body format of a model.

    A model asked for by its own id takes OpenAI's chat format, or Llama's where the body holds a `prompt`; one that
    embeds takes that of Titan Text Embeddings V2.

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
        if isinstance(profile, EmbeddingProfile) == embeds
        and any(fnmatchcase(base_id, pattern) for pattern in profile.patterns)
    )
    if (profile := _choose(fitting, body)) is not None:
        return profile
    if not aliased:
        return titan_embed.LOCAL if embeds else _choose(_LOCAL_TEXT, body) or openai_chat.LOCAL_CHAT
    kind = EmbeddingProfile if embeds else TextProfile
    known = ", ".join(dict.fromkeys(each for one in PROFILES if isinstance(one, kind) for each in one.patterns))
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
        marker = profile.marker if isinstance(profile, TextProfile) else ""
        if not marker or (isinstance(body, dict) and marker in body):
            return profile
    return last

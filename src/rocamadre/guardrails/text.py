"""A text as policies read it: as the caller wrote it, and folded so that disguises fall away, with places in both."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from rocamadre.guardrails.folding import Folded, fold

Embed = Callable[[Sequence[str]], "object"]
"""Texts to unit vectors: an array of shape (texts, dimensions), float32."""


@dataclass
class Text:
    """One text under examination; what several policies need of it is made once.

    Attributes:
        raw: The caller's text; offsets of findings refer to it, in characters.
        language: en, es, pt, or "" when unknown.
        embed: Embedder of the platform, for policies that compare meanings; None where there is none.
    """

    raw: str
    language: str = ""
    embed: Embed | None = field(default=None, repr=False)

    @cached_property
    def folded(self) -> Folded:
        """Lower case, compatibility forms, look-alike letters and digits for letters undone, invisible marks gone."""
        return fold(self.raw)

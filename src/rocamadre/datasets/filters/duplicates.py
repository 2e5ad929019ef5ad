"""By what came before: the same, and nearly the same."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr

from rocamadre.datasets.canonical import encode
from rocamadre.datasets.content import asked_text, digest64, plain_text
from rocamadre.datasets.minhash import NearIndex, normal, signature
from rocamadre.datasets.types import Example


class Exact(BaseModel):
    """Drop what was there before, letter for letter."""

    model_config = ConfigDict(extra="forbid")

    part: Literal["whole", "question"] = Field(default="whole", description="What must be the same.")

    _seen: set[int] = PrivateAttr(default_factory=set)

    def drop(self, example: Example) -> str:
        """See `Filter.drop`."""
        asked = asked_text(example) if self.part == "question" else ""
        key = digest64(asked.encode() if asked else encode(example))
        if key in self._seen:
            return "the same as one before"
        self._seen.add(key)
        return ""


class Near(BaseModel):
    """Drop what is nearly the same as one before (MinHash of five-letter runs)."""

    model_config = ConfigDict(extra="forbid")

    threshold: float = Field(default=0.8, ge=0.5, le=1, description="Least share of runs in common (Jaccard index).")

    _index: NearIndex | None = PrivateAttr(default=None)

    def drop(self, example: Example) -> str:
        """See `Filter.drop`."""
        if self._index is None:
            self._index = NearIndex(self.threshold)
        text = plain_text(example)
        # Without a word there is nothing to compare.
        if not normal(text):
            return ""
        new = signature(text)
        if self._index.near(new):
            return "nearly the same as one before"
        self._index.add(new)
        return ""

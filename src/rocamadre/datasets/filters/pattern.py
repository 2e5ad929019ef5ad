"""By a regular expression."""

from __future__ import annotations

from typing import Any, Literal

import re2
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, model_validator

from rocamadre.datasets.content import asked_text, learned_text, plain_text
from rocamadre.datasets.types import Example


class Pattern(BaseModel):
    """Drop what a regular expression (RE2) finds, or what it does not find."""

    model_config = ConfigDict(extra="forbid")

    drop_if: str = Field(default="", description="What holds a match goes.")
    keep_if: str = Field(default="", description="What holds no match goes.")
    part: Literal["whole", "question", "answer"] = Field(default="whole", description="Where it is looked for.")

    _drop: Any = PrivateAttr(default=None)
    _keep: Any = PrivateAttr(default=None)

    @model_validator(mode="after")
    def _compile(self) -> Pattern:
        if not self.drop_if and not self.keep_if:
            raise ValueError("give drop_if or keep_if")
        try:
            self._drop = re2.compile(self.drop_if) if self.drop_if else None
            self._keep = re2.compile(self.keep_if) if self.keep_if else None
        except re2.error as error:
            raise ValueError(f"no regular expression of RE2: {error}") from error
        return self

    def drop(self, example: Example) -> str:
        """See `Filter.drop`."""
        parts = {"whole": plain_text, "question": asked_text, "answer": learned_text}
        text = parts[self.part](example)
        if self._drop is not None and self._drop.search(text):
            return f"matches {self.drop_if!r}"
        return f"does not match {self.keep_if!r}" if self._keep is not None and not self._keep.search(text) else ""

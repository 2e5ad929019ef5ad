"""By length."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr

from rocamadre.datasets.content import learned_text, plain_text
from rocamadre.datasets.rendered import both_answers, render_example
from rocamadre.datasets.tokenizer import ModelTokenizer
from rocamadre.datasets.types import Example, Preference


class Length(BaseModel):
    """Drop what is too short or too long."""

    model_config = ConfigDict(extra="forbid")

    unit: Literal["words", "letters", "tokens"] = Field(default="words", description="What is counted.")
    least: int = Field(default=1, ge=0, description="Fewest that stay.")
    most: int = Field(default=0, ge=0, description="Most that stay; 0: any number.")
    part: Literal["whole", "answer"] = Field(default="whole", description="Of all that is said, or what is learned.")

    _tokenizer: ModelTokenizer | None = PrivateAttr(default=None)

    def use_tokenizer(self, tokenizer: ModelTokenizer) -> None:
        """Count in this model's tokens."""
        self._tokenizer = tokenizer

    @property
    def needs_tokenizer(self) -> bool:
        """Whether it counts tokens."""
        return self.unit == "tokens"

    def drop(self, example: Example) -> str:
        """See `Filter.drop`."""
        count = self._count(example)
        if count < self.least:
            return f"shorter than {self.least} {self.unit}"
        return f"longer than {self.most} {self.unit}" if self.most and count > self.most else ""

    def _count(self, example: Example) -> int:
        if self.unit == "tokens":
            assert self._tokenizer is not None
            return _tokens(example, self._tokenizer, answer=self.part == "answer")
        text = learned_text(example) if self.part == "answer" else plain_text(example)
        return len(text.split()) if self.unit == "words" else len(text)


def _tokens(example: Example, tokenizer: ModelTokenizer, *, answer: bool) -> int:
    whole = both_answers(example)[0] if isinstance(example, Preference) else example
    rendered = render_example(whole, tokenizer, tokenizer.template)
    return sum(rendered.trained) if answer else len(rendered.ids)

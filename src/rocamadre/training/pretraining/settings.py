"""What can be set of a model that is trained from nothing. Torch-free."""

from __future__ import annotations

from typing import Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, model_validator

Objective: TypeAlias = Literal["causal", "masked", "spans"]
"""`causal`: a decoder that predicts the next token (Llama's shape). `masked`: an encoder that fills masked tokens
(BERT's shape). `spans`: an encoder-decoder that writes the spans that were cut out (T5's shape)."""


class TokenizerSettings(BaseModel):
    """The tokenizer that is trained on the same text."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["bpe", "unigram"] = Field(
        default="bpe", description="Byte-level BPE, which every engine reads, or Unigram, which the torch engine reads."
    )
    vocabulary: int = Field(default=4096, ge=300, le=262144, description="Tokens, marks among them.")


class ShapeSettings(BaseModel):
    """How large the model is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    width: int = Field(default=256, ge=16, le=16384, description="Of hidden states.")
    layers: int = Field(default=8, ge=1, le=256, description="Blocks; an encoder-decoder has as many in each half.")
    heads: int = Field(default=4, ge=1, le=256, description="Attention heads; `width` is a multiple of them.")
    key_heads: int | None = Field(default=None, ge=1, le=256, description="Shared by several heads; `causal` only.")
    inner: int = Field(default=768, ge=16, le=65536, description="Of feed-forward layers.")
    context_length: int = Field(default=512, ge=16, le=131072, description="Positions.")

    @model_validator(mode="after")
    def _fits(self) -> ShapeSettings:
        if self.width % (2 * self.heads):
            raise ValueError(f"width {self.width} is not an even multiple of {self.heads} heads")
        if self.key_heads is not None and self.heads % self.key_heads:
            raise ValueError(f"{self.heads} heads are no multiple of {self.key_heads} key heads")
        return self


class CorruptionSettings(BaseModel):
    """What is hidden from an encoder."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    share: float = Field(default=0.15, gt=0, lt=0.9, description="Share of the tokens that is masked or cut out.")
    span: float = Field(default=3.0, ge=1, le=64, description="Mean length of a cut; `spans` only.")

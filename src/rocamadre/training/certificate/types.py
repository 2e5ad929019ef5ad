"""What a certificate holds. Torch-free: cards, the API and the command read it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import msgspec

VERSION = 1
FILE = "certificate.json"

Cause: TypeAlias = Literal["", "template", "special token", "tokenizer", "merge", "dtype", "export", "engine", "method"]
"""What is to blame for a failure; empty where nothing failed.

- `template`: the prompt's text differs: another chat template.
- `special token`: begin or end marks differ, or the mark that ends an answer does not end it.
- `tokenizer`: the same text becomes other tokens.
- `merge`: the merged weights are not the base's plus what was trained.
- `dtype`: the numbers went through a narrower format than they should have.
- `export`: the file holds other weights than the merged model.
- `engine`: the file is right, the engine computes something else: its options, or a quantisation that costs too much.
- `method`: the engine that puts the adapter on its base does it in another way than the trainer.
"""


@dataclass(frozen=True, slots=True)
class Divergence:
    """The first token at which a form goes another way than the trainer's model.

    Attributes:
        prompt: Which of the golden prompts, from 0.
        step: Which token of the answer, from 0.
        expected: The trainer's token.
        found: The form's.
        gap_nats: By how much the trainer's model prefers its own, in log-probability.
    """

    prompt: int
    step: int
    expected: int
    found: int
    gap_nats: float


@dataclass(frozen=True, slots=True)
class FormReport:
    """One form of the model beside the trainer's.

    Attributes:
        name: For people, for example `F16 file in llama.cpp`.
        numbers: How its weights are kept: `F32`, `F16`, `Q8_0`, `Q4_0`, `NF4`.
        engine: `torch` or `llama`.
        exact: Whether its tokens must be equal; otherwise `kl_nats` has a limit.
        prompts: Golden prompts that were asked.
        same_text: Prompts whose text after the chat template is the trainer's.
        same_ids: Prompts whose token ids are the trainer's.
        same_answers: Prompts answered with the trainer's tokens, all steps or up to the end mark.
        divergences: The first of each of the others.
        widest_gap_nats: Of all places where a token is another, also those behind the first.
        gap_limit_nats: A divergence at a smaller gap is numerical noise.
        deviation_nats: Root mean square of the difference of log-probabilities, over the likely tokens.
        deviation_limit_nats: For exact forms; see `noise.py`.
        kl_nats: Mean divergence of the next token's distribution from the trainer's, per token.
        kl_limit_nats: For forms that are not exact.
        tokens: Places that the last two were measured at.
        stops: Whether the mark that ends an answer ends it.
        cause: Why it fails; empty when it holds.
        detail: The same in a sentence, with figures.
    """

    name: str
    numbers: str
    engine: str
    exact: bool
    prompts: int
    same_text: int
    same_ids: int
    same_answers: int
    divergences: tuple[Divergence, ...]
    widest_gap_nats: float
    gap_limit_nats: float
    deviation_nats: float
    deviation_limit_nats: float
    kl_nats: float
    kl_limit_nats: float
    tokens: int
    stops: bool
    cause: Cause = ""
    detail: str = ""

    @property
    def passed(self) -> bool:
        """Whether it holds."""
        return not self.cause


@dataclass(frozen=True, slots=True)
class Certificate:
    """Trained and served are the same model, or where they are not.

    Attributes:
        version: Of this record's form.
        name: Of the model.
        method: How it was trained.
        reference: What the forms are compared with.
        steps: Tokens asked for per golden prompt.
        noise_nats: Root mean square that rounding weights and activations to F16 moves log-probabilities by, on this
            model and these prompts.
        forms: In the order in which they were made; each is compared with the trainer's model.
        created_at: ISO 8601.
        environment: Versions of what was at work.
    """

    version: int
    name: str
    method: str
    reference: str
    steps: int
    noise_nats: float
    forms: tuple[FormReport, ...]
    created_at: str
    environment: Mapping[str, str]

    @property
    def passed(self) -> bool:
        """Whether all forms hold."""
        return bool(self.forms) and all(form.passed for form in self.forms)

    @property
    def cause(self) -> Cause:
        """Of the first form that fails; empty when all hold."""
        return next((form.cause for form in self.forms if form.cause), "")


def to_json(certificate: Certificate) -> dict[str, Any]:
    """As plain values, with the verdict."""
    plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(certificate))
    return {"passed": certificate.passed, "cause": certificate.cause, **plain}


def from_json(value: Mapping[str, Any]) -> Certificate:
    """Back from plain values; the verdict is drawn again.

    Raises:
        msgspec.ValidationError: it is none.
    """
    return msgspec.convert(dict(value), Certificate)

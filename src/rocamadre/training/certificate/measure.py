"""What a form of the model does with the golden prompts; of an engine, through the `Engine` protocol that serves it.

An engine's stream does not name every token (marks, parts of characters), so greedy answers are compared another way:
the reference's prompt and answer are given as tokens, and at each place the form says what it would write next. As long
as that is the reference's own next token everywhere, the form's greedy answer is the reference's, token for token; this
is the same computation, one token at a time behind a cache, as writing it. The answers are written too, and their texts
compared, since that is what people get.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from rocamadre.core.messages import Finish, GenerationRequest, Sampling, TextDelta, TokenLogprob
from rocamadre.datasets.tokenizer import ModelTokenizer
from rocamadre.engines.protocol import Engine
from rocamadre.training.certificate.prompts import TEXTS, Golden
from rocamadre.training.certificate.scores import CANDIDATES, Scores
from rocamadre.training.certificate.types import Cause

_CERTAIN = 1000.0
"""Added to a logit, it makes its token the next."""


class Written(NamedTuple):
    """A greedy answer as text, and whether it ended by itself."""

    text: str
    ended: bool


class Stored(NamedTuple):
    """Whether a file holds the weights it should; a cause and a sentence where it does not."""

    cause: Cause = ""
    detail: str = ""


@dataclass(slots=True)
class Measured:
    """One form.

    Attributes:
        name: For people.
        numbers: How its weights are kept.
        engine: `torch` or `llama`.
        exact: Whether its tokens must be the reference's.
        texts: Each golden prompt after the chat template.
        ids: Each golden prompt's tokens.
        plain: Tokens of `prompts.TEXTS`.
        paths: Scores along the reference's prompts and answers.
        written: The answers; empty for a form that only scores.
        stops: Whether the marks that end an answer end it.
        end: What the form itself holds for the mark that ends answers; None where it does not say.
        stored: See `Stored`.
    """

    name: str
    numbers: str
    engine: str
    exact: bool
    texts: list[str] = field(default_factory=list)
    ids: list[tuple[int, ...]] = field(default_factory=list)
    plain: list[tuple[int, ...]] = field(default_factory=list)
    paths: list[Scores] = field(default_factory=list)
    written: list[Written] = field(default_factory=list)
    stops: bool = False
    end: int | None = None
    stored: Stored = field(default_factory=Stored)


async def measure_engine(
    engine: Engine,
    into: Measured,
    golden: Sequence[Golden],
    paths: Sequence[Scores],
    tokenizer: ModelTokenizer,
    *,
    steps: Sequence[int],
) -> Measured:
    """Ask a served model everything.

    Args:
        engine: As the platform serves it.
        into: What is known of the form; the rest is written into it.
        golden: The prompts.
        paths: The reference's, per prompt.
        tokenizer: The trainer's.
        steps: Tokens to ask for, per prompt.
    """
    for prompt, path, most in zip(golden, paths, steps, strict=True):
        rendered = await engine.render(prompt.request)
        into.texts.append(rendered.prompt)
        into.ids.append(rendered.token_ids)
        into.paths.append(await _score(engine, path.ids))
        into.written.append(await _write(engine, prompt.request, Sampling(max_tokens=most, temperature=0.0)))
    for text in TEXTS:
        into.plain.append((await engine.render(GenerationRequest(prompt=text))).token_ids)
    ends = {tokenizer.eos, tokenizer.document_end}
    into.stops = all([await _stops(engine, golden[0].request, end) for end in sorted(ends)])
    return into


async def _score(engine: Engine, ids: Sequence[int]) -> Scores:
    """The next tokens' probabilities at every place, by the echo of a raw prompt."""
    asked = GenerationRequest(
        prompt="",
        prompt_ids=tuple(ids),
        sampling=Sampling(max_tokens=1, temperature=0.0),
        logprobs=CANDIDATES,
        echo=True,
    )
    found: tuple[TokenLogprob, ...] = ()
    async with aclosing(engine.converse(asked)) as events:  # type: ignore[type-var]
        async for event in events:
            if isinstance(event, TextDelta) and not found:
                found = event.logprobs
    rows = [one for one in found if one.logprob is not None]
    width = min((len(one.top) for one in rows), default=0)
    top_ids = np.array([one.top_ids[:width] for one in rows], dtype=np.int64).reshape(len(rows), width)
    top = np.array([[log for _, _, log in one.top[:width]] for one in rows], dtype=np.float64)
    return Scores(tuple(ids), top_ids, top.reshape(len(rows), width))


async def _write(engine: Engine, request: GenerationRequest, sampling: Sampling) -> Written:
    text, reason = "", ""
    async with aclosing(engine.converse(replace(request, sampling=sampling))) as events:  # type: ignore[type-var]
        async for event in events:
            if isinstance(event, TextDelta):
                text += event.text
            elif isinstance(event, Finish):
                reason = event.reason
    return Written(text, reason == "end_turn")


async def _stops(engine: Engine, request: GenerationRequest, end: int) -> bool:
    """Whether a token ends the answer when it comes."""
    sampling = Sampling(max_tokens=4, temperature=0.0, logit_bias={end: _CERTAIN})
    return await _write(engine, request, sampling) == Written("", True)

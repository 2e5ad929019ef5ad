"""Questions of the playground to the public API: answers as they come, tokens, the next token."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any, NamedTuple
from urllib.parse import quote

from rocamadre.console.api import Api
from rocamadre.console.failures import ApiFailure
from rocamadre.console.playground.conversation import Answer, Exchange, Frame, Json, messages_of
from rocamadre.console.playground.parameters import Parameters
from rocamadre.console.playground.tokens import (
    MOST_CHARACTERS,
    MOST_TOKENS,
    TOP,
    Candidate,
    Token,
    after,
    rank,
    read_logprobs,
)


class Choosable(NamedTuple):
    """A model that answers in text.

    Attributes:
        context_length: In tokens.
    """

    id: str
    context_length: int


async def text_models(api: Api) -> list[Choosable]:
    """Every model here that writes text.

    Raises:
        ApiFailure: it was refused, or nothing answers.
    """
    found = await api.get("/v1/models")
    return [
        Choosable(each["id"], each.get("context_length", 0))
        for each in found["data"]
        if "TEXT" in each.get("modalities", {}).get("output", ["TEXT"])
    ]


class Prices:
    """What AWS lists for models, by the names that were asked for; each is asked for once."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[float, float] | None] = {}

    async def cost(self, api: Api, model: str, answer: Answer) -> float | None:
        """What an answer would have cost there, in USD; None for models that are not sold there."""
        if not answer.output_tokens:
            return None
        if model not in self._known:
            try:
                price = (await api.get(f"/_rocamadre/prices/{quote(model, safe='')}"))["price"]
                self._known[model] = None if price["output"] is None else (price["input"], price["output"])
            except ApiFailure:
                self._known[model] = None
        listed = self._known[model]
        if listed is None:
            return None
        return (listed[0] * answer.input_tokens + listed[1] * answer.output_tokens) / 1e6


async def sold_models(api: Api) -> list[str]:
    """Text models that AWS lists a price for; their names are answered by a model that is here.

    Raises:
        ApiFailure: it was refused, or nothing answers.
    """
    found = await api.get("/_rocamadre/prices")
    return [each["id"] for each in found["models"] if each["output"] is not None]


async def converse(api: Api, model: str, frame: Frame, exchanges: Sequence[Exchange]) -> AsyncGenerator[Answer, None]:
    """Ask a model to answer the last question; its answer grows, and is yielded each time it did.

    Args:
        api: The platform.
        model: Any id that the server knows.
        frame: What goes with the question.
        exchanges: The last one's answer is filled.

    Raises:
        ApiFailure: it was refused, nothing answers, or it broke off.
    """
    answer = exchanges[-1].answer
    began = time.monotonic()
    body = {"messages": messages_of(exchanges), **frame.members()}
    # `:` is left as it is, since that is how it is sent, and so how it must be signed.
    events = api.events(f"/model/{quote(model, safe=':')}/converse-stream", body)
    async with aclosing(events):
        async for event in events:
            answer.feed(event, time.monotonic() - began)
            yield answer


async def continue_text(
    api: Api, model: str, prompt: str, parameters: Parameters, answer: Answer
) -> AsyncGenerator[Answer, None]:
    """Continue a raw text; the answer grows by what comes, and is yielded each time it did.

    Raises:
        ApiFailure: it was refused, nothing answers, or it broke off.
    """
    began = time.monotonic()
    body = {
        "model": model,
        "prompt": prompt,
        **parameters.openai(),
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    chunks = api.stream("/v1/completions", body)
    async with aclosing(chunks):
        async for chunk in chunks:
            _raise_told(chunk)
            answer.total_s = time.monotonic() - began
            for choice in chunk["choices"]:
                if choice["text"] and answer.first_s is None:
                    answer.first_s = answer.total_s
                answer.text += choice["text"]
                answer.stop_reason = choice.get("finish_reason") or answer.stop_reason
            if chunk.get("usage"):
                answer.input_tokens = chunk["usage"]["prompt_tokens"]
                answer.output_tokens = chunk["usage"]["completion_tokens"]
            yield answer


async def render(api: Api, model: str, system: str, turns: Sequence[dict[str, str]]) -> str:
    """A conversation as the model's chat template writes it, ready to be continued.

    Raises:
        ApiFailure: it was refused, or nothing answers.
    """
    found = await api.post("/_rocamadre/tokenize", {"model": model, "messages": list(turns), "system": system})
    return str(found["prompt"])


class Reading(NamedTuple):
    """A text in tokens.

    Attributes:
        prompt: What it stands after.
        before: All that stands before the first of them.
        tokens: At most `MOST_TOKENS`; none when the model reports no log-probabilities.
    """

    prompt: str
    before: str
    tokens: list[Token]


async def read_tokens(api: Api, model: str, prompt: str, text: str) -> Reading:
    """The tokens of a text that stands after a prompt, as the model reads both.

    Args:
        api: The platform.
        model: One that reports log-probabilities.
        prompt: As it is, a chat template included.
        text: Its tokens are wanted.

    Raises:
        ApiFailure: it was refused, nothing answers, or both together are too long.
    """
    if len(prompt) + len(text) > MOST_CHARACTERS:
        raise ApiFailure(f"{len(prompt) + len(text)} characters; at most {MOST_CHARACTERS} are read again", status=413)
    whole = prompt + text
    asked = {"model": model, "prompt": whole, "echo": True, "max_tokens": 0, "logprobs": TOP}
    read, scored = await asyncio.gather(
        api.post("/_rocamadre/tokenize", {"model": model, "prompt": whole}), api.post("/v1/completions", asked)
    )
    tokens = read_logprobs(scored["choices"][0]["logprobs"], read["tokens"])
    wanted = after(tokens, len(prompt))
    # The first may begin within the prompt, where the model reads its end and the beginning of the text as one token.
    begins = sum(len(token.text) for token in tokens[: len(tokens) - len(wanted)])
    return Reading(prompt, whole[:begins], wanted[:MOST_TOKENS])


async def next_token(api: Api, model: str, prompt: str) -> tuple[Candidate, ...]:
    """The likeliest tokens after a text, best first; none when the model reports no log-probabilities.

    Raises:
        ApiFailure: it was refused, or nothing answers.
    """
    asked: Json = {"model": model, "prompt": prompt, "max_tokens": 1, "temperature": 0, "logprobs": TOP}
    found = await api.post("/v1/completions", asked)
    logprobs = found["choices"][0]["logprobs"] or {}
    places = logprobs.get("top_logprobs") or []
    return rank(places[0]) if places else ()


def _raise_told(chunk: Any) -> None:
    """An error in the middle of a stream is one of its chunks."""
    if isinstance(chunk, dict) and "choices" in chunk:
        return
    told = chunk.get("error", {}) if isinstance(chunk, dict) else {}
    raise ApiFailure(str(told.get("message", ""))[:2000], code=str(told.get("code") or told.get("type") or ""))

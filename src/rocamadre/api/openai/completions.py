"""POST /v1/completions: raw text continued."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any
from uuid import uuid4

from rocamadre.api.bedrock_runtime.native_guards import read_headers
from rocamadre.api.http import HttpRequest, Reply, json_reply, route
from rocamadre.api.inference.generation import begin, resolve_model
from rocamadre.api.openai.errors import BadParameter
from rocamadre.api.openai.fields import Fields, read_fields
from rocamadre.api.openai.requests import (
    SHARED,
    add_usage,
    finish_reason,
    model_of,
    read_delivery,
    read_sampling,
    seed_of,
    write_usage,
)
from rocamadre.api.openai.streams import Events, collect_all, open_events, sse, sse_reply
from rocamadre.core.context import Context
from rocamadre.core.messages import Finish, GenerationRequest, Text, TextDelta, TokenLogprob, Usage
from rocamadre.engines.collect import Answer
from rocamadre.engines.profiles.sampling import MOST_TOKENS

MOST_PROMPTS = 64
DEFAULT_MAX_TOKENS = 16
_KNOWN = SHARED | frozenset({"prompt", "best_of", "echo", "suffix"})


@route("POST", "/v1/completions", "/openai/v1/completions", dialect="openai")
async def completions(ctx: Context, request: HttpRequest) -> Reply:
    """Continue one or more prompts."""
    fields = read_fields(request, guarded=True)
    fields.only(_KNOWN)
    fields.refuse({"suffix": "completion before a suffix"})
    model = fields.required("model")
    if not isinstance(model, str):
        raise fields.wrong_type("model", "a string")
    delivery = read_delivery(fields)
    if (best_of := fields.integer("best_of", 1, 20)) is not None and best_of != delivery.choices:
        raise fields.wrong("best_of", "Rocamadre returns every answer it makes: leave it out or give the value of 'n'")
    prompts = read_prompts(fields)
    asked = _read(fields)
    resolved = resolve_model(ctx, model)
    wanted = [
        replace(asked, prompt=prompt, sampling=replace(asked.sampling, seed=seed_of(asked.sampling, choice)))
        for prompt in prompts
        for choice in range(delivery.choices)
    ]
    _, guard = read_headers(request.headers, {}, stream=delivery.stream)
    starts = [partial(begin, ctx, resolved, each, guard.wish) for each in wanted]
    head = {
        "id": f"cmpl-{uuid4().hex}",
        "object": "text_completion",
        "created": int(ctx.platform.clock.now().timestamp()),
        "model": resolved.model.id,
    }
    if delivery.stream:
        events = await open_events(starts)
        head["model"] = model_of(ctx, resolved)
        parts = _Parts(head, delivery.choices, usage=delivery.include_usage, logprobs=asked.logprobs)
        return sse_reply(ctx, parts.pieces(events), events.close)
    answers = await collect_all(starts)
    head["model"] = model_of(ctx, resolved)
    if fields.integer("max_tokens", 0, MOST_TOKENS) == 0:
        answers = [_prompt_only(answer, each.prompt or "") for answer, each in zip(answers, wanted, strict=True)]
    choices = [_choice(place, answer, asked.logprobs) for place, answer in enumerate(answers)]
    usage = write_usage(_total([answer.finish.usage for answer in answers], delivery.choices))
    return json_reply({**head, "choices": choices, "usage": usage})


def read_prompts(fields: Fields) -> list[str]:
    """The prompts.

    Raises:
        BadParameter: there are none, too many, or token ids.
    """
    value = fields.required("prompt")
    prompts = [value] if isinstance(value, str) else value
    if not isinstance(prompts, list):
        raise fields.wrong_type("prompt", "a string or an array of strings")
    if any(isinstance(prompt, int | list) for prompt in prompts):
        raise BadParameter(
            "'prompt': token ids are not taken; send strings (in lm-eval: tokenized_requests=False).",
            param="prompt",
            code="unsupported_value",
        )
    if not all(isinstance(prompt, str) for prompt in prompts):
        raise fields.wrong_type("prompt", "a string or an array of strings")
    if not 1 <= len(prompts) <= MOST_PROMPTS:
        raise BadParameter(f"'prompt' takes 1 to {MOST_PROMPTS} texts, {len(prompts)} were given.", param="prompt")
    if not all(prompts):
        raise BadParameter("'prompt' is an empty string; give at least one character.", param="prompt")
    return prompts


def _read(fields: Fields) -> GenerationRequest:
    max_tokens = fields.integer("max_tokens", 0, MOST_TOKENS)
    echo = fields.flag("echo")
    if max_tokens == 0:
        if not echo or fields.flag("stream"):
            raise fields.wrong("max_tokens", "0 only scores the prompt, which needs 'echo' and no 'stream'")
        max_tokens = 1  # No engine writes nothing; the one token is taken off again.
    elif max_tokens is None:
        max_tokens = DEFAULT_MAX_TOKENS
    return GenerationRequest(
        prompt="",
        sampling=read_sampling(fields, max_tokens),
        logprobs=fields.integer("logprobs", 0, 20),
        echo=echo,
    )


def _prompt_only(answer: Answer, prompt: str) -> Answer:
    """An echo without the token that had to be written after it."""
    size, tokens = len(prompt.encode()), []
    for token in answer.logprobs:
        size -= len(token.data)
        if size < 0:
            break
        tokens.append(token)
    finish = replace(answer.finish, reason="max_tokens", usage=replace(answer.finish.usage, output_tokens=0))
    return replace(answer, blocks=(Text(prompt),), finish=finish, logprobs=tuple(tokens))


def _choice(place: int, answer: Answer, logprobs: int | None) -> dict[str, Any]:
    return {
        "index": place,
        "text": answer.text,
        "logprobs": None if logprobs is None else write_logprobs(answer.logprobs, 0),
        "finish_reason": finish_reason(answer.finish),
    }


def write_logprobs(tokens: Sequence[TokenLogprob], offset: int) -> dict[str, Any]:
    """Log-probabilities in the form of text completions.

    Args:
        tokens: In order.
        offset: Characters before the first token.
    """
    offsets = []
    for token in tokens:
        offsets.append(offset)
        offset += len(token.text)
    return {
        "tokens": [token.text for token in tokens],
        "token_logprobs": [token.logprob for token in tokens],
        "top_logprobs": [{text: logprob for text, _, logprob in token.top} or None for token in tokens],
        "text_offset": offsets,
    }


def _total(usages: Sequence[Usage], choices: int) -> Usage:
    """Each prompt counted once, whatever the number of its answers."""
    each = [add_usage(list(usages[start : start + choices])) for start in range(0, len(usages), choices)]
    return Usage(
        sum(usage.input_tokens for usage in each),
        sum(usage.output_tokens for usage in each),
        sum(usage.cache_read_tokens for usage in each),
        sum(usage.cache_write_tokens for usage in each),
    )


class _Parts:
    """Writes one stream's chunks."""

    def __init__(self, head: dict[str, Any], choices: int, *, usage: bool, logprobs: int | None) -> None:
        self._head = {**head, "usage": None} if usage else head
        self._choices = choices
        self._usage = usage
        self._logprobs = logprobs

    async def pieces(self, events: Events) -> AsyncGenerator[bytes, None]:
        """The chunks."""
        usages: dict[int, Usage] = {}
        offsets: dict[int, int] = {}
        async for place, event in events:
            if isinstance(event, TextDelta):
                offset = offsets.get(place, 0)
                offsets[place] = offset + len(event.text)
                yield self._text(place, event, offset)
            elif isinstance(event, Finish):
                usages[place] = event.usage
                yield self._chunk(place, "", None, finish_reason(event))
        if self._usage:
            total = _total([usages[place] for place in sorted(usages)], self._choices)
            yield sse({**self._head, "choices": [], "usage": write_usage(total)})

    def _text(self, place: int, event: TextDelta, offset: int) -> bytes:
        logprobs = None if self._logprobs is None else write_logprobs(event.logprobs, offset)
        return self._chunk(place, event.text, logprobs, None)

    def _chunk(self, place: int, text: str, logprobs: Any, reason: str | None) -> bytes:
        choice = {"index": place, "text": text, "logprobs": logprobs, "finish_reason": reason}
        return sse({**self._head, "choices": [choice]})

"""/_rocamadre/datasets: check data before anything trains, and see what a model will learn of it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import islice
from typing import Any, Literal

import msgspec

from rocamadre.api.http import HttpRequest, Reply, json_reply, route
from rocamadre.api.inference.generation import resolve_model
from rocamadre.core.context import Context
from rocamadre.core.errors import InvalidRequest
from rocamadre.datasets.rendered import Rendered, both_answers, render_example
from rocamadre.datasets.sources import BytesSource, Source, find_sources
from rocamadre.datasets.statistics import count_all
from rocamadre.datasets.tokenizer import ModelTokenizer, open_tokenizer
from rocamadre.datasets.types import Chat, Example, Preference, Prompt, Text
from rocamadre.datasets.validation import Report, Rules, checked, validate

MOST_EXAMPLES = 50
_MOST_SKIPPED = 1_000_000
_MOST_TOKENS = 4096
_MOST_COUNTED = 20_000
_PARTIAL = "\ufffd"
KINDS: dict[str, tuple[type, ...]] = {
    "FINE_TUNING": (Chat,),
    "CONTINUED_PRE_TRAINING": (Text,),
    "DISTILLATION": (Prompt, Chat),
}
"""Kinds of example that each type of customization learns from."""
_NAMES: dict[type, str] = {Text: "text", Chat: "chat", Prompt: "prompt", Preference: "preference"}


class _Asked(msgspec.Struct, forbid_unknown_fields=True):
    """The body.

    Attributes:
        uri: `s3://bucket/key`, or with `/` at its end all data below.
        data: Records as they are in a file, instead.
        name: Of that file; its end tells how it is read.
        model: Whose tokens count; needed to see examples.
        type: As in CreateModelCustomizationJob; empty takes every kind of record, but one kind only.
        max_length: Tokens of a conversation at most; 0 for what the model reads.
        first: Number of the first example to show, from 0.
        count: Examples to show.
        most: Good records that statistics are counted of; counting takes a second for each thousand.
    """

    uri: str = ""
    data: str = ""
    name: str = "data.jsonl"
    model: str = ""
    type: Literal["", "FINE_TUNING", "CONTINUED_PRE_TRAINING", "DISTILLATION"] = ""
    max_length: int = 0
    first: int = 0
    count: int = 5
    most: int = 2000


@route("POST", "/_rocamadre/datasets/check")
async def check(context: Context, request: HttpRequest) -> Reply:
    """Every record checked: how many can be used, and what is wrong with the others, where, and how to mend it."""
    asked = _read(request)
    return json_reply(await asyncio.to_thread(_check, context, asked))


@route("POST", "/_rocamadre/datasets/statistics")
async def statistics(context: Context, request: HttpRequest) -> Reply:
    """What is in the first good records, in figures: lengths, languages, duplicates, personal data."""
    asked = _read(request)
    return json_reply(await asyncio.to_thread(_count, context, asked))


@route("POST", "/_rocamadre/datasets/preview")
async def preview(context: Context, request: HttpRequest) -> Reply:
    """`count` examples from number `first` on, as the model's tokens; `trained` tells which of them it learns.

    Raises:
        InvalidRequest: no model was named, or it shows no tokens.
    """
    asked = _read(request)
    if not asked.model:
        raise InvalidRequest("'model' is needed: its tokenizer and chat template decide what is learned")
    if not (1 <= asked.count <= MOST_EXAMPLES and 0 <= asked.first <= _MOST_SKIPPED):
        raise InvalidRequest(f"count is 1 to {MOST_EXAMPLES}, first is 0 to {_MOST_SKIPPED}")
    return json_reply(await asyncio.to_thread(_preview, context, asked))


def _read(request: HttpRequest) -> _Asked:
    try:
        asked = msgspec.json.decode(request.body, type=_Asked)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidRequest(f"the body is not of the expected form: {error}") from error
    if bool(asked.uri) == bool(asked.data):
        raise InvalidRequest("give either 'uri' or 'data'")
    if asked.uri and not asked.uri.startswith("s3://"):
        # A path would be one of the server's machine.
        raise InvalidRequest(f"uri is {asked.uri[:200]!r}; it begins with s3://, upload the file to a bucket first")
    return asked


def _sources(context: Context, asked: _Asked) -> list[Source]:
    if asked.data:
        return [BytesSource(asked.name, asked.data.encode())]
    return find_sources(asked.uri, context.platform.objects.of(context.account))


def _rules(context: Context, asked: _Asked) -> tuple[Rules, ModelTokenizer | None]:
    kinds = KINDS.get(asked.type)
    if not asked.model:
        return Rules(kinds=kinds), None
    model = resolve_model(context, asked.model).model
    if model.path is None:
        raise InvalidRequest(f"{model.id} has no files here, so its tokens are not known")
    tokenizer = open_tokenizer(model.path)
    longest = asked.max_length or model.context_length or None
    return Rules(kinds=kinds, tokenizer=tokenizer, max_length=longest), tokenizer


def _check(context: Context, asked: _Asked) -> dict[str, Any]:
    rules, _ = _rules(context, asked)
    return validate(_sources(context, asked), rules).as_json()


def _count(context: Context, asked: _Asked) -> dict[str, Any]:
    rules, tokenizer = _rules(context, asked)
    if not 1 <= asked.most <= _MOST_COUNTED:
        raise InvalidRequest(f"most is {asked.most}; 1 to {_MOST_COUNTED} are taken")
    examples = checked(_sources(context, asked), Report(), rules)
    found = count_all(islice(examples, asked.most), tokenizer).as_json()
    return {**found, "whole": next(examples, None) is None}


def _preview(context: Context, asked: _Asked) -> dict[str, Any]:
    rules, tokenizer = _rules(context, asked)
    assert tokenizer is not None
    examples = checked(_sources(context, asked), Report(), rules)
    found = list(islice(examples, asked.first, asked.first + asked.count + 1))
    shown = [shown for each in found[: asked.count] for shown in _shown(each, tokenizer)]
    return {"examples": shown, "first": asked.first, "more": len(found) > asked.count}


def _shown(example: Example, tokenizer: ModelTokenizer) -> Iterator[dict[str, Any]]:
    versions = both_answers(example) if isinstance(example, Preference) else (example,)
    for version in versions:
        rendered = render_example(version, tokenizer, tokenizer.template)
        yield {
            "kind": _NAMES[type(example)],
            "tokens": len(rendered.ids),
            "trained": sum(rendered.trained),
            "pieces": _pieces(rendered, tokenizer),
            "cut": len(rendered.ids) > _MOST_TOKENS,
        }


def _pieces(rendered: Rendered, tokenizer: ModelTokenizer) -> list[dict[str, Any]]:
    """The tokens as text; those that are parts of one letter stand together."""
    found: list[dict[str, Any]] = []
    held: list[int] = []
    pairs = list(zip(rendered.ids[:_MOST_TOKENS], rendered.trained[:_MOST_TOKENS], strict=True))
    for place, (token, trained) in enumerate(pairs):
        held.append(token)
        text = tokenizer.tokens.decode(held, skip_special_tokens=False)
        ends = place + 1 == len(pairs) or pairs[place + 1][1] != trained
        if _PARTIAL not in text or ends or len(held) >= 4:
            found.append({"ids": held, "text": text, "trained": trained, "special": token in tokenizer.special})
            held = []
    return found

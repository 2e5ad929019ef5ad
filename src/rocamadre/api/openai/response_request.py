"""The parameters of POST /v1/responses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rocamadre.api.openai.errors import BadParameter
from rocamadre.api.openai.fields import Fields
from rocamadre.api.openai.formats import read_format
from rocamadre.api.openai.requests import (
    check_caching,
    check_effort,
    read_metadata,
    read_sampling,
    read_service_tier,
)
from rocamadre.api.openai.response_items import Item, read_dialogue, read_input, read_item
from rocamadre.api.openai.tools import Tools, read_tools
from rocamadre.core.messages import GenerationRequest, Sampling
from rocamadre.engines.profiles.sampling import MOST_TOKENS
from rocamadre.responses.types import Response

LOGPROBS = "message.output_text.logprobs"
_HARMLESS = (
    "code_interpreter_call.outputs",
    "computer_call_output.output.image_url",
    "file_search_call.results",
    "message.input_image.image_url",
    "web_search_call.action.sources",
    "web_search_call.results",
)
_LATER = {
    "access_programs": "access programs",
    "context_management": "compaction",
    "conversation": "conversations (use 'previous_response_id')",
    "image": "image options",
    "moderation": "moderation",
    "prompt": "stored prompts",
}
_KNOWN = frozenset(
    {
        *_LATER,
        "background",
        "frequency_penalty",
        "include",
        "input",
        "instructions",
        "logit_bias",
        "max_output_tokens",
        "max_tool_calls",
        "metadata",
        "min_p",
        "min_tokens",
        "model",
        "parallel_tool_calls",
        "presence_penalty",
        "previous_response_id",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "reasoning",
        "repetition_penalty",
        "safety_identifier",
        "seed",
        "service_tier",
        "stop",
        "store",
        "stream",
        "stream_options",
        "temperature",
        "text",
        "tool_choice",
        "tools",
        "top_k",
        "top_logprobs",
        "top_p",
        "truncation",
        "user",
    }
)
"""`min_p`, `min_tokens`, `repetition_penalty`, `seed`, `stop`, `top_k` and the penalties are extensions."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a client asked for.

    Attributes:
        items: Its own input.
        previous_id: The response to go on from; empty for none.
        truncate: Whether the oldest turns may be left out where all are too long for the model.
        tier: The service tier it asks for, as it is served; None for none.
        facts: What the response says back, by its names on the wire.
    """

    model: str
    items: list[Item]
    previous_id: str
    instructions: str
    sampling: Sampling
    tools: Tools
    schema: Mapping[str, Any] | None
    logprobs: int | None
    stream: bool
    background: bool
    store: bool
    truncate: bool
    tier: str | None
    facts: dict[str, Any]


def read_wish(fields: Fields) -> Wish:
    """The parameters.

    Raises:
        BadParameter: see its message.
        InvalidRequest: a document cannot be read.
    """
    fields.only(_KNOWN)
    fields.refuse(_LATER)
    model = fields.required("model")
    if not isinstance(model, str):
        raise fields.wrong_type("model", "a string")
    stream = fields.flag("stream")
    _check_stream_options(fields, stream)
    background = fields.flag("background")
    store = fields.flag("store") if "store" in fields else True
    if background and not store:
        raise BadParameter("Background responses are kept: 'background' needs 'store' to be true.", param="background")
    check_caching(fields)
    logprobs = _read_logprobs(fields)
    sampling = read_sampling(fields, fields.integer("max_output_tokens", 1, MOST_TOKENS))
    previous_id = fields.text("previous_response_id") or ""
    return Wish(
        model=model,
        items=read_input(fields),
        previous_id=previous_id,
        instructions=fields.text("instructions") or "",
        sampling=sampling,
        tools=read_tools(fields, nested=False),
        schema=read_format(fields.record("text"), "format", nested=False),
        logprobs=logprobs,
        stream=stream,
        background=background,
        store=store,
        truncate=fields.choice("truncation", ("auto", "disabled")) == "auto",
        tier=read_service_tier(fields),
        facts=_facts(fields, background, store),
    )


def _check_stream_options(fields: Fields, stream: bool) -> None:
    options = fields.record("stream_options")
    options.only(("include_obfuscation",))
    options.refuse({"include_obfuscation": "obfuscation of streams"})
    if "stream_options" in fields and not stream:
        raise BadParameter(
            "The 'stream_options' parameter is only allowed when 'stream' is enabled.", param="stream_options"
        )


def _read_logprobs(fields: Fields) -> int | None:
    include = fields.raw("include")
    if include is not None and not isinstance(include, list):
        raise fields.wrong_type("include", "an array of strings")
    for index, each in enumerate(include or []):
        param = f"include[{index}]"
        if each == "reasoning.encrypted_content":
            raise BadParameter(
                "Encrypted content is not supported with this model.", param=param, code="unsupported_value"
            )
        if each not in (LOGPROBS, *_HARMLESS):
            allowed = ", ".join(repr(name) for name in (LOGPROBS, *_HARMLESS))
            raise BadParameter(
                f"Invalid value for '{param}': {str(each)[:80]!r}. Supported values are: {allowed}.", param=param
            )
    top = fields.integer("top_logprobs", 0, 20)
    if LOGPROBS in (include or []):
        return top or 0
    if top:
        raise fields.wrong("top_logprobs", f"it needs {LOGPROBS!r} in 'include'")
    return None


def _facts(fields: Fields, background: bool, store: bool) -> dict[str, Any]:
    text = fields.record("text")
    text.only(("format", "verbosity"))
    check_effort(text, "verbosity")
    reasoning = fields.record("reasoning")
    reasoning.only(("effort", "summary", "generate_summary", "context", "mode"))
    check_effort(reasoning, "effort")
    reasoning.refuse({"summary": "summaries of reasoning", "generate_summary": "summaries of reasoning"})
    reasoning.choice("context", ("auto",))
    reasoning.choice("mode", ("standard",))
    facts: dict[str, Any] = {
        "background": background,
        "instructions": fields.text("instructions"),
        "max_output_tokens": fields.raw("max_output_tokens"),
        "max_tool_calls": fields.integer("max_tool_calls", 1, MOST_TOKENS),
        "metadata": read_metadata(fields),
        "parallel_tool_calls": fields.raw("parallel_tool_calls") is not False,
        "previous_response_id": fields.raw("previous_response_id"),
        "prompt_cache_key": fields.raw("prompt_cache_key"),
        "reasoning": {"effort": reasoning.raw("effort"), "summary": None},
        "safety_identifier": fields.text("safety_identifier"),
        "service_tier": read_service_tier(fields) or "default",
        "store": store,
        "temperature": fields.raw("temperature"),
        "text": {"format": text.raw("format") or {"type": "text"}, "verbosity": "medium"},
        "tool_choice": fields.raw("tool_choice") or "auto",
        "tools": [_written(tool) for tool in fields.raw("tools") or []],
        "top_logprobs": fields.raw("top_logprobs") or 0,
        "top_p": fields.raw("top_p"),
        "truncation": fields.raw("truncation") or "disabled",
        "user": fields.raw("user"),
    }
    return facts


def _written(tool: Any) -> Any:
    if not isinstance(tool, dict):
        return tool  # Refused where tools are read.
    return {"description": None, "parameters": None, "strict": None, **tool}


def request_of(wish: Wish, history: Sequence[Response]) -> GenerationRequest:
    """What the model is to do.

    Args:
        wish: What was asked for.
        history: The responses before it, oldest first.

    Raises:
        BadParameter: the items do not make a conversation.
    """
    items: list[Item] = []
    for response in history:
        kept = [*response.input, *response.output]
        items.extend(read_item(each, f"{response.id}[{place}]") for place, each in enumerate(kept))
    dialogue = read_dialogue([*items, *wish.items], wish.instructions)
    return GenerationRequest(
        dialogue.messages,
        dialogue.system,
        sampling=wish.sampling,
        tools=wish.tools.specs,
        tool_choice=wish.tools.choice,
        schema=wish.schema,
        cache_system=dialogue.cache_system,
        logprobs=wish.logprobs,
    )

"""The shape of a Claude messages body, for InvokeModel and for Anthropic's own wire."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from rocamadre.core.errors import NotBuilt
from rocamadre.engines.profiles.checks import (
    Check,
    anything,
    array,
    boolean,
    choice,
    either,
    integer,
    mapping,
    number,
    optional,
    record,
    string,
)
from rocamadre.engines.profiles.sampling import MOST_TOKENS

BEDROCK_VERSION = "bedrock-2023-05-31"
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")

_SERVER_BLOCKS = {
    "server_tool_use": "server tools",
    "web_search_tool_result": "web search",
    "web_fetch_tool_result": "web fetching",
    "code_execution_tool_result": "code execution",
    "bash_code_execution_tool_result": "code execution",
    "text_editor_code_execution_tool_result": "code execution",
    "tool_search_tool_result": "tool search",
    "mcp_tool_use": "MCP servers",
    "mcp_tool_result": "MCP servers",
    "container_upload": "containers",
    "search_result": "citations of search results",
    "tool_reference": "tool search",
    "browser_state": "the browser tools",
    "compaction": "context management",
}
"""Content blocks of things that run at Anthropic, and of citations."""

_SOURCES = {"url": "sources that are fetched from a URL", "file": "uploaded files"}


def variants(kinds: Mapping[str, Check], later: Mapping[str, str]) -> Check:
    """An object whose `type` says which check it must pass.

    Args:
        kinds: By type.
        later: Types that Claude has and Rocamadre lacks, with what they are.
    """

    def check(value: Any, at: str, wrong: list[str]) -> None:
        kind = value.get("type") if isinstance(value, dict) else None
        if not isinstance(value, dict) or "type" not in value:
            record({}, required=("type",))(value if not isinstance(value, dict) else {}, at, wrong)
        elif isinstance(kind, str) and kind in kinds:
            kinds[kind](value, at, wrong)
        elif isinstance(kind, str) and kind in later:
            raise NotBuilt(f"{at}/type: Rocamadre does not have {later[kind]} yet; leave out {kind}")
        else:
            choice(*kinds)(kind, f"{at}/type", wrong)

    return check


def _citations(value: Any, at: str, wrong: list[str]) -> None:
    if value not in (None, {}, {"enabled": False}):
        raise NotBuilt(f"{at}: Rocamadre does not have citations yet; leave them out")


def _effort(value: Any, at: str, wrong: list[str]) -> None:
    # `high` is what leaving it out means.
    if value not in (None, "high"):
        choice("low", "medium", "high", "xhigh", "max")(value, at, wrong)
        if not wrong:
            raise NotBuilt(f"{at}: no model here has effort levels; leave it out")


def _version(value: Any, at: str, wrong: list[str]) -> None:
    # Anthropic's own client for Bedrock sends the date of its API's version instead.
    if not (isinstance(value, str) and _DATE.fullmatch(value)):
        choice(BEDROCK_VERSION)(value, at, wrong)


_CACHE = optional(record({"type": choice("ephemeral"), "ttl": choice("5m", "1h")}, required=("type",)))
_BYTES = record({"type": choice("base64"), "media_type": string(1), "data": string(1)}, required=("media_type", "data"))
_TEXT = record(
    {"type": anything, "text": string(1), "cache_control": _CACHE},
    required=("text",),
    later={"citations": "citations"},
)
_IMAGE = record(
    {
        "type": anything,
        "source": variants({"base64": _BYTES}, _SOURCES),
        "cache_control": _CACHE,
    },
    required=("source",),
    later={"transformations": "transformations of images"},
)
_INNER = variants({"text": _TEXT, "image": _IMAGE}, _SERVER_BLOCKS)
_DOCUMENT = record(
    {
        "type": anything,
        "source": variants(
            {
                "base64": _BYTES,
                "text": record(
                    {"type": anything, "media_type": choice("text/plain"), "data": string(1)},
                    required=("media_type", "data"),
                ),
                "content": record(
                    {"type": anything, "content": either((str, string(1)), (list, array(_INNER, 1)))},
                    required=("content",),
                ),
            },
            _SOURCES,
        ),
        "title": optional(string(0, 500)),
        "context": optional(string()),
        "citations": _citations,
        "cache_control": _CACHE,
    },
    required=("source",),
)
_TOOL_USE = record(
    {
        "type": anything,
        "id": string(1, 256),
        "name": string(1, 200),
        "input": mapping,
        "cache_control": _CACHE,
        "caller": optional(variants({"direct": record({"type": anything})}, {})),
    },
    required=("id", "name", "input"),
    later={"toolset_name": "toolsets"},
)
_TOOL_RESULT = record(
    {
        "type": anything,
        "tool_use_id": string(1, 256),
        "content": optional(
            either(
                (str, string()),
                (list, array(variants({"text": _TEXT, "image": _IMAGE, "document": _DOCUMENT}, _SERVER_BLOCKS))),
            )
        ),
        "is_error": optional(boolean),
        "cache_control": _CACHE,
    },
    required=("tool_use_id",),
    later={"toolset_name": "toolsets"},
)
_BLOCK = variants(
    {
        "text": _TEXT,
        "image": _IMAGE,
        "document": _DOCUMENT,
        "tool_use": _TOOL_USE,
        "tool_result": _TOOL_RESULT,
        "thinking": record(
            {"type": anything, "thinking": string(), "signature": optional(string())}, required=("thinking",)
        ),
        "redacted_thinking": record({"type": anything, "data": string(1)}, required=("data",)),
    },
    _SERVER_BLOCKS,
)
_TOOL = record(
    {
        "type": optional(choice("custom")),
        "name": string(1, 128),
        "description": optional(string()),
        "input_schema": mapping,
        "strict": optional(boolean),
        "cache_control": _CACHE,
        "input_examples": optional(array(mapping)),
        "eager_input_streaming": optional(boolean),
        "allowed_callers": optional(array(choice("direct"))),
    },
    required=("name", "input_schema"),
    later={"defer_loading": "tool search"},
)


def _tool(value: Any, at: str, wrong: list[str]) -> None:
    """A tool of the client's own; those that Anthropic defines are refused by name."""
    kind = value.get("type") if isinstance(value, dict) else None
    if isinstance(kind, str) and kind != "custom":
        raise NotBuilt(
            f"{at}/type: Rocamadre does not have the tool {kind[:80]!r}, which Anthropic defines; define a tool of "
            "your own, with name, description and input_schema"
        )
    _TOOL(value, at, wrong)


_PARALLEL = {"type": anything, "disable_parallel_tool_use": optional(boolean)}
_TOOL_CHOICE = variants(
    {
        "auto": record(_PARALLEL),
        "any": record(_PARALLEL),
        "tool": record({**_PARALLEL, "name": string(1)}, required=("name",)),
        "none": record({"type": anything}),
    },
    {},
)
_FORMAT = record({"type": choice("json_schema"), "schema": mapping}, required=("type", "schema"))
_THINKING = variants(
    {
        "disabled": record({"type": anything}),
        "adaptive": record({"type": anything, "display": optional(choice("summarized", "omitted"))}),
        "enabled": record(
            {
                "type": anything,
                "budget_tokens": integer(1024),
                "display": optional(choice("summarized", "omitted")),
            },
            required=("budget_tokens",),
        ),
        "between_tools": record({"type": anything}),
    },
    {},
)
_SYSTEM = variants({"text": _TEXT}, _SERVER_BLOCKS)
_PROMPT: Mapping[str, Check] = {
    "messages": array(
        record(
            {
                "role": choice("user", "assistant"),
                "content": either((str, string(1)), (list, array(_BLOCK, 1))),
            },
            required=("role", "content"),
        ),
        1,
        100_000,
    ),
    "system": optional(either((str, string()), (list, array(_SYSTEM)))),
    "tools": optional(array(_tool)),
    "tool_choice": optional(_TOOL_CHOICE),
    "thinking": optional(_THINKING),
    "output_config": optional(record({"format": optional(_FORMAT), "effort": _effort})),
    "output_format": optional(_FORMAT),
    "cache_control": _CACHE,
    "user_profile_id": optional(string()),
}
_SETTINGS: Mapping[str, Check] = {
    "max_tokens": integer(1, MOST_TOKENS),
    "temperature": optional(number(0, 1)),
    "top_p": optional(number(0, 1)),
    "top_k": optional(integer(0, 500)),
    "stop_sequences": optional(array(string(1), 0, 8191)),
    "metadata": optional(record({"user_id": optional(string())})),
}
_LATER = {
    "context_management": "context management",
    "compaction": "context management",
    "fallbacks": "fallback models",
    "thread": "threads",
    "container": "containers",
    "mcp_servers": "MCP servers",
    "diagnostics": "diagnostics of prompt caching",
    "inference_geo": "a choice of place",
}
_API: Mapping[str, Check] = {"model": string(1), "speed": optional(choice("standard"))}

INVOKE_BODY = record(
    {
        **_PROMPT,
        **_SETTINGS,
        "anthropic_version": _version,
        "anthropic_beta": optional(either((str, string()), (list, array(string())))),
    },
    required=("anthropic_version", "max_tokens", "messages"),
    later=_LATER,
)
"""Of InvokeModel. Beta features are asked for by name; what they add to the body is checked where it stands."""

MESSAGES_BODY = record(
    {
        **_PROMPT,
        **_SETTINGS,
        **_API,
        "stream": optional(boolean),
        "service_tier": optional(choice("auto", "standard_only")),
    },
    required=("model", "max_tokens", "messages"),
    later=_LATER,
)
"""Of Anthropic's POST /v1/messages."""

COUNT_BODY = record({**_PROMPT, **_API}, required=("model", "messages"), later=_LATER)
"""Of Anthropic's POST /v1/messages/count_tokens."""

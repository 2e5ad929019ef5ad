"""Which format a model writes, read from its chat template; the template is what it was trained with."""

from __future__ import annotations

from rocamadre.engines.tool_formats.types import ToolFormat

_HERMES = ToolFormat(
    "Hermes, Qwen",
    ("<tool_call>", "\\n{"),
    before='<tool_call>\n{"name": "',
    between='", "arguments": ',
    after="}\n</tool_call>",
    separator="\n",
)
_HERMES_TIGHT = ToolFormat(
    "Rocamadre",
    ("<tool_call>{",),
    before='<tool_call>{"name": "',
    between='", "arguments": ',
    after="}</tool_call>",
)
_MISTRAL_NAMED = ToolFormat(
    "Mistral, from tokenizer version 11",
    ("[TOOL_CALLS]", "[ARGS]"),
    before="[TOOL_CALLS]",
    between="[ARGS]",
    after="",
)
_MISTRAL = ToolFormat(
    "Mistral",
    ("[TOOL_CALLS]",),
    opening="[TOOL_CALLS][",
    before='{"name": "',
    between='", "arguments": ',
    after="}",
    separator=", ",
    closing="]",
)
_COMMAND_R = ToolFormat(
    "Cohere Command R7B and later",
    ("<|START_ACTION|>",),
    opening="<|START_ACTION|>[\n",
    before='    {"tool_call_id": "0", "tool_name": "',
    between='", "parameters": ',
    after="}",
    separator=",\n",
    closing="\n]<|END_ACTION|>",
)
_DEEPSEEK = ToolFormat(
    "DeepSeek",
    ("<｜tool▁calls▁begin｜>",),
    opening="<｜tool▁calls▁begin｜>",
    before="<｜tool▁call▁begin｜>function<｜tool▁sep｜>",
    between="\n```json\n",
    after="\n```<｜tool▁call▁end｜>",
    separator="\n",
    closing="<｜tool▁calls▁end｜>",
)
_HARMONY = ToolFormat(
    "gpt-oss",
    ("<|channel|>", "functions."),
    before="<|channel|>commentary to=functions.",
    between=" <|constrain|>json<|message|>",
    after="<|call|>",
    separator=None,
)
_GRANITE = ToolFormat(
    "Granite",
    ("<|tool_call|>",),
    opening="<|tool_call|>[",
    before='{"name": "',
    between='", "arguments": ',
    after="}",
    separator=", ",
    closing="]",
)
_LLAMA = ToolFormat(
    "Llama 3",
    ("parameters", "<|start_header_id|>"),
    before='{"name": "',
    between='", "parameters": ',
    after="}",
    separator=None,
)
GENERIC = ToolFormat(
    "any other",
    (),
    before='<tool_call>\n{"name": "',
    between='", "arguments": ',
    after="}\n</tool_call>",
    separator="\n",
    instructions=(
        "You may call these tools, one JSON object each:\n<tools>\n{tools}\n</tools>\n"
        "To call one, answer with its name and its arguments, in this form and with nothing after it:\n"
        '<tool_call>\n{"name": "tool", "arguments": {}}\n</tool_call>'
    ),
)
"""For models that were not trained to call tools; they are told how."""

FORMATS = (
    _HERMES_TIGHT,
    _HERMES,
    _MISTRAL_NAMED,
    _MISTRAL,
    _COMMAND_R,
    _DEEPSEEK,
    _HARMONY,
    _GRANITE,
    _LLAMA,
)
"""In the order in which they are tried."""


def find_format(chat_template: str) -> ToolFormat:
    """The format of the models that a chat template belongs to.

    >>> find_format("{% if tools %}[TOOL_CALLS]{% endif %}").name
    'Mistral'
    """
    if "tools" in chat_template:
        for each in FORMATS:
            if all(sign in chat_template for sign in each.signs):
                return each
    return GENERIC

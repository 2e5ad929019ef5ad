"""The conversation format of roca-mini: ChatML turns, tools and documents in the system turn, tool calls as JSON."""

import json
from collections.abc import Mapping, Sequence
from functools import cache

import jinja2
from vocabulary import TURN_END, TURN_START

DOCUMENTS_INTRODUCTION = "Answer from these documents."
TOOLS_INTRODUCTION = (
    'You may call these functions. To call one, write <tool_call>{"name": ..., "arguments": {...}}</tool_call>.'
)

TEMPLATE = r"""
{%- macro text_of(content) -%}
{%- if content is string -%}{{- content -}}
{%- elif content is not none -%}
{%- for part in content -%}{%- if part.type == 'text' -%}{{- part.text -}}{%- endif -%}{%- endfor -%}
{%- endif -%}
{%- endmacro -%}
{%- set system = namespace(text='') -%}
{%- for message in messages -%}
{%- if message.role == 'system' or message.role == 'developer' -%}
{%- set system.text = (system.text + '\n\n' + text_of(message.content)) if system.text else text_of(message.content) -%}
{%- endif -%}
{%- endfor -%}
{%- if system.text or tools or documents -%}
{{- '<|im_start|>system\n' + system.text -}}
{%- if documents -%}
{{- ('\n\n' if system.text else '') + '@DOCUMENTS@\n<documents>' -}}
{%- for document in documents -%}
{{- '<document>' + ((document.title + '\n') if document.title else '') + document.text + '</document>' -}}
{%- endfor -%}
{{- '</documents>' -}}
{%- endif -%}
{%- if tools -%}
{{- ('\n\n' if system.text or documents else '') + '@TOOLS@\n<tools>' -}}
{%- for tool in tools -%}
{{- '\n' + ((tool.function if tool.function else tool) | tojson) -}}
{%- endfor -%}
{{- '\n</tools>' -}}
{%- endif -%}
{{- '<|im_end|>\n' -}}
{%- endif -%}
{%- for message in messages -%}
{%- if message.role == 'user' -%}
{{- '<|im_start|>user\n' + text_of(message.content) + '<|im_end|>\n' -}}
{%- elif message.role == 'assistant' -%}
{{- '<|im_start|>assistant\n' -}}
{%- generation -%}
{{- text_of(message.content) -}}
{%- if message.tool_calls -%}
{%- for call in message.tool_calls -%}
{%- set function = call.function if call.function else call -%}
{{- '<tool_call>{"name": ' + (function.name | tojson) + ', "arguments": ' -}}
{{- function.arguments if function.arguments is string else (function.arguments | tojson) -}}
{{- '}</tool_call>' -}}
{%- endfor -%}
{%- endif -%}
{{- '<|im_end|>' -}}
{%- endgeneration -%}
{{- '\n' -}}
{%- elif message.role == 'tool' -%}
{{- '<|im_start|>tool\n<tool_response>' + text_of(message.content) + '</tool_response><|im_end|>\n' -}}
{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\n' -}}{%- endif -%}
""".strip()
"""Jinja source; the engine's and Hugging Face's variables. The generation tags are taken out of the shipped one."""


def chat_template() -> str:
    """The template that ships: in the tokenizer's folder and inside the GGUF file."""
    text = TEMPLATE.replace("{%- generation -%}\n", "").replace("{%- endgeneration -%}\n", "")
    tools = TOOLS_INTRODUCTION.replace("'", r"\'")
    return text.replace("@DOCUMENTS@", DOCUMENTS_INTRODUCTION).replace("@TOOLS@", tools)


def _tojson(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


@cache
def _compiled() -> jinja2.Template:
    environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True)
    environment.filters["tojson"] = _tojson
    return environment.from_string(chat_template())


def render(
    messages: Sequence[Mapping],
    *,
    tools: Sequence[Mapping] = (),
    documents: Sequence[Mapping] = (),
    prompt: bool = False,
) -> str:
    """A conversation as the model reads it; with `prompt`, ready for the assistant's next turn."""
    return _compiled().render(messages=messages, tools=tools, documents=documents, add_generation_prompt=prompt)


def parts(
    messages: Sequence[Mapping], *, tools: Sequence[Mapping] = (), documents: Sequence[Mapping] = ()
) -> list[tuple[str, bool]]:
    """The rendered conversation in pieces, each with whether it is learnt: the assistant's turns and their end."""
    text = render(messages, tools=tools, documents=documents)
    opening = f"{TURN_START}assistant\n"
    head, *rest = text.split(opening)
    pieces = [(head, False)]
    for turn in rest:
        answer, _, after = turn.partition(TURN_END)
        pieces += [(opening, False), (answer + TURN_END, True), (after, False)]
    return [piece for piece in pieces if piece[0]]

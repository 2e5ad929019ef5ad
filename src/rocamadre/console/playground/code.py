"""The program that asks what the visitor has just asked: boto3, OpenAI's client, curl."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from rocamadre.console.playground.conversation import Document, Exchange, Frame, Json, messages_of

LANGUAGES = {"boto3": "boto3", "openai": "OpenAI", "curl": "curl"}
"""Name and what it is called."""

_WIDTH = 100
_MARK = "rocamadre-console-file-"


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, and where it goes.

    Attributes:
        exchanges: The conversation; the last one's answer is not part of it.
        prompt: A raw text to be continued, instead of a conversation.
        address: The server's.
        locked: Whether it wants a key; programs then read it from the environment.
    """

    model: str
    address: str
    region: str
    locked: bool
    frame: Frame
    exchanges: tuple[Exchange, ...] = ()
    prompt: str = ""


class Code(str):
    """Python that is written as it is."""

    __slots__ = ()


def write_code(asked: Asked, language: str) -> str:
    """The program in one of `LANGUAGES`."""
    if asked.prompt:
        return {"boto3": _boto3_prompt, "openai": _openai_prompt, "curl": _curl_prompt}[language](asked)
    return {"boto3": _boto3, "openai": _openai, "curl": _curl}[language](asked)


def _boto3(asked: Asked) -> str:
    files, messages = _messages(asked, "{name}.read_bytes()")
    members = {"modelId": asked.model, "messages": messages, **asked.frame.members()}
    return (
        f"{_boto3_head(asked, files)}stream = client.converse_stream({arguments_of(members)})\n"
        'for event in stream["stream"]:\n'
        '    delta = event.get("contentBlockDelta", {}).get("delta", {})\n'
        '    print(delta.get("text") or delta.get("toolUse", {}).get("input", ""), end="", flush=True)\n'
        "print()\n"
    )


def _boto3_prompt(asked: Asked) -> str:
    body = {"prompt": asked.prompt, **asked.frame.parameters.openai()}
    return (
        f"{_boto3_head(asked, [], 'import json')}body = {literal(body)}\n"
        f"answer = client.invoke_model(modelId={literal(asked.model)}, body=json.dumps(body))\n"
        'print(json.loads(answer["body"].read())["choices"][0]["text"])\n'
    )


def _boto3_head(asked: Asked, files: Sequence[Document], more: str = "") -> str:
    arguments = {"endpoint_url": asked.address, "region_name": asked.region}
    note = ""
    if asked.locked:
        note = "# Reads AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, which `roca keys create NAME` prints.\n"
    else:
        arguments |= {"aws_access_key_id": "local", "aws_secret_access_key": "local"}
    imports = "".join(f"{each}\n" for each in (more, "from pathlib import Path" if files else "") if each)
    top = f"{imports}\n" if imports else ""
    written = "".join(f"    {name}={literal(value)},\n" for name, value in arguments.items())
    return f'{top}import boto3\n\n{note}client = boto3.client(\n    "bedrock-runtime",\n{written})\n{_paths(files)}'


def _paths(files: Sequence[Document]) -> str:
    lines = [f"{_name(place)} = Path({literal(each.file_name)})" for place, each in enumerate(files)]
    return "".join(f"{line}\n" for line in lines)


def _openai(asked: Asked) -> str:
    files, messages = _openai_messages(asked)
    extra: Json = {}
    members: Json = {"model": asked.model, "messages": messages}
    for name, value in asked.frame.parameters.openai().items():
        (extra if name in ("top_k", "min_p") else members)[name] = value
    members |= _openai_more(asked.frame)
    members["stream"] = True
    if extra:
        members["extra_body"] = extra
    helper = ""
    if files:
        helper = (
            "\n\ndef data_url(path):\n"
            '    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"\n'
            '    return f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"\n\n'
        )
    return (
        f"{_openai_head(asked, files)}{helper}\nstream = client.chat.completions.create({arguments_of(members)})\n"
        "for chunk in stream:\n"
        "    for choice in chunk.choices:\n"
        '        print(choice.delta.content or "", end="", flush=True)\n'
        "        for call in choice.delta.tool_calls or ():\n"
        '            print(call.function.name or "", call.function.arguments or "", end="")\n'
        "print()\n"
    )


def _openai_prompt(asked: Asked) -> str:
    extra: Json = {}
    members: Json = {"model": asked.model, "prompt": asked.prompt}
    for name, value in asked.frame.parameters.openai().items():
        (extra if name in ("top_k", "min_p") else members)[name] = value
    if extra:
        members["extra_body"] = extra
    return (
        f"{_openai_head(asked, [])}\nanswer = client.completions.create({arguments_of(members)})\n"
        "print(answer.choices[0].text)\n"
    )


def _openai_head(asked: Asked, files: Sequence[Document]) -> str:
    top = "import base64\nimport mimetypes\nfrom pathlib import Path\n\n" if files else ""
    arguments = {"base_url": f"{asked.address}/v1"}
    note = ""
    if asked.locked:
        note = "# Reads OPENAI_API_KEY, which `roca keys create --bearer NAME` prints.\n"
    else:
        arguments["api_key"] = "local"
    return f"{top}from openai import OpenAI\n\n{note}client = OpenAI({arguments_of(arguments)})\n{_paths(files)}"


def _openai_more(frame: Frame) -> Json:
    found: Json = {}
    if frame.tools:
        found["tools"] = [_function(each["toolSpec"]) for each in frame.tools]
    if frame.schema:
        schema = {"name": "answer", "schema": json.loads(frame.schema), "strict": True}
        found["response_format"] = {"type": "json_schema", "json_schema": schema}
    if frame.guardrail:
        name, _, version = frame.guardrail.partition(":")
        headers = {"X-Amzn-Bedrock-GuardrailIdentifier": name, "X-Amzn-Bedrock-GuardrailVersion": version}
        found["extra_headers"] = headers
    return found


def _function(spec: Json) -> Json:
    function: Json = {"name": spec["name"]}
    if spec.get("description"):
        function["description"] = spec["description"]
    return {"type": "function", "function": {**function, "parameters": spec["inputSchema"]["json"]}}


def _openai_messages(asked: Asked) -> tuple[list[Document], list[Json]]:
    """The turns as OpenAI has them, and the files in them."""
    files, turns = _messages(asked, "data_url({name})")
    found: list[Json] = [{"role": "system", "content": asked.frame.system}] if asked.frame.system else []
    for turn in turns:
        for block in turn["content"]:
            if "toolResult" in block:
                result = block["toolResult"]
                content = result["content"][0]
                said = content["text"] if "text" in content else json.dumps(content["json"])
                found.append({"role": "tool", "tool_call_id": result["toolUseId"], "content": said})
        if turn["role"] == "assistant":
            found.append(_openai_answer(turn["content"]))
            continue
        parts: list[Json] = []
        for block in turn["content"]:
            if "text" in block:
                parts.append({"type": "text", "text": block["text"]})
            elif "document" in block:
                document = block["document"]
                name = f"{document['name']}.{document['format']}"
                parts.append({"type": "file", "file": {"filename": name, "file_data": document["source"]["bytes"]}})
        if len(parts) == 1 and "text" in parts[0]:
            found.append({"role": "user", "content": parts[0]["text"]})
        elif parts:
            found.append({"role": "user", "content": parts})
    return files, found


def _openai_answer(content: Sequence[Json]) -> Json:
    text = "".join(block.get("text", "") for block in content)
    calls = [
        {
            "id": use["toolUseId"],
            "type": "function",
            "function": {"name": use["name"], "arguments": json.dumps(use["input"])},
        }
        for use in (block["toolUse"] for block in content if "toolUse" in block)
    ]
    return {"role": "assistant", "content": text or None, **({"tool_calls": calls} if calls else {})}


def _curl(asked: Asked) -> str:
    files, messages = _messages(asked, f"{_MARK}{{name}}")
    body = json.dumps({"messages": messages, **asked.frame.members()}, ensure_ascii=False, indent=2)
    quoted = shlex.quote(body)
    for place, each in enumerate(files):
        # The shell puts the file in, in base64, where its name stands.
        quoted = quoted.replace(
            f"{_MARK}{_name(place)}", f"'\"$(base64 < {shlex.quote(each.file_name)} | tr -d '\\n')\"'"
        )
    path = f"/model/{quote(asked.model, safe='')}/converse"
    if not files:
        return _curl_line(asked, path, f"  -d {quoted}")
    return f"printf '%s' {quoted} |\n" + _curl_line(asked, path, "  --data-binary @-")


def _curl_prompt(asked: Asked) -> str:
    members = {"model": asked.model, "prompt": asked.prompt, **asked.frame.parameters.openai()}
    body = json.dumps(members, ensure_ascii=False, indent=2)
    return _curl_line(asked, "/v1/completions", f"  -d {shlex.quote(body)}")


def _curl_line(asked: Asked, path: str, data: str) -> str:
    key = '"Authorization: Bearer $OPENAI_API_KEY"' if asked.locked else "'Authorization: Bearer local'"
    address = shlex.quote(f"{asked.address}{path}")
    return f"curl -sS {address} \\\n  -H {key} \\\n  -H 'Content-Type: application/json' \\\n{data}\n"


def _messages(asked: Asked, form: str) -> tuple[list[Document], list[Json]]:
    """The turns, each document's bytes replaced by what reads them."""
    files = [document for exchange in asked.exchanges for document in exchange.documents]
    place = 0
    messages = messages_of(asked.exchanges)
    for message in messages:
        for block in message["content"]:
            if "document" in block:
                written = form.format(name=_name(place))
                block["document"]["source"]["bytes"] = written if written.startswith(_MARK) else Code(written)
                place += 1
    return files, messages


def _name(place: int) -> str:
    return f"file_{place + 1}"


def arguments_of(members: Json) -> str:
    """Keyword arguments, each on a line of its own where they do not fit one."""
    written = [f"{name}={literal(value, 4)}" for name, value in members.items()]
    line = ", ".join(written)
    if len(line) <= _WIDTH - 40 and "\n" not in line:
        return line
    return "\n" + "".join(f"    {each},\n" for each in written)


def literal(value: Any, indent: int = 0) -> str:
    """Python for a value of JSON, broken into lines where it is long."""
    if isinstance(value, Code):
        return str(value)
    if isinstance(value, str):
        # JSON's form of a text is Python's too, and it has no line breaks.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\x7f")
    if not isinstance(value, dict | list) or not value:
        return repr(value)
    if isinstance(value, dict):
        parts = [f"{literal(name)}: {literal(each, indent + 4)}" for name, each in value.items()]
        begin, end = "{", "}"
    else:
        parts = [literal(each, indent + 4) for each in value]
        begin, end = "[", "]"
    line = ", ".join(parts)
    if indent + len(line) < _WIDTH and "\n" not in line:
        return f"{begin}{line}{end}"
    inner = "".join(f"{' ' * (indent + 4)}{each},\n" for each in parts)
    return f"{begin}\n{inner}{' ' * indent}{end}"

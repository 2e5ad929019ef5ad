"""Cohere Command R and R+: a message with its history, documents, and tools."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from rocamadre.core.errors import InvalidRequest
from rocamadre.core.messages import (
    Block,
    Document,
    Event,
    Finish,
    GenerationRequest,
    Message,
    Sampling,
    Text,
    TextDelta,
    ToolResult,
    ToolSpec,
    ToolUse,
)
from rocamadre.engines.collect import Answer
from rocamadre.engines.profiles.checks import (
    Check,
    array,
    boolean,
    choice,
    integer,
    mapping,
    number,
    only,
    optional,
    read_body,
    record,
    string,
)
from rocamadre.engines.profiles.cohere_text import REASONS, dashed
from rocamadre.engines.profiles.function_tools import WholeCalls, check_name, tool_uses
from rocamadre.engines.profiles.sampling import MOST_SEED, settled
from rocamadre.engines.profiles.turns import check_turns, merge_turns
from rocamadre.engines.profiles.types import AnswerFacts, ChunkWriter, Json, TextProfile

_CALL: Check = record({"name": string(1), "parameters": mapping}, required=("name", "parameters"))
_CALLS: Check = optional(array(_CALL))
_RESULTS: Check = optional(array(record({"call": _CALL, "outputs": array(mapping)}, required=("call", "outputs"))))
_PARAMETER: Check = record(
    {"description": optional(string()), "type": string(1), "required": optional(boolean)}, required=("type",)
)


def _named(item: Check) -> Check:
    """An object whose keys are names and whose values pass a check."""

    def check(value: Any, at: str, wrong: list[str]) -> None:
        mapping(value, at, wrong)
        for name, each in value.items() if isinstance(value, dict) else ():
            item(each, f"{at}/{name[:80]}", wrong)

    return check


BODY = record(
    {
        "message": string(),
        "chat_history": optional(
            array(
                record(
                    {
                        "role": choice("USER", "CHATBOT", "SYSTEM", "TOOL"),
                        "message": optional(string()),
                        "tool_calls": _CALLS,
                        "tool_results": _RESULTS,
                    },
                    required=("role",),
                )
            )
        ),
        "documents": optional(array(mapping)),
        "preamble": optional(string()),
        "max_tokens": integer(1, 131_072),
        "temperature": number(0, 1),
        "p": number(0, 1),
        "k": integer(0, 500),
        "frequency_penalty": number(0, 1),
        "presence_penalty": number(0, 1),
        "seed": integer(0, MOST_SEED),
        "stop_sequences": optional(array(string(1), 0, 5)),
        "tools": optional(
            array(
                record(
                    {
                        "name": string(1, 64),
                        "description": optional(string()),
                        "parameter_definitions": optional(_named(_PARAMETER)),
                    },
                    required=("name",),
                )
            )
        ),
        "tool_results": _RESULTS,
        "prompt_truncation": only("OFF", why="cutting of prompts that are too long"),
        "search_queries_only": only(False, why="search queries in this body format"),
        "return_prompt": only(False, why="the prompt in the answer"),
        "raw_prompting": only(False, why="raw prompts in this body format"),
        "force_single_step": optional(boolean),
    },
    required=("message",),
)
_TYPES: Mapping[str, str] = {
    "str": "string",
    "string": "string",
    "int": "integer",
    "integer": "integer",
    "float": "number",
    "number": "number",
    "bool": "boolean",
    "boolean": "boolean",
}
_LIST = re.compile(r"(?:list|array)(?:\[(?P<item>.+)\])?", re.IGNORECASE)
_DICT = re.compile(r"(?:dict|object)(?:\[\s*str\s*,\s*(?P<value>.+)\])?", re.IGNORECASE)
_DEEPEST = 8


def read(body: Any) -> GenerationRequest:
    """From the body."""
    read_body(body, BODY)
    system = [body["preamble"]] if body.get("preamble") else []
    turns: list[Message] = []
    for index, each in enumerate(body.get("chat_history") or ()):
        if each["role"] == "SYSTEM":
            system.append(each.get("message") or "")
        else:
            turns += _turn(each, turns, f"#/chat_history/{index}")
    documents = tuple(_document(each, index) for index, each in enumerate(body.get("documents") or ()))
    asked: tuple[Block, ...] = (Text(body["message"]),) if body["message"].strip() else ()
    if asked or documents:
        turns.append(Message("user", (*documents, *asked)))
    if body.get("tool_results"):
        turns += _results(body["tool_results"], turns, "#/tool_results")
    return GenerationRequest(
        check_turns(merge_turns(turns)),
        "\n\n".join(filter(None, system)),
        sampling=settled(
            Sampling(
                max_tokens=body.get("max_tokens"),
                temperature=body.get("temperature", 0.3),
                top_p=body.get("p", 0.75),
                top_k=body.get("k", 0),
                seed=body.get("seed"),
                stop=tuple(body.get("stop_sequences") or ()),
                frequency_penalty=body.get("frequency_penalty"),
                presence_penalty=body.get("presence_penalty"),
            )
        ),
        tools=tuple(_tools(body.get("tools") or ())),
    )


def _turn(entry: Json, before: Sequence[Message], at: str) -> list[Message]:
    text = entry.get("message") or ""
    said: tuple[Block, ...] = (Text(text),) if text.strip() else ()
    if entry["role"] == "TOOL" or entry.get("tool_results"):
        return _results(entry.get("tool_results") or (), before, at)
    if entry["role"] == "CHATBOT":
        said += tuple(_use(call, place, len(before)) for place, call in enumerate(entry.get("tool_calls") or ()))
    if not said:
        raise InvalidRequest(f"{at}: the message is blank; add text and try again")
    return [Message("assistant" if entry["role"] == "CHATBOT" else "user", said)]


def _results(results: Sequence[Json], before: Sequence[Message], at: str) -> list[Message]:
    """The turn that holds results, and before it the one that asked for them, where the client left that out."""
    last = before[-1] if before else None
    uses = [block for block in last.content if isinstance(block, ToolUse)] if last else []
    asked: list[Message] = []
    if not uses:
        made = tuple(_use(each["call"], place, len(before)) for place, each in enumerate(results))
        asked, uses = [Message("assistant", made)], list(made)
    open_ = list(uses)
    blocks = []
    for index, each in enumerate(results):
        call = each["call"]
        use = next((one for one in open_ if (one.name, one.input) == (call["name"], call["parameters"])), None)
        if use is None:
            raise InvalidRequest(
                f"{at}/{index}/call: the model did not call {call['name'][:80]!r} with these parameters"
            )
        open_.remove(use)
        blocks.append(ToolResult(use.id, "\n".join(msgspec.json.encode(one).decode() for one in each["outputs"])))
    if open_:
        raise InvalidRequest(f"{at}: the call of {open_[0].name[:80]!r} is not answered; add its result")
    return [*asked, Message("user", tuple(blocks))]


def _use(call: Json, place: int, turn: int) -> ToolUse:
    # Cohere's calls have no ids; ours need one that is the same each time the conversation comes back.
    return ToolUse(f"call_{turn}_{place}", call["name"], call["parameters"])


def _document(document: Json, index: int) -> Document:
    """A document: `title`, if there is one, names it; every other field is text to read."""
    name = str(document.get("title") or document.get("id") or f"doc_{index}")
    fields = {key: value for key, value in document.items() if key not in ("title", "id")}
    texts = {key: value if isinstance(value, str) else _text(value) for key, value in fields.items()}
    if not any(text.strip() for text in texts.values()):
        raise InvalidRequest(f"#/documents/{index}: the document holds no text; give it a snippet")
    if len(texts) == 1:
        return Document(name, next(iter(texts.values())))
    return Document(name, "\n".join(f"{key}: {text}" for key, text in texts.items()))


def _text(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _tools(tools: Sequence[Json]) -> Iterator[ToolSpec]:
    names: set[str] = set()
    for index, tool in enumerate(tools):
        at = f"#/tools/{index}"
        check_name(tool["name"], f"{at}/name", names)
        names.add(tool["name"])
        properties, required = {}, []
        for name, each in (tool.get("parameter_definitions") or {}).items():
            schema = python_type(each["type"], f"{at}/parameter_definitions/{name[:80]}/type")
            properties[name] = schema | ({"description": each["description"]} if each.get("description") else {})
            if each.get("required"):
                required.append(name)
        yield ToolSpec(
            tool["name"],
            tool.get("description") or "",
            {"type": "object", "properties": properties, "required": required},
        )


def python_type(name: str, at: str, depth: int = 0) -> Json:
    """The JSON Schema of a type as Cohere names it: `str`, `int`, `float`, `bool`, `List[str]`, `Dict[str, int]`.

    Raises:
        InvalidRequest: it is another.

    >>> python_type("List[int]", "#")
    {'type': 'array', 'items': {'type': 'integer'}}
    """
    name = name.strip()
    if (plain := _TYPES.get(name.lower())) is not None:
        return {"type": plain}
    if depth < _DEEPEST and (found := _LIST.fullmatch(name)) is not None:
        return {"type": "array"} | ({"items": python_type(found["item"], at, depth + 1)} if found["item"] else {})
    if depth < _DEEPEST and (found := _DICT.fullmatch(name)) is not None:
        inner = {"additionalProperties": python_type(found["value"], at, depth + 1)} if found["value"] else {}
        return {"type": "object"} | inner
    raise InvalidRequest(f"{at}: {name[:80]!r} is no type; use str, int, float, bool, List[...] or Dict[str, ...]")


def write(answer: Answer, facts: AnswerFacts) -> Json:
    """The answer's body. No citations are claimed, since none are computed."""
    calls = [_write_call(call) for call in tool_uses(answer)]
    return _whole(answer.text, calls, answer.finish, facts)


def chunks(facts: AnswerFacts) -> ChunkWriter:
    """An event per piece of text, one with all calls, and the end with the whole answer."""
    said: list[str] = []
    calls: list[Json] = []
    gather = WholeCalls()

    def write_chunk(event: Event) -> list[Json]:
        if isinstance(event, TextDelta):
            said.append(event.text)
            return [{"event_type": "text-generation", "text": event.text, "is_finished": False}]
        if isinstance(event, Finish):
            whole = _whole("".join(said), calls, event, facts)
            end = {
                "event_type": "stream-end",
                "is_finished": True,
                "finish_reason": whole["finish_reason"],
                "response": whole,
            }
            used = {"event_type": "tool-calls-generation", "tool_calls": calls, "text": "", "is_finished": False}
            return [used, end] if calls else [end]
        if (call := gather.feed(event)) is not None:
            calls.append(_write_call(call))
        return []

    return write_chunk


def _write_call(call: ToolUse) -> Json:
    return {"name": call.name, "parameters": call.input}


def _whole(text: str, calls: list[Json], finish: Finish, facts: AnswerFacts) -> Json:
    history = list(facts.body.get("chat_history") or ())
    if facts.body.get("message"):
        history.append({"role": "USER", "message": facts.body["message"]})
    if facts.body.get("tool_results"):
        history.append({"role": "TOOL", "tool_results": facts.body["tool_results"]})
    history.append({"role": "CHATBOT", "message": text, **({"tool_calls": calls} if calls else {})})
    return {
        "response_id": dashed(facts.id),
        "generation_id": dashed(facts.id[16:] + facts.id[:16]),
        "text": text,
        "citations": [],
        "finish_reason": REASONS.get(finish.reason, "COMPLETE"),
        **({"tool_calls": calls} if calls else {}),
        "chat_history": history,
    }


PROFILE = TextProfile(
    "Cohere Command R", ("cohere.command-r-*", "cohere.command-a-*"), read, write, chunks, body=BODY, tools=True
)

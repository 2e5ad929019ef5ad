"""Structured output, tool calls and the prefix cache, on the embedded model.

`python -m benchmarks.tools [--schemas N] [--model ID]`

1. Random schemas as `outputConfig`, and as a tool that must be called: every answer that ends by itself must be valid.
2. What the grammar costs: time per token of free text, of JSON under a schema, and of text that might become a call.
3. A prefix of half the model's context, sent twice: time to the first token of both, and the cache's own figures.
"""

from __future__ import annotations

import argparse
import json
import secrets
import statistics
import time
from collections import Counter
from typing import Any

from jsonschema import Draft202012Validator

from benchmarks.harness import RESULTS, client, report, server, spread
from rocamadre.testing.schemas import random_schema

MOST_TOKENS = 1024
TOOL = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
FILLER = "The river was low that year. Boats lay on the mud, and the children walked across it to pick plums. "


def text_of(answer: dict[str, Any]) -> str:
    return "".join(block.get("text", "") for block in answer["output"]["message"]["content"])


def ask(bedrock: Any, model: str, text: str, **more: Any) -> dict[str, Any]:
    config = {"maxTokens": MOST_TOKENS, "temperature": 1.0} | more.pop("config", {})
    messages = [{"role": "user", "content": [{"text": text}]}]
    answer: dict[str, Any] = bedrock.converse(modelId=model, messages=messages, inferenceConfig=config, **more)
    return answer


def as_output(schema: dict[str, Any]) -> dict[str, Any]:
    structure = {"jsonSchema": {"name": "answer", "schema": json.dumps(schema)}}
    return {"outputConfig": {"textFormat": {"type": "json_schema", "structure": structure}}}


def as_tool(schema: dict[str, Any], choice: str = "any") -> dict[str, Any]:
    tool = {"toolSpec": {"name": "note", "inputSchema": {"json": schema}, "strict": True}}
    return {"toolConfig": {"tools": [tool], "toolChoice": {choice: {}}}}


def valid(schema: dict[str, Any], value: Any) -> bool:
    checker = Draft202012Validator.FORMAT_CHECKER
    return Draft202012Validator(schema, format_checker=checker).is_valid(value)


def schemas(bedrock: Any, model: str, count: int) -> dict[str, Any]:
    """Each schema once as the answer's form and once as a tool's input."""
    seen: dict[str, Counter[str]] = {"structured_output": Counter(), "tool_calls": Counter()}
    for seed in range(count):
        schema = random_schema(seed)
        seeded = {"additionalModelRequestFields": {"seed": seed}}
        answer = ask(bedrock, model, "Write a record about a town.", **as_output(schema), **seeded)
        if answer["stopReason"] == "end_turn":
            outcome = "valid" if valid(schema, json.loads(text_of(answer))) else "invalid"
        else:
            outcome = answer["stopReason"]
        seen["structured_output"][outcome] += 1
        answer = ask(bedrock, model, "Note a record about a town.", **as_tool(schema), **seeded)
        if answer["stopReason"] == "tool_use":
            calls = [block["toolUse"]["input"] for block in answer["output"]["message"]["content"]]
            outcome = "valid" if calls and all(valid(schema, call) for call in calls) else "invalid"
        else:
            outcome = answer["stopReason"]
        seen["tool_calls"][outcome] += 1
    return {
        name: {**found, "schemas": count, "share_cut_by_the_limit": round(found["max_tokens"] / count, 4)}
        for name, found in seen.items()
    }


def _per_token_ms(bedrock: Any, model: str, least: int, **more: Any) -> float:
    """Milliseconds per token after the first, over answers of at least so many tokens in all.

    What an answer of one token takes (the prompt is in the cache by then) is taken off each. Whole answers are timed,
    since what may become a call is held back, and shows in no stream when it is made.
    """
    fields = more.pop("additionalModelRequestFields", {})

    def timed(seed: int, most: int) -> tuple[float, int]:
        began = time.perf_counter()
        answer = ask(
            bedrock,
            model,
            "Write a long story about a town by the sea.",
            config={"maxTokens": most},
            additionalModelRequestFields={"seed": seed, **fields},
            **more,
        )
        return time.perf_counter() - began, answer["usage"]["outputTokens"]

    timed(0, 1)
    first = statistics.median(timed(seed, 1)[0] for seed in range(3))
    tokens, elapsed, seed = 0, 0.0, 0
    while tokens < least:
        seed += 1
        took, count = timed(seed, 400)
        tokens += count - 1
        elapsed += took - first
    return elapsed * 1000 / tokens


def overhead(bedrock: Any, model: str, runs: int) -> dict[str, Any]:
    """Three kinds of generation, in turns; the ratio of each round."""
    long_list = {
        "type": "array",
        "minItems": 30,
        "items": {
            "type": "object",
            "properties": {"name": {"type": "string", "minLength": 20}, "n": {"type": "integer"}},
            "required": ["name", "n"],
        },
    }  # fmt: skip
    kinds: dict[str, dict[str, Any]] = {
        "free_text": {},
        "json_by_schema": as_output(long_list),
        "text_that_may_call": as_tool(TOOL, "auto"),
    }
    times: dict[str, list[float]] = {name: [] for name in kinds}
    for _ in range(runs):
        for name, more in kinds.items():
            times[name].append(_per_token_ms(bedrock, model, 1500, **more))
    ratios = {
        f"{name}_over_free_text": spread(
            [mine / free for mine, free in zip(times[name], times["free_text"], strict=True)]
        )
        for name in kinds
        if name != "free_text"
    }
    return {"ms_per_token": {name: spread(values) for name, values in times.items()}, **ratios, "aim": 1.1}


def _first_token(bedrock: Any, model: str, prefix: str, question: str) -> tuple[float, dict[str, int]]:
    content = [{"text": prefix}, {"cachePoint": {"type": "default"}}, {"text": question}]
    began = time.perf_counter()
    stream = bedrock.converse_stream(
        modelId=model,
        messages=[{"role": "user", "content": content}],
        inferenceConfig={"maxTokens": 4, "temperature": 0},
    )["stream"]
    first = 0.0
    usage: dict[str, int] = {}
    for event in stream:
        if not first and "contentBlockDelta" in event:
            first = time.perf_counter() - began
        if "metadata" in event:
            usage = event["metadata"]["usage"]
    return first * 1000, usage


def prefix_cache(bedrock: Any, model: str, runs: int) -> dict[str, Any]:
    """New prefixes of half the context, each asked about twice."""
    count = bedrock.count_tokens(
        modelId=model, input={"converse": {"messages": [{"role": "user", "content": [{"text": FILLER * 10}]}]}}
    )["inputTokens"]
    context = 2048
    cold, warm, ratios, read = [], [], [], []
    for _ in range(runs):
        prefix = secrets.token_hex(4) + " " + FILLER * (10 * (context // 2) // count)
        first, written = _first_token(bedrock, model, prefix, "What did the children pick?")
        second, taken = _first_token(bedrock, model, prefix, "Who walked across?")
        cold.append(first)
        warm.append(second)
        ratios.append(first / second)
        read.append(taken["cacheReadInputTokens"] / max(1, written["cacheWriteInputTokens"]))
    return {
        "prefix_tokens": written["cacheWriteInputTokens"],
        "first_token_ms": {"cold": spread(cold), "warm": spread(warm)},
        "times_faster": spread(ratios),
        "share_of_written_that_was_read": statistics.median(read),
        "bar": 3.0,
    }


def _last() -> Any:
    return json.loads((RESULTS / "tools.json").read_text())["random_schemas"]


def main() -> None:
    """Run and report."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--model", default="roca-mini")
    arguments.add_argument("--schemas", type=int, default=500, help="0 keeps the figures of the last run")
    arguments.add_argument("--runs", type=int, default=9)
    options = arguments.parse_args()
    settings = {"ENGINES__THREADS": "1", "LOG__LEVEL": "WARNING", "SERVER__REQUEST_TIMEOUT_S": "300"}
    with server(settings=settings) as (address, _, _home):
        bedrock = client("bedrock-runtime", address)
        ask(bedrock, options.model, "Hello", config={"maxTokens": 4})
        figures = {
            "random_schemas": schemas(bedrock, options.model, options.schemas) if options.schemas else _last(),
            "overhead": overhead(bedrock, options.model, options.runs),
            "prefix_cache": prefix_cache(bedrock, options.model, options.runs),
        }
    report("tools", {"model": options.model, "max_tokens": MOST_TOKENS, **figures})


if __name__ == "__main__":
    main()

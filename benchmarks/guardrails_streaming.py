"""What a guardrail costs a stream: `python -m benchmarks.guardrails_streaming [--model ID] [--runs N]`.

The same questions through ConverseStream, in turns, with a seed: plain; with words and personal data, which hold text
back until their longest match is certain; with every policy that judges answers; and with those beside the stream
(async). Asked are the questions that the model answers with most words: a letter repeated would leave nothing to
examine.
The bar: at most 15 % fewer tokens per second in sync mode. Text comes later by what is held back: told too.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import statistics
import time
from typing import Any

import aiohttp

from benchmarks.embeddings import SIGNED
from benchmarks.generation import CANDIDATES
from benchmarks.harness import client, report, server, spread

TOKENS = 384
QUESTIONS = 8
BAR = 0.15

EXACT: dict[str, Any] = {
    "wordPolicyConfig": {
        "wordsConfig": [{"text": f"forbidden phrase {number}"} for number in range(200)],
        "managedWordListsConfig": [{"type": "PROFANITY", "outputAction": "NONE"}],
    },
    "sensitiveInformationPolicyConfig": {
        "piiEntitiesConfig": [
            {"type": kind, "action": "ANONYMIZE"}
            for kind in ("NAME", "EMAIL", "PHONE", "ADDRESS", "CREDIT_DEBIT_CARD_NUMBER", "IP_ADDRESS", "URL")
        ],
        "regexesConfig": [{"name": "ORDER", "pattern": "ORD-[0-9]{6}", "action": "ANONYMIZE"}],
    },
}
WHOLE: dict[str, Any] = {
    # What is found is told and stops nothing: a stream that is stopped early would not be measured.
    "contentPolicyConfig": {
        "filtersConfig": [
            {"type": kind, "inputStrength": "NONE", "outputStrength": "HIGH", "outputAction": "NONE"}
            for kind in ("HATE", "INSULTS", "SEXUAL", "VIOLENCE", "MISCONDUCT")
        ]
    },
    "topicPolicyConfig": {
        "topicsConfig": [
            {
                "name": "Investments",
                "definition": "Advice on what to do with money: shares, funds, coins.",
                "examples": ["Which shares should I buy?"],
                "type": "DENY",
                "inputEnabled": False,
                "outputAction": "NONE",
            }
        ]
    },
}


async def _ask(session: aiohttp.ClientSession, model: str, question: str, config: dict[str, str]) -> dict[str, float]:
    """One stream: tokens, about as many words, seconds in all and to the first text."""
    body: dict[str, Any] = {
        "messages": [{"role": "user", "content": [{"text": question}]}],
        "inferenceConfig": {"maxTokens": TOKENS, "temperature": 1.0},
        "additionalModelRequestFields": {"seed": 7, "repetition_penalty": 1.1},
    }
    if config:
        body["guardrailConfig"] = config
    started = time.perf_counter()
    first, last, words = 0.0, b"", 0
    async with session.post(f"/model/{model}/converse-stream", data=json.dumps(body), headers=SIGNED) as response:
        if response.status != 200:
            raise SystemExit(f"{response.status} {await response.text()}")
        async for data in response.content.iter_any():
            if not first and b"contentBlockDelta" in data:
                first = time.perf_counter() - started
            words += sum(text.count(b" ") for text in re.findall(rb'"text":"([^"]*)"', data))
            last = (last + data)[-4096:]
    counted = re.search(rb'"outputTokens":(\d+)', last)
    assert counted is not None
    assert int(counted[1]), "the guardrail stopped a stream that is to be measured"
    return {"tokens": int(counted[1]), "seconds": time.perf_counter() - started, "first": first, "words": words}


async def measure(address: str, model: str, ways: dict[str, dict[str, str]], runs: int) -> dict[str, Any]:
    """Ask in turns, each way in each run, and compare within the run."""
    rates: dict[str, list[float]] = {name: [] for name in ways}
    firsts: dict[str, list[float]] = {name: [] for name in ways}
    async with aiohttp.ClientSession(address, timeout=aiohttp.ClientTimeout(600)) as session:
        tried = [(question, await _ask(session, model, question, {})) for question in CANDIDATES]
        longest = sorted(tried, key=lambda each: -each[1]["words"])[:QUESTIONS]
        questions = [question for question, _ in longest]
        for run in range(runs + 1):
            asked: dict[str, list[dict[str, float]]] = {name: [] for name in ways}
            for place, question in enumerate(questions):
                # Each question goes every way before the next, in another order: whatever else the machine does in
                # those seconds, it does to all.
                names = [*list(ways)[place % len(ways) :], *list(ways)[: place % len(ways)]]
                for name in names:
                    asked[name].append(await _ask(session, model, question, ways[name]))
            if not run:
                continue  # Prompts are read, and policies loaded, once.
            for name, each in asked.items():
                rates[name].append(sum(one["tokens"] for one in each) / sum(one["seconds"] for one in each))
                firsts[name].append(statistics.median(one["first"] for one in each) * 1000)
    return {
        "tokens_per_answer": spread([each["tokens"] for _, each in longest]),
        "words_per_answer": spread([each["words"] for _, each in longest]),
        "tokens_per_second": {name: spread(values) for name, values in rates.items()},
        "first_text_ms": {name: spread(values) for name, values in firsts.items()},
        "overhead": {
            name: spread([1 - one / plain for one, plain in zip(rates[name], rates["plain"], strict=True)])
            for name in ways
            if name != "plain"
        },
    }


def _guardrail(address: str, name: str, policies: dict[str, Any]) -> str:
    made = client("bedrock", address).create_guardrail(
        name=name, blockedInputMessaging="No.", blockedOutputsMessaging="No.", **policies
    )
    return str(made["guardrailId"])


def main() -> int:
    """Run and report; 1 when the bar is missed."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--model", default="roca-mini")
    arguments.add_argument("--runs", type=int, default=7)
    given = arguments.parse_args()
    with server() as (address, _, _):
        exact = {"guardrailIdentifier": _guardrail(address, "exact", EXACT), "guardrailVersion": "DRAFT"}
        every = {"guardrailIdentifier": _guardrail(address, "every", EXACT | WHOLE), "guardrailVersion": "DRAFT"}
        ways = {
            "plain": {},
            "words_and_personal_data": exact,
            "all_policies": every,
            "all_policies_async": {**every, "streamProcessingMode": "async"},
        }
        figures = asyncio.run(measure(address, given.model, ways, given.runs))
    in_step = ("words_and_personal_data", "all_policies")
    kept = all(figures["overhead"][name]["median"] < BAR for name in in_step)
    report("guardrails_streaming", {"model": given.model, "bar": BAR, "kept": kept, **figures})
    return 0 if kept else 1


if __name__ == "__main__":
    raise SystemExit(main())

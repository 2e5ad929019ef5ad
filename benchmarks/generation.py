"""Tokens per second through ConverseStream at concurrency 1 and 8, beside the engine called directly.

`python -m benchmarks.generation [--model ID] [--runs N]`

Direct and served runs ask the same engine process for the same prompts, greedily, in turns: directly over its own unix
socket, and through the Bedrock wire on TCP. The bar: at least 95 % of the engine called directly.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import statistics
import time
from pathlib import Path

import aiohttp

from benchmarks.embeddings import SIGNED
from benchmarks.harness import report, server, spread

TOKENS = 512
QUESTIONS = 8
CANDIDATES = tuple(
    f"{ask} {subject}"
    for ask in (
        "Write a long story about",
        "Tell me the history of",
        "Write code in Python for",
        "Conte uma história sobre",
    )
    for subject in ("a dog.", "Rome.", "a list.", "the sea.", "Spain.", "a clock.", "numbers.", "Brazil.")
)


async def _served(session: aiohttp.ClientSession, model: str, question: str) -> tuple[int, float]:
    """Generate once through the server; tokens, and seconds to the first frame that holds text."""
    body = {
        "messages": [{"role": "user", "content": [{"text": question}]}],
        "inferenceConfig": {"maxTokens": TOKENS, "temperature": 0},
    }
    started = time.perf_counter()
    first, last = 0.0, b""
    async with session.post(f"/model/{model}/converse-stream", data=json.dumps(body), headers=SIGNED) as response:
        if response.status != 200:
            raise SystemExit(f"{response.status} {await response.text()}")
        async for data in response.content.iter_any():
            if not first and b"contentBlockDelta" in data:
                first = time.perf_counter() - started
            last = (last + data)[-4096:]
    counted = re.search(rb'"outputTokens":(\d+)', last)
    assert counted is not None
    return int(counted[1]), first


async def _direct(session: aiohttp.ClientSession, prompt: str) -> tuple[int, float]:
    """Generate once over the engine's own socket."""
    body = {
        "prompt": prompt,
        "n_predict": TOKENS,
        "stream": True,
        "temperature": 0,
        "samplers": ["temperature"],
        "top_k": 0,
        "cache_prompt": True,
        "repeat_last_n": 0,
    }
    started = time.perf_counter()
    first, last = 0.0, b""
    async with session.post("/completion", json=body) as response:
        async for data in response.content.iter_any():
            if not first:
                first = time.perf_counter() - started
            last = (last + data)[-16384:]
    final = json.loads(last[last.rindex(b"data: ") + 6 :])
    return int(final["tokens_predicted"]), first


async def _rate(generate: object, concurrency: int, rounds: int) -> tuple[float, float]:
    """Tokens per second and median seconds to the first token, of `rounds` generations by each worker."""
    firsts: list[float] = []

    async def worker(index: int) -> int:
        tokens = 0
        for turn in range(rounds):
            count, first = await generate((index + turn) % QUESTIONS)  # type: ignore[operator]
            tokens += count
            firsts.append(first)
        return tokens

    started = time.perf_counter()
    counts = await asyncio.gather(*(worker(index) for index in range(concurrency)))
    return sum(counts) / (time.perf_counter() - started), statistics.median(firsts)


async def measure(address: str, home: Path, model: str, runs: int) -> dict[str, object]:
    """Alternate direct and served runs at both concurrencies."""
    figures: dict[str, object] = {}
    async with aiohttp.ClientSession(address) as through:
        # Speed is a matter of long answers: those questions are asked that this model answers at length.
        lengths = [(await _served(through, model, question))[0] for question in CANDIDATES]
        longest = sorted(range(len(CANDIDATES)), key=lambda index: -lengths[index])[:QUESTIONS]
        questions = [CANDIDATES[index] for index in longest]
        figures["tokens_per_answer"] = spread([lengths[index] for index in longest])
        socket = next((home / "sock").glob("*.sock"))
        async with aiohttp.ClientSession(
            "http://engine", connector=aiohttp.UnixConnector(str(socket), force_close=True)
        ) as straight:
            prompts = []
            for question in questions:
                messages = [{"role": "user", "content": question}]
                async with straight.post("/apply-template", json={"messages": messages}) as response:
                    prompts.append((await response.json())["prompt"])
            for concurrency in (1, 8):
                rates: dict[str, list[float]] = {"direct": [], "served": []}
                firsts: dict[str, list[float]] = {"direct": [], "served": []}
                for _ in range(runs):
                    for name, generate in (
                        ("direct", lambda index: _direct(straight, prompts[index])),
                        ("served", lambda index: _served(through, model, questions[index])),
                    ):
                        rate, first = await _rate(generate, concurrency, 4 if concurrency == 1 else 1)
                        rates[name].append(rate)
                        firsts[name].append(first * 1000)
                ratios = [served / direct for served, direct in zip(rates["served"], rates["direct"], strict=True)]
                figures[f"concurrency_{concurrency}"] = {
                    "tokens_per_second": {name: spread(values) for name, values in rates.items()},
                    "first_token_ms": {name: spread(values) for name, values in firsts.items()},
                    "share_of_direct": spread(ratios),
                }
    return figures


def main() -> None:
    """Run and report."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--model", default="roca-mini")
    arguments.add_argument("--runs", type=int, default=7)
    options = arguments.parse_args()
    with server(settings={"ENGINES__THREADS": "1", "LOG__LEVEL": "WARNING"}) as (address, _, home):
        figures = asyncio.run(measure(address, home, options.model, options.runs))
    report("generation", {"model": options.model, "engine_threads": 1, **figures, "bar": 0.95})


if __name__ == "__main__":
    main()

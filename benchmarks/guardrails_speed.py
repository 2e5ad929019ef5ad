"""Time and memory of guardrails, for benchmarks/guardrails.py: `python -m benchmarks.guardrails_speed --data DIR`.

Each figure comes from a process of its own on one core with one thread. Times are processor time of texts of 1,000
characters in three languages, so that others at work on the machine change little.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import guardrails_pii
from benchmarks.guardrails_sets import CASES, FILTERS, rows
from benchmarks.harness import ROOT

LONG = 10_000_000
SOURCE = 3_000
"""Characters of the grounding source."""
PARTS = {
    "contentPolicy": "content filters",
    "topicPolicy": "ten topics",
    "wordPolicy": "200 words and profanity",
    "sensitiveInformationPolicy": "31 types of personal data and an expression",
    "contextualGroundingPolicy": "grounding and relevance, source of 3,000 characters",
}


def settings() -> dict[str, Any]:
    """Every policy, as CreateGuardrail takes them."""
    from rocamadre.guardrails.policies.sensitive import TYPES

    topics = [row for row in rows(CASES / "topics.jsonl") if row["language"] == "en"]
    return {
        "contentPolicyConfig": {
            "filtersConfig": [
                {"type": each, "inputStrength": "HIGH", "outputStrength": "NONE" if each == "PROMPT_ATTACK" else "HIGH"}
                for each in FILTERS
            ]
        },
        "topicPolicyConfig": {
            "topicsConfig": [
                {"type": "DENY", **{name: row[name] for name in ("name", "definition", "examples")}} for row in topics
            ]
        },
        "wordPolicyConfig": {
            "wordsConfig": [{"text": f"forbidden phrase {number}"} for number in range(200)],
            "managedWordListsConfig": [{"type": "PROFANITY"}],
        },
        "sensitiveInformationPolicyConfig": {
            "piiEntitiesConfig": [{"type": each, "action": "ANONYMIZE"} for each in sorted(TYPES)],
            "regexesConfig": [{"name": "ORDER", "pattern": "ORD-[0-9]{6}", "action": "ANONYMIZE"}],
        },
        "contextualGroundingPolicyConfig": {
            "filtersConfig": [{"type": "GROUNDING", "threshold": 0.7}, {"type": "RELEVANCE", "threshold": 0.5}]
        },
    }


def guardrail(policies: dict[str, Any]) -> Any:
    """A version with these policies, compiled."""
    from rocamadre.guardrails.engine import compile_guardrail
    from rocamadre.guardrails.types import Version

    now = datetime.now(UTC)
    made = Version("arn", "id", "DRAFT", "all", "", policies, "No.", "No.", "", "", "digest", now, now)
    return compile_guardrail(made)


def examiner(policies: dict[str, Any], side: str) -> Any:
    """A function of a text: the guardrail's work on it."""
    from rocamadre.guardrails.engine import Content
    from rocamadre.guardrails.policies.protocol import Source

    made, source = guardrail(policies), Source(side)

    def examine(text: str) -> None:
        contents = [Content(text)]
        if source is Source.OUTPUT and "contextualGroundingPolicyConfig" in policies:
            background = (text[500:] + text[:500]) * (SOURCE // 1000)
            contents += [
                Content(background, frozenset({"grounding_source"})),
                Content("What does the text say about it?", frozenset({"query"})),
            ]
        made.examine(contents, source)

    return examine


def texts_of(data: Path) -> list[str]:
    return guardrails_pii.thousands(guardrails_pii.load(data))


def times(data: Path, seconds: float) -> dict[str, Any]:
    """Texts per second and milliseconds of all policies together, and of each."""
    texts, policies = texts_of(data), settings()
    wanted = {
        "all policies, a prompt": ({k: v for k, v in policies.items() if "Grounding" not in k}, "INPUT"),
        "all policies, an answer without a source": (
            {k: v for k, v in policies.items() if "Grounding" not in k},
            "OUTPUT",
        ),
        "all policies, an answer with its source": (policies, "OUTPUT"),
        **{title: ({f"{name}Config": policies[f"{name}Config"]}, "OUTPUT") for name, title in PARTS.items()},
    }
    one = policies["topicPolicyConfig"]["topicsConfig"][:1]
    wanted["one topic"] = ({"topicPolicyConfig": {"topicsConfig": one}}, "OUTPUT")
    made: dict[str, Any] = {}
    for name, (some, side) in wanted.items():
        run = examiner(some, side)
        for text in texts[:5]:
            run(text)
        made[name] = guardrails_pii.timed(run, texts, seconds)
        print(f"{name}: {made[name]}", file=sys.stderr, flush=True)
    return made


def beside_presidio(data: Path, seconds: float) -> dict[str, Any]:
    """Personal data of the types that Presidio's patterns have, by both, in the same minute."""
    texts = texts_of(data)
    scan = guardrails_pii.ours(set(guardrails_pii.PEER.values()))
    answers = guardrails_pii.peer({"rows": [], "texts": texts, "seconds": seconds, "map": guardrails_pii.PEER})
    mine = guardrails_pii.timed(scan, texts, seconds)
    return {
        "types that Presidio has": mine,
        "Presidio's pattern recognisers": answers["speed"],
        "times Presidio": round(mine["texts_per_s"] / answers["speed"]["texts_per_s"], 1),
    }


def resident() -> float:
    """Megabytes of memory that this process holds."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return round(pages * resource.getpagesize() / 1e6, 1)


def loading(data: Path) -> dict[str, Any]:
    """Memory before and after all policies are loaded and have judged a text, and how long that takes."""
    import numpy as np

    import rocamadre.guardrails.engine  # noqa: F401

    # A server that embeds has numpy and its linear algebra at work.
    np.ones((64, 64), np.float32) @ np.ones((64, 64), np.float32)
    before, started = resident(), time.process_time()
    run = examiner(settings(), "OUTPUT")
    run("A first text, of Anna Miller in Oslo. " * 20)
    taken, after = time.process_time() - started, resident()
    return {"before_mb": before, "after_mb": after, "added_mb": round(after - before, 1), "seconds": round(taken, 2)}


def long(data: Path) -> dict[str, Any]:
    """A text of 10 MB through all policies of a prompt."""
    whole = "\n".join(texts_of(data))
    text = (whole * (LONG // len(whole) + 1))[:LONG]
    run = examiner({k: v for k, v in settings().items() if "Grounding" not in k}, "INPUT")
    run(text[:1000])
    before, started = resident(), time.process_time()
    run(text)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    return {
        "characters": LONG,
        "seconds": round(time.process_time() - started, 1),
        "before_mb": before,
        "peak_mb": round(peak, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--part", choices=("texts", "presidio", "loading", "long"))
    given = parser.parse_args()
    if given.part:
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
        if given.part in ("texts", "presidio"):
            print(json.dumps((times if given.part == "texts" else beside_presidio)(given.data, given.seconds)))
        else:
            print(json.dumps((loading if given.part == "loading" else long)(given.data)))
        return
    made = {}
    for part in ("texts", "presidio", "loading", "long"):
        command = [sys.executable, "-m", "benchmarks.guardrails_speed", "--data", str(given.data), "--part", part]
        done = subprocess.run(
            [*command, "--seconds", str(given.seconds)],
            stdout=subprocess.PIPE, text=True, cwd=ROOT, check=True,
            env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        )  # fmt: skip
        made[part] = json.loads(done.stdout)
    print(json.dumps({**made.pop("presidio"), **made}))


if __name__ == "__main__":
    main()

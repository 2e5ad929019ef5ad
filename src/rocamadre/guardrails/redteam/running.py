"""Trying probes one after another; what was tried is kept, so that a run that was cut off goes on where it was."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from rocamadre.core.errors import InvalidRequest, Unavailable
from rocamadre.guardrails.redteam.detectors import judge
from rocamadre.guardrails.redteam.types import KEPT, Ask, Attempt, Outcome, Plan, Probe, Unanswered
from rocamadre.jobs.rundir import write_whole

ATTEMPTS = "attempts.jsonl"
_IN_A_ROW = 5
"""Errors after which the service counts as broken."""


def run(
    plan: Plan,
    probes: Sequence[Probe],
    ask: Ask,
    folder: Path,
    *,
    time_limit_s: float | None = None,
    watch: Callable[[Attempt, int, int], None] = lambda attempt, done, of: None,
) -> list[Attempt]:
    """Try what has not been tried.

    Args:
        plan: What is asked; its folder goes with no other.
        probes: As `make_probes(plan)` gives them.
        ask: Sends one.
        folder: Where attempts are kept; made when it is not there.
        time_limit_s: Seconds after which no further probe is begun.
        watch: Called after each attempt with it, how many are done and how many there are.

    Returns:
        All attempts, earlier ones too; fewer than there are probes and conditions when time ran out.

    Raises:
        InvalidRequest: the folder holds another run.
        Unavailable: the service failed several times in a row.
    """
    path = folder / ATTEMPTS
    folder.mkdir(parents=True, exist_ok=True)
    kept = _resume(path, fingerprint(plan, probes))
    done = {(attempt.probe, attempt.condition) for attempt in kept}
    due = [(probe, each) for probe in probes for each in plan.conditions if (probe.id, each) not in done]
    began, failed = time.monotonic(), 0
    with path.open("ab") as stream:
        for probe, condition in due:
            if time_limit_s is not None and time.monotonic() - began >= time_limit_s:
                break
            attempt = _try(probe, condition, ask)
            failed = failed + 1 if attempt.outcome == Outcome.ERROR else 0
            if failed >= _IN_A_ROW:
                raise Unavailable(f"{failed} probes in a row were answered with an error, the last: {attempt.evidence}")
            # An error is told, not kept: the next run tries again.
            if attempt.outcome != Outcome.ERROR:
                stream.write(msgspec.json.encode(attempt.as_json()) + b"\n")
                stream.flush()
                os.fsync(stream.fileno())
            kept.append(attempt)
            watch(attempt, len(kept), len(probes) * len(plan.conditions))
    return kept


def fingerprint(plan: Plan, probes: Sequence[Probe]) -> dict[str, Any]:
    """What must be the same for attempts to belong together."""
    told = msgspec.json.encode([(probe.id, probe.system, probe.messages, probe.target) for probe in probes])
    return {
        "target": plan.target,
        "guardrail": plan.guardrail,
        "seed": plan.seed,
        "max_tokens": plan.max_tokens,
        "probes": hashlib.sha256(told).hexdigest()[:16],
    }


def _try(probe: Probe, condition: str, ask: Ask) -> Attempt:
    began = time.monotonic()
    try:
        reply = ask(probe, condition == "guarded")
    except Unanswered as error:
        return Attempt(probe.id, condition, Outcome.ERROR, str(error), seconds=time.monotonic() - began)
    outcome, evidence = judge(probe, reply)
    return Attempt(
        probe.id, condition, outcome, evidence, reply.text[:KEPT], reply.stop_reason, time.monotonic() - began
    )


def _resume(path: Path, run_facts: dict[str, Any]) -> list[Attempt]:
    """Attempts of an earlier run; a last line that was cut off is dropped."""
    head = msgspec.json.encode({"run": run_facts}) + b"\n"
    lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
    if lines and not lines[-1].endswith(b"\n"):
        lines.pop()
    if not lines:
        write_whole(path, head)
        return []
    try:
        found = msgspec.json.decode(lines[0])["run"]
        attempts = [msgspec.json.decode(line, type=Attempt) for line in lines[1:]]
    except (msgspec.DecodeError, KeyError, TypeError) as error:
        raise InvalidRequest(f"{path} is no file of attempts ({error}); choose another folder") from error
    if found != run_facts:
        other = ", ".join(f"{name} {found.get(name)!r}" for name in run_facts if found.get(name) != run_facts[name])
        raise InvalidRequest(f"{path.parent} holds another run ({other}); choose another folder, or start afresh")
    write_whole(path, b"".join(lines))
    return attempts

"""A run as one JSON document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rocamadre.guardrails.redteam.counting import Rate, by_family, by_language, by_owasp
from rocamadre.guardrails.redteam.types import OWASP, Attempt, Outcome, Plan, Probe


def make_report(plan: Plan, probes: Sequence[Probe], attempts: Sequence[Attempt], *, made_at: str) -> dict[str, Any]:
    """All figures and all attempts.

    Args:
        plan: What was asked.
        probes: All of them.
        attempts: Those made.
        made_at: When, as ISO 8601.
    """
    by_id = {probe.id: probe for probe in probes}
    due = len(probes) * len(plan.conditions)
    owasp = {entry: {"title": OWASP[entry], **rates} for entry, rates in _plain(by_owasp(probes, attempts)).items()}
    return {
        "target": plan.target,
        "guardrail": plan.guardrail or None,
        "seed": plan.seed,
        "max_tokens": plan.max_tokens,
        "made_at": made_at,
        "probes": len(probes),
        "attempts_due": due,
        "attempts_made": len(attempts),
        "families": _plain(by_family(probes, attempts)),
        "languages": _plain(by_language(probes, attempts)),
        "owasp": owasp,
        "owasp_not_probed": {entry: title for entry, title in OWASP.items() if entry not in owasp},
        "escaped": [each.probe for each in attempts if each.outcome == Outcome.ESCAPED],
        "attempts": [
            attempt.as_json()
            | {
                "family": by_id[attempt.probe].family,
                "language": by_id[attempt.probe].language,
                "technique": by_id[attempt.probe].technique,
                "owasp": list(by_id[attempt.probe].owasp),
                "attack": by_id[attempt.probe].attack,
            }
            for attempt in attempts
        ],
    }


def _plain(groups: Mapping[str, Mapping[str, Rate]]) -> dict[str, dict[str, Any]]:
    return {
        key: {condition: rate.as_json() for condition, rate in conditions.items()} for key, conditions in groups.items()
    }

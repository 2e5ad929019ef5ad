"""InvokeGuardrailChecks: scores of messages, without a guardrail and without an action."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from rocamadre.api.handlers import handles
from rocamadre.core.context import Context
from rocamadre.core.errors import InvalidRequest
from rocamadre.guardrails.assessment import UNIT
from rocamadre.guardrails.checks import Piece, entities, severities

MOST_TEXTS = 10
"""In one message."""


@handles("bedrock-runtime", "InvokeGuardrailChecks")
async def invoke_guardrail_checks(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """How much of each category messages show, from 0 to 1, and where personal data stands in them."""
    checks = {name: wanted for name, wanted in request["checks"].items() if wanted}
    if not checks:
        raise InvalidRequest("checks is empty; give contentFilter, promptAttack or sensitiveInformation")
    for name, wanted in checks.items():
        _check_unique(name, wanted)
    pieces = _pieces(request["messages"])
    results = await asyncio.to_thread(_results, pieces, checks)
    units = -(-sum(len(piece.text) for piece in pieces) // UNIT)
    return {"results": results, "usage": {name: {"textUnits": units} for name in results}}


def _pieces(messages: Sequence[Mapping[str, Any]]) -> list[Piece]:
    pieces = []
    for number, message in enumerate(messages):
        if len(message["content"]) > MOST_TEXTS:
            raise InvalidRequest(
                f"messages.{number} has {len(message['content'])} texts; {MOST_TEXTS} are allowed in one message"
            )
        for place, block in enumerate(message["content"]):
            pieces.append(Piece(block["text"], number, place, message["role"] == "system"))
    return pieces


def _check_unique(name: str, wanted: Mapping[str, Any]) -> None:
    items = [each.get("category") or each["type"] for each in wanted.get("categories") or wanted["entities"]]
    twice = next((each for at, each in enumerate(items) if each in items[:at]), None)
    if twice is not None:
        raise InvalidRequest(f"checks.{name} names {twice} twice; once is allowed")


def _results(pieces: Sequence[Piece], checks: Mapping[str, Any]) -> dict[str, Any]:
    results: dict[str, Any] = {}
    for name, attacks in (("contentFilter", False), ("promptAttack", True)):
        if name in checks:
            categories = [each["category"] for each in checks[name]["categories"]]
            found = severities(pieces, categories, attacks=attacks)
            scores = [{"category": category, "severityScore": score} for category, score in found.items()]
            results[name] = {"results": scores}
    if "sensitiveInformation" in checks:
        types = [each["type"] for each in checks["sensitiveInformation"]["entities"]]
        results["sensitiveInformation"] = _entities(pieces, types)
    return results


def _entities(pieces: Sequence[Piece], types: Sequence[str]) -> dict[str, Any]:
    found, more = entities(pieces, types)
    listed = [
        {
            "type": each.type,
            "confidenceScore": each.confidence,
            "beginOffset": each.start,
            "endOffset": each.end,
            "messageIndex": each.piece.message,
            "contentIndex": each.piece.content,
        }
        for each in found
    ]
    return {"results": listed, "truncated": more}

"""ApplyGuardrail: texts through a guardrail, without a model."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from rocamadre.api.handlers import handles
from rocamadre.api.inference.guarding import embedder
from rocamadre.core.context import Context
from rocamadre.core.errors import InvalidRequest, NotBuilt
from rocamadre.guardrails.enforced import enforced_guardrails
from rocamadre.guardrails.engine import Content, Guardrail, Outcome, open_guardrail
from rocamadre.guardrails.policies.protocol import Source

_LONG = 500_000
"""Characters from which an examination takes room worth a queue: some fifty bytes for each."""

_one_at_a_time = ThreadPoolExecutor(max_workers=1, thread_name_prefix="guardrail")


@handles("bedrock-runtime", "ApplyGuardrail", missing=("content: images are refused, they are not examined",))
async def apply_guardrail(ctx: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """What a guardrail finds in texts, and what is to be shown in their place."""
    source = Source(request["source"])
    contents = [_content(number, block) for number, block in enumerate(request["content"])]
    if not contents:
        raise InvalidRequest("content is empty; give at least one text")
    guardrail, origin = await _guardrail(ctx, request["guardrailIdentifier"], request["guardrailVersion"])
    examine = partial(guardrail.examine, contents, source, embed=embedder(ctx), origin=origin)
    long = sum(len(content.text) for content in contents) > _LONG
    outcome = await asyncio.get_running_loop().run_in_executor(_one_at_a_time if long else None, examine)
    ctx.notes["guardrail"] = guardrail.version.id
    ctx.notes["guardrail_action"] = "GUARDRAIL_INTERVENED" if outcome.intervened else "NONE"
    full = request.get("outputScope") == "FULL"
    return {
        "usage": outcome.usage,
        "action": "GUARDRAIL_INTERVENED" if outcome.intervened else "NONE",
        "actionReason": outcome.reason,
        "outputs": [{"text": text} for text in _shown(contents, outcome)],
        "assessments": [outcome.full_assessment if full else outcome.assessment],
        "guardrailCoverage": outcome.coverage,
    }


def _content(number: int, block: Mapping[str, Any]) -> Content:
    if "text" not in block:
        raise NotBuilt(
            f"content.{number}: images are not examined here, and nothing is said about one that was not looked at; "
            "leave it out"
        )
    return Content(block["text"]["text"], frozenset(block["text"].get("qualifiers", ())))


async def _guardrail(ctx: Context, identifier: str, version: str) -> tuple[Guardrail, Sequence[str]]:
    """The guardrail named, or the one that the account enforces where none is named."""
    if identifier and version:
        return await open_guardrail(ctx, identifier, version), ("REQUEST",)
    if identifier or version:
        raise InvalidRequest("guardrailIdentifier and guardrailVersion go together; give both, or neither")
    enforced = await asyncio.to_thread(enforced_guardrails, ctx)
    if not enforced:
        raise InvalidRequest(
            "no guardrailIdentifier was given, and this account enforces none; name one, or enforce one with "
            "PutEnforcedGuardrailConfiguration"
        )
    opened = await open_guardrail(ctx, enforced[0].guardrail_arn, enforced[0].version)
    return opened, ("ACCOUNT_ENFORCED",)


def _shown(contents: Sequence[Content], outcome: Outcome) -> list[str]:
    """The outputs for pieces that were examined; sources and queries are the caller's own already."""
    if outcome.blocked or not outcome.outputs:
        return outcome.outputs
    return [text for content, text in zip(contents, outcome.outputs, strict=True) if content.guarded]

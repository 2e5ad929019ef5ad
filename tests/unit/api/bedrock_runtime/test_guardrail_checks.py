from __future__ import annotations

import pytest

from rocamadre.api.bedrock_runtime.guardrail_checks import invoke_guardrail_checks
from rocamadre.core.errors import InvalidRequest
from rocamadre.guardrails import checks
from rocamadre.guardrails.checks import MOST_ENTITIES

SCORES = {"HATE": 0.1, "VIOLENCE": 0.2, "JAILBREAK": 0.3, "PROMPT_LEAKAGE": 0.0}


@pytest.fixture
def scored(monkeypatch):
    """A scorer to which every exclamation mark is worth a tenth more."""

    def score(text):
        return {category: value + text.raw.count("!") / 10 for category, value in SCORES.items()}

    monkeypatch.setattr(checks.SCORERS, "load", lambda name: score)


def message(*texts, role="user"):
    return {"role": role, "content": [{"text": text} for text in texts]}


def entities(*types):
    return {"sensitiveInformation": {"entities": [{"type": kind} for kind in types]}}


def categories(name, *wanted):
    return {name: {"categories": [{"category": each} for each in wanted]}}


@pytest.mark.covers("bedrock-runtime:InvokeGuardrailChecks")
async def test_scores_are_the_highest_of_all_messages(context, scored):
    wanted = {**categories("contentFilter", "VIOLENCE", "HATE"), **categories("promptAttack", "JAILBREAK")}
    messages = [message("!!!!!!!!!!!!", role="system"), message("a", "b!"), message("c", role="assistant")]
    found = await invoke_guardrail_checks(context, {"messages": messages, "checks": wanted})
    assert found["results"] == {
        "contentFilter": {
            "results": [{"category": "VIOLENCE", "severityScore": 1.0}, {"category": "HATE", "severityScore": 1.0}]
        },
        # What a system prompt orders is no attack.
        "promptAttack": {"results": [{"category": "JAILBREAK", "severityScore": 0.4}]},
    }
    assert found["usage"] == {"contentFilter": {"textUnits": 1}, "promptAttack": {"textUnits": 1}}


async def test_personal_data_is_placed(context):
    messages = [message("hello"), message("mine is", "\u200b4111 1111 1111 1111, a@b.es")]
    found = await invoke_guardrail_checks(
        context, {"messages": messages, "checks": entities("EMAIL", "CREDIT_DEBIT_CARD_NUMBER")}
    )
    card, email = found["results"]["sensitiveInformation"]["results"]
    place = {"messageIndex": 1, "contentIndex": 1}
    assert card == {
        "type": "CREDIT_DEBIT_CARD_NUMBER",
        "confidenceScore": 0.99,
        "beginOffset": 1,
        "endOffset": 20,
        **place,
    }
    assert email == {"type": "EMAIL", "confidenceScore": 0.95, "beginOffset": 22, "endOffset": 28, **place}
    assert found["results"]["sensitiveInformation"]["truncated"] is False


async def test_more_than_can_be_told_is_said(context):
    found = await invoke_guardrail_checks(
        context, {"messages": [message("a@b.es " * (MOST_ENTITIES + 1))], "checks": entities("EMAIL")}
    )
    assert len(found["results"]["sensitiveInformation"]["results"]) == MOST_ENTITIES
    assert found["results"]["sensitiveInformation"]["truncated"] is True
    assert found["usage"] == {"sensitiveInformation": {"textUnits": 8}}


@pytest.mark.parametrize(
    ("wish", "says"),
    [
        ({"checks": {}}, "checks is empty"),
        ({"checks": entities("EMAIL", "EMAIL")}, "names EMAIL twice"),
        ({"checks": categories("contentFilter", "HATE", "HATE")}, "names HATE twice"),
        ({"messages": [message(*"abcdefghijk")]}, "messages.0 has 11 texts; 10 are allowed"),
    ],
)
async def test_what_is_refused(context, wish, says):
    with pytest.raises(InvalidRequest, match=says):
        await invoke_guardrail_checks(context, {"messages": [message("a")], "checks": entities("EMAIL")} | wish)

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace

import pytest

from rocamadre.api.bedrock.guardrails import create
from rocamadre.api.bedrock_runtime.apply_guardrail import apply_guardrail
from rocamadre.core.errors import InvalidRequest, NotBuilt, NotFound
from rocamadre.guardrails.enforced import put_configuration
from rocamadre.guardrails.engine import Guardrail
from rocamadre.guardrails.operations import create_version

EMAIL = {"type": "EMAIL", "action": "ANONYMIZE"}


@pytest.fixture
async def guardrail(context):
    wish = {
        "name": "mine",
        "blockedInputMessaging": "Not asked.",
        "blockedOutputsMessaging": "Not said.",
        "wordPolicyConfig": {"wordsConfig": [{"text": "basilisk"}]},
        "sensitiveInformationPolicyConfig": {"piiEntitiesConfig": [EMAIL]},
    }
    return (await create(context, wish))["guardrailId"]


def request(guardrail, *texts, **more):
    content = [text if isinstance(text, dict) else {"text": {"text": text}} for text in texts]
    return {"guardrailIdentifier": guardrail, "guardrailVersion": "DRAFT", "source": "INPUT", "content": content} | more


@pytest.mark.covers("bedrock-runtime:ApplyGuardrail")
async def test_texts_are_blocked_masked_or_left_alone(context, guardrail):
    blocked = await apply_guardrail(context, request(guardrail, "a basilisk", source="OUTPUT"))
    assert (blocked["action"], blocked["actionReason"]) == ("GUARDRAIL_INTERVENED", "Guardrail blocked.")
    assert blocked["outputs"] == [{"text": "Not said."}]
    masked = await apply_guardrail(context, request(guardrail, "to a@b.es", "again\u200b"))
    assert (masked["action"], masked["actionReason"]) == ("GUARDRAIL_INTERVENED", "Guardrail masked.")
    assert masked["outputs"] == [{"text": "to {EMAIL}"}, {"text": "again\u200b"}]
    assert masked["guardrailCoverage"] == {"textCharacters": {"guarded": 15, "total": 15}}
    assert masked["usage"]["wordPolicyUnits"] == 1
    (assessment,) = masked["assessments"]
    assert assessment["sensitiveInformationPolicy"]["piiEntities"][0]["match"] == "a@b.es"
    assert assessment["invocationMetrics"]["usage"] == masked["usage"]
    details = assessment["appliedGuardrailDetails"]
    assert (details["guardrailId"], details["guardrailOrigin"]) == (guardrail, ["REQUEST"])
    fine = await apply_guardrail(context, request(guardrail, "fine"))
    assert (fine["action"], fine["outputs"]) == ("NONE", [])
    assert sorted(fine["assessments"][0]) == ["appliedGuardrailDetails", "invocationMetrics"]
    assert context.notes["guardrail_action"] == "NONE"


async def test_the_full_scope_lists_what_was_not_found(context, guardrail):
    found = await apply_guardrail(context, request(guardrail, "fine", outputScope="FULL"))
    entity = {"match": "", "type": "EMAIL", "action": "NONE", "detected": False}
    assert found["assessments"][0]["sensitiveInformationPolicy"] == {"piiEntities": [entity], "regexes": []}


async def test_outputs_are_those_of_examined_texts(context, guardrail):
    query = {"text": {"text": "who is a@b.es?", "qualifiers": ["query"]}}
    found = await apply_guardrail(context, request(guardrail, query, "c@d.es", source="OUTPUT"))
    assert found["outputs"] == [{"text": "{EMAIL}"}]
    assert found["guardrailCoverage"] == {"textCharacters": {"guarded": 6, "total": 20}}


async def test_what_is_refused(context, guardrail):
    image = {"image": {"format": "png", "source": {"bytes": b"x"}}}
    with pytest.raises(NotBuilt, match=r"content\.1: images"):
        await apply_guardrail(context, request(guardrail, "fine", image))
    with pytest.raises(InvalidRequest, match="content is empty"):
        await apply_guardrail(context, request(guardrail))
    for other in ({"guardrailIdentifier": "unknown"}, {"guardrailVersion": "7"}):
        with pytest.raises(NotFound, match="does not exist"):
            await apply_guardrail(context, request(guardrail, "fine", **other))


async def test_without_a_name_the_enforced_one_is_applied(context, guardrail):
    nameless = request("", "a basilisk", guardrailVersion="")
    with pytest.raises(InvalidRequest, match="enforces none"):
        await apply_guardrail(context, nameless)
    with pytest.raises(InvalidRequest, match="go together"):
        await apply_guardrail(context, request(guardrail, "fine", guardrailVersion=""))
    create_version(context, guardrail)
    put_configuration(context, None, {"guardrailIdentifier": guardrail, "guardrailVersion": "1"})
    found = await apply_guardrail(context, nameless)
    details = found["assessments"][0]["appliedGuardrailDetails"]
    assert (details["guardrailVersion"], details["guardrailOrigin"]) == ("1", ["ACCOUNT_ENFORCED"])
    assert found["outputs"] == [{"text": "Not asked."}]


async def test_long_texts_wait_for_each_other_and_short_ones_do_not_wait(context, guardrail, monkeypatch):
    at_once, most = set(), []
    long = "x " * 300_000
    examine = Guardrail.examine

    def watched(self, contents, source, **more):
        name = threading.current_thread().name
        if len(contents[0].text) > 100:
            at_once.add(threading.get_ident())
            most.append(len(at_once))
        found = examine(self, contents, source, **more)
        if len(contents[0].text) > 100:
            at_once.discard(threading.get_ident())
        return replace(found, reason=name)

    monkeypatch.setattr(Guardrail, "examine", watched)
    answers = await asyncio.gather(*(apply_guardrail(context, request(guardrail, text)) for text in (long, "a", long)))
    assert most == [1, 1]
    assert [answer["actionReason"].startswith("guardrail") for answer in answers] == [True, False, True]

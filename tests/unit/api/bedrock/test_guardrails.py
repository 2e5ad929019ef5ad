from __future__ import annotations

import re

import pytest

from rocamadre.api.bedrock.enforced_guardrails import delete as unenforce
from rocamadre.api.bedrock.enforced_guardrails import list_all as list_enforced
from rocamadre.api.bedrock.enforced_guardrails import put as enforce
from rocamadre.api.bedrock.guardrails import create, delete, get, list_all, number, update
from rocamadre.api.bedrock.tags import list_tags_for_resource, tag_resource
from rocamadre.core.errors import Conflict, InvalidRequest, NotBuilt, NotFound, QuotaExceeded
from rocamadre.guardrails.enforced import enforced_guardrails
from rocamadre.guardrails.engine import Content, open_guardrail
from rocamadre.guardrails.operations import MOST_GUARDRAILS, MOST_VERSIONS, GuardrailInUse
from rocamadre.guardrails.policies.protocol import Source

WORDS = {"wordPolicyConfig": {"wordsConfig": [{"text": "basilisk"}]}}
KEY = "1234abcd-12ab-34cd-56ef-1234567890ab"
PROFILE = {"crossRegionConfig": {"guardrailProfileIdentifier": "us.guardrail.v1:0"}}


def request(**more):
    return {"name": "mine", "blockedInputMessaging": "Not asked.", "blockedOutputsMessaging": "Not said."} | more


async def made(ctx, **more):
    return (await create(ctx, request(**(more or WORDS))))["guardrailId"]


@pytest.mark.covers("bedrock:CreateGuardrail", "bedrock:GetGuardrail", "bedrock:DeleteGuardrail")
async def test_a_guardrail_from_birth_to_death(ctx, check_answer):
    entities = [{"type": "EMAIL", "action": "ANONYMIZE", "outputAction": "BLOCK"}]
    grounding = {"filtersConfig": [{"type": "GROUNDING", "threshold": 0.7}]}
    wish = request(
        **WORDS,
        **PROFILE,
        sensitiveInformationPolicyConfig={"piiEntitiesConfig": entities},
        contextualGroundingPolicyConfig=grounding,
        description="for tests",
        kmsKeyId=KEY,
        tags=[{"key": "team", "value": "a"}],
    )
    answer = await create(ctx, wish)
    check_answer("CreateGuardrail", answer)
    assert re.fullmatch(r"arn:aws:bedrock:us-east-1:123456789012:guardrail/[a-z0-9]{12}", answer["guardrailArn"])
    assert answer["version"] == "DRAFT"
    for name in (answer["guardrailId"], answer["guardrailArn"]):
        found = await get(ctx, {"guardrailIdentifier": name})
        check_answer("GetGuardrail", found)
    assert (found["status"], found["description"], found["statusReasons"]) == ("READY", "for tests", [])
    sides = {"inputAction": "BLOCK", "outputAction": "BLOCK", "inputEnabled": True, "outputEnabled": True}
    assert found["wordPolicy"] == {"words": [{"text": "basilisk", **sides}]}
    assert found["sensitiveInformationPolicy"]["piiEntities"] == [
        {"type": "EMAIL", "action": "ANONYMIZE", **sides, "inputAction": "ANONYMIZE", "outputAction": "BLOCK"}
    ]
    assert found["contextualGroundingPolicy"] == {
        "filters": [{"type": "GROUNDING", "threshold": 0.7, "action": "BLOCK", "enabled": True}]
    }
    assert found["kmsKeyArn"] == f"arn:aws:kms:us-east-1:123456789012:key/{KEY}"
    assert found["crossRegionDetails"]["guardrailProfileId"] == "us.guardrail.v1:0"
    arn = answer["guardrailArn"]
    await tag_resource(ctx, {"resourceARN": arn, "tags": [{"key": "more", "value": ""}]})
    tags = (await list_tags_for_resource(ctx, {"resourceARN": arn}))["tags"]
    assert tags == [{"key": "more", "value": ""}, {"key": "team", "value": "a"}]
    assert await delete(ctx, {"guardrailIdentifier": arn}) == {}
    with pytest.raises(NotFound, match="does not exist"):
        await get(ctx, {"guardrailIdentifier": arn})
    with pytest.raises(NotFound):
        await delete(ctx, {"guardrailIdentifier": arn})
    with pytest.raises(NotFound):
        await list_tags_for_resource(ctx, {"resourceARN": arn})
    await made(ctx)  # The name is free again.


@pytest.mark.covers("bedrock:UpdateGuardrail", "bedrock:CreateGuardrailVersion")
async def test_a_version_stays_as_it_was_while_the_draft_changes(ctx, check_answer):
    name = await made(ctx)
    first = await number(ctx, {"guardrailIdentifier": name, "description": "first"})
    assert first == {"guardrailId": name, "version": "1"}
    ctx.platform.clock.advance(60)
    other = {"wordPolicyConfig": {"wordsConfig": [{"text": "gorgon"}]}}
    answer = await update(ctx, {"guardrailIdentifier": name, **request(name="renamed", **other)})
    check_answer("UpdateGuardrail", answer)
    draft = await get(ctx, {"guardrailIdentifier": name})
    kept = await get(ctx, {"guardrailIdentifier": name, "guardrailVersion": "1"})
    assert (draft["name"], draft["wordPolicy"]["words"][0]["text"]) == ("renamed", "gorgon")
    assert (kept["name"], kept["wordPolicy"]["words"][0]["text"]) == ("mine", "basilisk")
    assert kept["description"] == "first"
    assert draft["updatedAt"] > draft["createdAt"] == kept["createdAt"]
    opened = [await open_guardrail(ctx, name, version) for version in ("DRAFT", "1")]
    assert [each.version.policies["wordPolicyConfig"] for each in opened] == [
        other["wordPolicyConfig"],
        WORDS["wordPolicyConfig"],
    ]
    assert (await open_guardrail(ctx, name, "1")) is opened[1]
    assert (await number(ctx, {"guardrailIdentifier": name}))["version"] == "2"


@pytest.mark.covers("bedrock:ListGuardrails")
async def test_listings_show_drafts_or_one_guardrails_versions(ctx, make_context, check_answer):
    names = []
    for place in range(3):
        names.append((await create(ctx, request(**WORDS, name=f"mine-{place}")))["guardrailId"])
        ctx.platform.clock.advance(1)
    answer = await list_all(ctx, {"maxResults": 2})
    check_answer("ListGuardrails", answer)
    rest = await list_all(ctx, {"maxResults": 2, "nextToken": answer["nextToken"]})
    assert [each["id"] for each in answer["guardrails"] + rest["guardrails"]] == names
    assert "nextToken" not in rest
    for _ in range(11):
        await number(ctx, {"guardrailIdentifier": names[0]})
    versions = (await list_all(ctx, {"guardrailIdentifier": names[0]}))["guardrails"]
    assert [each["version"] for each in versions] == ["DRAFT", *map(str, range(1, 12))]
    await delete(ctx, {"guardrailIdentifier": names[0], "guardrailVersion": "11"})
    with pytest.raises(NotFound, match="no version 11"):
        await get(ctx, {"guardrailIdentifier": names[0], "guardrailVersion": "11"})
    assert (await number(ctx, {"guardrailIdentifier": names[0]}))["version"] == "12"  # No number comes twice.
    for elsewhere in (make_context(region="eu-west-1"), make_context(account="210987654321")):
        assert (await list_all(elsewhere, {}))["guardrails"] == []
        arn = answer["guardrails"][0]["arn"]
        for identifier in (names[0], arn):
            with pytest.raises(NotFound):
                await list_all(elsewhere, {"guardrailIdentifier": identifier})


async def test_names_are_taken_once(ctx):
    await made(ctx)
    other = await create(ctx, request(**WORDS, name="other"))
    with pytest.raises(Conflict, match="'mine'"):
        await made(ctx)
    with pytest.raises(Conflict, match="'mine'"):
        await update(ctx, {"guardrailIdentifier": other["guardrailId"], **request(**WORDS)})


async def test_there_is_a_most_of_everything(ctx):
    name = await made(ctx)
    for _ in range(MOST_VERSIONS):
        await number(ctx, {"guardrailIdentifier": name})
    with pytest.raises(QuotaExceeded, match=f"{MOST_VERSIONS} versions"):
        await number(ctx, {"guardrailIdentifier": name})
    for place in range(MOST_GUARDRAILS - 1):
        await create(ctx, request(**WORDS, name=f"mine-{place}"))
    with pytest.raises(QuotaExceeded, match=f"{MOST_GUARDRAILS} guardrails"):
        await create(ctx, request(**WORDS, name="too-many"))


def filters(*kinds, **item):
    item = {"inputStrength": "LOW", "outputStrength": "NONE"} | item
    return {"contentPolicyConfig": {"filtersConfig": [{"type": kind, **item} for kind in kinds]}}


def grounding(threshold, kinds=("GROUNDING",)):
    settings = [{"type": kind, "threshold": threshold} for kind in kinds]
    return {"contextualGroundingPolicyConfig": {"filtersConfig": settings}}


def words(*texts):
    return {"wordPolicyConfig": {"wordsConfig": [{"text": text} for text in texts]}}


def sensitive(**lists):
    return {"sensitiveInformationPolicyConfig": lists}


def regex(pattern, name="ticket"):
    return {"name": name, "pattern": pattern, "action": "BLOCK"}


ALIAS = {"kmsKeyId": "alias/mine", **WORDS}
STANDARD = {"contentPolicyConfig": {**filters("HATE")["contentPolicyConfig"], "tierConfig": {"tierName": "STANDARD"}}}
TOPICS = {"topicsConfig": [{"name": "Tax", "definition": "Taxes.", "type": "DENY"}] * 2}
REASONING = {"policies": ["arn:aws:bedrock:us-east-1:123456789012:automated-reasoning-policy/abcdefghijkl"]}


@pytest.mark.parametrize(
    ("wish", "error", "says"),
    [
        ({}, InvalidRequest, "at least one policy"),
        ({"wordPolicyConfig": {}}, InvalidRequest, "at least one policy"),
        (words() | {"description": "x"}, InvalidRequest, "wordPolicyConfig is empty"),
        (sensitive(piiEntitiesConfig=[]), InvalidRequest, "sensitiveInformationPolicyConfig is empty"),
        (words("a", "b", "a"), InvalidRequest, "two entries whose text is 'a'"),
        (words("\u200b"), InvalidRequest, "no visible character"),
        (filters("HATE", "HATE"), InvalidRequest, "two entries whose type is 'HATE'"),
        (filters("PROMPT_ATTACK", outputStrength="LOW"), InvalidRequest, "must be NONE"),
        (filters("HATE", inputModalities=["TEXT", "IMAGE"]), NotBuilt, "inputModalities of HATE names IMAGE"),
        ({"topicPolicyConfig": TOPICS}, InvalidRequest, "two entries whose name is 'Tax'"),
        (grounding(1), InvalidRequest, "from 0 to 0.99"),
        (grounding(0.995), InvalidRequest, "threshold of GROUNDING is 0.995"),
        (grounding(0.5, ("RELEVANCE", "RELEVANCE")), InvalidRequest, "two entries"),
        (sensitive(piiEntitiesConfig=[{"type": "EMAIL", "action": "NONE"}] * 2), InvalidRequest, "'EMAIL'"),
        (sensitive(regexesConfig=[regex("a"), regex("b")]), InvalidRequest, "two entries whose name is 'ticket'"),
        (sensitive(regexesConfig=[regex("(?=a)")]), InvalidRequest, "'ticket' is not taken"),
        (sensitive(regexesConfig=[regex("recogniser:XX_NO")]), InvalidRequest, "recogniser XX_NO"),
        ({"automatedReasoningPolicyConfig": REASONING, **WORDS}, NotBuilt, "automatedReasoningPolicyConfig"),
        (STANDARD, InvalidRequest, "tier STANDARD"),
        (ALIAS, InvalidRequest, "alias/mine"),
    ],
)
async def test_what_a_guardrail_may_not_be(ctx, wish, error, says):
    with pytest.raises(error, match=re.escape(says)):
        await create(ctx, request(**wish))
    assert (await list_all(ctx, {}))["guardrails"] == []


@pytest.mark.covers(
    "bedrock:PutEnforcedGuardrailConfiguration",
    "bedrock:ListEnforcedGuardrailsConfiguration",
    "bedrock:DeleteEnforcedGuardrailConfiguration",
)
async def test_an_account_enforces_one_version(ctx, make_context, check_answer):
    name = await made(ctx)
    await number(ctx, {"guardrailIdentifier": name})
    assert enforced_guardrails(ctx) == []
    config = {"guardrailIdentifier": name, "guardrailVersion": "1"}
    with pytest.raises(NotFound, match="no version 2"):
        await enforce(ctx, {"guardrailInferenceConfig": {**config, "guardrailVersion": "2"}})
    answer = await enforce(ctx, {"guardrailInferenceConfig": config})
    check_answer("PutEnforcedGuardrailConfiguration", answer)
    (found,) = enforced_guardrails(ctx, "amazon.nova-lite-v1:0")
    assert (found.version, found.system, found.messages) == ("1", "COMPREHENSIVE", "COMPREHENSIVE")
    assert enforced_guardrails(make_context(region="eu-west-1")) == []
    with pytest.raises(Conflict, match=answer["configId"]):
        await enforce(ctx, {"guardrailInferenceConfig": config})
    with pytest.raises(NotFound):
        await enforce(ctx, {"configId": "other", "guardrailInferenceConfig": config})
    models = {"includedModels": ["ALL"], "excludedModels": ["amazon.nova-lite-v1:0"]}
    more = {"modelEnforcement": models, "selectiveContentGuarding": {"messages": "SELECTIVE"}}
    ctx.platform.clock.advance(5)
    again = await enforce(ctx, {"configId": answer["configId"], "guardrailInferenceConfig": config | more})
    assert again["configId"] == answer["configId"]
    assert enforced_guardrails(ctx, "amazon.nova-lite-v1:0") == []
    assert len(enforced_guardrails(ctx, "amazon.nova-pro-v1:0")) == 1
    listed = await list_enforced(ctx, {})
    check_answer("ListEnforcedGuardrailsConfiguration", listed)
    (shown,) = listed["guardrailsConfig"]
    assert (shown["guardrailId"], shown["modelEnforcement"], shown["owner"]) == (name, models, "ACCOUNT")
    assert shown["selectiveContentGuarding"] == {"system": "COMPREHENSIVE", "messages": "SELECTIVE"}
    assert shown["updatedAt"] > shown["createdAt"]
    for version in ({"guardrailVersion": "1"}, {}):
        with pytest.raises(GuardrailInUse, match=answer["configId"]):
            await delete(ctx, {"guardrailIdentifier": name, **version})
    await unenforce(ctx, {"configId": answer["configId"]})
    with pytest.raises(NotFound):
        await unenforce(ctx, {"configId": answer["configId"]})
    assert enforced_guardrails(ctx) == []
    await delete(ctx, {"guardrailIdentifier": name})


async def test_included_models_are_the_only_ones(ctx):
    name = await made(ctx)
    await number(ctx, {"guardrailIdentifier": name})
    models = {"includedModels": ["amazon.nova-pro-v1:0"], "excludedModels": []}
    config = {"guardrailIdentifier": name, "guardrailVersion": "1", "modelEnforcement": models}
    await enforce(ctx, {"guardrailInferenceConfig": config})
    assert len(enforced_guardrails(ctx, "amazon.nova-pro-v1:0")) == 1
    assert enforced_guardrails(ctx, "amazon.nova-lite-v1:0") == []


async def test_both_tiers_run_here(ctx):
    name = await made(ctx, **STANDARD, **PROFILE)
    assert (await get(ctx, {"guardrailIdentifier": name}))["contentPolicy"]["tier"] == {"tierName": "STANDARD"}


async def test_a_changed_draft_is_compiled_anew(ctx):
    name = await made(ctx)
    texts = [Content("a basilisk and a gorgon")]
    (before,) = (await open_guardrail(ctx, name, "DRAFT")).examine(texts, Source.INPUT).findings
    await update(ctx, {"guardrailIdentifier": name, **request(**words("gorgon"))})
    (after,) = (await open_guardrail(ctx, name, "DRAFT")).examine(texts, Source.INPUT).findings
    assert [before[0].match, after[0].match] == ["basilisk", "gorgon"]

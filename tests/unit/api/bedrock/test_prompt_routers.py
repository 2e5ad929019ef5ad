from __future__ import annotations

import re

import pytest

from rocamadre.api.bedrock.prompt_routers import (
    create_prompt_router,
    delete_prompt_router,
    get_prompt_router,
    list_prompt_routers,
)
from rocamadre.api.bedrock.tags import list_tags_for_resource, tag_resource
from rocamadre.catalog.errors import UnknownModel
from rocamadre.catalog.operations import resolve
from rocamadre.catalog.profiles import create_profile
from rocamadre.catalog.routers import get_router, route
from rocamadre.core.errors import Conflict, InvalidRequest, NotFound, TooManyTags
from rocamadre.core.messages import GenerationRequest, Message, Text

LITE, PRO = (f"arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-{size}-v1:0" for size in ("lite", "pro"))
EASY = GenerationRequest(messages=(Message("user", (Text("Hello!"),)),))
HARD = GenerationRequest(messages=(Message("user", (Text("Prove step by step why 2 + 2 = 4, and compare proofs."),)),))


async def create(ctx, **more):
    request = {
        "promptRouterName": "mine",
        "models": [{"modelArn": LITE}, {"modelArn": PRO}],
        "fallbackModel": {"modelArn": PRO},
        "routingCriteria": {"responseQualityDifference": 25},
    }
    return (await create_prompt_router(ctx, request | more))["promptRouterArn"]


@pytest.mark.covers("bedrock:CreatePromptRouter", "bedrock:GetPromptRouter", "bedrock:DeletePromptRouter")
async def test_a_router_from_birth_to_death(ctx):
    arn = await create(ctx, description="for tests", tags=[{"key": "team", "value": "a"}])
    assert re.fullmatch(r"arn:aws:bedrock:us-east-1:123456789012:prompt-router/[a-z0-9]{12}", arn)
    router = await get_prompt_router(ctx, {"promptRouterArn": arn})
    assert router == {
        "promptRouterName": "mine",
        "promptRouterArn": arn,
        "description": "for tests",
        "routingCriteria": {"responseQualityDifference": 25.0},
        "models": [{"modelArn": LITE}, {"modelArn": PRO}],
        "fallbackModel": {"modelArn": PRO},
        "status": "AVAILABLE",
        "type": "custom",
        "createdAt": ctx.platform.clock.now(),
        "updatedAt": ctx.platform.clock.now(),
    }
    await tag_resource(ctx, {"resourceARN": arn, "tags": [{"key": "more", "value": ""}]})
    tags = (await list_tags_for_resource(ctx, {"resourceARN": arn}))["tags"]
    assert tags == [{"key": "more", "value": ""}, {"key": "team", "value": "a"}]
    assert resolve(ctx, arn).router_arn == arn
    await delete_prompt_router(ctx, {"promptRouterArn": arn})
    for call in (get_prompt_router, delete_prompt_router):
        with pytest.raises(NotFound):
            await call(ctx, {"promptRouterArn": arn})
    with pytest.raises(UnknownModel, match="ListPromptRouters"):
        resolve(ctx, arn)
    assert await create(ctx) != arn


@pytest.mark.covers("bedrock:ListPromptRouters")
async def test_listing(ctx, check_answer):
    defaults = check_answer("ListPromptRouters", await list_prompt_routers(ctx, {"type": "default"}))
    names = [router["promptRouterName"] for router in defaults["promptRouterSummaries"]]
    assert names == ["Nova Prompt Router", "Anthropic Prompt Router", "Meta Prompt Router"]
    for summary in defaults["promptRouterSummaries"]:
        assert check_answer(
            "GetPromptRouter", await get_prompt_router(ctx, {"promptRouterArn": summary["promptRouterArn"]})
        )
        with pytest.raises(InvalidRequest, match="default prompt router"):
            await delete_prompt_router(ctx, {"promptRouterArn": summary["promptRouterArn"]})
    arn = await create(ctx)
    listed = (await list_prompt_routers(ctx, {"type": "custom"}))["promptRouterSummaries"]
    assert [router["promptRouterArn"] for router in listed] == [arn]
    whole = (await list_prompt_routers(ctx, {}))["promptRouterSummaries"]
    assert [router["type"] for router in whole] == ["default"] * 3 + ["custom"]


async def test_routers_of_others_are_invisible(make_context, ctx):
    arn = await create(ctx)
    for other in (make_context(account="210987654321"), make_context(region="eu-west-1")):
        assert (await list_prompt_routers(other, {"type": "custom"}))["promptRouterSummaries"] == []
        for call in (get_prompt_router, delete_prompt_router):
            with pytest.raises(NotFound):
                await call(other, {"promptRouterArn": arn})
        with pytest.raises(UnknownModel):
            resolve(other, arn)
        assert await create(other)


async def test_refusals(ctx):
    arn = await create(ctx)
    with pytest.raises(Conflict, match="'mine' already"):
        await create(ctx)
    assert await get_prompt_router(ctx, {"promptRouterArn": arn})
    absent = "arn:aws:bedrock:us-east-1::foundation-model/acme.rocket-v1:0"
    embedder = "arn:aws:bedrock:us-east-1::foundation-model/amazon.titan-embed-text-v2:0"
    with pytest.raises(NotFound, match=r"acme\.rocket"):
        await create(ctx, promptRouterName="a", fallbackModel={"modelArn": absent}, models=[{"modelArn": LITE}])
    with pytest.raises(InvalidRequest, match="makes embeddings"):
        await create(ctx, promptRouterName="a", fallbackModel={"modelArn": embedder}, models=[{"modelArn": LITE}])
    for models in ([], [LITE, LITE], [LITE, LITE.replace("lite", "micro")]):
        with pytest.raises(InvalidRequest, match="between 2 different models"):
            await create(ctx, promptRouterName="a", models=[{"modelArn": model} for model in models])
    with pytest.raises(TooManyTags):
        await create(ctx, promptRouterName="a", tags=[{"key": f"k{n}", "value": ""} for n in range(51)])
    assert len((await list_prompt_routers(ctx, {"type": "custom"}))["promptRouterSummaries"]) == 1


async def test_both_spellings_of_an_arn_find_it(ctx):
    """AWS's own model has patterns that take the one and patterns that take the other."""
    arn = await create(ctx)
    other = arn.replace("prompt-router", "default-prompt-router")
    assert get_router(ctx, other) == get_router(ctx, arn)
    assert resolve(ctx, other).router_arn == arn
    with pytest.raises(NotFound):
        get_router(ctx, arn.replace(":prompt-router", ":guardrail"))


@pytest.mark.parametrize(("fallback", "easy", "hard"), [(PRO, LITE, PRO), (LITE, LITE, PRO)])
async def test_easy_requests_go_to_the_cheaper_model_whichever_is_the_fallback(ctx, fallback, easy, hard):
    arn = await create(ctx, fallbackModel={"modelArn": fallback})
    resolved = resolve(ctx, arn)
    assert (resolved.invoked_model_id, resolved.base_id) == ("", fallback.rpartition("/")[2])
    for request, model in ((EASY, easy), (HARD, hard)):
        chosen = route(ctx, resolved, request)
        assert (chosen.requested, chosen.router_arn, chosen.invoked_model_id) == (arn, arn, model)
        assert chosen.base_id == model.rpartition("/")[2]
        assert route(ctx, chosen, HARD) is chosen
    assert ctx.notes["router"] == arn
    assert "one local model stands behind both" in ctx.reply_headers["x-rocamadre-router"]


@pytest.mark.parametrize(("difference", "model"), [(0, PRO), (100, LITE)])
async def test_the_criterion_decides(ctx, difference, model):
    arn = await create(ctx, routingCriteria={"responseQualityDifference": difference})
    assert route(ctx, resolve(ctx, arn), HARD).invoked_model_id == model


async def test_a_model_id_is_left_alone(ctx):
    resolved = resolve(ctx, "amazon.nova-lite-v1:0")
    assert route(ctx, resolved, HARD) is resolved
    assert "x-rocamadre-router" not in ctx.reply_headers


async def test_application_profiles_are_named_by_their_model_in_the_trace_and_by_their_own_arn_in_the_log(ctx):
    profile = create_profile(ctx, name="team", copy_from=LITE).arn
    arn = await create(ctx, models=[{"modelArn": profile}, {"modelArn": PRO}])
    chosen = route(ctx, resolve(ctx, arn), EASY)
    assert (chosen.invoked_model_id, chosen.profile_arn) == (LITE, profile)
    assert resolve(ctx, profile).profile_arn == profile
    assert resolve(ctx, profile.rpartition("/")[2]).profile_arn == profile
    assert resolve(ctx, LITE).profile_arn == ""

from __future__ import annotations

import pytest

from rocamadre.api.bedrock.inference_profiles import (
    create_inference_profile,
    delete_inference_profile,
    get_inference_profile,
    list_inference_profiles,
)
from rocamadre.api.bedrock.tags import list_tags_for_resource
from rocamadre.catalog.errors import UnknownModel
from rocamadre.catalog.operations import resolve
from rocamadre.core.errors import InvalidRequest, NotFound, TooManyTags

FAKE = "rocamadre.fake-v1:0"
NOVA = "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-lite-v1:0"


async def create(ctx, **more):
    request = {"inferenceProfileName": "my profile", "modelSource": {"copyFrom": NOVA}, **more}
    return (await create_inference_profile(ctx, request))["inferenceProfileArn"]


async def listed(ctx, check_answer, **request):
    return check_answer("ListInferenceProfiles", await list_inference_profiles(ctx, request))


async def test_system_profiles_of_every_model_here(ctx, check_answer):
    answer = await listed(ctx, check_answer)
    found = {summary["inferenceProfileId"] for summary in answer["inferenceProfileSummaries"]}
    assert found == {
        f"{place}.rocamadre.{name}-v1:0" for place in ("us", "eu", "global") for name in ("fake", "fake-embed")
    }
    assert "nextToken" not in answer


async def test_an_application_profile_from_birth_to_death(ctx, check_answer):
    arn = await create(ctx, description="for tests", tags=[{"key": "team", "value": "a"}])
    profile = check_answer("GetInferenceProfile", await get_inference_profile(ctx, {"inferenceProfileIdentifier": arn}))
    assert profile["models"] == [{"modelArn": NOVA}]
    assert profile["type"] == "APPLICATION"
    assert profile["description"] == "for tests"
    by_id = await get_inference_profile(ctx, {"inferenceProfileIdentifier": profile["inferenceProfileId"]})
    assert by_id == profile
    assert (await list_tags_for_resource(ctx, {"resourceARN": arn}))["tags"] == [{"key": "team", "value": "a"}]
    for name in (arn, profile["inferenceProfileId"]):
        resolved = resolve(ctx, name)
        assert (resolved.base_id, resolved.model.id) == ("amazon.nova-lite-v1:0", FAKE)
        assert resolved.aliased
    await delete_inference_profile(ctx, {"inferenceProfileIdentifier": arn})
    for call in (get_inference_profile, delete_inference_profile):
        with pytest.raises(NotFound):
            await call(ctx, {"inferenceProfileIdentifier": arn})
    with pytest.raises(UnknownModel):
        resolve(ctx, arn)


async def test_profiles_of_others_are_invisible(make_context, ctx, check_answer):
    arn = await create(ctx)
    for other in (make_context(account="210987654321"), make_context(region="eu-west-1")):
        answer = await listed(other, check_answer, typeEquals="APPLICATION")
        assert answer["inferenceProfileSummaries"] == []
        for name in (arn, arn.rpartition("/")[2]):
            with pytest.raises(NotFound):
                await get_inference_profile(other, {"inferenceProfileIdentifier": name})
            with pytest.raises(UnknownModel):
                resolve(other, name)
        with pytest.raises(NotFound):
            await delete_inference_profile(other, {"inferenceProfileIdentifier": arn})
        with pytest.raises(NotFound):
            await list_tags_for_resource(other, {"resourceARN": arn})
    assert await get_inference_profile(ctx, {"inferenceProfileIdentifier": arn})


async def test_listing_by_type_and_page(ctx, check_answer):
    arns = [await create(ctx, inferenceProfileName=f"p{number}") for number in range(3)]
    seen, token = [], {}
    for _ in range(2):
        answer = await listed(ctx, check_answer, typeEquals="APPLICATION", maxResults=2, **token)
        seen += [summary["inferenceProfileArn"] for summary in answer["inferenceProfileSummaries"]]
        token = {"nextToken": answer.get("nextToken")}
    assert sorted(seen) == sorted(arns)
    assert token == {"nextToken": None}


async def test_an_alias_says_that_it_is_one(ctx, check_answer):
    answer = await get_inference_profile(ctx, {"inferenceProfileIdentifier": "us.amazon.nova-lite-v1:0"})
    profile = check_answer("GetInferenceProfile", answer)
    assert profile["description"].startswith(f"Alias of {FAKE}")
    assert profile["models"] == [{"modelArn": NOVA}]
    assert profile["type"] == "SYSTEM_DEFINED"


async def test_a_profile_of_a_profile(ctx):
    arn = await create(
        ctx,
        modelSource={
            "copyFrom": "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-3-haiku-v1:0"
        },
    )
    assert resolve(ctx, arn).base_id == "anthropic.claude-3-haiku-v1:0"


async def test_refusals(ctx):
    with pytest.raises(NotFound, match=FAKE):
        await create(ctx, modelSource={"copyFrom": "arn:aws:bedrock:us-east-1::foundation-model/acme.rocket-v1:0"})
    with pytest.raises(InvalidRequest, match="system-defined"):
        await delete_inference_profile(ctx, {"inferenceProfileIdentifier": f"us.{FAKE}"})
    with pytest.raises(TooManyTags):
        await create(ctx, tags=[{"key": f"k{number}", "value": ""} for number in range(51)])
    for name in (FAKE, "amazon.nova-lite-v1:0", "us.acme.rocket-v1:0", "aaaaaaaaaaaa"):
        with pytest.raises(NotFound):
            await get_inference_profile(ctx, {"inferenceProfileIdentifier": name})

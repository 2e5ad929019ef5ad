from __future__ import annotations

import pytest

from rocamadre.api.bedrock.inference_profiles import create_inference_profile
from rocamadre.api.bedrock.tags import list_tags_for_resource, tag_resource, untag_resource
from rocamadre.core.errors import InvalidRequest, NotFound, TooManyTags
from rocamadre.store.sql.tags import TAGS


@pytest.fixture
async def arn(ctx):
    source = {"copyFrom": "arn:aws:bedrock:us-east-1::foundation-model/rocamadre.fake-v1:0"}
    answer = await create_inference_profile(ctx, {"inferenceProfileName": "p", "modelSource": source})
    return answer["inferenceProfileArn"]


async def tags_of(ctx, arn, check_answer):
    answer = check_answer("ListTagsForResource", await list_tags_for_resource(ctx, {"resourceARN": arn}))
    return {tag["key"]: tag["value"] for tag in answer["tags"]}


async def tag(ctx, arn, **tags):
    return await tag_resource(ctx, {"resourceARN": arn, "tags": [{"key": k, "value": v} for k, v in tags.items()]})


async def test_add_replace_remove(ctx, arn, check_answer):
    assert await tags_of(ctx, arn, check_answer) == {}
    await tag(ctx, arn, a="1", b="2")
    await tag(ctx, arn, b="3", c="")
    assert await tags_of(ctx, arn, check_answer) == {"a": "1", "b": "3", "c": ""}
    await untag_resource(ctx, {"resourceARN": arn, "tagKeys": ["a", "absent"]})
    assert await tags_of(ctx, arn, check_answer) == {"b": "3", "c": ""}


async def test_at_most_fifty_in_all(ctx, arn, check_answer):
    await tag(ctx, arn, **{f"k{number}": "" for number in range(50)})
    await tag(ctx, arn, k7="changed")
    with pytest.raises(TooManyTags, match="51"):
        await tag(ctx, arn, one_more="")
    assert len(await tags_of(ctx, arn, check_answer)) == 50


async def test_refusals(ctx, arn):
    twice = [{"key": "a", "value": "1"}, {"key": "a", "value": "2"}]
    with pytest.raises(InvalidRequest, match="twice"):
        await tag_resource(ctx, {"resourceARN": arn, "tags": twice})
    with pytest.raises(InvalidRequest, match="reserved"):
        await tag(ctx, arn, **{"aws:owner": "me"})
    for wrong in ("name", "arn:aws:bedrock:us-east-1:123456789012:guardrail/abc", arn + "x"):
        with pytest.raises(NotFound):
            await tag(ctx, wrong, a="1")


async def test_a_reset_of_the_account_takes_the_tags_and_leaves_the_keys(ctx, arn):
    from rocamadre.api.platform.endpoints import reset
    from rocamadre.identity.operations import create_key, list_keys

    platform = ctx.platform
    create_key(platform.sql, platform.settings.home, platform.clock, name="k")
    await tag(ctx, arn, a="1")
    await reset(ctx, None)
    with pytest.raises(NotFound):
        await list_tags_for_resource(ctx, {"resourceARN": arn})
    with platform.sql.connect() as connection:
        assert connection.execute(TAGS.select()).all() == []
    assert len(list_keys(platform.sql, platform.settings.home, platform.clock)) == 1

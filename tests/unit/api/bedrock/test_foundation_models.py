from __future__ import annotations

import pytest

from rocamadre.api.bedrock.foundation_models import (
    get_foundation_model,
    get_foundation_model_availability,
    list_foundation_models,
)
from rocamadre.core.errors import NotFound

FAKE = "rocamadre.fake-v1:0"


async def ids(ctx, check_answer, **filters):
    answer = check_answer("ListFoundationModels", await list_foundation_models(ctx, filters))
    return [summary["modelId"] for summary in answer["modelSummaries"]]


async def test_what_is_here_is_listed_and_aliases_are_not(ctx, check_answer):
    assert await ids(ctx, check_answer) == [FAKE, "rocamadre.fake-embed-v1:0"]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"byProvider": "rocamadre"}, 2),
        ({"byProvider": "Amazon"}, 0),
        ({"byOutputModality": "TEXT"}, 1),
        ({"byOutputModality": "EMBEDDING"}, 1),
        ({"byOutputModality": "IMAGE"}, 0),
        ({"byInferenceType": "ON_DEMAND"}, 2),
        ({"byInferenceType": "PROVISIONED"}, 0),
        ({"byCustomizationType": "FINE_TUNING"}, 0),
        ({"byOutputModality": "TEXT", "byProvider": "Nobody"}, 0),
    ],
)
async def test_filters(ctx, check_answer, filters, expected):
    assert len(await ids(ctx, check_answer, **filters)) == expected


async def test_facts_of_a_model(ctx, check_answer):
    arn = f"arn:aws:bedrock:us-east-1::foundation-model/{FAKE}"
    for name in (FAKE, arn):
        answer = check_answer("GetFoundationModel", await get_foundation_model(ctx, {"modelIdentifier": name}))
        details = answer["modelDetails"]
        assert (details["modelId"], details["modelArn"]) == (FAKE, arn)
        assert details["responseStreamingSupported"] is True
    assert ctx.reply_headers == {}


async def test_an_alias_says_that_it_is_one(ctx, check_answer):
    answer = await get_foundation_model(ctx, {"modelIdentifier": "amazon.nova-lite-v1:0"})
    details = check_answer("GetFoundationModel", answer)["modelDetails"]
    assert details["modelId"] == "amazon.nova-lite-v1:0"
    assert details["modelName"] == "alias of fake"
    assert details["providerName"] == "Rocamadre"
    assert ctx.reply_headers == {"x-rocamadre-model": FAKE}


async def test_availability(ctx, check_answer):
    answer = await get_foundation_model_availability(ctx, {"modelId": FAKE})
    assert check_answer("GetFoundationModelAvailability", answer)["authorizationStatus"] == "AUTHORIZED"


@pytest.mark.parametrize("name", ["acme.rocket-v1:0", "amazon.nova-canvas-v1:0"])
async def test_what_is_not_here_is_not_found(ctx, name):
    with pytest.raises(NotFound, match=FAKE) as caught:
        await get_foundation_model(ctx, {"modelIdentifier": name})
    assert caught.value.codes[0] == "ResourceNotFoundException"
    with pytest.raises(NotFound):
        await get_foundation_model_availability(ctx, {"modelId": name})

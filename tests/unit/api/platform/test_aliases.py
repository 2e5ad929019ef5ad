from __future__ import annotations

import msgspec
import pytest

from rocamadre.api.http import HttpRequest
from rocamadre.api.platform.aliases import aliases, put, remove
from rocamadre.api.platform.prices import one, prices
from rocamadre.catalog.operations import resolve
from rocamadre.core.errors import AccessDenied, InvalidRequest, NotFound

FAKE = "rocamadre.fake-v1:0"


def get(*values: str) -> HttpRequest:
    return HttpRequest("GET", b"/", b"", {}, b"", values)


async def ask(answer):
    return msgspec.json.decode((await answer).body)


async def test_an_alias_is_set_decides_and_goes(context, post):
    told = await ask(post(put, context, {"pattern": "acme.*", "model": "fake"}))
    assert told == {"pattern": "acme.*", "model_id": FAKE, "source": "command", "note": ""}
    assert resolve(context, "acme.large").model.id == FAKE
    assert told in (await ask(aliases(context, get())))["aliases"]
    assert (await ask(remove(context, get("acme.*"))))["removed"] is True
    with pytest.raises(NotFound):
        await remove(context, get("acme.*"))


async def test_what_cannot_be_meant_is_refused(context, post):
    for body, kind in (
        ({"pattern": "a b", "model": "fake"}, InvalidRequest),
        ({"pattern": "acme.*"}, InvalidRequest),
        ({"pattern": "acme.*", "model": "none"}, NotFound),
    ):
        with pytest.raises(kind):
            await post(put, context, body)


async def test_where_keys_are_wanted_no_key_changes_what_all_see(make_context, post):
    context = make_context(server={"auth": "required"})
    with pytest.raises(AccessDenied, match="roca models alias"):
        await post(put, context, {"pattern": "acme.*", "model": "fake"})
    with pytest.raises(AccessDenied, match="roca models alias"):
        await remove(context, get("acme.*"))


async def test_prices_are_told_with_their_sources(context):
    told = await ask(prices(context, get()))
    assert told["currency"] == "USD"
    assert told["sources"]
    nova = await ask(one(context, get("us.amazon.nova-lite-v1:0")))
    assert nova["price"]["output"] == 0.24
    for model in (FAKE, "arn:nothing", "arn:aws:bedrock:us-east-1::foundation-model/none.such"):
        with pytest.raises(NotFound, match="no price"):
            await one(context, get(model))

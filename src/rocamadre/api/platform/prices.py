"""GET /_rocamadre/prices: what AWS lists for its models."""

from __future__ import annotations

from rocamadre.api.http import HttpRequest, Reply, json_reply, route
from rocamadre.catalog.prices import price, price_list
from rocamadre.core.context import Context
from rocamadre.core.errors import InvalidRequest, NotFound


@route("GET", "/_rocamadre/prices")
async def prices(context: Context, request: HttpRequest) -> Reply:
    """The price file that ships with this version, in USD per million tokens, with its sources."""
    return json_reply(price_list())


@route("GET", "/_rocamadre/prices/{}")
async def one(context: Context, request: HttpRequest) -> Reply:
    """One model's prices, by id (with geography or context length) or ARN.

    Raises:
        NotFound: no price of it is known, as of every model that has none, such as those that are here.
    """
    model = request.path_values[0]
    try:
        found = price(model)
    except InvalidRequest:
        found = None
    if found is None:
        raise NotFound(f"no price of {model[:200]!r} is known; GET /_rocamadre/prices lists those that are")
    listed = price_list()
    return json_reply({"currency": listed.currency, "region": listed.region, "checked": listed.checked, "price": found})

"""What AWS lists for its models, to show beside what a local answer cost."""

from __future__ import annotations

from datetime import date
from functools import cache
from importlib.resources import files

import msgspec

from rocamadre.catalog.families import spellings
from rocamadre.core.arn import Arn


class Hosting(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Provisioned throughput, USD per model unit and hour, by commitment; None where it is not known."""

    no_commitment: float | None = None
    one_month: float | None = None
    six_months: float | None = None


class Price(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """List prices of one model, in USD, `us-east-1`; None where the price is not known.

    Attributes:
        id: The foundation model's id.
        input: Per million tokens read.
        output: Per million tokens generated; None for embedding models.
        cache_read: Per million tokens read from the prompt cache.
        cache_write: Per million tokens written to it.
        training: Per million tokens seen in training (rows times epochs).
        storage: Per custom model and month.
        hosting: Provisioned throughput.
        sources: Keys of `PriceList.sources` for the token prices.
        hosting_sources: The same for training, storage and hosting.
    """

    id: str
    input: float
    output: float | None = None
    cache_read: float | None = None
    cache_write: float | None = None
    training: float | None = None
    storage: float | None = None
    hosting: Hosting = Hosting()
    sources: tuple[str, ...] = ()
    hosting_sources: tuple[str, ...] = ()


class PriceList(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file.

    Attributes:
        checked: When the prices were last compared with their sources.
        sources: Where they come from, by short name.
    """

    currency: str
    region: str
    checked: date
    note: str
    sources: dict[str, str]
    models: tuple[Price, ...]


@cache
def price_list() -> PriceList:
    """The price file that ships with this version."""
    data = files("rocamadre.catalog").joinpath("prices.json").read_bytes()
    return msgspec.json.decode(data, type=PriceList)


@cache
def _by_id() -> dict[str, Price]:
    return {price.id: price for price in price_list().models}


def price(model_id: str) -> Price | None:
    """What AWS lists for a model, by id (with geography or context length), or ARN; None where it is not known.

    >>> price("us.amazon.nova-lite-v1:0:300k").output
    0.24
    """
    name = Arn.parse(model_id).id if model_id.startswith("arn:") else model_id
    return next((found for spelling in spellings(name) if (found := _by_id().get(spelling))), None)

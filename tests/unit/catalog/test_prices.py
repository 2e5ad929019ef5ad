from __future__ import annotations

from rocamadre.catalog.families import find_family
from rocamadre.catalog.prices import price, price_list


def test_every_row_is_sourced_and_of_a_known_family():
    prices = price_list()
    assert (prices.currency, prices.region) == ("USD", "us-east-1")
    assert len({row.id for row in prices.models}) == len(prices.models)
    for row in prices.models:
        family = find_family(row.id)
        assert family is not None, row.id
        assert row.sources, row.id
        assert set(row.sources + row.hosting_sources) <= set(prices.sources), row.id
        assert (row.output is None) == (family.kind == "embedding"), row.id
        known = [row.input, row.output, row.cache_read, row.cache_write, row.training, row.storage]
        assert all(0 < value < 1000 for value in known if value is not None), row.id
        if row.output is not None:
            assert row.output >= row.input, row.id
        if row.cache_read is not None:
            assert row.cache_read < row.input, row.id
        if any((row.training, row.storage, row.hosting.no_commitment, row.hosting.one_month, row.hosting.six_months)):
            assert row.hosting_sources, row.id


def test_longer_commitments_are_cheaper():
    for row in price_list().models:
        rates = (row.hosting.no_commitment, row.hosting.one_month, row.hosting.six_months)
        known = [rate for rate in rates if rate is not None]
        assert known == sorted(known, reverse=True), row.id


def test_looking_up():
    arn = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-3-haiku-20240307-v1:0"
    assert price(arn).input == 0.25
    assert price("cohere.embed-english-v3").output is None
    assert price("rocamadre.roca-mini-v1:0") is None

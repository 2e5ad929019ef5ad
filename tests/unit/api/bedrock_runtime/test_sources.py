from __future__ import annotations

from dataclasses import replace

import pytest

from rocamadre.api.bedrock_runtime.sources import fetch, read_s3_document
from rocamadre.core.errors import AccessDenied, InvalidRequest
from rocamadre.testing.documents import make_pdf

AT = "messages.0.content.0.document.source.s3Location"


@pytest.fixture
def bucket(context):
    store = context.platform.objects.of(context.account)
    store.make_bucket("papers", region=context.region)
    return store


def test_a_document_in_the_callers_bucket(context, bucket):
    bucket.put("papers", "informes/año 1.pdf", make_pdf(["São Paulo"]))
    for owner in ({}, {"bucketOwner": context.account}):
        location = {"uri": "s3://papers/informes/año 1.pdf", **owner}
        assert read_s3_document(context, location, "pdf", at=AT) == "São Paulo"


def test_what_is_not_there(context, bucket):
    for uri in ("s3://papers/absent.pdf", "s3://no-such-bucket/x.pdf"):
        with pytest.raises(InvalidRequest, match=rf"{AT}.uri: '{uri}' cannot be read"):
            read_s3_document(context, {"uri": uri}, "pdf", at=AT)
    with pytest.raises(InvalidRequest, match="names a bucket; name an object"):
        read_s3_document(context, {"uri": "s3://papers"}, "pdf", at=AT)


def test_buckets_of_other_accounts(context, bucket):
    bucket.put("papers", "a.txt", b"secret")
    with pytest.raises(AccessDenied, match="210987654321 is another account"):
        read_s3_document(context, {"uri": "s3://papers/a.txt", "bucketOwner": "210987654321"}, "txt", at=AT)
    with pytest.raises((AccessDenied, InvalidRequest)):
        read_s3_document(replace(context, account="210987654321"), {"uri": "s3://papers/a.txt"}, "txt", at=AT)


def test_the_size_is_looked_at_before_reading(context, bucket, monkeypatch):
    bucket.put("papers", "big.txt", b"x" * 101)
    assert fetch(context, {"uri": "s3://papers/big.txt"}, at=AT, most_bytes=101) == b"x" * 101
    monkeypatch.setattr(type(bucket), "stream", None)
    with pytest.raises(InvalidRequest, match="has 101 bytes; at most 100"):
        fetch(context, {"uri": "s3://papers/big.txt"}, at=AT, most_bytes=100)

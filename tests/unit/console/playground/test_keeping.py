from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from botocore.exceptions import ClientError

from rocamadre.console.failures import ApiFailure
from rocamadre.console.playground import keeping
from rocamadre.console.playground.conversation import Answer, Document, Exchange, Frame
from rocamadre.console.playground.parameters import Parameters

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Body:
    def __init__(self, data):
        self.data = data

    def read(self):
        return self.data


class Meta:
    region_name = "eu-west-1"


class Bucket:
    """S3 as far as `keeping` uses it; `interfere` is called before each write."""

    meta = Meta()

    class exceptions:
        class NoSuchKey(ClientError):
            pass

    def __init__(self, interfere=lambda bucket: None):
        self.there, self.objects, self.interfere, self.created = False, {}, interfere, None

    def head_bucket(self, **_):
        if not self.there:
            raise ClientError({"Error": {"Code": "404"}}, "HeadBucket")

    def create_bucket(self, **request):
        self.there, self.created = True, request

    def get_object(self, Bucket, Key):
        if Key not in self.objects:
            raise self.exceptions.NoSuchKey({"Error": {"Code": "NoSuchKey"}}, "GetObject")
        data = self.objects[Key]
        return {"Body": Body(data), "ETag": str(hash(data))}

    def put_object(self, Bucket, Key, Body, ContentType, IfMatch=None, IfNoneMatch=None):
        self.interfere(self)
        old = self.objects.get(Key)
        if (IfNoneMatch and old is not None) or (IfMatch and IfMatch != str(hash(old))):
            raise ClientError({"Error": {"Code": "PreconditionFailed"}}, "PutObject")
        self.objects[Key] = Body


class Api:
    def __init__(self, bucket):
        self.bucket = bucket

    def client(self, service):
        assert service == "s3"
        return self.bucket


def exchange():
    return Exchange("Hi", answer=Answer("Hello", rating="up"))


def test_rows_are_conversations_as_bedrock_takes_them():
    document = Document("a.txt", "a", "txt", b"SECRET")
    row = keeping.conversation_row(Frame(system="Be brief."), [Exchange("Hi", (document,), answer=Answer("Hello"))])
    assert row["schemaVersion"] == "bedrock-conversation-2024"
    assert [message["role"] for message in row["messages"]] == ["user", "assistant"]
    assert row["messages"][0]["content"][1] == {"document": {"name": "a", "format": "txt"}}
    raw = keeping.conversation_row(Frame(), [Exchange("El", answer=Answer(" gato"), prompt="El")])
    assert raw == {"prompt": "El", "completion": " gato"}


def test_ratings_say_what_they_are_of():
    row = keeping.rating_row(Frame(parameters=Parameters(seed=4)), [exchange()], model="m", reason="clear", at=AT)
    assert (row["rating"], row["reason"], row["model"], row["settings"]["seed"]) == ("up", "clear", "m", 4)


def test_a_rating_is_an_object_that_a_second_thought_replaces():
    bucket = Bucket()
    key = keeping.rating_key("a", AT)
    assert keeping.put_row(Api(bucket), key, {"rating": "up"}) == f"s3://rocamadre-feedback/{key}"
    keeping.put_row(Api(bucket), key, {"rating": "down"})
    assert [json.loads(data) for data in bucket.objects.values()] == [{"rating": "down"}]
    assert bucket.created["CreateBucketConfiguration"] == {"LocationConstraint": "eu-west-1"}


def test_rows_are_added_to_the_end_also_while_others_write():
    others = [b'{"other": 1}\n', b'{"other": 2}\n']

    def interfere(bucket):
        if others:
            bucket.objects["rows"] = bucket.objects.get("rows", b"") + others.pop(0)

    bucket = Bucket(interfere)
    address, count = keeping.append_row(Api(bucket), "rows", {"mine": "é"})
    assert (address, count) == ("s3://rocamadre-feedback/rows", 3)
    assert [json.loads(line) for line in bucket.objects["rows"].splitlines()] == [
        {"other": 1},
        {"other": 2},
        {"mine": "é"},
    ]


def test_a_file_without_a_last_line_break_is_mended():
    bucket = Bucket()
    bucket.there = True
    bucket.objects["rows"] = b'{"a": 1}'
    keeping.append_row(Api(bucket), "rows", {"b": 2})
    assert bucket.objects["rows"] == b'{"a": 1}\n{"b": 2}\n'


def test_giving_up_is_said():
    def interfere(bucket):
        bucket.objects["rows"] = bucket.objects.get("rows", b"") + b"{}\n"

    with pytest.raises(ApiFailure, match="changed by others"):
        keeping.append_row(Api(Bucket(interfere)), "rows", {})


def test_refusals_are_handed_on():
    def interfere(bucket):
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "PutObject")

    for work in (keeping.put_row, keeping.append_row):
        with pytest.raises(ApiFailure) as caught:
            work(Api(Bucket(interfere)), "rows", {})
        assert caught.value.code == "AccessDenied"

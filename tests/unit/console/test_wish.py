from __future__ import annotations

import ast

import boto3
import pytest
from botocore.validate import ParamValidator

from rocamadre.console.wish import TYPES, Wish, data_key, split_uri, suggest_name, write_program
from rocamadre.testing.hostile_texts import PAYLOADS

WISH = Wish(
    base="rocamadre.roca-mini-v1:0", training="s3://data/rows.jsonl", validation="s3://data/more.jsonl", name="harbour",
    settings={"epochs": "2", "rank": "4"},
)  # fmt: skip


@pytest.mark.parametrize("kind", TYPES)
def test_what_is_asked_is_what_the_operation_takes(kind):
    client = boto3.client("bedrock", region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b")
    shape = client.meta.service_model.operation_model("CreateModelCustomizationJob").input_shape
    assert not ParamValidator().validate(WISH.changed(type=kind).members(), shape).has_errors()


def calls(program: str) -> dict[str, ast.Call]:
    return {
        node.func.attr: node
        for node in ast.walk(ast.parse(program))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    }


def test_the_program_asks_the_same():
    program = write_program(WISH, address="http://127.0.0.1:4599", region="us-east-1", locked=False)
    call = calls(program)["create_model_customization_job"]
    assert {each.arg: ast.literal_eval(each.value) for each in call.keywords} == WISH.members()
    assert "aws_access_key_id" in program
    locked = write_program(WISH, address="https://host", region="us-east-1", locked=True)
    assert "aws_access_key_id" not in locked


@pytest.mark.parametrize("text", PAYLOADS[::12])
def test_texts_of_strangers_stay_texts_in_the_program(text):
    wish = WISH.changed(name=text, training=f"s3://{text}", settings={text: text})
    program = write_program(wish, address="http://127.0.0.1:4599", region="us-east-1", locked=False)
    call = calls(program)["create_model_customization_job"]
    found = {each.arg: ast.literal_eval(each.value) for each in call.keywords}
    assert (found["jobName"], found["hyperParameters"][text]) == (text, text)


@pytest.mark.parametrize("text", PAYLOADS[::12])
def test_files_of_strangers_get_plain_keys(text):
    key = data_key(f"{text}.jsonl")
    assert key.startswith("datasets/")
    assert key.isascii()
    assert not set(key) & set("<>\"'&\\ ")
    assert ".." not in key


def test_what_is_missing_is_told():
    assert Wish().missing == ["base", "training", "name"]
    assert WISH.missing == []
    assert split_uri("s3://b") == ("b", "")
    assert suggest_name("arn:aws:bedrock:us-east-1:1:custom-model/a.b-v1:0/abcdefghijkl", "", "m") == "abcdefghijkl-m"

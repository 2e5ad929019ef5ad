"""What the contract tests and the fuzzer stand on: it must really make what it promises."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from rocamadre.api.wire.models import load_models
from rocamadre.api.wire.patterns import matcher
from rocamadre.testing.breakage import broken
from rocamadre.testing.examples import Examples
from rocamadre.testing.requests import wire_request
from rocamadre.testing.strings import NoExample, matching, unmatching

MODELS = load_models()
TRAITS = {
    "required", "type", "null item", "min length", "max length", "pattern", "enum", "min", "max",
    "union of none", "union of two",
}  # fmt: skip


@pytest.mark.parametrize(
    ("pattern", "least", "most"),
    [
        ("[a-z]{3,9}", 0, None),
        ("^(a|bb|ccc){2}$", 5, 6),
        (r"\d{4}-\d{2}", 0, None),
        ("[^a]+", 3, 3),
        (r"(?=.*x)[a-z]+", 2, None),
        (r"[\p{L} ]+", 1, 5),
        (r"([0-9a-f]{2})\1", 0, None),
    ],
)
def test_strings_match_and_do_not_match(pattern, least, most):
    text = matching(pattern, least=least, most=most)
    plain = pattern.replace(r"\p{L}", "a-z")
    assert re.fullmatch(plain, text)
    assert least <= len(text) <= (most or len(text))
    wrong = unmatching(pattern, least=least, most=most)
    assert not re.fullmatch(plain, wrong)
    assert least <= len(wrong) <= (most or len(wrong))


def test_impossible_strings_are_said_to_be_impossible():
    with pytest.raises(NoExample):
        matching("[a-z]{3}", least=4, most=9)
    assert unmatching(r"[\s\S]*") is None


def test_every_shape_that_carries_a_pattern_has_an_example():
    shapes = [shape for model in MODELS.values() for shape in model["shapes"].values() if "pattern" in shape]
    assert len(shapes) > 250
    for shape in shapes:
        text = matching(shape["pattern"], least=shape.get("min", 0), most=shape.get("max"))
        assert matcher(shape["pattern"])(text)
        assert shape.get("min", 0) <= len(text) <= shape.get("max", len(text))


def test_every_kind_of_trait_is_broken_somewhere():
    counts = Counter()
    for model in MODELS.values():
        makes = Examples(model["shapes"])
        for name, operation in model["operations"].items():
            shape = operation.get("input", {}).get("shape")
            if shape and not model["shapes"][shape].get("payload"):
                counts.update(fault.trait for fault in broken(model, name, makes.full(shape)))
    assert set(counts) == TRAITS
    assert counts.total() > 5000


def test_full_values_show_every_member_of_every_union():
    shapes = MODELS["bedrock-runtime"]["shapes"]
    makes = Examples(shapes)
    seen = set()
    for choice in range(makes.choices("ConverseRequest")):
        for message in makes.full("ConverseRequest", choice=choice)["messages"]:
            for block in message["content"]:
                seen |= set(block)
    assert seen == set(shapes["ContentBlock"]["members"])


def test_requests_put_members_where_they_belong():
    sent = wire_request(
        MODELS["bedrock-runtime"],
        "InvokeModel",
        {"modelId": "a/b:c d", "body": b"\x00", "accept": "x", "trace": "ENABLED"},
    )
    assert (sent.method, sent.path, sent.body) == ("POST", b"/model/a%2Fb%3Ac%20d/invoke", b"\x00")
    assert sent.headers == {"accept": "x", "x-amzn-bedrock-trace": "ENABLED"}
    sent = wire_request(MODELS["bedrock-agent"], "UntagResource", {"resourceArn": "arn:x", "tagKeys": ["a b", "&"]})
    assert (sent.method, sent.query, sent.body) == ("DELETE", b"tagKeys=a%20b&tagKeys=%26", b"")

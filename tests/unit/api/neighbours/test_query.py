from __future__ import annotations

from datetime import UTC, datetime
from xml.etree import ElementTree

import pytest

from rocamadre.api.neighbours.models import load_reduced
from rocamadre.api.neighbours.query import FormReader, write_xml
from rocamadre.api.wire.read import Findings
from rocamadre.core.errors import InvalidRequest

SHAPES = {
    "In": {
        "type": "structure",
        "members": {
            "Tags": {"shape": "Tags"},
            "Count": {"shape": "Int"},
            "On": {"shape": "Bool"},
            "Flat": {"shape": "Flat"},
        },
    },
    "Tags": {"type": "list", "member": {"shape": "Tag"}},
    "Flat": {"type": "list", "member": {"shape": "Text"}, "flattened": True},
    "Tag": {"type": "structure", "members": {"Key": {"shape": "Text"}, "When": {"shape": "Time"}}},
    "Text": {"type": "string"},
    "Int": {"type": "integer"},
    "Bool": {"type": "boolean"},
    "Time": {"type": "timestamp"},
}


def read(form):
    found = Findings()
    return FormReader(SHAPES).read("In", form, found), found.unknown


def test_fields_become_the_value_that_json_would_have_held():
    form = {
        "Action": "Do",
        "Version": "1",
        "Tags.member.10.Key": "z",
        "Tags.member.2.Key": "b",
        "Tags.member.1.Key": "a",
        "Count": "3",
        "On": "TRUE",
        "Flat.1": "x",
        "Other.deep": "y",
    }
    value, unknown = read(form)
    assert value == {"Tags": [{"Key": "a"}, {"Key": "b"}, {"Key": "z"}], "Count": 3, "On": True, "Flat": ["x"]}
    assert unknown == ["Other"]


def test_an_empty_list_and_what_fits_no_type():
    assert read({"Tags": "", "Count": "many", "On": "maybe"})[0] == {"Tags": [], "Count": "many", "On": "maybe"}


@pytest.mark.parametrize(
    "form", [{"Tags": "x", "Tags.member.1.Key": "a"}, {"Tags.member.1.Key": "a", "Tags.member.1": "b"}]
)
def test_fields_that_contradict_each_other_are_refused(form):
    with pytest.raises(InvalidRequest, match="contradicts"):
        read(form)


@pytest.mark.parametrize("form", [{"Tags.member.x.Key": "a"}, {"Tags.entry.1.Key": "a"}, {"Tags.member.0.Key": "a"}])
def test_what_is_no_list_is_left_for_the_reader_to_refuse(form):
    assert not isinstance(read(form)[0]["Tags"], list)


def test_text_is_escaped_and_what_xml_cannot_hold_is_replaced():
    value = {"Tags": [{"Key": '<a & "b">\x00\ud800\r', "When": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)}], "On": False}
    text = write_xml(
        "Do", value, output={"shape": "In", "resultWrapper": "DoResult"}, shapes=SHAPES, namespace="n", request_id="r"
    )
    root = ElementTree.fromstring(text)
    tag = root.find("{n}DoResult/{n}Tags/{n}member")
    assert tag.find("{n}Key").text == '<a & "b">\ufffd\ufffd\r'
    assert tag.find("{n}When").text == "2026-01-02T03:04:05.000Z"
    assert root.find("{n}DoResult/{n}On").text == "false"
    assert root.find("{n}ResponseMetadata/{n}RequestId").text == "r"


def test_models_keep_all_names_and_only_the_shapes_that_are_reached(tmp_path):
    built = {"sts": ("GetCallerIdentity",)}
    model = load_reduced(built, tmp_path)["sts"]
    assert {"AssumeRole", "GetFederationToken"} <= set(model["operations"])
    assert "AssumeRoleRequest" not in model["shapes"]
    assert "GetCallerIdentityResponse" in model["shapes"]
    (file,) = tmp_path.iterdir()
    before = file.stat().st_mtime_ns
    assert load_reduced(built, tmp_path)["sts"] == model
    assert file.stat().st_mtime_ns == before
    assert "AssumeRoleRequest" in load_reduced({"sts": ("AssumeRole",)}, tmp_path)["sts"]["shapes"]
    file.write_text("{")
    assert load_reduced(built, tmp_path)["sts"] == model

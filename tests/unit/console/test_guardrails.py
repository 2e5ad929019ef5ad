"""Drafts, findings and programs of guardrails, without a browser."""

from __future__ import annotations

import ast

import boto3
import pytest
from botocore.validate import ParamValidator

from rocamadre.console.failures import ApiFailure
from rocamadre.console.guardrails.asking import apply_request, converse_request, read_report
from rocamadre.console.guardrails.code import Where, redteam_command, write_apply, write_keep, write_stream
from rocamadre.console.guardrails.draft import (
    FILTERS,
    PII,
    Draft,
    choose,
    chosen,
    read_guardrail,
    sensible,
)
from rocamadre.console.guardrails.findings import MOST_MARKS, Found, places, read_assessment, read_trace
from rocamadre.console.pages.guardrails import guardrail_page
from rocamadre.console.parts.elements import is_safe_address
from rocamadre.testing.hostile_texts import PAYLOADS

OPEN = Where("http://127.0.0.1:4599", "us-east-1", locked=False)
KEYS = {"region_name": "us-east-1", "aws_access_key_id": "a", "aws_secret_access_key": "b"}
TOLD = {
    "name": "chat",
    "description": "For chats",
    "guardrailId": "abc",
    "version": "DRAFT",
    "blockedInputMessaging": "No.",
    "blockedOutputsMessaging": "Nor that.",
    "contentPolicy": {
        "filters": [
            {
                "type": "HATE", "inputStrength": "HIGH", "outputStrength": "LOW", "inputModalities": ["TEXT"],
                "outputModalities": ["TEXT"], "inputAction": "BLOCK", "outputAction": "NONE", "inputEnabled": True,
                "outputEnabled": True,
            }
        ],
        "tier": {"tierName": "CLASSIC"},
    },
    "topicPolicy": {"topics": [{"name": "Tulips", "definition": "On tulips", "type": "DENY", "inputEnabled": False}]},
    "wordPolicy": {"words": [{"text": "heron", "inputAction": "NONE"}], "managedWordLists": [{"type": "PROFANITY"}]},
    "sensitiveInformationPolicy": {
        "piiEntities": [{"type": "EMAIL", "action": "ANONYMIZE", "inputAction": "BLOCK", "outputAction": "ANONYMIZE"}],
        "regexes": [{"name": "invoice", "pattern": "INV-[0-9]+", "action": "BLOCK", "description": "Ours"}],
    },
    "contextualGroundingPolicy": {"filters": [{"type": "GROUNDING", "threshold": 0.6, "action": "NONE"}]},
    "crossRegionDetails": {"guardrailProfileArn": "arn:aws:bedrock:us-east-1:1:guardrail-profile/us.guardrail.v1:0"},
    "kmsKeyArn": "arn:aws:kms:us-east-1:1:key/k",
}  # fmt: skip


def wrong(service: str, operation: str, members: dict) -> bool:
    shape = boto3.client(service, **KEYS).meta.service_model.operation_model(operation).input_shape
    return ParamValidator().validate(members, shape).has_errors()


def test_a_guardrail_that_is_read_and_kept_stays_what_it_is():
    members = read_guardrail(TOLD).members()
    assert members == {
        "name": "chat",
        "description": "For chats",
        "contentPolicyConfig": {
            "filtersConfig": [
                {"type": "HATE", "inputStrength": "HIGH", "outputStrength": "LOW", "outputAction": "NONE"}
            ]
        },
        "topicPolicyConfig": {
            "topicsConfig": [{"name": "Tulips", "definition": "On tulips", "type": "DENY", "inputEnabled": False}]
        },
        "wordPolicyConfig": {
            "wordsConfig": [{"text": "heron", "inputAction": "NONE"}],
            "managedWordListsConfig": [{"type": "PROFANITY"}],
        },
        "sensitiveInformationPolicyConfig": {
            "piiEntitiesConfig": [{"type": "EMAIL", "action": "ANONYMIZE", "inputAction": "BLOCK"}],
            "regexesConfig": [
                {"name": "invoice", "pattern": "INV-[0-9]+", "action": "BLOCK", "description": "Ours"},
            ],
        },
        "contextualGroundingPolicyConfig": {
            "filtersConfig": [{"type": "GROUNDING", "threshold": 0.6, "action": "NONE"}]
        },
        "blockedInputMessaging": "No.",
        "blockedOutputsMessaging": "Nor that.",
        "kmsKeyId": TOLD["kmsKeyArn"],
        "crossRegionConfig": {"guardrailProfileIdentifier": TOLD["crossRegionDetails"]["guardrailProfileArn"]},
    }
    assert not wrong("bedrock", "CreateGuardrail", members)


def test_the_tier_that_is_not_the_usual_stays():
    told = TOLD | {"contentPolicy": TOLD["contentPolicy"] | {"tier": {"tierName": "STANDARD"}}}
    assert read_guardrail(told).members()["contentPolicyConfig"]["tierConfig"] == {"tierName": "STANDARD"}


def test_the_starting_point_is_what_the_operation_takes():
    draft = sensible("No.", "Nor that.")
    assert draft.missing == ["name"]
    draft.name = "start"
    members = draft.members()
    assert not wrong("bedrock", "CreateGuardrail", members)
    assert {each["type"] for each in members["contentPolicyConfig"]["filtersConfig"]} == set(FILTERS)
    assert Draft(blocked_input="a", blocked_output="b", name="n").missing == ["policies"]
    bare = Draft(
        topics=[{"name": "", "definition": ""}], regexes=[{"name": "", "pattern": "", "action": "BLOCK"}]
    )  # fmt: skip
    assert bare.missing == ["name", "messages", "topics", "regexes"]


def test_every_type_of_personal_data_is_there():
    shape = boto3.client("bedrock", **KEYS).meta.service_model.shape_for("GuardrailPiiEntityType")
    assert sorted(kind for kinds in PII.values() for kind in kinds) == sorted(shape.enum)


def test_choices_are_members_that_say_the_same():
    entry = {"type": "EMAIL", "action": "ANONYMIZE"}
    draft = Draft(pii=[entry])
    choose(entry, "input", "BLOCK")
    assert draft.members()["sensitiveInformationPolicyConfig"]["piiEntitiesConfig"] == [
        {"type": "EMAIL", "action": "ANONYMIZE", "inputAction": "BLOCK"}
    ]
    choose(entry, "output", "OFF")
    assert [chosen(entry, side) for side in ("input", "output")] == ["BLOCK", "OFF"]
    assert draft.members()["sensitiveInformationPolicyConfig"]["piiEntitiesConfig"] == [
        {"type": "EMAIL", "action": "BLOCK", "outputEnabled": False}
    ]


def test_words_that_stay_keep_what_is_done_about_them():
    draft = Draft(words=[{"text": "heron", "inputAction": "NONE"}, {"text": "gull"}])
    draft.set_words(" heron \n\nblue book\nheron")
    assert [each["text"] for each in draft.words] == ["heron", "blue book"]
    assert draft.words_choice("input") == ""
    assert draft.words_choice("output") == "BLOCK"
    assert draft.members()["wordPolicyConfig"]["wordsConfig"] == [
        {"text": "heron", "inputAction": "NONE"}, {"text": "blue book"}
    ]  # fmt: skip


ASSESSMENT = {
    "contentPolicy": {
        "filters": [
            {"type": "HATE", "confidence": "NONE", "filterStrength": "LOW", "action": "NONE", "detected": False},
            {"type": "INSULTS", "confidence": "HIGH", "filterStrength": "LOW", "action": "BLOCKED", "detected": True},
        ]
    },
    "wordPolicy": {"customWords": [{"match": "art", "action": "NONE", "detected": True}]},
    "contextualGroundingPolicy": {
        "filters": [{"type": "GROUNDING", "threshold": 0.7, "score": 0.2, "action": "BLOCKED"}]
    },
    "invocationMetrics": {"guardrailProcessingLatency": 3},
}  # fmt: skip


def test_assessments_are_read_with_what_was_found_first():
    found = read_assessment(ASSESSMENT)
    assert [(each.name, each.detected) for each in found] == [
        ("INSULTS", True), ("", True), ("GROUNDING", True), ("HATE", False)
    ]  # fmt: skip
    assert found[2].score == 0.2


def test_matches_are_marked_wherever_they_stand():
    found = [Found("wordPolicy", "customWords", "", match, "BLOCKED", True) for match in ("art", "no")]
    text = "art, party, art; nobody"
    assert [text[each.start : each.end] for each in places(text, found)] == ["art", "art", "no"]
    assert [each.start for each in places(text, found)] == [0, 12, 17]
    many = places("a " * 100_000, [Found("wordPolicy", "customWords", "", "a", "BLOCKED", True)])
    assert len(many) == MOST_MARKS


def test_a_trace_tells_each_finding_once():
    trace = read_trace(
        {
            "actionReason": "Guardrail blocked.",
            "inputAssessment": {"abc": ASSESSMENT},
            "outputAssessments": {"abc": [ASSESSMENT, {"contentPolicy": {"filters": [
                {"type": "HATE", "confidence": "HIGH", "action": "BLOCKED", "detected": True}]}}]},
            "modelOutput": ["He", "llo"],
        }
    )  # fmt: skip
    assert trace.written == "Hello"
    assert trace.latencies_ms == [3, 3]
    assert [each.name for each in trace.answer if not each.detected] == []
    assert [each.name for each in trace.prompt if not each.detected] == ["HATE"]
    assert not trace.masked


def calls(program: str) -> dict[str, ast.Call]:
    return {
        node.func.attr: node
        for node in ast.walk(ast.parse(program))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    }


def test_programs_ask_what_the_page_asks():
    draft = read_guardrail(TOLD)
    made = calls(write_keep(OPEN, draft.members()))["create_guardrail"]
    assert {each.arg: ast.literal_eval(each.value) for each in made.keywords} == draft.members()
    changed = calls(write_keep(OPEN, draft.members(), "abc"))["update_guardrail"]
    assert ast.literal_eval(changed.keywords[0].value) == "abc"
    locked = write_keep(Where("https://host", "us-east-1", locked=True), draft.members())
    assert "aws_access_key_id" not in locked


@pytest.mark.parametrize("text", PAYLOADS[::12])
def test_texts_of_strangers_stay_texts_in_programs(text):
    request = apply_request("abc", "1", "OUTPUT", text, grounding=text, query=text)
    assert not wrong("bedrock-runtime", "ApplyGuardrail", request)
    asked = calls(write_apply(OPEN, request))["apply_guardrail"]
    assert {each.arg: ast.literal_eval(each.value) for each in asked.keywords} == request
    streamed = converse_request("abc", "DRAFT", model="a.b-v1:0", prompt=text, mode="async")
    assert not wrong("bedrock-runtime", "ConverseStream", streamed)
    asked = calls(write_stream(OPEN, streamed))["converse_stream"]
    assert {each.arg: ast.literal_eval(each.value) for each in asked.keywords} == streamed
    assert "\n" not in redteam_command(text.replace("\n", " "), text.replace("\n", " "), "1")


def test_only_answers_have_a_source():
    (piece,) = apply_request("abc", "1", "INPUT", "said", grounding="g", query="q")["content"]
    assert piece == {"text": {"text": "said"}}


@pytest.mark.parametrize("body", [b"", b"[1]", b"{}", b'{"target": 1}', b"\xff", b"[" * 100_000])
def test_what_is_no_report_is_refused(body):
    with pytest.raises(ApiFailure, match=r"x\.json"):
        read_report(body, "x.json")


def test_addresses_of_guardrails_are_paths():
    assert all(is_safe_address(guardrail_page(text, view=text)) for text in PAYLOADS[::7])

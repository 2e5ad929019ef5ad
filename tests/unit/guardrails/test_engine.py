from __future__ import annotations

from datetime import UTC, datetime

import pytest

from rocamadre.core.errors import InvalidRequest
from rocamadre.guardrails.engine import MOST_CHARACTERS, Content, compile_guardrail, masked_text
from rocamadre.guardrails.policies.protocol import Action, Finding, Source, Surroundings
from rocamadre.guardrails.policies.registry import CONFIGS, POLICIES
from rocamadre.guardrails.types import Version

NOW = datetime(2026, 11, 21, tzinfo=UTC)
EMAIL = {"type": "EMAIL", "action": "ANONYMIZE"}


def guardrail(**policies):
    arn = "arn:aws:bedrock:us-east-1:123456789012:guardrail/tried"
    return compile_guardrail(
        Version(arn, "tried", "3", "tried", "", policies, "Not asked.", "Not said.", "", "", "digest", NOW, NOW)
    )


def words(*texts, **more):
    return {"wordPolicyConfig": {"wordsConfig": [{"text": text, **more} for text in texts]}}


def sensitive(*entities, regexes=()):
    return {"sensitiveInformationPolicyConfig": {"piiEntitiesConfig": list(entities), "regexesConfig": list(regexes)}}


def test_a_finding_that_blocks_leaves_the_message_alone():
    tried = guardrail(**words("basilisk"), **sensitive(EMAIL))
    contents = [Content("write to a@b.es"), Content("about a basilisk")]
    asked, said = tried.examine(contents, Source.INPUT), tried.examine(contents, Source.OUTPUT)
    assert (asked.intervened, asked.blocked, asked.outputs) == (True, True, ["Not asked."])
    assert said.outputs == ["Not said."]
    assert asked.reason == "Guardrail blocked."
    assert asked.assessment["wordPolicy"] == {
        "customWords": [{"match": "basilisk", "action": "BLOCKED", "detected": True}],
        "managedWordLists": [],
    }
    (entity,) = asked.assessment["sensitiveInformationPolicy"]["piiEntities"]
    assert entity == {"match": "a@b.es", "type": "EMAIL", "action": "ANONYMIZED", "detected": True}


def test_masks_leave_every_other_character_as_it_was():
    ticket = {"name": "ticket", "pattern": "T-[0-9]{3}", "action": "ANONYMIZE"}
    tried = guardrail(**sensitive(EMAIL, regexes=[ticket]))
    raw = "\u200b Ａ\r\n\x00 a@b.es,\ud800 T-123 e\u0301 \U0001f600"
    found = tried.examine([Content(raw), Content("nothing")], Source.OUTPUT)
    assert found.outputs == [raw.replace("a@b.es", "{EMAIL}").replace("T-123", "{ticket}"), "nothing"]
    assert (found.blocked, found.reason) == (False, "Guardrail masked.")
    assert [raw[each.start : each.end] for each in found.findings[0]] == ["a@b.es", "T-123"]


def test_what_only_detects_changes_nothing():
    tried = guardrail(**words("basilisk", inputAction="NONE"), **sensitive({"type": "EMAIL", "action": "NONE"}))
    found = tried.examine([Content("a basilisk, a@b.es")], Source.INPUT)
    assert (found.intervened, found.outputs, found.reason) == (False, [], "No action.")
    assert found.assessment["wordPolicy"]["customWords"][0]["action"] == "NONE"
    assert found.assessment["sensitiveInformationPolicy"]["piiEntities"][0]["action"] == "NONE"


def test_input_and_output_have_their_own_settings():
    entity = {**EMAIL, "inputAction": "BLOCK", "outputAction": "NONE"}
    tried = guardrail(**words("basilisk", outputEnabled=False), **sensitive(entity))
    assert tried.examine([Content("a@b.es")], Source.INPUT).blocked
    said = tried.examine([Content("a@b.es, basilisk")], Source.OUTPUT)
    assert not said.intervened
    assert "wordPolicy" not in said.assessment
    assert (said.usage["wordPolicyUnits"], said.usage["sensitiveInformationPolicyUnits"]) == (0, 1)


def test_units_are_thousands_of_characters_of_policies_that_looked():
    regex = {"name": "ticket", "pattern": "T-[0-9]{3}", "action": "NONE"}
    tried = guardrail(**words("basilisk"), **sensitive(regexes=[regex]))
    found = tried.examine([Content("x" * 1500), Content("y" * 501)], Source.INPUT)
    assert found.usage == {
        "topicPolicyUnits": 0,
        "contentPolicyUnits": 0,
        "wordPolicyUnits": 3,
        "sensitiveInformationPolicyUnits": 0,
        "sensitiveInformationPolicyFreeUnits": 3,
        "contextualGroundingPolicyUnits": 0,
    }
    metrics = found.assessment["invocationMetrics"]
    assert metrics["usage"] == found.usage
    assert metrics["guardrailCoverage"] == {"textCharacters": {"guarded": 2001, "total": 2001}}
    assert isinstance(metrics["guardrailProcessingLatency"], int)
    assert found.assessment["appliedGuardrailDetails"]["guardrailVersion"] == "3"


def test_sources_and_queries_are_not_examined_themselves():
    tried = guardrail(**words("basilisk"))
    aside = Content("a basilisk", frozenset({"query"}))
    found = tried.examine([aside, Content("fine")], Source.OUTPUT)
    assert not found.intervened
    assert found.coverage == {"textCharacters": {"guarded": 4, "total": 14}}
    both = Content("a basilisk", frozenset({"query", "guard_content"}))
    assert tried.examine([both], Source.OUTPUT).blocked


def test_the_full_assessment_lists_what_was_looked_for():
    tried = guardrail(**words("basilisk"), **sensitive(EMAIL, {"type": "PHONE", "action": "BLOCK"}))
    found = tried.examine([Content("a@b.es")], Source.INPUT)
    assert "wordPolicy" not in found.full_assessment  # Words are told only where they are found.
    assert found.full_assessment["sensitiveInformationPolicy"]["piiEntities"] == [
        {"match": "a@b.es", "type": "EMAIL", "action": "ANONYMIZED", "detected": True},
        {"match": "", "type": "PHONE", "action": "NONE", "detected": False},
    ]


class Scripted:
    """A policy that finds what a test says, under a name of the API."""

    findings: tuple = ()

    def __init__(self, name):
        self.name, self.config = name, CONFIGS[name]

    def checker(self, config, tier):
        return self

    longest_match = None

    def check(self, text, source, around):
        return list(self.findings)


@pytest.fixture
def script(monkeypatch):
    """`script("contentPolicy", ...)`: what that policy finds in every text."""

    def say(name, *findings):
        policy = type("Said", (Scripted,), {"findings": findings})
        load = POLICIES.load
        monkeypatch.setattr(POLICIES, "load", lambda other: (lambda: policy(name)) if other == name else load(other))

    return say


def filters(kind, **item):
    return {"contentPolicyConfig": {"filtersConfig": [{"type": kind, **item}]}}


def test_filters_tell_confidence_and_strength(script):
    detail = {"confidence": "MEDIUM", "filterStrength": "HIGH"}
    weaker = Finding("filters", "HATE", Action.NONE, detected=False, detail={**detail, "confidence": "LOW"})
    script("contentPolicy", weaker, Finding("filters", "HATE", Action.BLOCK, detail=detail))
    settings = [
        {"type": "HATE", "inputStrength": "HIGH", "outputStrength": "HIGH"},
        {"type": "INSULTS", "inputStrength": "LOW", "outputStrength": "NONE"},
    ]
    tried = guardrail(contentPolicyConfig={"filtersConfig": settings})
    found = tried.examine([Content("text")], Source.INPUT)
    entry = {"type": "HATE", **detail, "action": "BLOCKED", "detected": True}
    assert found.assessment["contentPolicy"] == {"filters": [entry]}
    assert found.full_assessment["contentPolicy"]["filters"][1] == {
        "type": "INSULTS",
        "confidence": "NONE",
        "filterStrength": "LOW",
        "action": "NONE",
        "detected": False,
    }
    assert tried.longest_match is None


def test_attacks_are_looked_for_in_prompts_only(script):
    script("contentPolicy", Finding("filters", "PROMPT_ATTACK", Action.BLOCK))
    tried = guardrail(**filters("PROMPT_ATTACK", inputStrength="LOW", outputStrength="NONE"))
    assert tried.examine([Content("text")], Source.INPUT).blocked
    said = tried.examine([Content("text")], Source.OUTPUT)
    assert (said.blocked, said.usage["contentPolicyUnits"]) == (False, 0)


def test_topics_are_told_by_name(script):
    script("topicPolicy", Finding("topics", "DENY", Action.BLOCK, name="Tax"))
    topics = [{"name": name, "definition": "…", "type": "DENY"} for name in ("Tax", "War")]
    found = guardrail(topicPolicyConfig={"topicsConfig": topics}).examine([Content("text")], Source.INPUT)
    tax = {"name": "Tax", "type": "DENY", "action": "BLOCKED", "detected": True}
    assert found.assessment["topicPolicy"]["topics"] == [tax]
    assert found.full_assessment["topicPolicy"]["topics"] == [
        tax,
        {"name": "War", "type": "DENY", "action": "NONE", "detected": False},
    ]


def test_grounding_needs_an_answer_a_source_and_a_query(script):
    detail = {"threshold": 0.7, "score": 0.9}
    high = Finding("filters", "GROUNDING", Action.NONE, detected=False, detail=detail)
    script("contextualGroundingPolicy", high)
    settings = {"filtersConfig": [{"type": "GROUNDING", "threshold": 0.7}]}
    tried = guardrail(contextualGroundingPolicyConfig=settings)
    source, query = Content("s" * 900, frozenset({"grounding_source"})), Content("q" * 50, frozenset({"query"}))
    answer = Content("a" * 100)
    found = tried.examine([source, query, answer], Source.OUTPUT)
    # A score is told whatever it is.
    assert found.assessment["contextualGroundingPolicy"]["filters"] == [
        {"type": "GROUNDING", **detail, "action": "NONE", "detected": False}
    ]
    assert found.usage["contextualGroundingPolicyUnits"] == 2
    for contents, side in (([source, answer], Source.OUTPUT), ([source, query, answer], Source.INPUT)):
        other = tried.examine(contents, side)
        assert "contextualGroundingPolicy" not in other.assessment
        assert other.usage["contextualGroundingPolicyUnits"] == 0
    aside = Surroundings(grounding=("source",), queries=("query",))
    assert tried.examine([answer], Source.OUTPUT, around=aside).usage["contextualGroundingPolicyUnits"] == 1


def mask(start, end, name):
    return Finding("piiEntities", name, Action.ANONYMIZE, start=start, end=end, placeholder=f"{{{name}}}")


def test_masks_never_overlap():
    text = "0123456789"
    assert masked_text(text, [mask(4, 8, "B"), mask(2, 6, "A"), mask(3, 5, "C")]) == "01{A}{B}89"
    assert masked_text(text, [mask(3, 3, "A")]) == text
    assert masked_text(text, [mask(0, 10, "A"), mask(9, 10, "B")]) == "{A}"


# -- what a caller may do to it ------------------------------------------------------------------------------------


def test_ten_megabytes_are_examined_and_more_are_refused():
    tried = guardrail(**words("basilisk", "last of all"))
    text = ("The fox is red. " * (MOST_CHARACTERS // 16))[: MOST_CHARACTERS - 12] + " last of all"
    found = tried.examine([Content(text)], Source.INPUT)
    assert found.findings[0][0].start == MOST_CHARACTERS - 11
    with pytest.raises(InvalidRequest, match=r"10,000,001 characters .* 10,000,000 are allowed"):
        tried.examine([Content(text), Content("x")], Source.INPUT)


def test_ten_thousand_words_are_looked_for_at_once():
    tried = guardrail(**words(*(f"word{number}" for number in range(10_000))))
    found = tried.examine([Content(" ".join(f"word{number}" for number in range(9_000, 10_100)))], Source.INPUT)
    assert len(found.assessment["wordPolicy"]["customWords"]) == 1_000


def test_a_hundred_thousand_values_are_masked():
    tried = guardrail(**sensitive(EMAIL))
    text = " ".join(f"u{number}@b.es" for number in range(50_000)) + " a@b.es" * 50_000
    found = tried.examine([Content(text)], Source.INPUT)
    assert found.outputs == [" ".join(["{EMAIL}"] * 100_000)]
    assert len(found.assessment["sensitiveInformationPolicy"]["piiEntities"]) == 50_001


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|a)*b", "(.*a){12}", "(a*)*c", "([a-z]+)*1"])
def test_hostile_expressions_take_linear_time(pattern):
    tried = guardrail(**sensitive(regexes=[{"name": "hostile", "pattern": pattern, "action": "BLOCK"}]))
    tried.examine([Content("a" * 300_000 + "!")], Source.INPUT)


@pytest.mark.parametrize("pattern", ["(", "(?=a)", r"(a)\1", "a{2000}", "(((a{900}){900}){900})"])
def test_expressions_that_cannot_be_bounded_are_refused(pattern):
    with pytest.raises(InvalidRequest, match="the expression 'broken' is not taken"):
        guardrail(**sensitive(regexes=[{"name": "broken", "pattern": pattern, "action": "BLOCK"}]))


@pytest.mark.parametrize(
    "text", ["\ud800", "\udfff\ud800" * 1000, "\x00", "\ufeff", "e" + "\u0301" * 10_000, "\u200b" * 50_000, "", " "]
)
def test_strange_characters_are_no_obstacle(text):
    tried = guardrail(**words("basilisk"), **sensitive(EMAIL, {"type": "NAME", "action": "ANONYMIZE"}))
    found = tried.examine([Content(f"{text} a@b.es {text}"), Content(text)], Source.INPUT)
    assert found.outputs == [f"{text} {{EMAIL}} {text}", text]

"""What leaves an answer that is examined while it is written."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache

import pytest

from rocamadre.guardrails.engine import Content, Guardrail, compile_guardrail
from rocamadre.guardrails.policies.protocol import Action, Finding, Source, Surroundings
from rocamadre.guardrails.streaming import Watch
from rocamadre.guardrails.types import Version

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PII = {
    "piiEntitiesConfig": [
        {"type": kind, "action": "ANONYMIZE"}
        for kind in ("EMAIL", "PHONE", "CREDIT_DEBIT_CARD_NUMBER", "US_SOCIAL_SECURITY_NUMBER", "URL", "IP_ADDRESS")
    ],
    "regexesConfig": [{"name": "order", "pattern": r"ORD-\d{6}", "action": "ANONYMIZE"}],
}
TEXT = (
    "Dear Ana,\n\nyour order ORD-123456 has left. Write to ana.lopez@example.com or call +34 612 345 678. "
    "The card 4111 1111 1111 1111 was charged; the server is 10.0.0.7 — ¡gracias, señora! 🙂 "
    "See https://shop.example.com/track?id=77 for more.\r\nKind regards\n"
)


def guardrail(**policies) -> Guardrail:
    arn = "arn:aws:bedrock:us-east-1:123456789012:guardrail/abc"
    return compile_guardrail(
        Version(arn, "abc", "1", "g", "", policies, "No question.", "No answer.", "", "", "d", NOW, NOW)
    )


@cache
def masking() -> Guardrail:
    return guardrail(sensitiveInformationPolicyConfig=PII)


def words(action: str = "BLOCK") -> Guardrail:
    return guardrail(wordPolicyConfig={"wordsConfig": [{"text": "blue moon", "outputAction": action}]})


def streamed(watch: Watch, pieces: list[str]) -> list[str]:
    sent = []
    for piece in pieces:
        watch.add(piece)
        if watch.due:
            sent.append(watch.look())
    sent.append(watch.look(final=True))
    return sent


def cut(text: str, seed: int, most: int) -> list[str]:
    rng, pieces, at = random.Random(seed), [], 0
    while at < len(text):
        size = rng.randint(1, most)
        pieces.append(text[at : at + size])
        at += size
    return pieces


@pytest.mark.parametrize("seed", range(12))
def test_the_same_as_examined_whole(seed):
    text = "".join(random.Random(seed).choices(TEXT.split("\n") + ["Nothing here but words. "] * 9, k=60))
    guard = masking()
    whole = guard.examine([Content(text)], Source.OUTPUT)
    watch = Watch([(guard, ["REQUEST"])])
    sent = streamed(watch, cut(text, seed, 30))
    assert "".join(sent) == whole.outputs[0]
    assert len([each for each in sent if each]) > 3
    result = watch.results()[0]
    assert result.intervened
    assert result.reason == "Guardrail masked."
    ours, theirs = dict(result.assessment), dict(whole.assessment)
    ours["invocationMetrics"] = dict(ours["invocationMetrics"], guardrailProcessingLatency=0)
    theirs["invocationMetrics"] = dict(theirs["invocationMetrics"], guardrailProcessingLatency=0)
    assert ours == theirs


def test_a_value_in_single_characters():
    watch = Watch([(masking(), ["REQUEST"])])
    assert "".join(streamed(watch, list(TEXT))) == masking().examine([Content(TEXT)], Source.OUTPUT).outputs[0]


def test_less_is_held_back_than_the_longest_address():
    guard = masking()
    assert guard.longest_match == 642
    watch = Watch([(guard, ["REQUEST"])])
    watch.add("A few short words. " * 30)
    assert len(watch.look()) > 300
    watch.add("See https://example.com/" + "path/" * 90)
    assert "https" not in watch.look()
    watch.add("end now. " + "And more words. " * 30)
    assert "{URL} now." in watch.look()


def test_nothing_found_is_sent_byte_for_byte():
    text = "Todo está bien: señal – 100 %\r\n\tok\u200b. " * 80
    watch = Watch([(masking(), ["REQUEST"])])
    assert "".join(streamed(watch, cut(text, 1, 9))) == text
    assert not watch.masked
    assert watch.results()[0].reason == "No action."
    assert watch.characters == len(text)


def test_blocked_before_a_word_of_it_leaves():
    watch = Watch([(words(), ["REQUEST"])])
    text = "Fine words come first. " * 40 + "Then a blue moon rises. " + "More follows. " * 40
    sent = streamed(watch, cut(text, 2, 7))
    assert watch.blocked is not None
    assert watch.blocked.blocked_output == "No answer."
    assert "blue" not in "".join(sent)
    assert "".join(sent).startswith("Fine words")
    assert text.startswith("".join(sent))
    assert watch.results()[0].assessment["wordPolicy"]["customWords"][0]["match"] == "blue moon"


def test_held_to_the_end():
    watch = Watch([(masking(), ["REQUEST"])], hold_all=True)
    sent = streamed(watch, cut(TEXT * 9, 3, 20))
    assert len(sent) == 1
    assert "{EMAIL}" in sent[0]


def test_only_judged():
    watch = Watch([(masking(), ["REQUEST"]), (words(), ["ACCOUNT_ENFORCED"])], masks=False)
    streamed(watch, cut(TEXT * 9, 4, 20))
    assert watch.blocked is None
    assert not watch.masked
    entities = watch.results()[0].assessment["sensitiveInformationPolicy"]["piiEntities"]
    assert {"match": "ana.lopez@example.com", "type": "EMAIL", "action": "NONE", "detected": True} in entities
    streamed(watch, ["a blue moon"])
    assert watch.blocked is not None
    assert watch.results()[1].assessment["appliedGuardrailDetails"]["guardrailOrigin"] == ["ACCOUNT_ENFORCED"]


def test_masks_of_two_guardrails():
    second = guardrail(
        sensitiveInformationPolicyConfig={
            "regexesConfig": [{"name": "name", "pattern": "Ana", "action": "ANONYMIZE"}],
        }
    )
    watch = Watch([(masking(), ["REQUEST"]), (second, ["ACCOUNT_ENFORCED"])])
    text = "".join(streamed(watch, list("Ana has ana@example.com and ORD-123456.")))
    assert text == "{name} has {EMAIL} and {order}."


def test_several_texts_of_one_answer():
    watch = Watch([(masking(), ["REQUEST"])])
    watch.add("Before the tool: a@example.com")
    assert watch.look(final=True) == "Before the tool: {EMAIL}"
    watch.add("after it")
    assert watch.look(final=True) == "after it"
    assert watch.characters == 38


class Judge:
    """A policy that judges whole texts, and counts what it reads."""

    def __init__(self, bad: str, policy: str, longest: int | None = None) -> None:
        self.policy, self.checker, self.bad = policy, self, bad
        self.longest_match, self.read = longest, 0

    def check(self, text, source, around):
        self.read += len(text.raw)
        action = Action.BLOCK if self.bad in text.raw else Action.NONE
        return [Finding("filters", "HATE", action, detected=action is Action.BLOCK, detail={"confidence": "HIGH"})]


def judged(judge: Judge) -> Guardrail:
    return Guardrail(masking().version, (judge,))


def test_a_judgement_of_the_whole_stops_it():
    watch = Watch([(judged(Judge("terrible", "other")), ["REQUEST"])])
    text = "Good things are said. " * 60 + "A terrible thing is said. " + "And more. " * 60
    sent = "".join(streamed(watch, cut(text, 5, 10)))
    assert watch.blocked is not None
    assert "terrible" not in sent
    assert len(sent) > 900


@pytest.mark.parametrize("policy", ["other", "sensitiveInformationPolicy"])
def test_cost_grows_with_the_text_not_its_square(policy):
    costs = []
    for size in (20_000, 80_000):
        judge = Judge("never", policy, None)
        streamed(Watch([(judged(judge), ["REQUEST"])]), cut("word " * (size // 5), 6, 20))
        costs.append(judge.read / size)
    assert costs[1] < 1.3 * costs[0]
    assert costs[1] < 20


def test_an_endless_match_is_held_and_costs_no_square():
    guard = guardrail(
        sensitiveInformationPolicyConfig={
            "regexesConfig": [{"name": "tail", "pattern": r"BEGIN[\s\S]*", "action": "ANONYMIZE"}]
        }
    )
    watch = Watch([(guard, ["REQUEST"])])
    looks = 0
    for piece in cut("Before. BEGIN" + " secret" * 3000, 7, 12):
        watch.add(piece)
        if watch.due:
            looks += 1
            assert "secret" not in watch.look()
    assert looks < 40
    assert watch.look(final=True).endswith("{tail}")


def test_grounding_waits_for_the_end():
    class Grounded(Judge):
        def check(self, text, source, around):
            assert around.queries == ("What?",)
            self.read += 1
            return []

    judge = Grounded("", "contextualGroundingPolicy")
    policies = {"contextualGroundingPolicyConfig": {"filtersConfig": [{"type": "GROUNDING", "threshold": 0.5}]}}
    guard = Guardrail(replace(masking().version, policies=policies), (judge,))
    around = Surroundings(("A source.",), ("What?",))
    watch = Watch([(guard, ["REQUEST"])], around=around)
    sent = streamed(watch, cut("An answer. " * 200, 8, 9))
    assert len(sent) == 1
    assert judge.read == 1
    follow = Watch([(guard, ["REQUEST"])], around=around, masks=False)
    streamed(follow, cut("An answer. " * 200, 8, 9))
    assert judge.read == 2
    units = follow.results()[0].assessment["invocationMetrics"]["usage"]
    assert units["contextualGroundingPolicyUnits"] == 3

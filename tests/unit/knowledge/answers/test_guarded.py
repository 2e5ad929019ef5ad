"""Answers from passages with a guardrail, through boto3: the action, the citations, what a session remembers."""

from __future__ import annotations

from uuid import uuid4

import pytest

from rocamadre.api.bedrock_agent_runtime.guarding import Masked
from rocamadre.guardrails.engine import masked_text
from rocamadre.guardrails.policies.protocol import Action, Finding

BUILT = "When was the lighthouse of Calder Point built?"


@pytest.fixture(scope="module")
def guarded(client):
    """`guarded(policies)`: members of a configuration of answers."""

    def make(**policies):
        made = client("bedrock").create_guardrail(
            name=f"g-{uuid4().hex[:12]}",
            blockedInputMessaging="Not that question.",
            blockedOutputsMessaging="Not that answer.",
            **policies,
        )
        wanted = {"guardrailId": made["guardrailId"], "guardrailVersion": "DRAFT"}
        return {"generationConfiguration": {"guardrailConfiguration": wanted}}

    return make


def words(*texts):
    return {"wordPolicyConfig": {"wordsConfig": [{"text": text} for text in texts]}}


def expression(pattern):
    entry = {"name": "hidden", "pattern": pattern, "action": "ANONYMIZE"}
    return {"sensitiveInformationPolicyConfig": {"regexesConfig": [entry]}}


@pytest.mark.covers("bedrock-agent-runtime:RetrieveAndGenerate")
@pytest.mark.covers("bedrock-agent-runtime:RetrieveAndGenerateStream")
def test_nothing_found(ask, guarded):
    plain, answer = ask(BUILT), ask(BUILT, **guarded(**words("unlikely")))
    assert answer["guardrailAction"] == "NONE"
    assert (answer["output"], answer["citations"]) == (plain["output"], plain["citations"])
    assert "guardrailAction" not in plain


def test_masked_answers_keep_their_citations(ask, guarded):
    wanted = guarded(**expression("1874|Martha Quill"))
    answer = ask(BUILT, **wanted)
    assert answer["guardrailAction"] == "INTERVENED"
    text = answer["output"]["text"]
    assert "{hidden}" in text
    assert "1874" not in text
    (citation,) = answer["citations"]
    part = citation["generatedResponsePart"]["textResponsePart"]
    assert text[part["span"]["start"] : part["span"]["end"] + 1] == part["text"]
    assert "1874" in citation["retrievedReferences"][0]["content"]["text"]

    events = list(ask(BUILT, stream=True, **wanted)["stream"])
    assert events[0] == {"guardrail": {"action": "INTERVENED"}}
    assert "".join(event["output"]["text"] for event in events if "output" in event) == text
    assert [event["citation"]["citation"] for event in events if "citation" in event] == [citation]


@pytest.mark.parametrize(
    ("refused", "message"), [("built", "Not that question."), ("1874", "Not that answer.")], ids=["question", "answer"]
)
def test_blocked(ask, guarded, refused, message):
    wanted = guarded(**words(refused))
    answer = ask(BUILT, **wanted)
    assert answer["guardrailAction"] == "INTERVENED"
    assert answer["output"]["text"] == message
    assert answer["citations"] == []
    events = list(ask(BUILT, stream=True, **wanted)["stream"])
    assert events == [{"guardrail": {"action": "INTERVENED"}}, {"output": {"text": message}}]
    # The session goes on.
    assert "1874" in ask(BUILT, session=answer["sessionId"])["output"]["text"]


def test_a_question_is_masked_before_it_is_asked(ask, guarded):
    answer = ask(f"{BUILT} I am 55512345.", **guarded(**expression(r"\d{8}")))
    assert answer["guardrailAction"] == "INTERVENED"
    assert "1874" in answer["output"]["text"]


@pytest.mark.covers("bedrock-agent-runtime:Retrieve")
def test_retrieval_examines_the_question(runtime, base, guarded):
    def found(policies):
        wanted = guarded(**policies)["generationConfiguration"]["guardrailConfiguration"]
        query = {"text": BUILT}
        return runtime.retrieve(knowledgeBaseId=base, retrievalQuery=query, guardrailConfiguration=wanted)

    answer = found(words("lighthouse"))
    assert (answer["retrievalResults"], answer["guardrailAction"]) == ([], "INTERVENED")
    answer = found(words("unlikely"))
    assert answer["guardrailAction"] == "NONE"
    assert "1874" in answer["retrievalResults"][0]["content"]["text"]


def test_places_in_masked_texts():
    text = "ab cd ef gh"
    findings = [
        Finding("regexes", "", Action.ANONYMIZE, start=start, end=end, placeholder=placeholder)
        for start, end, placeholder in ((3, 5, "{longer}"), (4, 7, "{x}"), (9, 11, ""))
    ]
    masked = Masked(text, findings)
    assert masked.text == masked_text(text, findings) == "ab {longer}{x}f "
    assert [masked.place(at) for at in (0, 3, 4, 5, 6, 7, 8)] == [0, 3, 3, 11, 11, 14, 15]
    assert [masked.place(at, end=True) for at in (3, 4, 5, 6, 7, 11)] == [3, 11, 11, 14, 14, 16]

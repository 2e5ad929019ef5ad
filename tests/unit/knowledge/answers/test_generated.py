"""RetrieveAndGenerate where a model writes: the fake one, by its rules (`conftest.py`)."""

from __future__ import annotations

import pytest

from rocamadre.knowledge.answers.lexicon import NOT_FOUND


@pytest.fixture(scope="module")
def by():
    return "model"


@pytest.mark.parametrize("stream", [False, True])
def test_what_no_chunk_says_is_left_out(ask, checked, stream):
    answer = ask("How is the lighthouse tall?", stream=stream)
    if stream:
        events = list(answer["stream"])
        text = "".join(event["output"]["text"] for event in events if "output" in event)
        citations = [event["citation"]["citation"] for event in events if "citation" in event]
    else:
        text, citations = answer["output"]["text"], answer["citations"]
        assert answer["ResponseMetadata"]["HTTPHeaders"]["x-rocamadre-answered-by"].startswith("model; ")
    assert text == "The lighthouse of Calder Point is 32 metres tall."
    checked(text, citations)
    (citation,) = citations
    (reference,) = citation["retrievedReferences"]
    assert reference["location"]["s3Location"]["uri"] == "s3://docs/lighthouse.txt"


def test_an_answer_that_nothing_supports_is_none(ask):
    answer = ask("nothing of use, lighthouse of Calder?")
    assert answer["output"]["text"] == NOT_FOUND["en"]
    assert all(not citation["retrievedReferences"] for citation in answer["citations"])


def test_the_template_is_filled(ask):
    # The fake model says what it was told: the passages stand in the system prompt, the question is the user's.
    template = {"textPromptTemplate": "How is the lighthouse tall? $search_results$ $query$"}
    answer = ask("Calder?", generationConfiguration={"promptTemplate": template})
    assert answer["output"]["text"] == "The lighthouse of Calder Point is 32 metres tall."


def test_a_follow_up_is_put_by_the_model(ask):
    first = ask("How is the lighthouse tall?")
    second = ask("And so?", session=first["sessionId"])
    assert second["output"]["text"] == "The lighthouse of Calder Point is 32 metres tall."

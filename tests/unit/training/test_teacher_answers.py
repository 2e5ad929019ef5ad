from __future__ import annotations

import threading

import pytest

from rocamadre.datasets.types import Prompt, Turn
from rocamadre.training.teacher_answers import Answer, Counts, is_refusal, learn_from_answers, prompt_key


def prompt(text):
    return Prompt((Turn("system", "Be short."), Turn("user", text)))


def test_answers_become_conversations_and_the_rest_is_counted():
    said = {
        "a": Answer(" Yes. "),
        "b": Answer("I'm sorry, but I can't help with that."),
        "c": Answer("It goes on and", "max_tokens"),
        "d": Answer("  "),
        "e": Answer("No.", "content_filtered"),
        "f": Answer("Done", "stop_sequence"),
    }
    asked = []

    def ask(turns):
        asked.append(turns[-1].text)
        return said[turns[-1].text.strip()]

    counts = Counts()
    prompts = [prompt(text) for text in ("a", "b", "c", "d", " a ", "e", "f", "a")]
    chats = list(learn_from_answers(prompts, ask, counts))
    assert [(chat.turns[-2].text, chat.turns[-1]) for chat in chats] == [
        ("a", Turn("assistant", "Yes.")),
        ("f", Turn("assistant", "Done")),
    ]
    assert chats[0].turns[:2] == prompts[0].turns
    assert counts == Counts(prompts=8, kept=2, repeated=2, refused=2, cut=1, empty=1)
    assert asked == ["a", "b", "c", "d", "e", "f"]


def test_refusals_may_be_kept():
    counts = Counts()
    answers = learn_from_answers([prompt("b")], lambda _: Answer("I cannot do that."), counts, keep_refusals=True)
    assert [chat.turns[-1].text for chat in answers] == ["I cannot do that."]


def test_several_are_asked_at_a_time_and_order_stays():
    together = threading.Barrier(3, timeout=20)

    def ask(turns):
        together.wait()
        return Answer(turns[-1].text.upper())

    counts = Counts()
    chats = learn_from_answers(map(prompt, "abcdef"), ask, counts, parallel=3)
    assert [chat.turns[-1].text for chat in chats] == list("ABCDEF")


def test_what_the_teacher_raises_ends_it():
    def ask(turns):
        raise ConnectionError

    with pytest.raises(ConnectionError):
        list(learn_from_answers(map(prompt, "abc"), ask, Counts(), parallel=2))


def test_keys_look_at_words_and_roles():
    assert prompt_key(prompt("a  b\n")) == prompt_key(prompt(" a b"))
    assert prompt_key(prompt("a b")) != prompt_key(Prompt((Turn("user", "Be short."), Turn("user", "a b"))))


@pytest.mark.parametrize(
    "text",
    [
        "I cannot assist with that request.",
        "I can't help you there.",
        "I’m sorry, but I’m not able to share that.",
        "Unfortunately, I am unable to answer.",
        "As a language model, I have no opinions.",
        "Lo siento, pero no puedo ayudarte con eso.",
        "No puedo ayudarte.",
        "Desculpe, mas não posso responder a isso.",
        "Infelizmente, não consigo fazer isso.",
        "Como modelo de linguagem, não tenho opinião.",
    ],
)
def test_refusals_are_seen(text):
    assert is_refusal(text)


@pytest.mark.parametrize(
    "text",
    [
        "The knight said: I cannot assist you.",
        "Sorry for the delay: the answer is 4.",
        "No puedo es la primera persona del presente.",
        "Iacônica é uma palavra rara.",
        "I can help with that.",
        "Asana is an app.",
    ],
)
def test_answers_are_not_taken_for_refusals(text):
    assert not is_refusal(text)

from __future__ import annotations

import time

import pytest

from rocamadre.catalog.routing import difficulty, prefers_other
from rocamadre.core.messages import Document, GenerationRequest, Media, Message, Text, ToolSpec

EASY = [
    "Hello, how are you?",
    "What is the capital of France?",
    "Translate 'good morning' to Spanish.",
    "Thanks!",
    "Say hi in one word.",
    "Is Paris in France?",
    "¿Cuál es la capital de Perú?",
    "Hola, buenos días.",
    "Traduce 'gato' al inglés, por favor.",
    "Qual é a capital do Brasil?",
    "Oi, tudo bem?",
    "Quem escreveu Dom Casmurro?",
]
HARD = [
    "Prove that the square root of 2 is irrational, step by step.",
    "Compare quicksort and mergesort and explain when each is better; write both in Python.",
    "Solve 3x + 5 = 2(x - 7) and justify each step.",
    "Design a schema for a library and write the SQL for it.\n- books\n- members\n- loans\nIt must be normalised.",
    "Why does this fail?\n```python\ndef f(x=[]):\n    x.append(1)\n    return x\n```",
    "Analyse the trade-offs between consistency and availability and argue for one of them.",
    "Demuestra paso a paso que hay infinitos números primos.",
    "Calcula la probabilidad de sacar dos ases y explica el razonamiento.",
    "Compara estos dos contratos y justifica cuál debe firmarse.",
    "Explique passo a passo por que a derivada de x^2 é 2x.",
    "Resolva a equação 2x + 3 = 11 e analise o resultado.",
    "Projete um algoritmo em Python que deve usar no máximo O(n) de memória.",
]


def ask(text, **more):
    return GenerationRequest(messages=(Message("user", (Text(text), *more.pop("blocks", ()))),), **more)


def score(text, **more):
    return difficulty(ask(text, **more)).score


def test_hard_requests_score_above_easy_ones_in_three_languages():
    pairs = [(score(hard), score(easy)) for hard in HARD for easy in EASY]
    above = sum((hard > easy) + 0.5 * (hard == easy) for hard, easy in pairs) / len(pairs)
    assert above >= 0.95


def test_cues_are_named_and_add_up():
    found = difficulty(ask("Explain step by step how many primes are below 30?"))
    assert set(found.cues) == {"reasoning", "arithmetic"}
    assert found.score == sum(found.cues.values()) == 40
    assert difficulty(ask("Hi")).cues == {}


@pytest.mark.parametrize(
    ("more", "cue"),
    [
        ({"blocks": (Document("a", "text"),)}, "documents"),
        ({"blocks": (Media("image", "png", b"x"),)}, "media"),
        ({"tools": (ToolSpec("f", "", {}),)}, "tools"),
        ({"schema": {}}, "tools"),
        ({"system": "word " * 2000}, "length"),
    ],
)
def test_what_comes_with_a_request_counts(more, cue):
    assert difficulty(ask("Hi there", **more)).cues.keys() == {cue}


def test_only_the_last_question_is_searched_for_cues():
    turns = (
        Message("user", (Text("Prove it"),)),
        Message("assistant", (Text("Done"),)),
        Message("user", (Text("Ok"),)),
    )
    assert difficulty(GenerationRequest(messages=turns)).score < difficulty(ask("Prove it")).score
    assert "turns" in difficulty(GenerationRequest(messages=turns * 3)).cues


def test_raw_prompts_and_empty_ones():
    assert difficulty(GenerationRequest(prompt="Explain why")).score == 25
    assert difficulty(GenerationRequest()).score == 0


def test_the_score_has_bounds_and_hostile_text_takes_linear_time():
    everything = "\n".join([*HARD, "must " * 1000, "?" * 1000, "1+" * 1000])
    assert score(everything, system="x " * 100_000, blocks=(Media("image", "png", b""), Document("a", "b"))) == 100
    began = time.perf_counter()
    for unit in ("select ", "1 ", "- ", "por ", "{ ", "()", "`", "a" * 99 + " ", "\n", "\n  ", " ", ";", "1+"):
        score(unit * 100_000)
    assert time.perf_counter() - began < 60  # Anything worse than linear would take hours.


def test_the_criterion():
    cheaper = [prefers_other(score, 25, other_is_stronger=False) for score in (0, 25, 25.1, 100)]
    assert cheaper == [True, True, False, False]
    stronger = [prefers_other(score, 25, other_is_stronger=True) for score in (0, 25, 25.1, 100)]
    assert stronger == [False, False, True, True]

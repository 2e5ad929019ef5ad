"""Contextual grounding: answers that the source bears out score above those that it does not, in three languages."""

from __future__ import annotations

import json
from importlib.resources import files

import pytest

from rocamadre.core.errors import InvalidRequest
from rocamadre.guardrails.grounding import judge
from rocamadre.guardrails.grounding.features import GROUNDING, RELEVANCE
from rocamadre.guardrails.grounding.model import models
from rocamadre.guardrails.grounding.tokens import NAME, NEGATOR, NUMBER, guess_language, number_value, tokenise
from rocamadre.guardrails.policies.grounding import Grounding
from rocamadre.guardrails.policies.protocol import Action, Source, Surroundings
from rocamadre.guardrails.text import Text

SOURCES = {
    "en": (
        "The Harbour Bridge was opened in March 1932 after eight years of work. It was designed by John Bradfield "
        "and built by Dorman Long of Middlesbrough. The arch spans 503 metres and carries eight lanes of traffic. "
        "The toll was not abolished when the loan was repaid in 1988."
    ),
    "es": (
        "El puente del puerto se inauguró en marzo de 1932 tras ocho años de obras. Lo diseñó John Bradfield y lo "
        "construyó la empresa Dorman Long de Middlesbrough. El arco mide 503 metros y lleva ocho carriles de tráfico. "
        "El peaje no se suprimió cuando se devolvió el préstamo en 1988."
    ),
    "pt": (
        "A ponte do porto foi inaugurada em março de 1932 depois de oito anos de obras. Foi projetada por John "
        "Bradfield e construída pela empresa Dorman Long de Middlesbrough. O arco mede 503 metros e leva oito faixas "
        "de trânsito. O pedágio não foi abolido quando o empréstimo foi pago em 1988."
    ),
}
RIGHT = {
    "en": "It was designed by John Bradfield and built by Dorman Long. The arch spans 503 metres.",
    "es": "Lo diseñó John Bradfield y lo construyó la empresa Dorman Long. El arco mide 503 metros.",
    "pt": "Foi projetada por John Bradfield e construída pela empresa Dorman Long. O arco mede 503 metros.",
}
WRONG = {
    "en": {
        "number": "It was designed by John Bradfield and built by Dorman Long. The arch spans 740 metres.",
        "name": "It was designed by Peter Walker and built by Dorman Long. The arch spans 503 metres.",
        "added": "It was designed by John Bradfield, who later became mayor of Toronto and wrote novels.",
        "elsewhere": "Photosynthesis turns light into chemical energy inside the chloroplasts of plants.",
        "negated": "The toll was abolished when the loan was repaid in 1988.",
    },
    "es": {
        "number": "Lo diseñó John Bradfield y lo construyó la empresa Dorman Long. El arco mide 740 metros.",
        "name": "Lo diseñó Pedro Ferrer y lo construyó la empresa Dorman Long. El arco mide 503 metros.",
        "added": "Lo diseñó John Bradfield, que después fue alcalde de Toronto y escribió novelas.",
        "elsewhere": "La fotosíntesis convierte la luz en energía química dentro de los cloroplastos.",
        "negated": "El peaje se suprimió cuando se devolvió el préstamo en 1988.",
    },
    "pt": {
        "number": "Foi projetada por John Bradfield e construída pela empresa Dorman Long. O arco mede 740 metros.",
        "name": "Foi projetada por Pedro Lima e construída pela empresa Dorman Long. O arco mede 503 metros.",
        "added": "Foi projetada por John Bradfield, que depois foi prefeito de Toronto e escreveu romances.",
        "elsewhere": "A fotossíntese transforma a luz em energia química dentro dos cloroplastos.",
        "negated": "O pedágio foi abolido quando o empréstimo foi pago em 1988.",
    },
}
FILTERS = [{"type": "GROUNDING", "threshold": 0.7}, {"type": "RELEVANCE", "threshold": 0.5}]


def checker(*filters):
    return Grounding().checker({"filtersConfig": list(filters)}, "CLASSIC")


def checked(answer, *, grounding=(), queries=(), source=Source.OUTPUT, filters=FILTERS):
    return checker(*filters).check(Text(answer), source, Surroundings(grounding, queries))


@pytest.mark.parametrize("language", SOURCES)
@pytest.mark.parametrize("kind", ["number", "name", "added", "elsewhere", "negated"])
def test_a_wrong_answer_scores_below_the_right_one_and_below_the_threshold(language, kind):
    right = judge(RIGHT[language], SOURCES[language]).grounding
    wrong = judge(WRONG[language][kind], SOURCES[language]).grounding
    assert right >= 0.7
    assert wrong < right
    if kind != "negated":
        assert wrong < 0.7


@pytest.mark.parametrize(("source", "answer"), [("en", "es"), ("es", "en"), ("en", "pt"), ("pt", "es"), ("es", "pt")])
def test_an_answer_in_another_language_than_the_source(source, answer):
    right = judge(RIGHT[answer], SOURCES[source]).grounding
    assert all(
        judge(WRONG[answer][kind], SOURCES[source]).grounding < right for kind in ("number", "name", "elsewhere")
    )


def test_the_weakest_sentence_decides():
    source = SOURCES["en"]
    both = f"{RIGHT['en']} {WRONG['en']['elsewhere']}"
    assert judge(both, source).grounding < 0.7 <= judge(RIGHT["en"], source).grounding


def test_a_short_answer_is_read_with_its_question():
    source = "London is the capital of the United Kingdom. Tokyo is the capital of Japan."
    question = "What is the capital of Japan?"
    assert judge("Tokyo", source, question).grounding > judge("London", source, question).grounding


@pytest.mark.parametrize(
    ("question", "answer", "beside"),
    [
        ("Who designed the bridge?", "It was designed by John Bradfield.", "I like to cook soup on Sundays."),
        ("¿Quién diseñó el puente?", "Lo diseñó John Bradfield.", "Me gusta cocinar sopa los domingos."),
        ("Quem projetou a ponte?", "Foi projetada por John Bradfield.", "Gosto de cozinhar sopa aos domingos."),
    ],
)
def test_relevance_tells_an_answer_from_what_is_beside_the_question(question, answer, beside):
    source = SOURCES[guess_language(question)]
    assert judge(answer, source, question).relevance > judge(beside, source, question).relevance


def test_findings_have_the_threshold_and_the_score():
    query = "Who designed the bridge?"
    grounded, relevant = checked(RIGHT["en"], grounding=[SOURCES["en"]], queries=[query])
    assert (grounded.kind, grounded.type, grounded.detected, grounded.action) == (
        "filters",
        "GROUNDING",
        False,
        Action.NONE,
    )
    assert (relevant.type, relevant.detail["threshold"]) == ("RELEVANCE", 0.5)
    bad = WRONG["en"]["elsewhere"]
    found = checked(bad, grounding=[SOURCES["en"]], queries=[query])[0]
    assert (found.detected, found.action, found.start, found.end) == (True, Action.BLOCK, 0, len(bad))
    assert found.detail["score"] < found.detail["threshold"] == 0.7


def test_action_none_reports_without_blocking():
    (found,) = checked(
        WRONG["en"]["elsewhere"],
        grounding=[SOURCES["en"]],
        filters=[{"type": "GROUNDING", "threshold": 0.7, "action": "NONE"}],
    )
    assert (found.detected, found.action) == (True, Action.NONE)


def test_a_disabled_filter_does_not_appear():
    filters = [{**FILTERS[0], "enabled": False}, FILTERS[1]]
    found = checked(RIGHT["en"], grounding=[SOURCES["en"]], queries=["Who designed it?"], filters=filters)
    assert [one.type for one in found] == ["RELEVANCE"]


@pytest.mark.parametrize("given", [{"source": Source.INPUT}, {"grounding": (), "queries": ()}])
def test_inputs_and_answers_without_a_source_are_left_alone(given):
    assert checked(RIGHT["en"], **{"grounding": [SOURCES["en"]], "queries": ["Who?"], **given}) == []


def test_a_threshold_of_nought_lets_everything_pass():
    (found,) = checked(
        WRONG["en"]["elsewhere"], grounding=[SOURCES["en"]], filters=[{"type": "GROUNDING", "threshold": 0}]
    )
    assert not found.detected


@pytest.mark.parametrize(
    ("filters", "said"),
    [
        ([], "empty"),
        ([{"type": "TRUTH", "threshold": 0.5}], "GROUNDING and RELEVANCE"),
        ([FILTERS[0], FILTERS[0]], "twice"),
        ([{"type": "GROUNDING", "threshold": 1}], "0.99"),
        ([{"type": "GROUNDING", "threshold": -0.1}], "from 0"),
        ([{"type": "GROUNDING", "threshold": 0.5, "action": "ANONYMIZE"}], "BLOCK or NONE"),
    ],
)
def test_wrong_settings_are_refused(filters, said):
    with pytest.raises(InvalidRequest, match=said):
        checker(*filters)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"answer": "a " * 2_501}, "answer .* 5002 characters; 5000"),
        ({"grounding": ["a " * 50_001]}, "source has 100002"),
        ({"queries": ["a " * 501]}, "query has 1001"),
    ],
)
def test_more_than_can_be_judged_is_refused(given, said):
    given = {"answer": RIGHT["en"], "grounding": [SOURCES["en"]], "queries": ["Who?"], **given}
    with pytest.raises(InvalidRequest, match=said):
        checked(given.pop("answer"), **given)


@pytest.mark.parametrize(
    "text",
    ["", "…", "?!\n\n", "\ud800 \udfff", "٤٢ 東京都 🙂", "a" * 5_000, "no " * 1_600, "1,2.3,4 " * 600, "A.B.C. " * 700],
)
def test_any_text_gets_a_score(text):
    scores = judge(text, text * 2, text[:900])
    assert all(0 <= each <= 1 for each in (scores.grounding, scores.relevance) if each is not None)


def test_the_most_that_is_allowed_stays_bounded():
    source = " ".join(f"Word{number % 900} is in place {number} of the list." for number in range(2_600))[:100_000]
    scores = judge(source[:5_000], source, source[:1_000])
    assert 0 <= scores.grounding <= 1
    assert 0 <= scores.relevance <= 1


def test_numbers_are_the_same_however_they_are_written():
    assert (
        number_value("1,234,567", "en") == number_value("1.234.567", "es") == number_value("1\u00a0234\u00a0567", "pt")
    )
    assert number_value("2.5", "en") == number_value("2,50", "pt") == "2.5"
    assert number_value("0", "en") == "0"
    assert [tokenise(text, "en").terms[0] for text in ("twelve", "12", "March 3", "march on")] == [
        "#12",
        "#12",
        "march",
        "march",
    ]


def test_tokens_have_their_kinds():
    found = tokenise("Ana didn't pay Dr. Ruiz 30% in June. He left.", "en")
    kinds = dict(zip(found.terms, found.kinds, strict=True))
    assert kinds["not"] == NEGATOR
    assert kinds["ruiz"] == NAME
    assert kinds["#30"] == kinds["#percent"] == kinds["#m6"] == NUMBER
    assert len(found.ends) == 2


def test_the_weights_are_what_the_program_reads():
    content = json.loads((files("rocamadre.guardrails") / "grounding" / "weights.json").read_text())
    assert {name: tuple(data["columns"]) for name, data in content.items()} == {
        "grounding": GROUNDING,
        "relevance": RELEVANCE,
    }
    for name, model in models().items():
        assert len(model.sums) == len(model.scores), name
        assert list(model.sums) == sorted(model.sums), name
        assert model.trees.leaves.shape == (len(model.trees.features), 2 ** model.trees.features.shape[1]), name


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Can I keep a book for two weeks?", "Yes."),
        ("Do children need a card?", "No, they do not."),
        ("¿Puedo quedarme un libro dos semanas?", "Sí."),
        ("Posso ficar com um livro por duas semanas?", "Sim, até três."),
    ],
)
def test_yes_and_no_answer_what_asks_for_them(question, answer):
    source = "The library opens at nine. Books may be kept for three weeks. Children need a card signed by a parent."
    assert judge(answer, source, question).relevance >= 0.95


@pytest.mark.parametrize(
    ("question", "answer"),
    [("When does it open?", "Yes."), ("¿En qué año abrió?", "No."), ("Do children need a card?", "I do not know.")],
)
def test_yes_and_no_answer_nothing_else(question, answer):
    source = "The library opens at nine. Books may be kept for three weeks. Children need a card signed by a parent."
    assert judge(answer, source, question).relevance < 0.5

"""What a certificate makes of what was measured: figures, causes, and the words for them. No model runs here."""

import json
from dataclasses import replace

import numpy as np
import pytest

from rocamadre.core.messages import GenerationRequest, Message, Text
from rocamadre.training.certificate import as_text, from_json, to_json
from rocamadre.training.certificate.judge import Expected, deviation_limit, judge
from rocamadre.training.certificate.measure import Measured, Stored, Written
from rocamadre.training.certificate.prompts import TEXTS, Golden
from rocamadre.training.certificate.scores import Difference, Scores, difference
from rocamadre.training.certificate.stored import to_bf16
from rocamadre.training.certificate.types import Certificate

VOCABULARY = 12
MARK, END = 0, 1
PROMPTS = ((2, 3, 4), (2, 5))
ANSWERS = ((6, 7, 8, END), (9, 9, 10, 11))
WRITTEN = (Written("abc", True), Written("ddef", False))
NOISE = Difference(deviation=0.01, widest=0.05, kl=1e-4, places=10)


def distributions(places, seed):
    logits = np.random.default_rng(seed).normal(size=(places, VOCABULARY))
    return logits - np.log(np.exp(logits).sum(1, keepdims=True))


def scores(ids, logs):
    order = np.argsort(-logs, axis=1)
    return Scores(tuple(ids), order, np.take_along_axis(logs, order, 1))


def path(prompt, answer, gap=2.0):
    """Scores along a path on which every next token is the likeliest by `gap`; the others lie below it by chance."""
    ids = (*prompt, *answer)
    logits = -np.random.default_rng(len(ids)).uniform(size=(len(ids) - 1, VOCABULARY))
    for place in range(len(ids) - 1):
        logits[place, ids[place + 1]] = gap
    return scores(ids, logits - np.log(np.exp(logits).sum(1, keepdims=True)))


def parted(path, step, token, answer):
    """The same path where at one step another token comes first, by a hair."""
    top, top_ids = path.top.copy(), path.top_ids.copy()
    place = len(top) - len(answer) + step
    row = int(np.flatnonzero(top_ids[place] == token)[0])
    top_ids[place, [0, row]] = top_ids[place, [row, 0]]
    return Scores(path.ids, top_ids, top)


@pytest.fixture
def expected():
    golden = [
        Golden(GenerationRequest(messages=(Message("user", (Text(str(number)),)),)), f"<s>{number}?", ids)
        for number, ids in enumerate(PROMPTS)
    ]
    return Expected(
        golden=golden,
        plain=[(2, 3, number) for number in range(len(TEXTS))],
        answers=ANSWERS,
        written=WRITTEN,
        paths=[path(prompt, answer) for prompt, answer in zip(PROMPTS, ANSWERS, strict=True)],
        special=frozenset({MARK, END}),
        begin="<s>",
        end=END,
        noise=NOISE,
    )


def served(expected, **changes):
    form = Measured(
        "F16 file in llama.cpp",
        "F16",
        "llama",
        True,
        texts=[golden.text for golden in expected.golden],
        ids=[golden.ids for golden in expected.golden],
        plain=list(expected.plain),
        paths=list(expected.paths),
        written=list(expected.written),
        stops=True,
        end=END,
    )
    return replace(form, **changes)


def shaken(expected, by, seed=5):
    rng = np.random.default_rng(seed)
    return [replace(each, top=each.top + rng.normal(scale=by, size=each.top.shape)) for each in expected.paths]


def test_equal_forms_hold(expected):
    report = judge(served(expected), expected)
    assert report.passed
    assert (report.same_text, report.same_ids, report.same_answers) == (2, 2, 2)
    assert report.deviation_nats == report.kl_nats == 0


def test_rounding_holds_and_more_than_rounding_does_not(expected):
    assert judge(served(expected, paths=shaken(expected, 0.01)), expected).passed
    report = judge(served(expected, paths=shaken(expected, 0.1)), expected)
    assert report.cause == "engine"
    assert report.deviation_nats > report.deviation_limit_nats == deviation_limit("F16", NOISE)


def test_float32_is_held_to_less_than_f16(expected):
    form = served(expected, numbers="F32", engine="torch", paths=shaken(expected, 0.01))
    assert judge(form, expected, merged=True).cause == "merge"
    assert judge(form, expected, merged=True, narrow="bfloat16").cause == "dtype"
    assert judge(form, expected).cause == "method"


@pytest.mark.parametrize(
    ("changes", "cause", "words"),
    [
        ({"texts": ["<s>0?", "1!"]}, "template", "prompt 1"),
        ({"ids": [PROMPTS[0], (2, 6)]}, "tokenizer", "prompt 1"),
        ({"ids": [(MARK, *PROMPTS[0]), PROMPTS[1]]}, "special token", "prompt 0"),
        ({"plain": [(2, 3, number) for number in range(5)] + [(9,)]}, "tokenizer", "the text"),
        ({"end": 4}, "special token", "with token 4"),
        ({"stops": False}, "special token", "goes on"),
        ({"stored": Stored("dtype", "through bfloat16")}, "dtype", "bfloat16"),
    ],
)
def test_each_fault_is_named(expected, changes, cause, words):
    report = judge(served(expected, **changes), expected)
    assert (report.passed, report.cause) == (False, cause)
    assert words in report.detail


def test_the_mark_that_begins_text_may_be_left_out_of_the_prompt(expected):
    assert judge(served(expected, texts=["0?", "1?"]), expected).passed


def test_another_token_at_a_tie_is_noise_and_elsewhere_it_is_not(expected):
    noisy = replace(expected, noise=NOISE._replace(deviation=10.0))
    other = parted(expected.paths[0], 1, 9, ANSWERS[0])
    report = judge(served(expected, paths=[other, expected.paths[1]]), noisy)
    assert report.cause == "engine"
    (divergence,) = report.divergences
    assert (divergence.prompt, divergence.step, divergence.expected, divergence.found) == (0, 1, 7, 9)
    assert divergence.gap_nats == report.widest_gap_nats > 2
    tied = path(PROMPTS[0], ANSWERS[0], gap=0.05)
    close = replace(noisy, paths=[tied, expected.paths[1]], noise=NOISE._replace(deviation=10.0, widest=1.0))
    form = served(close, paths=[parted(tied, 1, 9, ANSWERS[0]), expected.paths[1]])
    form.written[0] = Written("axx", False)
    report = judge(form, close)
    assert report.passed
    assert (report.same_answers, len(report.divergences)) == (1, 1)


def test_an_answer_that_ends_too_early_or_too_late(expected):
    early = judge(served(expected, written=[WRITTEN[0], Written("dd", True)]), expected)
    assert early.cause == "special token"
    late = judge(served(expected, written=[Written("abcabc", False), WRITTEN[1]]), expected)
    assert late.cause == "special token"


def test_text_that_is_not_what_the_tokens_say(expected):
    report = judge(served(expected, written=[Written("abd", True), WRITTEN[1]]), expected)
    assert report.cause == "engine"
    assert "'d'" in report.detail
    unsettled = replace(expected, written=(None, WRITTEN[1]))
    assert judge(served(expected, written=[Written("abd", True), WRITTEN[1]]), unsettled).passed


def test_quantised_forms_have_a_limit_on_divergence_instead(expected):
    form = served(expected, numbers="Q8_0", exact=False, paths=shaken(expected, 0.02), written=[Written("", True)] * 2)
    report = judge(form, expected)
    assert report.passed
    assert 0 < report.kl_nats < report.kl_limit_nats
    report = judge(served(expected, numbers="Q8_0", exact=False, paths=shaken(expected, 1.0)), expected)
    assert report.cause == "engine"
    assert "F16" in report.detail


def test_divergence_is_that_of_the_definition():
    p, q = distributions(7, 1), distributions(7, 2)
    found = difference([(scores(range(8), p), scores(range(8), q))])
    assert found.kl == pytest.approx(np.mean(np.sum(np.exp(p) * (p - q), 1)), rel=1e-9)
    assert found.places == 7


def test_divergence_over_kept_candidates_is_never_larger_than_the_true_one():
    p, q = distributions(7, 1), distributions(7, 2)
    whole = difference([(scores(range(8), p), scores(range(8), q))]).kl
    cut = [
        replace(each, top_ids=each.top_ids[:, :6], top=each.top[:, :6]) for each in map(scores, [range(8)] * 2, (p, q))
    ]
    assert 0 < difference([tuple(cut)]).kl <= whole


def test_scores_without_places_are_not_taken_for_equal():
    assert difference([]).deviation == np.inf


def test_a_gap_is_a_lower_bound_for_a_token_that_was_not_kept():
    kept = scores(range(3), distributions(2, 3))
    cut = replace(kept, top_ids=kept.top_ids[:, :4], top=kept.top[:, :4])
    last, beyond = int(kept.top_ids[0, 3]), int(kept.top_ids[0, -1])
    assert cut.gap(0, beyond) == cut.gap(0, last) <= kept.gap(0, beyond)


def test_bfloat16_rounds_to_the_nearest_and_ties_to_even():
    values = np.array([1.0, 1.0 + 2**-8, 1.0 + 3 * 2**-8, -1.0 - 2**-9, 3.14159265], np.float32)
    assert to_bf16(values).tolist() == [1.0, 1.0, 1.015625, -1.0, 3.140625]


def test_certificates_travel_as_json_and_say_in_words_what_failed(expected):
    forms = (judge(served(expected), expected), judge(served(expected, stops=False, name="Q8_0 file"), expected))
    certificate = Certificate(1, "harbour", "lora", "the base", 64, 0.01, forms, "2026-01-01T00:00:00+00:00", {})
    plain = json.loads(json.dumps(to_json(certificate)))
    assert (plain["passed"], plain["cause"]) == (False, "special token")
    assert from_json(plain) == certificate
    text = as_text(certificate)
    assert "FAILS (special token)" in text
    assert "✓ F16 file in llama.cpp" in text
    assert "✗ Q8_0 file" in text

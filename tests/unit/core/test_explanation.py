from __future__ import annotations

import math
import random
from collections import Counter

import pytest

from rocamadre.core.explanation import Settings, explain_step
from rocamadre.core.messages import GenerationRequest, Sampling, TextDelta
from rocamadre.engines.protocol import LoadSpec
from rocamadre.testing.engine_suite import Running
from rocamadre.testing.tiny import tiny_gguf

EVEN = Settings()


def ranked(*weights):
    total = sum(weights)
    return [(chr(97 + place), math.log(weight / total)) for place, weight in enumerate(weights)]


def left(step):
    return {each.text: round(each.final, 3) for each in step.candidates if not each.removed_by}


def reasons(step):
    return {each.text: each.removed_by for each in step.candidates if each.removed_by}


def explained(top, settings, **more):
    return explain_step(top, top[0], settings, **more)


def test_nothing_set_leaves_the_distribution_as_it_is():
    step = explained(ranked(5, 3, 2), EVEN)
    assert left(step) == {"a": 0.5, "b": 0.3, "c": 0.2}
    assert (step.others.model, step.notes) == (0.0, ())
    assert (step.picked, round(step.picked_model, 3)) == ("a", 0.5)


def test_the_order_top_k_top_p_min_p_temperature():
    top = ranked(40, 30, 16, 9, 4, 1)
    step = explained(top, Settings(temperature=2.0, top_k=5, top_p=0.9, min_p=0.3))
    assert reasons(step) == {"f": "top-k", "e": "top-p", "d": "min-p"}
    roots = [math.sqrt(weight) for weight in (40, 30, 16)]
    assert left(step) == {name: round(root / sum(roots), 3) for name, root in zip("abc", roots, strict=True)}


def test_top_p_counts_shares_of_what_top_k_left():
    top = ranked(40, 30, 30)
    assert reasons(explained(top, Settings(top_p=0.5))) == {"c": "top-p"}
    assert reasons(explained(top, Settings(top_k=2, top_p=0.5))) == {"c": "top-k", "b": "top-p"}


def test_greedy():
    step = explained(ranked(5, 3, 2), Settings(temperature=0.0, top_k=2))
    assert reasons(step) == {"b": "temperature 0", "c": "top-k"}
    assert left(step) == {"a": 1.0}


def test_penalties_change_the_order():
    top = ranked(50, 40, 10)
    step = explained(top, Settings(presence_penalty=1.0, frequency_penalty=0.5), counted=Counter("aa"))
    assert [each.text for each in step.candidates] == ["b", "c", "a"]
    weights = {"a": 50 * math.exp(-2.0), "b": 40, "c": 10}
    total = sum(weights.values())
    assert left(step) == {name: round(weight / total, 3) for name, weight in weights.items()}
    assert [each.seen for each in step.candidates] == [0, 0, 2]
    assert left(explained(top, EVEN, counted=Counter("aa"))) == {"a": 0.5, "b": 0.4, "c": 0.1}


def test_a_repetition_penalty_is_not_guessed():
    step = explained(ranked(5, 5), Settings(repetition_penalty=1.3), repeated=Counter("a"))
    assert left(step) == {"a": 0.5, "b": 0.5}
    assert "what it did is not shown" in step.notes[0]
    assert explained(ranked(5, 5), Settings(repetition_penalty=1.3), repeated=Counter("z")).notes == ()


def test_the_others():
    top = [(name, math.log(share)) for name, share in (("a", 0.4), ("b", 0.3), ("c", 0.1))]
    step = explained(top, EVEN)
    assert step.others.model == pytest.approx(0.2)
    assert step.others.final == pytest.approx(0.2)
    assert left(step) == {"a": 0.4, "b": 0.3, "c": 0.1}
    assert explained(top, Settings(top_k=3)).others.removed_by == "top-k"
    assert explained(top, Settings(top_p=0.75)).others.removed_by == "top-p"
    assert explained(top, Settings(min_p=0.3)).others.removed_by == "min-p"
    assert explained(top, Settings(temperature=0.0)).others.removed_by == "temperature 0"
    for settings in (Settings(top_k=4), Settings(top_p=0.9), Settings(min_p=0.1), Settings(temperature=2.0)):
        step = explained(top, settings)
        assert (step.others.removed_by, step.others.final) == ("", None)
        assert "not known" in " ".join(step.notes)
        assert sum(each.final for each in step.candidates) == pytest.approx(1)
    settled = explained(top, Settings(top_p=0.9, min_p=0.3))
    assert (settled.others.removed_by, settled.notes) == ("min-p", ())
    assert any("may differ" in note for note in explained(top, Settings(top_k=5, top_p=0.75)).notes)


def test_others_that_may_stand_above_those_shown_are_told():
    top = [(name, math.log(share)) for name, share in (("a", 0.4), ("b", 0.3), ("c", 0.1))]
    step = explained(top, Settings(presence_penalty=2.0, top_k=3), counted=Counter("b"))
    assert any("may differ" in note for note in step.notes)
    sure = explained(top, Settings(presence_penalty=0.5, top_k=2), counted=Counter("b"))
    assert not any("may differ" in note for note in sure.notes)


def direct(weights, settings, counts):
    """The same over a whole vocabulary, written the short way."""
    scores = {
        name: math.log(weight)
        - settings.frequency_penalty * counts[name]
        - settings.presence_penalty * bool(counts[name])
        for name, weight in weights.items()
    }
    order = sorted(scores, key=lambda name: -scores[name])
    if settings.top_k:
        order = order[: settings.top_k]
    if settings.top_p < 1:
        total, before, kept = sum(math.exp(scores[name]) for name in order), 0.0, []
        for name in order:
            if before < settings.top_p * total:
                kept.append(name)
            before += math.exp(scores[name])
        order = kept
    order = [name for name in order if math.exp(scores[name]) >= settings.min_p * math.exp(scores[order[0]])]
    if settings.temperature == 0:
        return {order[0]: 1.0}
    tempered = {name: math.exp(scores[name] / settings.temperature) for name in order}
    return {name: weight / sum(tempered.values()) for name, weight in tempered.items()}


def test_against_the_whole_vocabulary():
    """Wherever no note says otherwise, what is shown is what happens."""
    chance, sure = random.Random(5), 0
    for _ in range(600):
        names = [f"t{place}" for place in range(chance.choice([5, 20, 60]))]
        weights = {name: chance.random() ** chance.choice([1, 6]) + 1e-4 for name in names}
        total = sum(weights.values())
        weights = {name: weight / total for name, weight in weights.items()}
        settings = Settings(
            temperature=chance.choice([0.0, 0.5, 1.0, 1.7]),
            top_k=chance.choice([0, 0, 1, 3, 10, 30]),
            top_p=chance.choice([1.0, 0.3, 0.8]),
            min_p=chance.choice([0.0, 0.0, 0.2]),
            frequency_penalty=chance.choice([0.0, 0.0, 0.7]),
            presence_penalty=chance.choice([0.0, 0.0, 1.0]),
        )
        top = sorted(((name, math.log(weight)) for name, weight in weights.items()), key=lambda item: -item[1])[:20]
        counts = Counter(chance.choices([name for name, _ in top], k=3))
        step = explain_step(top, top[0], settings, counted=counts)
        if any("not known" in note or "may differ" in note for note in step.notes):
            continue
        sure += 1
        expected = direct(weights, settings, counts)
        found = {each.text: each.final for each in step.candidates if not each.removed_by}
        shown = {name: share for name, share in expected.items() if name in dict(top)}
        assert found.keys() == shown.keys()
        for name, share in shown.items():
            assert found[name] == pytest.approx(share, abs=1e-6)
    assert sure > 300


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    spec = LoadSpec("test.tiny-v1:0", "llama", tiny_gguf(tmp_path_factory.mktemp("m") / "tiny.gguf"), 256)
    running = Running(spec, tmp_path_factory.mktemp("home"))
    yield running
    running.close()


@pytest.mark.parametrize(
    "settings",
    [
        Settings(temperature=1.3, top_k=4),
        Settings(temperature=0.8, top_p=0.3),
        Settings(temperature=2.0, min_p=0.6),
        Settings(temperature=1.5, top_k=12, top_p=0.6, min_p=0.5),
        Settings(temperature=0.0),
    ],
)
def test_the_engine_draws_from_what_is_left(engine, settings):
    """Over many draws, never a candidate that a setting is said to have removed."""
    values = {name: getattr(settings, name) for name in Settings.__slots__}
    places = Counter()
    for seed in range(20):
        request = GenerationRequest(prompt="hello", sampling=Sampling(max_tokens=8, seed=seed, **values), logprobs=20)
        deltas = [event for event in engine.events(request) if isinstance(event, TextDelta)]
        for token in (token for delta in deltas for token in delta.logprobs):
            # Pieces of bytes share a text here, so candidates are told apart by their place.
            place = sum(logprob > token.logprob + 1e-6 for _, _, logprob in token.top)
            names = [str(token.token_id) if n == place else f"place {n}" for n in range(len(token.top))]
            top = [(name, logprob) for name, (_, _, logprob) in zip(names, token.top, strict=True)]
            step = explain_step(top, (str(token.token_id), token.logprob), settings)
            drawn = next(each for each in step.candidates if each.text == str(token.token_id))
            assert drawn.removed_by == ""
            places[place] += 1
    assert len(places) > 1 or (settings.temperature == 0 and set(places) == {0})

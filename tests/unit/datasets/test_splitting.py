from __future__ import annotations

import random

import pytest

from rocamadre.core.errors import InvalidRequest
from rocamadre.datasets.minhash import NearIndex, families, likeness, signature
from rocamadre.datasets.splitting import assign
from rocamadre.datasets.types import Chat, Text, Turn

SHARES = {"train": 0.8, "validation": 0.1, "test": 0.1}
WORDS = [f"{a}{b}" for a in ("ka", "lo", "mi", "re", "su", "ti") for b in ("ban", "dor", "fel", "gus", "nim", "pax")]


def sentence(chance, count=20):
    return " ".join(chance.choice(WORDS) for _ in range(count))


@pytest.fixture(scope="module")
def texts():
    chance = random.Random(5)
    return [Text(sentence(chance)) for _ in range(400)]


def test_the_same_record_goes_the_same_way(texts):
    before = dict(zip(texts, assign(texts, SHARES), strict=True))
    mixed = random.Random(1).sample(texts, len(texts))
    assert dict(zip(mixed, assign(mixed, SHARES), strict=True)) == before
    fewer = texts[:200]
    assert all(before[each] == side for each, side in zip(fewer, assign(fewer, SHARES), strict=True))
    assert dict(zip(texts, assign(texts, SHARES, seed=1), strict=True)) != before


def test_shares_are_met_on_average(texts):
    sides = assign(texts, SHARES)
    assert 290 <= sides.count("train") <= 350
    assert 20 <= sides.count("test") <= 60


def test_what_is_nearly_the_same_stays_together(texts):
    near = [Text(each.text.replace(" ", "  ") + "!") for each in texts[:100]]
    changed = [Text(each.text.rsplit(" ", 1)[0] + " other") for each in texts[100:200]]
    sides = assign([*texts, *near, *changed], SHARES)
    assert sides[400:500] == sides[:100]
    assert sum(one == other for one, other in zip(sides[500:], sides[100:200], strict=True)) >= 98


def test_one_question_with_two_answers_stays_together():
    chance = random.Random(3)
    rows = []
    for _ in range(60):
        asked = sentence(chance, 4)
        rows += [Chat((Turn("user", asked), Turn("assistant", sentence(chance, 30)))) for _ in range(2)]
    sides = assign(rows, {"train": 0.5, "test": 0.5})
    assert sides[::2] == sides[1::2]
    assert {"train", "test"} == set(sides)


def test_no_part_is_empty():
    rows = [Text(sentence(random.Random(n))) for n in range(3)]
    for seed in range(10):
        assert sorted(assign(rows, SHARES, seed=seed)) == ["test", "train", "validation"]
    with pytest.raises(InvalidRequest, match="cannot be divided into 3"):
        assign([*rows[:2], rows[0]], SHARES)


@pytest.mark.parametrize("shares", [{}, {"a": 0.5}, {"a": 1.2, "b": -0.2}, {"a": 1.0, "b": 0.0}])
def test_shares_must_add_up(shares):
    with pytest.raises(InvalidRequest, match="all together 1"):
        assign([Text("x")], shares)


def test_the_estimate_is_near_the_truth():
    chance = random.Random(8)
    errors = []
    for kept in range(0, 41, 4):
        one = [chance.choice(WORDS) + str(chance.randrange(100)) for _ in range(40)]
        other = one[:kept] + [chance.choice(WORDS) + str(chance.randrange(100)) for _ in range(40 - kept)]
        first, second = " ".join(one), " ".join(other)
        runs = [{text[at : at + 5] for at in range(len(text) - 4)} for text in (first, second)]
        truth = len(runs[0] & runs[1]) / len(runs[0] | runs[1])
        errors.append(abs(likeness(signature(first), signature(second)) - truth))
    # 64 hashes: a standard error of 1/16 at most, so three of them with room.
    assert max(errors) < 0.2
    assert sum(errors) / len(errors) < 0.07


def test_near_ones_are_found_among_many(texts):
    index = NearIndex()
    for each in texts:
        index.add(signature(each.text))
    for number in range(0, 400, 20):
        changed = texts[number].text.rsplit(" ", 1)[0] + " zzz"
        assert number in index.near(signature(changed))
        assert index.near(signature(sentence(random.Random(number + 1000)))) == []


def test_very_many_of_one_family_take_no_longer():
    index = NearIndex()
    one = signature("the same again and again, letter for letter")
    for _ in range(300):
        index.add(one)
    assert len(index.near(one)) == 64


def test_families_join_through_others():
    assert families(["a b c d e f g h", "x y z", "a b c d e f g h!"], [("q",), ("Q",), ("",)]) == [0, 0, 0]
    assert families([]) == []

from __future__ import annotations

import json

import msgspec
import pytest

from rocamadre.api.http import HttpRequest
from rocamadre.api.platform.datasets import check, preview, statistics
from rocamadre.api.platform.training import preflight, training
from rocamadre.core.errors import InvalidRequest, NotFound, RocamadreError

GOOD = {"prompt": "Say hello", "completion": "Hello there"}


def lines(*rows: object) -> str:
    return "\n".join(json.dumps(row) for row in rows)


@pytest.fixture
def mini(make_context, checkout):
    return make_context(catalog={"embedded_models": str(checkout / "models")})


async def ask(answer):
    return msgspec.json.decode((await answer).body)


async def test_every_problem_is_named_with_its_line(context, post):
    told = await ask(post(check, context, {"data": lines(GOOD, {"prompt": "only"}, GOOD) + "\n{"}))
    assert (told["ok"], told["records"], told["good"]) == (False, 4, 2)
    assert [problem["line"] for problem in told["problems"] if not problem["warning"]] == [2, 4]
    assert all(problem["message"] and problem["fix"] for problem in told["problems"])


async def test_objects_are_checked_where_they_are(context, post):
    store = context.platform.objects.of(context.account)
    store.create_bucket("data", region="us-east-1")
    store.put("data", "rows.jsonl", lines(GOOD).encode())
    told = await ask(post(check, context, {"uri": "s3://data/rows.jsonl", "type": "FINE_TUNING"}))
    assert (told["ok"], told["good"]) == (True, 1)
    with pytest.raises(NotFound):
        await post(check, context, {"uri": "s3://data/none.jsonl"})


async def test_records_are_counted(context, post):
    data = lines(*[GOOD | {"prompt": f"Say {n}"} for n in range(6)], GOOD, GOOD)
    told = await ask(post(statistics, context, {"data": data}))
    assert (told["records"], told["exact_duplicates"], told["unit"], told["whole"]) == (8, 1, "words", True)
    told = await ask(post(statistics, context, {"data": data, "most": 3}))
    assert (told["records"], told["whole"]) == (3, False)
    with pytest.raises(InvalidRequest):
        await post(statistics, context, {"data": data, "most": 0})


async def test_what_a_model_learns_is_marked(mini, post):
    body = {"data": lines(GOOD, GOOD | {"prompt": "Another"}), "model": "roca-mini", "count": 1}
    told = await ask(post(preview, mini, body))
    (example,) = told["examples"]
    learned = "".join(piece["text"] for piece in example["pieces"] if piece["trained"])
    read = "".join(piece["text"] for piece in example["pieces"] if not piece["trained"])
    assert learned.startswith("Hello there")
    assert "Say hello" in read
    assert "Hello there" not in read
    assert sum(len(piece["ids"]) for piece in example["pieces"]) == example["tokens"]
    assert told["more"] is True
    rest = await ask(post(preview, mini, {**body, "first": 1}))
    assert rest["more"] is False


@pytest.mark.parametrize(
    "body",
    [{}, {"uri": "/etc/passwd"}, {"uri": "s3://a/b", "data": "x"}, {"data": "x", "type": "X"}, {"data": "x", "more": 1},
     b"{"],
)  # fmt: skip
async def test_what_cannot_be_meant_is_refused(context, post, body):
    with pytest.raises(InvalidRequest):
        await post(check, context, body)


async def test_examples_need_a_model_that_has_tokens(context, post):
    for body in (
        {"data": lines(GOOD)},
        {"data": lines(GOOD), "model": "fake"},
        {"data": "x", "model": "m", "count": 0},
    ):
        with pytest.raises(RocamadreError):
            await post(preview, context, body)


async def test_what_can_be_set_is_told(mini):
    told = msgspec.json.decode((await training(mini, HttpRequest("GET", b"/", b"model=roca-mini", {}, b""))).body)
    methods = {each["name"]: each for each in told["methods"]}
    assert {"full", "lora"} <= set(methods)
    assert "rank" in {each["name"] for each in methods["lora"]["settings"]}
    assert "epochs" in {each["name"] for each in told["settings"]}
    assert told["documented"]["epochCount"]["least"] == 1


async def test_what_a_training_takes_is_foretold(mini, post):
    store = mini.platform.objects.of(mini.account)
    store.create_bucket("data", region="us-east-1")
    store.put("data", "rows.jsonl", lines(*[GOOD] * 20).encode())
    wish = {
        "model": "roca-mini",
        "training": "s3://data/rows.jsonl",
        "hyperparameters": {"method": "lora", "epochs": "2"},
    }
    told = await ask(post(preflight, mini, wish))
    assert told["examples"] == 20
    assert 0 < told["trained_parameters"] < told["parameters"]
    assert told["memory_bytes"] > 0
    for wrong in ({"training": "/x"}, {"model": "fake"}, {"hyperparameters": {"method": "none"}}, {"type": "X"}):
        with pytest.raises(RocamadreError):
            await post(preflight, mini, {**wish, **wrong})

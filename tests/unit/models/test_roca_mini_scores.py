"""The measures behind the card, against values worked out by hand."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from recipe_modules import RECIPE, load

sys.path.pop(0)

measures, questions = load("measures"), load("questions")


@pytest.mark.parametrize(
    ("said", "gold", "language", "value"),
    [
        ("The Eiffel Tower", ["Eiffel tower."], "en", 1.0),
        ("in Paris", ["Paris"], "en", 2 / 3),
        ("Lyon", ["Paris", "Lyon, France"], "en", 2 / 3),
        ("", ["Paris"], "en", 0.0),
        ("la casa roja", ["casa roja"], "es", 1.0),
        ("o gato gato", ["gato"], "pt", 2 / 3),
    ],
)
def test_token_f1(said, gold, language, value):
    assert measures.token_f1(said, gold, language) == pytest.approx(value)


def test_rouge_l_is_the_longest_common_subsequence():
    assert measures.rouge_l("police killed the gunman", ["police kill the gunman"]) == pytest.approx(0.75)
    assert measures.rouge_l("the gunman kill police", ["police killed the gunman"]) == pytest.approx(0.5)
    assert measures.rouge_l("nothing alike", ["police killed"]) == 0.0


def test_new_bigrams():
    assert measures.new_bigrams("a b c", "a b x c") == 0.5
    assert measures.new_bigrams("a", "b") == 0.0


CALL = {"name": "f", "arguments": {"a": [1], "b": ["red", "Red"], "c": ["", 0]}}


@pytest.mark.parametrize(
    ("answer", "right"),
    [
        ('<tool_call>{"name": "f", "arguments": {"a": 1, "b": "red"}}</tool_call>', True),
        ('Well. <tool_call>{"name": "f", "arguments": {"a": 1, "b": "RED.", "c": 0}}</tool_call>', True),
        ('<tool_call>{"name": "g", "arguments": {"a": 1, "b": "red"}}</tool_call>', False),
        ('<tool_call>{"name": "f", "arguments": {"a": true, "b": "red"}}</tool_call>', False),
        ('<tool_call>{"name": "f", "arguments": {"b": "red"}}</tool_call>', False),
        ('<tool_call>{"name": "f", "arguments": {"a": 1, "b": "red", "d": 2}}</tool_call>', False),
        ('<tool_call>{"name": "f", "arguments": 3}</tool_call>', False),
        ("<tool_call>{broken</tool_call>", False),
        ("no call", False),
    ],
)
def test_a_call_is_right_when_its_function_and_every_argument_are(answer, right):
    assert measures.call_is_right(measures.call_of(answer), CALL) is right


def test_chrf():
    assert measures.chrf("la casa roja", "la casa roja") == pytest.approx(1.0)
    assert measures.chrf("xyz", "la casa") == 0.0
    assert 0.2 < measures.chrf("la casa", "la casa roja") < 0.9
    assert measures.chrf("", "la casa") == 0.0


def test_the_benchmarks_types_become_json_schema():
    given = {"type": "dict", "required": ["x"], "properties": {"x": {"type": "float", "default": 1.0},
             "y": {"type": "tuple", "items": {"type": "any"}}}}  # fmt: skip
    assert questions.json_schema(given) == {
        "type": "object", "required": ["x"],
        "properties": {"x": {"type": "number"}, "y": {"type": "array", "items": {"type": "string"}}},
    }  # fmt: skip
    assert questions.tool_name("math.hypot") == "math_hypot"


def test_questions_about_made_up_things_are_fixed_and_have_answers():
    calls = questions.invented_calls(count=5)
    assert [ask.prompt for ask in calls] == [ask.prompt for ask in questions.invented_calls(count=5)]
    assert all(ask.call["name"] in {tool["name"] for tool in ask.tools} for ask in calls)
    assert all(ask.gold[0] in ask.prompt for ask in questions.counterfactuals(count=5))


def test_refusal_f1():
    rows = np.array([(1, 1), (1, 0), (0, 1), (0, 0)])
    assert measures.refusal_f1(rows) == 0.5
    assert measures.refusal_f1(np.zeros((4, 2))) == 0.0


def test_the_interval_holds_the_value_and_is_repeatable():
    rows = [0.0, 1.0] * 50
    found = measures.interval(rows)
    assert found == measures.interval(rows)
    assert found["value"] == 50.0
    assert 35 < found["low"] < 45 < 55 < found["high"] < 65
    assert found["rows"] == 100


@pytest.mark.parametrize(
    ("answer", "good"), [('{"a": 1}', True), ("{}", True), ("[1]", False), ('{"a": 1} and', False), ("", False)]
)
def test_json_objects(answer, good):
    assert questions.is_json_object(answer) is good


def test_samples_are_fixed():
    assert questions.sample(list(range(100)), 5, "x") == questions.sample(list(range(100)), 5, "x")
    assert [ask.prompt for ask in questions.objects(count=6)] == [ask.prompt for ask in questions.objects(count=6)]


def test_without_data_the_command_says_so_and_fails(tmp_path):
    command = [sys.executable, str(RECIPE / "scores.py"), "--data", str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 2
    assert "no training data" in ended.stderr


def test_scoring_needs_no_torch():
    code = "import scores, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=RECIPE, timeout=60, check=False).returncode == 0

from __future__ import annotations

import json
import random
from collections import Counter

import pytest

from rocamadre.core.errors import InvalidRequest, NotFound
from rocamadre.datasets.building.answers import bad_answer, bad_instruction
from rocamadre.datasets.building.asking import Answer, Journal, Made
from rocamadre.datasets.building.evol_instruct import evol_instruct
from rocamadre.datasets.building.mixing import Recipe, Task, build_mix, read_recipe
from rocamadre.datasets.building.rouge import Similar, longest_common, rouge_l, words
from rocamadre.datasets.building.self_instruct import self_instruct
from rocamadre.datasets.building.templates import RowTemplate
from rocamadre.datasets.problems import BadRecord
from rocamadre.datasets.sources import BytesSource
from rocamadre.datasets.types import Chat, Preference, Prompt, Text, Turn

# -- templates --------------------------------------------------------------------------------------------------------


def test_rows_become_records_of_each_kind():
    row = {"q": "Why?", "a": "So.", "b": "No.", "lang": "en", "n": 3}
    asked = (Turn("user", "Q: Why?"),)
    assert RowTemplate({"prompt": "Q: {{ q }}", "completion": "{{ a }}\n"}).example(row) == Chat(
        (*asked, Turn("assistant", "So."))
    )
    assert RowTemplate({"prompt": "Q: {{ q }}"}).example(row) == Prompt(asked)
    pair = RowTemplate({"prompt": "Q: {{ q }}", "chosen": "{{ a }}", "rejected": "{{ b }}"})
    assert pair.example(row) == Preference(asked, "So.", "No.")
    assert RowTemplate({"text": "{{ q }} {{ a | upper }} {{ n + 1 }}"}).example(row) == Text("Why? SO. 4")
    with_system = RowTemplate({"system": "In {{ lang }}.", "prompt": "{{ q }}", "completion": "{{ a }}"}, task="t")
    assert with_system.example(row).turns[0] == Turn("system", "In en.")
    assert with_system.example(row).task == "t"


@pytest.mark.parametrize(
    ("where", "taken"),
    [("", True), ("n > 2", True), ("n > 3", False), ("lang in ['en', 'es']", True), ("empty", False), ("q", True)],
)
def test_rows_are_chosen_by_an_expression(where, taken):
    template = RowTemplate({"text": "{{ q }}"}, where=where)
    assert template.wants({"q": "x", "n": 3, "lang": "en", "empty": ""}) is taken


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ({}, "make no record"),
        ({"completion": "x"}, "make no record"),
        ({"text": "x", "prompt": "y"}, "make no record"),
        ({"system": "x", "text": "y"}, "make no record"),
        ({"prompt": "{{ x"}, "does not compile"),
    ],
)
def test_templates_that_make_nothing_are_refused(texts, message):
    with pytest.raises(InvalidRequest, match=message):
        RowTemplate(texts)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("{{ nothing }}", "template"),
        ("{{ q.__class__.__mro__ }}", "template"),
        ("{{ ().__class__.__base__.__subclasses__() }}", "template"),
        ("{% for a in range(99999999) %}x{% endfor %}", "template"),
        ("{% for a in range(90000) %}{{ 'x' * 100 }}{% endfor %}", "record-too-large"),
        ("{{ 1 / 0 }}", "template"),
        ("{{ empty }}", "empty"),
    ],
)
def test_rows_that_fail_are_told(text, kind):
    with pytest.raises(BadRecord) as caught:
        RowTemplate({"text": text}).example({"q": "x", "empty": " "})
    assert caught.value.kind == kind
    with pytest.raises(BadRecord):
        RowTemplate({"text": "x"}, where="q.__class__.__mro__[1].__subclasses__()").wants({"q": "x"})


# -- mixes ------------------------------------------------------------------------------------------------------------


def table(name, count):
    rows = "".join(f"{name} {number},{number % 3}\n" for number in range(count))
    return [BytesSource(f"{name}.csv", f"text,label\n{rows}".encode())]


def tables(**counts):
    return lambda name: table(name, counts[name])


def task(name, **more):
    return Task(name=name, table=name, prompt="{{ text }}", completion="{{ label }}", **more)


def test_tasks_are_mixed_by_weight():
    recipe = Recipe(task=(task("a", weight=3), task("b")))
    made = build_mix(recipe, tables(a=30, b=50))
    assert Counter(each.task for each in made) == {"a": 30, "b": 10}
    assert len(set(made)) == 40
    assert made == build_mix(recipe, tables(a=30, b=50))
    assert made != build_mix(recipe.model_copy(update={"seed": 1}), tables(a=30, b=50))
    assert {each.task for each in made[:20]} == {"a", "b"}


def test_a_number_of_records_is_met_exactly():
    recipe = Recipe(records=10, task=(task("a"), task("b"), task("c")))
    counts = Counter(each.task for each in build_mix(recipe, tables(a=9, b=9, c=9)))
    assert sorted(counts.values()) == [3, 3, 4]
    with pytest.raises(InvalidRequest, match="'b' has 2 rows, the mix wants 3"):
        build_mix(recipe, tables(a=9, b=2, c=9))


def test_one_table_gives_all_its_rows_in_an_order_of_its_own():
    made = build_mix(Recipe(task=(task("a"),)), tables(a=20))
    assert sorted(int(each.turns[0].text.split()[1]) for each in made) == list(range(20))
    assert [each.turns[0].text for each in made] != sorted(each.turns[0].text for each in made)


def test_bad_rows_are_named():
    recipe = Recipe(task=(Task(table="a", prompt="{{ txt }}", completion="x"),))
    with pytest.raises(InvalidRequest, match=r"a\.csv, line 2, prompt: .*'txt' is undefined; the columns are text"):
        build_mix(recipe, tables(a=3))
    with pytest.raises(InvalidRequest, match="has no row"):
        build_mix(Recipe(task=(task("a", where="label == 'x'"),)), tables(a=3))


def test_recipes_are_read_with_care(tmp_path):
    path = tmp_path / "mix.toml"
    path.write_text('records = 3\n[[task]]\ntable = "a.csv"\nweight = 2\ntext = "{{ text }}"\n')
    assert read_recipe(path).task[0].weight == 2
    for text, message in (
        ("records = 0\n", "records"),
        ("[[task]]\nweight = -1\ntable = 'a'\n", "task.0.weight"),
        ("[[task]]\ntabel = 'a'\n", "task.0"),
        ("task = 3\n", "task"),
        ("[[task", "cannot be read"),
    ):
        path.write_text(text)
        with pytest.raises(InvalidRequest, match=message):
            read_recipe(path)


def test_a_table_that_is_not_there_is_told():
    def none(name):
        raise NotFound(f"{name} is not there")

    with pytest.raises(NotFound, match="a is not there"):
        build_mix(Recipe(task=(task("a"),)), none)


# -- likeness ---------------------------------------------------------------------------------------------------------


def slow_longest(first, second):
    row = [0] * (len(second) + 1)
    for one in first:
        before = 0
        for at, other in enumerate(second, start=1):
            before, row[at] = row[at], before + 1 if one == other else max(row[at], row[at - 1])
    return row[-1]


def test_rouge_is_the_plain_one():
    chance = random.Random(2)
    for _ in range(200):
        first, second = ([chance.choice("abcde") for _ in range(chance.randrange(0, 90))] for _ in range(2))
        assert longest_common(first, second) == slow_longest(first, second)
    assert rouge_l([], words("a")) == 0
    similar = Similar()
    similar.add("List five birds of the Amazon.")
    assert similar.like("List six birds of the Amazon")
    assert not similar.like("Name the capital of Peru.")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("Explain how bees find their way home.", ""),
        ("¿Cómo encuentran las abejas el camino a casa?", ""),
        ("Hi there", "too short or too long"),
        ("word " * 200, "too short or too long"),
        ("Show me a photo of a bee.", "asks for what text cannot give"),
        (") and then go on with it", "begins with a sign"),
        ("Write a program that sorts numbers.", "asks for a program"),
        ("the bee the bee the bee the bee the bee", "the same words again and again"),
    ],
)
def test_instructions_that_are_not_wanted(text, why):
    assert bad_instruction(text) == why


@pytest.mark.parametrize(
    ("text", "whole", "why"),
    [
        ("They remember the sun and smells.", True, ""),
        (" ...", True, "answer empty"),
        ("They remember", False, "answer cut off"),
        ("As a language model I have no eyes.", True, "is no answer"),
        ("Lo siento, no puedo ayudar.", True, "is no answer"),
        ("Task 2: name a bird\nOutput: crow", True, "answer holds parts of the prompt"),
        ("How do bees find home?", True, "answer repeats the question"),
        ("bees fly home and bees fly home and bees fly home and bees fly home", True, "answer repeats itself"),
        ("word " * 900, True, "answer too long"),
    ],
)
def test_answers_that_are_not_wanted(text, whole, why):
    assert bad_answer("How do bees find home?", text, whole=whole) == why


# -- by a model's own words -------------------------------------------------------------------------------------------

SUBJECTS = [
    f"{one} {other}"
    for one in ("old", "red", "cold", "small", "far", "new", "wild")
    for other in ("rivers", "bread", "towns", "bees", "goats", "wells")
]
SEEDS = [Made(f"Explain what {word} are good for.", "", f"For much: {word}.") for word in ("horses", "candles")]


class Scripted:
    """A model that says different things for different seeds, as one with a temperature does."""

    def __init__(self):
        self.asked = []

    def __call__(self, prompt, *, max_tokens, temperature, seed):
        self.asked.append(prompt)
        chance = random.Random(f"{prompt}/{seed}")
        if "more tasks" in prompt:
            verbs = ["Describe how to care for", "Name three uses of", "Tell a short story of"]
            lines = [f"{chance.choice(verbs)} {chance.choice(SUBJECTS)} {chance.choice(SUBJECTS)}." for _ in range(4)]
            return Answer("\n".join(f"{n}. {line}" for n, line in enumerate([*lines, lines[0], "Bad"], 1)), True)
        if prompt.startswith(("Rewrite", "Write one other")):
            return Answer(f"New task: {prompt.rsplit(chr(10), 1)[-1]} Mention {chance.choice(SUBJECTS)} too.", True)
        if prompt.startswith("Do these two"):
            return Answer("Different.", True)
        if chance.random() < 0.35:
            return Answer("I'm sorry, I cannot help with that.", True)
        return Answer(f"One can say much of it, first {chance.choice(SUBJECTS)}.", True)


class Killed(Exception):
    pass


@pytest.mark.parametrize("way", [self_instruct, evol_instruct])
def test_records_are_made_filtered_and_the_same_again(tmp_path, way):
    journal = Journal(tmp_path / "one.jsonl")
    made = way(SEEDS, Scripted(), journal, count=12, seed=3, most_steps=200)
    assert len(made) == 12
    instructions = [each.instruction for each in made]
    assert len(set(instructions)) == 12
    assert not any("sorry" in each.output for each in made)
    assert journal.progress.dropped["is no answer"] > 0
    if way is self_instruct:
        similar = Similar()
        for text in instructions:
            assert not similar.like(text)
            similar.add(text)
    assert way(SEEDS, Scripted(), Journal(tmp_path / "two.jsonl"), count=12, seed=3, most_steps=200) == made
    assert way(SEEDS, Scripted(), Journal(tmp_path / "three.jsonl"), count=12, seed=4, most_steps=200) != made


@pytest.mark.parametrize("way", [self_instruct, evol_instruct])
def test_a_killed_run_goes_on_to_the_same_end(tmp_path, way):
    whole = way(SEEDS, Scripted(), Journal(tmp_path / "whole.jsonl"), count=8, most_steps=100)
    path = tmp_path / "torn.jsonl"
    for limit in (3, 9, 20, 200):
        model, asked = Scripted(), 0

        def dying(prompt, *, limit=limit, model=model, **options):
            nonlocal asked
            asked += 1
            if asked > limit:
                raise Killed
            return model(prompt, **options)

        try:
            made = way(SEEDS, dying, Journal(path), count=8, most_steps=100)
        except Killed:
            with path.open("ab") as stream:
                stream.write(b'{"step": 99, "made": [["torn')
    assert made == whole
    assert [json.loads(line)["step"] for line in path.read_text().splitlines()] == list(
        range(len(path.read_text().splitlines()))
    )


@pytest.mark.parametrize("way", [self_instruct, evol_instruct])
def test_a_model_that_cannot_is_given_up(tmp_path, way):
    def mute(prompt, **options):
        return Answer("", True)

    journal = Journal(tmp_path / "x.jsonl")
    assert way(SEEDS, mute, journal, count=5) == []
    assert journal.progress.step == 20
    assert journal.progress.dropped.total() >= 20
    with pytest.raises(InvalidRequest, match="no seed"):
        way([], mute, journal, count=5)


def test_words_of_the_prompt_are_no_instruction(tmp_path):
    def leaking(prompt, **options):
        return Answer("The rewritten task is to name a bird of the sea.", True)

    journal = Journal(tmp_path / "x.jsonl")
    assert evol_instruct(SEEDS, leaking, journal, count=2) == []
    assert set(journal.progress.dropped) == {"words of the prompt came along"}

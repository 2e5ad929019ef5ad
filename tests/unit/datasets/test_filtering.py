from __future__ import annotations

import json

import pytest

from rocamadre.core.errors import InvalidRequest, Unknown
from rocamadre.datasets.filtering import apply_filters
from rocamadre.datasets.filters.registry import FILTERS, make_filter
from rocamadre.datasets.tokenizer import open_tokenizer
from rocamadre.datasets.types import Chat, Preference, Prompt, Text, Turn
from rocamadre.testing.tiny import tiny_llama

PROSE = (
    "The harbour of the old town lies open to the west, and in the evening the boats come in with what the sea gave. "
    "People stand on the wall to see them, and the children count the sails."
)


def chat(asked, answer):
    return Chat((Turn("user", asked), Turn("assistant", answer)))


def dropped(written, *examples, tokenizer=None):
    kept, account = apply_filters(examples, [written], tokenizer=tokenizer)
    stays = list(kept)
    assert account.read == len(examples)
    assert account.kept == len(stays)
    return [why for _, why, _ in account.dropped[0].samples]


CASES = [
    ("length:least=3", [Text("one two"), Text("one two three")], ["shorter than 3 words"]),
    ("length:most=2", [Text("one two"), Text("one two three")], ["longer than 2 words"]),
    ("length:unit=letters;most=5", [Text("12345"), Text("123456")], ["longer than 5 letters"]),
    ("length:part=answer;least=2", [chat("a b c", "d"), chat("a", "b c")], ["shorter than 2 words"]),
    ("regex:drop_if=(?i)secret", [Text("a Secret"), Text("public")], ["matches '(?i)secret'"]),
    ("regex:keep_if=^Dear", [Text("Dear Ana"), Text("Hi")], ["does not match '^Dear'"]),
    (r"regex:drop_if=a\;b;part=answer", [chat("a;b", "c"), chat("c", "a;b")], ["matches 'a;b'"]),
    ("language:keep=en,pt", [Text("The cat is on the table."), Text("El gato está en la mesa.")], ["language es"]),
    ("exact", [Text("a b c"), Text("a b c"), Text("A b c")], ["the same as one before"]),
    ("exact:part=question", [chat("q", "a"), chat("q", "b"), chat("r", "a")], ["the same as one before"]),
    ("near", [Text(PROSE), Text(PROSE.upper() + "!"), Text("Else.")], ["nearly the same as one before"]),
    ("near", [Text("!!!"), Text("???")], []),
    ("c4", [Text("Lorem ipsum dolor sit amet."), Text(PROSE)], ["holds 'lorem ipsum'"]),
    ("c4", [Text("if (x) { y }.")], ["holds a curly bracket"]),
    ("c4:allow_code=true", [Text("if it rains { stay }.")], []),
    ("c4", [Text("menu\nhome\nabout us")], ["most lines are no sentences"]),
    ("c4:sentences=3", [Text("One is here. Two is there.")], ["too few sentences"]),
    ("personal", [Text("write to ana@example.org"), Text("write to Ana")], ["holds email"]),
    ("personal:kinds=card", [Text("ana@example.org"), Text("4111 1111 1111 1111")], ["holds card"]),
    ("gopher", [Text(PROSE)], []),
    ("gopher", [Text("hm")], ["too few or too many words"]),
    ("gopher", [Text("a b c d e f g h i j k l")], ["words of unlikely length"]),
    ("gopher", [Text("Read more ... and more ... # news # here")], ["too many symbols"]),
    ("gopher", [Text("year 2001 2002 2003 2004 2005 total")], ["too few words with letters"]),
    ("gopher", [Text("\n".join(f"- point number {n} of this" for n in "abcdef"))],
     ["nearly all lines are points of a list"]),
    ("gopher", [Text("\n".join(f"this line number {n} ends so…" for n in "abcdefgh"))], ["too many symbols"]),
    ("gopher", [Text("the same line again\n" * 6)], ["too many repeated lines"]),
    ("gopher", [Text("the shoes are of gold " * 20)], ["one phrase again and again"]),
    ("gopher", [Text(" ".join(f"wort{n}chen" for n in range(30)))], ["none of the commonest words"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("written", "examples", "expected"), CASES, ids=[f"{n}-{c[0][:20]}" for n, c in enumerate(CASES)]
)
def test_what_goes_and_why(written, examples, expected):
    assert dropped(written, *examples) == expected


def test_tokens_are_counted_as_the_model_reads_them(tmp_path):
    tokenizer = open_tokenizer(tiny_llama(tmp_path / "model"))
    examples = [chat("Hi", "word " * 40), chat("Hi", "word"), Preference((Turn("user", "Hi"),), "a", "b")]
    assert dropped("length:unit=tokens;most=60", *examples, tokenizer=tokenizer) == ["longer than 60 tokens"]
    assert dropped("length:unit=tokens;part=answer;most=20", *examples, tokenizer=tokenizer)
    with pytest.raises(InvalidRequest, match="--base"):
        apply_filters(examples, ["length:unit=tokens"])


def test_filters_are_asked_in_order_and_told_apart():
    examples = [Text("x"), Text("one two three"), Text("one two three"), Text("four five six")]
    kept, account = apply_filters(examples, ["length:least=2", "exact"])
    assert list(kept) == [examples[1], examples[3]]
    told = json.loads(json.dumps(account.as_json()))
    assert (told["read"], told["kept"]) == (4, 2)
    assert [(each["filter"], each["count"]) for each in told["dropped"]] == [("length:least=2", 1), ("exact", 1)]
    assert told["dropped"][1]["samples"] == [{"record": 3, "reason": "the same as one before", "text": "one two three"}]


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("length:least=-1", "least: Input should be greater than or equal to 0; its settings are unit, least"),
        ("length:minimum=1", "minimum: Extra inputs"),
        ("length:least", "is no setting"),
        ("regex", "give drop_if or keep_if"),
        ("regex:drop_if=(", "no regular expression"),
        ("language:keep=en,xx", "xx cannot be told; known are en, es, pt, other"),
        ("personal:kinds=shoe", "shoe is not looked for"),
        ("near:threshold=0.1", "threshold"),
    ],
)
def test_settings_are_checked(written, message):
    with pytest.raises(InvalidRequest, match=".*" + message.replace("(", r"\(")):
        make_filter(written)


def test_an_unknown_filter_is_told_with_those_there_are():
    with pytest.raises(Unknown, match="gopher"):
        make_filter("toxicity")


@pytest.mark.parametrize("name", FILTERS.names())
def test_every_filter_takes_every_kind(name):
    examples = [
        Text(PROSE),
        chat("Where is it?", "It is near the mountain, I think, not far from the bridge."),
        Prompt((Turn("user", "Where is it?"),)),
        Preference((Turn("user", "Where is it?"),), "In the west, I think.", "No."),
    ]
    written = "regex:drop_if=zzz" if name == "regex" else name
    assert dropped(written, *examples) == []

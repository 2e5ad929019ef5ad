from __future__ import annotations

import json
from xml.etree import ElementTree

import pytest

from rocamadre.datasets.languages import detect_language
from rocamadre.datasets.personal import count_personal, find_personal
from rocamadre.datasets.picture import draw
from rocamadre.datasets.preview import preview
from rocamadre.datasets.statistics import count_all
from rocamadre.datasets.tokenizer import open_tokenizer
from rocamadre.datasets.types import Chat, Preference, Prompt, Text, Turn
from rocamadre.testing.tiny import tiny_llama

LONG = "The boats come in with the evening and the people of the harbour stand on the wall to see them."


def chat(asked, answer, task=""):
    return Chat((Turn("user", asked), Turn("assistant", answer)), task)


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    return open_tokenizer(tiny_llama(tmp_path_factory.mktemp("model")))


def test_everything_is_counted():
    rows = [
        chat("What is this?", LONG, "a"),
        chat("What is this?", LONG, "a"),
        chat("What is this?", LONG + "!", "b"),
        chat("¿Qué es esto?", "Escribe a ana@example.org o al +34 600 123 456, por favor.", "b"),
    ]
    found = json.loads(json.dumps(count_all(rows).as_json()))
    assert found["records"] == 4
    assert found["kinds"] == {"chat": 4}
    assert found["turns"] == {"2": 4}
    assert found["tasks"] == {"a": 2, "b": 2}
    assert found["languages"] == {"en": 3, "es": 1}
    assert (found["exact_duplicates"], found["near_duplicates"]) == (1, 1)
    assert found["near_pairs"][0]["records"] == [1, 3]
    assert found["personal"] == {"email": 1, "phone": 1}
    assert found["with_personal"] == 1
    assert found["lengths"]["sum"] == sum(len(" ".join(t.text for t in row.turns).split()) for row in rows)
    assert sum(bar["count"] for bar in found["lengths"]["bars"]) == 4


def test_tokens_are_those_of_the_model(tokenizer):
    rows = [chat("Hi", "Hello"), Preference((Turn("user", "Hi"),), "Hello", "No"), Prompt((Turn("user", "Hi"),))]
    found = count_all(rows, tokenizer).as_json()
    views = [view for view in preview(rows, tokenizer) if view.title != "rejected"]
    assert found["unit"] == "tokens"
    assert found["lengths"]["sum"] == sum(view.tokens for view in views)
    assert found["learned"]["sum"] == sum(view.trained for view in views)


def test_the_picture_is_drawn_whatever_is_there(tokenizer):
    for rows in ([], [Text("x")], [chat("<b>&", "y")] * 3, [Text("word " * n) for n in range(1, 200)]):
        picture = draw(count_all(rows, tokenizer).as_json(), "a <title> & more")
        root = ElementTree.fromstring(picture)
        assert root.tag.endswith("svg")
        assert "a <title> & more" in [each.text for each in root.iter()]


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("ana.b+c@mail.example.org", {"email": 1}),
        ("IBAN ES91 2100 0418 4502 0005 1332", {"iban": 1}),
        ("ES91 2100 0418 4502 0005 1333", {}),
        ("4111-1111-1111-1111", {"card": 1}),
        ("4111111111111112", {}),
        ("CPF 529.982.247-25", {"cpf": 1}),
        ("CNPJ 11.222.333/0001-81", {"cnpj": 1}),
        ("DNI 12345678Z, NIE X1234567L", {"dni": 1, "nie": 1}),
        ("SSN 123-45-6789", {"ssn": 1}),
        ("from 192.168.0.12", {"ip": 1}),
        ("call +1 (415) 555-2671 or 612 345 678", {"phone": 2}),
        ("in 2023 there were 1,234,567 people and 3.14159", {}),
        ("version 1.2.3.400", {}),
        ("no digits, no signs", {}),
    ],
)
def test_personal_data_is_found_by_its_form(text, kinds):
    assert count_personal(text) == kinds


def test_places_of_personal_data_are_exact():
    text = "Señora ñ: ana@example.org, 🙂 4111111111111111."
    assert [text[each.start : each.end] for each in find_personal(text)] == ["ana@example.org", "4111111111111111"]


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("How many people live in this city?", "en"),
        ("Escribe un poema sobre el mar y la luna.", "es"),
        ("Escreva um poema sobre o mar e a lua.", "pt"),
        ("Não sei o que você quer dizer com isso.", "pt"),
        ("No sé qué quieres decir con eso.", "es"),
        ("Der Hund liegt unter dem Tisch und schläft.", "other"),
        ("Le chien dort sous la table et il ne veut pas sortir.", "other"),
        ("これは日本語の文章です。", "other"),
        ("12345 !!!", "other"),
        ("", "other"),
    ],
)
def test_languages(text, language):
    assert detect_language(text) == language


def test_a_preview_shows_every_letter(tokenizer):
    rows = [chat("Olá 🙂 日本", "São 🚀!"), Preference((Turn("user", "Hi"),), "Yes", "No"), Text("Once 🙂.")]
    views = list(preview(rows, tokenizer))
    assert [(view.record, view.title) for view in views] == [(1, ""), (2, "chosen"), (2, "rejected"), (3, "")]
    whole = "".join(piece.text for piece in views[0].pieces)
    assert whole == "<|im_start|>user\nOlá 🙂 日本<|im_end|>\n<|im_start|>assistant\nSão 🚀!<|im_end|>"
    assert "".join(piece.text for piece in views[0].pieces if piece.trained) == "São 🚀!<|im_end|>"
    assert [view.record for view in preview(rows, tokenizer, limit=1, skip=1)] == [2, 2]
    told = json.loads(json.dumps(views[0].as_json()))
    assert told["count"] == sum(len(token["ids"]) for token in told["tokens"])

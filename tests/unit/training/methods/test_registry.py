from __future__ import annotations

import subprocess
import sys

import pytest

from rocamadre.core.errors import InvalidRequest, Unknown
from rocamadre.training.methods.facts import FACTS
from rocamadre.training.methods.registry import METHODS, check_settings, facts_of


def test_facts_and_registry_name_the_same_methods():
    assert set(METHODS.names()) == set(FACTS)
    assert all(facts.name == name for name, facts in FACTS.items())


@pytest.mark.parametrize("name", FACTS)
def test_every_default_is_valid_and_every_setting_described(name):
    settings = check_settings(name, {})
    assert type(settings).model_validate_json(settings.model_dump_json()) == settings
    assert all(field.description for field in type(settings).model_fields.values())


def test_settings_are_checked_without_torch():
    program = (
        "import sys; from rocamadre.training.methods.registry import check_settings as check;"
        "check('lora', {'rank': 4}); print([each for each in ('torch', 'transformers', 'peft') if each in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert answer.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("name", "given", "wrong"),
    [
        ("lora", {"rank": 0}, "method_settings.rank: Input should be greater than or equal to 1 (given: 0)"),
        ("lora", {"ranks": 8}, "method_settings.ranks: there is no such setting. It has: rank, alpha"),
        ("lora", {"dropout": 1.0}, "method_settings.dropout"),
        ("lora", {"targets": []}, "method_settings.targets"),
        ("qlora", {"block_size": 100}, "64, 128, 256 or 512"),
        ("prompt-tuning", {"init": "text"}, "`text` goes with `init = text`"),
        ("prefix-tuning", {"text": "Hello"}, "`text` goes with `init = text`"),
        ("ia3", {"attention": False, "feedforward": False}, "nothing is trained"),
        ("loreft", {"first": 0, "last": 0}, "nothing is trained"),
        ("loreft", {"layers": [1, 1]}, "each once"),
    ],
)
def test_bad_settings_are_named(name, given, wrong):
    with pytest.raises(InvalidRequest) as caught:
        check_settings(name, given)
    assert wrong in caught.value.message
    assert caught.value.fields[0].name.startswith("method_settings")


def test_settings_may_come_as_text():
    assert check_settings("lora", {"rank": "8", "targets": "q_proj, v_proj", "dora": "true"}).model_dump() == {
        "rank": 8, "alpha": 32, "dropout": 0.0, "targets": ("q_proj", "v_proj"), "rslora": False, "dora": True,
    }  # fmt: skip
    assert check_settings("loreft", {"layers": "0,1"}).model_dump()["layers"] == (0, 1)


def test_an_unknown_method_is_named_with_those_there_are():
    with pytest.raises(Unknown, match="prefix-tuning"):
        facts_of("magic")

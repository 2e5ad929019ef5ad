from __future__ import annotations

import pytest

from rocamadre.console.page import address
from rocamadre.console.playground.parameters import BOUNDS, MOST_SEED, Parameters, View, read_view
from rocamadre.core.explanation import Settings


@pytest.mark.parametrize(
    ("name", "written", "kept"),
    [
        ("temperature", "0.25", 0.25),
        ("temperature", "0,5", 0.5),
        ("temperature", "-1", 0),
        ("temperature", "nan", 0.7),
        ("temperature", "inf", 0.7),
        ("top_k", "7.6", 8),
        ("top_k", "1e9", 100),
        ("top_p", "0", 0.01),
        ("min_p", "", 0.0),
        ("max_tokens", "0", 1),
        ("seed", "-4", 0),
        ("seed", "1e12", MOST_SEED),
        ("seed", "", None),
        ("stop", "\n".join("abcdef"), ("a", "b", "c", "d")),
        ("stop", "\n\n", ()),
        ("nothing", "1", None),
    ],
)
def test_values_are_brought_into_bounds(name, written, kept):
    found = Parameters().changed(name, written)
    assert getattr(found, name, None) == kept


def test_an_address_says_it_all_and_says_it_again():
    parameters = Parameters(0.25, 4, 0.5, 0.25, 64, 11, ("END", "é?"))
    view = View("prompt", ("rocamadre.roca-mini-v1:0", "us.amazon.nova-lite-v1:0"), parameters)
    query = view.query()
    assert read_view(query) == view
    assert "prompt" in address("/playground", **query)
    assert View().query() == {"mode": "", "models": ""}


def test_hostile_addresses_are_read_as_far_as_they_can_be():
    found = read_view(
        {
            "mode": "<script>",
            "models": "a,../b,javascript:alert(1),<img>,c,d,e,a",
            "temperature": "x",
            "top_k": "9" * 400,
            "stop": "s" * 5000,
            "system": "never read",
        }
    )
    assert found.mode == "chat"
    assert found.models == ("a", "c", "d")
    assert found.parameters.temperature == Parameters().temperature
    assert found.parameters.top_k == Parameters().top_k
    assert len(found.parameters.stop[0]) == 100


def test_settings_that_do_nothing_are_not_sent():
    plain = Parameters()
    assert plain.converse() == {"inferenceConfig": {"maxTokens": 512, "temperature": 0.7, "topP": 0.9}}
    assert set(plain.openai()) == {"max_tokens", "temperature", "top_p"}
    full = Parameters(top_k=3, min_p=0.1, seed=0, stop=("x",))
    assert full.converse()["additionalModelRequestFields"] == {"top_k": 3, "min_p": 0.1, "seed": 0}
    assert full.converse()["inferenceConfig"]["stopSequences"] == ["x"]
    assert full.settings() == Settings(temperature=0.7, top_k=3, top_p=0.9, min_p=0.1)


def test_sliders_begin_within_their_bounds():
    for name, bounds in BOUNDS.items():
        assert bounds.least <= getattr(Parameters(), name) <= bounds.most

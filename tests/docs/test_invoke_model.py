"""The page about InvokeModel says what the program does."""

from __future__ import annotations

import json

from rocamadre.engines.profiles.registry import LOCAL, PROFILES
from rocamadre.engines.profiles.table import family_table, with_table
from rocamadre.engines.profiles.types import TextProfile


def page(checkout):
    return (checkout / "docs" / "invoke-model.md").read_text()


def test_the_table_is_current(checkout):
    text = page(checkout)
    assert with_table(text) == text, "run: python -m rocamadre.engines.profiles.table docs/invoke-model.md"


def test_every_profile_has_a_row_with_its_keys():
    rows = family_table().splitlines()[2:]
    assert len(rows) == len(PROFILES) + len(LOCAL)
    for profile, row in zip((*PROFILES, *LOCAL), rows, strict=True):
        cells = [each.strip() for each in row.strip("|").split("|")]
        assert cells[0] == profile.name
        assert "**`" in cells[2] or profile.name == "Amazon Titan Multimodal Embeddings", profile.name
        assert len(cells) == 7
        if isinstance(profile, TextProfile) and profile.structured:
            assert f"`{profile.structured}`" in cells[2]


def test_the_figures_are_those_that_were_measured(checkout):
    figures = json.loads((checkout / "models" / "minilm-rerank" / "figures.json").read_text())
    text = page(checkout)
    held_out = figures["held_out"]
    for value in (
        f"{held_out['all']['expected_calibration_error']:.3f}",
        f"{figures['held_out_without_fit']['expected_calibration_error']:.3f}",
        *(f"{each['relevant_above_other'] * 100:.0f} %" for each in held_out.values()),
    ):
        assert value in text, value

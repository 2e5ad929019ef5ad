"""Relevance: windows of long texts, calibrated cosines, and both together in a running engine."""

from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import pytest

from rocamadre.engines.embed.calibration import relevance
from rocamadre.engines.embed.windows import windows

MINILM = "rocamadre.minilm-l6-v2:0"


@pytest.mark.parametrize("length", [2, 3, 7, 8, 9, 13, 14, 100, 101])
@pytest.mark.parametrize("longest", [6, 8, 11])
def test_windows_hold_every_token_and_the_marks(length, longest):
    tokens = [-1, *range(length - 2), -2]
    pieces = windows(tokens, longest)
    assert {token for piece in pieces for token in piece} == set(tokens)
    for piece in pieces:
        assert len(piece) <= longest
        assert (piece[0], piece[-1]) == (-1, -2)
        assert piece[1:-1] == sorted(piece[1:-1])
    inner = longest - 2
    for before, after in pairwise(pieces):
        assert len(set(before[1:-1]) & set(after[1:-1])) == inner // 4
    assert (len(pieces) == 1) == (length <= longest)


@pytest.mark.parametrize("model_id", [MINILM, "someone.else-v1:0"])
def test_relevance_is_monotone_and_bounded(model_id):
    given = np.linspace(-1.0, 1.0, 401)
    made = relevance(given, model_id)
    assert (np.diff(made) > 0).all()
    assert ((made >= 0) & (made <= 1)).all()
    assert relevance([1.0000001, -1.0000001], model_id) == pytest.approx(relevance([1, -1], model_id))


def test_the_figures_are_those_of_the_recipe(checkout):
    figures = json.loads((checkout / "models" / "minilm-rerank" / "figures.json").read_text())
    shipped = json.loads((checkout / "src" / "rocamadre" / "engines" / "embed" / "rerank-calibration.json").read_text())
    assert shipped == {MINILM: {"slope": figures["slope"], "intercept": figures["intercept"]}}
    assert figures["held_out"]["all"]["expected_calibration_error"] < 0.1
    assert figures["held_out"]["all"]["expected_calibration_error"] < (
        figures["held_out_without_fit"]["expected_calibration_error"] / 3
    )
    card = (checkout / "models" / "minilm-rerank" / "card.md").read_text()
    assert f"{figures['slope']} · cosine - {-figures['intercept']}" in card
    for part in figures["held_out"].values():
        assert f"| {part['pairs']:,} | {part['expected_calibration_error']:.3f} |" in card


def test_the_same_cosine_in_closed_form():
    figures = {"slope": 7.8142, "intercept": -3.6982}
    expected = 1 / (1 + np.exp(-(figures["slope"] * 0.5 + figures["intercept"])))
    assert relevance([0.5], MINILM)[0] == pytest.approx(expected)

from __future__ import annotations

import pytest

from rocamadre.api.bedrock_runtime.settings import read_sampling
from rocamadre.core.errors import InvalidRequest


def test_beams_are_taken_within_bounds():
    assert read_sampling({"maxTokens": 5}, {"beams": 4}).beams == 4
    assert read_sampling({"maxTokens": 5}, None).beams is None
    for wrong in (0, 17, 2.5, "4", True):
        with pytest.raises(InvalidRequest, match="/beams"):
            read_sampling(None, {"beams": wrong})

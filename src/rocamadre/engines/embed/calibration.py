"""Cosines as relevance in [0, 1].

For a model whose cosines were measured, a logistic: 1 / (1 + exp(-(slope * cosine + intercept))), with figures from
`rerank-calibration.json`; `models/minilm-rerank/` has the recipe that made them and says how far they can be trusted.
For any other model (1 + cosine) / 2, which keeps the order and promises nothing else.
"""

from __future__ import annotations

from functools import cache
from importlib import resources

import msgspec
import numpy as np
import numpy.typing as npt


class Logistic(msgspec.Struct, frozen=True):
    """Figures of one model; `slope` is above 0, so that a higher cosine is never less relevant."""

    slope: float
    intercept: float


@cache
def _measured() -> dict[str, Logistic]:
    data = resources.files(__package__).joinpath("rerank-calibration.json").read_bytes()
    return msgspec.json.decode(data, type=dict[str, Logistic])


def relevance(cosines: npt.ArrayLike, model_id: str) -> npt.NDArray[np.float64]:
    """Relevance of each cosine, in [0, 1], monotone.

    >>> relevance([-1.0, 0.0, 1.0], "someone.else-v1:0").tolist()
    [0.0, 0.5, 1.0]
    """
    given = np.clip(np.asarray(cosines, np.float64), -1, 1)
    figures = _measured().get(model_id)
    if figures is None:
        return (1 + given) / 2
    made: npt.NDArray[np.float64] = 1 / (1 + np.exp(-(figures.slope * given + figures.intercept)))
    return made

"""The learning rate over a run: a pure function of the step, so there is nothing to save and nothing to load."""

from __future__ import annotations

import math

from rocamadre.training.settings import ScheduleName

_FLOOR = {"constant": 1.0, "linear": 0.0, "cosine": 0.1, "wsd": 0.0}
_DECAY_SHARE = 0.2
"""Share of a `wsd` run in which the rate falls."""


def learning_rate(step: int, *, steps: int, peak: float, schedule: ScheduleName, warmup_share: float) -> float:
    """The rate of optimiser step `step`.

    Args:
        step: From 0 to `steps` - 1.
        steps: Of the run.
        peak: The highest rate.
        schedule: `constant`; `linear` to zero; `cosine` to a tenth (Loshchilov & Hutter 2017, arXiv:1608.03983);
            `wsd`, constant and then linear to zero over the last fifth (Hu et al. 2024, arXiv:2404.06395).
        warmup_share: Share of the steps in which the rate rises linearly; the first step is not at zero.

    >>> [round(learning_rate(s, steps=4, peak=1.0, schedule="linear", warmup_share=0.25), 2) for s in range(4)]
    [1.0, 1.0, 0.67, 0.33]
    """
    warmup = math.ceil(steps * warmup_share - 1e-9)
    if step < warmup:
        return peak * (step + 1) / warmup
    done = (step - warmup) / max(1, steps - warmup)
    floor = _FLOOR[schedule]
    if schedule == "linear":
        share = 1 - done
    elif schedule == "cosine":
        share = 0.5 * (1 + math.cos(math.pi * done))
    elif schedule == "wsd":
        whole = (step + 1) / steps
        share = min(1.0, (1 - whole + 1 / steps) / _DECAY_SHARE)
    else:
        share = 1.0
    return peak * (floor + (1 - floor) * share)

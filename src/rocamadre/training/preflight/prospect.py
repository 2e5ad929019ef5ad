"""The whole preflight of a run: shape, tokens, speed and estimate in one call."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from rocamadre.core.errors import MissingDependency
from rocamadre.datasets.tokenizer import open_tokenizer
from rocamadre.datasets.types import Example
from rocamadre.training.methods.registry import check_settings, facts_of
from rocamadre.training.preflight.calibration import Wanted, known_rate, measure_rate
from rocamadre.training.preflight.estimate import Preflight, estimate, this_machine
from rocamadre.training.preflight.shape import read_shape
from rocamadre.training.preflight.trained import trained
from rocamadre.training.preflight.workload import look_at, workload
from rocamadre.training.settings import TrainingSettings


def look_ahead(
    home: Path,
    base: Path,
    settings: TrainingSettings,
    train: Iterable[Example],
    *,
    validation: Iterable[Example] | None = None,
    aws_model_id: str = "",
    measure: bool = False,
) -> Preflight:
    """What a run here will take.

    Args:
        home: ROCA_HOME; measurements are remembered below it.
        base: A GGUF file or a Hugging Face directory.
        settings: The run's.
        train: Examples, consumed once.
        validation: The same, or None.
        aws_model_id: The model that the client named, for AWS's price.
        measure: Measure this machine's speed if it is not known yet: some ten seconds in a process of its own. Without
            PyTorch nothing is measured, and time stays open.

    Raises:
        InvalidRequest: the base, the data or the settings are wrong.
        RocamadreError: the measurement failed.
    """
    shape, tokenizer = read_shape(base), open_tokenizer(base)
    data = look_at(train, tokenizer, max_length=settings.max_length, seed=settings.seed)
    looked = None
    if validation is not None:
        looked = look_at(validation, tokenizer, max_length=settings.max_length, seed=settings.seed)
    rate = known_rate(home, shape, settings)
    machine = this_machine(home)
    if rate is None and measure:
        moved = trained(shape, check_settings(settings.method, settings.method_settings))
        packs = facts_of(settings.method).packs
        passes = workload(data, settings, packs=packs, virtual_tokens=moved.virtual_tokens, validation=looked).training
        wanted = Wanted(base, settings, length=max(8, round(data.lengths.mean())), tokens=passes.most_tokens)
        first = estimate(shape, settings, data, machine=machine, validation=looked)
        if first.memory_bytes <= machine.memory_bytes:
            try:
                rate = measure_rate(home, shape, wanted)
            except MissingDependency:
                rate = None
    return estimate(shape, settings, data, machine=machine, rate=rate, validation=looked, aws_model_id=aws_model_id)

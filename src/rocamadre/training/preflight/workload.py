"""How much a run computes: the data as rows and passes, as the loop will lay them out. Torch-free."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rocamadre.core.errors import InvalidRequest
from rocamadre.datasets.rendered import render_example
from rocamadre.datasets.tokenizer import ModelTokenizer
from rocamadre.datasets.types import Example, Text
from rocamadre.training.packing import RowOrder
from rocamadre.training.settings import TrainingSettings

SAMPLE = 4096
"""Examples that are turned into tokens at most; of more, so many drawn by chance stand for all."""

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class DataFacts:
    """What a data set is made of.

    Attributes:
        examples: How many there are.
        lengths: Tokens of each example that was looked at.
        targets: Those of them whose prediction is learned.
    """

    examples: int
    lengths: Counts
    targets: Counts

    @property
    def scale(self) -> float:
        """Examples that one stands for."""
        return self.examples / len(self.lengths)

    @property
    def tokens(self) -> int:
        """Of the whole set, about."""
        return round(float(self.lengths.sum()) * self.scale)


def look_at(examples: Iterable[Example], tokenizer: ModelTokenizer, *, max_length: int, seed: int = 0) -> DataFacts:
    """Count tokens as training will.

    Args:
        examples: Consumed once.
        tokenizer: Of the base.
        max_length: Longer texts are cut into pieces, as training does.
        seed: Of the sample.

    Raises:
        InvalidRequest: there are none, or the template refuses one.
    """
    dice = np.random.default_rng(seed)
    kept: list[Example] = []
    count = 0
    for example in examples:
        count += 1
        if len(kept) < SAMPLE:
            kept.append(example)
        elif (place := int(dice.integers(count))) < SAMPLE:
            kept[place] = example
    lengths: list[int] = []
    targets: list[int] = []
    for example in kept:
        rendered = render_example(example, tokenizer, tokenizer.template)
        size = max_length if isinstance(example, Text) else len(rendered.ids)
        for start in range(0, len(rendered.ids), max(1, size)):
            marks = rendered.trained[start : start + size]
            if len(marks) > 1:
                lengths.append(len(marks))
                targets.append(sum(marks[1:]))
    if not lengths:
        raise InvalidRequest("there is nothing to train on: no record has an answer")
    return DataFacts(round(len(lengths) * count / len(kept)), np.asarray(lengths), np.asarray(targets))


@dataclass(frozen=True, slots=True)
class Passes:
    """Passes over some rows.

    Attributes:
        count: How many.
        tokens: Computed in all, padding included.
        targets: Learned in all.
        squares: Sum over examples of the squared number of tokens: what attention costs.
        most_tokens: Of the largest pass.
        most_targets: Of the largest pass.
        most_examples: Of a pass.
    """

    count: float
    tokens: float
    targets: float
    squares: float
    most_tokens: int
    most_targets: int
    most_examples: int = 0

    def times(self, factor: float) -> Passes:
        """So many times as many passes of the same kind."""
        return Passes(
            self.count * factor,
            self.tokens * factor,
            self.targets * factor,
            self.squares * factor,
            self.most_tokens,
            self.most_targets,
            self.most_examples,
        )


@dataclass(frozen=True, slots=True)
class Workload:
    """What a run computes.

    Attributes:
        steps: Optimiser steps.
        epochs: Passes over the data that they are.
        read: Tokens read in training, padding not counted, as the run reports them.
        training: Passes of one process.
        validation: Forward passes of one process.
        validations: How often the validation data is gone through.
    """

    steps: int
    epochs: float
    read: float
    training: Passes
    validation: Passes
    validations: int


NOTHING = Passes(0, 0, 0, 0, 0, 0)


def workload(
    data: DataFacts,
    settings: TrainingSettings,
    *,
    packs: bool,
    virtual_tokens: int = 0,
    validation: DataFacts | None = None,
) -> Workload:
    """The passes of a run.

    Args:
        data: What is trained on.
        settings: The run's.
        packs: Whether the method lets examples share a row; where not, rows are padded to the longest.
        virtual_tokens: Computed before every example.
        validation: Looked at now and then; None takes `settings.validation_share` of the data.
    """
    if validation is None and settings.validation_share:
        data, validation = _split(data, settings)
    order = RowOrder(data.lengths, capacity=settings.max_length, packing=settings.packing, seed=settings.seed)
    per_epoch = order.per_epoch * data.scale
    per_step = settings.batch_size * settings.accumulation * settings.processes
    steps = settings.max_steps or max(1, math.ceil(per_epoch * settings.epochs / per_step - 1e-9))
    rows = order.rows(0, order.per_epoch)
    epoch = _passes(data, rows, settings.batch_size, packs=packs, virtual_tokens=virtual_tokens)
    # Passes run on from one epoch into the next: all but the last of a run are full.
    share = steps * settings.accumulation * settings.batch_size / order.per_epoch
    training = epoch.times(share)
    epochs = steps * per_step / per_epoch
    validations, looked = 0, NOTHING
    if validation is not None:
        every = settings.evaluate_every or max(1, steps // 10)
        validations = 1 + math.ceil(steps / every)
        single = [np.asarray([index]) for index in range(len(validation.lengths))]
        once = _passes(validation, single, settings.batch_size, packs=packs, virtual_tokens=virtual_tokens)
        looked = once.times(validations * validation.scale / settings.processes)
    return Workload(steps, epochs, epochs * data.tokens, training, looked, validations)


def _split(data: DataFacts, settings: TrainingSettings) -> tuple[DataFacts, DataFacts]:
    """The two parts, each the size that the loop makes it; which examples they are is left to it."""
    order = np.random.default_rng([settings.seed, 1 << 30]).permutation(len(data.lengths))
    count = max(1, round(len(order) * settings.validation_share))
    if count >= len(order):
        raise InvalidRequest(
            f"validation_share {settings.validation_share:g} of {data.examples} examples leaves nothing to train on"
        )
    parts = (np.sort(order[count:]), np.sort(order[:count]))
    left, right = (DataFacts(round(len(part) * data.scale), data.lengths[part], data.targets[part]) for part in parts)
    return left, right


def _passes(data: DataFacts, rows: list[Counts], size: int, *, packs: bool, virtual_tokens: int) -> Passes:
    """Go through rows once, `size` at a time."""
    tokens, targets, squares, most = [], [], 0.0, 0
    for start in range(0, len(rows), size):
        chosen = np.concatenate(rows[start : start + size])
        lengths = data.lengths[chosen] + virtual_tokens
        computed = int(lengths.sum()) if packs else int(lengths.max()) * len(chosen)
        tokens.append(computed)
        targets.append(int(data.targets[chosen].sum()))
        most = max(most, len(chosen))
        squares += float((lengths**2).sum()) if packs else float(lengths.max()) ** 2 * len(chosen)
    return Passes(len(rows) / size, sum(tokens), sum(targets), squares, max(tokens), max(targets), most)

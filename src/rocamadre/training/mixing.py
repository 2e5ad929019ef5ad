"""Several tasks in one run: how often each comes, and in which order, decided by sizes, weights and seed alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path

import numpy as np

from rocamadre.core.errors import InvalidRequest
from rocamadre.datasets import canonical
from rocamadre.datasets.types import Chat, Example


def weights_by_size(
    sizes: Mapping[str, int], *, temperature: float = 1.0, limit: int | None = None
) -> dict[str, float]:
    """Weights from how many examples each task has.

    Args:
        sizes: Examples by task, above 0.
        temperature: 1 takes tasks as large as they are; larger brings them closer together.
        limit: A task counts as no larger than this.

    Returns:
        By task; they sum to 1.

    Source: Raffel et al. 2020, arXiv:1910.10683, section 3.5.2.

    >>> weights_by_size({"a": 90, "b": 10})
    {'a': 0.9, 'b': 0.1}
    """
    if temperature <= 0:
        raise InvalidRequest(f"the temperature of mixing must be above 0; given: {temperature}")
    _check(sizes)
    raised = {task: min(size, limit or size) ** (1 / temperature) for task, size in sizes.items()}
    total = sum(raised.values())
    return {task: value / total for task, value in raised.items()}


def mix(sizes: Mapping[str, int], weights: Mapping[str, float], *, count: int, seed: int) -> Iterator[tuple[str, int]]:
    """A run's examples: `count` pairs of task and index within it.

    At every point of the run each task has come as often as its weight says, to within one example; within a task every
    example comes once before any comes twice, each time in another order.

    Args:
        sizes: Examples by task.
        weights: By task; any positive numbers, of which the shares count.
        count: Pairs.
        seed: Of the orders.

    Raises:
        InvalidRequest: tasks without weight or the reverse, or a number that is not positive.

    >>> [task for task, _ in mix({"a": 3, "b": 3}, {"a": 2, "b": 1}, count=6, seed=0)]
    ['a', 'b', 'a', 'a', 'b', 'a']
    """
    _check(sizes)
    if set(weights) != set(sizes):
        raise InvalidRequest(f"weights are for {', '.join(sorted(weights))}; the tasks are {', '.join(sorted(sizes))}")
    if bad := [task for task, weight in weights.items() if not weight > 0]:
        raise InvalidRequest(f"weights must be above 0; they are not for {', '.join(sorted(bad))}")
    total = sum(weights.values())
    tasks = list(sizes)
    orders = {task: _endless(sizes[task], seed, place) for place, task in enumerate(tasks)}
    return islice(_turns(tasks, {task: weights[task] / total for task in tasks}, orders), count)


def mix_files(paths: Sequence[Path], target: Path, weights: Mapping[str, float], *, seed: int) -> None:
    """Write the conversations of some files mixed by their tasks' weights, as many as there were.

    Only where each begins is held in memory.

    Args:
        paths: Canonical files.
        target: There whole or not at all.
        weights: By task, of all tasks that there are.
        seed: Of the orders.

    Raises:
        InvalidRequest: a record belongs to no task, or to one without weight.
    """
    places: dict[str, list[tuple[Path, int]]] = {}
    for path in paths:
        with path.open("rb") as stream:
            start = 0
            for number, line in enumerate(stream, start=1):
                example = canonical.decode(line)
                task = example.task if isinstance(example, Chat) else ""
                if not task:
                    raise InvalidRequest(
                        f"task_weights: record {number} belongs to no task; give each a member task, or no weights"
                    )
                places.setdefault(task, []).append((path, start))
                start += len(line)
    sizes = {task: len(found) for task, found in places.items()}
    order = mix(sizes, weights, count=sum(sizes.values()), seed=seed)
    canonical.write(target, _examples(places[task][index] for task, index in order))


def _examples(places: Iterator[tuple[Path, int]]) -> Iterator[Example]:
    for path, start in places:
        with path.open("rb") as stream:
            stream.seek(start)
            yield canonical.decode(stream.readline())


def _turns(
    tasks: list[str], shares: Mapping[str, float], orders: Mapping[str, Iterator[int]]
) -> Iterator[tuple[str, int]]:
    owed = dict.fromkeys(tasks, 0.0)
    while True:
        for task in tasks:
            owed[task] += shares[task]
        due = max(tasks, key=lambda task: owed[task])
        owed[due] -= 1
        yield due, next(orders[due])


def _endless(size: int, seed: int, place: int) -> Iterator[int]:
    epoch = 0
    while True:
        yield from np.random.default_rng([seed, place, epoch]).permutation(size).tolist()
        epoch += 1


def _check(sizes: Mapping[str, int]) -> None:
    if not sizes or min(sizes.values()) < 1:
        raise InvalidRequest("every task needs at least one example; given: " + str(dict(sizes)))

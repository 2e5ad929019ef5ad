"""Several tasks in one run: how often each comes, and in which order. Pure functions of sizes, weights and seed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice

import numpy as np

from rocamadre.core.errors import InvalidRequest


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

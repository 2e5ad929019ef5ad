"""The training loop: passes, steps, validation, checkpoints, and an end that can come at any moment.

A step's loss is the mean over the learned tokens of all its passes (and processes): nats per token, each token counting
the same however the examples are spread over passes. The random state of every pass is a function of the seed, the step
and the pass, and so is the data: a run that was killed goes on with the numbers that it would have had.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from rocamadre.core.errors import InvalidRequest
from rocamadre.engines.memory import figure
from rocamadre.jobs.runner import RunStopped
from rocamadre.training import memory, optimiser
from rocamadre.training.checkpoints import Checkpoint, Checkpoints, size_bytes
from rocamadre.training.packing import Indices, RowOrder
from rocamadre.training.progress import Reporter
from rocamadre.training.schedules import learning_rate
from rocamadre.training.settings import ScheduleName

_CHECKPOINT_S = 30.0
_CHECKPOINT_SHARE = 20
"""A checkpoint that takes long is written less often: at most a twentieth of the time goes into them."""
_SPIKE, _SPIKE_WINDOW = 1.5, 10
"""A spike is so many times the largest loss of so many steps before it."""
_MOST_SKIPPED = 3
_PAUSE_S = 1.0


class Task(Protocol):
    """What is learned: rows in an order, and their loss."""

    @property
    def order(self) -> RowOrder:
        """The stream of rows."""
        ...

    def learned(self, rows: Sequence[Indices]) -> int:
        """Tokens whose prediction counts."""
        ...

    def tokens(self, rows: Sequence[Indices]) -> int:
        """Tokens that are read."""
        ...

    def loss(self, module: nn.Module, rows: Sequence[Indices]) -> Tensor:
        """Summed nats of some rows."""
        ...


class Group(Protocol):
    """The processes that share a run."""

    rank: int
    size: int

    def add_gradients(self, named: optimiser.Named) -> None:
        """Sum the gradients of all processes into each."""
        ...

    def add(self, value: float) -> float:
        """The sum of a number over all processes."""
        ...

    def any(self, flag: bool) -> bool:
        """Whether it is true in one of them."""
        ...

    def whole(self, tensor: Tensor) -> Tensor:
        """A tensor in one piece, also where it is shared out."""
        ...

    def put(self, target: Tensor, values: Tensor) -> None:
        """Put values in one piece into a tensor that may be shared out."""
        ...

    def wait(self) -> None:
        """Until all are here."""
        ...


class Alone:
    """One process."""

    rank = 0
    size = 1

    def add_gradients(self, named: optimiser.Named) -> None:
        """Nothing to add."""

    def add(self, value: float) -> float:
        """The number."""
        return value

    def any(self, flag: bool) -> bool:
        """The flag."""
        return flag

    def whole(self, tensor: Tensor) -> Tensor:
        """The tensor."""
        return tensor

    def put(self, target: Tensor, values: Tensor) -> None:
        """Copy."""
        target.copy_(values)

    def wait(self) -> None:
        """Nobody to wait for."""


@dataclass
class Tally:
    """Everything that the loop counts; kept in each checkpoint.

    Attributes:
        step: Optimiser steps done.
        tokens: Read so far.
        seconds: Spent in steps.
        loss: Of the last step.
        recent: Losses of the last steps, to see spikes by.
        validation_loss: The last one.
        best_loss: The lowest validation loss, at `best_step`.
        stale: Validations since the best.
        skipped: Steps in a row without a finite gradient.
        ended: Early stopping has ended the run.
    """

    step: int = 0
    tokens: int = 0
    seconds: float = 0.0
    loss: float | None = None
    recent: list[float] = field(default_factory=list)
    validation_loss: float | None = None
    best_loss: float | None = None
    best_step: int = 0
    stale: int = 0
    skipped: int = 0
    ended: bool = False


@dataclass(frozen=True, slots=True)
class Pace:
    """Numbers of a run; see `TrainingSettings`.

    Attributes:
        steps: In all.
        batch_size: Rows of a pass.
        passes: Passes of a step, over all processes.
    """

    steps: int
    batch_size: int
    passes: int
    peak: float
    schedule: ScheduleName
    warmup_share: float
    clip_norm: float
    evaluate_every: int
    early_stopping: int
    checkpoint_every: int
    seed: int
    bf16: bool = False
    early_stopping_gain: float = 0.0


class Loop:
    """One run of training, from wherever its newest checkpoint left it.

    Args:
        module: Prepared by its method.
        named: What is trained.
        task: What is learned.
        validations: What is only looked at; the loss is the mean over the tokens of all.
        pace: The numbers.
        checkpoints: Where to save.
        reporter: Where events go.
        stop_requested: Asked after every step.
        group: The processes that share the run.
        free_disk: Bytes left where checkpoints are written.
        weight_decay: Of matrices.
    """

    def __init__(
        self,
        module: nn.Module,
        named: optimiser.Named,
        *,
        task: Task,
        validations: Sequence[Task],
        pace: Pace,
        checkpoints: Checkpoints,
        reporter: Reporter,
        stop_requested: Callable[[], bool],
        group: Group | None = None,
        free_disk: Callable[[], int] | None = None,
        weight_decay: float = 0.0,
    ) -> None:
        self.module, self.named, self.task, self.validations, self.pace = module, list(named), task, validations, pace
        self.checkpoints, self.reporter = checkpoints, reporter
        self._stop_requested = stop_requested
        self.group = group or Alone()
        self._free_disk = free_disk or (lambda: memory.free_disk_bytes(checkpoints.folder.parent))
        self.optimiser = optimiser.make_optimiser(self.named, weight_decay=weight_decay)
        self.tally = Tally()
        self._device = self.named[0][1].device
        self._saved_at, self._save_s = time.monotonic(), 0.0
        self._warned_of_memory = False

    def resume(self) -> bool:
        """Go on from the newest whole checkpoint; False when there is none."""
        found = self.checkpoints.newest(self._warn)
        if found is None:
            return False
        self._load_weights(found)
        optimiser.load_state(self.optimiser, self.named, found.tensors("optimiser"), put=self.group.put)
        torch.set_rng_state(found.tensors("rng")["cpu"])
        self.tally = Tally(**{name: found.state[name] for name in asdict(Tally())})
        return True

    def run(self) -> Tally:
        """Train to the end, and leave the best weights in the module.

        Raises:
            RunStopped: it was asked to stop, and has saved.
            InvalidRequest: the loss stays without a number.
        """
        pace, tally = self.pace, self.tally
        if tally.step == 0:
            self._validate()
        while tally.step < pace.steps and not tally.ended:
            self._leave_if_asked()
            self.module.train()
            self._step()
            improved = self._validate() if self._validation_is_due() else False
            if self._agreed(improved or self._checkpoint_is_due()):
                self.save()
        if self._agreed(tally.step not in self.checkpoints.steps()):
            self.save()
        self._take_best()
        self.module.eval()
        return tally

    def save(self) -> None:
        """Write a checkpoint, waiting for room on the disk if there is none.

        Raises:
            RunStopped: it was asked to stop while it waited.
        """
        started = time.monotonic()
        state = optimiser.state_of(self.optimiser, self.named)
        parts = {
            "weights": {name: self.group.whole(weight.detach()) for name, weight in self.named},
            "optimiser": {name: self.group.whole(tensor) for name, tensor in state.items()},
            "rng": {"cpu": torch.get_rng_state()},
        }
        if self.group.rank:
            return
        self._wait_for_room(size_bytes(parts))
        while True:
            try:
                self.checkpoints.write(self.tally.step, parts, asdict(self.tally), protect=self._protected())
                break
            except OSError as error:
                if not memory.disk_is_full(error):
                    raise
                self._wait_for_room(size_bytes(parts), at_least_once=True)
        self._saved_at, self._save_s = time.monotonic(), time.monotonic() - started
        self.reporter.note("checkpoint", step=self.tally.step)

    def _step(self) -> None:
        pace, tally, started = self.pace, self.tally, time.monotonic()
        count = pace.batch_size * pace.passes
        rows = self.task.order.rows(tally.step * count, (tally.step + 1) * count)
        learned = self.task.learned(rows)
        total = 0.0
        for index in range(self.group.rank, pace.passes, self.group.size):
            part = rows[index * pace.batch_size : (index + 1) * pace.batch_size]
            torch.manual_seed(pass_seed(pace.seed, tally.step, index))
            with torch.autocast(self._device.type, torch.bfloat16, enabled=pace.bf16):
                loss = self.task.loss(self.module, part)
            (loss / learned).backward()
            total += float(loss.detach())
        self.group.add_gradients(self.named)
        loss_nats = self.group.add(total) / learned
        norm = float(
            self.group.whole(torch.nn.utils.clip_grad_norm_([weight for _, weight in self.named], pace.clip_norm))
        )
        rate = learning_rate(
            tally.step, steps=pace.steps, peak=pace.peak, schedule=pace.schedule, warmup_share=pace.warmup_share
        )
        self._update(rate, loss_nats=loss_nats, norm=norm)
        took = time.monotonic() - started
        tokens = self.task.tokens(rows)
        tally.step, tally.tokens, tally.seconds = tally.step + 1, tally.tokens + tokens, tally.seconds + took
        tally.loss = loss_nats if math.isfinite(loss_nats) else None
        self.note(
            "step",
            step=tally.step,
            epoch=tally.step * count / self.task.order.per_epoch,
            loss=tally.loss,
            learning_rate=rate,
            gradient_norm=norm if math.isfinite(norm) else None,
            tokens=tally.tokens,
            tokens_per_s=tokens / took,
        )
        self._look_for_spike()
        self._watch_memory()

    def _update(self, rate: float, *, loss_nats: float, norm: float) -> None:
        """Move the weights; a step without a finite gradient moves nothing.

        Raises:
            InvalidRequest: several in a row.
        """
        tally = self.tally
        if math.isfinite(norm) and math.isfinite(loss_nats):
            optimiser.set_rate(self.optimiser, rate)
            self.optimiser.step()
            tally.skipped = 0
        else:
            tally.skipped += 1
            self._warn(f"step {tally.step + 1} has no finite gradient and was skipped", step=tally.step + 1)
        self.optimiser.zero_grad(set_to_none=True)
        if tally.skipped >= _MOST_SKIPPED:
            raise InvalidRequest(
                f"the loss has not been a finite number for {tally.skipped} steps, up to step {tally.step + 1}; lower "
                f"learning_rate (now {self.pace.peak:g}) or clip_norm (now {self.pace.clip_norm:g})"
            )

    def _look_for_spike(self) -> None:
        tally = self.tally
        if tally.loss is None:
            return
        if len(tally.recent) == _SPIKE_WINDOW and tally.loss > _SPIKE * max(tally.recent):
            self._warn(
                f"the loss jumped to {tally.loss:.3f} at step {tally.step}; in the {_SPIKE_WINDOW} steps before it was "
                f"at most {max(tally.recent):.3f}",
                step=tally.step,
                kind="loss_spike",
            )
        tally.recent = [*tally.recent, tally.loss][-_SPIKE_WINDOW:]

    def _watch_memory(self) -> None:
        if self._warned_of_memory or (message := memory.low_memory()) is None:
            return
        self._warned_of_memory = True
        self._warn(message)

    def _validation_is_due(self) -> bool:
        step, pace = self.tally.step, self.pace
        return bool(self.validations) and (step % pace.evaluate_every == 0 or step == pace.steps)

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def _validate(self) -> bool:
        """Look at the validation data; whether it is the best so far."""
        if not self.validations:
            return False
        pace, tally = self.pace, self.tally
        self.module.eval()
        found = [self._look_at(each) for each in self.validations]
        loss_nats = sum(total for total, _ in found) / sum(learned for _, learned in found)
        tally.validation_loss = loss_nats
        apart = {"losses": [total / learned for total, learned in found]} if len(found) > 1 else {}
        self.note("validation", step=tally.step, loss=loss_nats, **apart)
        if tally.step == 0:
            return False
        improved = tally.best_loss is None or loss_nats < tally.best_loss
        gained = tally.best_loss is None or loss_nats < tally.best_loss - pace.early_stopping_gain
        if improved:
            tally.best_loss, tally.best_step = loss_nats, tally.step
        tally.stale = 0 if gained else tally.stale + 1
        tally.ended = 0 < pace.early_stopping <= tally.stale
        return improved

    def _look_at(self, task: Task) -> tuple[float, int]:
        """Summed nats of a task's examples, and of how many tokens."""
        pace, order = self.pace, task.order
        rows = order.rows(0, order.per_epoch)
        starts = range(0, len(rows), pace.batch_size)
        total = 0.0
        for turn in range(0, len(starts), self.group.size):
            index = turn + self.group.rank
            start = starts[index if index < len(starts) else 0]  # All compute in every turn, or shared weights wait.
            with torch.autocast(self._device.type, torch.bfloat16, enabled=pace.bf16):
                found = float(task.loss(self.module, rows[start : start + pace.batch_size]))
            total += found if index < len(starts) else 0.0
        return self.group.add(total), task.learned(rows)

    def _checkpoint_is_due(self) -> bool:
        every = self.pace.checkpoint_every
        if every:
            return self.tally.step % every == 0
        patience = max(_CHECKPOINT_S, _CHECKPOINT_SHARE * self._save_s)
        return time.monotonic() - self._saved_at >= patience

    def _protected(self) -> int | None:
        return self.tally.best_step if self.tally.best_loss is not None else None

    def _take_best(self) -> None:
        best = self._protected()
        self.group.wait()
        if best is None or best == self.tally.step:
            return
        found = self.checkpoints.one(best)
        if found is None:
            self._warn(f"the best weights, of step {best}, are damaged; those of the last step are taken")
            self.tally.best_step = self.tally.step
        else:
            self._load_weights(found)

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def _load_weights(self, found: Checkpoint) -> None:
        saved = found.tensors("weights")
        for name, weight in self.named:
            self.group.put(weight, saved[name])

    def _leave_if_asked(self) -> None:
        if self._agreed(self._stop_requested()):
            if self.tally.step and self._agreed(self.tally.step not in self.checkpoints.steps()):
                self.save()
            raise RunStopped

    def _agreed(self, flag: bool) -> bool:
        """What the first process found, in all of them: clocks and disks may tell each another thing."""
        return self.group.any(flag and self.group.rank == 0)

    def _wait_for_room(self, needed: int, *, at_least_once: bool = False) -> None:
        """Pause while the disk is too full for a checkpoint; half of one would be worth nothing."""
        needed += memory.RESERVE_BYTES
        if self._free_disk() >= needed and not at_least_once:
            return
        free = "a write failed" if at_least_once else f"{figure(self._free_disk())} are free"
        reason = f"the disk is full: a checkpoint needs {figure(needed)}, {free}. It goes on when there is room"
        self.note("paused", reason=reason, step=self.tally.step)
        while True:
            time.sleep(_PAUSE_S)
            if self._stop_requested():
                raise RunStopped
            if self._free_disk() >= needed:
                break
        self.note("continued", step=self.tally.step)

    def note(self, event: str, **fields: Any) -> None:
        """Write an event, once for all processes."""
        if not self.group.rank:
            self.reporter.note(event, **fields)

    def _warn(self, message: str, **fields: Any) -> None:
        self.note("warning", message=message, **fields)


def pass_seed(seed: int, step: int, index: int) -> int:
    """The random seed of a pass: another for each, the same in every run."""
    return (seed * 1_000_003 + step * 8191 + index) % (1 << 63)

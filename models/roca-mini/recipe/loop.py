"""The training loop: packed shards in, checkpoints out, a budget of minutes or tokens, and a cheap resume."""

import json
import logging
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from network import Network, Shape
from optimizer import Optimizer
from safetensors.torch import load_file, save_file
from torch import Tensor

logger = logging.getLogger("roca-mini")


@dataclass(frozen=True)
class Phase:
    """One stretch of training over one shard.

    `minutes` or `tokens` is the budget (tokens win when both are given). The learning rate warms up over `warmup` of
    the budget, stays, and over the last `decay` of it falls linearly to `floor`.
    """

    name: str
    shard: Path
    rows: int
    length: int
    minutes: float
    tokens: int = 0
    warmup: float = 0.0
    decay: float = 0.0
    floor: float = 0.0
    peak: float = 1.0

    def scale(self, done: float) -> float:
        """Learning-rate factor when `done` (0 to 1) of the budget is spent."""
        if done < self.warmup:
            return self.peak * done / self.warmup
        if self.decay and done > 1 - self.decay:
            left = max(0.0, 1 - done) / self.decay
            return self.peak * (self.floor + (1 - self.floor) * left)
        return self.peak


@dataclass
class Progress:
    """Where a run stands; written into each checkpoint and, at the end, into the card."""

    steps: int = 0
    phase: str = ""
    finished: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    tokens: dict[str, int] = field(default_factory=dict)
    losses: dict[str, float] = field(default_factory=dict)
    device: str = ""


def save_checkpoint(folder: Path, network: Network, optimizer: Optimizer, progress: Progress) -> None:
    """Write weights, optimiser and progress as one file, whole or not at all (a kill leaves the one before)."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {f"weight/{name}": weight.detach() for name, weight in network.named_parameters()}
    tensors |= optimizer.state()
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    partial = folder / "checkpoint.partial"
    save_file(tensors, partial, metadata={"progress": json.dumps(asdict(progress))})
    os.replace(partial, folder / "checkpoint.safetensors")


def load_checkpoint(folder: Path, network: Network, optimizer: Optimizer) -> Progress:
    """Continue from the checkpoint, if there is one; else an empty progress."""
    path = folder / "checkpoint.safetensors"
    if not path.is_file():
        return Progress()
    tensors = load_file(path)
    with torch.no_grad():
        for name, weight in network.named_parameters():
            weight.copy_(tensors[f"weight/{name}"])
    progress = read_progress(path)
    optimizer.load(tensors, steps=progress.steps)
    logger.info("continuing at step %d", progress.steps)
    return progress


def read_progress(path: Path) -> Progress:
    """The progress kept in a checkpoint file."""
    from safetensors import safe_open

    with safe_open(path, "pt") as opened:
        return Progress(**json.loads(opened.metadata()["progress"]))


class Batches:
    """Consecutive batches of a shard from any token offset on; a shard that ends starts again.

    `NAME.npy` holds token ids; `NAME.mask.npy`, where there is one, says which of them are learnt.
    """

    def __init__(self, phase: Phase, device: torch.device) -> None:
        self.ids = np.load(phase.shard, mmap_mode="r")
        mask = phase.shard.with_suffix(".mask.npy")
        self.mask = np.load(mask, mmap_mode="r") if mask.is_file() else None
        self.phase, self.device = phase, device
        self.per_batch = phase.rows * phase.length
        if len(self.ids) <= self.per_batch:
            raise ValueError(f"{phase.shard} holds {len(self.ids)} tokens, fewer than one batch of {self.per_batch}")

    def at(self, tokens_done: int) -> tuple[Tensor, Tensor]:
        """Inputs and targets, each (rows, length) int64; targets that are not learnt are -100."""
        batches = (len(self.ids) - 1) // self.per_batch
        start = tokens_done // self.per_batch % batches * self.per_batch
        stop = start + self.per_batch + 1
        ids = torch.from_numpy(self.ids[start:stop].astype(np.int64))
        targets = ids[1:].clone()
        if self.mask is not None:
            targets[torch.from_numpy(self.mask[start + 1 : stop].astype(bool)).logical_not()] = -100
        shape = (self.phase.rows, self.phase.length)
        return ids[:-1].view(shape).to(self.device), targets.view(shape).to(self.device)


def loss_function(network: Network, *, masked: bool, compiled: bool) -> Callable[[Tensor, Tensor], Tensor]:
    """The loss, compiled where that pays; a masked one picks positions, so only its trunk has fixed sizes."""
    network.masked = masked
    if not compiled:
        return network.loss
    if not masked:
        return torch.compile(network.loss, dynamic=False)
    trunk = torch.compile(network.forward, dynamic=False)
    return lambda tokens, targets: network.loss_of(trunk(tokens), targets)


def run_phase(
    phase: Phase,
    *,
    network: Network,
    optimizer: Optimizer,
    progress: Progress,
    folder: Path,
    device: torch.device,
    compiled: bool,
    checkpoint_s: float = 180.0,
) -> None:
    """Train until the phase's budget is spent; checkpoints on the way and at the end."""
    if phase.name in progress.finished:
        return
    batches = Batches(phase, device)
    loss_of = loss_function(network, masked=batches.mask is not None, compiled=compiled)
    progress.phase, progress.device = phase.name, device.type
    seconds, tokens = progress.seconds.get(phase.name, 0.0), progress.tokens.get(phase.name, 0)
    average, last_save = None, time.monotonic()
    autocast = torch.autocast("cuda", torch.bfloat16, enabled=device.type == "cuda")
    while (done := tokens / phase.tokens if phase.tokens else seconds / 60 / phase.minutes) < 1:
        started = time.monotonic()
        inputs, targets = batches.at(tokens)
        with autocast:
            loss = loss_of(inputs, targets)
        loss.backward()
        optimizer.step(phase.scale(done))
        value = loss.item()
        average = value if average is None else 0.95 * average + 0.05 * value
        tokens += batches.per_batch
        seconds += time.monotonic() - started
        progress.steps += 1
        progress.seconds[phase.name], progress.tokens[phase.name] = seconds, tokens
        progress.losses[phase.name] = round(average, 4)
        if progress.steps % 10 == 0:
            logger.info("%s step %d, %.1f %%, loss %.3f, %.0f tokens/s", phase.name, progress.steps, 100 * done,
                        average, tokens / seconds)  # fmt: skip
        if time.monotonic() - last_save > checkpoint_s:
            save_checkpoint(folder, network, optimizer, progress)
            last_save = time.monotonic()
    progress.finished.append(phase.name)
    save_checkpoint(folder, network, optimizer, progress)


def make_network(shape: Shape, *, seed: int, device: torch.device) -> Network:
    """A fresh network; the same numbers for the same seed on every device."""
    torch.manual_seed(seed)
    return Network(shape).to(device)

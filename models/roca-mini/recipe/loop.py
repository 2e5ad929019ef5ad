"""The training loop: batches in, checkpoints out, a budget of tokens or minutes, and a cheap resume."""

import json
import logging
import math
import os
import shutil
import signal
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

import torch
from editions import Phase
from network import Network, Shape
from optimizer import Optimizer
from safetensors.torch import load_file, safe_open, save_file
from shards import Batches
from torch import Tensor

logger = logging.getLogger("roca-mini")
REPORT_STEPS = 10
CHECKPOINT = "checkpoint.safetensors"


class Stopped(Exception):
    """A SIGTERM came; what was learnt is saved."""


@dataclass
class Progress:
    """Where a run stands; written into each checkpoint and, at the end, into the card."""

    steps: int = 0
    phase: str = ""
    finished: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    tokens: dict[str, int] = field(default_factory=dict)
    losses: dict[str, float] = field(default_factory=dict)
    passes: dict[str, dict[str, float]] = field(default_factory=dict)
    utilisation: dict[str, float] = field(default_factory=dict)
    waiting: dict[str, float] = field(default_factory=dict)
    device: str = ""


def factor(phase: Phase, done: float) -> float:
    """Learning-rate factor when `done` (0 to 1) of the phase's budget is spent."""
    if done < phase.warmup:
        return phase.start * done / phase.warmup
    done = min(1.0, (done - phase.warmup) / (1 - phase.warmup))
    if phase.curve == "cosine":
        done = (1 - math.cos(math.pi * done)) / 2
    return phase.start + (phase.end - phase.start) * done


def save_checkpoint(
    folder: Path, network: Network, optimizer: Optimizer, progress: Progress, *, mirror: Path | None = None
) -> None:
    """Write weights, optimiser and progress as one file, whole or not at all (a kill leaves the one before).

    Args:
        mirror: A second folder that gets a copy.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {f"weight/{name}": weight.detach() for name, weight in network.named_parameters()}
    tensors |= optimizer.state()
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    partial = folder / "checkpoint.partial"
    save_file(tensors, partial, metadata={"progress": json.dumps(asdict(progress))})
    with partial.open("rb") as written:
        os.fsync(written.fileno())
    os.replace(partial, folder / CHECKPOINT)
    if mirror is not None:
        mirror.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(folder / CHECKPOINT, mirror / "checkpoint.partial")
        os.replace(mirror / "checkpoint.partial", mirror / CHECKPOINT)


def load_checkpoint(folder: Path, network: Network, optimizer: Optimizer) -> Progress:
    """Continue from the checkpoint, if there is one; else an empty progress.

    A checkpoint of weights alone (brought back from another machine) starts the optimiser anew.
    """
    path = folder / CHECKPOINT
    if not path.is_file():
        return Progress()
    tensors = load_file(path)
    with torch.no_grad():
        for name, weight in network.named_parameters():
            weight.copy_(tensors[f"weight/{name}"].float())
    progress = read_progress(path)
    if any(name.startswith("velocity/") for name in tensors):
        optimizer.load(tensors, steps=progress.steps)
    logger.info("continuing at step %d", progress.steps)
    return progress


def read_progress(path: Path) -> Progress:
    """The progress kept in a checkpoint file."""
    with safe_open(path, "pt") as opened:
        return Progress(**json.loads(opened.metadata()["progress"]))


def loss_function(network: Network, *, picking: bool, compiled: bool) -> Callable[[Tensor, Tensor], Tensor]:
    """The loss, compiled where that pays.

    Args:
        picking: Make logits for learnt positions alone. Saves time on a CPU; a GPU would wait to count them.
    """
    network.masked = picking
    if not compiled:
        return network.loss
    if not picking:
        return torch.compile(network.loss, dynamic=False)
    trunk = torch.compile(network.forward, dynamic=False)
    return lambda tokens, targets: network.loss_of(trunk(tokens), targets)


def work_per_token(shape: Shape, length: int) -> float:
    """Floating-point operations of a forward and backward pass per token; attention counted as causal."""
    kv = shape.kv_heads * shape.head_size
    layer = shape.hidden * (2 * shape.hidden + 2 * kv + 3 * shape.feed_forward)
    return 6.0 * (shape.layers * layer + shape.vocabulary * shape.hidden) + 6.0 * shape.layers * shape.hidden * length


def peak_rate(device: torch.device) -> float:
    """Operations a second of one large matrix product as training does it: what utilisation is a share of.

    On a CPU by the process's own time, so that other work on the machine counts as utilisation lost.
    """
    size, kind = (8192, torch.bfloat16) if device.type == "cuda" else (1024, torch.float32)
    left = torch.randn(size, size, device=device, dtype=kind)
    best, clock = math.inf, time.perf_counter if device.type == "cuda" else time.process_time
    for _ in range(4):
        wait(device)
        started = clock()
        left @ left
        wait(device)
        best = min(best, clock() - started)
    return 2.0 * size**3 / best


def wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


class Terminator:
    """Remembers that a SIGTERM came, so that the loop can save and end between two steps."""

    def __init__(self) -> None:
        self.asked = False
        signal.signal(signal.SIGTERM, self._hear)

    def _hear(self, number: int, frame: object) -> None:
        self.asked = True


def run_phase(
    phase: Phase,
    batches: Batches,
    *,
    network: Network,
    optimizer: Optimizer,
    progress: Progress,
    folder: Path,
    device: torch.device,
    compiled: bool,
    minutes: float = 0.0,
    checkpoint_s: float = 180.0,
    mirror: Path | None = None,
    terminator: Terminator | None = None,
) -> None:
    """Train until the phase's budget is spent; checkpoints on the way and at the end.

    Args:
        minutes: The budget in place of the phase's tokens, when not 0.
        mirror: A folder that gets a copy of each checkpoint.

    Raises:
        Stopped: a SIGTERM came; the checkpoint is written.
    """
    if phase.name in progress.finished:
        return
    save = partial(save_checkpoint, folder, network, optimizer, progress, mirror=mirror)
    on_cpu = device.type == "cpu"
    loss_of = loss_function(network, picking=on_cpu, compiled=compiled)
    autocast = torch.autocast(device.type, torch.bfloat16, enabled=not on_cpu)
    progress.phase, progress.device = phase.name, device.type
    per_batch = phase.rows * phase.length
    spent, tokens = progress.seconds.get(phase.name, 0.0), progress.tokens.get(phase.name, 0)
    work, peak = work_per_token(network.shape, phase.length), peak_rate(device)
    average, waited, loss = progress.losses.get(phase.name), 0.0, torch.zeros(())
    begun = saved = time.monotonic()
    first = tokens
    while True:
        elapsed = time.monotonic() - begun
        done = (spent + elapsed) / 60 / minutes if minutes else tokens / phase.tokens
        if done >= 1:
            break
        fetching = time.monotonic()
        inputs, targets = batches.at(tokens // per_batch)
        waited += time.monotonic() - fetching
        with autocast:
            loss = loss_of(inputs, targets)
        loss.backward()
        optimizer.step(factor(phase, done))
        tokens += per_batch
        progress.steps += 1
        if progress.steps % REPORT_STEPS == 0:
            value = loss.item()
            average = value if average is None else 0.9 * average + 0.1 * value
            elapsed = time.monotonic() - begun
            rate = (tokens - first) / elapsed
            note(progress, phase, tokens, spent + elapsed, average, rate * work / peak, waited / elapsed, batches)
            logger.info("%s step %d, %.1f %%, loss %.3f, %.0f tokens/s, %.0f %% of the peak, %.1f %% waiting for data",
                        phase.name, progress.steps, 100 * done, average, rate, 100 * rate * work / peak,
                        100 * waited / elapsed)  # fmt: skip
            if not math.isfinite(value):
                raise FloatingPointError(f"the loss is {value} at step {progress.steps}; the last checkpoint is kept")
        stopping = terminator is not None and terminator.asked
        if stopping or time.monotonic() - saved > checkpoint_s:
            progress.seconds[phase.name], progress.tokens[phase.name] = spent + time.monotonic() - begun, tokens
            save()
            saved = time.monotonic()
        if stopping:
            raise Stopped
    wait(device)
    progress.seconds[phase.name], progress.tokens[phase.name] = spent + time.monotonic() - begun, tokens
    progress.losses.setdefault(phase.name, round(loss.item(), 4))
    progress.finished.append(phase.name)
    save()


def note(
    progress: Progress,
    phase: Phase,
    tokens: int,
    seconds: float,
    loss: float,
    utilisation: float,
    waiting: float,
    batches: Batches,
) -> None:
    """Write down how a phase stands."""
    name = phase.name
    progress.seconds[name], progress.tokens[name] = seconds, tokens
    progress.losses[name] = round(loss, 4)
    progress.utilisation[name], progress.waiting[name] = round(utilisation, 3), round(waiting, 4)
    progress.passes[name] = batches.passes(tokens // (phase.rows * phase.length))


def make_network(shape: Shape, *, seed: int, device: torch.device) -> Network:
    """A fresh network; the same numbers for the same seed on every device."""
    torch.manual_seed(seed)
    return Network(shape).to(device)

"""What the encoder's and the encoder-decoder's recipes share: their material, and a plain loop with checkpoints."""

import argparse
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path

import prepare
import torch
from editions import EDITIONS, TEXT, Phase, Shape
from safetensors.torch import load_file, save_file
from shards import Batches
from tokenizers import Tokenizer
from torch import Tensor, nn
from train import WORK, batches_of

logger = logging.getLogger("roca-mini")
PEAK = 1e-3
REPORT = 10


def arguments(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """The options of both commands."""
    parser.add_argument("--work", type=Path, default=WORK / "cpu", help="a folder that run.py has prepared")
    parser.add_argument("--edition", choices=sorted(EDITIONS), default="test", help="whose sizes to take")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--steps", type=int, default=0, help="in place of minutes")
    parser.add_argument("--rows", type=int, default=16)
    parser.add_argument("--length", type=int, default=128)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--smoke", action="store_true", help="made-up text, seconds")
    chosen = parser.parse_args()
    if chosen.smoke:
        chosen.edition, chosen.steps, chosen.length = "smoke", chosen.steps or 25, 64
        prepare.prepare(EDITIONS["smoke"], chosen.work, chosen.work, seed=chosen.seed)
    return chosen


def material(chosen: argparse.Namespace) -> tuple[Shape, Batches, Tokenizer]:
    """Shape, batches of plain text in the shares of roca-mini's pre-training, and the tokenizer.

    Raises:
        SystemExit: nothing is prepared.
    """
    torch.set_num_threads(1)
    if not (chosen.work / "manifest.json").is_file():
        raise SystemExit(f"there are no shards in {chosen.work}: first run run.py --prepare-only, or give --smoke")
    tokenizer = Tokenizer.from_file(str(chosen.work / "tokenizer.json"))
    sizes = dict(vars(EDITIONS[chosen.edition].shape)) | {"vocabulary": tokenizer.get_vocab_size()}
    phase = Phase("text", TEXT, chosen.rows, chosen.length, 1)
    batches = batches_of(phase, chosen.work, seed=chosen.seed, device=torch.device("cpu"))
    return Shape(**sizes), batches, tokenizer


def train_file(path: Path, network: nn.Module, optimizer: torch.optim.Optimizer) -> int:
    """Take over a checkpoint, if there is one; the steps done."""
    if not path.is_file():
        return 0
    state = load_file(path)
    steps = int(state.pop("steps"))
    network.load_state_dict({name: tensor for name, tensor in state.items() if "/" not in name})
    for name, weight in network.named_parameters():
        kept = {kind: state[f"{kind}/{name}"] for kind in ("exp_avg", "exp_avg_sq")}
        optimizer.state[weight] = kept | {"step": torch.tensor(float(steps))}
    return steps


def save_file_of(path: Path, network: nn.Module, optimizer: torch.optim.Optimizer, steps: int) -> None:
    """Write weights, moments and steps, whole or not at all."""
    state = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
    for name, weight in network.named_parameters():
        state |= {f"{kind}/{name}": optimizer.state[weight][kind] for kind in ("exp_avg", "exp_avg_sq")}
    partial = path.with_suffix(".partial")
    save_file({**state, "steps": torch.tensor(steps)}, partial)
    os.replace(partial, path)


def train_rate(done: float) -> float:
    """Up over the first twentieth, then straight down to a tenth."""
    return PEAK * min(1.0, done * 20) * (1 - 0.9 * done)


def train(
    network: nn.Module,
    step: Callable[[int], Tensor],
    chosen: argparse.Namespace,
    name: str,
    *,
    checkpoint_s: float = 120,
) -> list[float]:
    """Train with AdamW until the budget is spent; goes on from the checkpoint `name` in the work folder.

    Args:
        step: From a step's number to its loss.

    Returns:
        The losses of this call, in nats.
    """
    optimizer = torch.optim.AdamW(network.parameters(), lr=PEAK, betas=(0.9, 0.98), weight_decay=0.01)
    path = chosen.work / name
    number = train_file(path, network, optimizer)
    begun = saved = time.monotonic()
    losses: list[float] = []
    while True:
        done = number / chosen.steps if chosen.steps else (time.monotonic() - begun) / 60 / chosen.minutes
        if done >= 1 and losses:
            break
        for group in optimizer.param_groups:
            group["lr"] = train_rate(min(done, 1.0))
        loss = step(number)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        number += 1
        losses.append(loss.item())
        if number % REPORT == 0:
            logger.info("step %d, loss %.3f", number, sum(losses[-REPORT:]) / len(losses[-REPORT:]))
        if time.monotonic() - saved > checkpoint_s:
            save_file_of(path, network, optimizer, number)
            saved = time.monotonic()
    save_file_of(path, network, optimizer, number)
    return losses

"""Training alone, from prepared shards to a checkpoint: what runs on a machine with a GPU, with torch and numpy only.

    python models/roca-mini/recipe/train.py --edition gpu --work FOLDER --minutes 14,3,3

`run.py` calls it too. Killed at any moment, the same command goes on from the last checkpoint; SIGTERM saves and ends.
"""

import os
import sys

if __name__ == "__main__" and "MALLOC_MMAP_MAX_" not in os.environ:
    # Large blocks stay in the heap: a quarter faster on a CPU with glibc, which reads this only when a process starts.
    os.environ |= {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": "2000000000"}
    os.execv(sys.executable, [sys.executable, *sys.argv])

import argparse
import logging
from pathlib import Path

import corpus
import loop
import numpy as np
import prepare
import shards
import torch
from editions import EDITIONS, MADE, READ, Edition, Phase
from network import Network
from optimizer import Optimizer
from tokenizers import Tokenizer

logger = logging.getLogger("roca-mini")
WORK = Path(__file__).resolve().parents[3] / "build" / "roca-mini"
TASKS = MADE | READ
STOPPED = 3
"""Exit status after a SIGTERM: saved, not finished."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `run.py` and this command share."""
    parser.add_argument("--edition", choices=sorted(EDITIONS), default="cpu")
    parser.add_argument(
        "--work", type=Path, help="folder for shards, checkpoints and the result (build/roca-mini/EDITION)"
    )
    parser.add_argument("--budget", type=float, default=1.0, help="times the edition's tokens")
    parser.add_argument("--minutes", help="minutes of the phases in place of tokens, such as 14,3,3")
    parser.add_argument("--until", help="stop after this phase (pretrain, anneal, instruct)")
    parser.add_argument("--mirror", type=Path, help="a second folder that gets a copy of each checkpoint")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--eager", action="store_true", help="do not compile the network (no C++ compiler needed)")


def pool_shares(mix: dict[str, float], sizes: dict[str, int]) -> dict[str, float]:
    """The shares of a phase by shard.

    Within a group a source counts by its tokens times its weight; a group of which nothing is there gives its share to
    the others.
    """
    found: dict[str, float] = {}
    for group, share in mix.items():
        if group in TASKS:
            members = {group: 1.0} if sizes.get(group) else {}
        else:
            language, best = group.rstrip("!"), group.endswith("!")
            members = {
                entry.name: entry.weight * sizes[entry.name]
                for entry in corpus.SOURCES
                if entry.weight
                and (entry.language == language or (language == "parallel" and "-" in entry.language))
                and (entry.best or not best)
                and sizes.get(entry.name)
            }
            if not members and language == "en":
                members = {name: 1.0 for name in sizes if name.startswith("made-up")}
        whole = sum(members.values())
        found |= {name: share * weight / whole for name, weight in members.items()}
    return found


def batches_of(phase: Phase, work: Path, *, seed: int, device: torch.device) -> shards.Batches:
    """The batches of a phase from the shards of a folder."""
    folder = work / "shards"
    paths = {path.stem: path for path in sorted(folder.glob("*.npy")) if not path.name.endswith(".ends.npy")}
    sizes = {name: len(np.load(path, mmap_mode="r")) for name, path in paths.items()}
    chosen = pool_shares(phase.mix, sizes)
    streams = {name: np.load(paths[name]) for name in chosen if name not in TASKS}
    tables = {
        name: shards.pack_rows(shards.load_pieces(paths[name]), length=phase.length, pad=0)
        for name in chosen
        if name in TASKS
    }
    return shards.Batches(streams, tables, chosen, rows=phase.rows, length=phase.length, seed=seed, device=device)


def train(
    edition: Edition,
    work: Path,
    *,
    seed: int,
    device: torch.device,
    compiled: bool,
    minutes: list[float] | None = None,
    until: str | None = None,
    mirror: Path | None = None,
) -> tuple[Network, loop.Progress]:
    """Every phase, from the newest checkpoint on.

    Raises:
        Stopped: a SIGTERM came; the checkpoint is written.
    """
    terminator = loop.Terminator()
    network = loop.make_network(edition.shape, seed=seed, device=device)
    optimizer = Optimizer(network, matrix_rate=edition.matrix_rate, vector_rate=edition.vector_rate)
    progress = loop.load_checkpoint(work, network, optimizer)
    for number, phase in enumerate(edition.phases):
        if phase.name not in progress.finished:
            batches = batches_of(phase, work, seed=seed + number, device=device)
            loop.run_phase(
                phase, batches, network=network, optimizer=optimizer, progress=progress, folder=work, device=device,
                compiled=compiled, minutes=minutes[number] if minutes else 0.0, mirror=mirror, terminator=terminator,
            )  # fmt: skip
        if phase.name == until:
            break
    return network, progress


def train_as_told(chosen: argparse.Namespace) -> tuple[Edition, Network, loop.Progress]:
    """The same from a command line."""
    torch.set_num_threads(chosen.threads)
    torch.set_float32_matmul_precision("high")
    edition = EDITIONS[chosen.edition].with_budget(chosen.budget)
    minutes = [float(part) for part in chosen.minutes.split(",")] if chosen.minutes else None
    if minutes and len(minutes) != len(edition.phases):
        raise SystemExit(f"--minutes takes {len(edition.phases)} numbers, one a phase, such as 14,3,3")
    names = [phase.name for phase in edition.phases]
    if chosen.until and chosen.until not in names:
        raise SystemExit(f"--until takes one of {', '.join(names)}")
    network, progress = train(
        edition, chosen.work, seed=chosen.seed, device=torch.device(chosen.device), minutes=minutes, until=chosen.until,
        compiled=not chosen.eager and edition.name != "smoke", mirror=chosen.mirror,
    )  # fmt: skip
    return edition, network, progress


def main() -> int:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser)
    chosen = parser.parse_args()
    chosen.work = chosen.work or WORK / chosen.edition
    if not (chosen.work / "tokenizer.json").is_file():
        print(f"train: there are no shards in {chosen.work}; run.py prepares them", file=sys.stderr)
        return 2
    tokenizer = Tokenizer.from_file(str(chosen.work / "tokenizer.json"))
    # Shards made of templates do not travel: they are made here when they are missing.
    prepare.make_task_shards(chosen.work, tokenizer, EDITIONS[chosen.edition], None, seed=chosen.seed)
    try:
        train_as_told(chosen)
    except loop.Stopped:
        logger.info("stopped; the same command goes on from here")
        return STOPPED
    return 0


if __name__ == "__main__":
    sys.exit(main())

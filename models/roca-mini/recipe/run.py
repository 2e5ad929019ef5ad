"""The recipe of roca-mini as one command: data, tokenizer, pre-training, instruction tuning, export, scores.

    python models/roca-mini/recipe/run.py                 the edition for a CPU, about 100 minutes on one core
    python models/roca-mini/recipe/run.py --smoke         the same path in seconds on made-up text, without data
    python models/roca-mini/recipe/run.py --publish       then put the result in models/roca-mini

Killed at any moment, the same command goes on from the last checkpoint (every three minutes); `--fresh` starts over.
"""

import os
import sys

if __name__ == "__main__" and "MALLOC_MMAP_MAX_" not in os.environ:
    # Large blocks stay in the heap: a quarter faster on a CPU with glibc, which reads this only when a process starts.
    os.environ |= {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": "2000000000"}
    os.execv(sys.executable, [sys.executable, *sys.argv])

import argparse
import logging
import shutil
import subprocess
from pathlib import Path

import corpus
import export
import instruct
import loop
import numpy as np
import packing
import prepare
import smoke
import torch
import vocabulary
from network import Network, Shape
from optimizer import Optimizer
from tokenizers import Tokenizer

logger = logging.getLogger("roca-mini")
MODEL_FOLDER = Path(__file__).resolve().parents[1]
WORK = MODEL_FOLDER.parents[1] / "build" / "roca-mini"
GGUF_NAME = "roca-mini-q8_0.gguf"
PRETRAIN_TOKENS, INSTRUCT_TOKENS = 12_000_000, 5_000_000
INSTRUCT_TEXT_TOKENS = 2_000_000
COPY_LENGTH, COPY_TOKENS = 96, 1_500_000
"""Sizes of the shards; a longer run goes over them again."""


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("ROCA_DATA", corpus.DEFAULT_DATA)))
    parser.add_argument("--work", type=Path, default=WORK, help="folder for shards, checkpoints and the result")
    parser.add_argument("--pretrain-minutes", type=float, default=60, help="of training, set-up not counted")
    parser.add_argument("--copy-minutes", type=float, default=8)
    parser.add_argument("--instruct-minutes", type=float, default=35)
    parser.add_argument("--pretrain-tokens", type=int, default=0, help="a budget in tokens instead of minutes")
    parser.add_argument("--copy-tokens", type=int, default=0)
    parser.add_argument("--instruct-tokens", type=int, default=0)
    parser.add_argument("--rows", type=int, default=12, help="rows of 512 tokens in a batch")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--eager", action="store_true", help="do not compile the network (no C++ compiler needed)")
    parser.add_argument("--fresh", action="store_true", help="forget an earlier run in --work")
    parser.add_argument("--extend", action="store_true", help="go on with a finished run up to larger budgets")
    parser.add_argument("--smoke", action="store_true", help="tiny network, made-up text, seconds")
    parser.add_argument("--publish", action="store_true", help="copy the result to models/roca-mini and measure it")
    return parser.parse_args()


def prepare_from_data(chosen: argparse.Namespace, shape: Shape, length: int) -> Tokenizer:
    """Tokenizer and both shards from the data folder; what is there already is kept."""
    work, seed = chosen.work, chosen.seed
    pretrain, copied, instructed = work / "pretrain.npy", work / "copy.npy", work / "instruct.npy"
    path = work / "tokenizer.json"
    if not (path.is_file() and pretrain.is_file()):
        documents = prepare.load_documents(corpus.find_data(chosen.data))
        tokenizer = prepare.make_tokenizer(documents, path, size=shape.vocabulary, seed=seed)
        prepare.make_pretraining_shard(documents, tokenizer, pretrain, tokens=PRETRAIN_TOKENS, seed=seed)
    tokenizer = Tokenizer.from_file(str(path))
    if not (instructed.is_file() and copied.is_file()):
        rows = instruct.conversations(corpus.find_data(chosen.data), seed=seed)
        instruct.make_shard(rows, [], tokenizer, copied, tokens=COPY_TOKENS, length=COPY_LENGTH, seed=seed,
                            shares=instruct.COPY_SHARES)  # fmt: skip
        latest = np.load(pretrain, mmap_mode="r")[-INSTRUCT_TEXT_TOKENS:]
        texts = packing.cut_documents(latest, tokenizer.token_to_id(vocabulary.BOS))
        instruct.make_shard(rows, texts, tokenizer, instructed, tokens=INSTRUCT_TOKENS, length=length, seed=seed)
    return tokenizer


def prepare_smoke(chosen: argparse.Namespace, shape: Shape, length: int) -> Tokenizer:
    """The same from made-up text."""
    texts = list(smoke.documents(chosen.seed))
    path = chosen.work / "tokenizer.json"
    tokenizer = vocabulary.reveal_marks(vocabulary.train_tokenizer(iter(texts), size=shape.vocabulary))
    vocabulary.save(tokenizer, path)
    pools = {"made": packing.encode_documents(tokenizer, texts)}
    packing.write_array(
        chosen.work / "pretrain.npy", packing.mix(pools, {"made": 1.0}, tokens=20_000, seed=chosen.seed)
    )
    rows = smoke.conversations(chosen.seed)
    instruct.make_shard(rows, [], tokenizer, chosen.work / "copy.npy", tokens=10_000, length=COPY_LENGTH,
                        seed=chosen.seed, shares=instruct.COPY_SHARES)  # fmt: skip
    instruct.make_shard(rows, pools["made"], tokenizer, chosen.work / "instruct.npy", tokens=20_000, length=length,
                        seed=chosen.seed)  # fmt: skip
    return tokenizer


def train(chosen: argparse.Namespace, shape: Shape, length: int) -> tuple[Network, loop.Progress]:
    """Every phase, from the newest checkpoint on."""
    device = torch.device(chosen.device)
    network = loop.make_network(shape, seed=chosen.seed, device=device)
    optimizer = Optimizer(network, matrix_rate=0.02, vector_rate=0.003)
    progress = loop.load_checkpoint(chosen.work, network, optimizer)
    if chosen.extend:
        progress.finished.clear()
    phases = (
        loop.Phase("pretrain", chosen.work / "pretrain.npy", chosen.rows, length, chosen.pretrain_minutes,
                   tokens=chosen.pretrain_tokens, warmup=0.03),
        loop.Phase("copy", chosen.work / "copy.npy", chosen.rows * length // COPY_LENGTH, COPY_LENGTH,
                   chosen.copy_minutes, tokens=chosen.copy_tokens),
        loop.Phase("instruct", chosen.work / "instruct.npy", chosen.rows, length, chosen.instruct_minutes,
                   tokens=chosen.instruct_tokens, decay=0.3),
    )  # fmt: skip
    for phase in phases:
        loop.run_phase(phase, network=network, optimizer=optimizer, progress=progress, folder=chosen.work,
                       device=device, compiled=not (chosen.eager or chosen.smoke))  # fmt: skip
    return network, progress


def publish(work: Path) -> None:
    """Copy the result into the repository, measure it there and fill in the card."""
    for name in (GGUF_NAME, "tokenizer.json", "tokenizer_config.json", "config.json"):
        partial = MODEL_FOLDER / f"{name}.partial"
        shutil.copyfile(work / "model" / name, partial)
        partial.replace(MODEL_FOLDER / name)
    recipe = Path(__file__).parent
    subprocess.run([sys.executable, str(recipe / "scores.py")], check=True)
    subprocess.run([sys.executable, str(recipe / "card.py"), "--work", str(work)], check=True)


def main() -> int:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    chosen = arguments()
    torch.set_num_threads(chosen.threads)
    shape, length = (smoke.SHAPE, 128) if chosen.smoke else (Shape(), 512)
    if chosen.smoke:
        chosen.work = chosen.work / "smoke"
        chosen.rows, chosen.pretrain_tokens, chosen.copy_tokens, chosen.instruct_tokens = 4, 10_000, 5_000, 10_000
    if chosen.fresh and chosen.work.is_dir():
        shutil.rmtree(chosen.work)
    chosen.work.mkdir(parents=True, exist_ok=True)
    try:
        tokenizer = (prepare_smoke if chosen.smoke else prepare_from_data)(chosen, shape, length)
    except corpus.DataMissing as error:
        print(f"roca-mini: {error}", file=sys.stderr)
        return 2
    network, progress = train(chosen, shape, length)
    summary = export.write_gguf(network, tokenizer, chosen.work / "model", chosen.work / "model" / GGUF_NAME)
    logger.info("wrote %s, %d parameters, %d bytes", summary.path, summary.parameters, summary.size_bytes)
    logger.info("tokens seen: %s; losses: %s", progress.tokens, progress.losses)
    if chosen.publish and not chosen.smoke:
        publish(chosen.work)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""The recipe of roca-mini as one command: data, tokenizer, pre-training, annealing, instruction tuning, export.

    python models/roca-mini/recipe/run.py                 the edition for a CPU (7.3 M parameters)
    python models/roca-mini/recipe/run.py --edition gpu   30 M parameters; training needs a GPU (README.md)
    python models/roca-mini/recipe/run.py --edition test  under 3 MB, for tests
    python models/roca-mini/recipe/run.py --smoke         the same path in seconds on made-up text, without data
    python models/roca-mini/recipe/run.py --publish       then put the result in models/roca-mini and measure it

Killed at any moment, the same command goes on from the last checkpoint (every three minutes); SIGTERM saves and ends;
`--fresh` starts over.
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
import loop
import prepare
import shards
import train

logger = logging.getLogger("roca-mini")
MODEL_FOLDER = Path(__file__).resolve().parents[1]
GGUF_NAME = "roca-mini-q8_0.gguf"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    train.add_arguments(parser)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("ROCA_DATA", corpus.DEFAULT_DATA)))
    parser.add_argument("--fresh", action="store_true", help="forget an earlier run in --work")
    parser.add_argument("--prepare-only", action="store_true", help="stop when the shards are there")
    parser.add_argument("--early", action="store_true", help="export the newest checkpoint as it is, train nothing")
    parser.add_argument("--smoke", action="store_true", help="tiny network, made-up text, seconds")
    parser.add_argument("--publish", action="store_true", help="copy the result to models/roca-mini and measure it")
    return parser.parse_args()


def publish(work: Path) -> None:
    """Copy the result into the repository, measure it there and fill in the card; keep the first edition's scores."""
    if not (MODEL_FOLDER / "scores-first.json").is_file():
        shutil.copyfile(MODEL_FOLDER / "scores.json", MODEL_FOLDER / "scores-first.json")
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
    chosen.edition = "smoke" if chosen.smoke else chosen.edition
    chosen.work = (chosen.work or train.WORK) / chosen.edition
    edition = train.EDITIONS[chosen.edition]
    if chosen.fresh and chosen.work.is_dir():
        shutil.rmtree(chosen.work)
    chosen.work.mkdir(parents=True, exist_ok=True)
    shards.write_json(chosen.work / "edition.json", {"edition": edition.name, "seed": chosen.seed})
    try:
        tokenizer = prepare.prepare(edition, chosen.work, chosen.data, seed=chosen.seed)
    except corpus.DataMissing as error:
        print(f"roca-mini: {error}", file=sys.stderr)
        return 2
    if chosen.prepare_only:
        return 0
    if chosen.early:
        network = loop.make_network(edition.shape, seed=chosen.seed, device=train.torch.device("cpu"))
        optimizer = train.Optimizer(network, matrix_rate=0.0, vector_rate=0.0)
        progress = loop.load_checkpoint(chosen.work, network, optimizer)
    else:
        try:
            edition, network, progress = train.train_as_told(chosen)
        except loop.Stopped:
            logger.info("stopped; the same command goes on from here")
            return train.STOPPED
        if chosen.until and chosen.until != edition.phases[-1].name:
            return 0
    folder = chosen.work / ("early" if chosen.early else "model")
    summary = export.write_gguf(network, tokenizer, folder, folder / GGUF_NAME)
    logger.info("wrote %s, %d parameters, %d bytes", summary.path, summary.parameters, summary.size_bytes)
    logger.info("tokens seen: %s; losses: %s", progress.tokens, progress.losses)
    if chosen.publish and not chosen.smoke:
        publish(chosen.work)
    return 0


if __name__ == "__main__":
    sys.exit(main())

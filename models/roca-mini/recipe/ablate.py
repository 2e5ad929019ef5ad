"""Short runs side by side: what a choice of the recipe changes, in nats per byte of held-out text.

    python models/roca-mini/recipe/ablate.py --tokens 600000 --work build/roca-mini/cpu

Every run reads the same number of tokens from the same shards with the same seed. Runs are done once: the table grows
in WORK/ablations.json, and the same command makes only what is missing. Differences below a hundredth are noise.
"""

import argparse
import json
import logging
import os
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import corpus
import loop
import numpy as np
import questions
import shards
import torch
from editions import MADE, READ, TEXT, Edition, Phase, shares
from network import Network, Shape
from optimizer import Optimizer
from tokenizers import Tokenizer
from train import WORK, batches_of

logger = logging.getLogger("roca-mini")
WIDE = Shape(vocabulary=0, hidden=256, layers=3, heads=4, kv_heads=2, feed_forward=512)
DEEP = replace(WIDE, layers=6, feed_forward=256)
MIX = {**shares(75, TEXT), **shares(15, MADE), **shares(10, READ)}
EVEN = {"en": 27.0, "es": 27.0, "pt": 27.0, "parallel": 8.0}


def edition(
    shape: Shape, mix: dict[str, float], *phases: tuple[float, float, float, str], rate: float = 1.0
) -> Edition:
    """Phases as (share of the tokens, start, end, curve), all on one mix."""
    made = tuple(
        Phase(f"part {number}", mix, 16, 128, int(1e6 * part), start, end, warmup=0.0 if number else 0.03 / part,
              curve=curve)
        for number, (part, start, end, curve) in enumerate(phases)
    )  # fmt: skip
    return Edition("ablation", shape, made, 0, 0.02 * rate, 0.003 * rate)


LINE = ((0.75, 1.0, 1.0, "line"), (0.25, 1.0, 0.05, "line"))
VARIANTS: dict[str, Callable[[], Edition]] = {
    "constant, last quarter falls": lambda: edition(WIDE, MIX, *LINE),
    "cosine": lambda: edition(WIDE, MIX, (1.0, 1.0, 0.05, "cosine")),
    "constant to the end": lambda: edition(WIDE, MIX, (1.0, 1.0, 1.0, "line")),
    "half the learning rate": lambda: edition(WIDE, MIX, *LINE, rate=0.5),
    "twice the learning rate": lambda: edition(WIDE, MIX, *LINE, rate=2.0),
    "deeper and narrower": lambda: edition(DEEP, MIX, *LINE),
    "text alone": lambda: edition(WIDE, TEXT, *LINE),
    "languages in equal parts": lambda: edition(WIDE, EVEN, *LINE),
}


def held_out(data: Path, tokenizer: Tokenizer) -> dict[str, tuple[np.ndarray, int]]:
    """Ids and bytes of text that no shard holds, by language."""
    found = {}
    for language in questions.LANGUAGES:
        text = questions.texts(data, language)["held-out text"]
        ids = tokenizer.encode(text, add_special_tokens=False).ids
        found[language] = (np.array(ids), len(text.encode()))
    return found


@torch.no_grad()
def nats_per_byte(network: Network, ids: np.ndarray, size: int, *, length: int = 128) -> float:
    """Cross-entropy of a text in windows of `length` tokens, per byte."""
    rows = (len(ids) - 1) // length
    inputs = torch.from_numpy(ids[: rows * length]).view(rows, length)
    targets = torch.from_numpy(ids[1 : rows * length + 1]).view(rows, length)
    losses = [
        network.loss(first, second).item() for first, second in zip(inputs.split(16), targets.split(16), strict=True)
    ]
    weights = [len(part) for part in inputs.split(16)]
    return float(np.average(losses, weights=weights)) * (len(ids) - 1) / size


def run(variant: Edition, work: Path, tokens: int, *, seed: int) -> tuple[Network, float]:
    """Train one variant; the network and the minutes."""
    tokenizer = Tokenizer.from_file(str(work / "tokenizer.json"))
    shape = replace(variant.shape, vocabulary=tokenizer.get_vocab_size())
    network = loop.make_network(shape, seed=seed, device=torch.device("cpu"))
    network.masked = True
    optimizer = Optimizer(network, matrix_rate=variant.matrix_rate, vector_rate=variant.vector_rate)
    started = time.monotonic()
    for number, phase in enumerate(variant.phases):
        batches = batches_of(phase, work, seed=seed + number, device=torch.device("cpu"))
        steps = max(1, int(phase.tokens / 1e6 * tokens) // (phase.rows * phase.length))
        for step in range(steps):
            network.loss(*batches.at(step)).backward()
            optimizer.step(loop.factor(phase, step / steps))
    return network, (time.monotonic() - started) / 60


def main() -> int:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("ROCA_DATA", corpus.DEFAULT_DATA)))
    parser.add_argument("--work", type=Path, default=WORK / "cpu", help="a folder that run.py has prepared")
    parser.add_argument("--tokens", type=int, default=600_000, help="of each run")
    parser.add_argument("--only", help="variants whose name holds this")
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    path = chosen.work / "ablations.json"
    table = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    texts = held_out(chosen.data, Tokenizer.from_file(str(chosen.work / "tokenizer.json")))
    for name, make in VARIANTS.items():
        key = f"{name}, {chosen.tokens:,} tokens, seed {chosen.seed}"
        if key not in table and (not chosen.only or chosen.only in name):
            network, minutes = run(make(), chosen.work, chosen.tokens, seed=chosen.seed)
            scores = {language: round(nats_per_byte(network, *text), 4) for language, text in texts.items()}
            table[key] = scores | {
                "mean": round(float(np.mean(list(scores.values()))), 4),
                "minutes": round(minutes, 1),
            }
            shards.write_json(path, table)
        if key in table:
            print(f"{key:<60} {table[key]}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

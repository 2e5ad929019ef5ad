"""What `--smoke` trains on: text and conversations made up on the spot, so that CI needs no data folder."""

import random
from collections.abc import Iterator

import instruct
import tasks_made
from network import Shape

SHAPE = Shape(vocabulary=512, hidden=64, layers=2, heads=2, kv_heads=1, feed_forward=128, context=256)
TEXTS = 400
ROWS_PER_TASK = 60


def documents(seed: int) -> Iterator[str]:
    """Short made-up texts in three languages."""
    dice = random.Random(seed)
    for _ in range(TEXTS):
        language = dice.choice(tasks_made.LANGUAGES)
        yield " ".join(tasks_made.feeling_text(language, dice.random() < 0.5, dice) for _ in range(8))


def conversations(seed: int) -> dict[str, list[dict]]:
    """A few rows of each made-up task."""
    return {name: rows[:ROWS_PER_TASK] for name, rows in instruct.made_conversations(random.Random(seed)).items()}

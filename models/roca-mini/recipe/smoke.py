"""What `--smoke` trains on: text made up on the spot, so that CI needs no data folder."""

import random
from collections.abc import Iterator

import tasks_made

TEXTS = 400


def documents(seed: int) -> Iterator[str]:
    """Short made-up texts in three languages."""
    dice = random.Random(seed)
    for _ in range(TEXTS):
        language = dice.choice(tasks_made.LANGUAGES)
        yield " ".join(tasks_made.feeling_text(language, dice.random() < 0.5, dice) for _ in range(8))

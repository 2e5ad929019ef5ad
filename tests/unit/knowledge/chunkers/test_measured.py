"""Where words are, whatever white space is between them."""

from __future__ import annotations

import random
import re

import pytest

from rocamadre.knowledge.chunkers.measured import Measured
from rocamadre.knowledge.ingestion.tokens import by_letters
from rocamadre.knowledge.parsers.parsed import Parsed

ALIKE = ("\n\n", "\n \n", "\n")
MIXED = (" ", " ", " ", "\n", "\n\n", "\u00a0", "\u3000 ", "\x1c", "  \t", "\t", " \n")


def texts(seed, gaps):
    chance = random.Random(seed)
    for _ in range(200):
        words = ["w" * chance.choice((1, 2, 9, 60)) for _ in range(chance.choice((0, 1, 2, 30)))]
        between = [chance.choice(gaps) if chance.random() < 0.3 else " " for _ in words]
        before = chance.choice(("", "", *gaps))
        yield (
            before + "".join(word + gap for word, gap in zip(words, between, strict=True)) + chance.choice(("", *gaps))
        )


@pytest.mark.parametrize("gaps", [ALIKE, MIXED], ids=["between-paragraphs", "any"])
@pytest.mark.parametrize("seed", range(3))
def test_words_start_and_end_where_white_space_ends_and_starts(seed, gaps):
    for text in texts(seed, gaps):
        measured = Measured(Parsed(text), by_letters, 1000)
        spans = [match.span() for match in re.finditer(r"\S+", measured.text)]
        assert list(measured.starts) == [start for start, _ in spans], text
        assert list(measured.ends) == [end for _, end in spans], text
        for position in range(len(measured.text) + 1):
            behind = next((word for word, (start, _) in enumerate(spans) if start >= position), len(spans))
            assert measured.word_at([position]) == [behind], (text, position)

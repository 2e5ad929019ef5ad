"""The best candidates weighed by their words one by one: each word of the query looks for the nearest of a chunk's.

The words' vectors are those of roca-embed; a word counts with the square of its vector's length, which is large for
words that say much. What is found is added to the score so far. Nothing is trained: late interaction (Khattab &
Zaharia, SIGIR 2020) without a model that reads.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rocamadre.catalog.embedded import embedded_dir
from rocamadre.core.errors import InvalidRequest
from rocamadre.knowledge.answers.extractor.space import WordSpace
from rocamadre.knowledge.answers.lexicon import FUNCTION_SETS
from rocamadre.knowledge.search.stages.mmr import falling
from rocamadre.knowledge.search.state import State
from rocamadre.knowledge.search.types import Scored

CANDIDATES = 50
SHARE = 0.2
"""What it counts beside the score so far."""
SHORT = 8
"""Words that say something, of the longest question it is asked about: in long ones it does harm. This and `SHARE` were
chosen on the development halves of the sets of `benchmarks/retrieval.py`."""
_MOST_WORDS = 600
_WORD = re.compile(r"\w+")


def late(state: State) -> None:
    """Weigh the first candidates again, for a short question; those below keep their places behind them.

    Raises:
        InvalidRequest: roca-embed's files are not there or damaged.
    """
    language = state.questions[0].language if state.questions else ""
    asked = content_words(state.query.text, language)
    if len(asked) > SHORT:
        state.facts["skipped"] = f"the question has more than {SHORT} words that say something"
        return
    head = state.ranking[:CANDIDATES]
    chunks = state.chunks([item.id for item in head])
    read = [item for item in head if item.id in chunks]
    if not read:
        return
    near = nearness(asked, [chunks[item.id].text for item in read], language)
    for item, value in zip(read, near, strict=True):
        state.parts.setdefault(item.id, {})["late"] = float(value)
    scores = [(item.score + SHARE * float(value)) / (1 + SHARE) for item, value in zip(read, near, strict=True)]
    order = sorted(range(len(read)), key=lambda place: (-scores[place], place))
    below = state.ranking[len(head) :]
    state.ranking = falling([Scored(read[place].id, scores[place]) for place in order] + below)
    state.facts["read"] = len(read)


def nearness(asked: Sequence[str], texts: Sequence[str], language: str) -> NDArray[np.float32]:
    """Of each text, 0 to 1: the mean over the words asked of the best cosine with one of the text's words."""
    space = _space()
    held = [list(dict.fromkeys(content_words(text, language)))[:_MOST_WORDS] for text in texts]
    words = list(dict.fromkeys(word for each in held for word in each))
    if not asked or not words:
        return np.zeros(len(texts), np.float32)
    question = space.meanings(asked)
    weights = question.weights**2
    total = float(weights.sum())
    if not total:
        return np.zeros(len(texts), np.float32)
    cosines = space.likeness(question, words)
    place = {word: k for k, word in enumerate(words)}
    made = [
        float(cosines[[place[word] for word in each]].max(axis=0) @ weights) / total if each else 0.0 for each in held
    ]
    return np.clip(np.array(made, np.float32), 0, 1)


def content_words(text: str, language: str) -> list[str]:
    """Words but for those that only hold a sentence together, in small letters."""
    function = FUNCTION_SETS.get(language, frozenset())
    return [word for word in _WORD.findall(text.lower()) if word not in function]


def _space() -> WordSpace:
    folder = embedded_dir("roca-embed")
    if folder is None:
        raise InvalidRequest(
            "the search stage 'late' needs the files of roca-embed (models/roca-embed), and they are not there"
        )
    return _loaded(folder)


@lru_cache(maxsize=1)
def _loaded(folder: Path) -> WordSpace:
    return WordSpace(folder)

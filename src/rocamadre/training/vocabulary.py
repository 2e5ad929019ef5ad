"""New tokens for a domain, in a model that exists: continued pre-training that reads fewer tokens per word.

BPE goes on where the base's ended: the text is cut into the base's tokens, and the pairs that stand together most often
become tokens. Their merges come after all of the base's, so every text is first cut as before, and only then are new
tokens made of the old. Text without them has the ids it had. Embeddings begin as the mean of the old tokens that the
new one is made of.

Sources: Sennrich et al. 2016, arXiv:1508.07909; embeddings as in Yao et al. 2021, arXiv:2106.13474 (AVocaDo takes the
same mean).
"""

from __future__ import annotations

import heapq
import json
import os
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer

from rocamadre.core.errors import InvalidRequest
from rocamadre.engines.llama.gguf_tokenizer import detect_pre
from rocamadre.training.model import Base

LONGEST = 32
"""Characters of a new token, at most, as byte-level BPE spells them."""


@dataclass(frozen=True, slots=True)
class Extension:
    """What a vocabulary gains.

    Attributes:
        first: Id of the first new token; the others follow.
        merges: The two tokens that make each new one, in order of ids.
        pieces: Ids of the base's tokens that spell each new one.
    """

    first: int
    merges: tuple[tuple[str, str], ...]
    pieces: tuple[tuple[int, ...], ...]

    @property
    def tokens(self) -> tuple[str, ...]:
        """New tokens, as byte-level BPE spells them."""
        return tuple(left + right for left, right in self.merges)

    def apply(self, tokenizer: Tokenizer) -> Tokenizer:
        """A base's tokenizer with the new tokens."""
        return Tokenizer.from_str(json.dumps(self.extended(json.loads(tokenizer.to_str())), ensure_ascii=False))

    def extended(self, state: dict[str, Any]) -> dict[str, Any]:
        """The contents of a `tokenizer.json` with the new tokens."""
        model = dict(state["model"])
        merges = list(model["merges"])
        as_text = bool(merges) and isinstance(merges[0], str)
        merges += [" ".join(pair) if as_text else list(pair) for pair in self.merges]
        new = {token: self.first + place for place, token in enumerate(self.tokens)}
        return state | {"model": model | {"vocab": model["vocab"] | new, "merges": merges}}


def extend_base(
    base: Base, texts: Iterable[str], *, count: int, minimum: int = 8, for_gguf: bool = True
) -> tuple[Base, Extension]:
    """Give a base new tokens from a domain's text. Its embedding must be trained then: take full fine-tuning.

    Args:
        base: Its model is changed in place.
        texts: The domain.
        count: New tokens at most.
        minimum: How often a new token must occur.
        for_gguf: Refuse what could not be exported to the llama engine.

    Returns:
        The base with its new tokenizer, and what was added; `extend_files` writes that to a saved model.

    Raises:
        InvalidRequest: the tokenizer cannot be extended or exported, or the text has nothing to add.
    """
    if for_gguf:
        check_exportable(base.tokenizer.tokens)
    extension = learn_tokens(base.tokenizer.tokens, texts, count=count, minimum=minimum)
    extend_embeddings(base.model, extension)
    return replace(base, tokenizer=replace(base.tokenizer, tokens=extension.apply(base.tokenizer.tokens))), extension


def learn_tokens(tokenizer: Tokenizer, texts: Iterable[str], *, count: int, minimum: int = 8) -> Extension:
    """Find the tokens that a domain lacks.

    Args:
        tokenizer: The base's; BPE with a splitting into words.
        texts: The domain.
        count: New tokens at most.
        minimum: How often a pair must occur.

    Raises:
        InvalidRequest: the tokenizer is of another kind, or no pair occurs often enough.
    """
    state = json.loads(tokenizer.to_str())
    if state["model"]["type"] != "BPE" or tokenizer.pre_tokenizer is None or state["model"].get("dropout"):
        raise InvalidRequest(
            f"the vocabulary of a {state['model']['type']} tokenizer is not extended; it must be BPE that splits words"
        )
    words = _words(tokenizer, texts)
    merges = _Merging(words, known=set(tokenizer.get_vocab(with_added_tokens=True))).learn(count, minimum)
    if not merges:
        raise InvalidRequest(
            f"the text has nothing to add: no two tokens stand together {minimum} times or more. Give more text"
        )
    pieces = [tuple(part.id for part in tokenizer.model.tokenize(left + right)) for left, right in merges]
    first = max(tokenizer.get_vocab(with_added_tokens=True).values()) + 1
    return Extension(first, tuple(merges), tuple(pieces))


def extend_embeddings(model: Any, extension: Extension) -> None:
    """Make room for new tokens in a model's embedding and output matrix, in place; existing rows stay as they are.

    Each new row is the mean of the rows of the tokens that spelled it before.
    """
    needed = extension.first + len(extension.merges)
    if needed > model.get_input_embeddings().weight.shape[0]:
        model.resize_token_embeddings(needed, mean_resizing=False)
    matrices = {id(part.weight): part.weight for part in (model.get_input_embeddings(), model.get_output_embeddings())}
    with torch.no_grad():
        for weight in matrices.values():
            for place, pieces in enumerate(extension.pieces):
                weight[extension.first + place] = weight[list(pieces)].mean(0)


def extend_files(folder: Path, extension: Extension) -> None:
    """Put the new tokens into the `tokenizer.json` of a saved model; doing it again changes nothing.

    Raises:
        InvalidRequest: the folder has none.
    """
    path = folder / "tokenizer.json"
    if not path.is_file():
        raise InvalidRequest(f"{folder} holds no tokenizer.json")
    state = json.loads(path.read_text(encoding="utf-8"))
    if extension.tokens[0] in state["model"]["vocab"]:
        return
    partial = path.with_name(path.name + ".partial")
    with partial.open("w", encoding="utf-8") as file:
        json.dump(extension.extended(state), file, ensure_ascii=False)
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)


def check_exportable(tokenizer: Tokenizer) -> None:
    """Whether an extended tokenizer can go into a GGUF file.

    Raises:
        InvalidRequest: the llama engine has no equal of how it splits text.
    """
    try:
        detect_pre(json.loads(tokenizer.to_str()))
    except InvalidRequest as error:
        raise InvalidRequest(
            f"a vocabulary extended from this one cannot be served from GGUF: {error}. Extend it for the torch engine"
        ) from error


def _words(tokenizer: Tokenizer, texts: Iterable[str]) -> list[tuple[list[str], int]]:
    """Distinct words in the base's tokens, and how often each occurs."""
    counts: Counter[str] = Counter()
    for text in texts:
        plain = tokenizer.normalizer.normalize_str(text) if tokenizer.normalizer is not None else text
        counts.update(word for word, _ in tokenizer.pre_tokenizer.pre_tokenize_str(plain))
    return [([part.value for part in tokenizer.model.tokenize(word)], often) for word, often in sorted(counts.items())]


class _Merging:
    """Pairs of neighbours, counted, and counted again as they are merged."""

    def __init__(self, words: list[tuple[list[str], int]], *, known: set[str]) -> None:
        self._words, self._known = words, known
        self._counts: Counter[tuple[str, str]] = Counter()
        self._where: defaultdict[tuple[str, str], set[int]] = defaultdict(set)
        self._heap: list[tuple[int, tuple[str, str]]] = []
        for index in range(len(words)):
            self._count(index, 1)
        for pair in self._counts:
            self._push(pair)

    def learn(self, count: int, minimum: int) -> list[tuple[str, str]]:
        """Best pairs first; ties in the order of their letters."""
        merges: list[tuple[str, str]] = []
        while self._heap and len(merges) < count:
            often, pair = heapq.heappop(self._heap)
            if -often != self._counts[pair] or "".join(pair) in self._known:
                continue  # counted again since, or made of another pair
            if -often < minimum:
                break
            merges.append(pair)
            self._known.add("".join(pair))
            self._merge(pair)
        return merges

    def _merge(self, pair: tuple[str, str]) -> None:
        touched: set[tuple[str, str]] = set()
        for index in sorted(self._where.pop(pair)):
            tokens, often = self._words[index]
            touched |= self._count(index, -1)
            self._words[index] = (_joined(tokens, pair), often)
            touched |= self._count(index, 1)
        for each in touched:
            self._push(each)

    def _count(self, index: int, sign: int) -> set[tuple[str, str]]:
        tokens, often = self._words[index]
        pairs = set()
        for pair in pairwise(tokens):
            self._counts[pair] += sign * often
            pairs.add(pair)
            if sign > 0:
                self._where[pair].add(index)
        return pairs

    def _push(self, pair: tuple[str, str]) -> None:
        text = "".join(pair)
        if self._counts[pair] > 0 and text not in self._known and len(text) <= LONGEST:
            heapq.heappush(self._heap, (-self._counts[pair], pair))


def _joined(tokens: list[str], pair: tuple[str, str]) -> list[str]:
    joined: list[str] = []
    place = 0
    while place < len(tokens):
        if tuple(tokens[place : place + 2]) == pair:
            joined.append("".join(pair))
            place += 2
        else:
            joined.append(tokens[place])
            place += 1
    return joined

"""The trained network in NumPy: a question and several passages to scores of spans and of there being no answer.

`extractor.safetensors` holds each matrix as int8 rows with a scale for each, the rest as float16, and in its metadata
the common words and the figures of `Calibration`.

Source of the parts: alignment with the question as in DrQA (Chen et al., ACL 2017), gated convolutions (Dauphin et al.,
ICML 2017), one distribution over spans and no answer (Clark & Gardner, ACL 2018).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from rocamadre.core.errors import InvalidRequest
from rocamadre.knowledge.answers.extractor.features import (
    PAIR_FEATURES,
    PASSAGE_FEATURES,
    QUESTION_FEATURES,
    Array,
    Pair,
    Seen,
)
from rocamadre.knowledge.answers.extractor.space import DIMENSIONS

Mask = NDArray[np.bool_]

FILE = "extractor.safetensors"
FORMAT = "rocamadre answer extractor 1"
LONGEST = 30
"""Words of the longest span."""
MOST_LAYERS = 6
"""Of convolutions; the first looks at the next word to either side, each at words twice as far as the one before."""
_MOST_BYTES = 8_000_000
_NONE = np.float32(-1e4)


class Calibration(msgspec.Struct, frozen=True):
    """When to answer, and how; learned on train articles that the network did not see.

    Attributes:
        holds: Weights of `reader.holding`; the first is the constant.
        refuse_below: Least probability that the passages hold the answer.
        span_from: Least probability of a span from which it is given alone.
        by_search: How much a passage's score in the search counts when spans of several are compared.
        by_words: How much the log-linear reader's opinion counts there.
    """

    holds: list[float]
    refuse_below: float
    span_from: float
    by_search: float
    by_words: float


@dataclass(frozen=True, slots=True)
class Scores:
    """What the network says of one passage.

    Attributes:
        start: For each word.
        end: For each word.
        none: That it does not answer.
    """

    start: Array
    end: Array
    none: float


class Network:
    """See the module.

    Args:
        path: Of the file.

    Raises:
        InvalidRequest: it is missing, damaged, or of another shape.

    Attributes:
        common: Words with vectors of their own, to their numbers.
        space: SHA-256 of the word vectors that it was trained with; with others it says nothing of use.
    """

    def __init__(self, path: Path) -> None:
        parts, metadata = _read(path)
        try:
            words = msgspec.json.decode(metadata["common"], type=list[str])
            self.space = metadata["space"]
            self.calibration = msgspec.json.decode(metadata["calibration"], type=Calibration)
            self.common: Mapping[str, int] = {word: k for k, word in enumerate(words) if k}
            self._own = parts["own.weight"]
            hidden = parts["inner.weight"].shape[0]
            word, own = parts["word.weight"].shape[0], self._own.shape[1]
            names = ("inner", "gate", "start", "end", "ends", "none_in", "none_look", "none_out", "gist", "align")
            depth = next((k for k in range(MOST_LAYERS) if f"layers.{k}.weight" not in parts), MOST_LAYERS)
            shapes = {
                "word": (word, DIMENSIONS), "align": (word, word), "gist": (1, hidden), "gate": (hidden, hidden),
                "asked": (hidden, word + own + QUESTION_FEATURES, 3),
                "inner": (hidden, 3 * word + own + PASSAGE_FEATURES), "start": (2 * hidden, hidden),
                "end": (2 * hidden, hidden), "ends": (2, PASSAGE_FEATURES + own), "none_look": (1, 2 * hidden),
                "none_in": (parts["none_in.bias"].shape[0], 3 * hidden + PAIR_FEATURES),
                **{f"layers.{k}": (2 * hidden, hidden, 3) for k in range(depth)},
            }  # fmt: skip
            wrong = [name for name, shape in shapes.items() if parts[f"{name}.weight"].shape != shape]
            wrong += [name for name in names if len(parts[f"{name}.bias"]) != len(parts[f"{name}.weight"])]
            wrong += ["own"] if len(self._own) != len(words) else []
            layers = ["asked", *(f"layers.{k}" for k in range(depth))]
            self._kernels = {name: _kernel(parts[f"{name}.weight"]) for name in layers}
        except (KeyError, msgspec.MsgspecError) as error:
            raise InvalidRequest(f"{path}: {error!s:.200} is missing or wrong") from error
        if wrong:
            raise InvalidRequest(f"{path}: {', '.join(wrong)}: the shape is not that of this network")
        self._parts = parts

    def scores(self, pairs: Sequence[Pair]) -> list[Scores]:
        """Of one question held against each passage; the question is the same in all, its features are not."""
        question, passage = _padded([each.question for each in pairs]), _padded([each.passage for each in pairs])
        q_mask, p_mask = question.mask, passage.mask
        q_words, p_words = self._linear("word", question.vectors), self._linear("word", passage.vectors)
        q_own, p_own = self._own[question.common], self._own[passage.common]
        likeness = _relu(self._linear("align", p_words)) @ _relu(self._linear("align", q_words)).transpose(0, 2, 1)
        likeness *= np.float32(q_words.shape[-1] ** -0.5)
        aligned = _softmax(np.where(q_mask[:, None], likeness, _NONE)) @ q_words
        q = np.concatenate((q_words, q_own, question.features), 2) * q_mask[..., None]
        q = _relu(self._near("asked", q, 1))
        gist = _pooled(self._linear("gist", q)[..., 0], q, q_mask)
        inner = self._linear("inner", np.concatenate((p_words, aligned, p_words * aligned, p_own, passage.features), 2))
        first = _relu(inner) * (1 + np.tanh(self._linear("gate", gist)))[:, None]
        shown = p_mask[..., None].astype(np.float32)
        values = first * shown
        for k in range(len(self._kernels) - 1):
            said, opened = np.split(self._near(f"layers.{k}", values, 1 << k), 2, axis=2)
            values = (values + said / (1 + np.exp(-opened))) * shown
        whole = np.concatenate((first, values), 2)
        near = self._linear("ends", np.concatenate((passage.features, p_own), 2))
        start = np.einsum("btd,bd->bt", whole, self._linear("start", gist)) + near[..., 0]
        end = np.einsum("btd,bd->bt", whole, self._linear("end", gist)) + near[..., 1]
        start[~p_mask] = end[~p_mask] = _NONE
        pooled = _pooled(self._linear("none_look", whole)[..., 0], whole, p_mask)
        facts = np.stack([each.facts for each in pairs])
        inner = _relu(self._linear("none_in", np.concatenate((pooled, gist, facts), 1)))
        points = np.stack((start.max(1), end.max(1), _logsumexp(start), _logsumexp(end)), 1)
        none = self._linear("none_out", np.concatenate((inner, points), 1))[:, 0]
        counts = p_mask.sum(1)
        return [
            Scores(start[k, :count], end[k, :count], float(none[k])) for k, count in enumerate(counts)
        ]  # fmt: skip

    def _linear(self, name: str, values: Array) -> Array:
        made: Array = values @ self._parts[f"{name}.weight"].T
        bias = self._parts.get(f"{name}.bias")
        return made if bias is None else made + bias

    def _near(self, name: str, values: Array, reach: int) -> Array:
        """A convolution over each word and those `reach` before and after it."""
        count, longest, width = values.shape
        padded = np.zeros((count, longest + 2 * reach, width), np.float32)
        padded[:, reach : reach + longest] = values
        sides = [padded[:, at : at + longest] for at in (0, reach, 2 * reach)]
        made: Array = np.concatenate(sides, 2) @ self._kernels[name] + self._parts[f"{name}.bias"]
        return made


def best_spans(scores: Scores, most: int) -> list[tuple[int, int, float]]:
    """First and last word and log-probability of the best spans, best first; no two of them share a word."""
    count = len(scores.start)
    if not count:
        return []
    total = np.logaddexp(_logsumexp(scores.start[None])[0] + _logsumexp(scores.end[None])[0], scores.none)
    both = scores.start[:, None] + scores.end[None, :] - np.float32(total)
    places = np.arange(count)
    apart = places[None, :] - places[:, None]
    both[(apart < 0) | (apart >= LONGEST)] = -np.inf
    found: list[tuple[int, int, float]] = []
    while len(found) < most:
        first, last = divmod(int(both.argmax()), count)
        value = float(both[first, last])
        if value == -np.inf:
            break
        found.append((first, last, value))
        both[: last + 1, first:] = -np.inf
    return found


def _read(path: Path) -> tuple[dict[str, Array], dict[str, str]]:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise InvalidRequest(f"{path}: larger than {_MOST_BYTES} bytes; this is not an answer extractor")
        with safe_open(path, framework="numpy") as opened:
            metadata = opened.metadata() or {}
            raw = {name: opened.get_tensor(name) for name in opened.keys()}
    except (OSError, SafetensorError) as error:
        raise InvalidRequest(f"{path}: {error}") from error
    if metadata.get("format") != FORMAT:
        raise InvalidRequest(f"{path}: format is {metadata.get('format', '')[:60]!r}; expected {FORMAT!r}")
    parts: dict[str, Array] = {}
    for name, values in raw.items():
        if name.endswith(".scale"):
            continue
        made = values.astype(np.float32)
        if values.dtype == np.int8:
            if raw.get(f"{name}.scale", np.zeros(0)).shape != values.shape[:1]:
                raise InvalidRequest(f"{path}: '{name}' needs a scale for each row")
            made *= raw[f"{name}.scale"].astype(np.float32).reshape(-1, *[1] * (values.ndim - 1))
        parts[name] = made
    return parts, metadata


def _kernel(weights: Array) -> Array:
    """(outputs, inputs, 3) as (3 x inputs, outputs)."""
    return np.ascontiguousarray(weights.transpose(2, 1, 0).reshape(-1, len(weights)))


@dataclass(frozen=True, slots=True)
class _Padded:
    """Texts of different lengths side by side."""

    vectors: Array
    features: Array
    common: NDArray[np.int64]
    mask: Mask


def _padded(seen: Sequence[Seen]) -> _Padded:
    lengths = np.array([len(each.words) for each in seen])
    shape = len(seen), max(1, int(lengths.max()))
    made = _Padded(
        np.zeros((*shape, DIMENSIONS), np.float32),
        np.zeros((*shape, seen[0].features.shape[1]), np.float32),
        np.zeros(shape, np.int64),
        np.arange(shape[1])[None] < lengths[:, None],
    )
    for k, each in enumerate(seen):
        made.vectors[k, : lengths[k]] = each.vectors
        made.features[k, : lengths[k]] = each.features
        made.common[k, : lengths[k]] = each.common
    return made


def _relu(values: Array) -> Array:
    return np.maximum(values, 0, out=values)


def _softmax(values: Array) -> Array:
    mass = np.exp(values - values.max(-1, keepdims=True))
    made: Array = mass / mass.sum(-1, keepdims=True)
    return made


def _pooled(points: Array, values: Array, mask: Mask) -> Array:
    made: Array = np.einsum("bt,btd->bd", _softmax(np.where(mask, points, _NONE)), values)
    return made


def _logsumexp(values: Array) -> Array:
    top = values.max(1)
    made: Array = top + np.log(np.exp(values - top[:, None]).sum(1))
    return made

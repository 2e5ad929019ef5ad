"""The trained reader with weights out of a hat: shapes, padding, exact places, and what happens without its files."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from rocamadre.catalog.embedded import embedded_dir
from rocamadre.core.errors import InvalidRequest
from rocamadre.knowledge.answers.extractive import ExtractiveReader
from rocamadre.knowledge.answers.extractor.features import (
    PAIR_FEATURES,
    PASSAGE_FEATURES,
    QUESTION_FEATURES,
    ask,
    pair,
    take,
)
from rocamadre.knowledge.answers.extractor.network import FILE, FORMAT, Network, best_spans
from rocamadre.knowledge.answers.extractor.reader import TrainedReader, make_reader, sentence_around
from rocamadre.knowledge.answers.extractor.space import DIMENSIONS, WordSpace
from rocamadre.knowledge.answers.types import Passage
from rocamadre.knowledge.answers.words import words_of

COMMON = ["", "the", "what", "when", "of", "was"]
HIDDEN, WORD, OWN = 8, 6, 4
QUESTION = "When was the lighthouse of Calder Point built?"
TEXTS = [
    "The lighthouse of Calder Point was built in 1874 by the engineer Martha Quill. It is 32 metres tall.",
    "The harbour of Calder has three piers. Fishing boats leave at dawn. The fish market opens at six.",
    "Calder.",
]


def parts(chance: np.random.Generator) -> dict[str, np.ndarray]:
    shapes = {
        "word": (WORD, DIMENSIONS), "own": (len(COMMON), OWN), "align": (WORD, WORD), "gist": (1, HIDDEN),
        "asked": (HIDDEN, WORD + OWN + QUESTION_FEATURES, 3), "gate": (HIDDEN, HIDDEN),
        "inner": (HIDDEN, 3 * WORD + OWN + PASSAGE_FEATURES), "start": (2 * HIDDEN, HIDDEN),
        "end": (2 * HIDDEN, HIDDEN), "ends": (2, PASSAGE_FEATURES + OWN), "none_look": (1, 2 * HIDDEN),
        "none_in": (5, 3 * HIDDEN + PAIR_FEATURES), "none_out": (1, 9),
        **{f"layers.{k}": (2 * HIDDEN, HIDDEN, 3) for k in range(3)},
    }  # fmt: skip
    made = {f"{name}.weight": chance.normal(0, 0.3, shape) for name, shape in shapes.items()}
    made |= {
        f"{name}.bias": chance.normal(0, 0.1, shape[0]) for name, shape in shapes.items() if name not in ("word", "own")
    }
    return {name: values.astype(np.float16) for name, values in made.items()}


def write(
    path: Path, made: dict[str, np.ndarray], *, refuse_below: float = 0.0, form: str = FORMAT, space: str = ""
) -> Path:
    calibration = {
        "holds": [0.0] * 27,
        "refuse_below": refuse_below,
        "span_from": 0.5,
        "by_search": 1.0,
        "by_words": 0.0,
    }
    metadata = {"format": form, "space": space, "common": json.dumps(COMMON), "calibration": json.dumps(calibration)}
    save_file(made, path, metadata=metadata)
    return path


@pytest.fixture(scope="module")
def space() -> WordSpace:
    folder = embedded_dir("roca-embed")
    assert folder is not None
    return WordSpace(folder)


@pytest.fixture
def network(tmp_path: Path) -> Network:
    return Network(write(tmp_path / FILE, parts(np.random.default_rng(5))))


def pairs(network: Network, space: WordSpace):
    asked = ask(QUESTION, "en", space, network.common)
    return [pair(asked, take(words_of(text, "en"), space, network.common)) for text in TEXTS]


def test_a_passage_is_read_the_same_alone_and_beside_longer_ones(network, space):
    held = pairs(network, space)
    for together, each in zip(network.scores(held), held, strict=True):
        (alone,) = network.scores([each])
        np.testing.assert_allclose(together.start, alone.start, atol=1e-4)
        np.testing.assert_allclose(together.end, alone.end, atol=1e-4)
        assert together.none == pytest.approx(alone.none, abs=1e-4)


def test_probabilities_of_spans_and_of_none_add_up(network, space):
    for scores in network.scores(pairs(network, space)):
        both = scores.start[:, None] + scores.end[None, :]
        total = np.logaddexp(np.log(np.exp(both).sum()), scores.none)
        found = best_spans(scores, 3)
        assert [each[2] for each in found] == sorted((each[2] for each in found), reverse=True)
        for first, last, chance in found:
            assert first <= last
            assert chance == pytest.approx(float(both[first, last] - total), abs=1e-3)
        places = [place for first, last, _ in found for place in range(first, last + 1)]
        assert len(places) == len(set(places))


def test_eight_bit_rows_say_nearly_the_same(tmp_path, network, space):
    made = parts(np.random.default_rng(5))
    values = made["layers.1.weight"].astype(np.float32)
    scale = (np.abs(values).max(axis=(1, 2)) / 127).astype(np.float16)
    made["layers.1.weight"] = np.rint(values / scale.astype(np.float32)[:, None, None]).clip(-127, 127).astype(np.int8)
    made["layers.1.weight.scale"] = scale
    rough = Network(write(tmp_path / "rough.safetensors", made))
    for one, other in zip(network.scores(pairs(network, space)), rough.scores(pairs(network, space)), strict=True):
        np.testing.assert_allclose(one.start, other.start, atol=0.1)


@pytest.mark.parametrize("form", ["span", "sentence", "auto"])
@pytest.mark.parametrize(
    "question", [QUESTION, "¿Cuándo se construyó el faro?", "Quem o construiu?", "???", "x" * 900 + "?"]
)
def test_what_is_answered_stands_in_the_passage(network, space, form, question):
    shown = [Passage(text, "en", 0.9 - 0.2 * place) for place, text in enumerate(TEXTS)]
    answer = TrainedReader(network, space, ExtractiveReader(), form).read(question, shown)
    assert answer is not None
    (statement,) = answer.statements
    (support,) = statement.supports
    assert shown[support.passage].text[support.start : support.end] == statement.text == answer.text


def test_long_passages_are_read_to_their_end(network, space):
    text = " ".join(f"Stone {k} lies at the gate." for k in range(150))
    found = TrainedReader(network, space, ExtractiveReader()).look(QUESTION, [Passage(text, "en", 1.0)])
    assert found is not None
    assert max(each.end for each in found.spans) > len(text) * 0.7


def test_below_the_threshold_nothing_is_answered(tmp_path, space):
    strict = Network(write(tmp_path / FILE, parts(np.random.default_rng(5)), refuse_below=0.6))
    reader = TrainedReader(strict, space, ExtractiveReader())
    assert reader.read(QUESTION, [Passage(TEXTS[0], "en", 1.0)]) is None
    assert reader.read(QUESTION, []) is None
    assert reader.read(QUESTION, [Passage("", "en", 1.0)]) is None


def test_a_wish_is_left_to_the_other_reader(network, space):
    answer = TrainedReader(network, space, ExtractiveReader()).read(
        "Describe the lighthouse of Calder Point", [Passage(text, "en", 1.0) for text in TEXTS]
    )
    assert answer is not None
    assert len(answer.statements) > 1


def test_a_span_across_sentences_brings_both():
    text = "One two. Three four. Five six."
    assert [text[slice(*sentence_around(text, *at))] for at in ((9, 14), (4, 14))] == [
        "Three four.",
        "One two. Three four.",
    ]


def test_damaged_files_are_refused(tmp_path):
    good = parts(np.random.default_rng(5))
    with pytest.raises(InvalidRequest, match="format"):
        Network(write(tmp_path / "a", good, form="something else"))
    with pytest.raises(InvalidRequest, match="shape"):
        Network(write(tmp_path / "b", good | {"layers.1.weight": good["layers.1.weight"][:, 1:]}))
    with pytest.raises(InvalidRequest, match="missing"):
        Network(write(tmp_path / "c", {name: values for name, values in good.items() if name != "end.weight"}))
    (tmp_path / "d").write_bytes(b"not a file of weights")
    with pytest.raises(InvalidRequest):
        Network(tmp_path / "d")


def test_without_its_files_the_other_reader_reads(tmp_path, monkeypatch, caplog, space):
    import rocamadre.knowledge.answers.extractor.reader as module

    own = embedded_dir("roca-embed")
    monkeypatch.setattr(module, "embedded_dir", lambda name: own if name == "roca-embed" else None)
    assert isinstance(make_reader(None, "auto"), ExtractiveReader)
    monkeypatch.setattr(module, "embedded_dir", lambda name: own if name == "roca-embed" else tmp_path)
    assert isinstance(make_reader(None, "auto"), ExtractiveReader)
    (tmp_path / FILE).write_bytes(b"damaged")
    with caplog.at_level(logging.WARNING):
        assert isinstance(make_reader(None, "auto"), ExtractiveReader)
    assert "answers.extractor_damaged" in caplog.text
    (tmp_path / FILE).unlink()
    write(tmp_path / FILE, parts(np.random.default_rng(5)), space="of another embedder")
    with caplog.at_level(logging.WARNING):
        assert isinstance(make_reader(None, "auto"), ExtractiveReader)
    (tmp_path / FILE).unlink()
    write(tmp_path / FILE, parts(np.random.default_rng(5)), space=space.sha256)
    assert isinstance(make_reader(None, "auto"), TrainedReader)

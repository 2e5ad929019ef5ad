"""Tables of vectors: the sum, what they refuse, how they are served, and the file that is shipped."""

import hashlib
import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from rocamadre.catalog.embedded import ROCA_EMBED, embedded_models
from rocamadre.core.errors import InvalidRequest
from rocamadre.core.messages import GenerationRequest
from rocamadre.core.settings import load_settings
from rocamadre.engines.embed.engine import EmbedEngine
from rocamadre.engines.embed.static import StaticModel
from rocamadre.engines.protocol import LoadSpec
from rocamadre.testing.engine_suite import Running
from rocamadre.testing.tiny_static import tiny_static

SHIPPED = Path(__file__).resolve().parents[4] / "models" / "roca-embed"
MOST_BYTES = 10_000_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_static(tmp_path_factory.mktemp("model"))


def embed(model, *texts):
    return model.embed(model.token_ids(list(texts)))


def changed(folder, target, **parts):
    """The same model with other parts."""
    target.mkdir()
    (target / "tokenizer.json").write_bytes((folder / "tokenizer.json").read_bytes())
    both = {**load_file(folder / "static.safetensors"), **parts}
    save_file({name: value for name, value in both.items() if value is not None}, target / "static.safetensors")
    return target


def test_a_vector_is_the_weighted_sum_of_its_pieces(folder):
    model, parts = StaticModel(folder), load_file(folder / "static.safetensors")
    (ids,) = model.token_ids(["red fox red"])
    assert len(ids) == 3
    row = [parts["scales"][piece] * parts["rows"][piece].astype(np.float32) for piece in ids[:2]]
    expected = (np.sqrt(2) * row[0] + row[1]) @ parts["map"].astype(np.float32)
    np.testing.assert_allclose(model.embed([ids])[0], expected / np.linalg.norm(expected), atol=1e-6)


def test_case_accents_and_order_of_words_say_nothing(folder):
    one, two, three = embed(StaticModel(folder), "zorro rojo", "ROJO Zorró", "zorro, rojo")
    np.testing.assert_allclose(one, two, atol=1e-6)
    assert one @ three < 0.999


def test_a_text_without_a_known_piece_has_a_vector_of_its_own(folder):
    nothing, strange, known = embed(StaticModel(folder), "", "象", "dog")
    assert np.linalg.norm(nothing) == pytest.approx(1, abs=1e-5)
    np.testing.assert_allclose(nothing, strange, atol=1e-6)
    assert abs(nothing @ known) < 0.999


@pytest.mark.parametrize("name", ["rows", "scales", "map"])
def test_parts_that_are_missing_or_of_another_kind_are_refused(folder, tmp_path, name):
    with pytest.raises(InvalidRequest, match=f"'{name}' must be"):
        StaticModel(changed(folder, tmp_path / "missing", **{name: None}))
    with pytest.raises(InvalidRequest, match=f"'{name}' must be"):
        StaticModel(changed(folder, tmp_path / "other", **{name: np.zeros(4, np.float64)}))


def test_files_of_different_models_are_refused(folder, tmp_path):
    with pytest.raises(InvalidRequest, match="not of one model"):
        StaticModel(changed(folder, tmp_path / "short", scales=np.ones(3, np.float32)))
    with pytest.raises(InvalidRequest, match="not of one model"):
        StaticModel(changed(folder, tmp_path / "narrow", map=np.ones((3, 4), np.float16)))
    (tmp_path / "short" / "tokenizer.json").write_text("{}")
    with pytest.raises(InvalidRequest):
        StaticModel(tmp_path / "short")


def test_a_damaged_file_is_refused_by_name(folder, tmp_path):
    made = changed(folder, tmp_path / "cut")
    (made / "static.safetensors").write_bytes((made / "static.safetensors").read_bytes()[:100])
    with pytest.raises(InvalidRequest, match=r"static\.safetensors"):
        StaticModel(made)


def test_it_is_served_in_a_process_of_its_own(folder, tmp_path):
    running = Running(LoadSpec("test.table-v1:0", "embed", folder, 8192), tmp_path)
    try:
        made = running.run(running.engine.embed(["red fox", "lazy dog " * 5000]))
        np.testing.assert_allclose(made.vectors[0], embed(StaticModel(folder), "red fox")[0], atol=1e-6)
        assert made.token_counts == (2, 8192)
        assert made.truncated == (False, True)
        near, far = running.run(running.engine.rerank("red fox", ["lazy dog " * 400 + "red fox " * 100, "lazy dog"]))
        assert near > far
        with pytest.raises(InvalidRequest, match="embeddings"):
            running.run(running.engine.render(GenerationRequest(prompt="a")))
    finally:
        running.close()


def test_its_memory_is_the_file_and_little_more(folder):
    spec = LoadSpec("test.table-v1:0", "embed", folder, 8192)
    size = (folder / "static.safetensors").stat().st_size
    assert size < EmbedEngine.memory_bytes(spec, load_settings(home=folder).engines) < size + 100_000_000


def test_it_is_listed_while_its_file_is_there(folder, tmp_path):
    place = tmp_path / "models" / "roca-embed"
    place.mkdir(parents=True)
    settings = load_settings(home=tmp_path / "home", catalog={"embedded_models": tmp_path / "models"})
    assert ROCA_EMBED not in {model.id for model in embedded_models(settings)}
    for path in folder.iterdir():
        (place / path.name).write_bytes(path.read_bytes())
    (place / "card.md").write_text("---\nlicense: apache-2.0\nlanguage:\n- en\n- es\n---\n")
    (model,) = (model for model in embedded_models(settings) if model.id == ROCA_EMBED)
    assert (model.short_name, model.licence, model.languages) == ("roca-embed", "apache-2.0", ("en", "es"))
    assert model.output_modalities == ("EMBEDDING",)
    (place / "static.safetensors").write_bytes(b"damaged")
    assert ROCA_EMBED not in {model.id for model in embedded_models(settings)}


def test_the_recipe_writes_what_was_trained(folder, tmp_path):
    """Parity: cosines of the trained weights' vectors with those of the served file."""
    spec = importlib.util.spec_from_file_location("export", SHIPPED / "recipe" / "export.py")
    export = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(export)
    rng = np.random.default_rng(1)
    pieces = len(load_file(folder / "static.safetensors")["rows"])
    table, weight, space = rng.normal(size=(pieces, 48)), rng.normal(size=pieces), rng.normal(size=(48, 64))
    made = tmp_path / "made"
    made.mkdir()
    (made / "tokenizer.json").write_bytes((folder / "tokenizer.json").read_bytes())
    export.save(made / "static.safetensors", table, weight, space)
    model = StaticModel(made)
    for text in ("red fox", "blue whale, lazy dog", "zorro"):
        ids = model.token_ids([text])[0]
        trained = sum(np.exp(weight[piece]) * table[piece] for piece in ids) @ space
        assert trained / np.linalg.norm(trained) @ model.embed([ids])[0] > 0.999


class TestShipped:
    """The file in the checkout."""

    def test_it_is_small_and_the_one_that_the_figures_are_of(self):
        figures = json.loads((SHIPPED / "figures.json").read_text())
        size = 0
        for name, digest in figures["sha256"].items():
            content = (SHIPPED / name).read_bytes()
            assert hashlib.sha256(content).hexdigest() == digest, name
            size += len(content)
        assert size < MOST_BYTES
        assert figures["parity"]["least"] > 0.999
        assert set(figures["data_sha256"]) == set(figures["licences"])
        assert not any("NC" in licence for licence in figures["licences"].values())

    def test_sentences_are_near_their_translations(self):
        said = {
            "en": ["The cat sleeps on the sofa.", "The president signed a new law.", "How do I install the program?"],
            "es": ["El gato duerme en el sofá.", "El presidente firmó una nueva ley.", "¿Cómo instalo el programa?"],
            "pt": ["O gato dorme no sofá.", "O presidente assinou uma nova lei.", "Como instalo o programa?"],
        }
        model = StaticModel(SHIPPED)
        vectors = {language: embed(model, *texts) for language, texts in said.items()}
        for one in vectors.values():
            for two in vectors.values():
                assert (np.argmax(one @ two.T, axis=1) == np.arange(3)).all()

import hashlib

import numpy as np
import pytest

from rocamadre.core.errors import InvalidRequest
from rocamadre.engines.embed.dimensions import LARGER, available_dimensions, hadamard_map, projection, resize
from rocamadre.engines.embed.embedding_types import EMBEDDING_TYPES, convert, titan_binary

CHECKSUMS = {
    512: "04c0a538f34cbbec",
    768: "45b924148cfa39bb",
    1024: "ee780f9a1ce4cd22",
    1536: "c40f951ba0af7df3",
    2048: "9816fb0e9549ea41",
    3072: "e923a1f56cf2fbac",
}


@pytest.fixture
def vectors():
    made = np.random.default_rng(3).standard_normal((40, 384)).astype(np.float32)
    return made / np.linalg.norm(made, axis=1, keepdims=True)


@pytest.mark.parametrize("size", LARGER)
def test_larger_maps_are_orthonormal_and_always_the_same(size):
    matrix = hadamard_map(384, size)
    assert matrix.shape == (384, size)
    np.testing.assert_allclose(matrix.astype(np.float64) @ matrix.T, np.eye(384), atol=1e-6)
    assert hashlib.sha256(np.packbits(matrix > 0).tobytes()).hexdigest()[:16] == CHECKSUMS[size]


@pytest.mark.parametrize("size", LARGER)
def test_larger_vectors_keep_every_cosine_and_use_every_dimension(vectors, size):
    larger, name = resize(vectors, size)
    assert name == f"hadamard-384-{size}-v1"
    np.testing.assert_allclose(larger @ larger.T, vectors @ vectors.T, atol=2e-6)  # float32 sums of up to 3,072 terms
    assert (np.abs(larger).max(axis=0) > 1e-3).all()
    assert len(np.unique(larger[0])) > size * 0.9


def test_smaller_vectors_have_unit_length_by_an_orthonormal_projection(vectors):
    matrix = projection().astype(np.float64)
    np.testing.assert_allclose(matrix.T @ matrix, np.eye(256), atol=1e-5)
    smaller, name = resize(vectors, 256)
    assert (smaller.shape, name) == ((40, 256), "pca-384-256-v1")
    np.testing.assert_allclose(np.linalg.norm(smaller, axis=1), 1, atol=1e-6)


def test_own_size_is_left_alone(vectors):
    same, name = resize(vectors, 384)
    assert name == "native-384"
    np.testing.assert_array_equal(same, vectors)


@pytest.mark.parametrize("size", [0, 1, 100, 383, 385, 4096])
def test_other_sizes_are_refused_with_the_list(vectors, size):
    with pytest.raises(InvalidRequest, match="256, 384, 512, 768, 1024, 1536, 2048, 3072"):
        resize(vectors, size)


def test_other_models_get_larger_sizes_only():
    assert available_dimensions(768) == (768, 1024, 1536, 2048, 3072)
    unit = np.eye(768, dtype=np.float32)[:3]
    assert resize(unit, 1024)[1] == "hadamard-768-1024-v1"
    with pytest.raises(InvalidRequest):
        resize(unit, 256)


def test_forms(vectors):
    whole = convert(vectors, "int8")
    assert whole.min() >= -127
    assert whole.max() <= 127
    cosine = (whole * vectors).sum(1) / np.linalg.norm(whole.astype(float), axis=1)
    assert cosine.min() > 0.999
    np.testing.assert_array_equal(convert(vectors, "uint8"), whole + 128)
    np.testing.assert_array_equal(convert(vectors, "float"), vectors)


def test_packed_forms(vectors):
    packed = convert(vectors, "ubinary")
    assert packed.shape == (40, 48)
    np.testing.assert_array_equal(np.unpackbits(packed.astype(np.uint8), axis=1), vectors > 0)
    np.testing.assert_array_equal(convert(vectors, "binary"), packed - 128)
    np.testing.assert_array_equal(titan_binary(vectors), vectors > 0)


def test_unknown_form_is_refused_with_the_list():
    with pytest.raises(InvalidRequest, match="float, int8, uint8, binary, ubinary"):
        convert([[1.0] * 8], "int4")
    assert len(EMBEDDING_TYPES) == 5

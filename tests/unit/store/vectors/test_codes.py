from __future__ import annotations

import hashlib

import numpy as np
import pytest

from rocamadre.store.vectors.codes import coded, encode, estimate, rotate
from rocamadre.testing.vector_cases import directions


@pytest.mark.parametrize("dimensions", [1, 3, 64, 100, 384, 1024])
def test_products_stay_when_vectors_are_turned(dimensions):
    vectors = directions(20, dimensions=dimensions)
    turned = rotate(vectors)
    assert turned.shape == (20, coded(dimensions))
    assert np.allclose(turned @ turned.T, vectors @ vectors.T, atol=1e-5)


def test_the_rotation_is_the_same_for_ever():
    """Codes on disks were made with it."""
    turned = np.rint(rotate(np.eye(100, dtype=np.float32)) * 1000).astype(np.int32)
    assert turned[0, :6].tolist() == [-138, -6, 39, -28, 6, -39]
    assert hashlib.sha256(turned.tobytes()).hexdigest()[:16] == "5d93c25fd5f05715"


@pytest.mark.parametrize("dimensions", [64, 384, 1000])
@pytest.mark.parametrize("centred", [False, True])
def test_estimates_are_unbiased_and_say_how_far_off_they_are(dimensions, centred):
    vectors = directions(4000, dimensions=dimensions)
    centre = vectors.mean(axis=0) if centred else np.zeros(dimensions, np.float32)
    codes = encode(vectors, centre)
    off = []
    for query in directions(20, seed=1, dimensions=dimensions):
        guessed = estimate(codes, query, centre)
        off.append((guessed.product - vectors @ query) / guessed.error)
    off = np.concatenate(off)
    assert abs(off.mean()) < 0.2
    assert 0.7 < off.std() < 1.3
    assert (np.abs(off) < 2.5).mean() > 0.97


def test_a_vector_at_the_centre_is_known_exactly():
    centre = directions(1, dimensions=64)[0]
    guessed = estimate(encode(centre[np.newaxis], centre), centre, centre)
    assert guessed.product == pytest.approx([1.0], abs=1e-5)
    assert guessed.error == pytest.approx([0.0], abs=1e-3)

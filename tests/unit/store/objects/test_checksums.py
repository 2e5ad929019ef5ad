import base64
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rocamadre.store.objects.checksums import ALGORITHMS, POLYNOMIALS, SIZES_BYTES, combine_crcs, new_checksum
from rocamadre.store.objects.lane_crc import _bytes_crc, crc_update

CHECKS = {"crc32": "cbf43926", "crc32c": "e3069283", "crc64nvme": "ae8b14860a799888"}


def of(algorithm, *pieces):
    checksum = new_checksum(algorithm)
    for piece in pieces:
        checksum.update(piece)
    return checksum.encoded()


@pytest.mark.parametrize("algorithm", CHECKS)
def test_published_check_values(algorithm):
    assert base64.b64decode(of(algorithm, b"123456789")).hex() == CHECKS[algorithm]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_pieces_are_as_good_as_the_whole(algorithm):
    data = bytes(range(256)) * 40
    assert of(algorithm, data[:3000], memoryview(data)[3000:9000], data[9000:]) == of(algorithm, data)
    assert len(base64.b64decode(of(algorithm))) == SIZES_BYTES[algorithm]


@pytest.mark.parametrize("size", [0, 1, 2047, 2048, 2049, 300_001, 1 << 20, (1 << 20) + 77])
@pytest.mark.parametrize("algorithm", POLYNOMIALS)
def test_lanes_are_as_a_loop_over_bytes(algorithm, size):
    data = (b"%d," % size * (size // 4 + 1))[:size]
    polynomial, bits = POLYNOMIALS[algorithm], SIZES_BYTES[algorithm] * 8
    assert crc_update(data, 12345, polynomial, bits) == _bytes_crc(memoryview(data), 12345, polynomial, bits)
    if algorithm == "crc32":
        assert crc_update(data, 0, polynomial, bits) == zlib.crc32(data)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.binary(max_size=300), min_size=1, max_size=6), st.sampled_from(sorted(POLYNOMIALS)))
def test_parts_combine_to_the_whole(parts, algorithm):
    combined = combine_crcs(algorithm, [(of(algorithm, part), len(part)) for part in parts])
    assert combined == of(algorithm, b"".join(parts))

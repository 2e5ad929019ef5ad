import time

import pytest

from rocamadre.api.wire.patterns import matcher


def test_patterns_match_whole_values():
    assert matcher("[a-z]+")("abc")
    assert not matcher("[a-z]+")("abc1")
    assert not matcher("^[a-z]+$")("abc\n")


@pytest.mark.parametrize("pattern", [r"(a+)+b", r"(([0-9a-zA-Z][_-]?)+)", r"^(\w+\s?)*$"])
@pytest.mark.parametrize("length", [100, 200_000])
def test_hostile_values_take_linear_time(pattern, length):
    started = time.monotonic()
    matcher(pattern)("a" * length + "!")
    assert time.monotonic() - started < 60  # A backtracking engine would need years.


def test_every_pattern_of_the_models_compiles_and_is_fast(services):
    value = "arn:aws:bedrock:us-east-1:123456789012:" + "a-" * 3000 + "!"
    started = time.monotonic()
    patterns = {
        shape["pattern"] for service in services.values() for shape in service.shapes.values() if "pattern" in shape
    }
    for pattern in patterns:
        matcher(pattern)(value)
    assert len(patterns) > 100
    assert time.monotonic() - started < 60


def test_what_re2_lacks_still_works():
    assert matcher(r"(?![-_+.])[a-z0-9][a-z0-9\-_\.]*")("index-1")
    assert not matcher(r"(?![-_+.])[a-z0-9][a-z0-9\-_\.]*")("-index")
    assert matcher("s3://.{1,1024}")("s3://" + "k" * 1024)
    assert not matcher("s3://.{1,1024}")("s3://" + "k" * 1025)


def test_misspelt_digits_in_arn_patterns_are_mended():
    assert matcher("arn:/d{12}:x/d+")("arn:123456789012:x7")

import pytest

from rocamadre.core.origins import host_name
from rocamadre.server.middleware.limits import TokenBucket


def test_a_bucket_holds_a_minutes_worth_and_refills_evenly():
    bucket = TokenBucket(60)
    assert [bucket.take("a", 0.0) for _ in range(60)] == [0.0] * 60
    assert bucket.take("a", 0.0) == 1.0
    assert bucket.take("a", 0.5) == 0.5
    assert bucket.take("a", 1.0) == 0.0
    assert bucket.take("b", 1.0) == 0.0


def test_a_refused_request_costs_nothing():
    bucket = TokenBucket(1)
    bucket.take("a", 0.0)
    waits = [bucket.take("a", float(second)) for second in (10, 20, 30)]
    assert waits == pytest.approx([50.0, 40.0, 30.0])
    assert bucket.take("a", 60.0) == 0.0


def test_host_names_are_cut_from_their_port():
    assert [host_name(host) for host in ("a.b:1", "[::1]:80", " LOCALHOST ", "")] == ["a.b", "[::1]", "localhost", ""]

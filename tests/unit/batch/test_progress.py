from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rocamadre.batch.progress import Counts, Done, Progress


def line(number):
    return json.dumps({"number": number, "text": "a\tb \\n é"}).encode()


def fill(path, count=20):
    with Progress(path, 2) as progress:
        for index in reversed(range(count)):
            progress.add(index % 2, index // 2, Done(index % 3 != 0, index, 1, line(index)))
        return progress.counts


def test_what_was_added_is_there_after_it_was_opened_again(tmp_path):
    counts = fill(tmp_path / "done")
    with Progress(tmp_path / "done", 2) as progress:
        assert progress.counts == counts == Counts(13, 7, sum(range(20)), 20)
        assert list(progress.lines(0)) == [line(index) + b"\n" for index in range(0, 20, 2)]
        assert list(progress.lines(1, good=False)) == [line(index) + b"\n" for index in (3, 9, 15)]
        assert progress.has(1, 9)
        assert not progress.has(1, 10)


def test_gaps_are_passed_over(tmp_path):
    with Progress(tmp_path / "done", 1) as progress:
        progress.add(0, 7, Done(True, 1, 1, line(7)))
        progress.add(0, 2, Done(True, 1, 1, line(2)))
        assert list(progress.lines(0)) == [line(2) + b"\n", line(7) + b"\n"]
        assert not progress.has(0, 3)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_torn_or_damaged_end_is_cut_off_and_nothing_before_it(data, tmp_path_factory):
    path = tmp_path_factory.mktemp("torn") / "done"
    fill(path)
    whole = path.read_bytes()
    cut = data.draw(st.integers(0, len(whole)))
    torn = whole[:cut] + data.draw(st.binary(max_size=30))
    path.write_bytes(torn)
    kept = whole[:cut].count(b"\n")
    with Progress(path, 2) as progress:
        assert progress.counts.done == kept
        assert path.stat().st_size <= len(torn)
        for index in range(20):
            if not progress.has(index % 2, index // 2):
                progress.add(index % 2, index // 2, Done(True, 0, 0, line(index)))
    with Progress(path, 2) as progress:
        assert [*progress.lines(0), *progress.lines(1)] == [
            line(index) + b"\n" for index in (*range(0, 20, 2), *range(1, 20, 2))
        ]


def test_a_flipped_bit_is_found(tmp_path):
    path = tmp_path / "done"
    fill(path)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))
    with Progress(path, 2) as progress:
        assert 0 < progress.counts.done < 20


@pytest.mark.parametrize("source", [(0, 1), (0, 5)])
def test_a_record_stands_there_once(tmp_path, source):
    with Progress(tmp_path / "done", 1) as progress:
        progress.add(*source, Done(True, 0, 0, b"{}"))
        with pytest.raises(AssertionError):
            progress.add(*source, Done(True, 0, 0, b"{}"))

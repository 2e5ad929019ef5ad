from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from rocamadre.batch.lines import in_pieces, read_lines


def cut(data, places):
    ends = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[start:end] for start, end in pairwise(ends)]


@given(
    st.lists(st.binary(max_size=20).filter(lambda line: b"\n" not in line and not line.startswith(b"\xef"))),
    st.lists(st.integers(0, 1000)),
)
def test_lines_do_not_depend_on_the_pieces(lines, places):
    data = b"\n".join(lines)
    found = list(read_lines(cut(data, places), most_bytes=10))
    wanted = [(number, line) for number, line in enumerate(lines, start=1) if len(line) > 10 or line.strip(b" \t\r")]
    assert [line.number for line in found] == [number for number, _ in wanted]
    assert [line.place for line in found] == list(range(len(wanted)))
    assert [line.data for line in found] == [line if len(line) <= 10 else None for _, line in wanted]


def test_a_mark_at_the_beginning_and_windows_ends():
    found = list(read_lines([b'\xef\xbb\xbf{"a": 1}\r\n\r\n{"b": 2}'], most_bytes=100))
    assert [(line.number, line.data) for line in found] == [(1, b'{"a": 1}\r'), (3, b'{"b": 2}')]


def test_pieces_hold_all_lines_and_are_not_small():
    lines = [b"%d\n" % number for number in range(1000)]
    pieces = list(in_pieces(lines, least_bytes=100))
    assert b"".join(pieces) == b"".join(lines)
    assert all(100 <= len(piece) < 110 for piece in pieces[:-1])
    assert list(in_pieces([])) == []

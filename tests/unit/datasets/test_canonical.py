from __future__ import annotations

import pytest

from rocamadre.core.errors import InvalidRequest
from rocamadre.datasets import canonical
from rocamadre.datasets.types import Chat, Preference, Prompt, Text, Turn

ASKED = (Turn("system", "Be kind."), Turn("user", "Hi\u2028there\n🙂"))
EXAMPLES = (
    Text("a\x85b\u2029c"),
    Chat((*ASKED, Turn("assistant", '"quoted"'))),
    Chat((*ASKED, Turn("assistant", "Yes")), task="greet"),
    Prompt(ASKED),
    Prompt(ASKED, reference="42"),
    Preference(ASKED, "better", "worse"),
)


def test_what_is_written_is_read(tmp_path):
    path = tmp_path / "rows.jsonl"
    assert canonical.write(path, EXAMPLES) == len(EXAMPLES)
    assert tuple(canonical.read(path)) == EXAMPLES
    assert len(path.read_bytes().splitlines()) == len(EXAMPLES)


def test_an_error_leaves_what_was_there(tmp_path):
    path = tmp_path / "rows.jsonl"
    canonical.write(path, EXAMPLES[:1])

    def failing():
        yield EXAMPLES[1]
        raise InvalidRequest("no more")

    with pytest.raises(InvalidRequest, match="no more"):
        canonical.write(path, failing())
    assert tuple(canonical.read(path)) == EXAMPLES[:1]
    assert [each.name for each in tmp_path.iterdir()] == ["rows.jsonl"]


@pytest.mark.parametrize(
    "line",
    [b"{", b"[]", b"{}", b'{"turns":[]}', b'{"turns":[{"role":"tool","text":"x"}]}', b'{"text":"a","more":1}', b"\xff"],
)
def test_damage_is_told_with_its_line(tmp_path, line):
    path = tmp_path / "rows.jsonl"
    path.write_bytes(canonical.encode(EXAMPLES[0]) + b"\n" + line + b"\n")
    with pytest.raises(InvalidRequest, match=r"rows\.jsonl, line 2"):
        list(canonical.read(path))
